"""The pictures of an evaluation's report, one after the other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.contents import REFERENCE
from hgcal_gnn.evaluation.report.curves import curve, families
from hgcal_gnn.evaluation.report.distance_parts import correlated
from hgcal_gnn.evaluation.report.page import SECTIONS
from hgcal_gnn.plotting.correlations import correlation_figure
from hgcal_gnn.plotting.gallery import gallery_figure
from hgcal_gnn.plotting.observables import profile_figure
from hgcal_gnn.plotting.report_details import (
    classifier_figures,
    condition_figures,
    count_details,
    reconstruction_figures,
    referee_figures,
)
from hgcal_gnn.plotting.report_drawn import Drawn, key_of, observable_figure, words
from hgcal_gnn.plotting.report_overview import differences_figure, spectrum_figure

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from hgcal_gnn.evaluation.report.contents import Evaluation
    from hgcal_gnn.geometry.cells import CellTable

WORST_MEMBERS = 12  # members of families that get a histogram of their own
FEW = 20  # figures of classifiers, reconstruction, hits
FEWEST_MEAN = 10  # showers behind a point of a profile: of fewer, the error is as uncertain as the mean
MOST_CORRELATED = 400  # observables in a matrix
LOOKED_AT = 100  # showers, to find one with hits
UNDRAWABLE = (ArithmeticError, ValueError, RuntimeError)

logger = logging.getLogger(__name__)


def report_figures(
    found: Evaluation, cells: CellTable | None = None, *, sections: Container[str] = SECTIONS
) -> Iterator[Drawn]:
    """Draw the figures of a report; each is made when it is asked for, so that few are in memory.

    Parameters
    ----------
    cells
        Single showers are drawn if their geometry is given.
    sections
        Those of the page whose figures are wanted.
    """
    if cells is not None and "showers" in sections:
        yield from _as_far_as_possible(_showers(found, cells))
    parts = {
        "differences": _differences, "observables": _observables, "profiles": _profiles, "hits": _hits,
        "correlations": _correlations, "classifier": classifier_figures, "energies": condition_figures,
        "reconstruction": reconstruction_figures, "referee": referee_figures,
    }  # fmt: skip
    for section, part in parts.items():
        if section in sections:
            yield from _as_far_as_possible(part(found))


def _as_far_as_possible(some: Iterator[Drawn]) -> Iterator[Drawn]:
    """Draw until something cannot be drawn: a picture must not cost an hour of numbers."""
    try:
        yield from some
    except UNDRAWABLE as error:
        logger.warning("some pictures are missing: %s: %s", type(error).__name__, error)
        logger.debug("drawing", exc_info=True)


def count_figures(found: Evaluation) -> int:
    """Tell how many figures `report_figures` makes, about: for a progress bar."""
    table, n = found.tables[REFERENCE], len(found.comparisons)
    members = {name for family in families(table.names) for name in family.members}
    singles = len(table.names) - len(members)
    return 1 + 4 * n + singles + WORST_MEMBERS + len(families(table.names)) + FEW + count_details(found)


def _showers(found: Evaluation, cells: CellTable) -> Iterator[Drawn]:
    """Draw a shower of each sample whose incident energy is next to the median of the reference."""
    energy = found.tables[REFERENCE].incident_energy
    middle = float(np.nanmedian(energy)) if np.isfinite(energy).any() else np.nan
    shown = {}
    for name, sample in found.samples.items():
        distance = np.abs(found.tables[name].incident_energy - middle)
        nearest = np.argsort(distance, kind="stable")[:LOOKED_AT].tolist()  # NaN comes last
        some = (sample[place : place + 1] for place in nearest)
        one = next((shower for shower in some if (shower.energy > 0).any()), None)
        if one is not None:
            shown[name] = one
    if REFERENCE in shown and len(shown) > 1:
        caption = f"Showers of about {middle:.3g} GeV from the side and along their line of flight, on one scale"
        yield Drawn("showers", "showers", "", caption, gallery_figure(shown, cells), is_wide=True)


def _differences(found: Evaluation) -> Iterator[Drawn]:
    ranking = found.settings.distances[0]
    for name, one in found.comparisons.items():
        worst = one.differing(ranking)
        if worst:
            caption = f"{name}: the observables that differ most, with how many standard deviations of chance that is"
            yield Drawn(f"differences_{key_of(name)}", "differences", "", caption, differences_figure(worst, ranking))


def _observables(found: Evaluation) -> Iterator[Drawn]:
    table = found.tables[REFERENCE]
    members = {name for family in families(table.names) for name in family.members}
    for name, group in zip(table.names, table.groups, strict=True):
        if name not in members:
            caption = name.replace("_", " ")
            yield Drawn(
                f"observable_{key_of(name)}", "observables", words(group), caption, observable_figure(found, name)
            )
    for name in _worst_members(found, members):
        caption = f"{name.replace('_', ' ')}: among those that differ most of its kind"
        group = "per layer and ring: those that differ most"
        yield Drawn(f"observable_{key_of(name)}", "observables", group, caption, observable_figure(found, name))


def _worst_members(found: Evaluation, members: set[str]) -> list[str]:
    """Return the members of families that differ most in any sample."""
    significance: dict[str, float] = {}
    for one in found.comparisons.values():
        for name, distance in one.differing(found.settings.distances[0]):
            if name in members and np.isfinite(distance.significance):
                significance[name] = max(significance.get(name, -np.inf), distance.significance)
    return sorted(significance, key=lambda name: -significance[name])[:WORST_MEMBERS]


def _profiles(found: Evaluation) -> Iterator[Drawn]:
    table = found.tables[REFERENCE]
    for family in families(table.names):
        columns = [table.names.index(name) for name in family.members]
        curves = {
            name: curve(one.values[:, columns], family.places, fewest=FEWEST_MEAN) for name, one in found.tables.items()
        }
        reference = curves.pop(REFERENCE)
        unit = table.units[columns[0]]
        text = " ".join(family.name.replace("#", " ").replace("_", " ").split())
        figure = profile_figure(
            reference, curves, xlabel=family.counted, ylabel=f"mean {text}" + (f" [{unit}]" if unit else "")
        )
        yield Drawn(f"profile_{key_of(text)}", "profiles", "", f"{text}: mean over showers", figure)


def _hits(found: Evaluation) -> Iterator[Drawn]:
    spectra = {name: one for name, one in found.spectra.items() if not isinstance(one, NotAvailable)}
    if REFERENCE not in spectra:
        return
    for kind, text in (("energy", "in GeV"), ("mips", "in E_MIP"), ("peak_region", "around the MIP peak")):
        yield Drawn(f"hits_{kind}", "hits", "", f"Energies of single hits {text}", spectrum_figure(spectra, kind))


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
            text = [one.replace("_", " ") for one in some]
            figure = correlation_figure(np.atleast_2d(theirs), np.atleast_2d(mine), text, labels=(REFERENCE, name))
            caption = f"{name}: correlations {what}"
            yield Drawn(f"correlations_{key}_{key_of(name)}", "correlations", "", caption, figure, is_wide=True)
