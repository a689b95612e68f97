"""The file that keeps a trained generator: weights, the grid, and what it was trained on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hgcal_gnn import __version__
from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.errors import InputError
from hgcal_gnn.files import atomic_path, check_readable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hgcal_gnn.arrays import Array

FORMAT = 1
METADATA_KEY = "hgcal_gnn"
GRID = "grid."


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """The particles a generator has seen: what it may be asked for.

    Attributes
    ----------
    pdg_ids
        Ascending.
    energy
        Lowest and highest [GeV].
    theta, phi
        Of directions [rad]; None where not known.
    vertex
        Mean [cm], taken where nothing else is said.
    vertex_spread
        Standard deviations [cm].
    direction
        Mean unit vector.
    beam
        Settings of a simulated sample (`config.data.SimulateConfig`), for the same particles by default.
    """

    pdg_ids: tuple[int, ...]
    energy: tuple[float, float]
    theta: tuple[float, float] | None = None
    phi: tuple[float, float] | None = None
    vertex: tuple[float, float, float] = (0.0, 0.0, 0.0)
    vertex_spread: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, float, float] | None = None
    beam: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class GeneratorWeights:
    """A trained generator as it is kept.

    Attributes
    ----------
    arrays
        State of the generating part, by name.
    grid
    trained_on
    """

    arrays: Mapping[str, Array]
    grid: VoxelGrid
    trained_on: TrainedOn

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a .safetensors file."""
        grid = self.grid
        about = {
            "format": FORMAT, "version": __version__, "kind": "generator", "cells_sha256": grid.cells_sha256,
            "detector": grid.detector, "n_cells": grid.n_cells, "sections": list(grid.rows),
            "axes": {name: list(axes) for name, axes in grid.axes.items()}, "trained_on": vars(self.trained_on),
        }  # fmt: skip
        arrays = {name: np.ascontiguousarray(values) for name, values in self.arrays.items()}
        arrays |= {GRID + name: np.ascontiguousarray(rows) for name, rows in grid.rows.items()}
        with atomic_path(path, overwrite=overwrite) as temporary:
            save_file(arrays, temporary, metadata={METADATA_KEY: json.dumps(about, sort_keys=True)})

    @classmethod
    def load(cls, path: Path) -> GeneratorWeights:
        """Read a file that `save` wrote.

        Raises
        ------
        InputError
            If it is missing, damaged, something else, or of a newer version.
        """
        check_readable(path)
        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (SafetensorError, json.JSONDecodeError) as error:
            msg = f"{path}: no readable safetensors file ({error}); it is truncated or damaged"
            raise InputError(msg) from error
        if about.get("kind") != "generator":
            msg = f"{path}: holds no generator of hgcal-gnn"
            raise InputError(msg)
        if about["format"] > FORMAT:
            msg = (
                f"{path}: written by version {about['version']} in format {about['format']}, this one reads up to "
                f"{FORMAT}; upgrade with: pip install --upgrade hgcal-gnn"
            )
            raise InputError(msg)
        try:
            rows = {name: arrays.pop(GRID + name) for name in about["sections"]}
            axes = {name: tuple(names) for name, names in about["axes"].items()}
            grid = VoxelGrid(about["detector"], about["cells_sha256"], about["n_cells"], rows, axes)
            return cls(arrays, grid, TrainedOn(**_tuples(about["trained_on"])))
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"{path}: its description of the generator is incomplete ({error}); the file is damaged"
            raise InputError(msg) from error


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
