"""What every batch of training showers can do, whatever the showers are made into: images or hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import torch
    from torch import Tensor

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers

Made = TypeVar("Made")
MadeBatch = TypeVar("MadeBatch", bound="Batch")


class Batch(Protocol):
    """Training showers as a model sees them: `ImageBatch` or `HitBatch`."""

    @property
    def condition(self) -> Condition:
        """The incident particles."""

    def __len__(self) -> int:
        """Return the number of showers."""

    def to(self, device: torch.device) -> Self:
        """Return the same on a device."""

    def tensors(self) -> Mapping[str, Tensor]:
        """Return all tensors by name, to be kept in a file."""


class Maker(Protocol[MadeBatch]):
    """Makes batches of showers, for `BatchLoader`: `ImageMaker` or `HitMaker`."""

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry."""

    def __call__(self, showers: Showers) -> Ready[MadeBatch]:
        """Make the batch."""


class Ready(NamedTuple, Generic[Made]):
    """A batch that is made of tensors already, as `BatchLoader` expects what makers make."""

    batch: Made

    def to_torch(self) -> Made:
        """Return the batch."""
        return self.batch
