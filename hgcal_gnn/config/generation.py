"""Settings of the training of generators."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic import model_validator as validates

from hgcal_gnn.config.base import Settings
from hgcal_gnn.config.data import DataConfig
from hgcal_gnn.config.train import Precision
from hgcal_gnn.generation.graph.base import GraphModelConfig
from hgcal_gnn.generation.models import AnyGeneratorConfig, kind_of


class WindowGridConfig(Settings):
    """A regular window of an irregular detector, around a fixed line of flight."""

    eta: float = Field(2.0, description="of the line from the origin that the window follows")
    phi: float = Field(0.0, description="of the same [rad]")
    shape: tuple[PositiveInt, PositiveInt] = Field((16, 16), description="voxels across, in both directions")
    pitch: PositiveFloat | None = Field(None, description="of a voxel [cm]; default: root of the mean area of a cell")
    layers: tuple[PositiveInt, PositiveInt] | None = Field(None, description="first and last layer; default: all")


class GenerationDataConfig(DataConfig):
    """Detector, samples, and the voxels of detectors that are no regular arrays."""

    grid: WindowGridConfig | None = Field(None, description="window of an irregular detector")
    by_layer: bool = Field(default=False, description="one array of voxels for each layer, as calogan needs them")


class GenerationTrainConfig(Settings):
    """How a generator is trained."""

    iterations: PositiveInt = Field(10_000, description="batches of the main stage")
    batch_size: PositiveInt = Field(64, description="showers per batch, on all devices together")
    check_every: PositiveInt = Field(500, description="iterations from one check on the validation sample to the next")
    check_showers: PositiveInt = Field(1000, description="showers generated for a check, at most")
    select: Literal["separation", "total_energy_chi2", "last"] = Field(
        "separation", description="which weights are kept: of the smallest mean separation power, chi2, or the last"
    )
    averaging: float = Field(0.0, ge=0, lt=1, description="decay of the average of the generator's weights; 0: none")
    historical_averaging: NonNegativeFloat = Field(0.0, description="weight of the distance to mean weights")
    pictures: NonNegativeInt = Field(1, description="checks from one picture of samples to the next; 0: none")
    collapse_patience: PositiveInt = Field(10, description="checks without any life in the showers before it stops")
    precision: Precision = Field("32", description="of the numbers")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where to train")
    devices: PositiveInt = Field(1, description="how many of them per node; several processes on a CPU")
    nodes: PositiveInt = Field(1, description="machines, started with torchrun")


class GenerationConfig(Settings):
    """A generator: data, model, training."""

    seed: NonNegativeInt = Field(0, description="of weights, order of showers and noise")
    data: GenerationDataConfig
    model: AnyGeneratorConfig = Field(description="one of the models: its kind says which")
    train: GenerationTrainConfig = Field(default_factory=lambda: GenerationTrainConfig.model_validate({}))

    @validates(mode="after")
    def _fits_together(self) -> GenerationConfig:
        train = self.train
        if train.batch_size % (train.devices * train.nodes):
            msg = f"train.batch_size {train.batch_size} must be a multiple of the {train.devices * train.nodes} devices"
            raise ValueError(msg)
        laid = [name for name in ("grid", "by_layer") if getattr(self.data, name)]
        if laid and isinstance(self.model, GraphModelConfig):
            msg = (
                f"data.{laid[0]} lays voxels, and {kind_of(self.model)} generates hits in any cell of the detector: "
                "leave it out"
            )
            raise ValueError(msg)
        return self
