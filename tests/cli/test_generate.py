"""generate: files of showers by a trained generator, and what it says to requests it cannot serve."""

from __future__ import annotations

import json
import shutil

import awkward as ak
import numpy as np
import pytest
import uproot

from hgcal_gnn.generation import sample_file
from hgcal_gnn.generation.weights import GeneratorWeights, TrainedOn
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.showers.convert import convert
from hgcal_gnn.showers.convert.hdf5_source import Hdf5Options
from hgcal_gnn.showers.store import open_store, write_showers
from tests.cli.made_generator import DETECTOR
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree


def test_the_same_command_gives_the_same_file(run, untrained_generator, tmp_path):
    """The beam is that of the training; another seed gives other showers."""
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run("generate", untrained_generator, "-n", 300, "--seed", seed, "-o", f"{name}.arrow").code == 0
    same, other = ((tmp_path / f"{name}.arrow").read_bytes() for name in "bc")
    assert (tmp_path / "a.arrow").read_bytes() == same != other
    showers = open_store(tmp_path / "a.arrow").read(slice(None))
    assert sorted(np.unique(showers.incident_energy)) == [1, 4, 16, 64]
    assert showers.metadata.cells_sha256 == make_detector(DETECTOR).sha256
    assert showers.metadata.extra["detector"] == DETECTOR


def test_what_a_generation_takes_is_reported(run, untrained_generator, tmp_path):
    command = ("generate", untrained_generator, "-n", 50, "--report", "a.json", "-o")
    assert run(*command, "a.arrow").code == 0
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["showers"], found["empty"]) == (50, 0)
    assert found["seconds"] > 0
    assert 50 < found["peak_memory_mib"] < 20_000  # a process with PyTorch; neither bytes nor KiB
    again = run(*command, "b.arrow")
    assert again.code == 1
    assert "a.json: exists already" in again.err
    assert not (tmp_path / "b.arrow").exists()


def test_an_interrupted_generation_goes_on(run, untrained_generator, tmp_path, monkeypatch):
    """Finished parts are kept; the file in the end is that of an uninterrupted command."""
    monkeypatch.setattr(sample_file, "PART", 64)
    command = ("generate", untrained_generator, "--energy", "2..32", "-n", 200, "--batch-size", 32, "-o")
    written = sample_file.write_generated

    def interrupted(*arguments, progress, **options):
        def stop(done):
            if done == 192:
                raise KeyboardInterrupt
            progress(done)

        return written(*arguments, progress=stop, **options)

    monkeypatch.setattr(sample_file, "write_generated", interrupted)
    outcome = run(*command, "a.arrow")
    assert outcome.code == 130
    assert "2 finished parts are kept" in outcome.err
    monkeypatch.setattr(sample_file, "write_generated", written)
    outcome = run(*command, "a.arrow")
    assert "(128 from an earlier run)" in outcome.out
    assert run(*command, "b.arrow").code == 0
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()


def test_root_and_hdf5_files_hold_the_showers_of_the_store(run, untrained_generator, tmp_path):
    for ending in ("arrow", "root", "h5"):
        assert run("generate", untrained_generator, "-n", 50, "-o", f"a.{ending}").code == 0
    cells = make_detector(DETECTOR)
    whole = open_store(tmp_path / "a.arrow").read(slice(None))
    for ending in ("root", "h5"):
        convert([tmp_path / f"a.{ending}"], tmp_path / f"{ending}.arrow", cells, hdf5=Hdf5Options(pdg_id=22))
        again = open_store(tmp_path / f"{ending}.arrow").read(slice(None))
        np.testing.assert_array_equal(again.n_hits, whole.n_hits)
        np.testing.assert_allclose(again.visible, whole.visible, rtol=1e-5)
        np.testing.assert_allclose(again.incident_energy, whole.incident_energy, rtol=1e-6)


def test_a_root_file_has_the_branches_of_the_ntuples(run, untrained_generator, tmp_path):
    """Those that a digitisation or an analysis of simulated showers reads, of the same kinds and in the same units."""
    for ending in ("arrow", "root"):
        assert run("generate", untrained_generator, "-n", 20, "-o", f"a.{ending}").code == 0
    write_tree(tmp_path / "ntuple.root", hgcal_branches(toy_cells()))
    showers, cells = open_store(tmp_path / "a.arrow").read(slice(None)), make_detector(DETECTOR)
    with uproot.open(tmp_path / "a.root") as ours, uproot.open(tmp_path / "ntuple.root") as theirs:
        tree, ntuple = (next(item for _, item in file.items(filter_classname="TTree")) for file in (ours, theirs))
        names = ("detId", "layer", "x", "y", "E"), ("eta", "phi", "E")
        wanted = [f"{group}_{name}" for group, of in zip(("simHit", "genPart"), names, strict=True) for name in of]
        found = tree.arrays(wanted)
        assert all(found[name].ndim == 2 for name in wanted)  # lists of hits and of particles
        for name in set(wanted) & set(ntuple.keys()):
            assert found[name].layout.content.dtype.kind == ntuple[name].array().layout.content.dtype.kind, name
    assert ak.num(found.simHit_E).tolist() == showers.n_hits.tolist()
    flat = {name: ak.flatten(found[name]).to_numpy() for name in wanted}
    np.testing.assert_array_equal(flat["simHit_detId"], cells.cell_id[showers.cell])
    np.testing.assert_array_equal(flat["simHit_layer"], cells.layer[showers.cell])
    np.testing.assert_allclose(flat["simHit_x"], cells.x[showers.cell])
    np.testing.assert_allclose(flat["simHit_E"], showers.energy)
    np.testing.assert_allclose(flat["genPart_E"], showers.incident_energy)


def test_the_particles_of_a_store_are_taken_in_order(run, untrained_generator, tmp_path):
    """One shower each, or again and again."""
    assert run("generate", untrained_generator, "--energy", "2..60", "-n", 40, "-o", "a.arrow").code == 0
    assert run("generate", untrained_generator, "--like", "a.arrow", "-o", "b.arrow").code == 0
    assert run("generate", untrained_generator, "--like", "a.arrow", "-n", 90, "-o", "c.arrow").code == 0
    one, two, three = (open_store(tmp_path / f"{name}.arrow").column("incident_energy") for name in "abc")
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(three, np.resize(one, 90))


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        (["-n", 5, "--energy", "130"], 2, "trained on 1 to 64 GeV and is asked for 130 GeV"),
        (["-n", 5, "--energy", "130", "--extrapolate"], 0, "130 GeV lies outside of it"),
        (["-n", 5, "--energy", "100"], 0, "100 GeV lies outside of it"),
        (["-n", 5, "--energy", "10", "--eta", "2.0"], 0, "directions of theta from 0 to 0 rad; 0.2"),
        (["-n", 5, "--energy", "10", "--vertex", "0,3,0"], 0, "vertices at y = 0 +- 0 cm; 3 to 3 cm"),
        (["-n", 5, "--particle", "pion"], 2, "the model was trained on photon; it cannot generate pi+"),
        (["-n", 5, "--energy", "10", "--pt", "5"], 2, "--energy or --pt"),
        (["-n", 5, "--direction", "0,0,1", "--eta", "5"], 2, "--direction or --eta"),
        (["-n", 5, "--device", "nonsense"], 2, "device nonsense: cannot be used here"),
        ([], 2, "how many showers?"),
    ],
)
def test_requests_outside_of_the_training(run, untrained_generator, options, code, expected, caplog):
    """Warned of or refused; in the latter case nothing is written."""
    outcome = run("generate", untrained_generator, "-o", "a.arrow", *options)
    assert outcome.code == code
    assert expected in outcome.err + caplog.text


def test_what_the_training_does_not_tell_is_not_invented(run, untrained_generator, tmp_path, caplog):
    """Directions and vertices stay unknown; those asked for are written down with a warning."""
    folder = shutil.copytree(untrained_generator, tmp_path / "untold")
    file = folder / "model.safetensors"
    weights = GeneratorWeights.load(file)
    untold = TrainedOn((22,), (1.0, 64.0), vertex=None)
    GeneratorWeights(weights.arrays, weights.cells, untold).save(file, overwrite=True)
    assert "direction and vertex not known" in run("generate", folder, "-n", 20, "-o", "a.arrow").out
    assert "not known" not in caplog.text
    showers = open_store(tmp_path / "a.arrow").read(slice(None))
    assert (showers.n_hits > 0).any()
    for name in ("direction", "vertex"):
        assert all(np.isnan(getattr(showers, f"{name}_{axis}")).all() for axis in "xyz"), name
    assert run("generate", folder, "-n", 20, "--eta", 3, "--vertex", "1,2,3", "-o", "b.arrow").code == 0
    assert "directions of the training showers are not known" in caplog.text
    assert "vertices of the training showers are not known" in caplog.text
    showers = open_store(tmp_path / "b.arrow").read(slice(None))
    np.testing.assert_allclose(showers.eta, 3, rtol=1e-5)
    np.testing.assert_array_equal(showers.vertex_z, 3)
    refused = run("generate", folder, "-n", 20, "--pt", 5, "-o", "c.arrow")
    assert refused.code == 2
    assert "--pt needs a direction" in refused.err


def test_incomplete_particles_are_refused(run, untrained_generator, tmp_path):
    assert run("generate", untrained_generator, "-n", 20, "-o", "a.arrow").code == 0
    showers = open_store(tmp_path / "a.arrow").read(slice(None))
    energy = showers.incident_energy.copy()
    energy[:3] = np.nan
    write_showers(showers.replace(incident_energy=energy), tmp_path / "b.arrow")
    outcome = run("generate", untrained_generator, "--like", "b.arrow", "-o", "c.arrow")
    assert outcome.code == 1
    assert "b.arrow: 3 of 20 particles have no energy, which the generator needs to be told" in outcome.err
    assert not (tmp_path / "c.arrow").exists()


def test_runs_that_cannot_generate_are_refused(run, untrained_generator, tmp_path):
    """No run, one that is not finished, a damaged one, weights of another model, a regressor."""
    folder = tmp_path / "other"
    command = ("generate", folder, "-n", 5, "-o", "a.arrow")
    assert "is no folder of a run" in run(*command).err
    folder.mkdir()
    settings = (untrained_generator / "config.yaml").read_text()
    (folder / "config.yaml").write_text(settings)
    assert "the run is not finished" in run(*command).err
    weights = (untrained_generator / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1000])
    assert "truncated or damaged" in run(*command).err
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.yaml").write_text(settings.replace("latent: 100", "latent: 50"))
    assert "does not fit the settings" in run(*command).err
    (folder / "config.yaml").write_text(
        "data: {detector: calochallenge-1-photons, train: {showers: x.arrow}}\nmodel: {kind: dnn}\n"
    )
    assert "trains a regressor, a generator is needed here" in run(*command).err
