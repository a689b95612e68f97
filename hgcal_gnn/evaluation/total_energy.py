"""The selection metric of CaloShowerGAN: chi2/ndf of histograms of the total energy over the incident energies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.energy_bins import energy_bins
from hgcal_gnn.evaluation.histograms import chi2_terms
from hgcal_gnn.evaluation.resampling import FEWEST, REPLICAS, dealt, quadratic, redrawn

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, I64
    from hgcal_gnn.evaluation.resampling import Counts

EDGES = 30
NAME = "total_energy_chi2"
NEAR, FAR = 2.0, 10.0  # reach of the range in distances of the 5 % and of the 16 % quantile from the median


def total_energy_chi2(
    reference: ArrayLike,
    generated: ArrayLike,
    reference_energy: ArrayLike,
    generated_energy: ArrayLike,
    *,
    replicas: int = REPLICAS,
    seed: int = 0,
) -> Distance:
    """Measure chi2/ndf of the histograms of the total energy, summed over the incident energies.

    As the code of CaloShowerGAN (arXiv:2309.06515; chnzhangrui/funcXtraining, training/evaluate.py) does for each
    incident energy: 29 bins (28 degrees of freedom, less the bins empty in both) about the median of the reference,
    values beyond put into the outermost bins. 1 within chance for equal samples.

    Parameters
    ----------
    reference : float [n]
        Total energy of the showers in the calorimeter; the unit does not matter.
    generated : float [m]
    reference_energy : float [n]
        Incident energies [GeV]. Where they are not a few beams, in bins of them (see `energy_bins`) with the total
        energy divided by the incident one.
    generated_energy : float [m]

    Raises
    ------
    InputError
        If a sample has not one incident energy per shower.
    """
    usable = [_columns(reference, reference_energy), _columns(generated, generated_energy)]
    if not len(usable[0][1]):
        return Distance.not_available(NAME, "no reference shower with an incident energy and a finite total energy")
    bins = energy_bins(usable[0][1])
    ratio = [total if bins.beams is not None else total / energy for total, energy in usable]
    places = [bins.assign(energy) for _, energy in usable]
    counts = []
    for number in range(len(bins)):  # 20 at most
        ours, theirs = (values[place == number] for values, place in zip(ratio, places, strict=True))
        if min(len(ours), len(theirs)) >= FEWEST:
            edges = total_energy_edges(ours)
            counts.append((_clipped(ours, edges), _clipped(theirs, edges)))
    if not counts:
        return Distance.not_available(NAME, f"no incident energy with {FEWEST} showers of both samples")
    return _summed(counts, replicas, np.random.default_rng(seed))


def total_energy_edges(reference: F64) -> F64:
    """Return the 30 edges of one incident energy, float64 [30].

    On either side of the median the nearest of: the outermost value, 2 times the distance of the 5 % quantile, 10
    times that of the 16 % quantile of the upper side (for both sides, as there); half a bin of 30 is then cut off
    either end.
    """
    middle = float(np.median(reference))
    upper_16 = FAR * abs(float(np.quantile(reference, 0.84)) - middle)
    reach = [
        min(abs(float(end) - middle), NEAR * abs(float(np.quantile(reference, share)) - middle), upper_16)
        for end, share in ((reference.min(), 0.05), (reference.max(), 0.95))
    ]
    low, high = middle - reach[0], middle + reach[1]
    if not high > low:
        low, high = middle - max(abs(middle), 1.0) * 1e-6, middle + max(abs(middle), 1.0) * 1e-6
    half = (high - low) / EDGES / 2
    return np.linspace(low + half, high - half, EDGES)


def _clipped(values: F64, edges: F64) -> I64:
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].astype(np.int64)


def _summed(counts: list[tuple[I64, I64]], replicas: int, rng: np.random.Generator) -> Distance:
    """Sum chi2 and degrees of freedom over the incident energies, of the samples and of all replicas."""

    def total(pairs: list[tuple[Counts, Counts]]) -> F64:
        terms = [chi2_terms(ours, theirs) for ours, theirs in pairs]
        chi2 = np.sum([chi2 for chi2, _ in terms], axis=0)
        return np.asarray(chi2 / np.maximum(np.sum([ndf for _, ndf in terms], axis=0), 1))

    chance = total([dealt(ours, theirs, replicas, rng) for ours, theirs in counts])
    drawn = total([(redrawn(ours, replicas, rng), redrawn(theirs, replicas, rng)) for ours, theirs in counts])
    error, floor_error = quadratic(drawn, chance)
    return Distance(NAME, float(total(list(counts))), error, float(chance.mean()), floor_error)


def _columns(total: ArrayLike, energy: ArrayLike) -> tuple[F64, F64]:
    """Return total and incident energies of the showers that have both."""
    values, incident = np.asarray(total, np.float64), np.asarray(energy, np.float64)
    if values.shape != incident.shape or values.ndim != 1:
        msg = f"one incident energy per shower is needed, got {list(values.shape)} and {list(incident.shape)}"
        raise InputError(msg)
    fine = np.isfinite(values) & np.isfinite(incident) & (incident > 0)
    return values[fine], incident[fine]
