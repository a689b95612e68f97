"""Samples are opened, checked and dealt out; nothing impossible gets to a network."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from hgcal_gnn.config.data import SampleConfig, SimulateConfig
from hgcal_gnn.errors import GeometryMismatchError, InputError
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.showers.store import write_showers
from hgcal_gnn.training import samples
from hgcal_gnn.training.data import open_data


@pytest.fixture
def stored(piece, tmp_path):
    """Write showers that differ from those of the piece, and name the file."""

    def store(**columns):
        path = tmp_path / "other.arrow"
        write_showers(piece.store.read(slice(None)).replace(**columns), path)
        return path

    return store


def test_every_shower_is_used_once(piece):
    data = open_data(piece.config().data)
    parts = [data.train.rows, data.validation.rows, data.test.rows]
    assert sum(map(len, parts)) == 300
    assert len(np.unique(np.concatenate(parts))) == 300
    assert [len(rows) for rows in parts] == [243, 27, 30]


def test_the_seed_of_a_run_does_not_change_what_is_tested(piece):
    first, second = (open_data(piece.config(seed=seed).data) for seed in (1, 2))
    assert first.test.sha256 == second.test.sha256
    other = open_data(piece.config(data={"split_seed": 5}).data)
    assert first.test.sha256 != other.test.sha256


def test_a_test_sample_of_its_own(piece, tmp_path):
    test = {"showers": str(shutil.copy(piece.store.path, tmp_path / "test.arrow")), "number": 50}
    data = open_data(piece.config(data={"test": test}).data)
    assert data.test.rows.tolist() == list(range(50))
    assert len(data.train) + len(data.validation) == 300


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0])
def test_true_energies_must_be_possible(piece, stored, value):
    energy = piece.store.column("incident_energy").copy()
    energy[[7, 9]] = value
    path = stored(incident_energy=energy)
    with pytest.raises(InputError, match=r"2 of 300 showers \(first: shower 7: (0|nan|-1) GeV, shower 9"):
        open_data(piece.config(data={"train": {"showers": str(path)}}).data)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_hits_of_a_store_must_be_possible(piece, stored, value):
    """Nothing notices them later: a network learns from NaN in silence."""
    energy = piece.store.read(slice(None)).energy.copy()
    energy[-1] = value
    path = stored(energy=energy)
    with pytest.raises(InputError, match=r"other\.arrow .*1 of \d+ hits have a bad energy.*in showers 299"):
        open_data(piece.config(data={"train": {"showers": str(path)}}).data)


def test_showers_without_hits(piece, tmp_path):
    showers = piece.store.read(slice(None))
    path = tmp_path / "empty.arrow"
    write_showers(showers.where(~np.isin(showers.shower, [3, 4])), path)
    data = {"train": {"showers": str(path)}}
    with pytest.raises(InputError, match=r"2 of 300 showers have no hit \(first: shower 3\).*data.empty drop"):
        open_data(piece.config(data={**data, "empty": "refuse"}).data)
    opened = open_data(piece.config(data=data).data)
    used = np.concatenate([opened.train.rows, opened.validation.rows, opened.test.rows])
    assert len(used) == 298
    assert not np.isin([3, 4], used).any()
    assert opened.train.n_empty == 2


def test_showers_of_another_geometry(piece, stored):
    from dataclasses import replace

    path = stored(metadata=replace(piece.store.metadata, cells_sha256="0" * 64))
    with pytest.raises(GeometryMismatchError, match="made with another geometry"):
        open_data(piece.config(data={"train": {"showers": str(path)}}).data)


def test_too_few_showers(piece):
    with pytest.raises(InputError, match="3 showers are too few"):
        open_data(piece.config(data={"train": {"showers": str(piece.store.path), "number": 3}}).data)
    with pytest.raises(InputError, match="holds 300 showers, 301 are asked for"):
        open_data(piece.config(data={"train": {"showers": str(piece.store.path), "number": 301}}).data)


def test_a_simulation_is_run_once(piece, tmp_path, monkeypatch):
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path))
    cells, material = piece.graph.cells, load_material("hgcal")
    config = SimulateConfig(energy="5", eta=2.0, phi=1.57, number=4)
    path = samples.simulated(config, cells, material)
    assert path.parent == tmp_path / "samples"
    monkeypatch.setattr(samples, "write_sample", None)
    assert samples.simulated(config, cells, material) == path


def test_all_that_determines_a_simulation_names_its_file(piece):
    cells, material = piece.graph.cells, load_material("hgcal")
    config = SimulateConfig(energy="5", number=4)
    others = [config.model_copy(update=change) for change in ({"seed": 1}, {"number": 5}, {"energy": "6"})]
    names = {samples.sample_path(one, cells, material) for one in (config, *others)}
    names.add(samples.sample_path(config, cells.select(slice(1, None)), material))
    names.add(samples.sample_path(config, cells, load_material("clic")))
    assert len(names) == 6
    assert samples.sample_path(config.model_copy(), cells, material) in names


def test_processes_after_the_first_wait_for_the_simulation(piece, tmp_path, monkeypatch):
    from hgcal_gnn.errors import TrainingError

    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path))
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(samples, "PATIENCE", 0.1)
    with pytest.raises(TrainingError, match="did not finish"):
        samples.simulated(SimulateConfig(energy="5", number=4), piece.graph.cells, load_material("hgcal"))


def test_several_simulations_in_one_sample(piece, tmp_path, monkeypatch):
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path))
    kinds = [SimulateConfig(particle=name, energy="20", number=n, seed=1) for name, n in (("photon", 5), ("pion", 3))]
    path = samples.mixed(kinds, piece.graph.cells, load_material("hgcal"))
    store = samples.open_store(path)
    assert store.column("pdg_id").tolist() == [22] * 5 + [211] * 3
    changed = path.stat().st_mtime_ns
    assert samples.mixed(kinds, piece.graph.cells, load_material("hgcal")) == path
    assert path.stat().st_mtime_ns == changed
    assert samples.mixed(kinds[::-1], piece.graph.cells, load_material("hgcal")) != path


def test_a_sample_comes_from_one_source():
    photons = {"energy": "20", "number": 5}
    assert len(SampleConfig.model_validate({"mix": [photons, photons | {"particle": "pion"}]}).mix) == 2
    for wrong in ({}, {"mix": [photons], "simulate": photons}, {"mix": [photons], "number": 3}):
        with pytest.raises(ValueError, match=r"give either|number belongs to showers"):
            SampleConfig.model_validate(wrong)
