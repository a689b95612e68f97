"""Showers to ROOT and back: the same showers, in branches other programs know."""

from __future__ import annotations

import numpy as np
import pytest
import uproot
from hypothesis import HealthCheck, given, settings

from hgcal_gnn.errors import GeometryMismatchError, OutputError, UsageError
from hgcal_gnn.showers.input_rules import InputRules
from hgcal_gnn.showers.root import RootOptions, iterate_root
from hgcal_gnn.showers.root.branches import load_branch_map
from hgcal_gnn.showers.root.write import write_root
from hgcal_gnn.showers.showers import Showers
from tests.showers.made_root import toy_cells
from tests.showers.made_showers import make_showers, showers

CELLS = toy_cells()


def in_toy(sample: Showers) -> Showers:
    from dataclasses import replace

    return sample.replace(metadata=replace(sample.metadata, cells_sha256=CELLS.sha256))


def read(path, **options) -> Showers:
    return Showers.concatenate(list(iterate_root(path, CELLS, RootOptions(**options))))


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sample=showers())
@pytest.mark.parametrize("preset", ["hgcal", "cmssw-reco"])
def test_round_trip_is_exact(tmp_path, preset, sample):
    path = tmp_path / "a.root"
    write_root(in_toy(sample), path, CELLS, branches=preset, overwrite=True)
    back = read(path) if len(sample) else sample
    assert back.equals(sample)


def test_many_chunks_make_one_tree(tmp_path):
    sample = in_toy(make_showers(2500, mean_hits=3))
    path = tmp_path / "a.root"
    write_root(sample.chunks(700), path, CELLS)
    assert read(path).equals(sample)


def test_branches_are_those_of_the_preset_with_places_of_the_cells(tmp_path):
    sample = in_toy(make_showers(20))
    path = tmp_path / "a.root"
    write_root(sample, path, CELLS)
    with uproot.open(path) as file:
        tree = file["tree"]
        arrays = tree.arrays(["simHit_detId", "simHit_layer", "simHit_x", "simHit_y", "simHit_E", "genPart_eta"])
        assert tree["simHit_detId"].typename == "uint32_t[]"
        names = tree.keys()
        assert [name for name in names if name.startswith("n")] == ["nsimHit", "ngenPart"]
    rows = sample.cell
    assert arrays["simHit_detId"].layout.content.data.tolist() == CELLS.cell_id[rows].tolist()
    assert arrays["simHit_layer"].layout.content.data.tolist() == CELLS.layer[rows].tolist()
    np.testing.assert_array_equal(arrays["simHit_x"].layout.content.data, CELLS.x[rows].astype(np.float32))
    np.testing.assert_array_equal(arrays["genPart_eta"].layout.content.data, sample.eta)


def test_unknown_incident_particles_stay_unknown(tmp_path):
    sample = in_toy(make_showers(3, optional=False))
    nobody = {name: np.full(3, np.nan, np.float32) for name in ("incident_energy", "vertex_x", "vertex_y", "vertex_z")}
    nobody |= {f"direction_{axis}": np.full(3, np.nan, np.float32) for axis in "xyz"}
    nobody |= {"pdg_id": np.zeros(3, np.int32), "particle_index": np.zeros(3, np.int16)}
    unknown = sample.replace(**nobody)
    write_root(unknown, tmp_path / "a.root", CELLS)
    assert read(tmp_path / "a.root", rules=InputRules(no_particle="keep")).equals(unknown)


def test_other_units_are_written_and_read_back(tmp_path):
    sample = in_toy(make_showers(10))
    names = load_branch_map("hgcal").changed({"energy_unit": "MeV", "length_unit": "mm"})
    write_root(sample, tmp_path / "a.root", CELLS, branches=names)
    with uproot.open(tmp_path / "a.root") as file:
        total = file["tree"]["simHit_E"].array().layout.content.data.sum(dtype=np.float64)
    np.testing.assert_allclose(total, 1000 * sample.energy.sum(dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(read(tmp_path / "a.root", branches=names).energy, sample.energy, rtol=2e-7)


def test_refusals(tmp_path):
    sample, path = in_toy(make_showers(3)), tmp_path / "a.root"
    with pytest.raises(UsageError, match="for reading only"):
        write_root(sample, path, CELLS, branches="edm4hep")
    with pytest.raises(UsageError, match=r"no compression 'gzip'; there are zstd"):
        write_root(sample, path, CELLS, compression="gzip")
    with pytest.raises(GeometryMismatchError):
        write_root(sample, path, CELLS.select(slice(0, 20)))
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_root(sample, path, CELLS)
    assert path.read_text() == "mine"
    assert [item.name for item in tmp_path.iterdir()] == ["a.root"]
