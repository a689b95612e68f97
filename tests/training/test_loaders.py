"""Processes that train together share every batch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from hgcal_gnn.batching.loader import BatchLoader
from hgcal_gnn.training.loaders import EpochLoader


class Energies:
    """Makes of showers their energies, which tell them apart."""

    def check(self, metadata, *, source):
        pass

    def __call__(self, showers):
        return showers.incident_energy


def loader(piece, rank, n_ranks, epoch=3):
    batches = BatchLoader(piece.store, Energies(), batch_size=32, seed=5, as_torch=False, drop_last=True)
    return EpochLoader(batches, SimpleNamespace(global_rank=rank, world_size=n_ranks, current_epoch=epoch))


def test_shares_make_up_the_batch(piece):
    whole = list(loader(piece, 0, 1))
    shares = [list(loader(piece, rank, 3)) for rank in range(3)]
    assert len(whole) == len(shares[0]) == len(loader(piece, 0, 3)) == 300 // 32
    for number, batch in enumerate(whole):
        joined = np.concatenate([share[number] for share in shares])
        np.testing.assert_array_equal(np.sort(joined), np.sort(batch))
        assert {len(share[number]) for share in shares} == {11, 10}


def test_rows_are_those_of_the_batch(piece):
    energy = piece.store.column("incident_energy")
    shared = loader(piece, 1, 2)
    np.testing.assert_array_equal(energy[shared.rows(4)], list(shared)[4])


def test_the_epoch_is_that_of_the_trainer_when_the_first_batch_is_asked_for(piece):
    batches = loader(piece, 0, 1)
    prepared = iter(batches)
    batches.trainer.current_epoch = 7
    np.testing.assert_array_equal(next(prepared), next(iter(loader(piece, 0, 1, epoch=7))))
