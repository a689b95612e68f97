"""A comparison of trained regressors as JSON, as a table for machines (CSV) and as one for people (Markdown)."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.compare_methods import Comparison, compare_methods
from hgcal_gnn.evaluation.published import PublishedFit, PublishedPoints, published_fits, published_points
from hgcal_gnn.evaluation.response_fit import ResolutionFit, fit_resolution
from hgcal_gnn.evaluation.run_folders import Run, check_same_showers, group_runs
from hgcal_gnn.evaluation.text import UNKNOWN, duration, markdown_table, with_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hgcal_gnn.evaluation.energy_bins import EnergyBins

PARAMETERS, SECONDS, HARDWARE = "n_parameters", "seconds", "hardware"  # of metrics.json
LARGE_BIAS = 0.05  # from which a resolution is no longer one at the true energy
MANY = 4  # methods that fit beside each other


@dataclass(frozen=True, eq=False)
class ComparisonReport:
    """Methods compared on one test sample, with their fits and what others published.

    Attributes
    ----------
    groups
        Name of a method -> its runs, one per seed.
    comparison : Comparison
    fits
        Name of a method -> fit of its resolution; methods with fewer than two energies have none.
    published
        Numbers of the same particle to stand beside.
    """

    groups: Mapping[str, Sequence[Run]]
    comparison: Comparison
    fits: Mapping[str, ResolutionFit]
    published: Sequence[PublishedPoints | PublishedFit] = ()

    def warnings(self) -> list[str]:
        """Say which showers were left out, and how far errors over seeds are known."""
        found = []
        for name, table in self.comparison.tables.items():
            found += [f"{name}: {warning}" for warning in table.dropped.warnings()]
            worst = float(np.nanmax(np.abs(table.bias.value), initial=0.0))
            if worst > LARGE_BIAS:
                found.append(
                    f"{name}: bias of up to {100 * worst:.0f} %; predictions drawn to the mean look too narrow"
                )
        single = [name for name, runs in self.groups.items() if len(runs) == 1]
        if single and len(single) < len(self.groups):
            found.append(f"one seed only of {', '.join(single)}: their errors hold the drawn showers alone")
        found += [f"{name}: {fit.note}" for name, fit in self.fits.items() if fit.note]
        return found

    def to_json(self) -> dict[str, Any]:
        """Return `showers`, `baseline`, `methods` (see `Comparison.to_json`, with `runs` and `fit`), `published`."""
        content = self.comparison.to_json()
        for name, method in content["methods"].items():
            method["runs"] = [_described(run) for run in self.groups[name]]
            method["fit"] = self.fits[name].to_json() if name in self.fits else None
        showers = int(self.comparison.tables[self.comparison.baseline].n.sum())
        return {"showers": showers, **content, "published": [asdict(entry) for entry in self.published]}

    def to_csv(self) -> str:
        """Return a table with a row per method and energy bin; its columns are the keys of the JSON bins."""
        methods = self.comparison.to_json()["methods"]
        rows = [
            {"method": name, "seeds": method["seeds"], **row}
            for name, method in methods.items()
            for row in method["bins"]
        ]
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def to_markdown(self) -> str:
        """Return tables for people: methods, resolution, ratio, bias, fits, what others published."""
        baseline = self.comparison.baseline
        parts = [
            ("Methods", self._methods()),
            ("Resolution σ₆₈ / median [%]", self._resolutions()),
            (f"Resolution over that of {baseline} (standard errors better)", self._ratios()),
            ("Bias: median of predicted / true - 1 [%]", self._biases()),
            ("Fit of the resolution: a/√E ⊕ b/E ⊕ c", self._fits()),
        ]
        if len(self.groups) == 1:
            del parts[2]
        text = "".join(f"## {title}\n\n{table}\n\n" for title, table in parts)
        notes = [f"- {warning}" for warning in self.warnings()]
        notes += [f"- {source}" for source in dict.fromkeys(f"{one.name}: {one.source}" for one in self.published)]
        return f"# Comparison\n\n{text}" + ("\n".join(notes) + "\n" if notes else "")

    def _methods(self) -> str:
        rows = []
        for name in self.comparison.tables:
            runs = self.groups[name]
            seconds = [run.metrics[SECONDS] for run in runs if isinstance(run.metrics.get(SECONDS), int | float)]
            parameters = runs[0].metrics.get(PARAMETERS)
            hardware = dict.fromkeys(_hardware(run) for run in runs)
            rows.append([
                name, str(len(runs)), UNKNOWN if parameters is None else f"{parameters:,}",
                duration(sum(seconds) / len(seconds)) if seconds else UNKNOWN, "; ".join(hardware),
            ])  # fmt: skip
        return markdown_table(["method", "seeds", "parameters", "training", "hardware"], rows)

    def _resolutions(self) -> str:
        bins, tables = self.comparison.bins, self.comparison.tables
        points = [entry for entry in self.published if isinstance(entry, PublishedPoints)]
        rows = [
            [
                label, str(int(tables[self.comparison.baseline].n[k])),
                *(with_error(100 * t.resolution.value[k], 100 * t.resolution.error[k]) for t in tables.values()),
                *(_in_bin(entry, bins, k) for entry in points),
            ]
            for k, label in enumerate(bins.labels())
        ]  # fmt: skip
        return self._by_energy(["showers", *tables, *(entry.name for entry in points)], rows)

    def _ratios(self) -> str:
        ratios = self.comparison.ratios
        others = [name for name in ratios if name != self.comparison.baseline]
        rows = [
            [label, *(_ratio(ratios[n].value[k], ratios[n].error[k], ratios[n].significance[k]) for n in others)]
            for k, label in enumerate(self.comparison.bins.labels())
        ]
        overall = [_ratio(ratios[n].overall, ratios[n].overall_error, ratios[n].overall_significance) for n in others]
        return self._by_energy(others, [*rows, ["geometric mean", *overall]])

    def _biases(self) -> str:
        tables = self.comparison.tables
        rows = [
            [label, *(with_error(100 * table.bias.value[k], 100 * table.bias.error[k]) for table in tables.values())]
            for k, label in enumerate(self.comparison.bins.labels())
        ]
        return self._by_energy(list(tables), rows)

    def _by_energy(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Write a table with a row per energy, or, where there are many methods, with a column per energy."""
        table = [["true energy", *names], *rows]
        if len(self.groups) > MANY:
            table = [list(column) for column in zip(*table, strict=True)]
        return markdown_table(table[0], table[1:])

    def _fits(self) -> str:
        rows = [
            [name, *(_term(fit, k, factor) for k, factor in enumerate((100, 1, 100))), f"{fit.chi2:.1f} / {fit.ndf}"]
            for name, fit in self.fits.items()
        ]
        rows += [
            [f"{fit.name} (published)", f"{100 * fit.a:.4g}", UNKNOWN, f"{100 * fit.c:.3g}", UNKNOWN]
            for fit in self.published
            if isinstance(fit, PublishedFit)
        ]
        return markdown_table(["method", "a [% √GeV]", "b [GeV]", "c [%]", "χ² / ndf"], rows)


def compare_runs(
    runs: Sequence[Run],
    choose_bins: Callable[[Any], EnergyBins],
    *,
    baseline: str | None = None,
    pdg_id: int = 0,
) -> ComparisonReport:
    """Compare finished runs that were tested on the same showers.

    Parameters
    ----------
    runs
        From `read_run`.
    choose_bins
        True energies [GeV] -> bins.
    baseline
        Name of the method to compare with; by default that of the first run.
    pdg_id
        Particle whose published numbers stand beside; 0: none.

    Raises
    ------
    InputError, UsageError
        See `check_same_showers`, `group_runs`, `compare_methods`.
    """
    check_same_showers(runs)
    groups = group_runs(runs)
    truth = runs[0].truth
    predictions = {name: [run.prediction for run in members] for name, members in groups.items()}
    comparison = compare_methods(truth, predictions, baseline=baseline, bins=choose_bins(truth))
    published: list[PublishedPoints | PublishedFit] = [*published_points(pdg_id), *published_fits(pdg_id)]
    return ComparisonReport(groups, comparison, fit_tables(comparison), published)


def fit_tables(comparison: Comparison) -> dict[str, ResolutionFit]:
    """Fit the resolution of each method, where there are enough energies."""
    fits = {}
    for name, table in comparison.tables.items():
        try:
            fits[name] = fit_resolution(table.energy, table.resolution.value, table.resolution.error)
        except InputError:
            continue
    return fits


def _described(run: Run) -> dict[str, Any]:
    metrics = {key: run.metrics.get(key) for key in (PARAMETERS, SECONDS, HARDWARE)}
    return {"folder": str(run.folder), "seed": run.config.get("seed"), **metrics}


def _hardware(run: Run) -> str:
    hardware = run.metrics.get(HARDWARE)
    if isinstance(hardware, dict):
        return ", ".join(str(value) for value in hardware.values())
    return UNKNOWN if hardware is None else str(hardware)


def _in_bin(entry: PublishedPoints, bins: EnergyBins, k: int) -> str:
    """Write the published resolution at the energy of a bin, if it was measured within 2 % of that energy."""
    if bins.beams is None:
        return UNKNOWN
    near = int(np.argmin(np.abs(np.array(entry.energy) - bins.beams[k])))
    return (
        f"{100 * entry.resolution[near]:.3g}" if np.isclose(entry.energy[near], bins.beams[k], rtol=0.02) else UNKNOWN
    )


def _ratio(value: float, error: float, significance: float) -> str:
    text = with_error(value, error)
    return f"{text} ({significance:+.1f})" if np.isfinite(significance) else text


def _term(fit: ResolutionFit, k: int, factor: float) -> str:
    if np.isfinite(fit.limit[k]):
        return f"< {factor * fit.limit[k]:.2g}"
    return with_error(factor * fit.value[k], factor * fit.error[k]) if np.isfinite(fit.error[k]) else UNKNOWN
