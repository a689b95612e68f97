"""evaluate: generated showers against reference ones: everything measured, one report."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.cli.variadic import VariadicCommand
from hgcal_gnn.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hgcal_gnn.arrays import F32
    from hgcal_gnn.evaluation.report.contents import Evaluation
    from hgcal_gnn.evaluation.report.page import Picture
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.showers import Showers

logger = logging.getLogger(__name__)
METRICS, PAGE, TEXT, PLOTS = "metrics.json", "report.html", "report.md", "plots"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("evaluate", cls=VariadicCommand)(evaluate)


def evaluate(
    reference: Annotated[Path, typer.Option(help="Store of reference showers (.arrow): Geant4, or held-out ones.")],
    generated: Annotated[list[Path], typer.Option(help="Stores of generated showers: a.arrow b.arrow ...")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the report; made if needed.")],
    graph: args.Graph = None,
    detector: args.Detector = None,
    material: Annotated[
        Path | None, typer.Option(help="Material and calibration of the detector (.yaml); default: built in.")
    ] = None,
    names: Annotated[
        list[str] | None, typer.Option(help="Names of the generated samples (default: those of the files).")
    ] = None,
    training: Annotated[
        Path | None, typer.Option(help="What the generators were trained on: shows memorised showers, amplification.")
    ] = None,
    same_model: Annotated[
        list[str] | None,
        typer.Option(help="Samples of one model trained with several seeds: gan=gan_0,gan_1 gnn=gnn_0,gnn_1."),
    ] = None,
    regressor: Annotated[
        Path | None, typer.Option(help="Run folder of a trained energy regressor, whose response is compared.")
    ] = None,
    convention: Annotated[
        str, typer.Option(help="Observables as defined by: ours, hgcal_challenge, calochallenge.")
    ] = ("ours"),
    observables: Annotated[
        list[str] | None, typer.Option(help="Groups or names of observables: energy radial ... (default: all groups).")
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            help="Parts to leave out: correlation, physics_distance, classifier, classifier_hits, classifier_cells, "
            "energies, eta, reconstruction, referee."
        ),
    ] = None,
    max_showers: Annotated[int | None, typer.Option(help="At most so many showers of each file.")] = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, help="Leave cells of at most this energy [GeV] out of all samples.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of everything random: same files and seed, same numbers.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="A first look: 2,000 showers, without the slow parts.")
    ] = False,
    scheduler: args.Scheduler = None,
    overwrite: args.Overwrite = False,
    as_json: args.AsJson = False,
) -> None:
    """Compare generated showers to reference ones: observables, distances, classifier, reconstruction; one report.

    Writes report.html (one file, opens without network), report.md, metrics.json and plots/*.png. Parts that the
    showers do not allow are marked as not available, with the reason.
    """
    from hgcal_gnn.evaluation.report.seeds import check_models
    from hgcal_gnn.evaluation.report.settings import EvaluationSettings

    labels = sample_names(generated, names)
    settings = EvaluationSettings(
        observables=tuple(observables or ()), convention=convention, max_showers=max_showers, seed=seed,
        skip=tuple(skip or ()), threshold=threshold,
    )  # fmt: skip
    check_output(output, overwrite=overwrite)
    for path in (reference, *generated, *([training] if training else [])):
        _check_store(path)
    given = dict(zip(labels, generated, strict=True))
    models = models_of(same_model or [])
    check_models(models, given)
    cells, profile = _geometry(graph, detector, material, reference)
    more: dict[str, Any] = {
        "training": training,
        "same_model": models,
        "regressor": _regressor(regressor, cells),
        "cluster": scheduler,
    }
    if quick:
        settings = settings.quick(reconstructing=regressor is not None)
    found = _evaluated(reference, given, cells, profile, settings, more)
    write_report(found, cells.cells, output, overwrite=overwrite)
    _tell(found, output, as_json=as_json)


def sample_names(files: Sequence[Path], names: Sequence[str] | None) -> list[str]:
    """Return the names of generated samples: as given, or those of their files or, if these are alike, folders.

    Raises
    ------
    UsageError
        If they are not one for each file, or not different.
    """
    if names and len(names) != len(files):
        msg = f"--names: {len(names)} names for {len(files)} generated samples"
        raise UsageError(msg)
    found = list(names or [path.stem for path in files])
    if not names and len(set(found)) < len(found):
        found = [f"{path.resolve().parent.name}/{path.stem}" for path in files]
    if len(set(found)) < len(found) or "reference" in found:
        msg = f"generated samples called {', '.join(found)}: give each a name of its own, not 'reference', with --names"
        raise UsageError(msg)
    return found


def models_of(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read models and their samples: ["gan=gan_0,gan_1"] gives {"gan": ("gan_0", "gan_1")}.

    Raises
    ------
    UsageError
        For a text without name or samples, or a name that comes twice.
    """
    models: dict[str, tuple[str, ...]] = {}
    for text in texts:
        model, _, names = text.partition("=")
        if not model or not names or model in models:
            msg = f"--same-model {text}: give NAME=SAMPLE,SAMPLE,... with another NAME each, such as gan=gan_0,gan_1"
            raise UsageError(msg)
        models[model] = tuple(names.split(","))
    return models


def _regressor(folder: Path | None, graph: CellGraph) -> Callable[[Showers], F32] | None:
    """Load a trained regressor as a function of showers."""
    if folder is None:
        return None
    from hgcal_gnn.training.load import load_regressor

    predictor = load_regressor(folder, graph)
    return lambda showers: predictor(showers).energy


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Refuse before the work what could not be written after it."""
    from hgcal_gnn.files import check_writable

    if not folder.exists():
        check_writable(folder)
        return
    if not folder.is_dir():
        msg = f"{folder}: is a file; give a folder for the report"
        raise OutputError(msg)
    for name in (PAGE, TEXT, METRICS):
        check_writable(folder / name, overwrite=overwrite)
    left = next((folder / PLOTS).glob("*.png"), None)
    if left is not None:
        check_writable(left, overwrite=overwrite)


def write_report(found: Evaluation, cells: CellTable, folder: Path, *, overwrite: bool = False) -> None:
    """Write report.html, report.md, metrics.json and plots/*.png."""
    from hgcal_gnn.evaluation.report.markdown import markdown
    from hgcal_gnn.evaluation.report.metrics_file import metrics
    from hgcal_gnn.evaluation.report.page import html_page
    from hgcal_gnn.files import atomic_path

    (folder / PLOTS).mkdir(parents=True, exist_ok=True)

    def write(name: str, text: str) -> None:
        with atomic_path(folder / name, overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")

    write(
        METRICS, json.dumps(metrics(found), indent=1, allow_nan=False) + "\n"
    )  # numbers first: the rest is made of them
    write(TEXT, markdown(found))
    write(PAGE, html_page(found, list(_pictures(found, cells, folder / PLOTS, overwrite=overwrite))))


def _pictures(found: Evaluation, cells: CellTable, folder: Path, *, overwrite: bool) -> Iterator[Picture]:
    """Draw the pictures one by one, into files and for the page."""
    from hgcal_gnn.evaluation.report.page import Picture
    from hgcal_gnn.plotting.inline_svg import inline_svg
    from hgcal_gnn.plotting.report_figures import UNDRAWABLE, count_figures, report_figures
    from hgcal_gnn.plotting.style import save_figure
    from hgcal_gnn.progress import progress_bar

    with progress_bar("drawing", total=count_figures(found), unit="picture") as bar:
        for drawn in report_figures(found, cells):
            bar.update()
            try:
                save_figure(drawn.figure, folder / f"{drawn.key}.png", overwrite=overwrite, dpi=110)
                drawn.figure.set_layout_engine("none")  # everything has its place now
                svg = inline_svg(drawn.figure, drawn.key)
            except UNDRAWABLE as error:
                logger.warning("picture %s is missing: %s: %s", drawn.key, type(error).__name__, error)
                continue
            yield Picture(drawn.section, drawn.group, drawn.caption, svg, drawn.is_wide)


def _evaluated(
    reference: Path,
    generated: dict[str, Path],
    graph: CellGraph,
    material: MaterialProfile | None,
    settings: EvaluationSettings,
    more: dict[str, Any],
) -> Evaluation:
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.evaluation.report.run import evaluate as measure
    from hgcal_gnn.evaluation.report.run import parts

    with compile_note(), _told(parts(len(generated))) as told:
        return measure(reference, generated, graph, material, settings, progress=told, **more)


@contextmanager
def _told(total: int) -> Iterator[Callable[[str], None]]:
    """Show which part is worked on."""
    from hgcal_gnn.progress import progress_bar

    with progress_bar("evaluating", total=total, unit="part") as bar:
        started = False

        def told(part: str) -> None:
            nonlocal started
            bar.update(int(started))
            bar.set_description(part)
            if bar.disable:  # no terminal: a line in the log for each part
                logger.info("evaluating: %s", part)
            started = True

        yield told


def _check_store(path: Path) -> None:
    from hgcal_gnn.files import check_readable

    check_readable(path)
    if path.suffix.lower() != ".arrow":
        msg = f"{path}: a shower store (.arrow) is needed: hgcal-gnn convert {path} -o {path.stem}.arrow"
        raise UsageError(msg)


def _geometry(
    graph: Path | None, detector: str | None, material: Path | None, reference: Path
) -> tuple[CellGraph, MaterialProfile | None]:
    from hgcal_gnn.cli.showers_geometry import choose_graph
    from hgcal_gnn.geometry.material import load_material
    from hgcal_gnn.showers.store import open_store

    cells = choose_graph(graph, detector, made_with=open_store(reference).metadata, source=str(reference))
    return cells, None if material is None else load_material(cells.cells.detector, material)


def _tell(found: Evaluation, folder: Path, *, as_json: bool) -> None:
    from hgcal_gnn.evaluation.report.metrics_file import metrics
    from hgcal_gnn.evaluation.report.tables import summary_table
    from hgcal_gnn.evaluation.text import markdown_table

    if as_json:
        print(json.dumps(metrics(found), indent=1, allow_nan=False))
        return
    table = summary_table(found)
    print(markdown_table(table.header, table.rows))
    print(f"written to {folder}: {PAGE}, {TEXT}, {METRICS}, {PLOTS}/")
