"""The training of a generator by Lightning: set up, resumed, interrupted, kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pytorch_lightning.strategies import DDPStrategy
from safetensors.torch import load_file, save_file

from hgcal_gnn.errors import TrainingError
from hgcal_gnn.files import atomic_path
from hgcal_gnn.generation.adversarial import AdversarialModule, NotFiniteLossError, n_weights
from hgcal_gnn.training.callbacks import EpochSeed
from hgcal_gnn.training.generation.batches import EndlessBatches
from hgcal_gnn.training.generation.check_log import CheckLog
from hgcal_gnn.training.generation.checks import check_stages
from hgcal_gnn.training.generation.judge import Judge
from hgcal_gnn.training.generation.keeper import StageKeeper
from hgcal_gnn.training.lightning_runs import checkpoint_of, fit, make_trainer
from hgcal_gnn.training.loaders import batches_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytorch_lightning as lightning

    from hgcal_gnn.arrays import Array
    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.generation.batch import Batch, Maker
    from hgcal_gnn.generation.players import Stage
    from hgcal_gnn.generation.weights import TrainedOn
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.training.data import RunData, Sample
    from hgcal_gnn.training.generation.domain import Domain
    from hgcal_gnn.training.run_folder import RunFolder

FITTED_TO = 4096  # showers that scales are taken from
SHOWN = 256  # showers at a time for models that ask for some


@dataclass(frozen=True, eq=False)
class TrainedGenerator:
    """What a training brought.

    Attributes
    ----------
    arrays
        State of the generating part.
    checks
        How many there were.
    seconds
        Earlier parts of a resumed training included.
    stages
        Name, best loss and best check of each.
    n_parameters
        Of the generating part, and of everything.
    device
    """

    arrays: dict[str, Array]
    checks: int
    seconds: float
    stages: list[dict[str, Any]]
    n_parameters: tuple[int, int]
    device: str


def train_generator(
    config: GenerationConfig,
    data: RunData,
    domain: Domain,
    numbers: CellNumbers,
    trained_on: TrainedOn,
    folder: RunFolder,
    picture: Callable[[Showers, Showers, int], None] | None = None,
) -> TrainedGenerator | None:
    """Train the generator of a run; go on from its last checkpoint if there is one.

    Returns
    -------
    TrainedGenerator, or None in all processes but the first.

    Raises
    ------
    TrainingError
        If a loss is not finite (the batch is saved in the run folder) or the generator has collapsed.
    InputError
        If the checkpoint is damaged, or the model cannot learn from the showers.
    UsageError
        If the settings do not fit the showers.
    KeyboardInterrupt
        After Ctrl-C; the state at the last check is kept.
    """
    torch.manual_seed(config.seed)
    checkpoint = checkpoint_of(folder)
    model = domain.build(trained_on)
    maker = domain.maker(trained_on, config.model.threshold)
    if checkpoint is None:
        random = np.random.default_rng(config.seed)
        some = np.sort(random.choice(len(data.train), min(FITTED_TO, len(data.train)), replace=False))
        showers = data.train.store[data.train.rows[some]]
        uncut = domain.maker(trained_on)(showers).to_torch()  # to tell what the threshold would take away
        domain.check_sample(uncut, trained_on, str(data.train.store.path))
        model.fit(maker(showers).to_torch())
    train = config.train
    every = min(train.check_every, train.iterations)
    stages = [_rounded(stage, every) for stage in model.stages(train.iterations)]
    check_stages(stages, data)
    module = AdversarialModule(
        model, stages, averaging=train.averaging, historical=train.historical_averaging
    )  # fmt: skip
    n_checks = sum(stage.iterations for stage in stages) // every
    keeper = StageKeeper(folder.checkpoints, lambda n: _showers(data.train, maker, n, config.seed))
    judge = Judge(data.validation, domain, numbers, trained_on, config, picture)
    trainer = _trainer(config, folder, [EpochSeed(config.seed), judge, CheckLog(folder.log), keeper], n_checks)
    batches = EndlessBatches(
        data.train, maker, batch_size=train.batch_size, check_every=every, seed=config.seed, module=module,
        trainer=trainer, prefetch=batches_ahead(),
    )  # fmt: skip
    try:
        fit(trainer, module, batches, checkpoint=checkpoint)
    except NotFiniteLossError as error:
        raise _explained(error, module, folder) from None
    if not trainer.is_global_zero:
        return None
    arrays = {name: values.numpy() for name, values in load_file(keeper.best).items()}
    counts = n_weights(model.generating), n_weights(model)
    return TrainedGenerator(
        arrays, keeper.state.epochs, keeper.state.seconds, keeper.stages, counts, str(trainer.strategy.root_device)
    )


def _showers(sample: Sample, maker: Maker[Any], n: int, seed: int) -> Iterator[Batch]:
    """Give batches of n showers of a sample, drawn without order; all of them if there are fewer."""
    random = np.random.default_rng(seed)
    rows = np.sort(random.choice(len(sample), min(n, len(sample)), replace=False))
    for start in range(0, len(rows), SHOWN):
        yield maker(sample.store[sample.rows[rows[start : start + SHOWN]]]).to_torch()


def _trainer(
    config: GenerationConfig, folder: RunFolder, callbacks: list[lightning.Callback], n_checks: int
) -> lightning.Trainer:
    return make_trainer(
        config.train,
        folder,
        strategy=DDPStrategy(find_unused_parameters=True),  # players leave the weights of others out
        max_epochs=n_checks,
        callbacks=callbacks,
        limit_val_batches=0,
    )


def _rounded(stage: Stage, every: int) -> Stage:
    """Let a stage end with a check."""
    return replace(stage, iterations=math.ceil(stage.iterations / every) * every)


def _explained(error: NotFiniteLossError, module: AdversarialModule, folder: RunFolder) -> TrainingError:
    """Save the batch of a loss that is not finite, and say what can be done."""
    with atomic_path(folder.nan_batch, overwrite=True) as temporary:
        save_file(
            {name: values.detach().cpu().contiguous() for name, values in error.batch.tensors().items()}, temporary
        )
    kept = f"the state at the last check in {folder.last}" if folder.last.exists() else "there was no check yet"
    msg = (
        f"the loss of the {error.player} became NaN or infinite in iteration {int(module.iteration) + 1}; the batch is "
        f"kept in {folder.nan_batch}, {kept}. Train with a smaller learning rate "
        f"of the {error.player}, or look for unusual showers in the batch"
    )
    return TrainingError(msg)
