"""Which branch of a ROOT shower tree holds what: a small YAML map, three of them built in."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.files import check_readable

if TYPE_CHECKING:
    from collections.abc import Mapping

PRESETS = ("hgcal", "cmssw-reco", "edm4hep")
ENERGY_IN_GEV = {"GeV": 1.0, "MeV": 1e-3, "keV": 1e-6}
LENGTH_IN_CM = {"cm": 1.0, "mm": 0.1, "m": 100.0}
TIME_IN_NS = {"ns": 1.0, "ps": 1e-3, "s": 1e9}


def _as_tuple(value: Any) -> Any:
    """Accept one item where several are possible."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


# names of a branch in the order of preference: the first that exists is read
Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_as_tuple)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HitBranches(_Strict):
    """Branches with one value per hit; ``{collection}`` stands for the name of a hit collection.

    Attributes
    ----------
    cell_id, energy
        Needed.
    time
        Values equal to one of `no_time` mean "not measured".
    layer, x, y, z
        Only used to make a geometry table from hits, and written.
    count
        Number of valid hits per event, where the hit branches have a fixed size.
    padding_id
        Cell id that fills up branches of fixed size.
    deposit_begin, deposit_end, deposit_time
        Range of a hit's deposits in the branch of deposit times; the earliest is the hit's time.
    """

    cell_id: Names
    energy: Names
    time: Names = ()
    no_time: Numbers = ()
    layer: Names = ()
    x: Names = ()
    y: Names = ()
    z: Names = ()
    count: Names = ()
    padding_id: int | None = None
    deposit_begin: Names = ()
    deposit_end: Names = ()
    deposit_time: Names = ()


class Keep(_Strict):
    """Which particles of the list are incident: those whose `branch` equals a number, or is at least one."""

    branch: str
    equals: float | None = None
    at_least: float | None = None


class ParticleBranches(_Strict):
    """Branches of incident particles, one value per event or a list per event.

    The energy is total energy, or follows from momentum and mass; the direction is read as a unit vector,
    from the momentum, or from eta and phi, whichever exists first.
    """

    energy: Names = ()
    mass: Names = ()
    px: Names = ()
    py: Names = ()
    pz: Names = ()
    pdg_id: Names = ()
    eta: Names = ()
    phi: Names = ()
    direction_x: Names = ()
    direction_y: Names = ()
    direction_z: Names = ()
    vertex_x: Names = ()
    vertex_y: Names = ()
    vertex_z: Names = ()
    particle_index: Names = ()
    keep: Keep | None = None


class EventBranches(_Strict):
    """Branches with one value per event."""

    event_id: Names = ()
    weight: Names = ()
    first_layer: Names = ()
    f_em: Names = ()
    leaked_energy: Names = ()


class BranchMap(_Strict):
    """Where a ROOT tree keeps showers, and in which units.

    Attributes
    ----------
    tree
        Paths of the tree in the file in order of preference, wildcards allowed; empty: the only tree
        that has the branches.
    collection_types
        C++ types of hit collections (EDM4hep), in order of preference.
    collections
        Patterns of collection names to read; empty: all of the first type present.
    write_tree
        Path of the tree when showers are written with these names; empty if they cannot be.
    """

    description: str = ""
    tree: Names = ()
    energy_unit: Literal["GeV", "MeV", "keV"] = "GeV"
    length_unit: Literal["cm", "mm", "m"] = "cm"
    time_unit: Literal["ns", "ps", "s"] = "ns"
    collection_types: Names = ()
    collections: Names = ()
    hits: HitBranches
    particles: ParticleBranches = ParticleBranches()
    event: EventBranches = EventBranches()
    write_tree: str = ""

    @property
    def has_collections(self) -> bool:
        """Whether hits come in several named collections."""
        return "{collection}" in "".join(self.hits.cell_id)

    def changed(self, changes: Mapping[str, Any]) -> BranchMap:
        """Return the map with some entries replaced.

        Parameters
        ----------
        changes
            Dotted name to value, as in ``{"hits.energy": "myHit_E", "energy_unit": "MeV"}``.

        Raises
        ------
        UsageError
            For names the map does not have (with those it has) or impossible values.
        """
        content = self.model_dump()
        for name, value in changes.items():
            group, _, key = name.rpartition(".")
            target = content[group] if group in ("hits", "particles", "event") else content if not group else {}
            if key not in target:
                msg = f"branch map: no entry {name!r}; there are {', '.join(_entries(self.model_dump()))}"
                raise UsageError(msg)
            target[key] = value
        try:
            return BranchMap.model_validate(content)
        except ValidationError as error:
            msg = f"branch map: {_problems(error)}"
            raise UsageError(msg) from error


def load_branch_map(preset: str | Path | BranchMap) -> BranchMap:
    """Return a built-in map by name ("hgcal", "cmssw-reco", "edm4hep") or read one from a YAML file.

    Raises
    ------
    UsageError
        For a name that is neither a preset nor a file.
    InputError
        For a file that is not a branch map: with the entry and what is wrong with it.
    """
    if isinstance(preset, BranchMap):
        return preset
    if str(preset) in PRESETS:
        return _built_in(str(preset))
    path = Path(preset)
    if path.suffix not in (".yaml", ".yml"):
        msg = f"no preset {str(preset)!r}: give one of {', '.join(PRESETS)}, or a YAML file with branch names"
        raise UsageError(msg)
    check_readable(path)
    try:
        return _parse(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        msg = f"{path}: not YAML: {error}"
        raise InputError(msg) from error


@cache
def _built_in(preset: str) -> BranchMap:
    text = resources.files("hgcal_gnn.showers.root").joinpath("presets", f"{preset}.yaml").read_text("utf-8")
    return _parse(text, preset)


def _parse(text: str, source: str) -> BranchMap:
    try:
        return BranchMap.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        msg = f"{source}: {_problems(error)}; entries are {', '.join(_entries(_all_entries()))}"
        raise InputError(msg) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        msg = f"{source}: not YAML: {' '.join(str(error).split())}"
        raise InputError(msg) from error


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())


def _all_entries() -> dict[str, Any]:
    return BranchMap(hits=HitBranches(cell_id=("",), energy=("",))).model_dump()


def _entries(content: Mapping[str, Any]) -> list[str]:
    """List the dotted names of a map's entries."""
    names = []
    for key, value in content.items():
        names += [f"{key}.{inner}" for inner in value] if key in ("hits", "particles", "event") else [key]
    return names
