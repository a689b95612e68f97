"""Whole runs: what is learned, kept, resumed, stopped and written."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import load_file

from hgcal_gnn.errors import GeometryMismatchError, InputError, TrainingError, UsageError
from hgcal_gnn.evaluation.observables import shower_variables
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.graph_file import load_graph, save_graph
from hgcal_gnn.regression.models.message_passing import MessagePassingNetwork
from hgcal_gnn.training import trainer
from hgcal_gnn.training.data import open_data
from hgcal_gnn.training.load import load_regressor
from hgcal_gnn.training.results import Predictions, pulls
from hgcal_gnn.training.run import run_training
from hgcal_gnn.training_log import read_rows

FILES = {
    "cells_sha256", "checkpoints", "config.yaml", "linearity.png", "log.csv", "metrics.json", "model.safetensors",
    "resolution.png", "tensorboard", "test_predictions.parquet", "training.png", "versions.json",
}  # fmt: skip
METRICS = {
    "format", "kind", "seed", "n_parameters", "epochs", "best_epoch", "best_validation_loss", "loss", "stopped_early",
    "seconds", "showers_per_second", "hardware", "calibrated", "showers", "empty_showers", "cells_sha256",
    "test_sha256", "test_showers_per_second", "pull", "test",
}  # fmt: skip


def same_weights(first, second):
    one, other = load_file(first.weights), load_file(second.weights)
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def losses(folder):
    return [(row["epoch"], row["train_loss"], row["val_loss"]) for row in read_rows(folder.log)]


@pytest.fixture(scope="module")
def finished(piece, tmp_path_factory):
    """A run of four epochs."""
    torch.set_num_threads(1)
    return run_training(piece.config(train={"epochs": 4}), tmp_path_factory.mktemp("runs") / "four")


def test_a_finished_run_leaves_everything_behind(finished):
    assert {path.name for path in finished.path.iterdir()} == FILES
    metrics = json.loads(finished.metrics.read_text())
    assert metrics.keys() == METRICS
    assert metrics["showers"] == {"train": 243, "validation": 27, "test": 30}
    assert metrics["epochs"] == 4
    assert metrics["best_validation_loss"] == min(row["val_loss"] for row in read_rows(finished.log))
    assert metrics["test"]["bins"][0]["showers"] == 30
    versions = json.loads(finished.versions.read_text())
    assert {"hgcal-gnn", "torch", "numpy"} <= versions["versions"].keys()


def test_a_training_learns(piece, tmp_path):
    train = {"epochs": 3, "loss": "relative", "learning_rate": 0.01}
    found = losses(run_training(piece.config(model={"kind": "gcn", "hidden": 8}, train=train), tmp_path / "run"))
    assert [epoch for epoch, *_ in found] == [0, 1, 2]
    assert found[-1][1] < 0.8 * found[0][1]


def test_predictions_belong_to_the_rows_of_the_test_sample(finished, piece):
    table = pq.read_table(finished.predictions)
    rows = table["row"].to_numpy()
    data = open_data(piece.config().data)
    np.testing.assert_array_equal(rows, data.test.rows)
    np.testing.assert_array_equal(table["incident_energy"].to_numpy(), piece.store.column("incident_energy")[rows])
    regressor = load_regressor(finished.path)
    showers = piece.store.read(rows)
    plain = shower_variables(showers, regressor.inputs.numbers, ("energy",))[:, 0]
    np.testing.assert_allclose(table["reconstructed"].to_numpy(), plain, rtol=1e-6)
    np.testing.assert_allclose(table["energy"].to_numpy(), regressor(showers).energy, rtol=1e-5)
    about = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert about["cells_sha256"] == piece.graph.cells_sha256
    assert about["test_sha256"] == data.test.sha256 == json.loads(finished.metrics.read_text())["test_sha256"]


def test_showers_are_estimated_alike_alone_and_together(finished, piece):
    regressor = load_regressor(finished.path)
    showers = piece.store.read(slice(0, 20))
    alone = np.concatenate([regressor(showers[k : k + 1]).energy for k in range(20)])
    np.testing.assert_allclose(regressor(showers).energy, alone, rtol=1e-5)
    assert regressor(showers[:0]).energy.shape == (0,)


def test_a_shower_without_hits_gets_some_energy(finished, piece):
    showers = piece.store.read(slice(0, 3))
    energy = load_regressor(finished.path)(showers.where(showers.shower != 1)).energy
    assert np.isfinite(energy).all()


def test_a_resumed_run_is_the_run_it_would_have_been(finished, piece, tmp_path):
    config = piece.config(train={"epochs": 2})
    run_training(config, tmp_path / "run")
    more = piece.config(train={"epochs": 4})
    resumed = run_training(more, tmp_path / "run", resume=True)
    assert losses(resumed) == losses(finished)
    assert same_weights(resumed, finished)


def test_other_seeds_are_other_runs(finished, piece, tmp_path):
    other = run_training(piece.config(train={"epochs": 1}, seed=2), tmp_path / "run")
    assert losses(other)[0] != losses(finished)[0]
    again = run_training(piece.config(train={"epochs": 1}), tmp_path / "again")
    assert losses(again)[0] == losses(finished)[0]


def test_a_finished_run_is_not_trained_again(finished, piece):
    before = finished.metrics.read_bytes()
    run_training(piece.config(train={"epochs": 4}), finished.path, resume=True)
    assert finished.metrics.read_bytes() == before


def test_stops_early_and_stays_stopped(piece, tmp_path):
    config = piece.config(train={"epochs": 30, "patience": 2, "learning_rate": 1e-12})
    folder = run_training(config, tmp_path / "run")
    metrics = json.loads(folder.metrics.read_text())
    assert metrics["stopped_early"]
    assert metrics["epochs"] < 30
    before = folder.weights.read_bytes()
    folder.metrics.unlink()  # as if killed between the last epoch and the results
    run_training(config, tmp_path / "run", resume=True)
    assert json.loads(folder.metrics.read_text())["epochs"] == metrics["epochs"]
    assert folder.weights.read_bytes() == before


def test_the_learning_rate_is_cut_where_nothing_improves(piece, tmp_path):
    train = {"epochs": 4, "learning_rate": 1e-12, "schedule": "plateau", "plateau_patience": 1, "gradient_clip": 1}
    folder = run_training(piece.config(train=train), tmp_path / "run")
    rates = [1e12 * row["lr"] for row in read_rows(folder.log)]
    assert rates == pytest.approx([1, 1, 0.5, 0.25])


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_that_is_not_finite_stops_with_its_batch(piece, tmp_path, monkeypatch, where):
    class Broken(MessagePassingNetwork):
        def forward(self, batch):
            found = super().forward(batch)
            if not self.training or len(read_rows(tmp_path / "run" / "log.csv")) < 1:
                return found
            spoiled = (found - found.detach()).abs().sqrt()  # 0, with an infinite slope
            return found * torch.nan if where == "loss" else found + spoiled

    monkeypatch.setattr(trainer, "MODELS", {"message_passing": Broken})
    with pytest.raises(TrainingError, match=rf"the {where} became NaN or infinite in epoch 2, batch 1 .*nan_batch"):
        run_training(piece.config(), tmp_path / "run")
    batch = load_file(tmp_path / "run" / "nan_batch.safetensors")
    assert len(batch["rows"]) == 32
    np.testing.assert_array_equal(batch["target"][:, 0], piece.store.column("incident_energy")[batch["rows"]])
    assert {"hits.x", "hits.adjacency.col", "reference"} <= batch.keys()


def test_a_validation_that_is_not_finite_names_its_own_showers(piece, tmp_path, monkeypatch):
    class Broken(MessagePassingNetwork):
        def forward(self, batch):
            found = super().forward(batch)
            return found if self.training else found * torch.nan

    monkeypatch.setattr(trainer, "MODELS", {"message_passing": Broken})
    with pytest.raises(TrainingError, match="in epoch 1, batch 1 of the validation "):
        run_training(piece.config(), tmp_path / "run")
    batch = load_file(tmp_path / "run" / "nan_batch.safetensors")
    np.testing.assert_array_equal(batch["rows"], open_data(piece.config().data).validation.rows)
    np.testing.assert_array_equal(batch["target"][:, 0], piece.store.column("incident_energy")[batch["rows"]])


def test_fewer_epochs_than_are_done_are_enough(finished, piece, tmp_path):
    shutil.copytree(finished.path, tmp_path / "run")
    folder = run_training(piece.config(train={"epochs": 3}), tmp_path / "run", resume=True)
    assert json.loads(folder.metrics.read_text())["epochs"] == 4
    assert same_weights(folder, finished)


def test_a_training_that_failed_is_told(piece, tmp_path, caplog):
    """Divided by its median response, a network that says the same of all showers looks like the plain sum."""
    data = {"test_fraction": 0.02, "validation_fraction": 0.8}
    run_training(piece.config(data=data, train={"epochs": 1, "learning_rate": 1e6}), tmp_path / "run")
    assert "the median of predicted / true energy is" in caplog.text


def test_calibration_centres_the_validation_sample(piece, tmp_path):
    data = {"test_fraction": 0.02, "validation_fraction": 0.8}
    model = {"kind": "message_passing", "hidden": 4, "n_layers": 1}
    folder = run_training(piece.config(data=data, model=model, train={"epochs": 1}), tmp_path / "run")
    opened = open_data(piece.config(data=data).data)
    regressor = load_regressor(folder.path)
    showers = piece.store.read(opened.validation.rows)
    response = regressor(showers).energy / showers.incident_energy
    assert np.median(response) == pytest.approx(1, abs=0.01)
    regressor.calibration = None
    assert np.median(regressor(showers).energy / showers.incident_energy) != pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kind", ["sum", "layer_linear", "oracle", "bdt"])
def test_baselines_run_through_the_same_door(piece, tmp_path, kind):
    folder = run_training(piece.config(model={"kind": kind}), tmp_path / "run")
    assert json.loads(folder.metrics.read_text()).keys() == METRICS
    assert {path.name for path in folder.path.iterdir()} == FILES - {"log.csv", "tensorboard", "training.png"}
    table = pq.read_table(folder.predictions)
    showers = piece.store.read(table["row"].to_numpy())
    np.testing.assert_allclose(load_regressor(folder.path)(showers).energy, table["energy"].to_numpy(), rtol=1e-6)


def test_directions_and_uncertainties(piece, tmp_path):
    model = {"kind": "message_passing", "hidden": 4, "n_layers": 1, "targets": ["energy", "eta", "phi"]}
    model |= {"uncertainty": True, "variables": ["published"]}
    folder = run_training(piece.config(model=model, train={"loss": "nll"}), tmp_path / "run")
    table = pq.read_table(folder.predictions)
    assert {"eta", "phi", "sigma"} <= set(table.column_names)
    assert np.median(table["eta"].to_numpy()) == pytest.approx(2.0, abs=0.05)
    assert (table["sigma"].to_numpy() > 0).all()
    assert {"train_energy", "train_eta", "val_phi"} <= read_rows(folder.log)[0].keys()
    found = json.loads(folder.metrics.read_text())["pull"]
    pull = (table["energy"].to_numpy() / table["incident_energy"].to_numpy() - 1) / table["sigma"].to_numpy()
    assert found["median"] == pytest.approx(np.median(pull), rel=1e-5)
    assert found["width"] > 0


def test_pulls_of_right_uncertainties_have_the_width_one():
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.02, 0.2, 20_000)
    columns = {"incident_energy": np.full(20_000, 50.0), "energy": 50 * (1 + sigma * rng.normal(size=20_000))}
    found = pulls(Predictions({**columns, "sigma": sigma / 2}, {}))
    assert found["width"] == pytest.approx(2, abs=0.06)  # half the right size
    assert found["median"] == pytest.approx(0, abs=0.06)
    assert pulls(Predictions(columns, {})) is None


def test_double_precision(piece, tmp_path):
    folder = run_training(piece.config(train={"epochs": 1, "precision": "64"}), tmp_path / "run")
    weights = load_file(folder.weights)
    assert {values.dtype for name, values in weights.items() if name.startswith("network")} == {np.dtype(np.float64)}
    rows = pq.read_table(folder.predictions)["row"].to_numpy()
    assert np.isfinite(load_regressor(folder.path)(piece.store.read(rows)).energy).all()


def test_data_that_cannot_be_used_leave_no_folder(piece, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        run_training(piece.config(data={"train": {"showers": "none.arrow"}}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"device": "mps"}, "train.device mps: there is none here; usable: auto, cpu"),
        ({"precision": "16-mixed"}, "needs a GPU"),
    ],
)
def test_what_the_machine_cannot_do(piece, tmp_path, train, message):
    if torch.backends.mps.is_available():
        pytest.skip("this machine can")
    with pytest.raises(UsageError, match=message):
        run_training(piece.config(train=train), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"kind": "dnn", "variables": ["colour"]}, "no shower variables colour"),
        ({"kind": "bdt", "variables": ["n_hits"]}, "variables must hold 'energy'"),
        ({"kind": "cnn3d", "windows": {"deep": {"shape": [5, 5, 60], "size": 2.0}}}, "needs layers 1 to 60"),
    ],
)
def test_models_that_do_not_fit_the_data_leave_no_folder(piece, tmp_path, model, message):
    """Mended settings must not find an unfinished run in their way."""
    with pytest.raises(UsageError, match=message):
        run_training(piece.config(model=model), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_detector_without_material(piece, tmp_path):
    cells = dataclasses.replace(piece.graph.cells, detector="mine")
    save_graph(build_graph(cells)[0], tmp_path / "mine.safetensors")
    data = {"graph": str(tmp_path / "mine.safetensors")}
    with pytest.raises(UsageError, match=r"no material is known for detector 'mine'.*: data.material: FILE.yaml"):
        run_training(piece.config(data=data), tmp_path / "run")
    named = piece.config(data={**data, "material": "hgcal"}, train={"epochs": 1})
    assert run_training(named, tmp_path / "run").is_finished


def test_a_graph_that_was_moved(finished, piece, tmp_path):
    shutil.copytree(finished.path, tmp_path / "run")
    shutil.copy(piece.settings["data"]["graph"], tmp_path / "g.safetensors")
    text = (tmp_path / "run" / "config.yaml").read_text()
    (tmp_path / "run" / "config.yaml").write_text(text.replace(piece.settings["data"]["graph"], "gone.safetensors"))
    with pytest.raises(InputError, match=r"gone.safetensors: no such file, which the settings of .* name; .*--graph"):
        load_regressor(tmp_path / "run")
    assert load_regressor(tmp_path / "run", load_graph(tmp_path / "g.safetensors")).inputs.needs.features


def test_devices_that_are_not_there(finished):
    for device in ("cuda" if not torch.cuda.is_available() else "xpu", "toaster"):
        with pytest.raises(UsageError, match=f"device {device}: cannot be used here"):
            load_regressor(finished.path, device=device)


def test_regressors_know_their_geometry(finished, piece):
    other = build_graph(piece.graph.cells.select(np.arange(1, piece.graph.n_cells)))[0]
    with pytest.raises(GeometryMismatchError, match="trained in another geometry"):
        load_regressor(finished.path, other)
    forced = load_regressor(finished.path, other, force_geometry=True)
    with pytest.raises(GeometryMismatchError, match="made with another geometry"):
        forced(piece.store.read(slice(0, 2)))


def test_unfinished_and_damaged_runs(finished, piece, tmp_path):
    shutil.copytree(finished.path, tmp_path / "run")
    weights = tmp_path / "run" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-20])
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"last.ckpt: the checkpoint is damaged.*--overwrite"):
        run_training(piece.config(train={"epochs": 9}), tmp_path / "run", resume=True)
    assert last.exists()
    with pytest.raises(InputError, match="truncated or damaged"):
        load_regressor(tmp_path / "run")
    shutil.copy(piece.settings["data"]["graph"], weights)
    with pytest.raises(InputError, match="holds no regressor"):
        load_regressor(tmp_path / "run")
    weights.unlink()
    with pytest.raises(InputError, match=r"not finished.*train .* --resume"):
        load_regressor(tmp_path / "run")
