"""Run the command line in this process, as a user would type it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from hgcal_gnn.cli import app
from hgcal_gnn.cli.errors import run_app


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
