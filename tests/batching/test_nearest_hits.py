from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from hgcal_gnn.batching.nearest_hits import NEAREST, nearest_hits
from hgcal_gnn.errors import UsageError
from hgcal_gnn.showers.ragged import offsets_of


def links_by_sorting(position, offsets, k):
    """All distances of each shower, sorted with the hit number deciding ties; joined both ways."""
    links = set()
    for first, last in pairwise(offsets.tolist()):
        points = position[first:last].astype(np.float64)
        square = ((points[:, None] - points) ** 2).sum(axis=2)
        np.fill_diagonal(square, np.inf)
        for hit, others in enumerate(np.argsort(square, axis=1, kind="stable")[:, : min(k, len(points) - 1)]):
            links |= {(first + hit, first + other) for other in others} | {(first + o, first + hit) for o in others}
    return np.array(sorted(links), dtype=np.int64).reshape(-1, 2).T


@settings(deadline=None, max_examples=80)
@given(
    counts=st.lists(st.one_of(st.integers(0, 25), st.integers(60, 140)), max_size=4),
    k=st.integers(1, 12),
    coarse=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_links_are_those_of_all_distances_sorted(counts, k, coarse, seed):
    random = np.random.default_rng(seed)
    # whole numbers: many equal distances and hits on top of each other
    position = random.integers(0, 6, (sum(counts), 3)) if coarse else random.normal(size=(sum(counts), 3))
    position, offsets = position.astype(np.float32), offsets_of(np.array(counts, dtype=np.int64))
    edge_index, kind = nearest_hits(position, offsets, k)
    np.testing.assert_array_equal(edge_index, links_by_sorting(position, offsets, k))
    assert edge_index.dtype == np.int64
    assert kind.dtype == np.uint8
    assert (kind == NEAREST).all()
    assert len(kind) == edge_index.shape[1]


@pytest.mark.parametrize("stretched", [0, 1, 2])
def test_as_many_hits_as_scipy_finds(stretched):
    random = np.random.default_rng(3)
    position = random.normal(size=(3000, 3)).astype(np.float32)
    position[:, stretched] *= 10
    edge_index, _ = nearest_hits(position, np.array([0, 3000]), 8)
    _, nearest = cKDTree(position.astype(np.float64)).query(position.astype(np.float64), k=9)
    ends = np.stack([np.repeat(np.arange(3000), 8), nearest[:, 1:].ravel()])
    both = np.unique(np.concatenate([ends, ends[::-1]], axis=1), axis=1)
    np.testing.assert_array_equal(edge_index, both)


def test_three_hits_in_a_row_by_hand():
    # the middle one is nearest to both others; the last one is found by none, yet linked
    position = np.array([[0, 0, 0], [1, 0, 0], [2.5, 0, 0]], dtype=np.float32)
    edge_index, _ = nearest_hits(position, np.array([0, 3]), 1)
    assert edge_index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]


def test_equal_distances_go_to_the_earlier_hit():
    position = np.array([[1, 0, 0], [-1, 0, 0], [0, 0, 0], [0, 1, 0]], dtype=np.float32)
    edge_index, _ = nearest_hits(position, np.array([0, 4]), 1)
    # hit 2 has 0, 1, 3 at distance 1 and takes 0; the others take 2
    assert edge_index.T.tolist() == [[0, 2], [1, 2], [2, 0], [2, 1], [2, 3], [3, 2]]


def test_no_hits_and_no_showers():
    for offsets in ([0], [0, 0, 0], [0, 1]):
        edge_index, kind = nearest_hits(np.zeros((offsets[-1], 3), dtype=np.float32), np.array(offsets), 4)
        assert edge_index.shape == (2, 0)
        assert len(kind) == 0


def test_number_of_neighbours_is_checked():
    with pytest.raises(UsageError, match="at least 1, got 0"):
        nearest_hits(np.zeros((2, 3), dtype=np.float32), np.array([0, 2]), 0)
