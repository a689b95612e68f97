"""What happens around epochs when the disk does not play along."""

from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest

from hgcal_gnn.errors import OutputError
from hgcal_gnn.training.callbacks import LOSS, Keeper


def trainer(epoch, save):
    return SimpleNamespace(
        callback_metrics={LOSS: 1.0}, current_epoch=epoch, is_global_zero=True, should_stop=False, save_checkpoint=save
    )


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    keeper = Keeper(tmp_path, save_best=lambda: None, patience=0)
    keeper.on_train_epoch_end(trainer(0, lambda path: path.write_text("whole")), None)

    def full(path):
        path.write_text("ha")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match=r"last.ckpt: could not be written: No space left.*--resume"):
        keeper.on_train_epoch_end(trainer(1, full), None)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("last.ckpt", "whole")]
