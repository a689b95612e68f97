"""Edges across the border between silicon cells and scintillator tiles of one layer.

The published rule links a silicon cell and a tile whose outlines have corners at most 0.5 cm apart
(corner-to-corner distance of the CMS geometry extractor). Real gaps between the module outline and the
innermost tiles reach 1.9 cm, so the polygon distance and a limit taken from the gaps are offered beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy.spatial import cKDTree

from hgcal_gnn.geometry.neighbours.csr import BORDER
from hgcal_gnn.geometry.neighbours.edges import Pairs
from hgcal_gnn.geometry.shapes import corner_distance, outlines, polygon_distance

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I64
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.neighbours.rules import BorderRule
    from hgcal_gnn.geometry.stations import Stations

    Mixed: TypeAlias = list[tuple[I64, I64]]  # rows of the silicon cells and of the tiles of each layer with both

AUTO_GAPS = 1.5  # the automatic limit, in median gaps
AUTO_REACH = 3.0  # wider gaps [cm] are no border: real ones reach 1.9
PHI_ROUND = 3  # decimals that tell two columns of tiles apart (one of 288 is 0.022 rad wide)


@dataclass(frozen=True)
class Border:
    """Border edges and how much of the border they link.

    Attributes
    ----------
    pairs
        Silicon row and tile row of each link.
    limit
        Largest distance linked [cm].
    n_tiles, n_linked
        Border tiles (the innermost of each column in layers with silicon) and those with a link.
    """

    pairs: Pairs
    limit: float
    n_tiles: int
    n_linked: int

    @property
    def share(self) -> float:
        """Share of border tiles that are linked, NaN without a border."""
        return self.n_linked / self.n_tiles if self.n_tiles else float("nan")


def border_edges(
    table: CellTable,
    stations: Stations,
    pitch: F32,
    *,
    rule: BorderRule = "corner",
    distance: float | Literal["auto"] = 0.5,
) -> Border:
    """Link silicon cells and tiles of one layer whose outlines are at most `distance` [cm] apart.

    Parameters
    ----------
    rule
        "corner": smallest corner-to-corner distance (published); "outline": distance of the polygons.
    distance
        The limit [cm]; "auto" takes 1.5 times the median gap of the border tiles.
    """
    measure = corner_distance if rule == "corner" else polygon_distance
    reach = AUTO_REACH if distance == "auto" else distance
    mixed = _mixed_stations(table, stations)
    parts, gaps = [], []
    for silicon, scintillator in mixed:
        first, second = _near_pairs(stations, silicon, scintillator, pitch, reach)
        rows, place = np.unique(np.concatenate([first, second]), return_inverse=True)
        corners = outlines(table, rows).corners
        gap = measure(corners[place[: len(first)]], corners[place[len(first) :]])
        near = gap <= reach
        parts.append((first[near], second[near]))
        gaps.append(gap[near])
    first, second = (np.concatenate([part[k] for part in parts] or [np.empty(0, np.int64)]) for k in range(2))
    gap = np.concatenate(gaps or [np.empty(0)])
    tiles = _border_tiles(table, mixed)
    limit = _auto_limit(tiles, second, gap) if distance == "auto" else float(distance)
    keep = gap <= limit
    pairs = Pairs.of_type(first[keep], second[keep], BORDER)
    return Border(pairs, limit, len(tiles), int(np.isin(tiles, pairs.second).sum()))


def border_share(table: CellTable, stations: Stations, pairs: Pairs) -> tuple[int, int]:
    """Count the border tiles and those that a border pair touches."""
    tiles = _border_tiles(table, _mixed_stations(table, stations))
    linked = np.concatenate([pairs.first, pairs.second])[np.tile(pairs.edge_type == BORDER, 2)]
    return len(tiles), int(np.isin(tiles, linked).sum())


def _mixed_stations(table: CellTable, stations: Stations) -> Mixed:
    """Rows of silicon cells and of tiles, for each layer that has both."""
    found = []
    for station in range(stations.n_stations):
        rows = stations.rows(station)
        silicon = table.is_silicon[rows] > 0
        if silicon.any() and not silicon.all():
            found.append((rows[silicon], rows[~silicon]))
    return found


def _near_pairs(
    stations: Stations,
    silicon: I64,
    tiles: I64,
    pitch: F32,
    reach: float,
) -> tuple[I64, I64]:
    """Pairs of centres close enough that the outlines could be within `reach`."""
    # No outline goes further from its centre than the diagonal of a square of 1.25 pitches.
    radius = reach + 0.9 * float(pitch[silicon].max() + pitch[tiles].max())
    r_silicon, r_tiles = (np.hypot(stations.a[rows], stations.b[rows]) for rows in (silicon, tiles))
    silicon = silicon[(r_silicon > r_tiles.min() - radius) & (r_silicon < r_tiles.max() + radius)]
    tiles = tiles[(r_tiles > r_silicon.min() - radius) & (r_tiles < r_silicon.max() + radius)]
    trees = [cKDTree(np.column_stack([stations.a[rows], stations.b[rows]])) for rows in (silicon, tiles)]
    near = trees[0].sparse_distance_matrix(trees[1], radius, output_type="ndarray")
    return silicon[near["i"]], tiles[near["j"]]


def _border_tiles(table: CellTable, mixed: Mixed) -> I64:
    """Rows of the innermost tile of every phi column, in layers that also hold silicon."""
    found = [np.empty(0, np.int64)]
    for _, tiles in mixed:
        phi = np.round(np.arctan2(table.y[tiles], table.x[tiles]), PHI_ROUND)
        order = np.lexsort((np.hypot(table.x[tiles], table.y[tiles]), phi))
        first = np.flatnonzero(np.diff(phi[order], prepend=np.inf))
        found.append(tiles[order[first]])
    return np.concatenate(found)


def _auto_limit(tiles: I64, partner: I64, gap: F64) -> float:
    """1.5 times the median over border tiles of the gap to the nearest silicon cell [cm]."""
    smallest = np.full(int(partner.max(initial=0)) + 1, np.inf)
    np.minimum.at(smallest, partner, gap)
    of_tile = smallest[tiles[tiles < len(smallest)]]
    of_tile = of_tile[np.isfinite(of_tile)]
    return AUTO_GAPS * float(np.median(of_tile)) if len(of_tile) else 0.0
