"""Every file of settings of a generator runs: all of them for two steps, the tiny ones as they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hgcal_gnn.config.any_run import check_run, read_run
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.config.study import read_study
from hgcal_gnn.evaluation.features import compute_features
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.detector_graph import detector_graph
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample
from hgcal_gnn.training.data import open_data
from hgcal_gnn.training.generation.domain import make_domain
from hgcal_gnn.training.generation.judge import CHECKED, compare
from hgcal_gnn.training.generation.run import describe_particles, run_generation

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs" / "generation").glob("*.yaml"))
METHODS = {
    f"{path.stem}-{run.method}": run.config
    for path in sorted((CONFIGS[0].parents[1] / "studies").glob("*.yaml"))
    for run in read_study(path)[1]
    if isinstance(run.config, GenerationConfig)
}
TINY = [path for path in CONFIGS if path.stem.endswith("_tiny")]
IN_FULL = "calo_shower_gan_tiny"  # always; the others with --slow
SHOWERS, BATCH = 60, 4
# a piece of the HGCAL that holds the windows of all settings, and is built faster
PIECE = {"side": 1, "eta": [1.7, 2.35], "phi": [1.2, 1.95], "layers": [1, 28]}
BEAMS = {"hgcal": {"eta": 2.0, "phi": 1.57}, "calochallenge-1-photons": {"direction": (0.0, 0.0, 1.0)}}


@pytest.fixture(autouse=True)
def _shared_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path_factory.getbasetemp() / "configs_cache"))


def made_short(config, folder):
    """Return the same settings for few showers of low energy, and two steps of each stage."""
    content = config.model_dump(mode="json")
    if config.data.detector == "hgcal":
        content["data"]["window"] |= PIECE
    if config.data.train.showers is not None:
        content["data"] |= made_files(config.data, folder)
    energy = ",".join(str(1.5 * limit) for limit in (1.0, *content["model"].get("split", ())))  # some for every stage
    for name in ("train", "test"):
        sample = content["data"][name] or {}
        for simulation in (sample.get("simulate"), *sample.get("mix", ())):
            if simulation is not None:
                simulation |= {"energy": energy, "pt": None, "number": SHOWERS}
    content["data"]["empty"] = "drop"
    content["train"] |= {"iterations": 2, "check_every": 2, "check_showers": 8, "batch_size": BATCH, "device": "cpu"}
    for name in content["model"]:
        if name.endswith("_iterations"):  # of further stages
            content["model"][name] = 2
    return check_run(content, "made short")


def made_files(data, folder):
    """Make what a study of files needs: its graph and its stores, of few showers; return their names as settings."""
    assert data.test.showers != data.train.showers
    detector = data.detector or "hgcal"
    graph, path = detector_graph(detector, **(PIECE if detector == "hgcal" else {}))
    made = {} if data.graph is None else {"graph": str(path)}
    for seed, name in enumerate(("train", "test")):
        beam = Beam("photon", parse_spectrum("1.5,6"), **BEAMS[detector])
        made[name] = {"showers": str(folder / f"{name}.arrow")}
        write_sample(graph.cells, beam, SHOWERS, folder / f"{name}.arrow", seed=seed)
    return made


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_settings_train(path, tmp_path):
    """Two steps, a check, a picture, the results."""
    config = read_run(path)
    assert isinstance(config, GenerationConfig)
    run = run_generation(made_short(config, tmp_path), tmp_path / "run")
    assert run.is_finished
    assert run.plot("training.png").exists()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_a_study_trains(name, tmp_path):
    assert run_generation(made_short(METHODS[name], tmp_path), tmp_path / "run").is_finished


def untrained(config):
    """Return how the network of settings compares to the test sample before it is trained."""
    data = open_data(config.data)
    domain = make_domain(config, data.graph, data.material)
    trained_on = describe_particles(data.train, config)
    torch.manual_seed(config.seed)
    model = domain.build(trained_on)
    model.fit(domain.maker(trained_on)(data.train.store[data.train.rows[:1000]]).to_torch())
    reference = data.test.store[data.test.rows]
    generated = domain.generator(model, trained_on).sample(Particles.of(reference))
    numbers = CellNumbers.of(data.graph.cells, data.material)
    return compare(*(compute_features(showers, numbers, CHECKED) for showers in (reference, generated)))


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[] if path.stem == IN_FULL else pytest.mark.minutes, id=path.stem) for path in TINY],
)
def test_tiny_settings_learn(path, tmp_path):
    """Response within 10 %, and half the distance of the untrained network at most."""
    config = read_run(path)
    found = json.loads(run_generation(config, tmp_path / "run").metrics.read_text())["test"]
    before = untrained(config)
    assert found["response"] == pytest.approx(1, abs=0.1)
    assert found["separation"] <= 0.5 * before["separation"], (found, before)


def test_studies_of_published_files_are_those_of_the_simulation():
    """Only the data differ: what was tuned on one is not tuned again on the other."""
    ours, theirs = (
        {name.removeprefix(f"{study}-"): config.model_dump(exclude={"data": {"detector", "graph", "window", "train",
                                                                             "test"}})
         for name, config in METHODS.items() if name.startswith(study)}
        for study in ("graph_vs_voxel", "geant4_hgcal_photon")
    )  # fmt: skip
    assert ours
    assert ours == theirs


def test_there_are_settings():
    assert len(TINY) >= 2
    for path in CONFIGS:
        assert path.read_text(encoding="utf-8").startswith("# "), path
