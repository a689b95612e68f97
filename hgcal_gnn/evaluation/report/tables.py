"""The tables of a report, as text: the same in Markdown and HTML."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.contents import worst_of
from hgcal_gnn.evaluation.report.ranking import rank_samples
from hgcal_gnn.evaluation.text import UNKNOWN, counted, with_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hgcal_gnn.evaluation.classifier import ClassifierResult
    from hgcal_gnn.evaluation.distance import Distance
    from hgcal_gnn.evaluation.report.contents import BinPart, Comparison, Evaluation, Finding
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
            f"{place}. {name}", with_error(*one.mean_excess(distance)), f"{clear} of {len(one.distances)}",
            measured(one.total_energy), measured(one.frechet), measured(one.kernel), auc(one.classifier),
            auc(one.classifier_hits), measured(one.correlation), lead,
        ])  # fmt: skip
    header = (
        "sample", f"{words(distance)}, mean above floor", f"observables > {CLEAR:.0f} sigma off",
        "total energy, chi2/ndf", "Frechet distance", "kernel distance", "AUC on observables", "AUC on hits",
        "correlations differ by", "ahead of the next",
    )  # fmt: skip
    note = (
        "Value ± error, in brackets the floor: what another sample of the reference kind and of this size would give. "
        "Columns that are available for no sample are left out. "
        "Ranked by the mean place in the columns that are available; 'ahead' is the difference to the next sample in "
        "the Frechet distance (else the first distance), in standard deviations."
    )
    kept = [k for k in range(len(header)) if not rows or not all(row[k].startswith("not available") for row in rows)]
    return Table("Ranking", [header[k] for k in kept], [[row[k] for k in kept] for row in rows], note)


def differing_table(name: str, one: Comparison, distance: str) -> Table:
    """List the observables that differ most."""
    rows = [
        [
            observable, with_error(found.value, found.error), with_error(found.floor, found.floor_error),
            with_error(found.excess, found.error), sigma(found),
        ]
        for observable, found in one.differing(distance)[:MOST_DIFFERING]
    ]  # fmt: skip
    header = ("observable", words(distance), "floor", "above floor", "significance")
    return Table(f"{name}: what differs most", header, rows)


def distances_table(name: str, one: Comparison) -> Table:
    """List all observables and distances."""
    kinds = list(next(iter(one.distances.values()), {}))
    known = {key: found for key, found in one.distances.items() if any(one.available for one in found.values())}
    rows = [[observable, *(measured(found[kind]) for kind in kinds)] for observable, found in known.items()]
    n_left = len(one.distances) - len(known)
    left = f"; {counted(n_left, 'observable')} that could not be compared: see metrics.json" if n_left else ""
    return Table(f"{name}: all distances", ("observable", *map(words, kinds)), rows, f"value ± error (floor){left}")


def bins_tables(found: Evaluation, condition: str) -> Iterator[Table]:
    """Say in which bin of a condition ("energies", "eta") each sample is worst, by each distance."""
    kinds = found.settings.distances
    for name, one in found.comparisons.items():
        parts: Sequence[BinPart] | NotAvailable = getattr(one, condition)
        along = "incident energy" if condition == "energies" else condition
        title = f"{name}: by {along}"
        header = (along, "reference", "generated", *(f"most different: {words(kind)}" for kind in kinds))
        if isinstance(parts, NotAvailable):
            yield Table(title, header, (), str(parts))
            continue
        rows = [
            [part.label, f"{part.n_reference:,}", f"{part.n_generated:,}", *(_most(part.worst(k, 1)) for k in kinds)]
            for part in parts
        ]
        worst = {kind: bad for kind in kinds if (bad := worst_of(parts, kind))}
        told = [
            f"{words(kind)}: {bad.label} ({bad.observable}, {sigma(bad.distance)} sigma; by chance alone the worst of "
            f"all bins and observables is at {bad.expected:.1f})"
            for kind, bad in worst.items()
        ]
        yield Table(title, header, rows, f"Worst bin. {'; '.join(told)}." if told else "")


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
            rows.append([f"{words(kind)}: response, generated / reference", *_cells(agreement.response)])
            rows.append([f"{words(kind)}: resolution, generated / reference", *_cells(agreement.resolution)])
        for kind, (theirs, mine) in after.means.items():
            rows.append([f"{words(kind)}: reference", *_cells(theirs)])
            rows.append([f"{words(kind)}: generated", *_cells(mine)])
        missing = [f"{words(kind)} not available: {why}" for kind, why in after.unavailable.items()]
        note = "; ".join([*after.warnings, *missing])
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


def _most(worst: Sequence[tuple[str, Distance]]) -> str:
    return "".join(f"{name} ({sigma(found)} sigma)" for name, found in worst[:1]) or "not available"


def _finding_rows(finding: Finding) -> Iterator[list[str]]:
    reasons = {measure.reason for measure in finding.measures}
    if len(reasons) == 1 and "" not in reasons:  # one row is enough
        yield [finding.name, UNKNOWN, measured(finding.measures[0]), UNKNOWN, finding.meaning]
        return
    for number, measure in enumerate(finding.measures):
        first = number == 0
        yield [
            finding.name if first else "", words(measure.name), measured(measure), sigma(measure),
            finding.meaning if first else "",
        ]  # fmt: skip


def auc(found: ClassifierResult | NotAvailable) -> str:
    """Write the area under the curve of a classifier test."""
    return str(found) if isinstance(found, NotAvailable) else measured(found.auc)


def sigma(distance: Distance) -> str:
    """Write a significance."""
    return f"{distance.significance:.1f}" if math.isfinite(distance.significance) else UNKNOWN


def _cells(values: Measured) -> list[str]:
    return [with_error(value, error) for value, error in zip(values.value.tolist(), values.error.tolist(), strict=True)]


def words(name: str) -> str:
    """Write a name as words."""
    return name.replace("_", " ")
