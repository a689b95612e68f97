"""Files that hold showers: which inputs are meant, and reading each by its kind."""

from __future__ import annotations

import glob
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.files import check_readable
from hgcal_gnn.showers.convert.hdf5_source import read_showers
from hgcal_gnn.showers.input_rules import apply_rules
from hgcal_gnn.showers.root import RootOptions, iterate_root
from hgcal_gnn.showers.root.tree import detect_branches, open_root
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.showers.store.writer import file_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.convert.hdf5_source import Hdf5Options
    from hgcal_gnn.showers.file_report import FileReport
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.root.hits import CellRows
    from hgcal_gnn.showers.showers import Showers

KINDS = {".root": "root", ".arrow": "arrow", ".h5": "hdf5", ".hdf5": "hdf5"}


def kind_of(path: Path | str) -> str:
    """Return "root", "hdf5" or "arrow" by the suffix.

    Raises
    ------
    UsageError
        For any other suffix.
    """
    suffix = Path(str(path)).suffix.lower()
    if suffix not in KINDS:
        msg = f"{path}: no kind of shower file is called {suffix or '(no suffix)'}; known are {', '.join(KINDS)}"
        raise UsageError(msg)
    return KINDS[suffix]


def is_remote(path: str) -> bool:
    """Say whether `path` is an address such as ``root://server//file.root``."""
    return "://" in path


def expand_inputs(inputs: Sequence[Path | str]) -> list[str]:
    """Return the files that names and wildcards mean, each once; those of a wildcard sorted by name.

    Raises
    ------
    InputError
        If a file does not exist or a wildcard matches none.
    UsageError
        If there are no inputs, or files of an unknown kind.
    """
    found: list[str] = []
    for item in inputs:
        text = str(item)
        if is_remote(text) or Path(text).exists():
            found.append(text)
            continue
        matching = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute patterns)
        if not matching:
            msg = f"{text}: no such file" if not glob.has_magic(text) else f"{text}: no file matches this pattern"
            raise InputError(msg)
        found += matching
    if not found:
        msg = "no input files given"
        raise UsageError(msg)
    for path in found:
        kind_of(path)
        if not is_remote(path) and Path(path).is_dir():
            check_readable(Path(path))
    return list(dict.fromkeys(found))


def input_key(path: str) -> str:
    """Identify an input, so that a file that changed is converted again; addresses stand for themselves."""
    return path if is_remote(path) else file_key(path)


@dataclass(frozen=True, eq=False)
class Source:
    """Everything needed to read any of the input files; travels to other processes.

    Attributes
    ----------
    metadata
        Given to the showers.
    rows
        Rows of cell ids.
    options
        For ROOT files; its rules hold for all kinds.
    hdf5
        For HDF5 files.
    cells
        The geometry, if there are HDF5 files (they need the places of cells, not only their ids).
    """

    metadata: ShowerMetadata
    rows: CellRows
    options: RootOptions
    hdf5: Hdf5Options
    cells: CellTable | None = None


def iterate_showers(path: str, source: Source, report: FileReport) -> Iterator[Showers]:
    """Read the showers of one file in chunks and count them in `report`.

    Raises
    ------
    InputError
        If the file cannot be used.
    """
    rules = source.options.rules
    if kind_of(path) == "root":
        yield from iterate_root(path, source.rows, source.options, report, source.metadata)
    elif source.cells is not None and kind_of(path) == "hdf5":
        yield from read_showers(path, source.cells, source.hdf5, rules, report, source.metadata)
    else:
        for showers in open_store(path, cells_sha256=source.rows.cells_sha256).chunks():
            yield apply_rules(showers.replace(metadata=source.metadata), rules, report, expect_particles=False)
            report.events += len(showers)


def with_branches(options: RootOptions, paths: Sequence[str]) -> RootOptions:
    """Settle which branches to read, if the options leave it open, by the first ROOT file that a preset fits.

    Where none does, the options stay open, and reading the files tells what is wrong with each.
    """
    if options.branches is not None:
        return options
    for path in paths:
        if kind_of(path) == "root":
            with suppress(InputError), open_root(path) as file:
                return replace(options, branches=detect_branches(file, path, options.tree))
    return options
