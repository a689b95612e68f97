"""Built-in detectors: generator code and one YAML file of published numbers each."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors.hgcal import make_hgcal
from hgcal_gnn.geometry.detectors.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.geometry.cells import CellTable


class _Detector(NamedTuple):
    description: str
    make: Callable[[Window], CellTable]


_BUILT_IN = {
    "hgcal": _Detector("CMS HGCAL: two endcaps, 47 layers, silicon wafers and scintillator tiles", make_hgcal),
}
DETECTORS = MappingProxyType({name: detector.description for name, detector in _BUILT_IN.items()})


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
    if name not in _BUILT_IN:
        msg = f"no built-in detector {name!r}; there are: {', '.join(DETECTORS)}"
        raise UsageError(msg)
    return _BUILT_IN[name].make(Window(eta=eta, phi=phi, layers=layers, side=side))
