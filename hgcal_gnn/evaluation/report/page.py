"""report.html: one file with everything in it; no script, nothing from the network, light and dark."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from hgcal_gnn.evaluation.report import model_tables, tables
from hgcal_gnn.evaluation.report.markdown import method
from hgcal_gnn.evaluation.report.page_style import STYLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hgcal_gnn.evaluation.report.contents import Evaluation
    from hgcal_gnn.evaluation.report.tables import Table

SECTIONS = {
    "summary": "Summary",
    "showers": "Showers",
    "differences": "What differs",
    "observables": "Observables",
    "profiles": "Profiles",
    "hits": "Hit energies",
    "correlations": "Correlations",
    "classifier": "Classifier",
    "energies": "By incident energy",
    "eta": "By eta",
    "reconstruction": "After reconstruction",
    "referee": "What a referee asks",
    "distances": "All distances",
}


class Picture(NamedTuple):
    """A picture of the report.

    Attributes
    ----------
    section
        One of `SECTIONS`.
    group
        Heading within the section; pictures of one group stand together, and can be folded away if there are several.
    caption
    svg
        An `<svg>` element in the colours of the page (CSS variables --ink and --reference).
    is_wide
        Takes a whole row.
    """

    section: str
    group: str
    caption: str
    svg: str
    is_wide: bool = False


def html_page(found: Evaluation, pictures: Sequence[Picture]) -> str:
    """Write an evaluation as one self-contained page."""
    title = f"Generated showers against {found.reference.source.rsplit('/', 1)[-1]}"
    shown = {key: "\n".join(_section(found, key, pictures)) for key in SECTIONS}
    shown = {key: text for key, text in shown.items() if text}
    return page(title, method(found), {key: (SECTIONS[key], text) for key, text in shown.items()})


def page(title: str, lead: str, sections: Mapping[str, tuple[str, str]]) -> str:
    """Write a self-contained page.

    Parameters
    ----------
    title, lead
        Plain text.
    sections
        Key (of the link to it) -> heading and content, which is HTML.
    """
    links = " ".join(f'<a href="#{key}">{escape(heading)}</a>' for key, (heading, _) in sections.items())
    body = "\n".join(
        f'<section id="{key}"><h2>{escape(heading)}</h2>\n{text}\n</section>'
        for key, (heading, text) in sections.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1><p>{escape(lead)}</p><nav>{links}</nav></header>\n"
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _section(found: Evaluation, key: str, pictures: Sequence[Picture]) -> Iterator[str]:
    fold = key == "distances"
    for table in _tables(found, key):
        text = table_html(table)
        yield (
            f"<details><summary>{escape(table.title)}</summary>{text}</details>"
            if fold
            else (f"<h3>{escape(table.title)}</h3>{text}")
        )
    groups: dict[str, list[Picture]] = {}
    for picture in pictures:
        if picture.section == key:
            groups.setdefault(picture.group, []).append(picture)
    for number, (group, some) in enumerate(groups.items()):
        shown = f'<div class="plots">{"".join(map(figure_html, some))}</div>'
        is_open = " open" if key != "energies" or number == 0 else ""
        yield f"<details{is_open}><summary>{escape(group)}</summary>{shown}</details>" if group else shown


def _tables(found: Evaluation, key: str) -> Iterable[Table]:
    """Return the tables of a section."""
    if key == "summary":
        return [tables.summary_table(found), *model_tables.seed_tables(found), tables.samples_table(found)]
    if key == "differences":
        ranking = found.settings.distances[0]
        return [tables.differing_table(name, one, ranking) for name, one in found.comparisons.items()]
    if key == "distances":
        return [tables.distances_table(name, one) for name, one in found.comparisons.items()]
    makers: dict[str, Callable[[Evaluation], Iterable[Table]]] = {
        "energies": partial(tables.bins_tables, condition="energies"),
        "eta": partial(tables.bins_tables, condition="eta"),
        "reconstruction": tables.reconstruction_tables,
        "referee": tables.referee_tables,
        "classifier": model_tables.classifier_tables,
    }
    return makers[key](found) if key in makers else ()


def table_html(table: Table) -> str:
    """Write a table with its note; its title is the heading above it."""
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    if not table.rows:
        return note or '<p class="note">nothing to show</p>'
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>\n" for row in table.rows)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>{note}'


def _cell(text: str) -> str:
    missing = ' class="missing"' if text.startswith("not available") else ""
    return f"<td{missing}>{escape(text)}</td>"


def figure_html(picture: Picture) -> str:
    """Write a picture with its caption, to stand in a `<div class="plots">`."""
    wide = ' class="wide"' if picture.is_wide else ""
    label = escape(picture.caption, quote=True)
    svg = picture.svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    return f"<figure{wide}>{svg}<figcaption>{escape(picture.caption)}</figcaption></figure>\n"
