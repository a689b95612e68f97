"""The regular built-in detectors: counts and edges as published, sizes by hand, voxels and back."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.detectors import DETECTORS, make_detector, voxel_map

REGULAR = [name for name in DETECTORS if name not in {"hgcal", "toy"}]  # "toy" is large: see test_toy_detector.py
SHAPES = {
    "clic": {"ECAL": (51, 51, 25), "HCAL": (11, 11, 60)},
    "lcd": {"ECAL": (24, 24, 25), "HCAL": (4, 4, 60)},
    "lcd25": {"ECAL": (25, 25, 25), "HCAL": (5, 5, 60)},
    "ild-ecal": {"ECAL": (30, 30, 30)},
    "ild-ahcal": {"HCAL": (48, 25, 25)},
    "calogan": {"layer_0": (3, 96), "layer_1": (12, 12), "layer_2": (12, 6)},
    "calogan-siw": {"layer_0": (12, 12), "layer_1": (12, 12), "layer_2": (12, 12)},
    "calochallenge-2": {"showers": (45, 16, 9)},
    "calochallenge-3": {"showers": (45, 50, 18)},
}
N_CELLS = {
    "clic": 51 * 51 * 25 + 11 * 11 * 60,
    "lcd": 24 * 24 * 25 + 4 * 4 * 60,
    "calogan": 504,
    "calochallenge-1-photons": 368,
    "calochallenge-1-pions": 533,
    "calochallenge-2": 6480,
    "calochallenge-3": 40500,
}


@pytest.mark.parametrize("name", REGULAR)
def test_table_and_voxels_hold_the_same_cells(name):
    table, voxels = make_detector(name), voxel_map(name)
    assert table.n_cells == voxels.n_cells == N_CELLS.get(name, table.n_cells)
    assert name not in SHAPES or voxels.shapes == SHAPES[name]
    assert sorted(np.concatenate([rows.ravel() for rows in voxels.rows.values()])) == list(range(table.n_cells))
    np.testing.assert_array_equal(table.cell_id, np.arange(1, table.n_cells + 1))
    assert all(len(voxels.axes[section]) == len(shape) for section, shape in voxels.shapes.items())
    assert np.unique(table.layer).tolist() == list(range(1, int(table.layer.max()) + 1))


@pytest.mark.parametrize("name", REGULAR)
def test_voxels_and_back(name):
    voxels = voxel_map(name)
    values = np.random.default_rng(1).random((3, voxels.n_cells), dtype=np.float32)
    back = voxels.to_cells(voxels.to_voxels(values))
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, values)


def test_voxel_axes_are_the_places_of_the_cells():
    table, voxels = make_detector("lcd"), voxel_map("lcd")
    y, z, layer = (voxels.to_voxels(column)["ECAL"] for column in (table.y, table.z, table.layer))
    assert (np.diff(y, axis=0) > 0.5).all()
    assert (np.diff(z, axis=1) > 0.5).all()
    assert (np.diff(layer, axis=2) == 1).all()
    assert np.ptp(y, axis=(1, 2)).max() == 0
    table, voxels = make_detector("calogan"), voxel_map("calogan")
    eta = voxels.to_voxels(table.x)["layer_0"]
    np.testing.assert_allclose(np.diff(eta, axis=1), 0.5, atol=1e-5)  # 5 mm strips in eta
    np.testing.assert_allclose(np.diff(voxels.to_voxels(table.y)["layer_0"], axis=0), 16.0, atol=1e-5)


@pytest.mark.parametrize("name", ["clic", "lcd", "lcd25", "ild-ecal", "ild-ahcal"])
def test_barrel_stacks_have_their_cells_side_by_side(name):
    table = make_detector(name)
    assert (table.z_side == 0).all()
    for layer in (1, int(table.layer.max())):
        rows = table.layer == layer
        for axis, size in ((table.y, "dy"), (table.z, "dz")):
            places = np.unique(axis[rows])
            np.testing.assert_allclose(np.diff(places), table.extra[size][rows][0], rtol=1e-4)
            assert abs(places.sum()) < 1e-3  # centred
    depth = table.x[np.unique(table.layer, return_index=True)[1]]
    assert (np.diff(depth) > table.extra["dx"][0] / 2).all()


def test_depths_by_hand():
    clic = make_detector("clic")
    first = np.unique(clic.layer, return_index=True)[1]
    depth = clic.x[first]
    assert depth[0] == pytest.approx(150.0 + 0.24 + 0.3192 / 2)
    assert depth[24] == pytest.approx(165.9 - 0.3192 / 2)  # the last gap ends at 1659 mm
    assert depth[25] == pytest.approx(174.0 + 1.9 + 0.375)
    assert depth[-1] == pytest.approx(333.0 - 0.375)
    calogan = make_detector("calogan")
    z, dz = (np.unique(column)[np.argsort(np.unique(column))] for column in (calogan.z, calogan.extra["dz"]))
    np.testing.assert_allclose(np.sort(z), [154.5, 176.35, 195.85], rtol=1e-6)
    np.testing.assert_allclose(dz.sum(), 48.0, rtol=1e-6)  # 480 mm in all


def test_sensitive_layers_and_sections():
    clic = make_detector("clic")
    assert dict(clic.subdetector_names) == {1: "ECAL", 2: "HCAL"}
    assert ((clic.is_silicon == 1) == (clic.subdetector == 1)).all()
    assert ((clic.layer <= 25) == (clic.subdetector == 1)).all()
    assert dict(make_detector("ild-ahcal").subdetector_names) == {2: "HCAL"}


def test_ild_planes_are_those_of_the_real_hits(shared_data):
    with uproot.open(shared_data / "ild_photon_1_event.edm4hep.root") as file:
        y = [
            file["events"][f"{name}/{name}.position.y"].array(library="np")[0]
            for name in ("ECalBarrelSiHitsEven", "ECalBarrelSiHitsOdd")
        ]
    radius = np.concatenate(y) / 10
    planes = np.unique(make_detector("ild-ecal").x)
    away = np.abs(radius[:, None] - planes).min(axis=1)
    in_stave = (radius > 180) & (radius < 202)  # the photon flies along +y; few hits lie in other staves
    assert in_stave.sum() > 900
    assert away[in_stave].max() < 0.02


def test_lcd_arrays_are_those_of_the_real_file(shared_data):
    voxels = voxel_map("lcd")
    with h5py.File(shared_data / "lcd_photon_pi0_50_showers.h5") as file:
        showers = {section: file[section][:] for section in ("ECAL", "HCAL")}
    cells = voxels.to_cells(showers)
    assert cells.shape == (50, voxels.n_cells)
    np.testing.assert_allclose(cells.sum(), sum(values.sum() for values in showers.values()), rtol=1e-5)
    # The transverse centre of the showers lies near the middle of the window (the window is cut around them).
    table = make_detector("lcd")
    ecal = table.subdetector == 1
    assert np.abs(cells[:, ecal] @ table.y[ecal] / cells[:, ecal].sum(axis=1)).max() < 1.5
    assert np.abs(cells[:, ecal] @ table.z[ecal] / cells[:, ecal].sum(axis=1)).max() < 1.5


# Published: binning_dataset_1_photons.xml and ..._pions.xml, one line per ATLAS sampling.
PHOTON_LAYERS = [(8, 1, 600), (16, 10, 200), (19, 10, 400), (5, 1, 600), (5, 1, 2000)]
PION_LAYERS = [(8, 1, 600), (10, 10, 200), (10, 10, 400), (5, 1, 600), (15, 10, 2000), (16, 10, 2000), (10, 1, 2000)]


@pytest.mark.parametrize(
    ("name", "published"), [("calochallenge-1-photons", PHOTON_LAYERS), ("calochallenge-1-pions", PION_LAYERS)]
)
def test_data_set_1_binning(name, published):
    table = make_detector(name)
    found = []
    for layer in range(1, int(table.layer.max()) + 1):
        rows = table.layer == layer
        r, dr = table.extra["r"][rows], table.extra["dr"][rows]
        outer = (r + dr / 2).max() * 10
        found.append((len(np.unique(r)), round(2 * np.pi / table.extra["dphi"][rows][0]), round(float(outer))))
    assert found == published


def test_photon_strips_have_the_published_radial_edges():
    table = make_detector("calochallenge-1-photons")
    rows = np.flatnonzero(table.layer == 2)[:16]
    r, dr = table.extra["r"][rows], table.extra["dr"][rows]
    edges = [0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40, 50, 70, 90, 120, 150, 200]
    np.testing.assert_allclose(np.append(r - dr / 2, r[-1] + dr[-1] / 2) * 10, edges, atol=1e-4)


@pytest.mark.parametrize(("name", "n_alpha", "n_r"), [("calochallenge-2", 16, 9), ("calochallenge-3", 50, 18)])
def test_voxels_run_over_r_then_alpha_then_layer(name, n_alpha, n_r):
    table = make_detector(name)
    r = (np.arange(n_r) + 0.5) * 4.185 / n_r
    alpha = -np.pi + (np.arange(n_alpha) + 0.5) * 2 * np.pi / n_alpha
    np.testing.assert_allclose(table.extra["r"], np.tile(r, n_alpha * 45), rtol=1e-5)
    np.testing.assert_allclose(table.extra["phi"], np.tile(np.repeat(alpha, n_r), 45), atol=1e-6)
    np.testing.assert_allclose(np.diff(np.unique(table.z)), 0.34, rtol=1e-4)
    flat = np.concatenate([rows.ravel() for rows in voxel_map(name).rows.values()])
    np.testing.assert_array_equal(flat, np.arange(table.n_cells))  # the file's order is the row order


def test_centroid_of_a_sector_by_integration():
    table = make_detector("calochallenge-2")
    inner, outer, opening = 0.465, 0.93, 2 * np.pi / 16  # second ring of the first slice
    r = np.linspace(inner, outer, 2001)
    angle = np.linspace(-np.pi, -np.pi + opening, 2001)
    weight = np.outer(r, np.ones_like(angle))
    x = np.trapezoid(np.trapezoid(weight * np.outer(r, np.cos(angle)), angle), r)
    y = np.trapezoid(np.trapezoid(weight * np.outer(r, np.sin(angle)), angle), r)
    area = np.trapezoid(np.trapezoid(weight, angle), r)
    assert table.x[1] == pytest.approx(x / area, rel=1e-5)
    assert table.y[1] == pytest.approx(y / area, rel=1e-5)


def test_undivided_rings_are_centred_on_the_axis():
    table = make_detector("calochallenge-1-photons", layers=(1, 1))
    assert (table.x == 0).all()
    assert (table.y == 0).all()
    assert (table.extra["dphi"] == np.float32(2 * np.pi)).all()


@given(st.sampled_from(REGULAR), st.data())
def test_windows_cut_the_whole(name, data):
    table = make_detector(name)
    layer = data.draw(st.integers(1, int(table.layer.max())))
    piece = make_detector(name, layers=(layer, layer))
    np.testing.assert_array_equal(piece.cell_id, table.cell_id[table.layer == layer])


def test_window_in_eta_and_phi():
    table = make_detector("clic", eta=(0.0, 0.01), phi=(-0.01, 0.02), layers=(1, 25))
    eta = np.arcsinh(table.z / np.hypot(table.x, table.y))
    phi = np.arctan2(table.y, table.x)
    assert 0 < table.n_cells < 65025
    assert eta.min() >= 0
    assert eta.max() <= 0.01
    assert phi.min() >= -0.01
    assert phi.max() <= 0.02


def test_side_of_cylinders_and_barrels():
    assert make_detector("calochallenge-2", side=1).n_cells == 6480
    with pytest.raises(UsageError, match="no side -1"):
        make_detector("calochallenge-2", side=-1)
    with pytest.raises(UsageError, match=r"no side \+1"):
        make_detector("clic", side=1)


@pytest.mark.parametrize("call", [make_detector, voxel_map])
def test_unknown_detectors_are_refused_with_the_known_ones(call):
    with pytest.raises(UsageError, match=r"'hgcla'.*hgcal, clic, lcd"):
        call("hgcla")


def test_hgcal_has_no_voxels():
    with pytest.raises(UsageError, match=r"hgcal form no array.*clic"):
        voxel_map("hgcal")


def test_wrong_arrays_are_refused():
    voxels = voxel_map("lcd")
    good = voxels.to_voxels(np.zeros((2, voxels.n_cells)))
    with pytest.raises(InputError, match="15360 cells"):
        voxels.to_voxels(np.zeros((2, 7)))
    with pytest.raises(InputError, match="15360 cells"):
        voxels.to_voxels(1.0)
    with pytest.raises(InputError, match="sections ECAL, HCAL, got ECAL"):
        voxels.to_cells({"ECAL": good["ECAL"]})
    with pytest.raises(InputError, match=r"section ECAL must end in \[24, 24, 25\]"):
        voxels.to_cells(good | {"ECAL": good["ECAL"][..., :24]})
    with pytest.raises(InputError, match="different numbers of showers"):
        voxels.to_cells(good | {"HCAL": good["HCAL"][:1]})


@pytest.mark.parametrize("name", REGULAR)
def test_same_bytes_every_time(name):
    assert make_detector(name).sha256 == make_detector(name).sha256


def test_every_detector_says_what_it_is():
    assert set(DETECTORS) >= {"hgcal", *SHAPES, "calochallenge-1-photons", "calochallenge-1-pions"}
    assert all(20 < len(text) < 120 for text in DETECTORS.values())
