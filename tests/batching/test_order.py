from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgcal_gnn.batching.order import BatchOrder, split_rows
from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.ragged import offsets_of
from hgcal_gnn.showers.selection import split_store
from hgcal_gnn.showers.store import open_store, write_showers
from tests.batching.made import random_graph, random_showers


@st.composite
def orders(draw):
    sizes = draw(st.lists(st.integers(0, 12), min_size=1, max_size=8))
    starts = offsets_of(np.array(sizes))
    kept = np.array(draw(st.lists(st.booleans(), min_size=int(starts[-1]), max_size=int(starts[-1]))), dtype=bool)
    return BatchOrder(
        starts=starts,
        rows=np.flatnonzero(kept),
        batch_size=draw(st.integers(1, 7)),
        seed=draw(st.integers(0, 99)),
        shuffle=draw(st.booleans()),
        buffer_blocks=draw(st.integers(1, 4)),
        drop_last=draw(st.booleans()),
    )


@given(orders(), st.integers(0, 3), st.integers(0, 20))
def test_every_row_once_in_full_batches(order, epoch, first):
    batches = list(order.batches(epoch))
    assert len(batches) == len(order)
    rows = np.concatenate([*batches, np.zeros(0, int)])
    assert len(np.unique(rows)) == len(rows)
    n_lost = len(order.rows) % order.batch_size if order.drop_last else 0
    assert len(rows) == len(order.rows) - n_lost
    assert np.isin(rows, order.rows).all()
    assert all(len(batch) == order.batch_size for batch in batches[:-1])
    if not order.shuffle:
        np.testing.assert_array_equal(rows, order.rows[: len(rows)])
    later = list(order.batches(epoch, first=first))
    assert [batch.tolist() for batch in later] == [batch.tolist() for batch in batches[first:]]


def test_seed_and_epoch_give_the_order():
    def rows(seed, epoch):
        order = BatchOrder(starts=np.array([0, 50, 100]), rows=np.arange(100), batch_size=10, seed=seed)
        return np.concatenate(list(order.batches(epoch))).tolist()

    assert rows(1, 0) == rows(1, 0)
    assert len({tuple(rows(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_the_buffer_bounds_what_is_read_at_a_time():
    starts = np.arange(0, 1001, 100)
    order = BatchOrder(starts=starts, rows=np.arange(1000), batch_size=10, buffer_blocks=2)
    blocks = [np.unique(batch // 100) for batch in order.batches(0)]
    assert max(len(some) for some in blocks) == 2
    pools = [set(np.concatenate(blocks[k : k + 20]).tolist()) for k in range(0, 100, 20)]
    assert [len(pool) for pool in pools] == [2] * 5
    assert set.union(*pools) == set(range(10))


def test_order_is_uniform_within_the_buffer():
    # each of 4 x 10 rows in the first batch of 10 equally often: 500 +- 20, 5 standard deviations
    order = BatchOrder(starts=np.array([0, 10, 20, 30, 40]), rows=np.arange(40), batch_size=10)
    first = np.concatenate([next(order.batches(epoch)) for epoch in range(2000)])
    counts = np.bincount(first, minlength=40)
    assert abs(counts - 500).max() < 5 * np.sqrt(2000 * 0.25 * 0.75)


@pytest.mark.parametrize("rows", [[0, 5], [3, 2], [1, 1], [-1, 2]])
def test_rows_that_are_none(rows):
    with pytest.raises(UsageError, match=r"must ascend within 0..4"):
        BatchOrder(starts=np.array([0, 5]), rows=np.array(rows), batch_size=1)


def test_numbers_that_make_no_sense():
    with pytest.raises(UsageError, match="batch_size 0"):
        BatchOrder(starts=np.array([0, 5]), rows=np.arange(5), batch_size=0)


@given(st.integers(0, 300), st.integers(0, 50))
def test_splits_share_out_everything(n_showers, seed):
    parts = split_rows(n_showers, (0.8, 0.1, 0.1), seed=seed)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n_showers))
    assert all((np.diff(part) > 0).all() for part in parts)
    assert abs(len(parts[0]) - 0.8 * n_showers) < 1


def test_splits_are_those_of_the_command(tmp_path):
    showers = random_showers(random_graph(9, 0.3), 200, 2)
    write_showers(showers, tmp_path / "all.arrow")
    outputs = [tmp_path / "a.arrow", tmp_path / "b.arrow"]
    split_store(tmp_path / "all.arrow", outputs, [0.7, 0.3], seed=5)
    for rows, output in zip(split_rows(200, (0.7, 0.3), seed=5), outputs, strict=True):
        np.testing.assert_array_equal(open_store(output).column("event_id"), rows)
