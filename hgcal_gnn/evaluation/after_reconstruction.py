"""Generated against reference showers after the same digitisation, noise and clustering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import ks_2samp

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.evaluation.bootstrap import REPLICAS
from hgcal_gnn.evaluation.clustering import THRESHOLDS
from hgcal_gnn.evaluation.energy_bins import energy_bins
from hgcal_gnn.evaluation.reconstructed import ENERGIES, MIN_CELLS, UNITS, Reconstructed, reconstruct
from hgcal_gnn.evaluation.resolution import Measured, known, measure_resolution
from hgcal_gnn.showers.hits import Digitiser
from hgcal_gnn.showers.sensors import Sensor, sensor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hgcal_gnn.arrays import F32, F64, I64
    from hgcal_gnn.evaluation.energy_bins import EnergyBins
    from hgcal_gnn.evaluation.resolution import ResolutionTable
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.showers.store import ShowerStore

UNLIKELY = 1e-4  # probability of such different energies by chance (Kolmogorov-Smirnov) from which to warn


@dataclass(frozen=True, eq=False)
class EnergyAgreement:
    """One kind of energy in both samples, in bins of incident energy.

    Attributes
    ----------
    reference, generated : ResolutionTable
        Linearity, bias and resolution of each.
    response, resolution : Measured
        Ratios generated / reference of the median response and of the relative resolution, float64 [n_bins]; their
        errors take the samples as independent.
    """

    reference: ResolutionTable
    generated: ResolutionTable
    response: Measured
    resolution: Measured

    @classmethod
    def of(cls, reference: ResolutionTable, generated: ResolutionTable) -> EnergyAgreement:
        """Form the ratios."""
        responses = [Measured(1 + table.bias.value, table.bias.error) for table in (generated, reference)]
        resolutions = (generated.resolution, reference.resolution)
        return cls(reference, generated, _ratio(*responses), _ratio(*resolutions))

    def to_json(self) -> dict[str, Any]:
        """Return `reference`, `generated` (`ResolutionTable.to_json`) and the ratios per bin with errors."""
        ratios = {"response_ratio": self.response, "resolution_ratio": self.resolution}
        return {
            "reference": self.reference.to_json(),
            "generated": self.generated.to_json(),
            **{name: _listed(values) for name, values in ratios.items()},
        }


@dataclass(frozen=True, eq=False)
class AfterReconstruction:
    """Both samples after reconstruction, and how they agree.

    Attributes
    ----------
    bins : EnergyBins
        Of incident energy.
    reference, generated : Reconstructed
        The columns themselves, for histograms and distances.
    energies
        By name: "clustered_energy", "leading_energy", and "regressed_energy" with a regressor.
    means
        Mean in the reference and in the generated sample of all other columns, each per bin, by name.
    unavailable
        By name: why a column says nothing.
    warnings
        What a reader should know before the numbers: bins in which the incident energies differ.
    conditions
        Thresholds, noise and seed, for the report.
    """

    bins: EnergyBins
    reference: Reconstructed
    generated: Reconstructed
    energies: Mapping[str, EnergyAgreement]
    means: Mapping[str, tuple[Measured, Measured]]
    unavailable: Mapping[str, str]
    warnings: Sequence[str]
    conditions: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return numbers under stable names.

        `conditions` {thresholds, min_cells, threshold_mip, noise, noise_in_empty_cells, seed}, `bins` (edges [GeV]),
        `energies` {name: EnergyAgreement.to_json}, `means` {name: {unit, reference, generated}}, both
        {value, error} per bin, `unavailable` {name: reason}, `warnings` (texts).
        """
        return {
            "conditions": dict(self.conditions),
            "bins": self.bins.edges.tolist(),
            "energies": {name: agreement.to_json() for name, agreement in self.energies.items()},
            "means": {
                name: {"unit": UNITS[name], "reference": _listed(one), "generated": _listed(two)}
                for name, (one, two) in self.means.items()
            },
            "unavailable": dict(self.unavailable),
            "warnings": list(self.warnings),
        }


def after_reconstruction(
    reference: Showers | ShowerStore,
    generated: Showers | ShowerStore,
    graph: CellGraph,
    numbers: CellNumbers,
    regressor: Callable[[Showers], F32] | None = None,
    *,
    digitiser: Digitiser | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    min_cells: int = MIN_CELLS,
    bins: EnergyBins | None = None,
    seed: int = 0,
    replicas: int = REPLICAS,
    progress: Callable[[int], Any] | None = None,
) -> AfterReconstruction:
    """Digitise, cluster and, if asked, regress both samples in the same way, and compare.

    Both use the same random numbers chunk by chunk, so that a sample compared to itself agrees exactly.

    Parameters
    ----------
    reference, generated
        Raw deposits in the same cells.
    graph, numbers
        The cells, their neighbours and calibration.
    regressor
        Frozen; sees the raw deposits.
    digitiser
        Default: that of the CMS HGCAL, noise on, hits from 0.5 MIP on, no noise in empty cells. For other
        detectors: `uniform_digitiser`.
    thresholds, min_cells
        Of `topological_clusters`.
    bins
        Default: `energy_bins` of the reference.
    seed, replicas
        Of the noise and the bootstrap; number of bootstrap replicas.
    progress
        Called with the number of showers done, of both samples together.

    Raises
    ------
    InputError
        If a sample is empty or its incident energies are not known, or the detector needs a digitiser of its own.
    GeometryMismatchError
        If a sample was made with another geometry.
    """
    for name, sample in (("reference", reference), ("generated", generated)):
        sample.metadata.check_geometry(graph.cells_sha256, source=f"{name} sample")
        if not len(sample):
            msg = f"the {name} sample has no showers"
            raise InputError(msg)
    digitiser = digitiser or Digitiser(sensor=sensor_of(graph.cells))
    options: dict[str, Any] = {
        "thresholds": thresholds, "min_cells": min_cells, "regressor": regressor, "seed": seed,
    }  # fmt: skip
    told = progress or (lambda _: None)
    one = reconstruct(reference, graph, numbers, digitiser, progress=told, **options)
    two = reconstruct(
        generated, graph, numbers, digitiser, progress=lambda done: told(len(reference) + done), **options
    )  # fmt: skip
    bins = bins or energy_bins(one.incident_energy)
    energies, means, unavailable = _compared(one, two, bins, replicas=replicas, seed=seed)
    conditions = {
        "thresholds": [float(limit) for limit in thresholds],
        "min_cells": min_cells,
        "threshold_mip": digitiser.threshold,
        "noise": digitiser.noise,
        "noise_in_empty_cells": digitiser.noise_hits,
        "seed": seed,
    }
    return AfterReconstruction(bins, one, two, energies, means, unavailable, _warnings(one, two, bins), conditions)


def uniform_digitiser(numbers: CellNumbers, noise: float, *, threshold: float, noise_hits: bool = False) -> Digitiser:
    """Return a digitiser for any detector: the same noise and threshold [E_MIP] in all cells.

    Raises
    ------
    UsageError
        If the noise is not positive.
    """
    if not noise > 0:
        msg = f"noise of {noise} MIP: give one above 0"
        raise UsageError(msg)
    kinds, sensor = np.unique(numbers.mip, return_inverse=True)
    unused = {"adc_step": 1.0, "tot_onset": np.inf, "tot_step": 1.0, "largest": np.inf}
    sensors = [Sensor(f"{mip * 1e3:.3g} MeV per MIP", mip, noise, **unused) for mip in kinds.tolist()]
    return Digitiser(sensor=sensor.astype(np.uint8), sensors=sensors, threshold=threshold, noise_hits=noise_hits)


def _compared(
    reference: Reconstructed, generated: Reconstructed, bins: EnergyBins, *, replicas: int, seed: int
) -> tuple[dict[str, EnergyAgreement], dict[str, tuple[Measured, Measured]], dict[str, str]]:
    """Compare column by column; what cannot be measured is left out with its reason."""
    energies: dict[str, EnergyAgreement] = {}
    means: dict[str, tuple[Measured, Measured]] = {}
    unavailable: dict[str, str] = {}
    for name in (name for name in UNITS if name in reference.columns):
        pair = reference, generated
        empty = [not np.isfinite(sample.columns[name]).any() for sample in pair]
        if any(empty):
            which = " and ".join(label for label, none in zip(("reference", "generated"), empty, strict=True) if none)
            unavailable[name] = f"known for no shower of the {which} sample"
        elif name in ENERGIES:
            tables = [
                measure_resolution(
                    sample.incident_energy, sample.columns[name], bins, replicas=replicas, seed=seed + number
                )
                for number, sample in enumerate(pair)
            ]
            energies[name] = EnergyAgreement.of(*tables)
        else:
            one, two = (binned_mean(sample.columns[name], bins.assign(sample.incident_energy), len(bins))
                        for sample in pair)  # fmt: skip
            means[name] = one, two
    return energies, means, unavailable


def _warnings(reference: Reconstructed, generated: Reconstructed, bins: EnergyBins) -> list[str]:
    """Tell bins in which the samples were shot with other energies: what depends on energy then differs as well."""
    energies = [sample.incident_energy for sample in (reference, generated)]
    places = [bins.assign(energy) for energy in energies]
    differing = []
    for number, label in enumerate(bins.labels()):  # tens at most
        one, two = (energy[place == number] for energy, place in zip(energies, places, strict=True))
        if len(one) and len(two) and ks_2samp(one, two, method="asymp").pvalue < UNLIKELY:
            differing.append(label)
    if not differing:
        return []
    text = (
        f"the incident energies of the samples differ within {', '.join(differing)}: means there are those of other "
        "showers, and even ratios to the incident energy are affected; compare samples of one spectrum, or give bins "
        "so narrow that it does not matter"
    )
    return [text]


def binned_mean(values: F64, place: I64, n_bins: int) -> Measured:
    """Return mean and its standard error in each bin, float64 [n_bins]; NaN values and bins -1 are left out."""
    use = np.isfinite(values) & (place >= 0)
    values, place = values[use], place[use]
    n = np.bincount(place, minlength=n_bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(place, values, minlength=n_bins) / n
        spread = np.bincount(place, (values - mean[place]) ** 2, minlength=n_bins) / (n - 1)
        return Measured(mean, np.where(n > 1, np.sqrt(spread / n), np.nan))


def _ratio(above: Measured, below: Measured) -> Measured:
    """Divide independent numbers."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = above.value / below.value
        return Measured(value, np.abs(value) * np.hypot(above.error / above.value, below.error / below.value))


def _listed(measured: Measured) -> list[dict[str, float | None]]:
    pairs = zip(measured.value.tolist(), measured.error.tolist(), strict=True)
    return [{"value": known(value), "error": known(error)} for value, error in pairs]
