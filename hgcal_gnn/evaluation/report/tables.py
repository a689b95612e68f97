"""The tables of a report, as text: the same in Markdown and HTML."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.ranking import rank_samples
from hgcal_gnn.evaluation.text import UNKNOWN, with_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hgcal_gnn.evaluation.distance import Distance
    from hgcal_gnn.evaluation.report.contents import Comparison, Evaluation, Finding
    from hgcal_gnn.evaluation.resolution import Measured

MOST_DIFFERING = 12
CLEAR = 5.0  # standard deviations from which a difference is counted


class Table(NamedTuple):
    """A table of text.

    Attributes
    ----------
    title, note
        Above and below it.
    header
        The first column names the rows.
    rows
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def samples_table(found: Evaluation) -> Table:
    """Say what was compared."""
    rows = [
        [name, sample.source, sample.described(), "; ".join(sample.remarks) or UNKNOWN]
        for name, sample in found.samples.items()
    ]
    return Table("Samples", ("name", "file", "content", "remarks"), rows)


def summary_table(found: Evaluation) -> Table:
    """Rank the samples."""
    distance = found.settings.distances[0]
    rows = []
    for place, (name, lead) in enumerate(rank_samples(found), 1):
        one = found.comparisons[name]
        clear = sum(d.available and d.significance > CLEAR for d in one.column(distance).values())
        rows.append([
            f"{place}. {name}", _above_floor(one), f"{clear} of {len(one.distances)}", measured(one.frechet),
            measured(one.kernel), _auc(one), measured(one.correlation), lead,
        ])  # fmt: skip
    header = (
        "sample", f"{_words(distance)}, mean above floor", f"observables > {CLEAR:.0f} sigma off", "Frechet distance",
        "kernel distance", "classifier AUC", "correlations differ by", "ahead of the next",
    )  # fmt: skip
    note = (
        "Value ± error, in brackets the floor: what another sample of the reference kind and of this size would give. "
        "Ranked by the mean place in the columns that are available; 'ahead' is the difference to the next sample in "
        "the Frechet distance (else the first distance), in standard deviations."
    )
    return Table("Ranking", header, rows, note)


def differing_table(name: str, one: Comparison, distance: str) -> Table:
    """List the observables that differ most."""
    rows = [
        [
            observable, with_error(found.value, found.error), with_error(found.floor, found.floor_error),
            with_error(found.excess, found.error), _sigma(found),
        ]
        for observable, found in one.differing(distance)[:MOST_DIFFERING]
    ]  # fmt: skip
    header = ("observable", _words(distance), "floor", "above floor", "significance")
    return Table(f"{name}: what differs most", header, rows)


def distances_table(name: str, one: Comparison) -> Table:
    """List all observables and distances."""
    kinds = list(next(iter(one.distances.values()), {}))
    rows = [[observable, *(measured(found[kind]) for kind in kinds)] for observable, found in one.distances.items()]
    note = "value ± error (floor)"
    return Table(f"{name}: all distances", ("observable", *map(_words, kinds)), rows, note)


def energies_tables(found: Evaluation) -> Iterator[Table]:
    """Say in which bin of incident energy each sample is worst."""
    for name, one in found.comparisons.items():
        title = f"{name}: by incident energy"
        header = ("energy", "reference", "generated", "most different", _words(found.settings.distances[0]), "sigma")
        if isinstance(one.energies, NotAvailable):
            yield Table(title, header, (), str(one.energies))
            continue
        rows = []
        for part in one.energies:
            sizes = [part.label, f"{part.n_reference:,}", f"{part.n_generated:,}"]
            worst = part.worst(1)
            rows.append([*sizes, worst[0][0], measured(worst[0][1]), _sigma(worst[0][1])] if worst else [
                *sizes, "not available", UNKNOWN, UNKNOWN
            ])  # fmt: skip
        bad = max((p for p in one.energies if p.worst(1)), key=lambda p: p.worst(1)[0][1].significance, default=None)
        yield Table(title, header, rows, f"Worst: {bad.label} ({bad.worst(1)[0][0]})." if bad else "")


def reconstruction_tables(found: Evaluation) -> Iterator[Table]:
    """Say how each sample agrees with the reference after reconstruction."""
    for name, one in found.comparisons.items():
        after = one.reconstruction
        title = f"{name}: after reconstruction"
        if isinstance(after, NotAvailable):
            yield Table(title, ("quantity",), (), str(after))
            continue
        rows = []
        for kind, agreement in after.energies.items():
            rows.append([f"{_words(kind)}: response, generated / reference", *_cells(agreement.response)])
            rows.append([f"{_words(kind)}: resolution, generated / reference", *_cells(agreement.resolution)])
        for kind, (theirs, mine) in after.means.items():
            rows.append([f"{_words(kind)}: reference", *_cells(theirs)])
            rows.append([f"{_words(kind)}: generated", *_cells(mine)])
        note = "; ".join(f"{_words(kind)} not available: {why}" for kind, why in after.unavailable.items())
        yield Table(title, ("quantity", *after.bins.labels()), rows, note)


def referee_tables(found: Evaluation) -> Iterator[Table]:
    """Answer what a referee asks."""
    for name, one in found.comparisons.items():
        title = f"{name}: what a referee asks"
        header = ("question", "measure", "value (floor)", "significance", "meaning")
        if isinstance(one.referee, NotAvailable):
            yield Table(title, header, (), str(one.referee))
            continue
        rows = [row for finding in one.referee for row in _finding_rows(finding)]
        yield Table(title, header, rows)


def measured(distance: Distance) -> str:
    """Write value, error and floor: '0.012 ± 0.001 (0.003)'."""
    if not distance.available:
        return f"not available: {distance.reason}"
    floor = f" ({distance.floor:.2g})" if math.isfinite(distance.floor) else ""
    return with_error(distance.value, distance.error) + floor


def _finding_rows(finding: Finding) -> Iterator[list[str]]:
    for number, measure in enumerate(finding.measures):
        first = number == 0
        yield [
            finding.name if first else "", _words(measure.name), measured(measure), _sigma(measure),
            finding.meaning if first else "",
        ]  # fmt: skip


def _above_floor(one: Comparison) -> str:
    kinds = list(next(iter(one.distances.values()), {}))
    return with_error(*one.mean_excess(kinds[0])) if kinds else UNKNOWN


def _auc(one: Comparison) -> str:
    return f"{one.classifier}" if isinstance(one.classifier, NotAvailable) else measured(one.classifier.auc)


def _sigma(distance: Distance) -> str:
    return f"{distance.significance:.1f}" if math.isfinite(distance.significance) else UNKNOWN


def _cells(values: Measured) -> list[str]:
    return [with_error(value, error) for value, error in zip(values.value.tolist(), values.error.tolist(), strict=True)]


def _words(name: str) -> str:
    return name.replace("_", " ")


def classifier_tables(found: Evaluation) -> Iterator[Table]:
    """Say how well a network tells each sample from the reference."""
    rows = []
    for name, one in found.comparisons.items():
        if isinstance(one.classifier, NotAvailable):
            rows.append([name, str(one.classifier), UNKNOWN, UNKNOWN])
            continue
        auc = one.classifier.auc
        rows.append([name, with_error(auc.value, auc.error), with_error(auc.floor, auc.floor_error), _sigma(auc)])
    note = "Area under the curve of showers scored out of fold; 0.5: it cannot tell them apart, 1: always."
    yield Table("Network on the observables", ("sample", "AUC", "floor", "significance"), rows, note)
