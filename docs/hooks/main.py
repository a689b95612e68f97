"""Hook of mkdocs: pages that are made from the code when the site is built, and what is not written yet."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pages_api
import pages_commands
import pages_examples
import pages_files
import pages_settings
from mkdocs.structure.files import File, Files
from table import table

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).resolve().parents[2]
ARXIV = re.compile(r"(?<![\w/\[`])arXiv:(\d{4}\.\d{4,5})")
NOT_YET = {"quickstart.md", "export.md", "scaling.md", "releasing.md"}  # in the navigation as soon as they are there


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave announced pages out of the navigation that are not there, and add those to the guides that nobody named."""
    there = {path.name for path in Path(config.docs_dir).glob("*.md")}
    config.nav = _without(config.nav, NOT_YET - there)
    unnamed = sorted(name for name in there if name not in str(config.nav))
    next(entry["Guides"] for entry in config.nav if "Guides" in entry).extend(unnamed)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code."""
    for name, text in _made().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put tables in where a page asks for them (settings of a model, contracts of imports, extras); link papers."""
    filled = re.sub(r"<!-- settings (\w+) (\w+) -->", lambda m: pages_settings.of_kind(m[1], m[2]), markdown)
    filled = filled.replace("<!-- import contracts -->", _contracts()).replace("<!-- extras -->", _extras())
    parts = re.split(r"(^```.*?^```)", filled, flags=re.MULTILINE | re.DOTALL)  # every other one is code
    parts[::2] = [ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", text) for text in parts[::2]]
    return "".join(parts)


def _made() -> dict[str, str]:
    """Return the text of all made pages by file name."""
    made = {
        "reference/commands.md": pages_commands.page(),
        "reference/schemas.md": pages_files.page(),
        "geometry_tables.md": (ROOT / "geometry" / "README.md").read_text(encoding="utf-8"),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    }
    return made | pages_settings.pages() | pages_examples.pages(ROOT / "examples") | pages_api.pages()


def _contracts() -> str:
    """Return the contracts of import-linter as they stand in pyproject.toml."""
    layers, *forbidden = _project()["tool"]["importlinter"]["contracts"]
    lines = "\n".join(layer.replace("hgcal_gnn.", "") for layer in layers["layers"])
    rows = [[each["name"], ", ".join(f"`{name}`" for name in each["forbidden_modules"])] for each in forbidden]
    return f"```text\n{lines}\n```\n\n{table(['contract', 'never imported'], rows)}"


def _extras() -> str:
    """Return the table of what `pip install hgcal-gnn[EXTRA]` brings."""
    extras = _project()["project"]["optional-dependencies"]
    rows = [
        [f"`{name}`", ", ".join(re.split(r"[>=<!~]", each)[0] for each in needed)] for name, needed in extras.items()
    ]
    return table(["extra", "brings"], rows)


@cache
def _project() -> dict[str, Any]:
    """Return what stands in pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _without(nav: list[Any] | None, missing: set[str]) -> list[Any]:
    """Return a navigation without some pages."""
    kept: list[Any] = []
    for entry in nav or []:
        if isinstance(entry, str):
            kept += [] if entry in missing else [entry]
            continue
        ((title, target),) = entry.items()
        if isinstance(target, list):
            kept.append({title: _without(target, missing)})
        elif target not in missing:
            kept.append(entry)
    return kept
