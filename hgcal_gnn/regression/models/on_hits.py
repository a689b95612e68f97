"""What the networks on hits have in common: hits enter, some layers, hits are weighed."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from hgcal_gnn.nn.dense import dense
from hgcal_gnn.nn.readout import WeighedHits
from hgcal_gnn.regression.models.base import GraphNetworkConfig, Network, Sizes, hits_of

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.regression.batch import HitBatch, ShowerBatch

FEATURES = (
    "log_mips", "log_energy", "share", "across_1", "across_2", "distance", "depth", "from_mean", "silicon", "mip",
)  # fmt: skip


class HitNetworkConfig(GraphNetworkConfig):
    """Settings of networks that weigh the hits."""

    output: Literal["ratio"] = Field("ratio", description="always ln(energy / reconstructed): hits are weighed")
    features: tuple[str, ...] = Field(FEATURES, min_length=1, description="hit features, see batching.hit_features")
    hidden: PositiveInt = Field(64, description="numbers per hit")
    n_layers: PositiveInt = Field(3, description="layers on the graph")


class HitNetwork(Network):
    """A network that gives every hit a state, from its features and its neighbours, and reads out all of them.

    Subclasses say what happens to the states in `_through`.
    """

    def __init__(self, config: HitNetworkConfig, sizes: Sizes, *, n_read: int | None = None) -> None:
        super().__init__()
        self.enter = dense(sizes.n_features, config.hidden, config.hidden)
        self.readout = WeighedHits(n_read or config.hidden, sizes.n_variables, config.n_outputs, hidden=config.hidden)

    def forward(self, batch: ShowerBatch) -> Tensor:
        """Return [n_showers, n_outputs], see `Network`."""
        hits = hits_of(batch)
        x = self._through(self.enter(hits.x), hits)
        out: Tensor = self.readout(x, hits.energy, hits.ptr, batch.reference[:, 0], batch.variables)
        return out

    @abstractmethod
    def _through(self, x: Tensor, hits: HitBatch) -> Tensor:
        """Take the states [n_hits, hidden] through the layers."""
