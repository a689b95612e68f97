from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_showers import make_showers

from hgcal_gnn.errors import GeometryMismatchError, InputError, OutputError, UsageError
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.selection import _shares_of, merge_stores, split_store
from hgcal_gnn.showers.showers import CHUNK, Showers
from hgcal_gnn.showers.store import open_store, write_showers

N_SHOWERS = CHUNK + 1005


@pytest.fixture
def path(tmp_path):
    write_showers(make_showers(N_SHOWERS), tmp_path / "all.arrow")
    return tmp_path / "all.arrow"


def test_split_deals_every_shower_out_once(tmp_path, path):
    outputs = [tmp_path / f"{name}.arrow" for name in ("train", "validation", "test")]
    counts = split_store(path, outputs, [0.8, 0.1, 0.1], seed=3)
    assert counts == [7357, 920, 920]  # of 7,357.6, 919.7, 919.7: the largest remainders are rounded up
    parts = [open_store(output).read(slice(None)) for output in outputs]
    assert [len(part) for part in parts] == counts
    together = np.concatenate([part.event_id for part in parts])
    assert sorted(together) == sorted(open_store(path).column("event_id"))
    visible = sum(part.visible.sum() for part in parts)
    assert visible == pytest.approx(open_store(path).read(slice(None)).visible.sum(), rel=1e-12)


def test_split_keeps_the_order_and_mixes_the_showers(tmp_path, path):
    whole = open_store(path).read(slice(None))
    split_store(path, [tmp_path / "a.arrow", tmp_path / "b.arrow"], [0.5, 0.5], seed=1)
    rows = np.searchsorted(np.sort(whole.event_id), open_store(tmp_path / "a.arrow").column("event_id"))
    rows = np.argsort(whole.event_id)[rows]
    assert (np.diff(rows) > 0).all()
    # of the first half of the store about half lie in either part (6 standard deviations)
    assert abs((rows < N_SHOWERS / 2).sum() - N_SHOWERS / 4) < 6 * np.sqrt(N_SHOWERS) / 4


def test_split_is_given_by_its_seed(tmp_path, path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        split_store(path, [tmp_path / f"{name}1.arrow", tmp_path / f"{name}2.arrow"], [0.7, 0.3], seed=seed)
    a, b, c = ((tmp_path / f"{name}1.arrow").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("fractions", [[0.5, 0.6], [0.5], [1.2, -0.2], [1.0, 0.0], [float("nan"), 1.0]])
def test_fractions_that_do_not_fit(tmp_path, path, fractions):
    with pytest.raises(UsageError, match="above 0 that add up to 1"):
        split_store(path, [tmp_path / "a.arrow", tmp_path / "b.arrow"], fractions)


def test_split_into_one_name_twice(tmp_path, path):
    with pytest.raises(UsageError, match="different names"):
        split_store(path, [tmp_path / "a.arrow", tmp_path / "a.arrow"], [0.5, 0.5])


def test_split_refuses_existing_outputs_before_writing_any(tmp_path, path):
    (tmp_path / "b.arrow").write_text("mine")
    with pytest.raises(OutputError, match=r"b\.arrow: exists already"):
        split_store(path, [tmp_path / "a.arrow", tmp_path / "b.arrow"], [0.5, 0.5])
    assert not (tmp_path / "a.arrow").exists()
    assert (tmp_path / "b.arrow").read_text() == "mine"


@given(st.integers(0, 1000), st.lists(st.floats(0.01, 1), min_size=1, max_size=5))
def test_rounded_shares_add_up(total, shares):
    shares = np.array(shares)
    counts = _shares_of(total, shares)
    assert counts.sum() == total
    assert (abs(counts - shares / shares.sum() * total) < 1).all()


def test_merge_joins_stores_and_fills_what_some_lack(tmp_path, path):
    write_showers(make_showers(50, optional=False, seed=5), tmp_path / "plain.arrow")
    merge_stores([tmp_path / "plain.arrow", path], tmp_path / "both.arrow")
    both = open_store(tmp_path / "both.arrow").read(slice(None))
    assert both.equals(Showers.concatenate([make_showers(50, optional=False, seed=5), make_showers(N_SHOWERS)]))
    assert open_store(tmp_path / "both.arrow").starts.tolist() == [0, CHUNK, N_SHOWERS + 50]


def test_merging_the_parts_of_a_store_gives_the_store(tmp_path, path):
    whole = open_store(path).read(slice(None))
    write_showers(whole[:5], tmp_path / "a.arrow")
    write_showers(whole[5:], tmp_path / "b.arrow")
    merge_stores([tmp_path / "a.arrow", tmp_path / "b.arrow"], tmp_path / "ab.arrow")
    assert (tmp_path / "ab.arrow").read_bytes() == path.read_bytes()


def test_merge_refuses_what_does_not_belong_together(tmp_path, path):
    other = make_showers(3).replace(metadata=ShowerMetadata(cells_sha256="cd" * 32))
    write_showers(other, tmp_path / "other.arrow")
    with pytest.raises(GeometryMismatchError):
        merge_stores([path, tmp_path / "other.arrow"], tmp_path / "both.arrow")
    (tmp_path / "broken.arrow").write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"broken\.arrow"):
        merge_stores([path, tmp_path / "broken.arrow"], tmp_path / "both.arrow")
    assert not (tmp_path / "both.arrow").exists()
