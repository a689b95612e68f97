"""Trainings of generators: what they leave behind, how they stop, and that they go on as if nothing had happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from hgcal_gnn.config.any_run import check_run
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.config.read import write_config
from hgcal_gnn.errors import InputError, TrainingError, UsageError
from hgcal_gnn.evaluation.features import compute_features
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.voxel.calo_shower_gan import CaloShowerGAN
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.sample import write_sample
from hgcal_gnn.training.data import open_data
from hgcal_gnn.training.generation.judge import CHECKED, Judge, compare, mean_ratios
from hgcal_gnn.training.generation.load import load_generator, load_trained
from hgcal_gnn.training.generation.pictures import Pictures
from hgcal_gnn.training.generation.run import run_generation
from hgcal_gnn.training.run_folder import RunFolder
from hgcal_gnn.training_log import read_rows, write_rows

DETECTOR = "calochallenge-1-photons"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Settings of a tiny dense network, and its showers."""
    folder = tmp_path_factory.mktemp("generation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HGCAL_GNN_CACHE", str(folder / "cache"))
        cells = make_detector(DETECTOR)
        beam = Beam("photon", parse_spectrum("1..4"), direction=(0.0, 0.0, 1.0))
        write_sample(cells, beam, 1600, folder / "photons.arrow", seed=1)

        def made(model=None, **train):
            content = {
                "seed": 1,
                "data": {  # stages need 100 validation showers each: with fewer nothing is measured
                    "detector": DETECTOR,
                    "train": {"showers": str(folder / "photons.arrow")},
                    "empty": "drop",
                    "validation_fraction": 0.3,
                },
                "model": {"kind": "calo_shower_gan", "latent": 8, "generator": [16], "critic": [16], "critic_steps": 2}
                | (model or {}),
                "train": {"iterations": 12, "batch_size": 32, "check_every": 4, "device": "cpu", "pictures": 0} | train,
            }
            return check_run(content, "here")

        yield made


def same_runs(one, other):
    mine, theirs = load_file(one.weights), load_file(other.weights)
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)
    rows = [[{**row, "seconds": 0} for row in read_rows(run.log)] for run in (one, other)]
    assert rows[0] == rows[1]


def test_what_a_run_leaves_behind(settings, tmp_path):
    run = run_generation(settings(pictures=2), tmp_path / "run")
    metrics = json.loads(run.metrics.read_text())
    assert metrics["outside_of_voxels"] == 0
    assert metrics["checks"] == 3
    rows = read_rows(run.log)
    assert [row["step"] for row in rows] == [4, 8, 12]
    ratios = {name.removeprefix("val_ratio_") for name in rows[0] if name.startswith("val_ratio_")}
    assert ratios == set(CHECKED) - {"response", "n_hits"}  # those two have columns of other names
    assert rows[-1]["val_ratio_mean_layer"] == pytest.approx(1.0, abs=0.9)
    assert [path.name for path in run.pictures.iterdir()] == ["0002.png"]
    assert run.plot("samples.png").stat().st_size > 1000
    assert run.plot("training.png").stat().st_size > 1000
    assert load_generator(run.path).trained_on.pdg_ids == (22,)


@pytest.mark.parametrize("train", [{}, {"averaging": 0.9}, {"historical_averaging": 0.1}])
def test_an_interrupted_training_goes_on(settings, tmp_path, monkeypatch, train):
    """Stopped in the second check, then resumed: bit by bit the uninterrupted one, players and averages included."""
    config = settings(**train, pictures=1)
    drawn = Pictures.__call__
    calls = []

    def interrupted(self, *arguments):
        calls.append(arguments[2])
        if calls == [0, 1]:
            raise KeyboardInterrupt
        drawn(self, *arguments)

    monkeypatch.setattr(Pictures, "__call__", interrupted)
    whole = settings(**train, pictures=0)
    expected = run_generation(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_generation(config, tmp_path / "run")
    resumed = run_generation(config, tmp_path / "run", resume=True)
    assert calls == [0, 1, 1, 2]
    same_runs(resumed, expected)


def test_a_loss_that_is_not_finite_stops_the_training(settings, tmp_path, monkeypatch):
    """The batch is kept, and the state at the last check, from which a healthy training goes on."""
    config = settings()
    healthy = CaloShowerGAN.stages
    counter: list[int] = []

    def broken(self, iterations):
        stages = healthy(self, iterations)
        for player in stages[0].players:
            own = player.losses

            def poisoned(batch, own=own):
                found = dict(own(batch))
                counter.append(0)
                if len(counter) > 10:
                    found["loss"] = found["loss"] * float("nan")
                return found

            object.__setattr__(player, "losses", poisoned)
        return stages

    with monkeypatch.context() as patch:
        patch.setattr(CaloShowerGAN, "stages", broken)
        with pytest.raises(TrainingError, match="became NaN or infinite in iteration"):
            run_generation(config, tmp_path / "run")
    run = run_generation(config, tmp_path / "whole")
    broken_run = type(run)(tmp_path / "run")
    assert load_file(broken_run.nan_batch)["image"].shape == (32, 368)
    assert not broken_run.is_finished
    same_runs(run_generation(config, tmp_path / "run", resume=True), run)


@pytest.mark.parametrize("image", ["empty", "one", "one_per_energy"])
def test_a_collapsed_generator_stops_the_training(settings, tmp_path, monkeypatch, image):
    """Showers that are empty, or all alike, in so many checks in a row; energies still have a width then."""
    fixed = torch.linspace(0.0, 0.02, 368)

    def collapsed(self, condition, random=None):  # noqa: ARG001
        sums = {"empty": 0 * condition.energy, "one": 1 + 0 * condition.energy, "one_per_energy": condition.energy}
        return sums[image][:, None] * fixed

    monkeypatch.setattr(CaloShowerGAN, "generate", collapsed)
    with pytest.raises(TrainingError, match=r"has collapsed: .* in the last 2 checks"):
        run_generation(settings(collapse_patience=2), tmp_path / "run")
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
    assert len(read_rows(tmp_path / "run" / "log.csv")) >= 1


def test_energies_that_are_not_finite_stop_the_training(settings, tmp_path, monkeypatch):
    """In the second check: one bad number among good ones is enough, and the state at the first check is kept."""
    generate = CaloShowerGAN.generate

    def broken(self, condition, random=None):
        images = generate(self, condition, random)
        if read_rows(tmp_path / "run" / "log.csv"):
            images[0, 0] = float("nan")
        return images

    monkeypatch.setattr(CaloShowerGAN, "generate", broken)
    one_batch = settings(check_showers=200)
    with pytest.raises(TrainingError, match=r"infinite: in 1 of \d+ showers of check 2. The state at check 1 is kept"):
        run_generation(one_batch, tmp_path / "run")
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
    assert len(read_rows(tmp_path / "run" / "log.csv")) == 1


def test_a_healthy_generator_does_not(settings, tmp_path):
    run = run_generation(settings(collapse_patience=1), tmp_path / "run")
    assert len(read_rows(run.log)) == 3


@pytest.mark.parametrize("select", ["total_energy_chi2", "separation"])
def test_without_a_measure_the_last_weights_are_kept(settings, tmp_path, caplog, select):
    """Both need more showers than these, and nothing stands in for what cannot be measured."""
    config = settings(select=select, check_showers=3)
    few = config.data.train.model_copy(update={"number": 400})
    config = config.model_copy(update={"data": config.data.model_copy(update={"train": few})})
    run = run_generation(config, tmp_path / "run")
    assert "its last weights are kept" in caplog.text
    assert [row["val_separation"] for row in read_rows(run.log)] == pytest.approx([np.nan] * 3, nan_ok=True)

    def refused(name):
        pytest.fail(f"{name} is no JSON")

    metrics = json.loads(run.metrics.read_text(), parse_constant=refused)
    assert metrics["stages"] == [{"name": "gan", "best_loss": None, "best_check": 3}]
    assert metrics["test"]["separation"] is None


def test_half_precision_trains(settings, tmp_path):
    """Losses stay close to those of full precision, and the weights that are kept are float32."""
    runs = [run_generation(settings(precision=one), tmp_path / one) for one in ("32", "bf16-mixed")]
    full, half = (np.array([row["train_critic"] for row in read_rows(run.log)]) for run in runs)
    assert np.isfinite(half).all()
    np.testing.assert_allclose(half, full, rtol=0.1, atol=0.05)
    kept = [str(values.dtype) for name, values in load_file(runs[1].weights).items() if name.endswith("weight")]
    assert set(kept) == {"float32"}


def test_half_precision_trains_3d_convolutions(tmp_path, monkeypatch):
    """A critic with gradient penalty, whose second derivatives pass through them."""
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path / "cache"))
    beam = {"particle": "photon", "energy": "10..50", "direction": [1.0, 0.0, 0.0], "number": 60, "seed": 1}
    content = {
        "data": {
            "detector": "ild-ecal",
            "window": {"eta": [-0.0105, 0.0105], "phi": [-0.0105, 0.0105], "layers": [1, 8]},
            "train": {"simulate": beam},
            "empty": "drop",
        },
        "model": {"kind": "wgan_gp", "latent": 4, "channels": 2, "critic_channels": 2, "critic_hidden": [4],
                  "constrainer_channels": 2, "constrainer_hidden": 4, "critic_steps": 1},
        "train": {"iterations": 2, "batch_size": 4, "check_every": 1, "check_showers": 8, "device": "cpu",
                  "pictures": 0, "precision": "bf16-mixed"},
    }  # fmt: skip
    run = run_generation(check_run(content, "here"), tmp_path / "run")
    rows = read_rows(run.log)
    losses = [name for name in rows[0] if name.startswith("train_")]
    assert {"train_generator", "train_critic", "train_constrainer"} <= set(losses)
    assert np.isfinite([[row[name] for name in losses] for row in rows]).all()
    assert {str(values.dtype) for name, values in load_file(run.weights).items() if "weight" in name} == {"float32"}


@pytest.mark.slow  # processes of their own
def test_two_processes_train_one_generator(settings, tmp_path):
    """Gradients are averaged: both have the same weights, and one of them writes."""
    write_config(settings(devices=2), tmp_path / "run.yaml")
    (tmp_path / "two.py").write_text(TWO)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, tmp_path / "two.py", tmp_path], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    one, two = (load_file(tmp_path / f"rank{number}.safetensors") for number in (0, 1))
    for name, values in one.items():
        if "running" not in name:  # those of batch norms are local
            np.testing.assert_array_equal(values, two[name], err_msg=name)
    assert len(read_rows(tmp_path / "run" / "log.csv")) == 3
    assert RunFolder(tmp_path / "run").is_finished


TWO = """
import sys
from pathlib import Path

from safetensors.torch import save_file

from hgcal_gnn.config.any_run import read_run
from hgcal_gnn.training.generation.keeper import StageKeeper
from hgcal_gnn.training.generation.run import run_generation

folder = Path(sys.argv[1])
end = StageKeeper._end_stage


def keep(self, trainer, module, name):
    weights = {name: values.clone() for name, values in module.model.state_dict().items()}
    save_file(weights, folder / f"rank{trainer.global_rank}.safetensors")
    end(self, trainer, module, name)


StageKeeper._end_stage = keep
if __name__ == "__main__":
    run_generation(read_run(folder / "run.yaml"), folder / "run")
"""


def test_ratios_of_means(settings):
    """1 for the same showers; of the showers that have a value; NaN if there is none."""
    data = open_data(settings().data)
    showers = data.validation.store[data.validation.rows[:50]]
    numbers = CellNumbers.of(data.graph.cells, data.material)
    empty = showers.where(np.zeros(len(showers.cell), dtype=bool))
    some = showers.where(showers.shower < 10)
    ours, first, half_empty, nothing = (
        compute_features(one, numbers, CHECKED) for one in (showers, showers[np.arange(10)], some, empty)
    )
    assert all(ratio == pytest.approx(1.0) for ratio in mean_ratios(ours, ours).values())
    ratios = mean_ratios(ours, half_empty)
    expected = np.mean(first.column("mean_layer"), dtype=float) / np.mean(ours.column("mean_layer"), dtype=float)
    assert ratios["ratio_mean_layer"] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(mean_ratios(ours, nothing)["ratio_mean_layer"])


def test_a_log_without_the_newer_columns_goes_on(tmp_path):
    """A run of an earlier version is resumed: its checks have no values there."""
    old = {"epoch": 0, "step": 4, "train_loss": 1.0, "val_loss": 0.5, "lr": 0.1, "seconds": 2.0}
    write_rows(tmp_path / "log.csv", [old])
    rows = [*read_rows(tmp_path / "log.csv"), {**old, "epoch": 1, "step": 8, "val_ratio_mean_layer": 0.9}]
    write_rows(tmp_path / "log.csv", rows)
    found = read_rows(tmp_path / "log.csv")
    assert [row["val_loss"] for row in found] == [0.5, 0.5]
    assert [row["val_ratio_mean_layer"] for row in found] == pytest.approx([np.nan, 0.9], nan_ok=True)


def judged_again(run):
    """Return what the judge finds of the kept weights, on the showers it looked at."""
    config = run.read_config(GenerationConfig)
    data = open_data(config.data)
    showers = data.validation.store[data.validation.rows[: config.train.check_showers]]
    numbers = CellNumbers.of(data.graph.cells, data.material)
    generated = load_generator(run.path).sample(Particles.of(showers), seed=config.seed + 1)
    return compare(*(compute_features(some, numbers, CHECKED) for some in (showers, generated)))


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_kept_weights_are_those_of_the_best_check(settings, tmp_path, averaging):
    """Averaged ones, where there is an average: what was looked at is what is kept."""
    optimiser = {"learning_rate": 0.02}
    run = run_generation(settings({"generator_optimiser": optimiser}, averaging=averaging), tmp_path / "run")
    rows = read_rows(run.log)
    best = min(rows, key=lambda row: row["val_loss"])
    found = judged_again(run)
    assert found["separation"] == pytest.approx(best["val_separation"], rel=1e-6)
    assert found["response"] == pytest.approx(best["val_response"], rel=1e-5)


def test_weights_are_chosen_by_the_total_energy(settings, tmp_path, monkeypatch):
    """At few energies with enough showers each the chi2 is measured, and the smallest one decides."""
    cells = make_detector(DETECTOR)
    beam = Beam("photon", parse_spectrum("1,4"), direction=(0.0, 0.0, 1.0))
    write_sample(cells, beam, 800, tmp_path / "two.arrow", seed=1)
    config = settings(select="total_energy_chi2")
    train = config.data.train.model_copy(update={"showers": tmp_path / "two.arrow"})
    data = config.data.model_copy(update={"train": train, "validation_fraction": 0.6})
    showers = open_data(data).validation.store[:200]
    response = showers.visible / showers.incident_energy
    log = tmp_path / "run" / "log.csv"

    def nearest_in_the_second_check(self, condition, random=None):  # noqa: ARG001
        scale = {0: 1.2, 1: 1.0}.get(len(read_rows(log)), 1.1)
        noise = torch.randn(len(condition), generator=random)
        total = scale * condition.energy * (response.mean() + response.std() * noise).clamp(min=0.0)
        return (total / 368)[:, None].expand(-1, 368)

    monkeypatch.setattr(CaloShowerGAN, "generate", nearest_in_the_second_check)
    run = run_generation(config.model_copy(update={"data": data}), tmp_path / "run")
    rows = read_rows(run.log)
    chi2 = [row["val_chi2"] for row in rows]
    assert chi2[1] < chi2[2] < chi2[0] < np.inf
    assert [row["val_loss"] for row in rows] == chi2
    best = {"name": "gan", "best_loss": pytest.approx(chi2[1]), "best_check": 2}
    assert json.loads(run.metrics.read_text())["stages"] == [best]


def test_each_stage_has_a_best_check_of_its_own(settings, tmp_path):
    run = run_generation(settings({"split": [2.0]}, averaging=0.9), tmp_path / "run")
    rows = read_rows(run.log)
    stages = json.loads(run.metrics.read_text())["stages"]
    assert [stage["name"] for stage in stages] == ["gan_0", "gan_1"]
    for stage, checks in zip(stages, (rows[:3], rows[3:]), strict=True):  # 12 iterations each, checked every 4
        best = min(checks, key=lambda row: row["val_loss"])
        assert stage["best_check"] == best["epoch"] + 1
        assert stage["best_loss"] == pytest.approx(best["val_loss"])


def test_checks_of_a_warm_up_are_no_candidates(settings, tmp_path, monkeypatch):
    """The first check would be the best one; but until iteration 5 nothing of what is trained is used."""
    stages, check = CaloShowerGAN.stages, Judge.check

    def warming_up(self, iterations):
        return [replace(stage, warm_up=5) for stage in stages(self, iterations)]

    def worse_and_worse(self, module, stage, number):
        return {**check(self, module, stage, number), "loss": float(number)}

    monkeypatch.setattr(CaloShowerGAN, "stages", warming_up)
    monkeypatch.setattr(Judge, "check", worse_and_worse)
    run = run_generation(settings(), tmp_path / "run")
    assert json.loads(run.metrics.read_text())["stages"] == [{"name": "gan", "best_loss": 1.0, "best_check": 2}]


def test_the_whole_model_of_a_run_comes_back(settings, tmp_path):
    """The critic as it was at the end, which the weights of the generator do not hold."""
    run = run_generation(settings(), tmp_path / "run")
    model = load_trained(run.path)
    trained = torch.load(run.last, weights_only=True)["state_dict"]
    mine = model.state_dict()
    assert {f"model.{name}" for name in mine} == {name for name in trained if name.startswith("model.")}
    of_critic = [name for name in mine if not name.startswith("generating")]
    assert of_critic
    for name in of_critic:
        torch.testing.assert_close(mine[name], trained[f"model.{name}"])
    assert not model.training
    run.last.unlink()
    with pytest.raises(InputError, match="only the generator"):
        load_trained(run.path)


def test_a_threshold_above_all_hits_is_named(settings, tmp_path):
    """Not the window: the images it is checked on are not cut yet. Nothing is left in the way of a better one."""
    with pytest.raises(UsageError, match=r"model.threshold 1000 GeV would empty all voxels: the highest energy"):
        run_generation(settings({"threshold": 1000.0}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
