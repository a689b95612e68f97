"""Opening ROOT files and finding the shower tree and its branches, with errors that list what exists."""

from __future__ import annotations

import json
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uproot

from hgcal_gnn.errors import HgcalError, InputError
from hgcal_gnn.files import check_readable
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.root.branches import PRESETS, load_branch_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hgcal_gnn.showers.root.branches import BranchMap, Names

METADATA_KEY = "hgcal_gnn"  # text object that `write_root` adds: metadata of the showers as JSON
LISTED = 40  # names shown in a message
NEEDED_HITS = ("cell_id", "energy", "layer", "x", "y", "z")  # those asked for that must exist
BIG_FILE = 1_000_000  # ROOT adds this to the version of files whose positions have 64 bits


@dataclass(frozen=True)
class TreeBranches:
    """Branches of one tree that a branch map names and that exist, as uproot finds them.

    Attributes
    ----------
    hits
        Per collection (one, without a name, for plain ntuples): entry of the map to branch.
    particles, event
        Entry of the map to branch.
    collections
        Names of the collections in `hits`.
    """

    hits: tuple[dict[str, str], ...]
    particles: dict[str, str]
    event: dict[str, str]
    collections: tuple[str, ...] = ()

    @property
    def hit_names(self) -> list[str]:
        """Branches of the hits."""
        return [name for group in self.hits for name in group.values()]

    @property
    def names(self) -> list[str]:
        """Every branch once."""
        return list(dict.fromkeys([*self.hit_names, *self.particles.values(), *self.event.values()]))


@contextmanager
def reading(source: str, what: str = "") -> Iterator[None]:
    """Turn whatever goes wrong inside uproot into an `InputError` that names the file."""
    try:
        yield
    except (HgcalError, MemoryError):
        raise
    except Exception as error:  # uproot lets the errors of every codec and parser through
        detail = " ".join(str(error).split())[:200]
        msg = (
            f"{source}: {what or 'this ROOT file'} cannot be read ({type(error).__name__}: {detail}); "
            "it may be truncated or damaged: copy or produce it again"
        )
        raise InputError(msg) from error


def written_metadata(file: Any, path: str) -> ShowerMetadata:
    """Return the metadata that `write_root` left in the file, empty ones for files of others."""
    if METADATA_KEY not in file.keys(cycle=False):
        return ShowerMetadata()
    with reading(path, "the text " + METADATA_KEY):
        return ShowerMetadata(**json.loads(str(file[METADATA_KEY])))


@contextmanager
def open_root(path: str) -> Iterator[Any]:
    """Open a ROOT file (a path, or an address such as ``root://``) after looking at its header.

    Raises
    ------
    InputError
        If it is missing, not a ROOT file, truncated or damaged.
    """
    if "://" not in path:
        check_readable(Path(path))
        _check_header(Path(path))
    with reading(path):
        file = uproot.open(path)
    with file:
        yield file


def find_tree(file: Any, path: str, branches: BranchMap, tree: str = "") -> Any:
    """Return the tree that `tree`, the branch map or, if neither is decisive, the branches single out.

    Raises
    ------
    InputError
        If there is none or several: with the trees of the file.
    """
    trees = _trees(file, path, tree)
    if len(trees) == 1:
        return _open_tree(file, path, trees[0])
    for pattern in branches.tree:
        matching = [name for name in trees if fnmatchcase(name, pattern)]
        if len(matching) == 1:
            return _open_tree(file, path, matching[0])
    ids = set(branches.hits.cell_id)
    matching = [name for name in trees if ids & set(_leaves(_open_tree(file, path, name)))]
    if len(matching) == 1:
        return _open_tree(file, path, matching[0])
    msg = (
        f"{path}: {len(matching)} trees have a branch {' or '.join(branches.hits.cell_id)}; "
        f"trees in the file: {_listed(trees)}; name one (--tree)"
    )
    raise InputError(msg)


def detect_branches(file: Any, path: str, tree: str = "") -> BranchMap:
    """Return the first preset whose hits exist in a file, in tree `tree` or in any.

    Raises
    ------
    InputError
        If no preset fits: with the branches of the file.
    """
    branches: set[str] = set()
    types: set[str] = set()
    for name in _trees(file, path, tree):
        opened = _open_tree(file, path, name)
        with reading(path, f"the list of branches of tree {name}"):
            branches.update(_leaves(opened))
            types.update(branch.typename for branch in opened.branches)
    for preset in PRESETS:
        found = load_branch_map(preset)
        if branches.intersection(found.hits.cell_id) or types.intersection(found.collection_types):
            return found
    msg = (
        f"{path}: none of the presets {', '.join(PRESETS)} fits; the file has the branches "
        f"{_listed(sorted(branches))}; give a branch map (a YAML file, or hits.cell_id=NAME and so on)"
    )
    raise InputError(msg)


def find_branches(
    tree: Any, path: str, branches: BranchMap, *, wanted: tuple[str, ...], need_particles: bool = True
) -> TreeBranches:
    """Resolve a branch map against a tree.

    Parameters
    ----------
    wanted
        Entries of the hits that will be read.
    need_particles
        Whether incident energies must exist.

    Raises
    ------
    InputError
        If the branches of ids, energies or (unless `need_particles` is off) incident energies are missing:
        with the branches of the tree.
    """
    with reading(path, f"the list of branches of tree {tree.name}"):
        leaves = _leaves(tree)
    collections = _collections(tree, path, branches) if branches.has_collections else ("",)
    hits = tuple(
        {entry: name for entry in wanted if (name := _first(getattr(branches.hits, entry), leaves, collection))}
        for collection in collections
    )
    for collection, found in zip(collections, hits, strict=True):
        for entry in wanted:
            if entry in NEEDED_HITS and entry not in found:
                names = [name.format(collection=collection) for name in getattr(branches.hits, entry)]
                raise _missing(path, tree, f"hits.{entry}", names, leaves)
    particles = {entry: name for entry, names in _names(branches.particles) if (name := _first(names, leaves))}
    keep = branches.particles.keep
    if keep is not None and keep.branch in leaves:
        particles["keep"] = leaves[keep.branch]
    if need_particles and "energy" not in particles and "pz" not in particles:
        names = [*branches.particles.energy, *branches.particles.pz]
        raise _missing(path, tree, "particles.energy", names, leaves)
    event = {entry: name for entry, names in _names(branches.event) if (name := _first(names, leaves))}
    return TreeBranches(hits, particles, event, collections if branches.has_collections else ())


def _trees(file: Any, path: str, pattern: str = "") -> list[str]:
    """Return the paths of all trees, or of those that match, at least one."""
    with reading(path, "its list of trees"):
        trees = sorted(set(file.keys(recursive=True, cycle=False, filter_classname="TTree")))  # once for all cycles
        others = file.keys(recursive=True, cycle=False)
    if not trees:
        msg = f"{path}: holds no tree (TTree); found {_listed(others) or 'nothing'}"
        raise InputError(msg)
    matching = [name for name in trees if fnmatchcase(name, pattern)] if pattern else trees
    if not matching:
        msg = f"{path}: no tree {pattern!r}; trees in the file: {_listed(trees)}"
        raise InputError(msg)
    return matching


def _open_tree(file: Any, path: str, name: str) -> Any:
    with reading(path, f"tree {name}"):
        return file[name]


def _leaves(tree: Any) -> dict[str, str]:
    """Return the last part of each branch's path to the whole path, as `tree.arrays` takes it."""
    return {key.rsplit("/", 1)[-1]: key for key in reversed(tree.keys(recursive=True))}


def _names(group: Any) -> list[tuple[str, Names]]:
    """Return the entries of a group that name branches."""
    return [(entry, getattr(group, entry)) for entry in type(group).model_fields if _is_names(getattr(group, entry))]


def _is_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


def _first(names: Names, leaves: dict[str, str], collection: str = "") -> str:
    """Return the branch of the first name that exists, "" if none does."""
    return next((leaves[name] for raw in names if (name := raw.format(collection=collection)) in leaves), "")


def _collections(tree: Any, path: str, branches: BranchMap) -> tuple[str, ...]:
    """Return the hit collections to read, sorted by name."""
    with reading(path, f"the list of collections of tree {tree.name}"):
        types = {name: branch.typename for name, branch in tree.items(recursive=False)}
    present = sorted(name for name, kind in types.items() if kind in branches.collection_types)
    if branches.collections:
        chosen = [name for name in present if any(fnmatchcase(name, pattern) for pattern in branches.collections)]
        wanted = f"none called {' or '.join(branches.collections)}"
    else:
        first = next((kind for kind in branches.collection_types if kind in types.values()), "")
        chosen = [name for name in present if types[name] == first]
        wanted = f"none of type {' or '.join(branches.collection_types)}"
    if not chosen:
        msg = (
            f"{path}: tree {tree.name} has no hit collection to read ({wanted}); there are {_listed(present or types)}"
        )
        raise InputError(msg)
    return tuple(chosen)


def _missing(path: str, tree: Any, entry: str, names: Iterable[str], leaves: dict[str, str]) -> InputError:
    wanted = " or ".join(names) or "(no name given)"
    there = sorted(leaves, key=lambda name: -SequenceMatcher(None, wanted.lower(), name.lower()).ratio())
    return InputError(
        f"{path}: tree {tree.name} has no branch {wanted} ({entry} of the branch map); it has {_listed(there)}; "
        f"choose another preset or name the branch with --branch {entry}=NAME"
    )


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = f", ... ({len(shown)} in all)" if len(shown) > LISTED else ""
    return ", ".join(shown[:LISTED]) + more


def _check_header(path: Path) -> None:
    """Compare the length a ROOT file states in its header (TFile: "root", version, begin, end) with the real one."""
    with path.open("rb") as file:
        head = file.read(20)
    if len(head) < 20 or head[:4] != b"root":
        msg = f"{path}: not a ROOT file (it does not begin with 'root')"
        raise InputError(msg)
    version = struct.unpack(">i", head[4:8])[0]
    end = struct.unpack(">q", head[12:20])[0] if version >= BIG_FILE else struct.unpack(">i", head[12:16])[0]
    size = path.stat().st_size
    if size < end:
        msg = f"{path}: truncated, {size} of {end} bytes are there; copy or produce it again"
        raise InputError(msg)
