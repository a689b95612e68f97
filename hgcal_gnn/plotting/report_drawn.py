"""A figure of an evaluation's report, and the one of a single observable."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hgcal_gnn.evaluation.report.contents import REFERENCE
from hgcal_gnn.evaluation.report.curves import binned, histogram_edges
from hgcal_gnn.plotting.observables import histogram_figure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from hgcal_gnn.arrays import Bools
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.contents import Evaluation


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


def label_of(table: FeatureTable, name: str) -> str:
    """Return name and unit of an observable, for an axis."""
    unit = table.units[table.names.index(name)]
    words = name.replace("_", " ")
    return f"{words} [{unit}]" if unit else words


def observable_figure(found: Evaluation, name: str, rows: Mapping[str, Bools] | None = None) -> Figure:
    """Draw one observable of all samples; `rows`: of some showers of each."""
    values = {
        key: table.column(name) if rows is None else table.column(name)[rows[key]]
        for key, table in found.tables.items()
    }
    edges = histogram_edges(values[REFERENCE], list(values.values()))
    counted = {key: binned(one, edges) for key, one in values.items()}
    reference = counted.pop(REFERENCE)
    return histogram_figure(reference, counted, xlabel=label_of(found.tables[REFERENCE], name))


def key_of(name: str) -> str:
    """Return a name as part of the name of a file."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def words(name: str) -> str:
    """Return a name as words."""
    return name.replace("_", " ")
