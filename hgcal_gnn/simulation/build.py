"""From a cell table and its material to the arrays the kernels read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.material import SCALE_ENERGY, MaterialProfile, sensor_kinds
from hgcal_gnn.simulation.deposit import CellFinder, build_finder, group_layers, surface_coordinates
from hgcal_gnn.simulation.stack import Sensors, Stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.surfaces import Surface


def build_stack(table: CellTable, material: MaterialProfile) -> tuple[Stack, Sensors, CellFinder]:
    """Build the layers, the sensors and the cell finder of a table.

    Layers that the table lacks (a window, for instance) still stand in the way: their material is added to the next
    layer there is.

    Raises
    ------
    InputError
        If the table has layers the material does not describe, or cells without a sensor.
    """
    layers = group_layers(table)
    numbers = np.array([groups[0].layer for groups in layers])
    outside = (numbers < 1) | (numbers > material.n_layers)
    if outside.any():
        msg = (
            f"the material of {material.name} describes layers 1 to {material.n_layers}, the table has layer "
            f"{numbers[outside][0]}"
        )
        raise InputError(msg)
    moliere = _moliere(layers, material)
    sides = np.array([groups[0].z_side for groups in layers])
    parts = [_side(layers, np.flatnonzero(sides == side), material, moliere) for side in np.unique(sides)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    low, high = _extent(table, layers)
    stack = Stack(**columns, low=low[columns["cells"]], high=high[columns["cells"]])
    return stack, _sensors(table, material), build_finder(table, layers)


def _moliere(layers: list[list[Surface]], material: MaterialProfile) -> NDArray[np.float64]:
    """Moliere radius of each layer of the material, averaged over its section, gaps included [cm]."""
    depth = np.full(material.n_layers, np.nan)
    for groups in layers:
        depth[groups[0].layer - 1] = groups[0].depth
    known = np.flatnonzero(np.isfinite(depth))
    depth = np.interp(np.arange(material.n_layers), known, depth[known])
    thickness = np.diff(depth, prepend=min(material.front, depth[0] - 1e-3))
    result = np.empty(material.n_layers)
    for section in np.unique(material.section):
        rows = material.section == section
        x0 = material.x0[rows].sum()
        result[rows] = SCALE_ENERGY * thickness[rows].sum() / material.loss[rows].sum() if x0 > 0 else 1.0
    return result


def _side(
    layers: list[list[Surface]], members: NDArray[np.int64], material: MaterialProfile, moliere: NDArray[np.float64]
) -> dict[str, NDArray[np.generic]]:
    """Columns of the stack for the layers of one side, one row per sensor plane."""
    first = layers[members[0]][0]
    sign = first.z_side or 1
    rows: dict[str, list[float]] = {}
    before, front = 0, material.front
    for member in members.tolist():
        surface = layers[member][0]
        own = surface.layer - 1
        amounts = {name: getattr(material, name)[before : own + 1].sum() for name in ("x0", "interaction", "loss")}
        n_planes, extent = int(material.samplings[own]), float(material.extent[own])
        for plane in range(n_planes):
            position = surface.depth + extent * ((plane + 0.5) / n_planes - 0.5)
            values = {name: float(amount) / n_planes for name, amount in amounts.items()} | {
                "barrel": float(surface.kind == "barrel"),
                "position": sign * position,
                "front": sign * min(front, position - 1e-3),
                "thickness": max(position - front, 1e-3),
                "silicon": material.response[own, 0],
                "tile": material.response[own, 1],
                "moliere": moliere[own],
                "cells": member,
                "layer": surface.layer,
            }
            for name, value in values.items():
                rows.setdefault(name, []).append(value)
            front = position
        before = own + 1
    columns = {name: np.array(values) for name, values in rows.items()}
    response = np.stack([columns.pop("silicon"), columns.pop("tile")], axis=1)
    types = {"barrel": np.uint8, "cells": np.int64, "layer": np.int16}
    return {name: values.astype(types.get(name, np.float64)) for name, values in columns.items()} | {
        "response": response
    }


def _extent(table: CellTable, layers: list[list[Surface]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the region that holds the cells of each layer, [n_layers, 2] in surface coordinates [cm]."""
    low, high = np.empty((len(layers), 2)), np.empty((len(layers), 2))
    for i, groups in enumerate(layers):
        points = np.concatenate([np.stack(surface_coordinates(table, group)[:2]) for group in groups], axis=1)
        low[i], high[i] = points.min(axis=1), points.max(axis=1)
    return low, high


def _sensors(table: CellTable, material: MaterialProfile) -> Sensors:
    """Return the sensors of a table as the kernels read them."""
    kind = sensor_kinds(table, material)
    is_tile = np.array([sensor.is_silicon == 0 for sensor in material.sensors], np.uint8)
    return Sensors(kind, np.array([[sensor.mip, sensor.width] for sensor in material.sensors]), is_tile)
