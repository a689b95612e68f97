"""What quickstart makes: the files, and how much of everything."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from string import Template
from typing import NamedTuple

NEEDED = ("torch", "torch_geometric", "pytorch_lightning", "sklearn")
SETTINGS = Path(__file__).parent / "settings"
REGRESSORS = ("sum_sections", "message_passing")  # the first one is what the other is compared to
GENERATORS = ("wgan_gp", "cells")
SAMPLES = ("photons", "photons_test", "pions", "pions_test")
PICTURED = ("photon", "pion")
MIXED_LAYER = 38  # of silicon and scintillator
THRESHOLD = 3e-5  # GeV; about half a MIP: what voxel models cannot generate is asked of none
ETA, PHI = 2.0, 1.57  # of all showers


class Size(NamedTuple):
    """How much of everything.

    Attributes
    ----------
    name
    eta, phi
        Piece of the endcap.
    photons, photons_test, pions, pions_test
        Showers.
    epochs
        Of the energy regressor.
    voxel_iterations, voxel_check, graph_iterations, graph_check
        Of the generators, and of the checks between.
    skipped
        Parts of the evaluation.
    """

    name: str
    eta: tuple[float, float]
    phi: tuple[float, float]
    photons: int
    photons_test: int
    pions: int
    pions_test: int
    epochs: int
    voxel_iterations: int
    voxel_check: int
    graph_iterations: int
    graph_check: int
    skipped: tuple[str, ...] = ()


FULL = Size(
    "full", (1.5, 2.8), (1.05, 2.09), 6000, 2000, 6000, 4000, 10, 600, 100, 300, 100,
    skipped=("physics_distance",),  # a minute or two for two samples
)  # fmt: skip
TINY = Size(
    "tiny", (1.9, 2.1), (1.49, 1.65), 300, 100, 300, 200, 1, 4, 2, 4, 2,
    skipped=("correlation", "physics_distance", "classifier", "energies"),
)  # fmt: skip


class Files:
    """Where everything is.

    Attributes
    ----------
    folder
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.diary = folder / "quickstart.json"
        self.table = folder / "hgcal_sector.parquet"
        self.graph = folder / "graph.safetensors"
        self.detector = folder / "detector.png"
        self.layer = folder / f"layer_{MIXED_LAYER}.png"
        self.report = folder / "report.html"
        self.metrics = folder / "generators.json"
        self.runs = folder / "runs"

    def showers(self, name: str) -> Path:
        """Return the store of a sample."""
        return self.folder / f"{name}.arrow"

    def picture(self, particle: str) -> Path:
        """Return the picture of one shower."""
        return self.folder / f"{particle}.png"

    def settings(self, name: str) -> Path:
        """Return the settings of a training."""
        return self.folder / f"{name}.yaml"

    def run(self, name: str) -> Path:
        """Return the folder of a training."""
        return self.runs / name

    def contents(self) -> dict[str, list[Path]]:
        """Return all that is written, by what it is."""
        return {
            "report": [self.report, self.metrics],
            "geometry and graph": [self.table, self.graph],
            "simulated showers": [*map(self.showers, SAMPLES)],
            "generated showers": [*map(self.showers, GENERATORS)],
            "settings of trainings": [*map(self.settings, (*REGRESSORS, *GENERATORS))],
            "trained networks": [self.runs],
            "pictures": [self.detector, self.layer, *map(self.picture, PICTURED)],
            "times": [self.diary],
        }

    def products(self, step: str) -> list[Path]:
        """Return what must be there when a step is done."""
        voxel, graph = ([self.settings(name), self.run(name), self.showers(name)] for name in GENERATORS)
        return {
            "geometry": [self.table],
            "graph": [self.graph, self.detector, self.layer],
            "showers": [*map(self.showers, SAMPLES), *map(self.picture, PICTURED)],
            "regression": [*map(self.settings, REGRESSORS), *map(self.run, REGRESSORS)],
            "voxel generator": voxel,
            "graph generator": graph,
            "report": [self.report],
        }[step]

    def remove(self) -> None:
        """Remove all that is written, and nothing else."""
        paths = list(chain.from_iterable(self.contents().values()))
        for path in [*paths, *(path.with_name(f"{path.name}.parts") for path in paths)]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def next_commands(files: Files) -> list[tuple[str, str]]:
    """Return what to do next: why, and the command."""
    folder = files.folder
    found = [
        ("look at the graph", f"hgcal-gnn inspect {files.graph}"),
        ("your own detector", "hgcal-gnn build-graph TABLE.csv -o graph.safetensors"),
        ("your own showers", "hgcal-gnn convert 'ntuples/*.root' --graph graph.safetensors -o showers.arrow"),
        ("the whole HGCAL", "hgcal-gnn make-geometry hgcal -o hgcal.parquet"),
    ]
    if not files.runs.exists():
        return found
    generated = " ".join(str(files.showers(name)) for name in GENERATORS)
    longer = f"hgcal-gnn train {files.settings('cells')} -o longer --set train.iterations=2000"
    more = f"hgcal-gnn generate {files.run('cells')} --energy 20 -n 1000 -o {folder}/photons_20.arrow"
    judged = (
        f"hgcal-gnn evaluate --reference {files.showers('photons_test')} --generated {generated} "
        f"--graph {files.graph} --threshold {THRESHOLD} -o {folder}/evaluation"
    )
    return [
        ("train longer", longer),
        ("more showers", more),
        ("everything about the generated showers", judged),
        *found,
    ]


def can_train() -> bool:
    """Tell whether what networks need is installed."""
    return all(find_spec(name) for name in NEEDED)


def settings_text(name: str, folder: Path, size: Size) -> str:
    """Return the settings of a training in the folder."""
    text = (SETTINGS / f"{name}.yaml").read_text(encoding="utf-8")
    return Template(text).substitute(size._asdict() | {"folder": folder})
