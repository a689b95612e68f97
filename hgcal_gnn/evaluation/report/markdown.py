"""report.md: the tables of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hgcal_gnn import __version__
from hgcal_gnn.evaluation.report import model_tables, tables
from hgcal_gnn.evaluation.text import duration, markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hgcal_gnn.evaluation.report.contents import Evaluation
    from hgcal_gnn.evaluation.report.tables import Table


def markdown(found: Evaluation) -> str:
    """Write an evaluation as Markdown, without pictures."""
    head = [f"# Generated showers against {found.reference.source}", method(found)]
    whole = "\n\n".join([*head, *_blocks(_all_tables(found))]) + "\n"
    return whole.replace("<", "&lt;")  # names come from files and are no HTML


def method(found: Evaluation) -> str:
    """Say in a paragraph how it was measured."""
    settings = found.settings
    cut = f"cells of at most {settings.threshold:g} GeV left out, " if settings.threshold else ""
    return (
        f"hgcal-gnn {__version__}, geometry {found.detector or 'unknown'} ({found.cells_sha256[:12]}...), "
        f"observables by the convention '{settings.convention}', {cut}{settings.replicas} bootstrap replicas, "
        f"seed {settings.seed}, computed in {duration(sum(found.seconds.values()))}. Each value has an error, and the "
        "floor it would have were the generator perfect; a significance is the excess over the floor in standard "
        "deviations of what chance gives."
    )


def _all_tables(found: Evaluation) -> Iterator[Table]:
    yield tables.samples_table(found)
    yield tables.summary_table(found)
    for name, one in found.comparisons.items():
        yield tables.differing_table(name, one, found.settings.distances[0])
    yield from model_tables.seed_tables(found)
    yield from model_tables.classifier_tables(found)
    yield from tables.bins_tables(found, "energies")
    yield from tables.bins_tables(found, "eta")
    yield from tables.reconstruction_tables(found)
    yield from tables.referee_tables(found)
    for name, one in found.comparisons.items():
        yield tables.distances_table(name, one)


def _blocks(some: Iterable[Table]) -> Iterator[str]:
    for table in some:
        yield f"## {table.title}"
        if table.rows:
            yield markdown_table(table.header, table.rows)
        if table.note:
            yield table.note
