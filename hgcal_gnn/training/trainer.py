"""The training of a network by Lightning: set up, resumed, interrupted, kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.strategies import DDPStrategy
from safetensors.torch import save_file

from hgcal_gnn.batching.loader import BatchLoader
from hgcal_gnn.errors import TrainingError, UsageError
from hgcal_gnn.files import atomic_path
from hgcal_gnn.regression.inputs import RegressionInputs
from hgcal_gnn.regression.losses import RegressionLoss
from hgcal_gnn.regression.models import MODELS, kind_of
from hgcal_gnn.regression.models.base import NetworkConfig, Sizes
from hgcal_gnn.regression.module import NotFiniteError, Optimiser, RegressionModule
from hgcal_gnn.regression.predictor import Weights
from hgcal_gnn.regression.regressor import Regressor
from hgcal_gnn.regression.table import collect_table
from hgcal_gnn.training.callbacks import EpochLog, EpochSeed, Keeper, KeptState
from hgcal_gnn.training.in_memory import AsTheyAre, VariablesInMemory
from hgcal_gnn.training.lightning_runs import checkpoint_of, fit, make_trainer
from hgcal_gnn.training.loaders import EpochLoader, batches_ahead
from hgcal_gnn.training.schedule import LearningRate

if TYPE_CHECKING:
    import pytorch_lightning as lightning

    from hgcal_gnn.config.run import RunConfig
    from hgcal_gnn.training.data import RunData, Sample
    from hgcal_gnn.training.run_folder import RunFolder

MENTIONED = 20  # rows of a batch named in an error


@dataclass(frozen=True)
class Trained:
    """What the training of a network brought.

    Attributes
    ----------
    weights
        The best ones.
    kept
        Best loss, epochs, time.
    n_parameters
    device
        Of PyTorch: "cpu", "cuda:0", ...
    """

    weights: Weights
    kept: KeptState
    n_parameters: int
    device: str


def train_network(config: RunConfig, data: RunData, folder: RunFolder) -> Trained | None:
    """Train the network of a run; go on from its last checkpoint if there is one.

    Returns
    -------
    Trained, or None in all processes but the first.

    Raises
    ------
    TrainingError
        If the loss is not finite; the batch is saved in the run folder.
    InputError
        If the checkpoint is damaged.
    KeyboardInterrupt
        After Ctrl-C; the last finished epoch is kept.
    """
    torch.manual_seed(config.seed)
    assert isinstance(config.model, NetworkConfig)  # noqa: S101 (the caller has looked)
    inputs = RegressionInputs(data.graph, data.material, config.model.needs())
    sizes = _sizes(inputs, data.train)
    regressor = Regressor(MODELS[kind_of(config.model)](config.model, sizes), config.model)
    checkpoint = checkpoint_of(folder)
    if checkpoint is None:
        _fit_inputs(regressor, inputs, data.train)
    module = _module(regressor, config)

    def best_weights() -> Weights:
        arrays = {name: values.detach().cpu().numpy() for name, values in regressor.state_dict().items()}
        return Weights(arrays, data.graph.cells_sha256, sizes)

    keeper = Keeper(folder.checkpoints, lambda: best_weights().save(folder.best, overwrite=True), config.train.patience)
    trainer = _trainer(config, folder, keeper, n_batches=_n_batches(len(data.train), config.train.batch_size))
    loaders = _loaders(config, data, inputs, trainer)
    try:
        fit(trainer, module, *loaders, checkpoint=checkpoint)
    except NotFiniteError as error:
        raise _explained(error, *loaders, folder) from None
    if not trainer.is_global_zero:
        return None
    n_parameters = sum(weight.numel() for weight in regressor.parameters())
    return Trained(Weights.load(folder.best), keeper.state, n_parameters, str(trainer.strategy.root_device))


def _module(regressor: Regressor, config: RunConfig) -> RegressionModule:
    train = config.train
    weights: dict[str, float] = {name: getattr(train.weights, name) for name in regressor.config.targets}
    module = RegressionModule(
        regressor,
        RegressionLoss(train.loss, weights),
        Optimiser(train.learning_rate, train.weight_decay),
        dtype=torch.float64 if train.precision == "64" else torch.float32,
        scaled=train.precision == "16-mixed",
    )
    return module.double() if train.precision == "64" else module


def _trainer(config: RunConfig, folder: RunFolder, keeper: Keeper, *, n_batches: int) -> lightning.Trainer:
    train = config.train
    rate = LearningRate(
        train.learning_rate,
        train.schedule,
        warmup=train.warmup,
        n_steps=train.epochs * n_batches,
        patience=train.plateau_patience,
    )
    return make_trainer(
        train,
        folder,
        strategy=DDPStrategy(),
        max_epochs=train.epochs,
        gradient_clip_val=train.gradient_clip or None,
        callbacks=[EpochSeed(config.seed), rate, EpochLog(folder.log), keeper],
    )


def _loaders(
    config: RunConfig, data: RunData, inputs: RegressionInputs, trainer: lightning.Trainer
) -> tuple[EpochLoader, BatchLoader]:
    """Return the loaders of training and validation."""
    size = config.train.batch_size
    ahead = batches_ahead()
    train_store, train_make = _source(data.train, inputs)
    train = BatchLoader(
        train_store,
        train_make,
        rows=data.train.rows,
        batch_size=size,
        seed=config.seed,
        drop_last=len(data.train) >= size,  # a small batch would count as much as a whole one
        prefetch=ahead,
    )
    rank, n_ranks = trainer.global_rank, trainer.world_size
    rows = data.validation.rows[rank::n_ranks]
    if not len(rows):
        msg = f"{len(data.validation)} showers cannot validate {n_ranks} processes; give more or use fewer devices"
        raise UsageError(msg)
    store, make = _source(data.validation, inputs)
    validation = BatchLoader(store, make, rows=rows, batch_size=max(size // n_ranks, 1), shuffle=False, prefetch=ahead)
    return EpochLoader(train, trainer), validation


def _source(sample: Sample, inputs: RegressionInputs) -> tuple[Any, Any]:
    """Return what a loader reads and what it makes of it; variables alone are computed only once."""
    if inputs.needs.features or inputs.needs.voxels is not None:
        return sample.store, inputs
    return VariablesInMemory(sample.store, sample.rows, inputs), AsTheyAre()


def _n_batches(n_showers: int, batch_size: int) -> int:
    return max(n_showers // batch_size, 1)


def _sizes(inputs: RegressionInputs, sample: Sample) -> Sizes:
    """Look at one shower to see what the network will see."""
    batch = inputs(sample.store.read(sample.rows[:1]))
    return Sizes(
        n_features=0 if batch.hits is None else batch.hits.x.shape[1],
        n_variables=batch.variables.shape[1],
        voxels=None if batch.voxels is None else {name: tuple(v.shape[1:]) for name, v in batch.voxels.items()},
    )


def _fit_inputs(regressor: Regressor, inputs: RegressionInputs, sample: Sample) -> None:
    """Take the scales of the inputs from the training sample."""
    energy = torch.from_numpy(sample.energy)
    variables = torch.zeros(len(sample), 0)
    if inputs.needs.variables:
        table = collect_table(sample.store, sample.rows, inputs.numbers, inputs.needs.variables)
        variables = torch.from_numpy(table.variables)
    regressor.fit_inputs(variables, energy)


def _explained(error: NotFiniteError, loader: EpochLoader, validation: BatchLoader, folder: RunFolder) -> TrainingError:
    """Save the batch of a loss that is not finite, and say what can be done."""
    is_validation = error.stage == "val"
    found = next(validation.order.batches(0, first=error.number)) if is_validation else loader.rows(error.number)
    rows = torch.from_numpy(found)
    tensors = {name: values.detach().cpu().contiguous() for name, values in error.batch.tensors().items()}
    with atomic_path(folder.nan_batch, overwrite=True) as temporary:
        save_file({**tensors, "rows": rows}, temporary)
    named = ", ".join(map(str, rows[:MENTIONED].tolist())) + (", ..." if len(rows) > MENTIONED else "")
    of = " of the validation" if is_validation else ""
    msg = (
        f"the {error.what} became NaN or infinite in epoch {loader.trainer.current_epoch + 1}, batch "
        f"{error.number + 1}{of} (showers {named} of {loader.loader.store.path}); the batch is kept in "  # type: ignore[union-attr]
        f"{folder.nan_batch}. Look for unusual "
        "showers in it, or train with a smaller train.learning_rate or with train.gradient_clip 1"
    )
    return TrainingError(msg)
