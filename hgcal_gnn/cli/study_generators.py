"""The end of a study of generators: showers like the test sample from each of them, all in one report."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from hgcal_gnn.cli.study_samples import SampleFiles, is_made, samples_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hgcal_gnn.cli.study_samples import StudySample
    from hgcal_gnn.config.data import DataConfig
    from hgcal_gnn.config.study import StudyRun
    from hgcal_gnn.plotting.pareto import ParetoPoint

    Call = Callable[[list[str], Path | None], int]

STEP = 8192  # showers written at a time
BATCH = 100  # showers at a time when generators are timed


def compare_generators(
    runs: Sequence[StudyRun], output: Path, call: Call, *, threads: int, evaluation: Sequence[str] = ()
) -> int:
    """Generate as many showers as the test sample has, for its particles, time the generators, and evaluate all.

    Parameters
    ----------
    runs
        Trained, in folders of `output` under their names.
    output
        Gets reference.arrow; NAME.arrow, NAME.generation.json and NAME.timing.json of each sample, which stay if
        they are there; and comparison/, with how the trainings went, a table of all that is asked of a study, and
        quality against time.
    call
        Runs a command line, whose text goes into a file if one is given, and returns its exit code.
    evaluation
        Further options of `evaluate`.

    Returns
    -------
    int
        Exit code of the first command that failed, or 0.
    """
    reference = output / "reference.arrow"
    graph = _write_reference(runs[0].config.data, reference)
    samples = samples_of(runs)
    for sample in samples:
        timing = SampleFiles.of(sample, output).timing
        if is_made(sample, output, reference):
            print(f"{sample.name}: showers are there already")
        else:
            timing.unlink(missing_ok=True)
            code = _generate(sample, output, reference, call, threads)
            if code:
                return code
        code = 0 if timing.exists() else _time(sample, output, call, threads)
        if code:
            return code
    # what some cannot generate is asked of none
    threshold = max(float(getattr(run.config.model, "threshold", 0.0)) for run in runs)
    command = _evaluate(samples, output, reference, graph, threshold)
    code = call([*command, *_material(runs[0].config.data), *evaluation], None)
    if not code:
        made = output / "comparison"
        _draw_trainings({run.name: output / run.name for run in runs}, made / "trainings.png")
        found = _numbers(runs[0].config.data, samples, output, threshold)
        _write_text(made / "study.json", json.dumps(found, indent=1, allow_nan=False) + "\n")
        draw_quality_against_time(found, made / "pareto.png")
        _write_table(found, made / "study.md")
    return code


def _generate(sample: StudySample, output: Path, reference: Path, call: Call, threads: int) -> int:
    files = SampleFiles.of(sample, output)
    command = [
        "generate", str(output / sample.run), "--like", str(reference), "-o", str(files.showers), "--report",
        str(files.generation), "--seed", str(sample.seed), "--extrapolate",
    ]  # fmt: skip
    return call([*command, *_common(sample, threads)], None)


def _time(sample: StudySample, output: Path, call: Call, threads: int) -> int:
    """Time a generator; what the command says is as long for each of them, and goes into a file."""
    files = SampleFiles.of(sample, output)
    command = [
        "benchmark", str(output / sample.run), "-o", str(files.timing), "--batch-sizes", str(BATCH), "--calls", "5",
        "--warm-up", "1", "--seconds", "30",
    ]  # fmt: skip
    print(f"{sample.name}: timing", flush=True)
    code = call([*command, *_common(sample, threads)], files.log)
    if code:
        print(f"{sample.name}: timing failed, see {files.log}", flush=True)
    return code


def _common(sample: StudySample, threads: int) -> list[str]:
    steps = [] if sample.steps is None else ["--steps", str(sample.steps)]
    return ["--threads", str(threads), "--overwrite", *steps]


def _evaluate(
    samples: Sequence[StudySample], output: Path, reference: Path, graph: Path, threshold: float
) -> list[str]:
    seeds = defaultdict(list)
    for sample in samples:
        seeds[sample.variant].append(sample.name)
    same = [f"{variant}={','.join(names)}" for variant, names in seeds.items() if len(names) > 1]
    generated = [str(output / f"{sample.name}.arrow") for sample in samples]
    return [
        "evaluate", "--reference", str(reference), "--generated", *generated, "--graph", str(graph),
        *(["--threshold", str(threshold)] if threshold else []), *(["--same-model", *same] if same else []),
        "-o", str(output / "comparison"), "--overwrite",
    ]  # fmt: skip


def _material(config: DataConfig) -> list[str]:
    """Return the option for a material of one's own; built-in ones are found by the detector."""
    is_file = config.material is not None and config.material.endswith((".yaml", ".yml"))
    return ["--material", str(config.material)] if is_file else []


def _numbers(config: DataConfig, samples: Sequence[StudySample], output: Path, threshold: float) -> dict[str, Any]:
    """Gather the numbers of the study."""
    from hgcal_gnn.cli.study_numbers import REFERENCE, ratios_to_reference, study_numbers
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.training.geometry import load_geometry

    graph, material = load_geometry(config)
    names = [REFERENCE, *(sample.name for sample in samples)]
    files = {name: output / f"{name}.arrow" for name in names}
    ratios = ratios_to_reference(files, CellNumbers.of(graph.cells, material), threshold)
    is_simulated = (config.test or config.train).showers is None
    return study_numbers(output, samples, ratios, is_simulated=is_simulated)


def _write_table(found: dict[str, Any], path: Path) -> None:
    """Write the table of the study, and show it."""
    from hgcal_gnn.cli.study_table import study_table

    text = study_table(found, BATCH)
    _write_text(path, text)
    print(f"\n{text}\n{path}")


def _write_text(path: Path, text: str) -> None:
    from hgcal_gnn.files import atomic_path

    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def draw_quality_against_time(found: dict[str, Any], path: Path) -> None:
    """Draw separation power and AUC, where they are known, against the time per shower.

    Parameters
    ----------
    found
        What `study_numbers` gathered.
    path
        Of the picture.
    """
    from hgcal_gnn.plotting.pareto import ParetoPanel, pareto_figure
    from hgcal_gnn.plotting.style import save_figure

    panels = [
        ParetoPanel("separation power, above the floor", 0.0, _points(found, lambda one: {"value": one["separation"]})),
        ParetoPanel("AUC of a classifier on observables", 0.5, _points(found, lambda one: one["auc"])),
    ]
    known = [panel for panel in panels if panel.methods]
    time = found["reference"]["ms_per_shower"]
    if known:
        save_figure(pareto_figure(known, None if time is None else time["value"]), path, overwrite=True)


def _points(
    found: dict[str, Any], quality: Callable[[dict[str, Any]], dict[str, float | None]]
) -> dict[str, list[ParetoPoint]]:
    """Return the points of each method: one per seed and number of steps."""
    from hgcal_gnn.plotting.pareto import ParetoPoint

    points = defaultdict(list)
    for one in found["samples"].values():
        measured = quality(one)
        if measured["value"] is not None:
            steps, time = one["steps"], one["ms_per_shower"]["value"]
            name = one["method"] if steps is None else f"{one['method']} (steps)"
            label = "" if steps is None else str(steps)
            points[name].append(ParetoPoint(time, measured["value"], measured.get("error"), label))
    return dict(points)


def _draw_trainings(folders: Mapping[str, Path], path: Path) -> None:
    """Draw how the trainings went, beside the report."""
    from hgcal_gnn.plotting.generator_trainings import trainings_figure
    from hgcal_gnn.plotting.style import save_figure
    from hgcal_gnn.training.run_folder import RunFolder
    from hgcal_gnn.training_log import read_columns

    logs = {name: read_columns(RunFolder(folder).log, "val_separation") for name, folder in folders.items()}
    save_figure(trainings_figure(logs), path, overwrite=True)


def _write_reference(config: DataConfig, path: Path) -> Path:
    """Write the test sample of a study as a store of its own; return the file of its graph."""
    from hgcal_gnn.geometry.detector_graph import detector_graph
    from hgcal_gnn.showers.store import write_showers
    from hgcal_gnn.training.data import open_data

    test = open_data(config).test
    chunks = (test.store[test.rows[start : start + STEP]] for start in range(0, len(test), STEP))
    write_showers(chunks, path, overwrite=True)
    if config.graph is not None:
        return config.graph
    window = {} if config.window is None else config.window.model_dump()
    return detector_graph(str(config.detector), **window)[1]
