"""CellTable: what it accepts, what it refuses and how it sorts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import CellTable, as_cell_ids, cells_sha256
from tests.geometry.tables import plain_table


def columns(n=6, **changed):
    """Columns of a small one-layer table."""
    base = {
        "cell_id": np.arange(n) + 1,
        "layer": np.ones(n, int),
        "x": np.arange(n) * 1.0,
        "y": np.zeros(n),
        "z": np.full(n, 300.0),
    }
    return {name: values for name, values in (base | changed).items() if values is not None}


def test_rows_are_sorted_by_side_layer_subdetector_id():
    table = CellTable.from_columns(
        {
            "cell_id": np.array([9, 1, 5, 3, 7, 2]),
            "layer": np.array([2, 1, 1, 1, 1, 1]),
            "detector": np.array([8, 10, 8, 8, 8, 9]),
            "x": np.arange(6.0) + 100,
            "y": np.zeros(6),
            "z": np.array([300, 300, -300, 300, 300, 300.0]),
        }
    )
    assert table.cell_id.tolist() == [5, 3, 7, 2, 1, 9]
    assert table.z_side.tolist() == [-1, 1, 1, 1, 1, 1]
    assert table.x.tolist() == [102, 103, 104, 105, 101, 100]
    assert table.is_silicon.tolist() == [1, 1, 1, 1, 0, 1]
    assert table.subdetector_names == {8: "CE-E", 9: "CE-H silicon", 10: "CE-H scintillator"}


@given(seed=st.integers(0, 2**32 - 1), big=st.booleans())
@settings(max_examples=30, deadline=None)
def test_any_row_order_gives_the_same_table(seed, big):
    rng = np.random.default_rng(seed)
    ids = np.unique(rng.integers(0, 2**64 if big else 2**32, 40, dtype=np.uint64))
    n = len(ids)
    base = columns(n, cell_id=ids, layer=rng.integers(1, 4, n), x=rng.normal(size=n), w=np.arange(n))
    order = rng.permutation(n)
    first = CellTable.from_columns(base)
    second = CellTable.from_columns({name: values[order] for name, values in base.items()})
    assert first.sha256 == second.sha256
    assert np.array_equal(first.extra["w"], second.extra["w"])


def test_hash_is_stated_so_that_others_can_compute_it():
    import hashlib

    table = plain_table([1.0, 2.0], [0.0, 0.5], [3.0, 3.0], [1, 1])
    expected = hashlib.sha256(
        np.array([1, 2], "<u8").tobytes()
        + np.array([1, 1], "<i2").tobytes()
        + np.array([1, 2], "<f4").tobytes()
        + np.array([0, 0.5], "<f4").tobytes()
        + np.array([3, 3], "<f4").tobytes()
    ).hexdigest()
    assert table.sha256 == expected == cells_sha256(table.cell_id, table.layer, table.x, table.y, table.z)


def test_float32_and_float64_sources_hash_alike():
    x = np.array([1.1, 2.2, 3.3])
    double = plain_table(x, x, x * 0 + 300, [1, 1, 1])
    single = plain_table(x.astype(np.float32), x.astype(np.float32), (x * 0 + 300).astype(np.float32), [1, 1, 1])
    assert double.sha256 == single.sha256
    assert double.x.dtype == np.float64
    assert single.x.dtype == np.float32


@pytest.mark.parametrize(
    ("given_ids", "expected"),
    [
        (np.array([-2147483648, 5], np.int32), [2147483648, 5]),
        (np.array([-2127491584, 2], np.int64), [2167475712, 2]),
        (np.array([-1, 2**40], np.int64), [2**64 - 1, 2**40]),
        (np.array([2**64 - 1, 3], np.uint64), [2**64 - 1, 3]),
        (np.array([7, 8], np.uint32), [7, 8]),
    ],
)
def test_signed_exports_become_unsigned(given_ids, expected):
    assert as_cell_ids(given_ids).tolist() == expected


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": None}, "missing column x"),
        ({"cell_id": np.array([1, 2, 3, 3, 5, 3])}, r"2 repeated ids, for instance 3; first repeated in rows 3, 5"),
        ({"y": np.array([0, np.nan, 0, np.inf, 0, 0])}, r"column y has 2 values that are NaN or infinite.*rows 1, 3"),
        ({"cell_id": np.arange(6) + 0.5}, "column cell_id holds float64 values, ids must be whole numbers"),
        ({"layer": np.array([1, 1, 1, 1, 1.5, 1])}, r"column layer has 1 values that are not whole.*rows 4"),
        ({"layer": np.full(6, 40000)}, r"column layer has 6 values that are not whole numbers in -32768..32767"),
        ({"x": np.array(list("abcdef"))}, "column x holds text"),
        ({"w": np.zeros(5)}, r"column w must have shape \[6\], got \[5\]"),
    ],
)
def test_bad_columns_are_refused_with_a_clear_message(changed, message):
    with pytest.raises(InputError, match=message):
        CellTable.from_columns(columns(**changed))


def test_no_rows_are_refused():
    with pytest.raises(InputError, match="no rows"):
        CellTable.from_columns(columns(0))


def test_repeated_ids_in_different_layers_are_found():
    with pytest.raises(InputError, match="1 repeated ids"):
        CellTable.from_columns(columns(4, cell_id=np.array([1, 2, 1, 3]), layer=np.array([1, 1, 2, 2])))


def test_real_window_is_one_endcap_of_26_silicon_layers(window_table):
    assert window_table.n_cells == 48_533
    assert set(window_table.z_side.tolist()) == {1}
    assert np.unique(window_table.layer).tolist() == list(range(1, 27))
    assert len(window_table.layer_starts) == 26
    assert window_table.is_cms
