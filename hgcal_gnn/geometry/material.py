"""Material of a calorimeter: what lies before each layer, what its sensors are, how it responds.

Numbers come from a YAML file per detector family (`geometry/detectors/*_material.yaml`, or a user's own file of
the same form); positions come from the cell table. Any CellTable with such a file can be simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.files import check_readable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from hgcal_gnn.arrays import F64, U8
    from hgcal_gnn.geometry.cells import CellTable

SCALE_ENERGY = 21.2  # MeV; Moliere radius = X0 x 21.2 MeV / E_c (Particle Data Group, passage of particles, 34.37)
PACKAGE = "hgcal_gnn.geometry.detectors"
MOST_LAYERS = 10_000  # of a section


@dataclass(frozen=True)
class Sensor:
    """One kind of sensor and the cells that have it.

    Attributes
    ----------
    name
    is_silicon, cell_type
        Columns of the cell table it applies to; None for any.
    mip
        Most probable deposit of a minimum ionising particle at normal incidence [MeV].
    width
        Landau width of that deposit [MeV].
    """

    name: str
    mip: float
    width: float
    is_silicon: int | None = None
    cell_type: int | None = None


@dataclass(frozen=True, eq=False)
class MaterialProfile:
    """Material along the layers 1..L of a calorimeter at normal incidence.

    Attributes
    ----------
    name
        Detector.
    front
        Where the material begins: |z| of an endcap, radius of a barrel [cm].
    x0, interaction, loss : float64 [n_layers]
        Radiation lengths, nuclear interaction lengths and loss of a minimum ionising particle [MeV] between a
        layer and the one before.
    response : float64 [n_layers, 2]
        Electromagnetic crossings of silicon and of tiles, per crossing expected from the material alone.
    section : int64 [n_layers]
        Layers of one build share a number (and a Moliere radius).
    samplings : int64 [n_layers]
        Sensor planes summed in one layer.
    extent : float64 [n_layers]
        Depth over which these planes are spread [cm].
    sensors : tuple of Sensor
        The first one that matches a cell is used.
    """

    name: str
    front: float
    x0: NDArray[np.float64]
    interaction: NDArray[np.float64]
    loss: NDArray[np.float64]
    response: NDArray[np.float64]
    section: NDArray[np.int64]
    samplings: NDArray[np.int64]
    extent: NDArray[np.float64]
    sensors: tuple[Sensor, ...]

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(self.x0)


def load_material(detector: str, path: Path | None = None) -> MaterialProfile:
    """Read the material of a detector, built-in or from a YAML file.

    Parameters
    ----------
    detector
        Its entry is read; of a file of your own that has a single entry, that one, whatever its name.

    Raises
    ------
    UsageError
        If nothing is known about the detector.
    InputError
        If the file lacks an entry or an entry has the wrong length.
    """
    if path is not None:
        check_readable(path)
        content = _parsed(path)
        names = list(content["detectors"])
        return _profile(names[0] if len(names) == 1 else detector, content, str(path))
    known: list[str] = []
    for entry in sorted(files(PACKAGE).iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith("_material.yaml"):
            content = yaml.safe_load(entry.read_text(encoding="utf-8"))
            if detector in content["detectors"]:
                return _profile(detector, content, entry.name)
            known += content["detectors"]
    msg = (
        f"no material is known for detector {detector!r} (there is for: {', '.join(known)}); "
        "give a YAML file with the material of its layers"
    )
    raise UsageError(msg)


def sensor_kinds(table: CellTable, material: MaterialProfile) -> U8:
    """Return the sensor of each cell, the first in the list that matches it: uint8 [n_cells].

    Raises
    ------
    InputError
        If a cell has none.
    """
    kind = np.full(table.n_cells, len(material.sensors), np.uint8)
    for number, sensor in reversed(list(enumerate(material.sensors))):
        matches = np.ones(table.n_cells, dtype=bool)
        if sensor.is_silicon is not None:
            matches &= table.is_silicon == sensor.is_silicon
        if sensor.cell_type is not None:
            matches &= table.cell_type == sensor.cell_type
        kind[matches] = number
    missing = np.flatnonzero(kind == len(material.sensors))
    if len(missing):
        row = missing[0]
        msg = (
            f"{len(missing)} cells have no sensor in the material of {material.name}, first row {row} (is_silicon "
            f"{table.is_silicon[row]}, cell_type {table.cell_type[row]}); add one to its list of sensors"
        )
        raise InputError(msg)
    return kind


def calibration(table: CellTable, material: MaterialProfile) -> F64:
    """Return what each cell's deposit counts for in `reconstructed`, float64 [n_cells] (GeV per GeV).

    1e-3 w_layer / E_MIP: w the loss of a minimum ionising particle in the material of the layer [MeV], shared by the
    sensor planes that are read out together, E_MIP the most probable deposit in one of them [GeV] (the CMS dE/dx
    calibration, CMSSW HGCalRecHitWorkerSimple).

    Raises
    ------
    InputError
        If the material does not describe a layer or a sensor of the table.
    """
    rows = table.layer.astype(np.int64) - 1
    if rows.min() < 0 or rows.max() >= material.n_layers:
        msg = (
            f"the material of {material.name} describes layers 1 to {material.n_layers}, the table has layers "
            f"{rows.min() + 1} to {rows.max() + 1}; give the material of this detector"
        )
        raise InputError(msg)
    loss = material.loss / material.samplings  # MeV, [n_layers]
    mip = np.array([sensor.mip for sensor in material.sensors])  # MeV, [n_sensors]
    weights: F64 = loss[rows] / mip[sensor_kinds(table, material)]
    return weights


def _parsed(path: Path) -> Mapping[str, Any]:
    """Read a material file and check that it looks like one."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        msg = f"{path}: not YAML: {' '.join(str(error).split())}"
        raise InputError(msg) from error
    if not isinstance(content, dict) or not isinstance(content.get("detectors"), dict):
        msg = f"{path}: no material file: it has no entry 'detectors' with detectors in it (and one 'sensors')"
        raise InputError(msg)
    return content


def _profile(detector: str, content: Mapping[str, Any], source: str) -> MaterialProfile:
    """Build the profile of `detector` from the content of a material file."""
    if detector not in content.get("detectors", {}):
        msg = f"{source}: no detector {detector!r} (found: {', '.join(content.get('detectors', {}))})"
        raise InputError(msg)
    own = content["detectors"][detector]
    try:
        sections = [_section(section, content, source) for section in own["sections"]]
        columns = {name: np.concatenate([section[name] for section in sections]) for name in sections[0]}
        number = np.repeat(np.arange(len(sections)), [len(section["x0"]) for section in sections])
        sensors = tuple(Sensor(**sensor) for sensor in content["sensors"])
        return MaterialProfile(
            name=detector, front=float(own["front_cm"]), section=number, sensors=sensors, **columns
        )  # fmt: skip
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, ArithmeticError) as error:
        if isinstance(error, InputError):
            raise
        msg = f"{source}: the material of {detector} is not complete or has an unknown entry: {error}"
        raise InputError(msg) from error


def _section(section: Mapping[str, Any], content: Mapping[str, Any], source: str) -> dict[str, NDArray[Any]]:
    """Return the columns of one run of layers, each [layers]."""
    n_layers = int(section["layers"])
    if not 0 < n_layers <= MOST_LAYERS:
        msg = f"{source}: a section has 1 to {MOST_LAYERS} layers, not {n_layers}"
        raise InputError(msg)
    if "plates_mm" in section:
        amounts: dict[str, Any] = dict(_plates(section["plates_mm"], content["materials"]))
    else:
        loss = _repeated(section["loss_mev"], n_layers, source)
        amounts = {
            "loss": loss,
            "x0": section["x0_total"] * loss / loss.sum(),
            "interaction": section["interaction_total"] * loss / loss.sum(),
        }
    response = section["response"]
    silicon, tiles = (_repeated(response.get(kind, 1.0), n_layers, source) for kind in ("silicon", "tile"))
    return {
        **{name: _repeated(value, n_layers, source) for name, value in amounts.items()},
        "response": np.stack([silicon, tiles], axis=1),
        "samplings": _repeated(section.get("samplings", 1), n_layers, source).astype(np.int64),
        "extent": _repeated(section.get("extent_cm", 0.0), n_layers, source),
    }


def _plates(plates: Mapping[str, float], materials: Mapping[str, Any]) -> dict[str, float]:
    """Sum radiation lengths, interaction lengths and losses of plates given by material and thickness [mm]."""
    centimetres = {name: 0.1 * float(thickness) for name, thickness in plates.items()}
    return {
        "x0": sum(length / materials[name]["x0_cm"] for name, length in centimetres.items()),
        "interaction": sum(length / materials[name]["interaction_cm"] for name, length in centimetres.items()),
        "loss": sum(length * materials[name]["loss_mev_per_cm"] for name, length in centimetres.items()),
    }


def _repeated(values: Any, n_layers: int, source: str) -> NDArray[np.float64]:
    """Bring a number, a pattern that repeats, or one number per layer to [n_layers]."""
    given = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if len(given) > n_layers:
        msg = f"{source}: {len(given)} values given for {n_layers} layers"
        raise InputError(msg)
    return np.resize(given, n_layers)
