"""The last step of quickstart: everything on one page."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING, Any

from hgcal_gnn.cli.quickstart.plan import GENERATORS, THRESHOLD, next_commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.figure import Figure

    from hgcal_gnn.cli.quickstart.plan import Files, Size
    from hgcal_gnn.evaluation.comparison_report import ComparisonReport
    from hgcal_gnn.evaluation.report.contents import Evaluation
    from hgcal_gnn.evaluation.report.tables import Table
    from hgcal_gnn.geometry.graph import CellGraph

OBSERVABLES = ("response", "n_hits", "mean_layer", "radius_mean", "hit_mips_mean", "layer_spread")
PROFILES = ("profile_layer_fraction", "profile_ring_fraction")


def write(files: Files, size: Size) -> None:
    """Compare what was made, and write report.html."""
    from hgcal_gnn import __version__
    from hgcal_gnn.evaluation.report.page import page
    from hgcal_gnn.files import atomic_path
    from hgcal_gnn.geometry.graph_file import load_graph

    graph = load_graph(files.graph)
    sections = {"detector": ("Detector", _detector(files, graph)), "showers": ("Showers", _showers(files, size))}
    if files.run("message_passing").exists():
        sections["energy"] = ("Energy of pions", _energy(files))
    if files.showers(GENERATORS[-1]).exists():
        sections["generators"] = ("Generated photons", _generators(files, graph, size))
    sections["next"] = ("Next", _next(files))
    lead = (
        f"Written by hgcal-gnn {__version__} quickstart. Showers are those of the parametrised simulation, and "
        "networks were trained for minutes: this shows the steps and how to read them, not how good models get."
    )
    with atomic_path(files.report, overwrite=True) as temporary:
        temporary.write_text(page("From geometry to generated showers", lead, sections), encoding="utf-8")
    print(f"    {files.report.stat().st_size / 1e6:.1f} MB, opens without network -> {files.report}")


def _detector(files: Files, graph: CellGraph) -> str:
    text = (
        f"A piece of one endcap of the CMS HGCAL: {graph.cells.n_cells:,} cells, joined by {graph.n_edges:,} directed "
        "edges: to cells that touch, across the border of silicon and scintillator, and to the nearest cells in depth."
    )
    captions = ("The piece from the side, and cells with their edges close by", "A layer of silicon and scintillator")
    pictures = zip((files.detector, files.layer), captions, strict=True)
    return _paragraph(text) + _plots(_image(path, caption) for path, caption in pictures)


def _showers(files: Files, size: Size) -> str:
    text = (
        f"Simulated at eta 2: {size.photons:,} photons to train on and {size.photons_test:,} to test, of 10 to 50 GeV; "
        f"{size.pions:,} charged pions of 5 to 200 GeV and {size.pions_test:,} of 10, 20, 50 and 100 GeV."
    )
    captions = {"photon": "A photon of the test sample", "pion": "A charged pion of the test sample"}
    return _paragraph(text) + _plots(_image(files.picture(name), caption) for name, caption in captions.items())


def _energy(files: Files) -> str:
    from hgcal_gnn.cli.quickstart.networks import compare_regressors
    from hgcal_gnn.evaluation.report.page import table_html
    from hgcal_gnn.plotting.resolution import linearity_figure, resolution_figure

    found = compare_regressors(files)
    tables = found.comparison.tables
    text = (
        "The energy of charged pions from the sum of their hits, with one factor for each section of the calorimeter "
        "(sum_sections), and from a small graph network that weighs every hit (message_passing)."
    )
    pictures = {
        "linearity": (linearity_figure(tables), "Median of the predicted energy; below, its bias"),
        "resolution": (
            resolution_figure(tables, fits=found.fits, ratios=found.comparison.ratios),
            "Resolution with fits; below, the ratio to the first method",
        ),
    }
    drawn = (_inline(name, figure, caption) for name, (figure, caption) in pictures.items())
    return _paragraph(text) + table_html(_energy_table(found)) + _plots(drawn, "500px")


def _energy_table(found: ComparisonReport) -> Table:
    from hgcal_gnn.evaluation.report.tables import Table
    from hgcal_gnn.evaluation.text import with_error

    tables = found.comparison.tables
    header = [f"{name}: {what} [%]" for name in tables for what in ("bias", "resolution")]
    rows = []
    for k, label in enumerate(found.comparison.bins.labels()):
        numbers = [one for table in tables.values() for one in (table.bias, table.resolution)]
        rows.append([label, *(with_error(100 * one.value[k], 100 * one.error[k]) for one in numbers)])
    note = "Bias: median of predicted / true - 1. Resolution: half the width that holds 68 %, over the median."
    return Table("Energy", ("true energy", *header), rows, note)


def _generators(files: Files, graph: CellGraph, size: Size) -> str:
    from hgcal_gnn.evaluation.report.metrics_file import metrics
    from hgcal_gnn.evaluation.report.page import table_html
    from hgcal_gnn.evaluation.report.run import evaluate
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings
    from hgcal_gnn.evaluation.report.tables import summary_table
    from hgcal_gnn.files import atomic_path

    settings = EvaluationSettings(threshold=THRESHOLD, skip=size.skipped).quick()
    generated = {name: files.showers(name) for name in GENERATORS}
    found = evaluate(files.showers("photons_test"), generated, graph, settings=settings)
    with atomic_path(files.metrics, overwrite=True) as temporary:
        temporary.write_text(json.dumps(metrics(found), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    text = (
        f"Photons from a voxel model ({GENERATORS[0]}) and a graph model ({GENERATORS[1]}), one for each photon of the "
        "test sample (reference), and judged by the same ruler. Cells below half a MIP are left out of all."
    )
    tables = table_html(_models_table(files)) + "<h3>How far from the reference</h3>" + table_html(summary_table(found))
    return _paragraph(text) + tables + _plots(_drawn(found, graph))


def _models_table(files: Files) -> Table:
    from hgcal_gnn.evaluation.report.tables import Table
    from hgcal_gnn.evaluation.text import duration

    rows = []
    for name in GENERATORS:
        told: dict[str, Any] = json.loads((files.run(name) / "metrics.json").read_text(encoding="utf-8"))
        ratios = [told["test"][key] for key in ("response", "response_width", "occupancy")]
        rows.append([
            name, f"{told['n_parameters']:,}", duration(told["seconds"]), f"{told['ms_per_shower']:.2g}",
            *("-" if one is None else f"{one:.2f}" for one in ratios),
        ])  # fmt: skip
    header = ("model", "parameters", "training", "ms per shower", "response", "its width", "hits")
    return Table(
        "Models", header, rows, "Response (deposits over incident energy), its width and hits: generated / reference."
    )


def _drawn(found: Evaluation, graph: CellGraph) -> Iterator[str]:
    """Draw showers of each sample, some observables, profiles and hit energies."""
    from hgcal_gnn.evaluation.report.contents import REFERENCE
    from hgcal_gnn.plotting.report_drawn import observable_figure
    from hgcal_gnn.plotting.report_figures import report_figures

    for drawn in report_figures(found, graph.cells, sections=("showers",)):
        yield _inline(drawn.key, drawn.figure, drawn.caption, is_wide=drawn.is_wide)
    for name in OBSERVABLES:
        if name in found.tables[REFERENCE].names:
            yield _inline(name, observable_figure(found, name), name.replace("_", " "))
    for drawn in report_figures(found, sections=("profiles", "hits")):
        if drawn.section == "profiles" and drawn.key not in PROFILES:
            continue
        yield _inline(drawn.key, drawn.figure, drawn.caption, is_wide=drawn.is_wide)


def _next(files: Files) -> str:
    rows = (f"<p>{escape(why)}:</p><pre>{escape(command)}</pre>" for why, command in next_commands(files))
    return "\n".join(rows)


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>\n"


def _plots(figures: Iterator[str], least: str = "350px") -> str:
    """Lay figures side by side, each at least so wide."""
    columns = f"grid-template-columns: repeat(auto-fill, minmax({least}, 1fr))"
    return f'<div class="plots" style="{columns}">{"".join(figures)}</div>\n'


def _image(path: Path, caption: str) -> str:
    """Return a picture of a file: of very many cells or hits, too large as a drawing."""
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    image = f'<img src="data:image/png;base64,{content}" alt="{escape(caption, quote=True)}">'
    return f'<figure class="wide">{image}<figcaption>{escape(caption)}</figcaption></figure>\n'


def _inline(key: str, figure: Figure, caption: str, *, is_wide: bool = False) -> str:
    from hgcal_gnn.evaluation.report.page import Picture, figure_html
    from hgcal_gnn.plotting.inline_svg import inline_svg

    return figure_html(Picture("", "", caption, inline_svg(figure, key), is_wide))
