"""Settings of critics on graphs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt


class CriticSettings(BaseModel):
    """What all critics have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    hidden: PositiveInt = Field(64, description="numbers per hit, and per shower")
    n_layers: PositiveInt = Field(3, description="layers between the hits and the pooling")
    regularisation: Literal["gradient_penalty", "spectral_norm"] = Field(
        "gradient_penalty",
        description="gradient_penalty: Wasserstein loss; spectral_norm: of all linear layers, hinge loss",
    )
    gradient_penalty: PositiveFloat = Field(10.0, description="lambda")
    penalty_space: Literal["log", "linear"] = Field(
        "log", description="energies between real and generated ones, and slopes: of ln(1 + E / MIP), or of E / MIP"
    )
    feature_matching: NonNegativeFloat = Field(0.1, description="weight in the generator's loss; 0: off")


class GcnCriticConfig(CriticSettings):
    """Graph convolutions."""

    kind: Literal["gcn"] = "gcn"


class MessagePassingCriticConfig(CriticSettings):
    """Messages between neighbouring hits."""

    kind: Literal["message_passing"] = "message_passing"
    message: PositiveInt = Field(32, description="numbers per message")
    reduce: Literal["sum", "mean"] = Field("mean", description="how the messages of the neighbours are joined")


class DeepSetsCriticConfig(CriticSettings):
    """Hits and the mean of all hits, no edges."""

    kind: Literal["deep_sets"] = "deep_sets"


GraphCriticConfig = Annotated[
    GcnCriticConfig | MessagePassingCriticConfig | DeepSetsCriticConfig, Field(discriminator="kind")
]
