"""The log of a training: a CSV file with one row per epoch or check."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.files import atomic_path, check_readable

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.arrays import F64

FIRST_COLUMNS = ("epoch", "step", "train_loss", "val_loss", "lr", "seconds")


def read_columns(path: Path, needed: str) -> dict[str, F64]:
    """Read a log: float64 [n_rows] by column, NaN for empty fields.

    Parameters
    ----------
    path
    needed
        Column without which it is none.

    Raises
    ------
    InputError
        If the file cannot be read or is no log.
    """
    check_readable(path)
    try:
        return _parsed(path, needed)
    except ValueError as error:
        msg = f"{path}: is no log of a training: {error}"
        raise InputError(msg) from error


def _parsed(path: Path, needed: str) -> dict[str, F64]:
    """Read a log; a ValueError says what is wrong with it."""
    with path.open(newline="", encoding="utf-8") as stream:
        names, *rows = list(csv.reader(stream))
    if needed not in names or not rows:
        msg = f"it needs a column '{needed}' and rows, it has {', '.join(names)}"
        raise ValueError(msg)
    table = np.array([[float(field) if field else np.nan for field in row] for row in rows])
    return dict(zip(names, table.T, strict=True))


def read_rows(path: Path) -> list[dict[str, float]]:
    """Read the rows of a log, none if there is no log.

    Raises
    ------
    InputError
        See `read_columns`.
    """
    if not path.exists():
        return []
    columns = read_columns(path, "epoch")
    if any(name not in columns or not np.isfinite(columns[name]).all() for name in ("epoch", "step")):
        msg = f"{path}: is no log of a training: it needs whole numbers in the columns 'epoch' and 'step'"
        raise InputError(msg)
    rows = [dict(zip(columns, row, strict=True)) for row in np.stack(list(columns.values()), axis=1).tolist()]
    return [{**row, "epoch": int(row["epoch"]), "step": int(row["step"])} for row in rows]


def write_rows(path: Path, rows: list[dict[str, float]]) -> None:
    """Write a log anew, so that it is whole whatever happens."""
    names = [*FIRST_COLUMNS, *sorted(rows[-1].keys() - set(FIRST_COLUMNS))]
    with atomic_path(path, overwrite=True) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
