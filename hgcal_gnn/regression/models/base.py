"""What all regressors share: how they are configured, what they want to see, what they give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator
from torch import Tensor, nn

from hgcal_gnn.batching.hit_features import check_features
from hgcal_gnn.errors import UsageError
from hgcal_gnn.regression.inputs import Edges, InputNeeds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.arrays import F64, Array
    from hgcal_gnn.regression.batch import HitBatch, ShowerBatch, Table

Target = Literal["energy", "eta", "phi"]


class ModelConfig(BaseModel):
    """Settings of a model; each model adds its own and fixes `kind`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

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

    @field_validator("targets")
    @classmethod
    def _energy_first(cls, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        if targets[:1] != ("energy",) or len(set(targets)) < len(targets):
            msg = f"[{', '.join(targets)}]: energy comes first, and nothing twice: [energy], [energy, eta, phi], ..."
            raise ValueError(msg)
        return targets

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

    @field_validator("features")
    @classmethod
    def _exist(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        check_features(features)
        return features

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


class Network(nn.Module, ABC):
    """A network that sees a `ShowerBatch`.

    Subclasses are constructed with their config and `Sizes`.
    """

    config_class: ClassVar[type[NetworkConfig]]

    @abstractmethod
    def forward(self, batch: ShowerBatch) -> Tensor:
        """Return [n_showers, n_outputs]: a number per target (see `NetworkConfig.output`), then ln(sigma)."""


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


class Baseline(ABC):
    """A regressor that is no network: fitted to a table of variables in one go.

    Attributes
    ----------
    config
    names
        Variables it was fitted to, in their order.
    arrays
        What the fit found.
    """

    config_class: ClassVar[type[ModelConfig]]

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.names: tuple[str, ...] = ()
        self.arrays: dict[str, Array] = {}

    def fit(self, table: Table, validation: Table) -> None:
        """Fit to a table with the variables of the config.

        Parameters
        ----------
        validation
            Where the fit may look to stop in time.

        Raises
        ------
        UsageError
            If the table lacks what the model needs.
        """
        self.arrays = self._fitted(table, validation)
        self.names = table.names

    def predict(self, table: Table) -> F64:
        """Return the energy of each shower [GeV], float64 [n_showers].

        Raises
        ------
        UsageError
            If the model was not fitted, or to other variables.
        """
        if table.names != self.names:
            msg = (
                f"the model was fitted to {', '.join(self.names) or 'nothing yet'}, "
                f"the table has {', '.join(table.names)}"
            )
            raise UsageError(msg)
        return self._predicted(table)

    def state(self) -> dict[str, Array]:
        """Return all that was fitted, as arrays that a .safetensors file can hold."""
        names = np.frombuffer("\n".join(self.names).encode(), dtype=np.uint8)
        return {"names": names, **self.arrays}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over what `state` gave."""
        self.arrays = {name: values for name, values in state.items() if name != "names"}
        self.names = tuple(state["names"].tobytes().decode().split("\n"))

    @abstractmethod
    def _fitted(self, table: Table, validation: Table) -> dict[str, Array]:
        """Fit and return what was found."""

    @abstractmethod
    def _predicted(self, table: Table) -> F64:
        """Predict with `arrays`."""
