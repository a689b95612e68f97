"""A study: several methods on the same showers, each with several seeds, in one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field, NonNegativeInt, field_validator

from hgcal_gnn.config.any_run import AnyRunConfig, check_run
from hgcal_gnn.config.base import Settings
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.config.read import change_content, check_config, read_content
from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.models import MODELS, kind_of, stepping_kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def _different(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(numbers)) < len(numbers):
        msg = f"[{', '.join(map(str, numbers))}]: a number stands there twice"
        raise ValueError(msg)
    return numbers


Seeds = Annotated[tuple[NonNegativeInt, ...], Field(min_length=1), AfterValidator(_different)]
Steps = Annotated[tuple[NonNegativeInt, ...], AfterValidator(_different)]
GEOMETRY = {"detector", "graph", "window", "material", "empty"}  # settings of data that every test sample depends on
SPLIT = {"train", "test_fraction", "split_seed"}  # and one that is a share of the training sample


class MethodConfig(Settings):
    """A method: its model, and what differs from the common settings."""

    model: dict[str, Any]
    train: dict[str, Any] = Field(default_factory=dict, description="changes of the common train settings")
    data: dict[str, Any] = Field(default_factory=dict, description="changes of the common data settings")
    seeds: Seeds | None = Field(None, description="instead of the common seeds")
    steps: Steps = Field(
        (),
        description="of the sampling: one sample of showers for each, 0: a single evaluation; default: as in its model",
    )


class StudyConfig(Settings):
    """What all methods have in common, and the methods."""

    base: Path | None = Field(None, description="another study beside this one: what is not given here is as there")
    title: str
    seeds: Seeds = Field((0,), description="each method is trained once per seed")
    data: dict[str, Any]
    train: dict[str, Any] = Field(default_factory=dict)
    methods: dict[str, MethodConfig] = Field(min_length=1, description="the first one is what others are compared to")
    regressor: Path | None = Field(
        None, description="run folder of an energy regressor that looks at generated showers"
    )

    @field_validator("methods")
    @classmethod
    def _names_files(cls, methods: dict[str, MethodConfig]) -> dict[str, MethodConfig]:
        odd = [name for name in methods if not name.replace("_", "").isalnum()]
        if odd:
            msg = f"{', '.join(odd)}: methods name folders, use letters, digits and _"
            raise ValueError(msg)
        return methods


class StudyRun(NamedTuple):
    """One training of a study.

    Attributes
    ----------
    method
        Its name in the study.
    name
        Of its folder: the method and the seed.
    config
    steps
        With which a generator is sampled; empty: as in its settings.
    """

    method: str
    name: str
    config: AnyRunConfig
    steps: tuple[int, ...] = ()


def read_study(path: Path, overrides: Iterable[str] = ()) -> tuple[StudyConfig, list[StudyRun]]:
    """Read a study and check the settings of every run.

    Raises
    ------
    InputError
        If the file cannot be read or is no YAML.
    UsageError
        With everything that is wrong, and in which method; if methods could not be compared.
    """
    study = check_config(StudyConfig, change_content(_with_base(path), overrides), str(path))
    runs = []
    for name, method in study.methods.items():
        common = {"data": _merged(study.data, method.data), "train": _merged(study.train, method.train)}
        for seed in method.seeds or study.seeds:
            content = {"seed": seed, "model": method.model, **common}
            config = check_run(content, f"{path}, method {name}")
            runs.append(StudyRun(name, f"{name}-{seed}", config, method.steps))
    _check_comparable(runs, str(path))
    _check_sampling(study, runs, str(path))
    return study, runs


def _with_base(path: Path) -> dict[str, Any]:
    """Read a study, and what it leaves to another one: whole settings, such as `data` or `methods`."""
    content = read_content(path)
    if content.get("base") is None:
        return content
    base = path.parent / str(content["base"])
    common = read_content(base)
    if common.get("base") is not None:
        msg = f"{path}: base: {base} has a base of its own ({common['base']}); give that one"
        raise UsageError(msg)
    return common | content


def _check_sampling(study: StudyConfig, runs: list[StudyRun], source: str) -> None:
    """Refuse steps and a regressor for what has no use for them."""
    for run in runs:
        model = run.config.model if isinstance(run.config, GenerationConfig) else None
        if study.regressor is not None and model is None:
            msg = f"{source}: regressor: looks at the showers of generators, {run.method} is none; leave it out"
            raise UsageError(msg)
        if run.steps and (model is None or not MODELS[kind_of(model)].has_steps):
            msg = (
                f"{source}, method {run.method}: steps: it does not sample in steps; kinds of models that do: "
                f"{', '.join(stepping_kinds()) or 'none'}"
            )
            raise UsageError(msg)


def _check_comparable(runs: list[StudyRun], source: str) -> None:
    """Refuse now what would be refused when all is trained and compared."""
    first_of: dict[str, str] = {}
    for run in runs:
        settings = run.config.model_dump_json(exclude={"train": {"device", "devices", "nodes"}})
        method = first_of.setdefault(settings, run.method)
        if method != run.method:
            msg = f"{source}: the methods {method} and {run.method} have the same settings; leave one of them out"
            raise UsageError(msg)
        if type(run.config) is not type(runs[0].config):
            msg = (
                f"{source}: of the methods {runs[0].method} and {run.method} one is a generator and one a regressor; "
                "compare them in studies of their own"
            )
            raise UsageError(msg)
        if _tested_on(run.config) != _tested_on(runs[0].config):
            msg = (
                f"{source}: the methods {runs[0].method} and {run.method} would be tested on different showers and "
                "could not be compared; give a data.test, and the geometry, that all methods share"
            )
            raise UsageError(msg)


def _tested_on(config: AnyRunConfig) -> dict[str, Any]:
    """Return the settings that decide about the test sample."""
    chosen = {"test"} if config.data.test is not None else SPLIT
    return config.data.model_dump(include=GEOMETRY | chosen)


def _merged(common: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the common settings with changes, group by group."""
    merged = dict(common)
    for name, value in changes.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
