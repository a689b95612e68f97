"""Settings of the training of networks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from hgcal_gnn.config.base import Settings

Schedule = Literal["constant", "cosine", "plateau"]
LossName = Literal["relative", "log_l1", "log_mse", "huber", "nll"]


def _text(value: Any) -> Any:
    """Read 32 as "32"; YAML takes it for a number."""
    return str(value) if type(value) is int else value


Precision = Annotated[Literal["32", "bf16-mixed", "16-mixed", "64"], BeforeValidator(_text)]


class TargetWeights(Settings):
    """How much each target counts in the loss; angles by the mean square of ten times their error."""

    energy: PositiveFloat = 1.0
    eta: NonNegativeFloat = 1.0
    phi: NonNegativeFloat = 1.0


class TrainConfig(Settings):
    """How a network is trained."""

    epochs: PositiveInt = Field(300, description="passes through the training sample, at most")
    batch_size: PositiveInt = Field(64, description="showers per step, on all devices together")
    learning_rate: PositiveFloat = Field(1e-3, description="largest step size of AdamW")
    weight_decay: NonNegativeFloat = Field(0.0, description="of AdamW")
    schedule: Schedule = Field("constant", description="of the learning rate; cosine falls to 0, plateau halves it")
    warmup: NonNegativeInt = Field(0, description="steps over which the learning rate rises from 0")
    plateau_patience: PositiveInt = Field(5, description="epochs without improvement before plateau halves it")
    patience: NonNegativeInt = Field(0, description="epochs without improvement before stopping early; 0: never")
    loss: LossName = Field("relative", description="of the energy; relative: mean |1 - predicted / true|")
    weights: TargetWeights = Field(default_factory=TargetWeights, description="of the targets in the loss")
    gradient_clip: NonNegativeFloat = Field(0.0, description="largest norm of the gradient; 0: any")
    precision: Precision = Field("32", description="of the numbers")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where to train")
    devices: PositiveInt = Field(1, description="how many of them per node; several processes on a CPU")
    nodes: PositiveInt = Field(1, description="machines, started with torchrun")
    calibrate: bool = Field(default=True, description="divide by the median response of the validation sample")
