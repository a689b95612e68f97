"""The layers of a calorimeter as a line of flight meets them, and the cells of points in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numba import njit, prange
from scipy.spatial import cKDTree

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.critics.axis_frame import axes
from hgcal_gnn.simulation.deposit import find_cell, group_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from hgcal_gnn.arrays import F64, I64
    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.graph.calorimeter import Calorimeter
    from hgcal_gnn.geometry.surfaces import Surface
    from hgcal_gnn.simulation.deposit import CellFinder

SAMPLE = 2000  # cells whose distances are looked at
APART = 1e5  # cm between layers in the search tree: the nearest cell is one of the same layer


@dataclass(frozen=True, eq=False)
class Planes:
    """Layers one behind the other: disks of an endcap (of both sides, if there are two) or cylinders of a barrel.

    Attributes
    ----------
    finder
        Finds cells in a layer.
    is_barrel
    sides : int64 [n_sides]
        z side of each row below; 0 of a barrel.
    layer : int64 [n_planes]
        Number of each layer in the table, ascending.
    place : int64 [n_sides, n_planes]
        The same layers in `finder`.
    depth : float64 [n_sides, n_planes]
        z of a disk, counted towards its side, or radius of a barrel [cm].
    of_cell : int64 [n_cells]
        Plane of each cell, -1 where it is in none of them.
    position : float64 [n_cells, 3]
        Of the cells [cm].
    """

    finder: CellFinder
    is_barrel: bool
    sides: I64
    layer: I64
    place: I64
    depth: F64
    of_cell: I64
    position: F64

    @classmethod
    def of(cls, calorimeter: Calorimeter, layers: Sequence[int] | None = None) -> Planes:
        """Take all layers of a calorimeter, or some.

        Raises
        ------
        UsageError
            If they are neither disks nor a barrel, or some are missing.
        """
        groups = group_layers(calorimeter.graph.cells)
        name = calorimeter.detector
        kinds = {part.kind for group in groups for part in group}
        if kinds not in ({"disk"}, {"barrel"}):
            msg = (
                f"layers of {name} are of the kinds {', '.join(sorted(kinds))}; hits around a line of flight are "
                "placed in disks of endcaps, or in cylinders of a barrel: take such a detector or a window of it"
            )
            raise UsageError(msg)
        sides = sorted({group[0].z_side for group in groups})
        number = sorted({group[0].layer for group in groups}) if layers is None else list(layers)
        found = {(group[0].z_side, group[0].layer): place for place, group in enumerate(groups)}
        missing = [f"{layer} (side {side:+d})" for side in sides for layer in number if (side, layer) not in found]
        if missing:
            msg = f"{name} has no layer {', '.join(missing)}; hits are placed in layers {number[0]} to {number[-1]}"
            raise UsageError(msg)
        place = np.array([[found[side, layer] for layer in number] for side in sides], dtype=np.int64)
        depths = np.array([_depth(group) for group in groups])
        plane_of_group = np.full(len(groups), -1, dtype=np.int64)
        plane_of_group[place] = np.arange(len(number))
        of_cell = np.full(calorimeter.n_cells, -1, dtype=np.int64)
        for plane, group in zip(plane_of_group.tolist(), groups, strict=True):
            for part in group:
                of_cell[part.rows] = plane
        return cls(
            calorimeter.finder, kinds == {"barrel"}, np.array(sides, dtype=np.int64), np.array(number, dtype=np.int64),
            place, depths[place], of_cell, calorimeter.graph.cells.positions.astype(np.float64),
        )  # fmt: skip

    @property
    def n(self) -> int:
        """Number of planes."""
        return len(self.layer)

    def side_of(self, direction: Tensor) -> Tensor:
        """Return the row of `sides` that each particle flies to, int64 [n]; the nearest one there is."""
        sides = torch.from_numpy(self.sides).to(direction.device)
        return (sides[None, :] - direction[:, 2:].sign()).abs().argmin(dim=1)

    def points(self, condition: Condition, plane: Tensor, across: Tensor) -> Tensor:
        """Return the points of planes at some distances from the line of flight.

        Parameters
        ----------
        condition
            n particles.
        plane : int64 [n, m]
        across : float [n, m, 2]
            Towards larger theta and larger phi [cm].

        Returns
        -------
        float64 [n, m, 3]
            [cm]
        """
        direction, vertex = condition.direction.double(), condition.vertex.double()
        depth = torch.from_numpy(self.depth).to(direction)[self.side_of(direction)[:, None], plane]
        across = across.double()
        to_theta, to_phi = axes(direction)
        start = vertex[:, None] + across[..., :1] * to_theta[:, None] + across[..., 1:] * to_phi[:, None]
        if not self.is_barrel:
            cos = direction[:, 2:]
            cos = torch.where(cos.abs() > 1e-3, cos, 1e-3)  # along the disks: somewhere far out
            side = torch.from_numpy(self.sides).to(direction)[self.side_of(direction)]
            flight = (side[:, None] * depth - start[..., 2]) / cos
        else:  # (start + flight x direction)^2 = depth^2 across z, the later of both
            a = direction[:, None, :2].square().sum(dim=-1).clamp(min=1e-6)
            half_b = (start[..., :2] * direction[:, None, :2]).sum(dim=-1)
            c = start[..., :2].square().sum(dim=-1) - depth.square()
            flight = ((half_b.square() - a * c).clamp(min=0).sqrt() - half_b) / a
        return start + flight[..., None] * direction[:, None]

    def cells(self, condition: Condition, plane: Tensor, across: Tensor) -> Tensor:
        """Return the cells of such points, int64 [n, m]; outside of all cells: the nearest one of the plane."""
        point = self.points(condition, plane, across).cpu().numpy().reshape(-1, 3)
        side = self.side_of(condition.direction)[:, None].expand_as(plane)
        rows, planes = side.cpu().numpy().reshape(-1), plane.cpu().numpy().reshape(-1)
        a, b = self._surface(point, self.depth[rows, planes])
        cell = _find(self.finder, self.place[rows, planes], a, b)
        lost = np.flatnonzero(cell < 0)
        if len(lost):
            cell[lost] = self._nearest(point[lost], self.place[rows[lost], planes[lost]])
        return torch.from_numpy(cell).reshape(plane.shape).to(plane.device)

    def _surface(self, point: F64, depth: F64) -> tuple[F64, F64]:
        if not self.is_barrel:
            return np.ascontiguousarray(point[:, 0]), np.ascontiguousarray(point[:, 1])
        return np.ascontiguousarray(point[:, 2]), depth * np.arctan2(point[:, 1], point[:, 0])

    def _nearest(self, point: F64, place: I64) -> I64:
        """Return the nearest cells of layers of the finder, int64 [n]; points may lie anywhere."""
        known = np.column_stack([np.nan_to_num(point, nan=0.0, posinf=APART / 9, neginf=-APART / 9), APART * place])
        tree, cells = self._tree
        return np.asarray(cells[tree.query(known)[1]], dtype=np.int64)

    @cached_property
    def pitch(self) -> float:
        """Distance from a cell to the nearest one of its layer [cm]: the median of some in the layer of most cells."""
        plane = np.bincount(self.of_cell[self.of_cell >= 0]).argmax()
        places = self.position[self.of_cell == plane]
        some = places[np.linspace(0, len(places) - 1, min(SAMPLE, len(places))).astype(np.int64)]
        if len(places) < 2:
            return 1.0
        distance = np.asarray(cKDTree(places).query(some, k=2)[0])
        return float(np.median(distance[:, 1]))

    @cached_property
    def _tree(self) -> tuple[cKDTree, I64]:
        cells = np.flatnonzero(self.of_cell >= 0)
        side = np.searchsorted(self.sides, 0 if self.is_barrel else np.sign(self.position[cells, 2]))
        place = self.place[side, self.of_cell[cells]]
        return cKDTree(np.column_stack([self.position[cells], APART * place])), cells


def _depth(group: list[Surface]) -> float:
    return float(np.mean([part.depth for part in group]))


@njit(cache=True, parallel=True)
def _find(finder: CellFinder, layer: I64, a: F64, b: F64) -> I64:
    """Return the cells of points, int64 [n], -1 where there is none."""
    cell = np.empty(len(layer), np.int64)
    for i in prange(len(layer)):
        cell[i] = find_cell(finder, layer[i], a[i], b[i])
    return cell
