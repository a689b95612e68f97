"""What every transform of numbers can do: fit, forward, inverse, and describe itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from hgcal_gnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

TRANSFORMS: dict[str, type[Transform]] = {}  # by the name that configurations use
Kind = TypeVar("Kind", bound="type[Transform]")


class Transform(nn.Module, ABC):
    """A function of arrays whose first axis counts showers or hits, and its exact inverse.

    Fitted numbers are buffers in double precision: they travel with the model's state and device. Values keep their
    type. What depends on the shower takes `incident_energy` [n] in GeV, one per entry of the first axis (for hits:
    ``batch.incident_energy[batch.batch]``).
    """

    kind: ClassVar[str]
    needs_fit: ClassVar[bool] = False
    fitted: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fitted", torch.tensor(not self.needs_fit))

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {}

    def config(self) -> dict[str, Any]:
        """Return name and settings, from which `transform_files.from_config` builds the transform again."""
        return {"kind": self.kind, **self.settings()}

    def fit(self, values: Tensor, incident_energy: Tensor | None = None) -> Self:
        """Fit to arrays; give those of the training split only."""
        return self.fit_stream(lambda: [(values, incident_energy)])

    def fit_stream(self, batches: Callable[[], Iterable[tuple[Tensor, Tensor | None]]]) -> Self:
        """Fit to data that do not fit into memory.

        Parameters
        ----------
        batches
            Called for every pass over the training split; gives values and incident energies.
        """
        if self.needs_fit:
            self.start()
            for values, incident_energy in batches():
                self.update(values, incident_energy)
            self.finish()
            self.fitted.fill_(True)
        return self

    def start(self) -> None:
        """Forget what was fitted."""

    def update(self, values: Tensor, incident_energy: Tensor | None) -> None:
        """Take in one batch."""

    def finish(self) -> None:
        """Turn what was taken in into the fitted numbers."""

    @abstractmethod
    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Transform.

        Raises
        ------
        InputError
            If values lie where the transform is not defined.
        UsageError
            If it was not fitted, or needs the incident energy.
        """

    @abstractmethod
    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Undo `forward`."""

    def check_fitted(self) -> None:
        """Refuse to work with numbers nobody fitted."""
        if not bool(self.fitted):
            msg = f"the transform {self.kind} was not fitted; call fit with the training split first"
            raise UsageError(msg)

    def check_defined(self, good: Tensor, condition: str, values: Tensor) -> None:
        """Refuse values that are not `good`."""
        n_bad = int(good.numel() - good.count_nonzero())
        if n_bad:
            example = float(values[~good].flatten()[0])
            msg = f"the transform {self.kind} needs values {condition}; {n_bad} are not, for instance {example}"
            raise InputError(msg)

    def per_entry(self, incident_energy: Tensor | None, values: Tensor) -> Tensor:
        """Return incident energies [n] in the type of the values and with as many axes."""
        if incident_energy is None or incident_energy.shape != values.shape[:1]:
            given = "none" if incident_energy is None else f"shape {list(incident_energy.shape)}"
            msg = f"the transform {self.kind} needs an incident energy per entry, [{len(values)}]; got {given}"
            raise UsageError(msg)
        return incident_energy.to(values).reshape(-1, *[1] * (values.ndim - 1))


def register(kind: Kind) -> Kind:
    """Make a transform known to configurations under its `kind`."""
    if kind.kind in TRANSFORMS:
        msg = f"two transforms are called {kind.kind}"
        raise ValueError(msg)
    TRANSFORMS[kind.kind] = kind
    return kind
