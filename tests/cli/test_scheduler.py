"""Work on a Dask cluster: the same files as without, and clear words when something is missing or lost."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from hgcal_gnn import dask_cluster
from hgcal_gnn.dask_cluster import cluster_client, on_cluster
from hgcal_gnn.errors import HgcalError, UsageError
from hgcal_gnn.evaluation.report.metrics_file import metrics
from hgcal_gnn.evaluation.report.run import evaluate
from hgcal_gnn.evaluation.report.settings import EvaluationSettings
from hgcal_gnn.generation import sample_file
from hgcal_gnn.geometry.graph_file import load_graph
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.showers.store.writer import ShowerWriter
from hgcal_gnn.simulation import sample

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    """Two processes with a scheduler."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as started:
        yield started


@pytest.fixture(scope="module")
def address(cluster):
    return cluster.scheduler_address


def same_files(tmp_path, first: str, second: str) -> bool:
    return (tmp_path / first).read_bytes() == (tmp_path / second).read_bytes()


def test_convert(run, made, address, tmp_path):
    """Relative names of inputs are those of this process, not of the workers."""
    for name in ("in1.root", "in2.root"):
        (tmp_path / name).symlink_to(made / name)
    command = ("convert", "in1.root", "in2.root", "--graph", made / "toy.safetensors", "-o")
    assert run(*command, "one.arrow").code == 0
    outcome = run(*command, "two.arrow", "--scheduler", address)
    assert outcome.code == 0, outcome.err
    assert same_files(tmp_path, "one.arrow", "two.arrow")


def test_simulate_goes_on_with_the_parts_that_are_missing(run, made, address, tmp_path, monkeypatch):
    """Parts come in any order from a cluster: an interrupted run may lack one in the middle."""
    monkeypatch.setattr(sample, "PART", 64)
    monkeypatch.setattr(sample, "STEP", 64)
    command = ("simulate", "--graph", made / "piece.safetensors", "-n", 150, "--energy", 5, "-o")
    assert run(*command, "one.arrow", "--threads", 1).code == 0
    finish = ShowerWriter.finish

    def broken(writer, **_):
        (writer.folder / "part-00001.json").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(ShowerWriter, "finish", broken)
    assert "2 finished parts are kept" in run(*command, "two.arrow", "--scheduler", address).err
    monkeypatch.setattr(ShowerWriter, "finish", finish)
    outcome = run(*command, "two.arrow", "--scheduler", address)
    assert outcome.code == 0, outcome.err
    assert "(86 from an earlier run)" in outcome.out
    assert same_files(tmp_path, "one.arrow", "two.arrow")
    refused = run(*command, "two.root", "--scheduler", address)
    assert refused.code == 2
    assert "a cluster writes stores (.arrow)" in refused.err


def test_generate(run, untrained_generator, address, tmp_path, monkeypatch):
    monkeypatch.setattr(sample_file, "PART", 64)
    command = ("generate", untrained_generator, "-n", 200, "--batch-size", 32, "--threads", 1, "-o")
    assert run(*command, "one.arrow").code == 0
    outcome = run(*command, "two.arrow", "--scheduler", address)
    assert outcome.code == 0, outcome.err
    assert same_files(tmp_path, "one.arrow", "two.arrow")


def test_evaluate(made, photons, address):
    """Two samples, so that their comparisons are shared out, too; what took how long is no result."""
    graph, settings = load_graph(made / "piece.safetensors"), EvaluationSettings(observables=("energy",)).quick()
    samples = {"a": photons, "b": open_store(photons)[:30]}
    one = metrics(evaluate(photons, samples, graph, settings=settings))
    two = metrics(evaluate(photons, samples, graph, settings=settings, cluster=address))
    assert set(one.pop("seconds")) == set(two.pop("seconds"))
    assert one == two


def test_the_command_to_evaluate_hands_the_cluster_on(run, made, photons):
    command = ("evaluate", "--reference", photons, "--generated", photons, "--graph", made / "piece.safetensors")
    outcome = run(*command, "-o", "report", "--scheduler", "local:none")
    assert (outcome.code, "give local, or local:4" in outcome.err) == (2, True)


def die_once(marker: str, number: int) -> int:
    """End the process that works on number 1, the first time."""
    if number == 1 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def die(_: None, number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_what_a_lost_worker_had_begun_is_begun_again(cluster, tmp_path):
    with distributed.Client(cluster, set_as_default=False) as client:
        found = dict(on_cluster(client, die_once, str(tmp_path / "died"), range(3)))
    assert found == {0: 0, 1: 1, 2: 4}
    assert (tmp_path / "died").exists()


def test_work_that_ends_every_worker_is_given_up(cluster):
    cluster.scheduler.allowed_failures = 0
    with (
        distributed.Client(cluster, set_as_default=False) as client,
        pytest.raises(HgcalError, match=r"lost again and again.*finished parts are kept"),
    ):
        list(on_cluster(client, die, None, range(2)))


def sleep(seconds: float, _: int) -> None:
    time.sleep(seconds)


def test_a_lost_scheduler_and_lost_workers_are_told(monkeypatch):
    monkeypatch.setattr(dask_cluster, "LOOK", 0.2)
    monkeypatch.setattr(dask_cluster, "MOST_LOOKS", 2)
    monkeypatch.setattr(dask_cluster, "FIRST_WORKER", 0.2)
    with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as one:
        with distributed.Client(one, set_as_default=False) as client:
            threading.Timer(0.5, one.scale, [0]).start()
            with pytest.raises(HgcalError, match="no workers for"):
                list(on_cluster(client, sleep, 2.0, range(3)))
        with (
            pytest.raises(UsageError, match="has no workers; start some with: dask worker"),
            cluster_client(one.scheduler_address),
        ):
            pass


def test_a_cluster_that_is_not_there(run, made, tmp_path, monkeypatch):
    command = ("simulate", "--graph", made / "piece.safetensors", "-n", 1, "-o", tmp_path / "a.arrow", "--scheduler")
    monkeypatch.setattr(dask_cluster, "CONNECT", 0.5)
    for text, problem in (
        ("tcp://127.0.0.1:1", "no Dask scheduler answers there"),
        ("nonsense://x", "no Dask scheduler answers there"),
        ("local:none", "give local, or local:4"),
        ("local:0", "give local, or local:4"),
    ):
        outcome = run(*command, text)
        assert (outcome.code, problem in outcome.err) == (2, True), outcome.err
    monkeypatch.setitem(sys.modules, "distributed", None)
    outcome = run(*command, "local")
    assert (outcome.code, "hgcal-gnn[dask]" in outcome.err) == (2, True)
    assert not list(tmp_path.glob("a.arrow*"))
