"""ROOT tables in both shapes met in the wild: one entry with a vector per column, or one entry per cell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
import uproot

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.tables.formats import Lists, RawTable, add_fixed_columns
from hgcal_gnn.geometry.tables.names import NameMatch, match_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

TREE_NAME = "cells"
METADATA_NAME = "hgcal_gnn"
WRITE_ROWS = 1 << 20
TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
SHOWN_BRANCHES = 12


def read_root(path: Path, tree: str | None, wanted: Mapping[str, str]) -> RawTable:
    """Read the tree that holds the cells.

    A tree with one entry per cell is read as it stands; where the cell ids of an entry are a vector (the
    CMSSW extractor writes one entry), the entries are joined. Branches uproot cannot turn into numbers, a
    vector of pairs for instance, are left out and noted in `RawTable.skipped`.

    Parameters
    ----------
    tree
        Name of the tree; None takes the only one that has the columns of a geometry table.
    wanted
        Names the user gives (see `match_names`), needed to recognise the tree.

    Raises
    ------
    InputError
        For a damaged file, no tree that fits, several that do, or no entries.
    """
    try:
        with uproot.open(path, array_cache=None) as file:
            found = _find_tree(file, path, tree, wanted)
            raw = _read_tree(found, path, wanted)
            if METADATA_NAME in file:
                raw.metadata = json.loads(str(file[METADATA_NAME]))
    except InputError:
        raise
    # In a damaged file any byte may be wrong, and uproot fails with whatever its parser meets there.
    except Exception as error:
        msg = (
            f"{path}: the ROOT file is damaged, cut off or of a kind uproot cannot read "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); copy or export it again"
        )
        raise InputError(msg) from error
    return raw


def write_root(path: Path, columns: dict[str, NDArray[Any]], metadata: dict[str, Any]) -> None:
    """Write a tree named `cells` with one entry per cell, and what is known about it as a string beside it."""
    n_rows = len(next(iter(columns.values())))
    with uproot.recreate(path, compression=uproot.ZSTD(3)) as file:
        tree = file.mktree(
            TREE_NAME, {name: values.dtype for name, values in columns.items()}, title="calorimeter cells"
        )
        for start in range(0, n_rows, WRITE_ROWS):
            tree.extend({name: values[start : start + WRITE_ROWS] for name, values in columns.items()})
        file[METADATA_NAME] = json.dumps(metadata, sort_keys=True)


def _find_tree(file: Any, path: Path, name: str | None, wanted: Mapping[str, str]) -> Any:
    """Take the tree the user names, or the only one that looks like a table of cells."""
    trees = {key: file[key] for key in _tree_names(file)}
    if not trees:
        msg = f"{path}: holds no tree (found: {', '.join(file.keys(cycle=False)) or 'nothing'})"
        raise InputError(msg)
    if name is not None:
        if name.split(";")[0] not in trees:
            msg = f"{path}: there is no tree {name}; the file has {', '.join(trees)}"
            raise InputError(msg)
        return trees[name.split(";")[0]]
    matches = {key: _match(tree, wanted) for key, tree in trees.items()}
    fitting = [key for key, match in matches.items() if match is not None and not match.missing]
    fitting = fitting or [key for key, match in matches.items() if match is not None and match.has("cell_id")]
    if len(fitting) == 1:
        return trees[fitting[0]]
    if len(fitting) > 1:
        msg = f"{path}: several trees hold cell ids: {', '.join(fitting)}; say which with --tree {fitting[0]}"
        raise InputError(msg)
    listed = "; ".join(f"{key}: {_some(list(tree.keys(recursive=True)))}" for key, tree in trees.items())
    msg = f"{path}: no tree has a branch of cell ids ({listed}); name it with --column cell_id=BRANCH"
    raise InputError(msg)


def _tree_names(file: Any) -> list[str]:
    """Names of the trees, the newest cycle of each once."""
    classes = file.classnames(recursive=True, cycle=False)
    return [name for name, kind in classes.items() if kind in TREES]


def _match(tree: Any, wanted: Mapping[str, str]) -> NameMatch | None:
    names = list(tree.keys(recursive=True, full_paths=False))
    here = {ours: name for ours, name in wanted.items() if name in names or name.lstrip("+-").isdigit()}
    return match_names(names, here, "") if names else None


def _read_tree(tree: Any, path: Path, wanted: Mapping[str, str]) -> RawTable:
    if tree.num_entries == 0:
        msg = f"{path}: the tree {tree.name} has branches ({_some(list(tree.keys()))}) but no entries"
        raise InputError(msg)
    branches = _leaves(tree)
    raw = RawTable()
    match = match_names(list(branches), wanted, str(path))
    per_entry = not any(_is_vector(branches[name]) for name in match.id_candidates)
    for name, branch in branches.items():
        try:
            _add_branch(raw, name, branch, per_entry=per_entry)
        # One unreadable branch must not hide the others; what it was is noted for the user.
        except Exception as error:  # noqa: BLE001
            raw.skipped[name] = f"uproot cannot read it ({type(error).__name__})"
    return raw


def _leaves(tree: Any) -> dict[str, Any]:
    """Branches that hold values themselves, by name: a split pair becomes NAME.first and NAME.second."""
    return {
        key: branch
        for key, branch in tree.items(recursive=True, full_paths=False)
        if not getattr(branch, "branches", None)
    }


def _is_vector(branch: Any) -> bool:
    kind = getattr(branch, "interpretation", None)
    if kind is None:  # a field of an RNTuple
        return bool(branch.array(entry_stop=1).ndim > 1)
    return bool(isinstance(kind, uproot.AsJagged))


def _add_branch(raw: RawTable, name: str, branch: Any, *, per_entry: bool) -> None:
    """Put one branch into `raw` as numbers or lists."""
    kind = getattr(branch, "interpretation", None)
    nested = isinstance(kind, uproot.AsObjects) and str(kind).count("AsVector") == 2 and "Model" not in str(kind)
    if kind is not None and not isinstance(kind, uproot.AsDtype | uproot.AsJagged) and not nested:
        raw.skipped[name] = f"it holds {branch.typename}"
        return
    values = branch.array(library="ak")
    if not per_entry:
        if values.ndim < 2:
            raw.skipped[name] = "it holds one value an entry, not one a cell"
            return
        values = ak.flatten(values, axis=1)
    if values.ndim == 1:
        raw.numbers[name] = _native(ak.to_numpy(values))
    elif values.ndim == 2:
        lengths = ak.to_numpy(ak.num(values, axis=1))
        flat = _native(ak.to_numpy(ak.flatten(values, axis=1)))
        if len(lengths) and lengths.min() == lengths.max() and lengths[0]:
            add_fixed_columns(raw, name, flat.reshape(len(lengths), -1))
        else:
            raw.lists[name] = Lists(flat, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
    else:
        raw.skipped[name] = f"it holds {getattr(branch, 'typename', 'nested lists')}"


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """Give a plain array in the byte order of the machine."""
    if np.ma.isMaskedArray(values) or values.dtype.kind not in "iufb":
        msg = f"{values.dtype} is no number"
        raise TypeError(msg)
    return np.array(values, dtype=values.dtype.newbyteorder("="), copy=None)


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN_BRANCHES]) + (", ..." if len(names) > SHOWN_BRANCHES else "")
