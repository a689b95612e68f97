"""The pictures of an evaluation's report, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.contents import REFERENCE
from hgcal_gnn.evaluation.report.curves import binned, curve, families, histogram_edges
from hgcal_gnn.evaluation.report.distance_parts import correlated
from hgcal_gnn.plotting.correlations import correlation_figure
from hgcal_gnn.plotting.observables import histogram_figure, profile_figure
from hgcal_gnn.plotting.report_overview import classifier_figure, differences_figure, energies_figure, spectrum_figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.figure import Figure

    from hgcal_gnn.arrays import F32, Bools
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.contents import Evaluation

WORST_MEMBERS = 12  # members of families that get a histogram of their own
WORST_PER_ENERGY = 3
ALWAYS_PER_ENERGY = ("response", "E_ratio", "energy")  # the first of these that is there
MOST_CORRELATED = 400  # observables in a matrix


class Drawn(NamedTuple):
    """A figure of the report.

    Attributes
    ----------
    key
        Name of its file.
    section, group, caption, is_wide
        See `evaluation.report.page.Picture`.
    figure
    """

    key: str
    section: str
    group: str
    caption: str
    figure: Figure
    is_wide: bool = False


def report_figures(found: Evaluation) -> Iterator[Drawn]:
    """Draw the figures of a report; each is made when it is asked for, so that few are in memory."""
    yield from _differences(found)
    yield from _observables(found)
    yield from _profiles(found)
    yield from _hits(found)
    yield from _correlations(found)
    yield from _classifiers(found)
    yield from _energies(found)


def count_figures(found: Evaluation) -> int:
    """Tell how many figures `report_figures` makes, about: for a progress bar."""
    table, n = found.tables[REFERENCE], len(found.comparisons)
    members = {name for family in families(table.names) for name in family.members}
    n_bins = sum(len(one.energies) for one in found.comparisons.values() if not isinstance(one.energies, NotAvailable))
    singles = len(table.names) - len(members)
    return (
        2 * n
        + singles
        + WORST_MEMBERS
        + len(families(table.names))
        + 2
        + n
        + n_bins * (1 + WORST_PER_ENERGY) // max(n, 1)
    )


def label_of(table: FeatureTable, name: str) -> str:
    """Return name and unit of an observable, for an axis."""
    unit = table.units[table.names.index(name)]
    words = name.replace("_", " ")
    return f"{words} [{unit}]" if unit else words


def _differences(found: Evaluation) -> Iterator[Drawn]:
    ranking = found.settings.distances[0]
    for name, one in found.comparisons.items():
        worst = one.differing(ranking)
        if worst:
            caption = f"{name}: the observables that differ most, with how many standard deviations of chance that is"
            yield Drawn(f"differences_{_key(name)}", "differences", "", caption, differences_figure(worst, ranking))


def _observables(found: Evaluation) -> Iterator[Drawn]:
    table = found.tables[REFERENCE]
    members = {name for family in families(table.names) for name in family.members}
    for name, group in zip(table.names, table.groups, strict=True):
        if name not in members:
            caption = name.replace("_", " ")
            yield Drawn(f"observable_{_key(name)}", "observables", _words(group), caption, _histogram(found, name))
    for name in _worst_members(found, members):
        caption = f"{name.replace('_', ' ')}: among those that differ most of its kind"
        group = "per layer and ring: those that differ most"
        yield Drawn(f"observable_{_key(name)}", "observables", group, caption, _histogram(found, name))


def _worst_members(found: Evaluation, members: set[str]) -> list[str]:
    """Return the members of families that differ most in any sample."""
    significance: dict[str, float] = {}
    for one in found.comparisons.values():
        for name, distance in one.differing(found.settings.distances[0]):
            if name in members and np.isfinite(distance.significance):
                significance[name] = max(significance.get(name, -np.inf), distance.significance)
    return sorted(significance, key=lambda name: -significance[name])[:WORST_MEMBERS]


def _histogram(found: Evaluation, name: str, rows: Mapping[str, Bools] | None = None) -> Figure:
    """Draw one observable of all samples; `rows`: of some showers of each."""
    values = {
        key: table.column(name) if rows is None else table.column(name)[rows[key]]
        for key, table in found.tables.items()
    }
    edges = histogram_edges(values[REFERENCE], list(values.values()))
    counted = {key: binned(one, edges) for key, one in values.items()}
    reference = counted.pop(REFERENCE)
    return histogram_figure(reference, counted, xlabel=label_of(found.tables[REFERENCE], name))


def _profiles(found: Evaluation) -> Iterator[Drawn]:
    table = found.tables[REFERENCE]
    for family in families(table.names):
        columns = [table.names.index(name) for name in family.members]
        curves = {name: curve(one.values[:, columns], family.places) for name, one in found.tables.items()}
        reference = curves.pop(REFERENCE)
        unit = table.units[columns[0]]
        words = " ".join(family.name.replace("_", " ").split())
        figure = profile_figure(
            reference, curves, xlabel=family.counted, ylabel=f"mean {words}" + (f" [{unit}]" if unit else "")
        )
        yield Drawn(f"profile_{_key(family.name)}", "profiles", "", f"{words}: mean over showers", figure)


def _hits(found: Evaluation) -> Iterator[Drawn]:
    spectra = {name: one for name, one in found.spectra.items() if not isinstance(one, NotAvailable)}
    if REFERENCE not in spectra:
        return
    for kind, words in (("energy", "in GeV"), ("mips", "in E_MIP"), ("peak_region", "around the MIP peak")):
        yield Drawn(f"hits_{kind}", "hits", "", f"Energies of single hits {words}", spectrum_figure(spectra, kind))


def _correlations(found: Evaluation) -> Iterator[Drawn]:
    reference = found.tables[REFERENCE]
    for name in found.comparisons:
        generated = found.tables[name]
        names = correlated(reference, generated)
        members = {member for family in families(reference.names) for member in family.members}
        single = [one for one in names if one not in members]
        for key, some, what in (("shape", single, "of whole showers"), ("all", names, "of all observables")):
            if len(some) < 2:
                continue
            columns = [reference.names.index(one) for one in some[:MOST_CORRELATED]]
            theirs, mine = (np.corrcoef(one.values[:, columns].T.astype(np.float64)) for one in (reference, generated))
            words = [one.replace("_", " ") for one in some]
            figure = correlation_figure(np.atleast_2d(theirs), np.atleast_2d(mine), words, labels=(REFERENCE, name))
            caption = f"{name}: correlations {what}"
            yield Drawn(f"correlations_{key}_{_key(name)}", "correlations", "", caption, figure, is_wide=True)


def _classifiers(found: Evaluation) -> Iterator[Drawn]:
    results = {n: c.classifier for n, c in found.comparisons.items() if not isinstance(c.classifier, NotAvailable)}
    if results:
        caption = "Logarithm of the likelihood ratio generated / reference that the network assigns"
        yield Drawn("classifier_weights", "classifier", "", caption, classifier_figure(results))


def _energies(found: Evaluation) -> Iterator[Drawn]:
    parts = {
        name: one.energies for name, one in found.comparisons.items() if not isinstance(one.energies, NotAvailable)
    }
    if not parts:
        return
    caption = "Mean excess over the floor of all observables, by incident energy"
    yield Drawn("energies", "energies", "", caption, energies_figure(parts))
    table = found.tables[REFERENCE]
    always = [name for name in ALWAYS_PER_ENERGY if name in table.names][:1]
    bins = next(iter(parts.values()))
    for number, part in enumerate(bins):
        significances: dict[str, float] = {}
        for some in parts.values():
            for name, distance in some[number].worst(WORST_PER_ENERGY):
                significances[name] = max(significances.get(name, 0.0), distance.significance)
        worst = sorted(significances, key=lambda name: -significances[name])[:WORST_PER_ENERGY]
        rows = {
            name: _inside(one.incident_energy, part.low, part.high, last=number == len(bins) - 1)
            for name, one in found.tables.items()
        }
        if not all(one.any() for one in rows.values()):
            continue
        for name in dict.fromkeys((*always, *worst)):
            key = f"energy_{number + 1}_{_key(name)}"
            yield Drawn(key, "energies", part.label, f"{part.label}: {_words(name)}", _histogram(found, name, rows))


def _inside(energy: F32, low: float, high: float, *, last: bool) -> Bools:
    return (energy >= low) & ((energy <= high) if last else (energy < high))


def _key(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _words(name: str) -> str:
    return name.replace("_", " ")
