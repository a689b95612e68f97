"""What the project promises about itself."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest

import hgcal_gnn

ROOT = Path(__file__).resolve().parents[2]


def readme_commands():
    """Every hgcal-gnn command the README shows."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return sorted({match for block in blocks for match in re.findall(r"hgcal-gnn ([a-z-]+)", block)})


@pytest.mark.parametrize("command", readme_commands())
def test_commands_of_the_readme_exist(command):
    from hgcal_gnn.cli import app

    assert command in {entry.name for entry in app.registered_commands}


def test_ci_finds_the_test_command_of_the_readme():
    text = (ROOT / "README.md").read_text()
    assert re.search(r"<!-- test command -->\n```\npip install .*pytest.*\n```\n", text)


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    }
    asked = itertools.chain(project["dependencies"], *project["optional-dependencies"].values())
    names = {re.split(r"[\[<>=!~ ]", entry)[0].lower() for entry in asked} - {"hgcal-gnn"}
    assert names <= pinned


def test_version_is_stated_once():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", hgcal_gnn.__version__)
    assert f"version: {hgcal_gnn.__version__}" in (ROOT / "CITATION.cff").read_text()


def test_importing_the_package_loads_nothing_heavy():
    import subprocess
    import sys

    code = "import sys, hgcal_gnn; sys.exit(bool({'numpy', 'torch', 'numba'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
