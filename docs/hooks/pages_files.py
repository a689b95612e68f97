"""The page of all files of the package, made from what `hgcal-gnn schema` prints."""

from __future__ import annotations

from typing import Any

from table import code, escaped, table

from hgcal_gnn.cli.schema_files import files

HEAD = """\
# Columns and metadata of files

Made from `hgcal-gnn schema table`, `graph`, `showers` and `model`, which print the same as JSON. What the formats are
for, and how versions are handled: [File formats](../file_formats.md).
"""


def page() -> str:
    """Return one section per file."""
    return "\n\n".join([HEAD, *(_section(name, about) for name, about in files().items())]) + "\n"


def _section(name: str, about: dict[str, Any]) -> str:
    columns = table(
        ["name", "type", "unit", "meaning"],
        [
            [code(each["name"]), escaped(each["type"]), each["unit"], escaped(each["description"]) + optional(each)]
            for each in about["columns"]
        ],
    )
    metadata = table(["metadata", "meaning"], [[code(key), escaped(text)] for key, text in about["metadata"].items()])
    version = f"Format version {about['format_version']}, kept as {about['version_in']}."
    head = f"## {about['title']}\n\n`hgcal-gnn schema {name}`"
    return "\n\n".join([head, f"{about['container']}. {version}", columns, metadata])


def optional(column: dict[str, Any]) -> str:
    """Say that a column may be absent."""
    return " (optional)" if column["optional"] else ""
