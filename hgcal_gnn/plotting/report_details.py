"""Figures of a report about classifiers, bins of a condition, reconstruction and what a referee asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.reconstructed import UNITS
from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.condition_parts import eta_of
from hgcal_gnn.evaluation.report.contents import REFERENCE
from hgcal_gnn.plotting.report_classifiers import (
    amplification_figure,
    calibration_figure,
    learning_figure,
    weights_figure,
)
from hgcal_gnn.plotting.report_drawn import Drawn, key_of, observable_figure, words
from hgcal_gnn.plotting.report_overview import bins_figure
from hgcal_gnn.plotting.report_reconstruction import mean_figure, resolution_figure, response_figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hgcal_gnn.arrays import Array, Bools
    from hgcal_gnn.evaluation.report.contents import BinPart, Evaluation

WORST_PER_BIN = 3
ALWAYS_PER_BIN = ("response", "E_ratio", "energy")  # the first of these that is there
KINDS = {
    "weights": ("logarithm of the likelihood ratio reference / generated that the networks assign", weights_figure),
    "calibration": ("share of generated showers among those given a probability", calibration_figure),
    "learning": ("AUC against the number of training showers", learning_figure),
}


def classifier_figures(found: Evaluation) -> Iterator[Drawn]:
    """Draw weights, calibration and learning curve of each kind of classifier, all samples together."""
    for kind in ("observables", "hits", "cells"):
        tests = {name: one.classifiers[kind] for name, one in found.comparisons.items()}
        results = {name: one for name, one in tests.items() if not isinstance(one, NotAvailable)}
        for key, (caption, figure) in KINDS.items():
            some = {n: one for n, one in results.items() if key != "learning" or one.learning_curve is not None}
            if some:
                yield Drawn(f"classifier_{kind}_{key}", "classifier", f"on {kind}", f"On {kind}: {caption}",
                            figure(some))  # fmt: skip


def condition_figures(found: Evaluation) -> Iterator[Drawn]:
    """Draw the excess by incident energy and by eta, and what differs most in each bin."""
    energy = {name: table.incident_energy for name, table in found.tables.items()}
    yield from _bins(found, "energies", "incident energy [GeV]", energy)
    if any(not isinstance(one.eta, NotAvailable) for one in found.comparisons.values()):
        eta = {name: eta_of(sample) for name, sample in found.samples.items()}
        yield from _bins(found, "eta", "eta", eta)


def count_details(found: Evaluation) -> int:
    """Tell how many figures of bins there are, about."""
    ones = found.comparisons.values()
    parts = [some for one in ones for some in (one.energies, one.eta) if not isinstance(some, NotAvailable)]
    return sum(map(len, parts)) * (1 + WORST_PER_BIN) // max(len(found.comparisons), 1)


def _bins(found: Evaluation, section: str, condition: str, along: Mapping[str, Array]) -> Iterator[Drawn]:
    every = {name: getattr(one, section) for name, one in found.comparisons.items()}
    parts: dict[str, Sequence[BinPart]] = {n: one for n, one in every.items() if not isinstance(one, NotAvailable)}
    if not any(part.distances for some in parts.values() for part in some):
        return
    distance = found.settings.distances[0]
    caption = f"Mean excess over the floor of all observables, by {condition}"
    yield Drawn(section, section, "", caption, bins_figure(parts, distance, condition))
    always = [name for name in ALWAYS_PER_BIN if name in found.tables[REFERENCE].names][:1]
    bins = next(iter(parts.values()))
    for number, part in enumerate(bins):
        is_last = number == len(bins) - 1
        rows = {name: _inside(one, part.low, part.high, last=is_last) for name, one in along.items()}
        if not all(one.any() for one in rows.values()):
            continue
        for name in dict.fromkeys((*always, *_worst([some[number] for some in parts.values()], distance))):
            key = f"{section}_{number + 1}_{key_of(name)}"
            figure = observable_figure(found, name, rows)
            yield Drawn(key, section, part.label, f"{part.label}: {words(name)}", figure)


def _worst(parts: Sequence[BinPart], distance: str) -> list[str]:
    """Return the observables that differ most in one bin of any sample."""
    significances: dict[str, float] = {}
    for part in parts:
        for name, found in part.worst(distance, WORST_PER_BIN):
            significances[name] = max(significances.get(name, 0.0), found.significance)
    return sorted(significances, key=lambda name: -significances[name])[:WORST_PER_BIN]


def _inside(values: Array, low: float, high: float, *, last: bool) -> Bools:
    return np.asarray((values >= low) & ((values <= high) if last else (values < high)))


def reconstruction_figures(found: Evaluation) -> Iterator[Drawn]:
    """Draw linearity, resolution and what clusters tell, against the incident energy."""
    every = {name: one.reconstruction for name, one in found.comparisons.items()}
    after = {name: one for name, one in every.items() if not isinstance(one, NotAvailable)}
    section = "reconstruction"
    for kind in dict.fromkeys(kind for one in after.values() for kind in one.energies):
        some = {name: one.energies[kind] for name, one in after.items() if kind in one.energies}
        for key, what, figure in (
            ("response", "median response and its ratio to the reference", response_figure),
            ("resolution", "resolution and its ratio to the reference", resolution_figure),
        ):
            caption = f"{words(kind)}: {what}"
            yield Drawn(f"reconstruction_{kind}_{key}", section, "energies", caption, figure(some))
    for kind in dict.fromkeys(kind for one in after.values() for kind in one.means):
        some_means = {name: one for name, one in after.items() if kind in one.means}
        label = f"mean {words(kind)}" + (f" [{UNITS[kind]}]" if UNITS[kind] else "")
        caption = f"{words(kind)}: mean, and its ratio to the reference"
        yield Drawn(f"reconstruction_{kind}", section, "clusters", caption, mean_figure(some_means, kind, label))


def referee_figures(found: Evaluation) -> Iterator[Drawn]:
    """Draw the error of the generated samples against their size."""
    every = {name: one.amplification for name, one in found.comparisons.items()}
    curves = {name: one for name, one in every.items() if not isinstance(one, NotAvailable)}
    if curves:
        caption = "Amplification: error of the response against the number of generated showers"
        yield Drawn("amplification", "referee", "", caption, amplification_figure(curves))
