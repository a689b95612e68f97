"""Table files made by hand for the tests: a prism of square cells, 2 cm wide, ids from 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

HEADER = "cell_id,layer,x,y,z"
DATA = Path(__file__).parent / "data"


def prism_rows(side: int = 5, layers: int = 3) -> list[list[str]]:
    """Rows of values as text: id, layer, x, y, z."""
    places = [(layer, i, j) for layer in range(1, layers + 1) for i in range(side) for j in range(side)]
    return [
        [str(number), str(layer), str(20 + 2 * i), str(2 * j), str(100 + layer)]
        for number, (layer, i, j) in enumerate(places, start=1)
    ]


def as_csv(rows: Sequence[Sequence[str]], header: str = HEADER) -> str:
    """Text of a CSV file."""
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"


def prism_csv(change: Callable[[int, list[str]], list[str]] | None = None, header: str = HEADER) -> str:
    """Text of the prism's CSV file, each row (counted from 0) passed through `change`."""
    rows = prism_rows()
    return as_csv([change(i, row) for i, row in enumerate(rows)] if change else rows, header)


def saved(path: Path, content: str | bytes) -> Path:
    """Write a file and give its path."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
