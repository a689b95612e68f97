"""The file that keeps a trained generator: weights, the cells it works in, and what it was trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.errors import InputError
from hgcal_gnn.weights_file import read_weights, write_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hgcal_gnn.arrays import Array

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
        Mean [cm], taken where nothing else is said; None where not known.
    vertex_spread
        Standard deviations [cm].
    direction
        Mean unit vector; None where not known.
    beam
        Settings of a simulated sample (`config.data.SimulateConfig`), for the same particles by default.
    """

    pdg_ids: tuple[int, ...]
    energy: tuple[float, float]
    theta: tuple[float, float] | None = None
    phi: tuple[float, float] | None = None
    vertex: tuple[float, float, float] | None = (0.0, 0.0, 0.0)
    vertex_spread: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, float, float] | None = None
    beam: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownCells:
    """Cells by their name, their hash and their number: what a graph model keeps of them."""

    detector: str
    cells_sha256: str
    n_cells: int


@dataclass(frozen=True, eq=False)
class GeneratorWeights:
    """A trained generator as it is kept.

    Attributes
    ----------
    arrays
        State of the generating part, by name.
    cells
        The grid of a voxel model; of a graph model only which cells they are.
    trained_on
    """

    arrays: Mapping[str, Array]
    cells: VoxelGrid | KnownCells
    trained_on: TrainedOn

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a .safetensors file."""
        cells = self.cells
        about: dict[str, Any] = {
            "cells_sha256": cells.cells_sha256, "detector": cells.detector, "n_cells": cells.n_cells,
            "trained_on": vars(self.trained_on),
        }  # fmt: skip
        arrays = dict(self.arrays)
        if isinstance(cells, VoxelGrid):
            about |= {"sections": list(cells.rows), "axes": {name: list(axes) for name, axes in cells.axes.items()}}
            arrays |= {GRID + name: rows for name, rows in cells.rows.items()}
        write_weights(path, "generator", arrays, about, overwrite=overwrite)

    @classmethod
    def load(cls, path: Path) -> GeneratorWeights:
        """Read a file that `save` wrote.

        Raises
        ------
        InputError
            If it is missing, damaged, something else, or of a newer version.
        """
        arrays, about = read_weights(path, "generator")
        try:
            trained_on = TrainedOn(**_tuples(about["trained_on"]))
            known = (about["detector"], about["cells_sha256"], about["n_cells"])
            if "sections" not in about:
                return cls(arrays, KnownCells(*known), trained_on)
            rows = {name: arrays.pop(GRID + name) for name in about["sections"]}
            axes = {name: tuple(names) for name, names in about["axes"].items()}
            return cls(arrays, VoxelGrid(*known, rows, axes), trained_on)
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"{path}: its description of the generator is incomplete ({error}); the file is damaged"
            raise InputError(msg) from error


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
