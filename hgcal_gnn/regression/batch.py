"""What a regressor sees of some showers."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.arrays import F32, F64
    from hgcal_gnn.nn.adjacency import Adjacency


@dataclass(frozen=True, eq=False)
class HitBatch:
    """The hits of all showers of a batch, one shower after the other.

    Attributes
    ----------
    x : float32 [n_hits, n_features]
        Features (`hit_features.FEATURES`), of order 1.
    energy : float32 [n_hits]
        Calibrated energy [GeV]; sums to `reconstructed`.
    position : float32 [n_hits, 3]
        From the shower axis: across (two), along the depth; in units of 10 cm.
    adjacency : Adjacency
    ptr : int64 [n_showers + 1]
        First hit of each shower.
    """

    x: Tensor
    energy: Tensor
    position: Tensor
    adjacency: Adjacency
    ptr: Tensor


@dataclass(frozen=True, eq=False)
class ShowerBatch:
    """Some showers as tensors.

    Attributes
    ----------
    target : float32 [n_showers, n_targets]
        Truth: energy [GeV], then what else is asked for (eta, phi [rad]); NaN where unknown.
    reference : float32 [n_showers, n_targets]
        Plain reconstruction of the same quantities: `reconstructed` [GeV], energy-weighted eta, phi.
    variables : float32 [n_showers, n_variables]
        High-level variables, in their own units (networks standardise them).
    hits : HitBatch or None
    voxels : mapping of section to float32 [n_showers, *shape], or None
    """

    target: Tensor
    reference: Tensor
    variables: Tensor
    hits: HitBatch | None = None
    voxels: Mapping[str, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.target)

    def to(self, *args: Any, **options: Any) -> ShowerBatch:
        """Return a copy on another device or in another precision, as `Tensor.to`; integers stay integers."""

        def moved(part: Any) -> Any:
            if isinstance(part, HitBatch):
                return replace(part, **{item.name: moved(getattr(part, item.name)) for item in fields(part)})
            if isinstance(part, dict):
                return {name: moved(value) for name, value in part.items()}
            if part is None or (isinstance(part, Tensor) and part.is_floating_point()):
                return part if part is None else part.to(*args, **options)
            return part.to(*without_types, **devices_only)

        without_types = tuple(value for value in args if not isinstance(value, torch.dtype))
        devices_only = {name: value for name, value in options.items() if name != "dtype"}

        return replace(self, **{item.name: moved(getattr(self, item.name)) for item in fields(self)})

    def to_torch(self) -> ShowerBatch:
        """Return the batch itself: it holds tensors already (what `BatchLoader` asks for)."""
        return self

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors under the names "target", "hits.x", "hits.adjacency.col", "voxels.ECAL", ..."""
        found: dict[str, Tensor] = {}

        def collect(prefix: str, part: Any) -> None:
            if isinstance(part, Tensor):
                found[prefix] = part
            elif isinstance(part, dict):
                for name, value in part.items():
                    collect(f"{prefix}.{name}", value)
            elif part is not None:
                for item in fields(part):
                    collect(f"{prefix}.{item.name}" if prefix else item.name, getattr(part, item.name))

        collect("", self)
        return found


@dataclass(frozen=True, eq=False)
class Estimates:
    """What a regressor says of some showers.

    Attributes
    ----------
    energy : float32 [n_showers]
        [GeV]
    eta, phi : float32 [n_showers] or None
    sigma : float32 [n_showers] or None
        Predicted relative uncertainty of the energy.
    """

    energy: F32
    eta: F32 | None = None
    phi: F32 | None = None
    sigma: F32 | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """The variables of many showers at once, what baselines are fitted to.

    Attributes
    ----------
    names : tuple of str
    variables : float64 [n_showers, n_variables]
    energy : float64 [n_showers]
        Truth [GeV].
    """

    names: tuple[str, ...]
    variables: F64
    energy: F64

    def column(self, name: str) -> F64:
        """Return one variable of all showers, float64 [n_showers]."""
        column: F64 = self.variables[:, self.names.index(name)]
        return column
