"""Ids to rows, against binary search and by hand; unknown ids by subdetector and layer."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.detid import scintillator_detid, silicon_detid
from hgcal_gnn.showers.cell_lookup import CellLookup, rows_by_search
from hgcal_gnn.showers.unknown_cells import UnknownCells, added_unknown, cee_layers_of, count_unknown, describe_unknown
from tests.showers.made_root import toy_cells

# a few ids close together, from anywhere in 64 bits: pages start and end between them
ids_near = st.integers(0, 2**64 - 3000).flatmap(
    lambda base: st.lists(st.integers(base, base + 2999), unique=True, max_size=60)
)
ids_anywhere = st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=60)


@settings(deadline=None)  # the first call compiles
@given(known=ids_near | ids_anywhere, others=ids_near | ids_anywhere, ascending=st.booleans())
def test_rows_agree_with_binary_search(known, others, ascending):
    cell_ids = np.array(sorted(known) if ascending else known, np.uint64)
    asked = np.array([*others, *known, *(i + 1 for i in known if i < 2**64 - 1)], np.uint64)
    lookup = CellLookup(cell_ids)
    np.testing.assert_array_equal(lookup.rows(asked), rows_by_search(cell_ids, asked))
    np.testing.assert_array_equal(lookup.rows(cell_ids), np.arange(len(cell_ids)))
    again = pickle.loads(pickle.dumps(lookup))  # noqa: S301 (made here)
    assert again.method == lookup.method
    np.testing.assert_array_equal(again.rows(asked), lookup.rows(asked))


def test_sorted_detids_take_pages_and_scattered_ids_the_hash_table():
    assert CellLookup(toy_cells().cell_id).method == "pages"
    scattered = np.arange(2000, dtype=np.uint64) << np.uint64(40)
    assert CellLookup(scattered).method == "hash"
    # rows that do not follow the ids: bits and counts would give wrong rows
    assert CellLookup(np.array([7, 5, 6], np.uint64)).method == "hash"


def test_ids_below_above_and_between_the_known_ones_are_unknown():
    lookup = CellLookup(np.array([5000, 5001, 5003], np.uint64))
    assert lookup.rows(np.array([0, 4999, 5000, 5002, 5003, 5004, 2**32, 2**64 - 1], np.uint64)).tolist() == [
        -1, -1, 0, -1, 2, -1, -1, -1,
    ]  # fmt: skip


def test_signed_and_foreign_byte_order_ids_are_the_same_cells():
    detid = np.array([0x90000001], np.uint32)  # above 2**31: negative when exported signed
    lookup = CellLookup(detid)
    signed = detid.view(np.int32)
    for same in (signed, signed.astype(np.int64), detid.astype(">u4"), detid.astype(np.uint64)):
        assert lookup.rows(same).tolist() == [0]


def test_float_ids_are_refused():
    with pytest.raises(InputError, match="whole numbers"):
        CellLookup(np.array([1], np.uint64)).rows(np.array([1.0]))


def test_no_cells_know_no_ids():
    assert CellLookup(np.zeros(0, np.uint64)).rows(np.array([0, 1], np.uint64)).tolist() == [-1, -1]


def test_unknown_ids_are_counted_by_subdetector_and_layer():
    silicon = {"z_side": 1, "cell_type": 1, "wafer_u": 1, "wafer_v": 1, "cell_u": 0}
    ids = np.concatenate(
        [
            silicon_detid(detector=8, layer=4, cell_v=np.arange(3), **silicon),
            silicon_detid(detector=9, layer=1, cell_v=[0], **silicon),
            scintillator_detid(z_side=-1, layer=2, cell_type=0, ring=3, iphi=[1]),
            np.array([12], np.uint64),
        ]
    )
    energy = np.array([1.0, 2.0, np.nan, 4.0, 8.0, 16.0], np.float32)
    counted = count_unknown(ids, energy, cee_layers=26)
    assert counted == [
        UnknownCells("no HGCAL DetId", 0, 1, 16.0, 12),
        UnknownCells("CE-E", 4, 3, 3.0, int(ids[0])),
        UnknownCells("CE-H silicon", 27, 1, 4.0, int(ids[3])),
        UnknownCells("CE-H scintillator", 28, 1, 8.0, int(ids[4])),
    ]
    twice = added_unknown([*counted, *counted])
    assert {item.subdetector: (item.hits, item.energy) for item in twice}["CE-E"] == (6, 6.0)
    assert "CE-H silicon layer 27: 2" in describe_unknown(twice)
    assert "no HGCAL DetId: 2" in describe_unknown(twice)


def test_layers_before_ceh_are_read_off_the_table():
    cells = toy_cells()
    assert cee_layers_of(cells) == 3
    assert cee_layers_of(cells.select(cells.subdetector == 10)) == 3
    assert cee_layers_of(cells.select(cells.layer == 1)) == 26  # the table does not tell


def test_many_unknown_layers_are_told_in_short():
    counted = [UnknownCells("CE-E", layer, layer, 0.1, 7) for layer in range(1, 8)]
    counted += [UnknownCells("CE-H silicon", layer, 1, 0.1, 7) for layer in (27, 30)]
    said = describe_unknown(counted)
    assert said == "CE-E: 28 (layers 1 to 7, most in 7: 7, 6: 6); CE-H silicon layer 27: 1, CE-H silicon layer 30: 1"
