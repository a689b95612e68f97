"""The end of a study of generators: showers like the test sample from each of them, all in one report."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hgcal_gnn.config.study import StudyRun

STEP = 8192  # showers written at a time


def compare_generators(
    runs: Sequence[StudyRun], output: Path, call: Callable[[list[str]], int], *, threads: int, quick: bool = False
) -> int:
    """Generate as many showers as the test sample has, for its particles, and evaluate all samples.

    Parameters
    ----------
    runs
        Trained, in folders of `output` under their names.
    output
        Gets reference.arrow, NAME.arrow of each run and comparison/, with how the trainings went and a table
        of all that is asked of a study.
    call
        Runs a command line and returns its exit code.
    quick
        A first look only.

    Returns
    -------
    int
        Exit code of the first command that failed, or 0.
    """
    reference = output / "reference.arrow"
    graph = _write_reference(runs[0], reference)
    for run in runs:
        sample = output / f"{run.name}.arrow"
        command = ["generate", str(output / run.name), "--like", str(reference), "-o", str(sample), "--overwrite"]
        code = call([*command, "--threads", str(threads), "--seed", str(run.config.seed), "--extrapolate"])
        if code:
            return code
    seeds = defaultdict(list)
    for run in runs:
        seeds[run.method].append(run.name)
    same = [f"{method}={','.join(names)}" for method, names in seeds.items() if len(names) > 1]
    generated = [str(output / f"{run.name}.arrow") for run in runs]
    command = ["evaluate", "--reference", str(reference), "--generated", *generated, "--graph", str(graph)]
    # what some cannot generate is asked of none
    threshold = max(float(getattr(run.config.model, "threshold", 0.0)) for run in runs)
    command += [*(["--threshold", str(threshold)] if threshold else [])]
    command += [*(["--same-model", *same] if same else []), *(["--quick"] if quick else [])]
    code = call([*command, "-o", str(output / "comparison"), "--overwrite"])
    if not code:
        _draw_trainings({run.name: output / run.name for run in runs}, output / "comparison" / "trainings.png")
        _write_table(output, [run.name for run in runs])
    return code


def _write_table(output: Path, names: Sequence[str]) -> None:
    """Write the table of the study, and show it."""
    from hgcal_gnn.cli.study_table import study_table
    from hgcal_gnn.files import atomic_path

    text = study_table(output, names)
    path = output / "comparison" / "study.md"
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"\n{text}\n{path}")


def _draw_trainings(folders: Mapping[str, Path], path: Path) -> None:
    """Draw how the trainings went, beside the report."""
    from hgcal_gnn.plotting.generator_trainings import trainings_figure
    from hgcal_gnn.plotting.style import save_figure
    from hgcal_gnn.training.run_folder import RunFolder
    from hgcal_gnn.training_log import read_columns

    logs = {name: read_columns(RunFolder(folder).log, "val_separation") for name, folder in folders.items()}
    save_figure(trainings_figure(logs), path, overwrite=True)


def _write_reference(run: StudyRun, path: Path) -> Path:
    """Write the test sample of a study as a store of its own; return the file of its graph."""
    from hgcal_gnn.geometry.detector_graph import detector_graph
    from hgcal_gnn.showers.store import write_showers
    from hgcal_gnn.training.data import open_data

    config = run.config.data
    test = open_data(config).test
    chunks = (test.store[test.rows[start : start + STEP]] for start in range(0, len(test), STEP))
    write_showers(chunks, path, overwrite=True)
    if config.graph is not None:
        return config.graph
    window = {} if config.window is None else config.window.model_dump()
    return detector_graph(str(config.detector), **window)[1]
