"""HDF5 files in a conversion: voxels of built-in detectors and point clouds, to stores and back."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors import make_detector, voxel_map
from hgcal_gnn.showers.convert import ConversionError, convert
from hgcal_gnn.showers.convert.hdf5_source import Hdf5Options, cell_of_voxel
from hgcal_gnn.showers.input_rules import InputRules
from hgcal_gnn.showers.root import RootOptions
from hgcal_gnn.showers.store import open_store
from tests.showers.made_root import toy_cells

DETECTOR = "calochallenge-1-photons"
PHOTONS = Hdf5Options(layout="calochallenge", pdg_id=22)


@pytest.fixture(scope="module")
def cells():
    return make_detector(DETECTOR)


@pytest.fixture
def challenge(tmp_path):
    """Three showers as the CaloChallenge publishes them: voxels and kinetic energy in MeV."""
    voxels = np.zeros((3, 368))
    voxels[0, [0, 100]] = 1024.0, 2048.0
    voxels[2, 367] = 512.0
    path = tmp_path / "in.h5"
    with h5py.File(path, "w") as file:
        file["showers"] = voxels
        file["incident_energies"] = np.array([[1e3], [2e3], [4e3]])
    return path


def test_voxels_become_cells_and_mev_gev(tmp_path, cells, challenge):
    report = convert([challenge], tmp_path / "a.arrow", cells, hdf5=Hdf5Options(pdg_id=22))  # layout found
    showers = open_store(tmp_path / "a.arrow", cells_sha256=cells.sha256)[:]
    rows = np.concatenate([rows.ravel() for rows in voxel_map(DETECTOR).rows.values()])
    assert showers.cell.tolist() == rows[[0, 100, 367]].tolist()
    np.testing.assert_allclose(showers.energy, [1.024, 2.048, 0.512])
    np.testing.assert_allclose(showers.incident_energy, [1, 2, 4])
    assert showers.pdg_id.tolist() == [22] * 3
    assert report.total.findings["event without hits"].count == 1


def test_stores_become_voxels_again(tmp_path, cells, challenge):
    convert([challenge], tmp_path / "a.arrow", cells, hdf5=PHOTONS)
    convert([tmp_path / "a.arrow"], tmp_path / "b.h5", cells, hdf5=PHOTONS)
    with h5py.File(challenge) as before, h5py.File(tmp_path / "b.h5") as after:
        for name in ("showers", "incident_energies"):
            np.testing.assert_allclose(after[name][...], before[name][...], rtol=1e-6)
    with pytest.raises(UsageError, match="--layout"):
        convert([tmp_path / "a.arrow"], tmp_path / "c.h5", cells)


def test_negative_voxels_are_counted_as_for_other_files(tmp_path, cells, challenge):
    with h5py.File(challenge, "r+") as file:
        file["showers"][1, 5] = -1.0
    with pytest.raises(ConversionError, match=r"1 of 4 hits in 1 of 3 events.*energy negative.*first in events 1"):
        convert([challenge], tmp_path / "a.arrow", cells, hdf5=PHOTONS)
    options = RootOptions(rules=InputRules(negative="drop"))
    report = convert([challenge], tmp_path / "a.arrow", cells, options=options, hdf5=PHOTONS)
    assert report.total.findings["energy negative"].count == 1
    assert report.total.hits == 3


def test_damaged_files_are_named_and_others_survive(tmp_path, cells, challenge):
    bad = tmp_path / "bad.h5"
    bad.write_bytes(challenge.read_bytes()[:2000])
    report = convert([challenge, bad], tmp_path / "a.arrow", cells, hdf5=PHOTONS, skip_bad_files=True)
    assert [file.path for file in report.failed] == [str(bad)]
    assert len(open_store(tmp_path / "a.arrow")) == 3


def test_pieces_of_a_detector_know_their_voxels(cells):
    piece = cells.select(cells.layer >= 2)
    whole, part = (
        np.concatenate([rows.ravel() for rows in cell_of_voxel(table, Hdf5Options())]) for table in (cells, piece)
    )
    inside = cells.layer[whole] >= 2
    np.testing.assert_array_equal(piece.cell_id[part[inside]], cells.cell_id[whole[inside]])
    assert (part[~inside] == -1).all()


def test_a_geometry_without_voxels_is_refused(tmp_path, challenge):
    with pytest.raises(UsageError, match=r"the geometry \(my own\) does not say which cell each voxel is"):
        convert([challenge], tmp_path / "a.arrow", replace(toy_cells(), detector="my own"))
    assert not (tmp_path / "a.arrow.parts").exists()


def test_other_maps_make_another_conversion():
    here, there = (Hdf5Options(voxels=(np.array(voxels),)).settings() for voxels in ([0, 1], [1, 0]))
    assert here != there
