"""Which column of a file is which column of the geometry table: aliases, user's names, constants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from hgcal_gnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Other name -> ours, written without underscores and in lower case; an earlier name wins over a later one.
# First in each group: the CMSSW extractor (cms_geo_extractor, EDAnalyzers/GeoExtractor/interface/TreeOutputInfo.h),
# then names met in other exports: CMSSW ntuples, the FastCaloSim cell trees (identifier, calosample; id, layer),
# DD4hep cell lists (cellID, system).
COLUMN_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "globalid", "detid", "rawdetid", "rawid", "cellid", "identifier", "cellidentifier", "uniqueid", "id",
                "crystalid", "channelid", "towerid", "cellhash", "hashid", "crystal", "channel",
            ),
            "cell_id",
        ),
        **dict.fromkeys(
            ("layerid", "layernumber", "ilayer", "calosample", "calolayer", "sampling", "calosampling"),
            "layer",
        ),
        **{
            f"{prefix}{axis}{suffix}": axis
            for prefix, suffix in (
                ("", ""), ("pos", ""), ("position", ""), ("", "pos"), ("", "position"), ("center", ""), ("centre", ""),
                ("", "center"), ("", "centre"), ("global", ""), ("", "global"), ("", "c"),
            )
            for axis in "xyz"
        },
        **dict.fromkeys(("r", "rho", "rperp", "radius", "rxy", "posr", "rpos"), "r"),
        **dict.fromkeys(("phi", "azimuth", "posphi", "phipos"), "phi"),
        **dict.fromkeys(("eta", "poseta", "etapos"), "eta"),
        **dict.fromkeys(("detectorid", "det", "system", "systemid"), "detector"),
        **dict.fromkeys(("subdetid", "subdetectorid", "subdet"), "subdetid"),
        "zside": "z_side",
        **dict.fromkeys(("issilicon", "silicon", "issi"), "is_silicon"),
        **dict.fromkeys(("isbarrel", "barrel"), "is_barrel"),
        **dict.fromkeys(("celltype", "type"), "cell_type"),
        **dict.fromkeys(("nextid", "nextcell"), "next"),
        **dict.fromkeys(("prev", "previousid", "previd", "previouscell"), "previous"),
        **dict.fromkeys(("nneighbors", "nneighbours"), "nneighbors"),
        **dict.fromkeys(("ngapneighbors", "ngapneighbours"), "ngapneighbors"),
        **dict.fromkeys(
            (
                "neighbors", "neighbours", "neighborids", "neighbourids", "neighboridlist", "neighbourlist",
                "neighborlist", "neighborhood", "neighbourhood", "neigh", "neighs", "nbrs", "nb", "nextneighbours",
                "nextneighbors", "nearestneighbours", "nearestneighbors", "adjacent", "adjacentcells",
            ),
            "neighbours",
        ),
        **{f"{axis}{word}": f"d{axis}" for axis in "xyz" for word in ("size", "width", "length")},
        **{f"{word}{axis}": f"d{axis}" for axis in "xyz" for word in ("size", "width", "delta")},
        "waferortileid.first": "waferortileid_first",
        "waferortileid.second": "waferortileid_second",
        "cellid.first": "cellid_first",
        "cellid.second": "cellid_second",
        "waferu": "wafer_u",
        "waferv": "wafer_v",
        "cellu": "cell_u",
        "cellv": "cell_v",
        "tilering": "ring",
        "tileiphi": "iphi",
    }
)  # fmt: skip

# Names that are ours already, also in other spellings of case.
OUR_NAMES = frozenset(
    (
        "cell_id", "layer", "x", "y", "z", "detector", "subdetector", "subdetid", "z_side", "is_silicon", "is_barrel",
        "cell_type", "next", "previous", "nneighbors", "ngapneighbors", "neighbours", "area", "thickness",
        "dx", "dy", "dz", "dr", "deta", "dphi", "r", "phi", "eta", "wafer_u", "wafer_v", "cell_u", "cell_v", "ring",
        "iphi", "waferortileid_first", "waferortileid_second", "cellid_first", "cellid_second",
    )
)  # fmt: skip
LENGTHS = frozenset(("x", "y", "z", "r", "dx", "dy", "dz", "dr", "area", "thickness"))
NEEDED_IN_EVERY_ROW = frozenset(("cell_id", "layer", "detector", "subdetector", "subdetid", "z_side", "is_barrel"))
_PREFIXES = ("cellgeo", "cell", "geo", "crystal")  # cell_geo_ID, cell_x, ...
_PRIORITY = {alias: number for number, alias in enumerate(COLUMN_ALIASES)}
_NUMBERED = re.compile(r"(?:n|nbr?s?|neighs?|(?:next_?|nearest_?)?neighbou?rs?(?:_?ids?)?)_?(\d+)$", re.IGNORECASE)
_CORNERS = (
    re.compile(r"corners?_?(?P<axis>[xy])_?(?P<number>\d+)$", re.IGNORECASE),
    re.compile(r"corners?_?(?P<number>\d+)_?(?P<axis>[xy])$", re.IGNORECASE),
    re.compile(r"(?P<axis>[xy])_?corners?_?(?P<number>\d+)$", re.IGNORECASE),
)
_UNIT = re.compile(r"(?:\s*[\[(]\s*(mm|cm|m)\^?2?\s*[\])]|_(mm|cm)2?)$", re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r"[+-]?\d+$")


@dataclass(frozen=True)
class NameMatch:
    """How the columns of a file are to be used.

    Attributes
    ----------
    source
        Our name -> name in the file.
    constants
        Our name -> whole number that stands in every row.
    id_candidates
        Columns of the file that may hold the cell id, best first; more than one only if none has our name
        and the user named none.
    units
        Our name -> unit that the file's name states (``x [mm]``).
    """

    source: Mapping[str, str]
    constants: Mapping[str, int]
    id_candidates: tuple[str, ...]
    units: Mapping[str, str]

    def has(self, name: str) -> bool:
        """Tell whether the file or a constant gives the column `name`."""
        return name in self.source or name in self.constants

    @property
    def missing(self) -> list[str]:
        """Columns every table needs that are not there; r and phi stand for x and y, r and eta for z."""
        given = {name for name in ("cell_id", "layer", "x", "y", "z") if self.has(name)}
        given |= {"x", "y"} if self.has("r") and self.has("phi") else set()
        given |= {"z"} if self.has("r") and self.has("eta") else set()
        return [name for name in ("cell_id", "layer", "x", "y", "z") if name not in given]


def our_name(name: str) -> str | None:
    """Give the geometry table's name of a file's column, None if it is none of ours."""
    bare = _UNIT.sub("", name.strip())
    lower = bare.lower()
    if lower in OUR_NAMES:
        return lower
    if numbered := _NUMBERED.match(bare):
        return f"n{int(numbered[1])}"
    for pattern in _CORNERS:
        if found := pattern.match(bare):
            return f"corner_{found['axis'].lower()}_{int(found['number'])}"
    squashed = _squash(bare)
    if squashed in COLUMN_ALIASES:
        return COLUMN_ALIASES[squashed]
    for prefix in _PREFIXES:
        rest = squashed.removeprefix(prefix)
        if rest != squashed and (rest in COLUMN_ALIASES or rest in OUR_NAMES):
            return COLUMN_ALIASES.get(rest, rest)
    return None


def match_names(names: Sequence[str], wanted: Mapping[str, str], source: str) -> NameMatch:
    """Find out which column of a file holds what.

    Parameters
    ----------
    names
        Columns of the file.
    wanted
        What the user says: our name -> name in the file, or a whole number as text for a constant column.
    source
        The file, named in error messages.

    Raises
    ------
    InputError
        If the file lacks a column the user names.
    UsageError
        If the user names one column twice.
    """
    stated, constants = _stated_names(names, wanted, source)
    taken = set(stated.values())
    candidates: dict[str, list[str]] = {}
    for name in names:
        ours = our_name(name)
        if ours is not None and ours not in stated and ours not in constants and name not in taken:
            candidates.setdefault(ours, []).append(name)
    for found in candidates.values():
        found.sort(key=_rank)
    chosen = stated | {ours: found[0] for ours, found in candidates.items()}
    ids = tuple(candidates.get("cell_id", ()))
    if ids and ids[0].strip().lower() == "cell_id":
        ids = ids[:1]
    units = {ours: unit for ours, name in chosen.items() if ours in LENGTHS and (unit := stated_unit(name))}
    return NameMatch(chosen, constants, ids or tuple(stated[k] for k in stated if k == "cell_id"), units)


def is_reference(name: str) -> bool:
    """Tell whether one of our columns names other cells: n0, n1, ..., next, previous."""
    return name in {"next", "previous"} or bool(re.fullmatch(r"n\d+", name))


def stated_unit(name: str) -> str | None:
    """Give the length unit a column's name states, as in ``x [mm]`` or ``dx_cm``."""
    found = _UNIT.search(name.strip())
    return (found[1] or found[2]).lower() if found else None


def _stated_names(
    names: Sequence[str], wanted: Mapping[str, str], source: str
) -> tuple[dict[str, str], dict[str, int]]:
    """Sort what the user says into columns of the file and constants."""
    stated: dict[str, str] = {}
    constants: dict[str, int] = {}
    for asked, name in wanted.items():
        ours = our_name(asked) or asked
        if ours in stated or ours in constants:
            msg = f"column {ours} is named twice ({asked}={name}); name it once"
            raise UsageError(msg)
        alike = [other for other in names if other.strip().lower() == name.strip().lower()]
        if name in names or len(alike) == 1:
            stated[ours] = name if name in names else alike[0]
        elif _WHOLE_NUMBER.match(name.strip()) and ours != "cell_id":
            constants[ours] = int(name)
        else:
            msg = f"{source}: there is no column {name} (asked for as {asked}={name}); found: {', '.join(names)}"
            raise InputError(msg)
    return stated, constants


def _squash(name: str) -> str:
    return re.sub(r"[\s_\-/]+", "", name.lower())


def _rank(name: str) -> tuple[int, int, str]:
    """Order of preference among columns of one meaning: our own name, known aliases, prefixed names."""
    bare = _UNIT.sub("", name.strip())
    own = 0 if bare.lower() in OUR_NAMES else 1
    return own, _PRIORITY.get(_squash(bare), len(_PRIORITY)), name
