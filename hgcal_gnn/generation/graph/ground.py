"""The cells and layers of a calorimeter as showers see them: across and along the line of flight."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from hgcal_gnn.batching.induced import NO_HIT
from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.critics.cells import neighbour_distance
from hgcal_gnn.generation.graph.hit_edges import Edges, edges_between
from hgcal_gnn.simulation.deposit import CellFinder, find_cell

if TYPE_CHECKING:
    from hgcal_gnn.arrays import F32, F64, I64, Array
    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.graph.calorimeter import Calorimeter
    from hgcal_gnn.nn.adjacency import Adjacency

N_FEATURES = 5  # of a layer, see `Tokens.features`
X0_UNIT, INTERACTION_UNIT, LOSS_UNIT = 10.0, 3.0, 20.0  # that bring depths and losses [MeV] to order 1
MEAN_CUT = 70.0  # Landau widths
USUAL_WIDTH = 0.061  # of the Landau distribution over its most probable value, in 200 and 300 um of silicon
SMALLEST_COSINE = 0.05  # of the angle between flight and z: flatter ones hardly cross a layer


class Tokens(NamedTuple):
    """The layers that showers cross.

    Attributes
    ----------
    depth : [n_showers, n_layers]
        Radiation lengths along the line of flight.
    features : [n_showers, n_layers, N_FEATURES]
        Depth in radiation and in interaction lengths along the flight, radiation lengths and energy loss of the layer
        itself, and whether the cell on the axis is a tile: numbers of order 1.
    area : [n_showers, n_layers]
        Of the cell on the axis, seen along the flight [cm^2]; where there is none: the mean of the layer.
    present : bool [n_showers, n_layers]
        Layers that the calorimeter has there.
    cosine : [n_showers]
        Of the angle of incidence.
    """

    depth: Tensor
    features: Tensor
    area: Tensor
    present: Tensor
    cosine: Tensor


class Seen(NamedTuple):
    """Hits as their shower sees them.

    Attributes
    ----------
    cell : int64 [n_hits]
    layer : int64 [n_hits]
        From 0.
    row : int64 [n_hits]
        shower x n_layers + layer.
    u, v : [n_hits]
        Displacement across the axis towards larger theta and larger phi [cm].
    area : [n_hits]
        Of the cell, seen along the flight [cm^2].
    unit : [n_hits]
        What a minimum ionising particle on this line of flight leaves in the cell [GeV].
    layer_ptr : int64 [n_showers x n_layers + 1]
        First hit of each layer of each shower.
    adjacency
        Edges of the cell graph between hits.
    """

    cell: Tensor
    layer: Tensor
    row: Tensor
    u: Tensor
    v: Tensor
    area: Tensor
    unit: Tensor
    layer_ptr: Tensor
    adjacency: Adjacency


@dataclass(frozen=True, eq=False)
class Ground:
    """A calorimeter with layers across z, in tensors.

    Attributes
    ----------
    calorimeter
    place : float32 [n_cells, 3]
        [cm]
    layer : int64 [n_cells]
        From 0.
    unit : float32 [n_cells]
        See `_mean_deposit` [GeV].
    area : float32 [n_cells]
        [cm^2]
    material : float32 [n_layers, 4]
        Depth in radiation and interaction lengths up to the layer, radiation lengths and loss [MeV] of the layer.
    position : float64 [2, n_layers]
        z of the layers of the negative and the positive endcap [cm]; NaN where there is none.
    plane : int64 [2, n_layers]
        Their number in the cell finder, -1 for none.
    mean_area : float32 [n_layers]
        Of the cells of a layer; of layers without cells that of all.
    """

    calorimeter: Calorimeter
    place: Tensor
    layer: Tensor
    unit: Tensor
    area: Tensor
    material: Tensor
    position: F64
    plane: I64
    mean_area: Tensor

    @classmethod
    def of(cls, calorimeter: Calorimeter) -> Ground:
        """Look at a calorimeter.

        Raises
        ------
        UsageError
            If it has layers that are not planes across z.
        """
        check_planes(calorimeter)
        numbers, stack, material = calorimeter.numbers, calorimeter.stack, calorimeter.material
        pitch = neighbour_distance(calorimeter.graph)
        # a hexagon, or a tile, whose neighbours' centres are one pitch away
        area = np.where(numbers.silicon > 0, math.sqrt(3) / 2, 1.0).astype(np.float32) * pitch**2
        layer = numbers.layer.astype(np.int64) - 1
        count = np.bincount(layer, minlength=numbers.n_layers)
        total = np.bincount(layer, weights=area, minlength=numbers.n_layers)
        position, plane = np.full((2, numbers.n_layers), np.nan), np.full((2, numbers.n_layers), -1, np.int64)
        side, number = (stack.position > 0).astype(np.int64), stack.layer.astype(np.int64) - 1
        position[side, number], plane[side, number] = stack.position, stack.cells
        columns = [np.cumsum(material.x0), np.cumsum(material.interaction), material.x0, material.loss]
        return cls(
            calorimeter,
            torch.from_numpy(numbers.place),
            torch.from_numpy(layer),
            torch.from_numpy(_mean_deposit(calorimeter)),
            torch.from_numpy(area),
            torch.from_numpy(np.stack(columns, axis=1).astype(np.float32)),
            position,
            plane,
            torch.from_numpy(np.where(count > 0, total / np.maximum(count, 1), area.mean()).astype(np.float32)),
        )

    @property
    def n_layers(self) -> int:
        """Layers of the material."""
        return len(self.material)

    def to(self, like: Tensor) -> Ground:
        """Return the same on the device of a tensor."""
        if self.place.device == like.device:
            return self
        names = ("place", "layer", "unit", "area", "material", "mean_area")
        return replace(self, **{name: getattr(self, name).to(like.device) for name in names})

    def tokens(self, condition: Condition) -> Tokens:
        """Look at the layers along the lines of flight."""
        cosine = cosine_of(condition)[:, None]
        there = self._cells_on_axis(condition)
        known = there >= 0
        cell = there.clamp(min=0)
        area = torch.where(known, self.area[cell], self.mean_area) * cosine
        is_tile = known & (self._silicon[cell] == 0)
        depth, interaction = self.material[:, 0] / cosine, self.material[:, 1] / cosine
        thickness, loss = (column.expand(len(depth), -1) for column in (self.material[:, 2], self.material[:, 3]))
        features = [
            depth / X0_UNIT - 1, interaction / INTERACTION_UNIT - 1, thickness - 1, loss / LOSS_UNIT - 1,
            is_tile.to(depth),
        ]  # fmt: skip
        present = torch.from_numpy(self.plane >= 0).to(depth.device)[_side(condition)]
        return Tokens(depth, torch.stack(features, dim=2), area, present, cosine[:, 0])

    def seen(self, cell: Tensor, ptr: Tensor, condition: Condition, edges: Edges = "cells") -> Seen:
        """Look at hits, sorted by shower and cell.

        Parameters
        ----------
        cell : int64 [n_hits]
        ptr : int64 [n_showers + 1]
        condition
        edges
            "cells": those of the cell graph; "nearest": to the nearest hits in space; "none".
        """
        shower = torch.repeat_interleave(torch.arange(len(ptr) - 1, device=cell.device), ptr.diff())
        direction, vertex = condition.direction.to(self.place), condition.vertex.to(self.place)
        transverse = direction[:, :2].norm(dim=1).clamp(min=1e-6)
        cosine = cosine_of(condition).to(self.place)
        numbers = torch.stack([
            direction[:, 0] / direction[:, 2], direction[:, 1] / direction[:, 2],
            direction[:, 0] / transverse, direction[:, 1] / transverse, cosine,
        ], dim=1)  # fmt: skip
        slope_x, slope_y, along, across, cosine = numbers[shower].unbind(dim=1)
        x, y, z = (self.place[cell] - vertex[shower]).unbind(dim=1)
        x, y = x - z * slope_x, y - z * slope_y
        layer = self.layer[cell]
        row = shower * self.n_layers + layer
        count = torch.bincount(row, minlength=(len(ptr) - 1) * self.n_layers)
        adjacency = edges_between(cell, ptr, edges, self.calorimeter.graph, self.place, self._scratch)
        return Seen(
            cell, layer, row, (x * along + y * across) * cosine, y * along - x * across, self.area[cell] * cosine,
            self.unit[cell] / cosine, torch.cat([count.new_zeros(1), count.cumsum(0)]), adjacency,
        )  # fmt: skip

    def along(self, condition: Condition) -> tuple[Array, Array]:
        """Return what `draw_cells` asks of each shower: direction and vertex, and its endcap (0 or 1)."""
        lines = torch.cat([condition.direction, condition.vertex], dim=1)
        return lines.double().cpu().numpy(), _side(condition).cpu().numpy()

    @cached_property
    def _silicon(self) -> Tensor:
        return torch.from_numpy(self.calorimeter.numbers.silicon).to(self.place.device)

    @cached_property
    def _scratch(self) -> Array:
        return np.full(self.calorimeter.n_cells, NO_HIT, dtype=np.int32)

    def _cells_on_axis(self, condition: Condition) -> Tensor:
        lines, side = self.along(condition)
        found = np.empty((len(lines), self.n_layers), dtype=np.int64)
        _find_on_axis(self.calorimeter.finder, lines, side, self.position, self.plane, found)
        return torch.from_numpy(found).to(self.place.device)


def check_planes(calorimeter: Calorimeter) -> None:
    """Refuse calorimeters whose layers are not planes across z.

    Raises
    ------
    UsageError
    """
    stack = calorimeter.stack
    if stack.barrel.any() or (calorimeter.material.samplings > 1).any():
        msg = (
            f"{calorimeter.detector}: cells generates in endcaps, whose layers are single planes across z; here there "
            "are barrel layers or layers of several planes. Use tree, or a voxel model"
        )
        raise UsageError(msg)


def _mean_deposit(calorimeter: Calorimeter) -> F32:
    """Return E_MIP of each cell [GeV], most probable value, as if its Landau distribution were as wide as usual.

    A thin sensor has a wider one, and a mean further above the most probable value: that of 120 um silicon is 5 % more
    E_MIP than that of 200 um. Below `MEAN_CUT` widths above it, delta rays leave the sensor, the mean of a Landau
    distribution lies ln(cut) + 0.577 - 1 + 0.223 widths above its peak.
    """
    mip, width = calorimeter.sensors.mip.T
    above = math.log(MEAN_CUT) + np.euler_gamma - 1 + 0.22278
    unit: F32 = (1e-3 * (mip + above * width) / (1 + above * USUAL_WIDTH)).astype(np.float32)
    return unit[calorimeter.sensors.kind]


def cosine_of(condition: Condition) -> Tensor:
    """Return the cosine of the angle of incidence on planes across z, [n_showers]."""
    return condition.direction[:, 2].abs().clamp(min=SMALLEST_COSINE)


def _side(condition: Condition) -> Tensor:
    return (condition.direction[:, 2] > 0).long()


@njit(cache=True, nogil=True)
def _find_on_axis(finder: CellFinder, lines: F64, side: I64, position: F64, plane: I64, found: I64) -> None:
    """Fill the cells on the lines of flight, -1 where there is none."""
    for shower in range(found.shape[0]):
        for layer in range(found.shape[1]):
            found[shower, layer] = -1
            here = plane[side[shower], layer]
            if here >= 0:
                way = (position[side[shower], layer] - lines[shower, 5]) / lines[shower, 2]
                x, y = lines[shower, 3] + way * lines[shower, 0], lines[shower, 4] + way * lines[shower, 1]
                found[shower, layer] = find_cell(finder, here, x, y)
