"""Settings of a run of either task: a regression or a generation, told apart by the kind of their model."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.config.read import check_config, read_content
from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.models import MODELS as GENERATORS
from hgcal_gnn.regression.models import MODELS as REGRESSORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Any

AnyRunConfig: TypeAlias = RunConfig | GenerationConfig


def read_run(path: Path, overrides: Iterable[str] = ()) -> AnyRunConfig:
    """Read the settings of a run, whatever it trains.

    Raises
    ------
    InputError
        If the file cannot be read or is no YAML.
    UsageError
        With everything that is wrong.
    """
    return check_run(read_content(path, overrides), str(path))


def check_run(content: Mapping[str, Any], source: str) -> AnyRunConfig:
    """Turn plain values into the settings of a run.

    Raises
    ------
    UsageError
        With everything that is wrong.
    """
    model = content.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    if kind is not None and kind not in [*REGRESSORS, *GENERATORS]:  # a list: what files say may be no hashable value
        msg = (
            f"{source}: model.kind: {kind!r} is none of {', '.join(REGRESSORS)} (regressors), "
            f"{', '.join(GENERATORS)} (generators)"
        )
        raise UsageError(msg)
    if kind in GENERATORS:
        return check_config(GenerationConfig, content, source)
    return check_config(RunConfig, content, source)
