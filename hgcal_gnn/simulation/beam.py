"""The particles shot into a calorimeter: kind, energy spectrum, direction, vertex."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# masses [GeV]: Particle Data Group
PDG = {"photon": 22, "electron": 11, "positron": -11, "muon": 13, "antimuon": -13, "pion": 211, "pi+": 211, "pi-": -211}
PDG |= {"pi0": 111, "gamma": 22, "e-": 11, "e+": -11, "mu-": 13, "mu+": -13, "charged-pion": 211, "neutral-pion": 111}
MASS = {22: 0.0, 11: 0.000510999, 13: 0.1056584, 211: 0.1395704, 111: 0.1349768}
KINDS = ("list", "flat", "log-flat")


@dataclass(frozen=True)
class Spectrum:
    """Energies or transverse momenta [GeV].

    Attributes
    ----------
    kind
        "list" (each value equally often; one value: fixed), "flat" or "log-flat" between two limits.
    values
        The list or the two limits.
    quantity
        "energy" (total) or "pt".
    """

    kind: Literal["list", "flat", "log-flat"]
    values: tuple[float, ...]
    quantity: Literal["energy", "pt"] = "energy"

    def __post_init__(self) -> None:
        if not self.values or not all(math.isfinite(value) and value > 0 for value in self.values):
            msg = f"energies must be positive numbers in GeV, got {self.values}"
            raise UsageError(msg)
        if self.kind != "list" and (len(self.values) != 2 or self.values[0] >= self.values[1]):
            msg = f"a {self.kind} spectrum needs a lower and a higher limit, got {self.values}"
            raise UsageError(msg)


def parse_spectrum(text: str, quantity: Literal["energy", "pt"] = "energy") -> Spectrum:
    """Read "50", "5,50,500", "10..100" (flat) or "log:1..1000" (flat in the logarithm), in GeV.

    Raises
    ------
    UsageError
        For anything else.
    """
    kind: Literal["list", "flat", "log-flat"] = "list"
    body, separator = text.strip(), ","
    if ".." in body:
        kind, separator = ("log-flat" if body.startswith("log:") else "flat"), ".."
        body = body.removeprefix("log:")
    try:
        values = tuple(float(part) for part in body.split(separator))
    except ValueError:
        msg = f"{quantity} {text!r} is none of: 50 | 5,50,500 | 10..100 | log:1..1000 (in GeV)"
        raise UsageError(msg) from None
    return Spectrum(kind, values, quantity)


@dataclass(frozen=True)
class Beam:
    """What is shot where.

    Attributes
    ----------
    particle
        A name of `PDG` or one of its numbers.
    spectrum
    eta, phi
        Fixed value or (low, high), drawn evenly. phi in rad.
    direction
        Vector that replaces eta and phi (needed along the z axis, where eta is infinite).
    vertex
        Where the particle starts [cm]: x, y, z.
    vertex_sigma
        Gaussian smearing of it [cm]: x, y, z.
    start_z
        Move the vertex along the line of flight to this z [cm] before smearing: a gun close to the
        calorimeter. None: stay.
    """

    particle: str | int = "photon"
    spectrum: Spectrum = field(default_factory=lambda: Spectrum("list", (50.0,)))
    eta: float | tuple[float, float] = 2.0
    phi: float | tuple[float, float] = (-math.pi, math.pi)
    direction: tuple[float, float, float] | None = None
    vertex: tuple[float, float, float] = (0.0, 0.0, 0.0)
    vertex_sigma: tuple[float, float, float] = (0.0, 0.0, 0.0)
    start_z: float | None = None

    def __post_init__(self) -> None:
        if abs(self.pdg_id) not in MASS:
            msg = f"particle {self.particle!r} cannot be simulated; there are: {', '.join(PDG)}"
            raise UsageError(msg)
        if self.direction is not None and not math.hypot(*self.direction) > 0:
            msg = f"direction must be a vector of some length, got {self.direction}"
            raise UsageError(msg)
        lightest = min(self.spectrum.values)
        if self.spectrum.quantity == "energy" and lightest <= self.mass:
            msg = f"the total energy of {self.particle} must exceed its mass of {self.mass} GeV, got {lightest}"
            raise UsageError(msg)
        for low, high in (_limits(self.eta), _limits(self.phi)):
            if not (math.isfinite(low) and math.isfinite(high)) or low > high:
                msg = f"eta and phi must be a number or two limits in order, got {low}, {high}"
                raise UsageError(msg)
        if min(self.vertex_sigma) < 0:
            msg = f"the smearing of the vertex must not be negative, got {self.vertex_sigma}"
            raise UsageError(msg)

    @property
    def pdg_id(self) -> int:
        """Number of the particle in the scheme of the Particle Data Group."""
        if isinstance(self.particle, int):
            return self.particle
        return PDG.get(self.particle, 0)

    @property
    def mass(self) -> float:
        """Mass [GeV]."""
        return MASS[abs(self.pdg_id)]

    def settings(self) -> BeamSettings:
        """Return the beam as the kernels read it."""
        direction = np.zeros(3) if self.direction is None else np.array(self.direction) / math.hypot(*self.direction)
        return BeamSettings(
            pdg_id=self.pdg_id,
            mass=self.mass,
            kind=KINDS.index(self.spectrum.kind),
            values=np.array(self.spectrum.values),
            is_pt=self.spectrum.quantity == "pt",
            eta=np.array(_limits(self.eta)),
            phi=np.array(_limits(self.phi)),
            direction=direction,
            vertex=np.array(self.vertex, dtype=np.float64),
            sigma=np.array(self.vertex_sigma, dtype=np.float64),
            start_z=math.nan if self.start_z is None else float(self.start_z),
        )


class BeamSettings(NamedTuple):
    """`Beam` as plain numbers and arrays; `direction` is 0 where eta and phi are to be drawn."""

    pdg_id: int
    mass: float
    kind: int
    values: NDArray[np.float64]
    is_pt: bool
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    direction: NDArray[np.float64]
    vertex: NDArray[np.float64]
    sigma: NDArray[np.float64]
    start_z: float


def _limits(value: float | Sequence[float]) -> tuple[float, float]:
    """Return (low, high) of a fixed value or a range."""
    if isinstance(value, int | float):
        return float(value), float(value)
    low, high = value
    return float(low), float(high)
