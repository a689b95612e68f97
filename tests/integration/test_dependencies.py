"""Every dependency is listed in docs/quality.md with what it is for and a licence that allows free use."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FREE = ("BSD", "MIT", "Apache", "PSF", "Python Software Foundation", "MPL-2.0", "ISC", "Zlib", "CC0", "matplotlib")
NOT_FREE = re.compile(r"\b(A?GPL|LGPL|SSPL|BUSL|Proprietary|Commercial)", re.IGNORECASE)


def dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = [re.split(r"[\[<>=;, ]", each)[0] for each in wanted]
    return sorted({name for name in names if name != project["name"]}, key=str.lower)


@pytest.mark.parametrize("name", dependencies())
def test_its_licence_is_free_and_it_is_listed(name):
    try:
        found = metadata(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    text = [found.get("License-Expression") or "", *(found.get("License") or "").splitlines()[:1]]
    text += [each for each in found.get_all("Classifier") or [] if each.startswith("License")]
    licence = " ".join(text)
    assert any(each in licence for each in FREE), f"{name}: {licence or 'no licence told'}"
    assert not NOT_FREE.search(licence), f"{name}: {licence}"
    assert f"| {name} |" in (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
