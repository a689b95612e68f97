"""Bins of true energy, in which a regressor is judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from hgcal_gnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, I64

MOST_BEAMS = 20  # so many different energies still count as beams of one energy each
SHOWERS_PER_BEAM = 10  # fewer on average, and the energies differ by chance
MOST_BINS = 10
SHOWERS_PER_BIN = 500  # wanted on average
FEWEST = 200  # a bin with fewer is joined to its neighbour
LOGARITHMIC = 4.0  # largest over smallest energy from which bins are equally wide in ln E


@dataclass(frozen=True, eq=False)
class EnergyBins:
    """Bins of true energy.

    Attributes
    ----------
    edges : float64 [n_bins + 1]
        Ascending [GeV]; the last bin holds its upper edge.
    beams : float64 [n_bins] or None
        The energies [GeV], where every bin holds showers of one energy.
    """

    edges: F64
    beams: F64 | None = None

    def __len__(self) -> int:
        return len(self.edges) - 1

    def assign(self, energy: ArrayLike) -> I64:
        """Return the bin of each energy [GeV], int64 [n]; -1 for those outside and for NaN."""
        values = np.asarray(energy, np.float64)
        place = np.searchsorted(self.edges, values, side="right") - 1
        place[values == self.edges[-1]] = len(self) - 1
        place[~((values >= self.edges[0]) & (values <= self.edges[-1]))] = -1
        return place

    def labels(self) -> list[str]:
        """Name the bins: '50 GeV' or '20-50 GeV'."""
        if self.beams is not None:
            return [f"{energy:.4g} GeV" for energy in self.beams]
        return [f"{low:.4g}-{high:.4g} GeV" for low, high in zip(self.edges[:-1], self.edges[1:], strict=True)]


def energy_bins(truth: ArrayLike, edges: Sequence[float] | Literal["auto"] = "auto") -> EnergyBins:
    """Choose bins of true energy.

    Parameters
    ----------
    truth : [n_showers]
        True energies [GeV]; those that are not finite and positive are left out of account.
    edges
        Edges [GeV]; or "auto": one bin per beam energy if the sample has few different ones, otherwise up to 10 bins
        equally wide in ln E (in E, where the energies span less than a factor 4), joined until each has 200 showers.

    Raises
    ------
    UsageError
        If the edges are fewer than two, not ascending, negative or not finite.
    InputError
        If no energy is finite and positive.
    """
    if not isinstance(edges, str):
        return _given(edges)
    energy = np.asarray(truth, np.float64)
    energy = energy[np.isfinite(energy) & (energy > 0)]
    if not len(energy):
        msg = "no shower has a true energy that is finite and above 0; there is nothing to judge a prediction by"
        raise InputError(msg)
    beams = np.unique(energy)
    if len(beams) == 1 or (len(beams) <= MOST_BEAMS and len(energy) >= SHOWERS_PER_BEAM * len(beams)):
        return _of_beams(beams)
    return EnergyBins(_spread(energy))


def _given(edges: Sequence[float]) -> EnergyBins:
    values = np.asarray(edges, np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or values[0] < 0 or (np.diff(values) <= 0).any():
        msg = f"edges of energy bins {list(edges)}: give two or more ascending energies in GeV, such as 10, 20, 50"
        raise UsageError(msg)
    return EnergyBins(values)


def _of_beams(beams: F64) -> EnergyBins:
    """Put the edges half way between the beams in ln E."""
    if len(beams) == 1:
        return EnergyBins(beams[0] * np.array([0.9, 1.1]), beams)
    between = np.sqrt(beams[1:] * beams[:-1])
    ends = beams[[0]] ** 2 / between[0], beams[[-1]] ** 2 / between[-1]
    return EnergyBins(np.concatenate([ends[0], between, ends[1]]), beams)


def _spread(energy: F64) -> F64:
    """Return edges over all energies: round numbers, at least `FEWEST` showers in each bin where there are as many."""
    least, most = float(energy.min()), float(energy.max())
    low, high = min(least, _round(least, math.floor)), max(most, _round(most, math.ceil))  # rounding may miss by a bit
    number = int(np.clip(len(energy) // SHOWERS_PER_BIN, 1, MOST_BINS))
    inner = (np.geomspace if high > LOGARITHMIC * low else np.linspace)(low, high, number + 1)[1:-1]
    kept = [low]
    for edge in np.unique([_round(float(edge), round) for edge in inner]):  # ten at most
        if ((energy >= kept[-1]) & (energy < edge)).sum() >= FEWEST and (energy >= edge).sum() >= FEWEST:
            kept.append(edge)
    return np.array([*kept, high])


def _round(energy: float, rounding: Callable[[float], float]) -> float:
    """Round to two digits, up, down or to the nearest."""
    unit = 10.0 ** (math.floor(math.log10(energy)) - 1)
    return float(f"{rounding(round(energy / unit, 6)) * unit:.6g}")
