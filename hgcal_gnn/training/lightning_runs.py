"""What all trainings by Lightning share: devices, the checkpoint to go on from, the trainer, and interruptions."""

from __future__ import annotations

import logging
import signal
import warnings
from typing import TYPE_CHECKING, Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.trainer.states import TrainerStatus

from hgcal_gnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pytorch_lightning.strategies import DDPStrategy

    from hgcal_gnn.config.generation import GenerationTrainConfig
    from hgcal_gnn.config.train import TrainConfig
    from hgcal_gnn.training.run_folder import RunFolder

ACCELERATORS = {"auto": "auto", "cpu": "cpu", "cuda": "gpu", "mps": "mps"}


def checkpoint_of(folder: RunFolder) -> Path | None:
    """Return the checkpoint to go on from, None for a new run.

    Raises
    ------
    InputError
        If it is damaged.
    """
    if not folder.last.exists():
        return None
    read_checkpoint(folder.last)
    return folder.last


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of Lightning: numbers and plain values only, nothing that could run code.

    Raises
    ------
    InputError
        If it is damaged or holds anything else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PyTorch says of pickles that it refuses
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged archive PyTorch raises anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"{path}: the checkpoint is damaged ({reason}); train anew with --overwrite"
        raise InputError(msg) from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        msg = f"{path}: the checkpoint is damaged (it holds no state_dict); train anew with --overwrite"
        raise InputError(msg)
    return content


def make_trainer(
    train: TrainConfig | GenerationTrainConfig, folder: RunFolder, *, strategy: DDPStrategy, **options: Any
) -> lightning.Trainer:
    """Make the trainer of a run.

    Parameters
    ----------
    train
        Devices and precision are taken from it.
    folder
    strategy
        Of several processes; a single one needs none.
    options
        Further ones of Lightning's.

    Raises
    ------
    UsageError
        For devices this machine lacks, and what they cannot do.
    """
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # which devices it sees: ours to tell
    _check_device(train)
    return lightning.Trainer(
        accelerator=ACCELERATORS[train.device],
        devices=train.devices,
        num_nodes=train.nodes,
        strategy=strategy if train.devices * train.nodes > 1 else "auto",
        precision="32-true" if train.precision in ("32", "64") else train.precision,
        logger=TensorBoardLogger(folder.path, name="tensorboard", version=""),
        default_root_dir=folder.path,
        num_sanity_val_steps=0,
        log_every_n_steps=1,  # nothing is logged but means over epochs
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **options,
    )


def fit(
    trainer: lightning.Trainer,
    module: lightning.LightningModule,
    batches: Any,
    validation: Any = None,
    *,
    checkpoint: Path | None,
) -> None:
    """Train, from a checkpoint on if there is one.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.*")  # between Lightning and PyTorch
            warnings.filterwarnings("ignore", ".*sync_dist.*")  # the values are those of all processes already
            trainer.fit(module, batches, validation, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        if trainer.state.status != TrainerStatus.INTERRUPTED:
            raise
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning had it ignored
        raise KeyboardInterrupt from None


def _check_device(train: TrainConfig | GenerationTrainConfig) -> None:
    """Refuse devices this machine lacks, and what they cannot do."""
    there = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[train.device]:
        usable = ", ".join(name for name, is_there in there.items() if is_there)
        msg = f"train.device {train.device}: there is none here; usable: {usable}"
        raise UsageError(msg)
    on_cpu = train.device == "cpu" or (train.device == "auto" and not (there["cuda"] or there["mps"]))
    if on_cpu and train.precision == "16-mixed":
        msg = "train.precision 16-mixed needs a GPU; on a CPU use 32, or bf16-mixed if it has bfloat16 units"
        raise UsageError(msg)
