"""One training module for all generators: the players of a stage take turns."""

from __future__ import annotations

import math
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytorch_lightning as lightning
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from hgcal_gnn.generation.batch import Batch
    from hgcal_gnn.generation.model import GeneratorModel
    from hgcal_gnn.generation.players import Player, Stage


class NotFiniteLossError(Exception):
    """A loss is NaN or infinite.

    Attributes
    ----------
    player
    batch
        At which it happened.
    """

    def __init__(self, player: str, batch: Batch) -> None:
        super().__init__(player)
        self.player = player
        self.batch = batch


class AdversarialModule(lightning.LightningModule):
    """Trains a model, stage by stage, player by player.

    Parameters
    ----------
    model
    stages
        Of the model.
    averaging
        Decay of the average of the generating weights per step of the generator (arXiv:1806.04498); 0: none.
    historical
        Weight of historical averaging, the squared distance of weights to their mean over the training (arXiv:
        1606.03498, section 3.3); 0: none.

    Attributes
    ----------
    iteration : int64 []
        Batches of all stages so far.
    """

    iteration: Tensor

    def __init__(
        self, model: GeneratorModel, stages: Sequence[Stage], *, averaging: float = 0.0, historical: float = 0.0
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.stages = tuple(stages)
        self.historical = historical
        self.average: AveragedModel | None = None
        if averaging:
            average = get_ema_multi_avg_fn(averaging)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(model.generating, multi_avg_fn=average, use_buffers=True)
        self.register_buffer("iteration", torch.zeros((), dtype=torch.int64))
        self._history: dict[str, Any] = {}
        self._players = tuple(chain.from_iterable(stage.players for stage in self.stages))

    def stage_at(self, iteration: int) -> tuple[Stage, int]:
        """Return the stage of an iteration, counted from 0, and the iteration within the stage."""
        for stage in self.stages:
            if iteration < stage.iterations:
                return stage, iteration
            iteration -= stage.iterations
        last = self.stages[-1]
        return last, last.iterations

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make an optimiser for each player of each stage."""
        return [player.optimiser.make(list(player.trains.parameters())) for player in self._players]

    def training_step(self, batch: Batch, _: int) -> None:
        """Let the players take their turns."""
        stage, iteration = self.stage_at(int(self.iteration))
        first = self._players.index(stage.players[0])
        found: Any = self.optimizers()
        optimisers: list[Any] = found if isinstance(found, list) else [found]
        for number, player in enumerate(stage.players, start=first):
            if player.acts(iteration):
                for group in optimisers[number].param_groups:
                    group["lr"] = player.optimiser.rate(iteration, player.until or stage.iterations)
                for _turn in range(player.turns):
                    self._step(player, optimisers[number], batch)
        self.iteration += 1

    def _step(self, player: Player, optimiser: Any, batch: Batch) -> None:
        """Take one step of a player; the weights of all others stay as they are and gather no gradients."""
        mine = set(map(id, player.trains.parameters()))
        for weight in self.model.parameters():
            weight.requires_grad_(id(weight) in mine)
        losses = dict(player.losses(batch))
        loss = losses.pop("loss")
        if self.historical:
            loss = loss + self.historical * self._distance_to_history(player)
        if not torch.isfinite(loss):
            raise NotFiniteLossError(player.name, batch)
        optimiser.zero_grad(set_to_none=True)
        self.manual_backward(loss)
        if player.clip:
            self.clip_gradients(optimiser, gradient_clip_val=player.clip, gradient_clip_algorithm="norm")
        if player.clip and not self._has_finite_gradients(player):
            return  # clipping would spread it to all weights; the next batch is another one
        optimiser.step()
        shown = {f"train/{player.name}": loss.detach(), **{f"train/{k}": v.detach() for k, v in losses.items()}}
        self.log_dict(shown, on_step=False, on_epoch=True, batch_size=len(batch))
        if self.average is not None and self._generates(player):
            self.average.update_parameters(self.model.generating)

    @staticmethod
    def _has_finite_gradients(player: Player) -> bool:
        gradients = [weight.grad for weight in player.trains.parameters() if weight.grad is not None]
        return bool(torch.isfinite(torch.nn.utils.get_total_norm(gradients)))

    def _generates(self, player: Player) -> bool:
        """Say whether a player trains weights that `generate` uses."""
        generating = set(map(id, self.model.generating.parameters()))
        return any(id(weight) in generating for weight in player.trains.parameters())

    def _distance_to_history(self, player: Player) -> Tensor:
        """Return the squared distance of weights to their mean so far, and take them into the mean."""
        n, means = self._history.get(
            player.name, (0, [weight.detach().clone() for weight in player.trains.parameters()])
        )
        distance = torch.stack([
            (weight - mean).square().sum() for weight, mean in zip(player.trains.parameters(), means, strict=True)
        ]).sum()  # fmt: skip
        with torch.no_grad():
            for weight, mean in zip(player.trains.parameters(), means, strict=True):
                mean.lerp_(weight.detach(), 1 / (n + 1))
        self._history[player.name] = (n + 1, means)
        return distance

    @contextmanager
    def averaged(self) -> Iterator[GeneratorModel]:
        """Use the averaged weights (if there are any) and evaluation mode for a while."""
        generating = self.model.generating
        was_training = self.model.training
        own = {name: values.detach().clone() for name, values in generating.state_dict().items()}
        try:
            if self.average is not None and int(self.average.n_averaged):
                generating.load_state_dict(self.average.module.state_dict())
            self.model.eval()
            with torch.no_grad():
                yield self.model
        finally:
            generating.load_state_dict(own)
            self.model.train(was_training)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, _: int) -> Batch:
        """Move a batch."""
        return batch.to(device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the means of historical averaging."""
        checkpoint["history"] = self._history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with them."""
        self._history = checkpoint.get("history", {})


def n_weights(module: nn.Module) -> int:
    """Count trainable numbers."""
    return sum(math.prod(weight.shape) for weight in module.parameters())
