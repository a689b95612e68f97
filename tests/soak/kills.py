"""Kill commands at random moments until they finish, and compare what is left with an uninterrupted run.

    python -m tests.soak.kills --kills 12 [--seed 1] [convert simulate generate train_regressor train_generator]

Every command runs in a process of its own and is killed with SIGKILL, at a moment drawn from the time that the whole
command takes; the same command (with --resume for trainings) goes on. After `--kills` kills it is left alone.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from hgcal_gnn.training_log import read_rows
from tests.cli.made_generator import make_generator
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree

LONGEST = 600  # s
WINDOW = {"eta": [1.9, 2.1], "phi": [1.49, 1.65], "layers": [1, 26], "side": 1}
BEAM = {"particle": "photon", "energy": "5..20", "eta": 2.0, "phi": 1.57, "number": 400, "seed": 1}
REGRESSION = {
    "seed": 3,
    "data": {"detector": "hgcal", "window": WINDOW, "train": {"simulate": BEAM}, "empty": "drop"},
    "model": {"kind": "gcn", "hidden": 8},
    "train": {"epochs": 15, "batch_size": 32, "device": "cpu"},
}
SMALL = {"particle": "photon", "energy": "1,4,16,64", "direction": [0.0, 0.0, 1.0], "number": 400, "seed": 1}
GENERATION = {
    "seed": 3,
    "data": {"detector": "calochallenge-1-photons", "train": {"simulate": SMALL}},
    "model": {"kind": "calo_shower_gan"},
    "train": {
        "iterations": 80,
        "batch_size": 32,
        "check_every": 10,
        "check_showers": 64,
        "device": "cpu",
        "pictures": 0,
    },
}


@dataclass(frozen=True)
class Job:
    """A command that can be killed.

    Attributes
    ----------
    command
        Arguments, with the name of its output at the end.
    again
        Further arguments when it goes on.
    same
        Tells whether two outputs are the same.
    """

    command: Sequence[str]
    same: Callable[[Path, Path], bool]
    again: Sequence[str] = ()

    def is_done(self, output: Path) -> bool:
        """Tell whether the output is complete, whatever became of the process."""
        return (output / "metrics.json").exists() if self.again else output.exists()


def same_bytes(one: Path, other: Path) -> bool:
    """Compare files."""
    return one.read_bytes() == other.read_bytes() and not other.with_name(other.name + ".parts").exists()


def same_runs(one: Path, other: Path) -> bool:
    """Compare weights, and logs but for the time taken."""
    weights = [(folder / "model.safetensors").read_bytes() for folder in (one, other)]
    logs = [[{**row, "seconds": 0.0} for row in read_rows(folder / "log.csv")] for folder in (one, other)]
    return weights[0] == weights[1] and str(logs[0]) == str(logs[1])


def jobs(folder: Path) -> dict[str, Job]:
    """Make what the commands need, and the commands."""
    inputs = folder / "inputs"
    inputs.mkdir()
    cells, rng = toy_cells(), np.random.default_rng(5)
    for number in range(30):
        hits = [rng.integers(0, 40, size).tolist() for size in rng.poisson(20, 400)]
        write_tree(inputs / f"in{number:02d}.root", hgcal_branches(cells, rows=hits))
    graph = inputs / "toy.safetensors"
    from hgcal_gnn.geometry.build import build_graph
    from hgcal_gnn.geometry.graph_file import save_graph

    save_graph(build_graph(cells)[0], graph)
    make_generator(inputs / "run")
    for name, settings in (("regression", REGRESSION), ("generation", GENERATION)):
        (inputs / f"{name}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    window = ("--detector", "calochallenge-1-photons", "--direction", "0,0,1", "--energy", "1..64")
    return {
        "convert": Job(("convert", str(inputs / "in*.root"), "--graph", str(graph), "-o"), same_bytes),
        "simulate": Job(("simulate", *window, "-n", "20000", "--threads", "1", "-o"), same_bytes),
        "generate": Job(("generate", str(inputs / "run"), "-n", "60000", "--threads", "1", "-o"), same_bytes),
        "train_regressor": Job(
            ("train", str(inputs / "regression.yaml"), "--threads", "1", "-o"), same_runs, ("--resume",)
        ),
        "train_generator": Job(
            ("train", str(inputs / "generation.yaml"), "--threads", "1", "-o"), same_runs, ("--resume",)
        ),
    }


def start(job: Job, output: Path, *, again: bool = False) -> subprocess.Popen[str]:
    """Start the command."""
    command = [sys.executable, "-m", "hgcal_gnn", *job.command, str(output), *(job.again if again else ())]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a command that is left alone."""
    _, errors = process.communicate(timeout=LONGEST)
    if process.returncode:
        raise RuntimeError(errors)


def soak(job: Job, folder: Path, kills: int, rng: random.Random) -> tuple[int, int]:
    """Kill a command `kills` times; return how often it was at work when killed, and how often it had begun anew.

    Raises
    ------
    RuntimeError
        If it fails when left alone, or what it leaves is not the same.
    """
    suffix = "" if job.again else ".arrow"
    whole, output = folder / f"whole{suffix}", folder / f"killed{suffix}"
    begun = time.monotonic()
    finish(start(job, whole))
    takes = time.monotonic() - begun
    at_work = rounds = 0
    for _ in range(kills):
        process = start(job, output, again=True)
        try:
            process.wait(timeout=rng.uniform(0.2, 1.0) * takes)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            at_work += any(folder.glob("killed*"))
        else:
            finish(process)
        if job.is_done(output):  # compare, and begin anew
            rounds += 1
            _compare(job, whole, output)
            _remove(output)
    finish(start(job, output, again=True))
    _compare(job, whole, output)
    return at_work, rounds + 1


def _compare(job: Job, whole: Path, output: Path) -> None:
    if not job.same(whole, output):
        msg = f"{output} is not the same as {whole}"
        raise RuntimeError(msg)
    left = [path.name for path in output.parent.iterdir() if path.name.startswith(".")]
    if left:
        msg = f"left behind: {left}"
        raise RuntimeError(msg)


def _remove(output: Path) -> None:
    if output.is_dir():
        for path in sorted(output.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        output.rmdir()
    else:
        output.unlink()


def main() -> None:
    """Soak all commands, or some."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*")
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        made = jobs(Path(name))
        for command in asked.commands or list(made):
            folder = Path(name) / command
            folder.mkdir()
            begun = time.monotonic()
            at_work, rounds = soak(made[command], folder, asked.kills, random.Random(f"{command} {asked.seed}"))  # noqa: S311
            print(
                f"{command}: {asked.kills} rounds, killed at work {at_work} times, finished {rounds} times, always the "
                f"same as uninterrupted, {time.monotonic() - begun:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
