"""Markdown tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def code(text: str) -> str:
    """Return text as code; inside it, Python-Markdown does not take a bar for the border of a cell."""
    return "`" + " ".join(text.split()) + "`"


def escaped(text: str) -> str:
    """Return plain text whose characters mean nothing to Markdown or HTML."""
    joined = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
    for character in "\\|*_<[`":
        joined = joined.replace(character, f"&#{ord(character)};")
    return joined
