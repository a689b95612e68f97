"""compare: trained regressors beside each other, on the showers all of them were tested on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.evaluation.comparison_report import ComparisonReport
    from hgcal_gnn.evaluation.run_folders import Run

FILES = ("comparison.json", "comparison.csv", "comparison.md", "resolution.png", "linearity.png")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("compare")(compare)


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; the first method is what others are compared to.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for tables and pictures; made if needed.")],
    bins: Annotated[
        str | None, typer.Option(help="Edges of the energy bins [GeV]: 10,20,50 (default: chosen).")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="Name of the method others are compared to.")] = None,
    particle: Annotated[
        str | None,
        typer.Option(help="Published numbers to show: photon, electron, pion or none (default: as simulated)."),
    ] = None,
    overwrite: args.Overwrite = False,
    as_json: args.AsJson = False,
) -> None:
    """Compare trained regressors: bias and resolution against energy, with errors.

    Runs that differ in their seed only count as one method. All must have been tested on the same showers.
    """
    edges = _edges(bins)
    _check_output(output, overwrite=overwrite)
    from hgcal_gnn.evaluation.comparison_report import compare_runs
    from hgcal_gnn.evaluation.energy_bins import energy_bins
    from hgcal_gnn.evaluation.run_folders import read_run

    folders = [read_run(folder) for folder in runs]
    report = compare_runs(
        folders, lambda truth: energy_bins(truth, edges), baseline=baseline, pdg_id=_pdg_id(particle, folders)
    )
    write_comparison(report, output, overwrite=overwrite)
    print(json.dumps(report.to_json(), indent=2) if as_json else report.to_markdown())
    if not as_json:
        print(f"written to {output}: {', '.join(FILES)}")


def _edges(text: str | None) -> Sequence[float] | Literal["auto"]:
    """Read '10,20,50'."""
    if text is None:
        return "auto"
    from hgcal_gnn.evaluation.energy_bins import energy_bins

    try:
        return [float(edge) for edge in energy_bins([], [float(part) for part in text.split(",")]).edges]
    except ValueError as error:
        msg = f"--bins {text}: write two or more ascending energies in GeV as --bins 10,20,50"
        raise UsageError(msg) from error


def _check_output(folder: Path, *, overwrite: bool) -> None:
    """Refuse before the work what could not be written after it."""
    from hgcal_gnn.files import check_writable

    if not folder.exists():
        check_writable(folder)
        return
    if not folder.is_dir():
        msg = f"{folder}: is a file; give a folder for tables and pictures"
        raise OutputError(msg)
    for name in FILES:
        check_writable(folder / name, overwrite=overwrite)


def _pdg_id(particle: str | None, runs: Sequence[Run]) -> int:
    """Return the particle whose published numbers are shown; by default that of a simulated HGCAL test sample."""
    from hgcal_gnn.simulation.beam import PDG

    if particle is not None:
        if particle != "none" and particle not in PDG:
            msg = f"--particle {particle}: there are none, {', '.join(PDG)}"
            raise UsageError(msg)
        return PDG.get(particle, 0)
    data: Any = runs[0].config.get("data") or {}
    sample = data.get("test") or data.get("train") or {}
    simulated = sample.get("simulate") or {}
    return PDG.get(simulated.get("particle", "none"), 0) if data.get("detector") == "hgcal" else 0


def write_comparison(report: ComparisonReport, folder: Path, *, overwrite: bool) -> None:
    """Write the tables and pictures of a comparison into a folder."""
    from hgcal_gnn.files import atomic_path
    from hgcal_gnn.plotting.resolution import linearity_figure, resolution_figure
    from hgcal_gnn.plotting.style import save_figure

    folder.mkdir(exist_ok=True)
    texts = (json.dumps(report.to_json(), indent=2) + "\n", report.to_csv(), report.to_markdown())
    for name, text in zip(FILES, texts, strict=False):
        with atomic_path(folder / name, overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")
    comparison = report.comparison
    pictures = (
        resolution_figure(comparison.tables, fits=report.fits, ratios=comparison.ratios, published=report.published),
        linearity_figure(comparison.tables),
    )
    for name, picture in zip(FILES[len(texts) :], pictures, strict=True):
        save_figure(picture, folder / name, overwrite=overwrite)
