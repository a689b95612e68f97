"""Built-in detectors: generator code and one YAML file of published numbers for each family."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors.cylinders import ring_table, ring_voxels
from hgcal_gnn.geometry.detectors.hgcal import make_hgcal
from hgcal_gnn.geometry.detectors.stacks import (
    sampling_layers,
    sampling_voxels,
    stack_table,
    summed_layers,
    summed_voxels,
)
from hgcal_gnn.geometry.detectors.windows import Window, cut

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.detectors.voxels import VoxelMap


class _Detector(NamedTuple):
    description: str
    make: Callable[[Window], CellTable]
    voxels: Callable[[], VoxelMap] | None = None


def _sampling(family: str, name: str, description: str) -> _Detector:
    def make(window: Window) -> CellTable:
        return cut(stack_table(name, sampling_layers(family, name)), window)

    return _Detector(description, make, partial(sampling_voxels, family, name))


def _summed(name: str, description: str) -> _Detector:
    def make(window: Window) -> CellTable:
        return cut(stack_table(name, summed_layers(name), endcap=True), window)

    return _Detector(description, make, partial(summed_voxels, name))


def _cylinder(name: str, description: str) -> _Detector:
    def make(window: Window) -> CellTable:
        return cut(ring_table(name), window)

    return _Detector(description, make, partial(ring_voxels, name))


_BUILT_IN = {
    "hgcal": _Detector("CMS HGCAL: two endcaps, 47 layers of silicon wafers and scintillator tiles", make_hgcal),
    "clic": _sampling(
        "clic", "clic", "CLIC: ECAL 51x51x25 (5.1 mm, Si-W) and HCAL 11x11x60 (30 mm, scintillator-steel)"
    ),
    "lcd": _sampling("clic", "lcd", "CLIC-like LCD data set: ECAL 24x24x25 and HCAL 4x4x60"),
    "lcd25": _sampling("clic", "lcd25", "CLIC-like LCD data set: ECAL 25x25x25 and HCAL 5x5x60"),
    "toy": _sampling(
        "clic", "toy", "CLIC-like barrel piece for electrons with |eta| < 0.524, 0 < phi < 0.35: 2.1M cells"
    ),
    "ild-ecal": _sampling("ild", "ild-ecal", "ILD ECAL: 30 layers of 30x30 cells of 5 mm, Si-W"),
    "ild-ahcal": _sampling("ild", "ild-ahcal", "ILD AHCAL: 48 layers of 25x25 tiles of 30 mm, scintillator-steel"),
    "calogan": _summed("calogan", "CaloGAN: LAr-lead, three layers of 3x96, 12x12 and 12x6 cells"),
    "calogan-siw": _summed("calogan-siw", "CaloGAN-like: Si-W, three layers of 12x12 cells"),
    "calochallenge-1-photons": _cylinder(
        "calochallenge-1-photons", "CaloChallenge data set 1, photons: 368 voxels in 5 layers"
    ),
    "calochallenge-1-pions": _cylinder(
        "calochallenge-1-pions", "CaloChallenge data set 1, pions: 533 voxels in 7 layers"
    ),
    "calochallenge-2": _cylinder("calochallenge-2", "CaloChallenge data set 2: 45 x 16 x 9 voxels, Si-W"),
    "calochallenge-3": _cylinder("calochallenge-3", "CaloChallenge data set 3: 45 x 50 x 18 voxels, Si-W"),
}
DETECTORS = MappingProxyType({name: detector.description for name, detector in _BUILT_IN.items()})
VOXEL_DETECTORS = tuple(name for name, detector in _BUILT_IN.items() if detector.voxels)  # `voxel_map` knows them


def make_detector(
    name: str,
    *,
    eta: tuple[float, float] | None = None,
    phi: tuple[float, float] | None = None,
    layers: tuple[int, int] | None = None,
    side: int | None = None,
) -> CellTable:
    """Generate a built-in detector, or the piece of it whose cell centres lie in a window.

    Parameters
    ----------
    name
        One of `DETECTORS`.
    eta, phi, layers, side
        See `Window`; rows keep their order, ids and positions are those of the whole detector.

    Raises
    ------
    UsageError
        If there is no such detector, the window is malformed or no cell lies in it.
    """
    return _find(name).make(Window(eta=eta, phi=phi, layers=layers, side=side))


def voxel_map(name: str) -> VoxelMap:
    """Return the arrays in which the showers of a regular detector are published, and their cells.

    Raises
    ------
    UsageError
        If there is no such detector or its cells form no regular arrays.
    """
    voxels = _find(name).voxels
    if voxels is None:
        regular = ", ".join(VOXEL_DETECTORS)
        msg = f"the cells of {name} form no array of voxels; those of these detectors do: {regular}"
        raise UsageError(msg)
    return voxels()


def _find(name: str) -> _Detector:
    if name not in _BUILT_IN:
        msg = f"no built-in detector {name!r}; there are: {', '.join(DETECTORS)}"
        raise UsageError(msg)
    return _BUILT_IN[name]
