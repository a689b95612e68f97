"""What a release promises: one version everywhere, one set of bounds, and archives that hold what they must."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import hgcal_gnn

ROOT = Path(__file__).resolve().parents[2]
CITATION_KEYS = {"cff-version", "message", "title", "abstract", "type", "license", "version", "authors", "keywords"}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(name):
    """Read NAME==VERSION lines."""
    lines = (ROOT / name).read_text().splitlines()
    found = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(package): Version(version) for package, version in found}


def requirements():
    """What users install: dependencies, and extras that are not for tests."""
    extras = project()["optional-dependencies"]
    asked = chain(project()["dependencies"], *(some for name, some in extras.items() if name not in ("test", "docs")))
    return [one for one in map(Requirement, asked) if one.name != "hgcal-gnn"]


def test_version_citation_and_changelog_agree():
    version = hgcal_gnn.__version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == version
    assert set(citation) >= CITATION_KEYS
    released = re.findall(r"^## \[(\d.*?)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if ".dev" in version:
        assert Version(version) > Version(released[0][0])
    else:
        assert released[0] == (version, str(citation["date-released"]))


@pytest.mark.parametrize("wanted", requirements(), ids=str)
def test_lower_bound_is_the_minimal_version_and_the_tested_one_is_allowed(wanted):
    name = canonicalize_name(wanted.name)
    bounds = [Version(one.version) for one in wanted.specifier if one.operator == ">="]
    assert [pins("constraints-minimal.txt")[name]] == bounds
    assert pins("constraints.txt")[name] in wanted.specifier


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Wheel and source archive of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_wheel_holds_the_package_with_its_settings_and_nothing_else(dist):
    (wheel,) = dist.glob(f"hgcal_gnn-{hgcal_gnn.__version__}-py3-none-any.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    files = (path for path in (ROOT / "hgcal_gnn").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    wanted = {path.relative_to(ROOT).as_posix() for path in files if path.suffix in (".py", ".yaml", ".typed")}
    assert {"hgcal_gnn/py.typed", "hgcal_gnn/cli/quickstart/settings/cells.yaml"} <= wanted <= names
    assert {name.partition("/")[0] for name in names} == {"hgcal_gnn", f"hgcal_gnn-{hgcal_gnn.__version__}.dist-info"}


def test_source_archive_holds_what_the_tests_need(dist):
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {
        "tests/conftest.py", "configs/generation/cells_tiny.yaml", "examples/cell_graph_of_your_detector.py",
        "constraints.txt", "constraints-minimal.txt", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml",
    } <= names  # fmt: skip
