"""Files with random damage: a clear refusal or a table, never another error."""

from __future__ import annotations

import random

import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.tables import read_table, write_table

from .table_files import DATA, prism_csv, saved

ATTEMPTS = 120
BYTES = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"9999", b'-,\n"')


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Overwrite, remove, repeat or insert bytes at one or a few random places, or cut the file off."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            data[place : place + 1] = rng.randbytes(1)
        elif kind == 1:
            data[place : place + rng.choice((1, 4, 50))] = b""
        elif kind == 2:
            data[place:place] = rng.randbytes(rng.choice((1, 4, 50)))
        elif kind == 3:
            data[place:place] = data[max(0, place - 20) : place]
        elif kind == 4:
            data[place : place + 4] = rng.choice(BYTES)
        elif rng.random() < 0.3:
            del data[place:]
    return bytes(data) or b"x"


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".root"])
def test_damaged_tables(tmp_path, suffix):
    whole = tmp_path / f"whole{suffix}"
    write_table(read_table(saved(tmp_path / "source.csv", prism_csv())), whole)
    check_damaged(whole.read_bytes(), tmp_path / f"t{suffix}")


@pytest.mark.parametrize("name", ["extractor_split_pairs", "extractor_whole_pairs", "flat_cells"])
def test_damaged_foreign_root_files(tmp_path, name):
    check_damaged((DATA / f"{name}.root").read_bytes(), tmp_path / "t.root")


def check_damaged(content: bytes, path) -> None:
    rng = random.Random(f"{path.name} {len(content)}")  # noqa: S311
    for _ in range(ATTEMPTS):
        saved(path, damaged(content, rng))
        try:
            outcome: object = read_table(path, length_unit="mm", allow_lone_cells=True)
        except InputError as error:
            outcome = str(error)
        assert isinstance(outcome, CellTable) or str(path) in str(outcome)
