"""What all regressors share: how they are configured, what they want to see, what they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor, nn

from hgcal_gnn.errors import UsageError
from hgcal_gnn.regression.inputs import Edges, InputNeeds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.regression.batch import HitBatch, ShowerBatch

Target = Literal["energy", "eta", "phi"]


class ModelConfig(BaseModel):
    """Settings of a model; each model adds its own and fixes `kind`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variables: tuple[str, ...] = Field((), description="high-level variables the model sees")

    def needs(self) -> InputNeeds:
        """Return what the model wants to see."""
        return InputNeeds(variables=self.variables)


class NetworkConfig(ModelConfig):
    """Settings all networks share."""

    targets: tuple[Target, ...] = Field(("energy",), description="what is predicted, energy first")
    output: Literal["ratio", "absolute"] = Field(
        "ratio", description="the network gives ln(energy / reconstructed), or energy / mean energy of the training"
    )
    uncertainty: bool = Field(default=False, description="also predict the logarithm of the relative uncertainty")

    @property
    def n_outputs(self) -> int:
        """Numbers per shower: one per target, one more with uncertainty."""
        return len(self.targets) + self.uncertainty

    def needs(self) -> InputNeeds:
        """Return what the model wants to see."""
        return InputNeeds(targets=self.targets, variables=self.variables)


class GraphNetworkConfig(NetworkConfig):
    """Settings of networks on the hits."""

    features: tuple[str, ...] = Field(min_length=1, description="hit features, see batching.hit_features.FEATURES")
    edges: Edges = Field("cells", description="edges of the cell graph, nearest hits, or none")
    neighbours: PositiveInt = Field(8, description="nearest hits, for edges: knn")

    def needs(self) -> InputNeeds:
        """Return what the model wants to see."""
        return InputNeeds(
            targets=self.targets,
            variables=self.variables,
            features=self.features,
            edges=self.edges,
            neighbours=self.neighbours,
        )


@dataclass(frozen=True)
class Sizes:
    """What the data decide about a network.

    Attributes
    ----------
    n_features, n_variables
        Columns of `HitBatch.x` and `ShowerBatch.variables`.
    voxels
        Shapes of `ShowerBatch.voxels`.
    """

    n_features: int = 0
    n_variables: int = 0
    voxels: Mapping[str, tuple[int, ...]] | None = None


class Network(nn.Module):
    """A network that sees a `ShowerBatch`.

    Subclasses are constructed with their config and `Sizes`.
    """

    config_class: ClassVar[type[NetworkConfig]]

    def forward(self, batch: ShowerBatch) -> Tensor:
        """Return [n_showers, n_outputs]: a number per target (see `NetworkConfig.output`), then ln(sigma)."""
        raise NotImplementedError


def hits_of(batch: ShowerBatch) -> HitBatch:
    """Return the hits of a batch made for a network on hits.

    Raises
    ------
    UsageError
        If the batch was made without (`InputNeeds.features`).
    """
    if batch.hits is None:
        msg = "the batch holds no hits: its inputs were made without hit features"
        raise UsageError(msg)
    return batch.hits
