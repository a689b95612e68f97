"""Run the command line in this process, as a user would type it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from hgcal_gnn.cli import app
from hgcal_gnn.cli.errors import run_app
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.graph_file import load_graph, save_graph
from hgcal_gnn.simulation import sample
from tests.cli.made_generator import make_generator
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree


class Outcome(NamedTuple):
    """What a command printed and returned."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run one command in an empty folder: run("inspect", path)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path / "cache"))

    def call(*arguments: object) -> Outcome:
        code = run_app(app, [str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A piece of the HGCAL as a graph, the toy calorimeter as another, and two files of its showers."""
    folder = tmp_path_factory.mktemp("made")
    piece = make_detector("hgcal", eta=(1.8, 2.2), phi=(1.4, 1.75), side=1)
    save_graph(build_graph(piece)[0], folder / "piece.safetensors")
    save_graph(build_graph(toy_cells())[0], folder / "toy.safetensors")
    for number in (1, 2):
        write_tree(folder / f"in{number}.root", hgcal_branches(toy_cells()))
    return folder


@pytest.fixture(scope="session")
def photons(made, tmp_path_factory):
    """A store of 40 photons."""
    from hgcal_gnn.simulation.beam import Beam, parse_spectrum

    path = tmp_path_factory.mktemp("photons") / "photons.arrow"
    beam = Beam("photon", parse_spectrum("10..100"), eta=2.0, phi=1.57)
    sample.write_sample(load_graph(made / "piece.safetensors").cells, beam, 40, path)
    return path


@pytest.fixture(scope="session")
def untrained_generator(tmp_path_factory):
    """The folder of a run whose generator was never trained."""
    folder = tmp_path_factory.mktemp("generator") / "run"
    make_generator(folder)
    return folder
