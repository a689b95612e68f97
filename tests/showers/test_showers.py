from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_showers import METADATA, N_CELLS, make_showers, showers

from hgcal_gnn.errors import GeometryMismatchError, InputError
from hgcal_gnn.showers.columns import COLUMNS
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.ragged import segment_sums
from hgcal_gnn.showers.showers import Showers, direction_from_eta_phi

THREE = {
    "offsets": [0, 3, 3, 5],
    "cell": [4, 1, 4, 2, 2],
    "energy": [1.0, 2.0, 3.0, 4.0, 5.0],
    "time": [5.0, np.nan, 3.0, np.nan, 7.0],
    "incident_energy": [10.0, 20.0, 30.0],
}


@pytest.fixture
def three() -> Showers:
    """Three showers of 3, 0 and 2 hits."""
    return Showers.from_columns(THREE, metadata=METADATA)


def test_numbers_of_three_showers(three):
    assert len(three) == 3
    assert three.n_hits.tolist() == [3, 0, 2]
    assert three.visible.tolist() == [6.0, 0.0, 9.0]
    assert three.shower.tolist() == [0, 0, 0, 2, 2]
    assert three.event_id.tolist() == [0, 1, 2]
    assert three.pdg_id.tolist() == [0, 0, 0]
    assert np.isnan(three.vertex_x).all()
    assert three.weight is None


def test_merged_adds_energies_and_keeps_the_earliest_time(three):
    merged = three.merged()
    assert merged.offsets.tolist() == [0, 2, 2, 3]
    assert merged.cell.tolist() == [1, 4, 2]
    assert merged.energy.tolist() == [2.0, 4.0, 9.0]
    assert np.array_equal(merged.time, np.float32([np.nan, 3.0, 7.0]), equal_nan=True)


def test_merged_does_not_join_equal_cells_of_neighbouring_showers():
    hits = {"offsets": [0, 1, 1, 2], "cell": [3, 3], "energy": [1, 2], "incident_energy": [1, 1, 1]}
    assert Showers.from_columns(hits).merged().energy.tolist() == [1.0, 2.0]


def test_merging_sums_in_double_precision():
    # 1 + 2^-25 many times: in single precision every small deposit would be lost
    n_small = 2**20
    energy = np.full(n_small + 1, 2.0**-25, dtype=np.float32)
    energy[0] = 1.0
    one = Showers.from_columns(
        {"offsets": [0, n_small + 1], "cell": np.zeros(n_small + 1, int), "energy": energy, "incident_energy": [1]}
    )
    assert one.merged().energy[0] == pytest.approx(1 + 2.0**-5, rel=1e-7)
    assert one.visible[0] == pytest.approx(1 + 2.0**-5, rel=1e-15)


def test_sorted_by_cell_keeps_the_order_of_equal_cells(three):
    ordered = three.sorted_by_cell()
    assert ordered.cell.tolist() == [1, 4, 4, 2, 2]
    assert ordered.energy.tolist() == [2.0, 1.0, 3.0, 4.0, 5.0]
    assert ordered.offsets.tolist() == [0, 3, 3, 5]


def test_above_keeps_hits_at_the_threshold_and_empty_showers(three):
    kept = three.above(3.0)
    assert kept.energy.tolist() == [3.0, 4.0, 5.0]
    assert kept.offsets.tolist() == [0, 1, 1, 3]


def test_above_takes_a_threshold_per_cell(three):
    per_cell = np.array([0, 10, 4.5, 0, 0])
    assert three.above(per_cell).energy.tolist() == [1.0, 3.0, 5.0]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (slice(1, 3), [2, 2]),
        (slice(None, None, -1), [2, 2, 4, 1, 4]),
        (np.array([True, False, True]), [4, 1, 4, 2, 2]),
        ([2, 0, 2], [2, 2, 4, 1, 4, 2, 2]),
        ([-1], [2, 2]),
        ([], []),
        (0, [4, 1, 4]),
        (-1, [2, 2]),
    ],
)
def test_selection(three, rows, expected):
    assert three[rows].cell.tolist() == expected


@pytest.mark.parametrize("rows", [3, -4, [3], [True, False], [0.5]])
def test_selection_out_of_range(three, rows):
    with pytest.raises(IndexError):
        three[rows]


def test_slices_share_memory(three):
    assert np.shares_memory(three[1:].cell, three.cell)
    assert three[1:].offsets.tolist() == [0, 0, 2]


def test_eta_and_phi_of_a_direction():
    x, y, z = direction_from_eta_phi(np.array([2.0, -1.5, 0.0]), np.array([1.57, -3.0, 0.5]))
    columns = {"direction_x": x, "direction_y": y, "direction_z": z}
    hits = {"offsets": [0] * 4, "cell": [], "energy": [], "incident_energy": [1, 1, 1]}
    made = Showers.from_columns(hits | columns)
    assert made.eta == pytest.approx([2.0, -1.5, 0.0], abs=1e-5)
    assert made.phi == pytest.approx([1.57, -3.0, 0.5], abs=1e-6)
    # eta = -ln tan(theta / 2), worked out apart: theta = 15.415 degrees at eta 2
    assert math.degrees(math.acos(z[0])) == pytest.approx(15.415, abs=1e-3)


def test_eta_and_phi_are_not_a_number_along_the_axis():
    hits = {"offsets": [0, 0], "cell": [], "energy": [], "incident_energy": [1]}
    along = Showers.from_columns(hits | {"direction_x": [0], "direction_y": [0], "direction_z": [1]})
    assert np.isnan(along.eta).all()
    assert np.isnan(along.phi).all()


@given(showers())
def test_merging_conserves_energy_and_leaves_each_cell_once(made):
    merged = made.merged()
    assert merged.visible == pytest.approx(made.visible, rel=1e-6)
    assert (np.diff(merged.cell)[np.diff(merged.shower) == 0] > 0).all()
    # against a plain count
    assert len(merged.cell) == len(set(zip(made.shower.tolist(), made.cell.tolist(), strict=True)))


@given(showers(), st.integers(0, 6))
def test_concatenating_slices_gives_the_whole(made, cut):
    assert Showers.concatenate([made[:cut], made[cut:]]).equals(made)


@given(showers())
def test_awkward_round_trip(made):
    assert Showers.from_awkward(made.to_awkward()).equals(made)


@given(showers(), st.randoms())
def test_fancy_selection_undone(made, random):
    order = list(range(len(made)))
    random.shuffle(order)
    assert made[order][np.argsort(order) if order else []].equals(made)


@given(showers(), st.integers(1, 4))
def test_chunks_give_the_whole(made, size):
    pieces = list(made.chunks(size))
    assert all(0 < len(piece) <= size for piece in pieces)
    assert not pieces or Showers.concatenate(pieces).equals(made)


def test_empty_segments_do_not_borrow_from_their_neighbours():
    sums = segment_sums(np.float32([1, 2, 4]), np.array([0, 0, 1, 1, 3, 3]))
    assert sums.tolist() == [0, 1, 0, 6, 0]


def test_concatenating_fills_what_some_lack():
    joined = Showers.concatenate([make_showers(2, optional=False), make_showers(3, optional=True)])
    assert np.isnan(joined.f_em[:2]).all()
    assert joined.weight[:2].tolist() == [1.0, 1.0]
    assert joined.first_layer[:2].tolist() == [-1, -1]
    assert joined.metadata == METADATA


def test_concatenating_samples_of_two_geometries_is_refused():
    other = make_showers(1).replace(metadata=ShowerMetadata(cells_sha256="cd" * 32))
    with pytest.raises(GeometryMismatchError, match="another geometry"):
        Showers.concatenate([make_showers(1), other])


def test_concatenating_nothing():
    assert len(Showers.concatenate([])) == 0


def test_awkward_shares_the_arrays(three):
    assert np.shares_memory(three.to_awkward().layout.content("energy").content.data, three.energy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": [4, 1, 4, 2, N_CELLS]}, "1 hits lie in cells outside 0..39, for instance 40, first in showers 2 "),
        ({"cell": [4, 1, -1, 2, 2]}, "for instance -1, first in showers 0 "),
        ({"cell": [4, 1, 0.5, 2, 2]}, "column cell has 1 values that are not whole numbers"),
        ({"cell": [4, 1, 4, 2]}, "offsets must run from 0 to n_hits = 4, got 0 to 5"),
        ({"energy": [1, 2, 3, 4]}, r"energy must have shape \[5\], got \[4\]"),
        ({"energy": [1, np.nan, 3, -4, np.inf]}, "3 of 5 hits have a bad energy .1 negative, 2 NaN or infinite"),
        ({"energy": ["a"] * 5}, "column energy holds <U1 values"),
        ({"energy": None}, "column missing energy"),
        ({"enrgy": [1]}, "column unknown enrgy"),
        ({"offsets": [0, 4, 3, 5]}, "offsets descend in 1 showers, first 1"),
        ({"offsets": [1, 3, 3, 5]}, "offsets must run from 0"),
        ({"offsets": []}, "offsets must have shape"),
        (
            {"incident_energy": [10, -1, np.nan]},
            "incident_energy is NaN, infinite or negative in 2 showers, first 1, 2",
        ),
        ({"incident_energy": [10, 20]}, r"incident_energy must have shape \[3\]"),
        ({"direction_x": [0, 0, 2], "direction_y": [0] * 3, "direction_z": [1] * 3}, "not a unit vector in 1 showers"),
        ({"pdg_id": [22, 22, 2**40]}, "column pdg_id has 1 values that are not whole numbers"),
        ({"time": [[1.0]] * 5}, r"time must be a NumPy array float32 \[5\], got float32 \[5, 1\]"),
    ],
)
def test_wrong_columns_are_refused_at_the_door(change, message):
    with pytest.raises(InputError, match=message):
        Showers.from_columns(THREE | change, n_cells=N_CELLS)


def test_bad_hits_are_dropped_or_kept_on_request(caplog):
    bad = THREE | {"energy": [1, np.nan, 3, -4, 5]}
    dropped = Showers.from_columns(bad, invalid="drop")
    assert dropped.cell.tolist() == [4, 4, 2]
    assert dropped.offsets.tolist() == [0, 2, 2, 3]
    assert "2 of 5 hits have a bad energy" in caplog.text
    assert len(Showers.from_columns(bad, invalid="keep").cell) == 5


def test_the_constructor_refuses_other_types(three):
    with pytest.raises(InputError, match=r"cell must be a NumPy array int32 \[5\], got int64"):
        three.replace(cell=three.cell.astype(np.int64))


def test_every_column_has_a_unit_or_is_a_pure_number():
    pure = {"cell", "pdg_id", "direction_x", "direction_y", "direction_z", "event_id", "particle_index"}
    pure |= {"weight", "first_layer", "f_em"}
    assert {name for name, column in COLUMNS.items() if not column.unit} == pure
