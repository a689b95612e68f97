"""Numbers with errors and tables as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN = "-"


def with_error(value: float, error: float) -> str:
    """Write a number with its error, both to the second digit of the error: '12.34 ± 0.56'."""
    if not math.isfinite(value):
        return UNKNOWN
    if not math.isfinite(error) or error <= 0:
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def counted(number: int, what: str) -> str:
    """Write a number of things: '1 shower', '2,000 showers'."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def duration(seconds: float) -> str:
    """Write a time: '42 s', '3.1 min', '2.5 h'."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown whose columns stand below each other as plain text, too.

    The first column is flush left, the others flush right; '|' in a cell is escaped.
    """
    cells = [[cell.replace("|", r"\|") for cell in row] for row in (header, *rows)]
    width = [max(3, *(len(row[k]) for row in cells)) for k in range(len(header))]
    lines = ["| " + " | ".join([row[0].ljust(width[0]), *map(str.rjust, row[1:], width[1:])]) + " |" for row in cells]
    rule = "| " + " | ".join(["-" * width[0], *("-" * (n - 1) + ":" for n in width[1:])]) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])
