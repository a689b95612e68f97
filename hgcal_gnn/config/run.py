"""Everything a training run is told."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt
from pydantic import model_validator as validates

from hgcal_gnn.config.base import Settings
from hgcal_gnn.config.data import DataConfig
from hgcal_gnn.config.train import TrainConfig
from hgcal_gnn.regression.models import AnyModelConfig
from hgcal_gnn.regression.models.base import NetworkConfig

LOGARITHMIC = ("log_l1", "log_mse")  # losses that need predictions above 0


class RunConfig(Settings):
    """A regression: data, model, training."""

    seed: NonNegativeInt = Field(0, description="of weights, order of showers and dropout")
    data: DataConfig
    model: AnyModelConfig
    train: TrainConfig = Field(default_factory=lambda: TrainConfig.model_validate({}))

    @validates(mode="after")
    def _fits_together(self) -> RunConfig:
        model, train = self.model, self.train
        if not isinstance(model, NetworkConfig):
            return self
        if model.uncertainty != (train.loss == "nll"):
            msg = (
                "train.loss nll and model.uncertainty true go together (now train.loss is "
                f"{train.loss}, model.uncertainty {str(model.uncertainty).lower()})"
            )
            raise ValueError(msg)
        if model.output == "absolute" and train.loss in LOGARITHMIC:
            msg = f"train.loss {train.loss} needs energies above 0, which model.output absolute does not promise"
            raise ValueError(msg)
        if train.batch_size % (train.devices * train.nodes):
            msg = f"train.batch_size {train.batch_size} must be a multiple of the {train.devices * train.nodes} devices"
            raise ValueError(msg)
        return self
