"""The built-in HGCAL against the real module table, the real cells around eta 2, and numbers worked out by hand."""

from __future__ import annotations

import gzip
import hashlib
import json

import numpy as np
import pyarrow.csv
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.detectors.numbers import numbers
from hgcal_gnn.geometry.detectors.wafers import cell_centres, shapes, wafer_pitch
from hgcal_gnn.geometry.detid import decode_scintillator, decode_silicon, endcap_layer

# Cells read out per module code: published, hgcal_constants.json `cells_per_wafer`.
CELLS = {
    "MHF": 432, "MHB": 253, "MHT": 155, "MHL": 138, "MHR": 138,
    "MLF": 192, "ML5": 156, "MLB": 93, "MLT": 92, "MLL": 100, "MLR": 94,
}  # fmt: skip
BOARD_STARTS = (7, 19, 27, 35)  # rings at which the next tile board of a 10 degree sector begins (module table)


@pytest.fixture(scope="module")
def hgcal() -> CellTable:
    return make_detector("hgcal")


@pytest.fixture(scope="module")
def modules(shared_data):
    """Module table: plane -> (codes of the silicon modules, polygons of the tile modules)."""
    with gzip.open(shared_data / "cms_hgcal_modules_v16_5.csv.gz", "rt") as file:
        header, *lines = [line.strip().split(",") for line in file]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    planes = range(1, 48)
    silicon = {plane: [] for plane in planes}
    tiles = {plane: [] for plane in planes}
    for row in rows:
        plane = int(row["plane"])
        if row["isSiPM"] == "0":
            silicon[plane].append(row["typecode"][:2] + row["typecode"][3])
        else:
            n = int(row["nvertices"])
            corners = [(float(row[f"vx_{i}"]), float(row[f"vy_{i}"])) for i in range(n)]
            tiles[plane].append(np.array(corners))
    return silicon, tiles


def wafers_of(table: CellTable, rows) -> np.ndarray:
    """One number per (wafer u, wafer v) of the rows."""
    return np.unique(table.extra["wafer_u"][rows].astype(int) * 64 + table.extra["wafer_v"][rows])


def test_size_is_that_of_the_real_detector(hgcal):
    silicon = int(hgcal.is_silicon.sum())
    assert abs(silicon / 5.79e6 - 1) < 0.01
    assert 0.22e6 < hgcal.n_cells - silicon <= 0.24e6
    assert sorted(np.unique(hgcal.layer).tolist()) == list(range(1, 48))
    assert dict(hgcal.subdetector_names) == {8: "CE-E", 9: "CE-H silicon", 10: "CE-H scintillator"}


def test_rows_are_sorted_and_ids_unique(hgcal):
    key = (
        (hgcal.z_side.astype(np.int64) + 1) << 48
        | hgcal.layer.astype(np.int64) << 40
        | hgcal.subdetector.astype(np.int64) << 32
        | hgcal.cell_id.astype(np.int64)
    )
    assert (np.diff(key) > 0).all()
    assert (np.diff(np.sort(hgcal.cell_id)) > 0).all()


def test_ids_say_what_the_columns_say(hgcal):
    silicon = hgcal.is_silicon == 1
    decoded = decode_silicon(hgcal.cell_id[silicon])
    for name in ("wafer_u", "wafer_v", "cell_u", "cell_v"):
        np.testing.assert_array_equal(getattr(decoded, name), hgcal.extra[name][silicon])
    np.testing.assert_array_equal(decoded.cell_type, hgcal.cell_type[silicon])
    np.testing.assert_array_equal(decoded.z_side, hgcal.z_side[silicon])
    tiles = decode_scintillator(hgcal.cell_id[~silicon])
    np.testing.assert_array_equal(tiles.ring, hgcal.extra["ring"][~silicon])
    np.testing.assert_array_equal(tiles.iphi, hgcal.extra["iphi"][~silicon])
    np.testing.assert_array_equal(endcap_layer(hgcal.cell_id, 26), hgcal.layer)
    assert (hgcal.extra["ring"][silicon] == -1).all()
    assert (hgcal.extra["cell_u"][~silicon] == -1).all()


def test_second_endcap_is_turned_around_y(hgcal):
    half = hgcal.n_cells // 2
    minus, plus = hgcal.select(slice(0, half)), hgcal.select(slice(half, None))
    assert (minus.z_side == -1).all()
    assert (plus.z_side == 1).all()
    np.testing.assert_array_equal(minus.cell_id, plus.cell_id | np.uint64(1 << 25))
    np.testing.assert_array_equal(minus.x, -plus.x)
    np.testing.assert_array_equal(minus.y, plus.y)
    np.testing.assert_array_equal(minus.z, -plus.z)


@pytest.mark.parametrize("side", [1, -1])
def test_sides_are_laid_out_as_in_real_events(hgcal, shared_data, side):
    """Rec hits of an older geometry: wafer (u, v) and tile phi say where a cell is on either side as they do here."""
    names = [f"rechit_{name}" for name in ("x", "y", "z", "detid", "wafer_u", "wafer_v")]
    with uproot.open(shared_data / "cms_hgcal_muons_ntuple.root") as file:
        arrays = file["ana/hgc"].arrays(names, library="np")
    x, y, z, ids, u, v = (np.concatenate(arrays[name]) for name in names)
    here = np.sign(z) == side
    silicon = here & (ids.astype(np.int64) >> 28 & 15 == 8)
    real = np.linalg.lstsq(np.column_stack([u[silicon], v[silicon]]), np.column_stack([x, y])[silicon], rcond=None)[0]
    rows = (hgcal.z_side == side) & (hgcal.layer == 1)
    wafer = np.column_stack([hgcal.extra["wafer_u"][rows], hgcal.extra["wafer_v"][rows]])
    ours = np.linalg.lstsq(wafer, np.column_stack([hgcal.x, hgcal.y])[rows], rcond=None)[0]
    np.testing.assert_allclose(ours, real, atol=0.2)
    tile = np.flatnonzero(here & (ids.astype(np.int64) >> 28 & 15 == 10))
    iphi = (ids[tile].astype(np.int64) & 511).astype(int)
    rows = np.flatnonzero((hgcal.z_side == side) & (hgcal.layer == 47) & (hgcal.is_silicon == 0))
    first = np.unique(hgcal.extra["iphi"][rows], return_index=True)[1]
    phi = np.arctan2(hgcal.y[rows[first]], hgcal.x[rows[first]])  # [288]
    known = iphi <= 288
    turned = np.arctan2(y[tile], x[tile])[known] - phi[iphi[known] - 1]
    agree = np.abs(np.remainder(turned + np.pi, 2 * np.pi) - np.pi) < 1e-3
    assert agree.sum() > 0.8 * len(tile)  # that geometry has 360 tiles around in its first mixed layers


def test_silicon_agrees_with_the_module_table(hgcal, modules):
    here = (hgcal.z_side > 0) & (hgcal.is_silicon == 1)
    totals = np.zeros(4)
    for plane, codes in modules[0].items():
        rows = np.flatnonzero(here & (hgcal.layer == plane))
        real = np.array([len(codes), sum(CELLS[code] for code in codes)])
        ours = np.array([len(wafers_of(hgcal, rows)), len(rows)]) / 3  # the table holds a third of an endcap
        assert (np.abs(ours / real - 1) < 0.03).all(), (plane, ours, real)
        totals += [*ours, *real]
    assert (np.abs(totals[:2] / totals[2:] - 1) < 0.01).all()


def test_high_density_region_agrees_with_the_module_table(hgcal, modules):
    here = (hgcal.z_side > 0) & (hgcal.is_silicon == 1)
    for plane, codes in modules[0].items():
        fine = sum(CELLS[code] for code in codes if code.startswith("MH"))
        ours = int((here & (hgcal.layer == plane) & (hgcal.cell_type == 0)).sum()) / 3
        assert ours == fine or abs(ours / fine - 1) < 0.03, (plane, ours, fine)


def test_tiles_are_those_of_the_module_table(hgcal, modules):
    edges = np.array(numbers("hgcal")["tiles"]["ring_edges_mm"])
    middle = (edges[1:] + edges[:-1]) / 2
    phi = (np.arange(96) + 0.5) * 1.25
    for plane, polygons in modules[1].items():
        rows = (hgcal.z_side > 0) & (hgcal.is_silicon == 0) & (hgcal.layer == plane)
        ring, iphi = hgcal.extra["ring"][rows].astype(int), hgcal.extra["iphi"][rows].astype(int)
        covered = np.zeros((len(middle), len(phi)), dtype=bool)
        for corners in polygons:
            covered |= covers(corners, middle, phi)
        for third in range(3):
            ours = np.zeros_like(covered)
            mine = (iphi - 1) // 96 == third
            ours[ring[mine] - 1, (iphi[mine] - 1) % 96] = True
            np.testing.assert_array_equal(ours, covered)
        boards = set(zip(np.searchsorted(BOARD_STARTS, ring, side="right"), (iphi - 1) // 8, strict=True))
        assert len(boards) == 3 * len(polygons)


def covers(corners: np.ndarray, r: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Tell which (r, phi [degrees]) lie in a polygon whose sides are straight in r and phi."""
    a, b = np.degrees(np.arctan2(corners[:, 1], corners[:, 0])), np.hypot(corners[:, 0], corners[:, 1])
    x, y = np.meshgrid(phi, r)
    inside = np.zeros(x.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(
        zip(a, b, strict=True), zip(np.roll(a, -1), np.roll(b, -1), strict=True), strict=True
    ):
        crosses = (y0 > y) != (y1 > y)
        at = x0 + (y - y0) * (x1 - x0) / np.where(y1 == y0, 1, y1 - y0)
        inside ^= crosses & (x < at)
    return inside


def test_real_cells_around_eta_two_are_found_in_place(hgcal, shared_data):
    real = pyarrow.csv.read_csv(shared_data / "cms_hgcal_cee_window.csv.gz").to_pydict()
    ids = np.array(real["globalid"], np.uint64)
    order = np.argsort(hgcal.cell_id)
    at = order[np.searchsorted(hgcal.cell_id, ids, sorter=order)]
    np.testing.assert_array_equal(hgcal.cell_id[at], ids)  # wafer, cell, type and layer of every cell exist
    np.testing.assert_array_equal(hgcal.layer[at], real["layerid"])
    distance = np.hypot(hgcal.x[at] - real["x"], hgcal.y[at] - real["y"])
    # Wafer (4, 8) lies on the border of two sectors; it is turned with the other one in reality.
    on_border = (hgcal.extra["wafer_u"][at] == 4) & (hgcal.extra["wafer_v"][at] == 8)
    assert distance[~on_border].max() < 0.01
    np.testing.assert_allclose(hgcal.z[at], real["z"], atol=1e-4)


def test_sensor_on_the_axis_at_eta_two(hgcal):
    """200 um in layers 1-24, 300 um from 25, scintillator from about 40 (CMSHGCaloChallenge)."""
    heights = np.array(numbers("hgcal")["layers"]["z_cm"])
    r = heights * 2 * np.exp(-2.0) / (1 - np.exp(-4.0))  # z tan(theta) at eta 2
    found = []
    for layer in range(1, 48):
        rows = np.flatnonzero((hgcal.z_side > 0) & (hgcal.layer == layer))
        x, y = r[layer - 1] * np.cos(1.57), r[layer - 1] * np.sin(1.57)
        nearest = rows[np.hypot(hgcal.x[rows] - x, hgcal.y[rows] - y).argmin()]
        found.append((int(hgcal.is_silicon[nearest]), int(hgcal.cell_type[nearest])))
    assert found[:24] == [(1, 1)] * 24
    assert found[24:39] == [(1, 2)] * 15
    assert all(silicon == 0 for silicon, _ in found[39:])


def test_layer_heights_are_the_published_ones(hgcal, shared_data):
    published = json.loads((shared_data / "hgcal_constants.json").read_text())["layer_z_cm_47"]
    first = np.unique(hgcal.layer[hgcal.z_side > 0], return_index=True)[1] + np.flatnonzero(hgcal.z_side > 0)[0]
    np.testing.assert_allclose(hgcal.z[first], published, atol=1e-4)


@pytest.mark.parametrize(("n_side", "pitch"), [(8, 1.209), (12, 0.806)])
@given(placement=st.integers(0, 11))
def test_neighbours_in_a_wafer_are_the_three_lattice_directions(n_side, pitch, placement):
    u, v = (index.ravel() for index in np.mgrid[: 2 * n_side, : 2 * n_side])
    x, y = (axis.reshape(2 * n_side, -1) for axis in cell_centres(u, v, n_side, placement))
    step = wafer_pitch() / (np.sqrt(3) * n_side)
    assert abs(step - pitch) < 1e-3
    for du, dv in ((1, 0), (0, 1), (1, 1)):
        apart = np.hypot(
            x[du:, dv:] - x[: 2 * n_side - du, : 2 * n_side - dv], y[du:, dv:] - y[: 2 * n_side - du, : 2 * n_side - dv]
        )
        np.testing.assert_allclose(apart, step, rtol=1e-12)
    np.testing.assert_allclose(
        np.hypot(x[1:, :-1] - x[:-1, 1:], y[1:, :-1] - y[:-1, 1:]), step * np.sqrt(3), rtol=1e-12
    )


@pytest.mark.parametrize("density", ["LD", "HD"])
def test_partial_wafers_have_the_published_cells_inside_their_outline(density):
    for shape in shapes(density):
        code = f"M{density[0]}" + {"five": "5"}.get(shape.name, shape.name[0].upper())
        assert len(shape.u) == CELLS[code]
        assert shape.share == 1 or abs(area(shape.outline) / area(wafer_corners()) - shape.share) < 0.03
        for ahead, corner in zip(np.roll(shape.outline, -1, axis=0), shape.outline, strict=True):
            left = (ahead[0] - corner[0]) * (shape.y - corner[1]) - (ahead[1] - corner[1]) * (shape.x - corner[0])
            assert (left >= 0).all()  # outlines run counter-clockwise


def wafer_corners() -> np.ndarray:
    angle = np.radians(90 + 60 * np.arange(6))
    return wafer_pitch() / np.sqrt(3) * np.column_stack([np.cos(angle), np.sin(angle)])


def area(corners: np.ndarray) -> float:
    x, y = corners.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


@pytest.mark.parametrize("layer", [2, 10, 33, 38])
def test_low_density_lattice_runs_on_across_wafers(hgcal, layer):
    """Every LD cell with only full LD wafers around it has six neighbours one pitch away, none nearer."""
    rows = np.flatnonzero((hgcal.z_side > 0) & (hgcal.is_silicon == 1) & (hgcal.layer == layer))
    wafer = hgcal.extra["wafer_u"][rows].astype(int) * 64 + hgcal.extra["wafer_v"][rows]
    listed, number, population = np.unique(wafer, return_inverse=True, return_counts=True)
    centre = (
        np.column_stack([np.bincount(number, hgcal.x[rows]), np.bincount(number, hgcal.y[rows])]) / population[:, None]
    )
    full = np.flatnonzero(population == 192)
    around = cKDTree(centre[full]).query_ball_point(centre[full], 1.1 * wafer_pitch(), return_length=True)
    inner = np.isin(listed[number], listed[full[around == 7]])
    assert inner.sum() > 2000
    tree = cKDTree(np.column_stack([hgcal.x[rows], hgcal.y[rows]]).astype(float))
    distance, _ = tree.query(tree.data[inner], k=8)
    pitch = wafer_pitch() / (8 * np.sqrt(3))
    np.testing.assert_allclose(distance[:, 1:7], pitch, rtol=1e-4)
    assert (distance[:, 7] > 1.7 * pitch).all()


@pytest.mark.parametrize("layer", [1, 14, 29, 33, 34, 40, 45])
def test_no_two_cells_lie_on_top_of_each_other(hgcal, layer):
    """Lattices of different axes meet at 1/sqrt(3) of the pitch (also in reality), those of HD and LD at 0.615 cm."""
    rows = np.flatnonzero((hgcal.z_side > 0) & (hgcal.layer == layer))
    tree = cKDTree(np.column_stack([hgcal.x[rows], hgcal.y[rows]]).astype(float))
    distance, nearest = tree.query(tree.data, k=2)
    fine = (hgcal.is_silicon[rows] == 1) & (hgcal.cell_type[rows] == 0)
    both_fine = fine & fine[nearest[:, 1]]
    assert (distance[both_fine, 1] > 0.465).all()
    assert (distance[~both_fine, 1] > 0.615).all()


@pytest.mark.parametrize("layer", [34, 38, 40, 41, 44, 45])
def test_silicon_keeps_out_of_the_tiles(hgcal, layer):
    rows = (hgcal.z_side > 0) & (hgcal.layer == layer)
    tile, silicon = rows & (hgcal.is_silicon == 0), rows & (hgcal.is_silicon == 1)
    edges = np.array(numbers("hgcal")["tiles"]["ring_edges_mm"]) / 10
    present = np.zeros((len(edges) + 1, 289), dtype=bool)
    present[hgcal.extra["ring"][tile], hgcal.extra["iphi"][tile]] = True
    ring = np.searchsorted(edges, np.hypot(hgcal.x[silicon], hgcal.y[silicon]))
    iphi = (np.degrees(np.arctan2(hgcal.y[silicon], hgcal.x[silicon])) / 1.25 // 1).astype(int) % 288 + 1
    assert not present[ring, iphi].any()


@pytest.mark.parametrize("layer", [1, 2, 14, 29, 34, 41, 45])
def test_layers_have_the_symmetry_of_their_thirds(hgcal, layer):
    rows = np.flatnonzero((hgcal.z_side > 0) & (hgcal.layer == layer))
    points = np.column_stack([hgcal.x[rows], hgcal.y[rows]]).astype(float)
    cos, sin = -0.5, np.sqrt(3) / 2
    distance, nearest = cKDTree(points).query(points @ np.array([[cos, sin], [-sin, cos]]))
    assert distance.max() < 1e-4
    np.testing.assert_array_equal(hgcal.cell_type[rows], hgcal.cell_type[rows][nearest])


WINDOWS = [
    {"layers": (30, 41)},
    {"side": -1, "layers": (1, 2)},
    {"eta": (1.9, 2.1), "side": 1},
    {"eta": (-2.5, -2.4), "phi": (3.0, -3.0)},
    {"eta": (1.4, 1.7), "phi": (-0.1, 0.2), "layers": (36, 47)},
    {"eta": (1.9, 2.1), "phi": (np.pi / 2, 5 * np.pi), "layers": (20, 20)},
    {"phi": (np.pi / 2, np.pi / 2 + 0.001), "side": -1},  # starts on cells with x = 0
    {"eta": (2.0, 2.001), "phi": (1.0, 1.02)},
]


@pytest.mark.parametrize("window", WINDOWS)
def test_window_is_a_cut_through_the_whole(hgcal, window):
    check_window(hgcal, window)


@given(
    eta=st.tuples(st.floats(-3.2, 3.2), st.floats(0.01, 1)),
    phi=st.tuples(st.floats(-10, 10), st.floats(0.01, 7)),
    layer=st.integers(1, 47),
)
@settings(max_examples=15, deadline=None)
def test_any_window_is_a_cut_through_the_whole(hgcal, eta, phi, layer):
    check_window(hgcal, {"eta": (eta[0], sum(eta)), "phi": (phi[0], sum(phi)), "layers": (layer, layer)})


def check_window(hgcal: CellTable, window: dict) -> None:
    first, last = window.get("layers", (1, 47))
    keep = (hgcal.layer >= first) & (hgcal.layer <= last)
    if "side" in window:
        keep &= hgcal.z_side == window["side"]
    rows = np.flatnonzero(keep)
    x, y, z = (axis[rows].astype(float) for axis in (hgcal.x, hgcal.y, hgcal.z))
    inside = np.ones(len(rows), dtype=bool)
    if "eta" in window:
        eta = np.arcsinh(z / np.hypot(x, y))
        inside &= (eta >= window["eta"][0]) & (eta <= window["eta"][1])
    if "phi" in window and window["phi"][1] - window["phi"][0] < 2 * np.pi:
        turned = np.mod(np.arctan2(y, x) - window["phi"][0], 2 * np.pi)
        inside &= turned <= (window["phi"][1] - window["phi"][0]) % (2 * np.pi)
    rows = rows[inside]
    if not len(rows):
        with pytest.raises(UsageError, match="no cell"):
            make_detector("hgcal", **window)
        return
    piece = make_detector("hgcal", **window)
    whole = hgcal.select(rows)
    for name, values in whole.columns().items():
        np.testing.assert_array_equal(piece.columns()[name], values, err_msg=name)


def test_same_bytes_every_time(hgcal):
    assert make_detector("hgcal").sha256 == hgcal.sha256
    piece = make_detector("hgcal", layers=(1, 2), side=1)
    # Changes of this hash make graphs and stores of users unreadable with the new version: say so in the change log.
    assert piece.sha256[:16] == "9e549a6fc8b4f91b"
    assert hashlib.sha256(piece.x.tobytes()).hexdigest() == hashlib.sha256(hgcal_rows(hgcal).x.tobytes()).hexdigest()


def hgcal_rows(hgcal: CellTable) -> CellTable:
    return hgcal.select((hgcal.z_side > 0) & (hgcal.layer <= 2))
