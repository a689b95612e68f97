"""Cut a piece out of a detector: cells whose centre lies in a window of eta, phi, layers and side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

TURN = 2 * math.pi


@dataclass(frozen=True)
class Window:
    """A piece of a detector; None leaves a direction open.

    Attributes
    ----------
    eta
        Lowest and highest pseudorapidity of a centre seen from the origin, with its sign.
    phi
        First and last azimuth [rad], going counter-clockwise: (3, -3) passes through pi. A span of 2 pi or
        more is the whole circle.
    layers
        First and last layer, both included.
    side
        +1 or -1.

    Raises
    ------
    UsageError
        If limits are not finite numbers, in the wrong order, on the other side, or side is not +1 or -1.
    """

    eta: tuple[float, float] | None = None
    phi: tuple[float, float] | None = None
    layers: tuple[int, int] | None = None
    side: int | None = None

    def __post_init__(self) -> None:
        for name in ("eta", "phi", "layers"):
            limits = getattr(self, name)
            if limits is not None and not (len(limits) == 2 and all(math.isfinite(value) for value in limits)):
                msg = f"{name} must be two numbers, lowest and highest, got {limits}"
                raise UsageError(msg)
        for name in ("eta", "layers"):
            limits = getattr(self, name)
            if limits is not None and limits[0] > limits[1]:
                msg = f"{name} must be (lowest, highest), got {limits}"
                raise UsageError(msg)
        if self.phi is not None and self.phi[0] == self.phi[1]:
            msg = f"phi must span an angle, got {self.phi}"
            raise UsageError(msg)
        if self.side not in (None, -1, 1):
            msg = f"side must be +1 or -1, got {self.side}"
            raise UsageError(msg)
        if self.side is not None and self.eta is not None and max(self.side * limit for limit in self.eta) < 0:
            msg = f"eta {self.eta} lies on side {-self.side:+d}, not on {self.side:+d}: eta has the sign of z"
            raise UsageError(msg)

    @property
    def span(self) -> float:
        """Opening of the phi window [rad]; 2 pi if it is open."""
        if self.phi is None or self.phi[1] - self.phi[0] >= TURN:
            return TURN
        return (self.phi[1] - self.phi[0]) % TURN

    def layer_numbers(self, n_layers: int) -> range:
        """Return the layers of the window among 1..`n_layers`.

        Raises
        ------
        UsageError
            If the window names layers the detector does not have.
        """
        first, last = self.layers or (1, n_layers)
        if first < 1 or last > n_layers:
            msg = f"layers must lie in 1..{n_layers}, got {first}..{last}"
            raise UsageError(msg)
        return range(first, last + 1)

    def sides(self, existing: tuple[int, ...]) -> tuple[int, ...]:
        """Return the z sides of the window among those the detector has.

        Raises
        ------
        UsageError
            If the detector has no such side.
        """
        if self.side is None:
            return existing
        if self.side not in existing:
            msg = f"the detector has no side {self.side:+d} (it has {', '.join(map(str, existing))})"
            raise UsageError(msg)
        return (self.side,)

    def holds(
        self, x: NDArray[np.floating], y: NDArray[np.floating], z: NDArray[np.floating] | float
    ) -> NDArray[np.bool_] | None:
        """Mark the centres (x, y, z) [cm] inside the window of eta and phi, [n]; None if it is open."""
        inside = None
        if self.eta is not None:
            eta = np.arcsinh(np.asarray(z, np.float64) / np.maximum(np.hypot(x, y, dtype=np.float64), 1e-9))
            inside = (eta >= self.eta[0]) & (eta <= self.eta[1])
        if self.phi is not None and self.span < TURN:
            turned = np.mod(np.arctan2(y, x, dtype=np.float64) - self.phi[0], TURN)
            in_phi = turned <= self.span
            inside = in_phi if inside is None else inside & in_phi
        return inside

    def may_hold(
        self, x: NDArray[np.floating], y: NDArray[np.floating], z: float, reach: float
    ) -> NDArray[np.bool_] | None:
        """Mark the points around which a centre within `reach` [cm] could lie inside, [n]; None if open.

        Used to skip whole modules before their cells are made.
        """
        if self.holds(x[:0], y[:0], z) is None:
            return None
        r = np.hypot(x, y, dtype=np.float64)
        possible = np.ones(len(r), dtype=bool)
        if self.eta is not None:
            eta_far = np.arcsinh(z / (r + reach))
            eta_near = np.arcsinh(z / np.maximum(r - reach, 1e-9))
            low, high = np.minimum(eta_far, eta_near), np.maximum(eta_far, eta_near)
            possible &= (low <= self.eta[1]) & (high >= self.eta[0])
        if self.phi is not None and self.span < TURN:
            half = np.arcsin(np.minimum(reach / np.maximum(r, 1e-9), 1.0))
            half[r <= reach] = math.pi
            turned = np.mod(np.arctan2(y, x, dtype=np.float64) - self.phi[0] + half, TURN)
            possible &= (turned <= self.span + 2 * half) | (half >= math.pi / 2)
        return possible


def cut(table: CellTable, window: Window) -> CellTable:
    """Return the cells of a table inside a window.

    Raises
    ------
    UsageError
        If the table has no such layers or sides, or no cell lies in the window.
    """
    if window == Window():
        return table
    layers = window.layer_numbers(int(table.layer.max()))
    sides = window.sides(tuple(np.unique(table.z_side).tolist()))
    inside = (table.layer >= layers.start) & (table.layer < layers.stop) & np.isin(table.z_side, sides)
    in_angle = window.holds(table.x, table.y, table.z)
    if in_angle is not None:
        inside &= in_angle
    if not inside.any():
        msg = f"no cell of {table.detector} lies in the window ({window})"
        raise UsageError(msg)
    return table.select(inside)
