"""Transforms one after the other, of some columns only, from configurations and in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from hgcal_gnn.batching import fitted_transforms, layer_shares, transforms  # noqa: F401 (they register their transforms)
from hgcal_gnn.batching.transform_base import TRANSFORMS, Transform, register
from hgcal_gnn.errors import HgcalError, InputError, UsageError
from hgcal_gnn.weights_file import read_weights, write_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from torch import Tensor

KIND = "transforms"


@register
class TransformSequence(Transform):
    """Transforms one after the other; the inverse runs backwards.

    Parameters
    ----------
    steps
        Transforms, or their configurations.
    """

    kind = "sequence"
    needs_fit: ClassVar[bool] = False

    def __init__(self, steps: Sequence[Transform | Mapping[str, Any]]) -> None:
        super().__init__()
        built = [step if isinstance(step, Transform) else from_config(step) for step in steps]
        self.steps = nn.ModuleList(built)

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"steps": [step.config() for step in self._steps()]}

    def fit_stream(self, batches: Callable[[], Iterable[tuple[Tensor, Tensor | None]]]) -> Self:
        """Fit each step to what those before make of the data, with one pass for each that needs it."""
        before: list[Transform] = []
        for step in self._steps():
            step.fit_stream(lambda: ((_applied(before, *batch), batch[1]) for batch in batches()))
            before.append(step)
        return self

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Transform."""
        return _applied(self._steps(), values, incident_energy)

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Undo `forward`."""
        for step in reversed(self._steps()):
            values = step.inverse(values, incident_energy)
        return values

    def _steps(self) -> list[Transform]:
        return [step for step in self.steps if isinstance(step, Transform)]


@register
class OnColumns(Transform):
    """A transform of some columns (last axis); the others stay as they are.

    Parameters
    ----------
    columns
        Numbers of the columns.
    transform
        A transform that keeps the shape, or its configuration.
    """

    kind = "on_columns"

    def __init__(self, columns: Sequence[int], transform: Transform | Mapping[str, Any]) -> None:
        super().__init__()
        self.columns = [int(column) for column in columns]
        self.transform = transform if isinstance(transform, Transform) else from_config(transform)

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"columns": self.columns, "transform": self.transform.config()}

    def fit_stream(self, batches: Callable[[], Iterable[tuple[Tensor, Tensor | None]]]) -> Self:
        """Fit to the columns."""
        self.transform.fit_stream(lambda: ((values[..., self.columns], energy) for values, energy in batches()))
        return self

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Transform."""
        return self._replaced(values, self.transform(values[..., self.columns], incident_energy))

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Undo `forward`."""
        return self._replaced(values, self.transform.inverse(values[..., self.columns], incident_energy))

    def _replaced(self, values: Tensor, columns: Tensor) -> Tensor:
        result = values.clone()
        result[..., self.columns] = columns
        return result


def from_config(config: Mapping[str, Any]) -> Transform:
    """Build a transform from its configuration: ``{"kind": "log", "scale": 0.001}``.

    Raises
    ------
    UsageError
        For unknown kinds and settings, with the known ones.
    """
    settings = dict(config)
    kind = settings.pop("kind", None)
    if kind not in TRANSFORMS:
        msg = f"no transform {kind!r}; there are {', '.join(sorted(TRANSFORMS))}"
        raise UsageError(msg)
    try:
        return TRANSFORMS[kind](**settings)
    except TypeError as error:
        msg = f"the transform {kind} cannot be made with {settings}: {error}"
        raise UsageError(msg) from error


def save_transform(transform: Transform, path: Path, *, overwrite: bool = False) -> None:
    """Write configuration and fitted numbers as one .safetensors file, for instance into the folder of a model.

    Raises
    ------
    OutputError
        If the file exists (without `overwrite`) or cannot be written.
    """
    arrays = {name: values.numpy(force=True) for name, values in transform.state_dict().items()}
    write_weights(path, KIND, arrays, {"config": transform.config()}, overwrite=overwrite)


def load_transform(path: Path) -> Transform:
    """Read a transform that `save_transform` wrote.

    Raises
    ------
    InputError
        If the file is missing, damaged, no transform or of a newer format.
    """
    arrays, about = read_weights(path, KIND)
    try:
        transform = from_config(about.get("config", {}))
        transform.load_state_dict({name: torch.from_numpy(values) for name, values in arrays.items()})
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, HgcalError):
            raise
        msg = f"{path}: the fitted numbers do not belong to the transforms ({error}); write it again"
        raise InputError(msg) from error
    return transform


def _applied(steps: Sequence[Transform], values: Tensor, incident_energy: Tensor | None) -> Tensor:
    for step in steps:
        values = step(values, incident_energy)
    return values
