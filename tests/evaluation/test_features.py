from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation.feature_axis import CellGrid, axis_lines
from hgcal_gnn.evaluation.features import GROUPS, FeatureTable, compute_features
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.showers.store import open_store, write_showers
from tests.evaluation import by_hand, small_endcap

ALONG = {"direction_x": [np.sqrt(0.1)], "direction_y": [0.0], "direction_z": [np.sqrt(0.9)]}
LN = np.log([10.0, 4.0, 4.0, 1.0])
ON_PAPER = {
    "energy": 4.0,
    "visible": 0.015,
    "response": 0.8,
    "layer_1_fraction": 0.25,
    "layer_2_fraction": 0.5,
    "layer_3_fraction": 0.0,
    "start_layer": 0.0,
    "mean_layer": 9 / 4,
    "layer_spread": np.sqrt(25 / 4 - 81 / 16),
    "layer_skewness": 0.84375 / (19 / 16) ** 1.5,  # (-1.25^3 - 2 x 0.25^3 + 1.75^3) / 4
    "largest_layer": 2.0,
    "depth_50": 1.5,  # half of layer 2, which holds half of the energy behind a quarter
    "depth_90": 3.6,
    "depth_95": 3.8,
    "ring_0_fraction": 0.5,  # two hits on the axis
    "ring_3_fraction": 0.0,
    "ring_4_fraction": 0.5,  # two 4 cm beside it, rings are 1 cm wide
    "outside_fraction": 0.0,
    "radius_mean": 2.0,
    "radius_spread": 2.0,
    "radius_rms": np.sqrt(8),
    "layer_2_centre_x": 0.0,
    "layer_2_centre_y": 0.0,
    "layer_2_centre_r": 4.0,
    "layer_2_width_x": 0.0,
    "layer_2_width_y": 4.0,
    "layer_2_width_r": 0.0,
    "layer_3_centre_x": np.nan,
    "layer_3_width_r": np.nan,
    "n_hits": 4.0,
    "sparsity": 0.2,
    "n_layers": 3.0,
    "layer_2_hits": 2.0,
    "layer_3_hits": 0.0,
    "largest_hit": 1.0,
    "largest_share": 0.25,
    "hit_mips_mean": LN.mean(),
    "hit_mips_spread": LN.std(),
    "hit_mips_skewness": ((LN - LN.mean()) ** 3).mean() / LN.std() ** 3,
    # along the axis: 0, 3, 3, 10 times sqrt(10); across it: -4 and 4
    "principal_1": np.sqrt(10 * (118 / 4 - 16)),
    "principal_2": np.sqrt(8),
    "principal_3": 0.0,
    "principal_angle": 0.0,
}


def paper_shower(**columns):
    return by_hand.showers_of((by_hand.CELLS, by_hand.DEPOSITS), **{**ALONG, **columns})


def test_all_features_of_a_shower_on_paper():
    found = compute_features(paper_shower(), by_hand.NUMBERS, ring_width=1.0)
    assert len(found.names) == len(set(found.names)) == len(found.groups) == len(found.units)
    for name, value in ON_PAPER.items():
        assert found.column(name)[0] == pytest.approx(value, rel=1e-5, abs=2e-5, nan_ok=True), name


def test_the_axis_is_the_barycentre_where_no_direction_is_known_and_runs_through_the_vertex_if_asked():
    nan = {name: [np.nan] for name in ALONG}
    assert compute_features(paper_shower(**nan), by_hand.NUMBERS, ring_width=1.0).column("radius_mean")[0] == (
        pytest.approx(2.0, abs=1e-4)
    )
    beside = {"vertex_x": [0.0], "vertex_y": [3.0], "vertex_z": [0.0]}
    shifted = compute_features(paper_shower(**beside), by_hand.NUMBERS, axis="flight")
    assert shifted.column("layer_1_centre_y")[0] == pytest.approx(-3, abs=1e-4)
    assert compute_features(paper_shower(**beside), by_hand.NUMBERS).column("layer_1_centre_y")[0] == 0


def test_barrel_layers_count_sideways_and_along_z():
    numbers = by_hand.NUMBERS
    showers = by_hand.showers_of(([4], [1e-3]), direction_x=[1.0], direction_y=[0.0], direction_z=[0.0])
    moved = numbers.place.copy()
    moved[4] = (200.0, 3.0, -2.0)
    found = compute_features(showers, type(numbers)(**{**vars(numbers), "place": moved}))
    assert found.column("layer_4_centre_x")[0] == pytest.approx(3.0)  # phi grows with y
    assert found.column("layer_4_centre_y")[0] == pytest.approx(-2.0)


def test_empty_showers_have_hits_and_energies_of_0_and_no_shapes():
    found = compute_features(by_hand.showers_of(([], []), ([0], [0.0])), by_hand.NUMBERS)
    for name in ("energy", "visible", "response", "n_hits", "layer_2_hits", "largest_hit", "start_layer"):
        assert found.column(name).tolist() == [0, 0], name
    for name in ("layer_1_fraction", "ring_0_fraction", "mean_layer", "depth_50", "largest_share", "principal_1"):
        assert np.isnan(found.column(name)).all(), name


def test_showers_with_broken_hits_have_no_features_and_are_counted(caplog):
    showers = by_hand.showers_of(([0, 1], [np.nan, 1e-3]), ([0], [1e-3]), ([0], [np.inf]))
    with caplog.at_level(logging.WARNING):
        found = compute_features(showers, by_hand.NUMBERS)
    assert found.finite().any(axis=1).tolist() == [False, True, False]
    assert "2 of 3 showers" in caplog.text


def test_unknown_incident_energies_leave_no_response():
    showers = paper_shower(incident_energy=[0.0])
    found = compute_features(showers, by_hand.NUMBERS)
    assert np.isnan(found.column("response")[0])
    assert found.column("energy")[0] == 4


def test_names_and_groups_can_be_asked_for():
    showers = paper_shower()
    found = compute_features(showers, by_hand.NUMBERS, ["longitudinal", "layer_2_energy", "n_hits"])
    assert set(found.groups) == {"longitudinal", "layer_energy", "occupancy"}
    assert found.names[-2:] == ("n_hits", "layer_2_energy")
    assert found.column("layer_2_energy")[0] == 2
    everything = compute_features(showers, by_hand.NUMBERS)
    assert set(everything.groups) < set(GROUPS)
    assert everything.only(["occupancy", "energy"]).names[-1] == "layer_4_hits"
    with pytest.raises(UsageError, match="no features or groups layer_9_fraction"):
        compute_features(showers, by_hand.NUMBERS, ["layer_9_fraction"])
    with pytest.raises(UsageError, match="asked for"):
        compute_features(showers, by_hand.NUMBERS, [])
    with pytest.raises(UsageError, match="no convention 'theirs'"):
        compute_features(showers, by_hand.NUMBERS, convention="theirs")
    with pytest.raises(UsageError, match="no feature nothing"):
        everything.column("nothing")


def test_hits_of_another_geometry_are_refused():
    with pytest.raises(InputError, match=r"1 hits are in cells .* shower 1, cell 99"):
        compute_features(by_hand.showers_of(([0], [1e-3]), ([99], [1e-3])), by_hand.NUMBERS)


def test_a_table_checks_its_shape():
    with pytest.raises(InputError, match=r"shape \[2, 1\]"):
        FeatureTable(("a",), ("energy",), ("",), np.zeros((3, 1), np.float32), np.zeros(2, np.float32))


def test_stores_and_showers_give_the_same_and_progress_is_told(tmp_path):
    numbers = small_endcap.numbers_of()
    showers = small_endcap.ruled_showers(len(numbers.layer), n_hits=3, n_showers=9000)
    write_showers(showers, tmp_path / "some.arrow")
    told = []
    from_store = compute_features(open_store(tmp_path / "some.arrow"), numbers, progress=told.append)
    assert told == [8192, 9000]
    in_memory = compute_features(showers, numbers)
    np.testing.assert_array_equal(from_store.values, in_memory.values)
    some = in_memory.select([8999, 0])
    np.testing.assert_array_equal(some.values, compute_features(showers[[8999, 0]], numbers).values)
    assert some.incident_energy.tolist() == [9000, 1]
    assert not some.finite().all()
    assert some.filled(-1).finite().all()
    assert (some.filled(-1).values[~some.finite()] == -1).all()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 674), st.floats(1e-6, 1e-2)), min_size=1, max_size=40), st.floats(0.5, 2))
def test_shapes_do_not_depend_on_the_energy_scale_nor_on_the_order_of_hits(hits, scale):
    numbers = small_endcap.numbers_of()
    cell, energy = (np.array(values) for values in zip(*hits, strict=True))
    along = small_endcap.ruled_showers(675, n_showers=1)
    direction = {name: getattr(along, name) for name in ALONG}

    def features(cells, deposits):
        columns = {"offsets": [0, len(cells)], "cell": cells, "energy": deposits, "incident_energy": [1.0]}
        return compute_features(Showers.from_columns({**columns, **direction}), numbers)

    one, other = features(cell, energy), features(cell[::-1], energy[::-1] * scale)
    for name in ("longitudinal", "radial", "centre", "width", "occupancy"):
        alike = [entry for entry in one.only([name]).names if entry != "start_layer"]
        np.testing.assert_allclose(one.only(alike).values, other.only(alike).values, rtol=1e-3, atol=1e-2)
    assert other.column("response")[0] == pytest.approx(scale * one.column("response")[0], rel=1e-5)
    assert one.only([f"ring_{ring}_fraction" for ring in range(20)]).values.sum() + one.column("outside_fraction")[
        0
    ] == pytest.approx(1, abs=1e-5)


def test_the_axis_cell_is_the_nearest_of_all_cells():
    numbers = small_endcap.numbers_of()
    random = np.random.default_rng(0)
    showers = small_endcap.ruled_showers(len(numbers.layer), n_hits=1, n_showers=200)
    # 8 cm at most from the middle, inside the cells
    eta = (small_endcap.ETA + random.uniform(-0.07, 0.07, 200)).astype(np.float32)
    r = 1 / np.cosh(eta)
    showers = showers.replace(
        direction_x=(r * np.cos(np.float32(1.57))).astype(np.float32),
        direction_y=(r * np.sin(np.float32(1.57))).astype(np.float32), direction_z=np.tanh(eta),
    )  # fmt: skip
    lines = axis_lines(showers, numbers)
    found = CellGrid.of(numbers).nearest(lines, numbers)
    for layer in range(3):
        rows = np.flatnonzero(numbers.layer == layer + 1)
        point = lines[:, 3:5] / lines[:, 5:] * float(numbers.place[rows[0], 2])
        distance = np.hypot(*(numbers.place[rows, axis][None] - point[:, axis, None] for axis in (0, 1)))
        np.testing.assert_array_equal(found[:, layer], rows[distance.argmin(axis=1)])
    away = lines.copy()
    away[:, 0] += 100
    assert (CellGrid.of(numbers).nearest(away, numbers) == -1).all()
