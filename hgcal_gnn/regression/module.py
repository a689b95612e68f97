"""The training of a regressor as Lightning sees it: steps, loss, optimiser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytorch_lightning as lightning
import torch
from torch import Tensor

from hgcal_gnn.errors import TrainingError

if TYPE_CHECKING:
    from hgcal_gnn.regression.batch import ShowerBatch
    from hgcal_gnn.regression.losses import LossParts, RegressionLoss
    from hgcal_gnn.regression.regressor import Regressor


class NotFiniteError(TrainingError):
    """A loss or a gradient that is NaN or infinite.

    Attributes
    ----------
    what
        "loss" or "gradient".
    batch
        Where it happened.
    number
        Of the batch within the epoch.
    stage
        "train" or "val".
    """

    def __init__(self, batch: ShowerBatch, number: int, *, what: str = "loss", stage: str = "train") -> None:
        super().__init__(f"the {what} is not finite")
        self.what = what
        self.stage = stage
        self.batch = batch
        self.number = number


@dataclass(frozen=True)
class Optimiser:
    """AdamW (arXiv:1711.05101); without weight decay it is Adam (arXiv:1412.6980)."""

    learning_rate: float
    weight_decay: float = 0.0


class RegressionModule(lightning.LightningModule):
    """Trains a regressor.

    Parameters
    ----------
    regressor
    loss
    optimiser
    dtype
        Of the inputs.
    scaled
        Gradients are scaled (16-bit floats) and may overflow, which the scaler deals with.
    """

    def __init__(
        self,
        regressor: Regressor,
        loss: RegressionLoss,
        optimiser: Optimiser,
        *,
        dtype: torch.dtype = torch.float32,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        self.regressor = regressor
        self.loss = loss
        self.optimiser = optimiser
        self._dtype_of_inputs = dtype
        self._scaled = scaled
        self._latest: tuple[ShowerBatch, int] | None = None
        self._sums: dict[str, dict[str, float]] = {}

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:  # noqa: ARG002
        """Bring a batch to the device."""
        return batch.to(device=device, dtype=self._dtype_of_inputs)

    def training_step(self, batch: ShowerBatch, batch_idx: int) -> Tensor:
        """Return the loss of a batch.

        Raises
        ------
        NotFiniteError
            If it is NaN or infinite.
        """
        parts = self._measure("train", batch, batch_idx)
        self._latest = (batch, batch_idx)
        return parts.total

    def validation_step(self, batch: ShowerBatch, batch_idx: int) -> None:
        """Measure the loss of a batch."""
        self._measure("val", batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        """Log means over the showers of the epoch, those of other processes included: train/loss, val/loss, terms."""
        for stage, sums in self._sums.items():
            total = torch.tensor(list(sums.values()), device=self.device)
            *values, n_showers = self.trainer.strategy.reduce(total, reduce_op="sum").tolist()
            means = {f"{stage}/{name}": value / n_showers for name, value in zip(sums, values, strict=False)}
            self.log_dict(means)
        self._sums = {}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:  # noqa: ARG002
        """Stop before a gradient that is not finite spoils the weights."""
        if self._scaled or self._latest is None:
            return
        gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
        if not torch.isfinite(torch.nn.utils.get_total_norm(gradients)):
            raise NotFiniteError(*self._latest, what="gradient")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser; the learning rate is set before every step (`training.schedule`)."""
        chosen = self.optimiser
        return torch.optim.AdamW(self.parameters(), lr=chosen.learning_rate, weight_decay=chosen.weight_decay)

    def _measure(self, stage: str, batch: ShowerBatch, number: int) -> LossParts:
        """Return the loss of a batch and add it to the sums over the epoch, with its terms if there are several."""
        parts = self.loss(self.regressor(batch), batch.target)
        values = torch.stack([parts.total, *parts.terms.values()]).tolist()  # one look at the device
        if not math.isfinite(values[0]):
            raise NotFiniteError(batch, number, stage=stage)
        names = ["loss", *(parts.terms if len(parts.terms) > 1 else ())]
        sums = self._sums.setdefault(stage, dict.fromkeys([*names, "showers"], 0.0))
        for name, value in zip(names, values, strict=False):
            sums[name] += value * len(batch)
        sums["showers"] += len(batch)
        return parts
