"""Real files of CMS and of a linear-collider detector, against numbers of the files themselves."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.detid import decode_scintillator, decode_silicon
from hgcal_gnn.showers.convert import convert
from hgcal_gnn.showers.file_report import FileReport
from hgcal_gnn.showers.root import RootOptions, iterate_root
from hgcal_gnn.showers.root.branches import load_branch_map
from hgcal_gnn.showers.root.encoding import parse_encoding
from hgcal_gnn.showers.root.hit_table import table_from_hits
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.showers.store import open_store


@pytest.fixture(scope="module")
def muons(shared_data):
    return shared_data / "cms_hgcal_muons_ntuple.root"


@pytest.fixture(scope="module")
def rechits(muons):
    with uproot.open(muons) as file:
        return file["ana/hgc"].arrays(filter_name="rechit_*")


@pytest.fixture(scope="module")
def muon_cells(muons):
    return table_from_hits([muons])


@pytest.fixture(scope="module")
def photon(shared_data):
    return shared_data / "ild_photon_1_event.edm4hep.root"


def flat(arrays, name):
    return ak.to_numpy(ak.flatten(arrays[f"rechit_{name}"]))


def test_decoded_wafers_and_cells_equal_the_branches(rechits):
    ids = flat(rechits, "detid").astype(np.uint64)
    silicon = np.isin(ids >> np.uint64(28), (8, 9))
    assert silicon.sum() > 50_000
    decoded = decode_silicon(ids[silicon])
    for name in ("wafer_u", "wafer_v", "cell_u", "cell_v"):
        np.testing.assert_array_equal(getattr(decoded, name), flat(rechits, name)[silicon])
        assert (flat(rechits, name)[~silicon] == -1).all()
    # the layer branch counts through, ids of CE-H start again: 28 CE-E layers in this older geometry
    through = decoded.layer + np.where(decoded.detector == 8, 0, 28)
    np.testing.assert_array_equal(through, flat(rechits, "layer")[silicon])


def test_positions_are_affine_in_u_and_v_on_each_wafer(muon_cells):
    silicon = muon_cells.select(muon_cells.is_silicon == 1)
    ids = decode_silicon(silicon.cell_id)
    wafer = np.stack([silicon.z_side, silicon.layer, ids.wafer_u, ids.wafer_v], axis=1)
    _, number = np.unique(wafer, axis=0, return_inverse=True)
    hit = np.bincount(number)
    fitted = 0
    for chosen in np.flatnonzero(hit >= 8)[:300]:
        rows = np.flatnonzero(number == chosen)
        design = np.stack([ids.cell_u[rows], ids.cell_v[rows], np.ones(len(rows))], axis=1).astype(np.float64)
        if np.linalg.matrix_rank(design) < 3:
            continue
        for place in (silicon.x[rows], silicon.y[rows]):
            solution = np.linalg.lstsq(design, place, rcond=None)[0]
            assert np.abs(design @ solution - place).max() < 0.01  # cm
        fitted += 1
    assert fitted > 200


def test_rings_and_phi_of_tiles_agree_with_their_positions(muon_cells):
    tiles = muon_cells.select(muon_cells.subdetector == 10)
    ids = decode_scintillator(tiles.cell_id)
    n_phi = np.where(ids.cell_type == 0, 360, 288)  # fine tiles of 1 degree, coarse ones of 1.25
    expected = (ids.iphi - 0.5) * (2 * np.pi / n_phi)
    expected = np.where(ids.z_side > 0, expected, np.pi - expected)
    away = np.abs(np.angle(np.exp(1j * (np.arctan2(tiles.y, tiles.x) - expected))))
    assert away.max() < 1e-3  # of 0.02 between tiles
    # a ring is one radius, which grows with its number
    radius = np.hypot(tiles.x, tiles.y)
    for kind in (0, 1):
        rings, number = np.unique(ids.ring[ids.cell_type == kind], return_inverse=True)
        mean = np.bincount(number, radius[ids.cell_type == kind]) / np.bincount(number)
        assert np.abs(radius[ids.cell_type == kind] - mean[number]).max() < 0.05  # cm, of 2 and more between rings
        assert len(rings) > 5
        assert (np.diff(mean) > 1).all()


@pytest.mark.parametrize("rule", ["first", "by-side"])
def test_counts_and_energy_sums_equal_the_branches(tmp_path, muons, rechits, muon_cells, rule):
    report = convert([muons], tmp_path / "muons.arrow", muon_cells, options=RootOptions(particles=rule))
    store = open_store(tmp_path / "muons.arrow", cells_sha256=muon_cells.sha256)
    showers = store[:]
    assert len(showers) == (2 if rule == "first" else 4)
    energy = ak.to_numpy(ak.sum(ak.values_astype(rechits["rechit_energy"], np.float64), axis=1))
    per_event = showers.visible if rule == "first" else showers.visible.reshape(2, 2).sum(axis=1)
    np.testing.assert_allclose(per_event, energy, rtol=1e-12)
    assert report.total.hits == len(showers.cell) == len(flat(rechits, "energy"))
    if rule == "first":
        np.testing.assert_array_equal(muon_cells.cell_id[showers.cell], flat(rechits, "detid"))
        np.testing.assert_allclose(muon_cells.x[showers.cell], flat(rechits, "x"), rtol=0, atol=1e-6)
    assert set(showers.incident_energy.tolist()) == {35.0}
    assert set(np.abs(showers.pdg_id).tolist()) == {13}
    if rule == "by-side":
        np.testing.assert_array_equal(np.sign(showers.eta), np.sign(muon_cells.z[showers.cell[showers.offsets[:-1]]]))


def test_edm4hep_energies_times_and_particle(photon):
    cells = table_from_hits([photon])
    report = FileReport(str(photon))
    (showers,) = iterate_root(photon, cells, RootOptions(), report)
    with uproot.open(photon) as file:
        tree = file["events"]
        total = sum(
            float(ak.sum(ak.values_astype(tree[f"{name}.energy"].array(), np.float64))) for name in report.collections
        )
        contributed = min(
            float(ak.min(tree[f"{name}Contributions.time"].array()))
            for name in report.collections
            if ak.num(tree[f"{name}.energy"].array())[0]
        )
    np.testing.assert_allclose(report.energy, total, rtol=1e-6)
    assert "ECalBarrelSiHitsEven" in report.collections
    assert len(showers.cell) == cells.n_cells == 1592
    np.testing.assert_allclose(showers.incident_energy, 43.709682, rtol=1e-6)
    assert showers.pdg_id.tolist() == [22]
    np.testing.assert_allclose(showers.vertex_y, 180.47, rtol=1e-4)  # 1804.7 mm
    np.testing.assert_allclose(showers.direction_y, 1.0, rtol=1e-4)
    assert showers.time is not None
    assert float(np.nanmin(showers.time)) == pytest.approx(contributed)
    # 99.8 % of the energy sits in the barrel of the ECAL (system 20), 30 layers
    barrel = cells.subdetector[showers.cell] == 20
    assert showers.energy[barrel].sum() / showers.energy.sum() > 0.99
    assert cells.layer[cells.subdetector == 20].max() == 29


def test_edm4hep_collections_can_be_chosen(photon):
    names = load_branch_map("edm4hep").changed({"collections": ["ECalBarrelSi*"]})
    cells = table_from_hits([photon], RootOptions(branches=names))
    report = FileReport(str(photon))
    showers = Showers.concatenate(list(iterate_root(photon, cells, RootOptions(branches=names), report)))
    assert report.collections == ["ECalBarrelSiHitsEven", "ECalBarrelSiHitsOdd"]
    assert len(showers.cell) == 446 + 502
    nothing = load_branch_map("edm4hep").changed({"collections": ["Nope*"]})
    with pytest.raises(InputError, match=r"none called Nope\*.*ECalBarrelSiHitsEven"):
        list(iterate_root(photon, cells, RootOptions(branches=nothing)))


def test_id_specifications_by_hand():
    fields = parse_encoding("system:5,side:-2,module:8,layer:19:6,x:32:-16")
    ids = np.array([20 | 3 << 5 | 7 << 7 | 13 << 19 | 0xFFFE << 32], np.uint64)
    assert {name: field.decode(ids).tolist()[0] for name, field in fields.items()} == {
        "system": 20, "side": -1, "module": 7, "layer": 13, "x": -2,
    }  # fmt: skip
    with pytest.raises(InputError, match="no cell id specification"):
        parse_encoding("system=5")


def test_a_geometry_from_hits_needs_positions(tmp_path):
    from tests.showers.made_root import hgcal_branches, toy_cells, write_tree

    path = write_tree(tmp_path / "a.root", hgcal_branches(toy_cells()))
    with pytest.raises(InputError, match=r"no branch simHit_x \(hits\.x"):
        table_from_hits([path])
