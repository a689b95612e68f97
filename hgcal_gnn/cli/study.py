"""study: train several methods with several seeds on the same showers, and compare them."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from hgcal_gnn.cli.errors import INTERRUPTED
from hgcal_gnn.errors import OutputError, TrainingError, UsageError

if TYPE_CHECKING:
    from hgcal_gnn.config.study import StudyRun


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("study")(study)


def study(
    file: Annotated[Path, typer.Argument(help="YAML file of the study (configs/studies).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the runs and their comparison.")],
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a common setting: train.epochs=3; of a method: methods.gcn.train.epochs=3."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Train and compare these methods only.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each. Default: cores / jobs.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Generators: a first look at their showers only (evaluate --quick).")
    ] = False,
    regressor: Annotated[
        Path | None,
        typer.Option(help="Generators: run folder of an energy regressor that looks at their showers."),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="Generators: leave out a part of the report (evaluate --skip).")
    ] = None,
) -> None:
    """Train what a study asks for and compare it; trainings that are done already stay as they are.

    An interrupted study goes on with the same command.
    """
    from hgcal_gnn.config.study import read_study

    found, runs = read_study(file, change or [])
    runs = _chosen(runs, only or [])
    evaluation = _evaluation(runs, regressor or found.regressor, skip or [], quick=quick)
    print(f"{found.title}: {len(runs)} trainings")
    _make_folder(output)
    todo = [run for run in runs if not _is_done(run, output / run.name)]
    _prepare(todo)
    threads = threads or max((os.cpu_count() or 1) // jobs, 1)
    try:
        codes = _train_all(todo, output, jobs, threads)
    except KeyboardInterrupt:
        print("\nInterrupted; finished trainings and epochs are kept. Go on with the same command.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    failed = [run.name for run, code in zip(todo, codes, strict=True) if code]
    if failed:
        where = f"see {output}/NAME.log" if jobs > 1 else "see above"
        msg = (
            f"{len(failed)} of {len(todo)} trainings failed: {', '.join(failed)}; {where}. The same command tries them "
            "again; --only compares the others"
        )
        raise TrainingError(msg)
    code = _compare(runs, output, threads, evaluation)
    if code:
        raise typer.Exit(code)


def _evaluation(runs: list[StudyRun], regressor: Path | None, skip: list[str], *, quick: bool) -> list[str]:
    """Return options of the evaluation of generators; refuse those that have no use."""
    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.config.run import RunConfig

    given = {"--quick": quick, "--regressor": regressor is not None, "--skip": bool(skip)}
    if not isinstance(runs[0].config, GenerationConfig):
        useless = [option for option, is_given in given.items() if is_given]
        if useless:
            msg = f"{', '.join(useless)}: for studies of generators; this one is of regressors"
            raise UsageError(msg)
        return []
    looking = []
    if regressor is not None:
        from hgcal_gnn.training.run_folder import RunFolder

        RunFolder(regressor).read_config(RunConfig)  # now, not after the trainings
        looking = ["--regressor", str(regressor)]
    return [*(["--quick"] if quick else []), *looking, *(part for name in skip for part in ("--skip", name))]


def _compare(runs: list[StudyRun], output: Path, threads: int, evaluation: list[str]) -> int:
    """Compare what was trained: predictions of regressors, or showers of generators."""
    from hgcal_gnn.config.generation import GenerationConfig

    if isinstance(runs[0].config, GenerationConfig):
        from hgcal_gnn.cli.study_generators import compare_generators

        return compare_generators(runs, output, _call, threads=threads, evaluation=evaluation)
    folders = [str(output / run.name) for run in runs]
    return _call(["compare", *folders, "-o", str(output / "comparison"), "--overwrite"])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made a folder: {os.strerror(error.errno or 0)}; choose another one with -o"
        raise OutputError(msg) from error


def _chosen(runs: list[StudyRun], only: list[str]) -> list[StudyRun]:
    methods = list(dict.fromkeys(run.method for run in runs))
    unknown = [name for name in only if name not in methods]
    if unknown:
        msg = f"--only {', '.join(unknown)}: the study has the methods {', '.join(methods)}"
        raise UsageError(msg)
    return [run for run in runs if not only or run.method in only]


def _is_done(run: StudyRun, folder: Path) -> bool:
    """Tell whether a run is there; one with other settings stands in the way."""
    from hgcal_gnn.config.any_run import read_run

    if (folder / "config.yaml").exists() and read_run(folder / "config.yaml") != run.config:
        msg = f"{folder}: was trained with other settings; remove it, or choose another output folder"
        raise UsageError(msg)
    return (folder / "metrics.json").exists()


def _prepare(runs: list[StudyRun]) -> None:
    """Build graphs and simulate samples once, before trainings start side by side."""
    from hgcal_gnn.training.geometry import load_geometry
    from hgcal_gnn.training.samples import open_sample

    done = set[str]()
    for run in runs:
        data = run.config.data
        key = data.model_dump_json()
        if key in done:
            continue
        done.add(key)
        graph, material = load_geometry(data)
        for sample in (data.train, data.test):
            if sample is not None:
                open_sample(sample, graph.cells, material)


def _train_all(runs: list[StudyRun], output: Path, jobs: int, threads: int) -> list[int]:
    """Train some at a time; once one was interrupted no other begins."""
    interrupted = Event()

    def train(run: StudyRun) -> int:
        if interrupted.is_set():
            return INTERRUPTED
        try:
            code = _train(run, output, threads, quiet=jobs > 1)
        except KeyboardInterrupt:
            code = INTERRUPTED
        if code == INTERRUPTED:
            interrupted.set()
        return code

    with ThreadPoolExecutor(jobs) as pool:
        codes = list(pool.map(train, runs))
    if interrupted.is_set():
        raise KeyboardInterrupt
    return codes


def _train(run: StudyRun, output: Path, threads: int, *, quiet: bool) -> int:
    """Train in a process of its own and return its exit code."""
    from hgcal_gnn.config.read import write_config

    settings = output / f"{run.name}.yaml"
    write_config(run.config, settings, overwrite=True)
    folder = output / run.name
    resume = ["--resume"] if (folder / "config.yaml").exists() else []
    print(f"{run.name}: training, {threads} threads" + (f", log in {run.name}.log" if quiet else ""), flush=True)
    log = output / f"{run.name}.log" if quiet else None
    code = _call(["train", str(settings), "-o", str(folder), "--threads", str(threads), *resume], log)
    ends = {0: "done", INTERRUPTED: "interrupted"}
    print(f"{run.name}: {ends.get(code, f'failed with exit code {code}')}", flush=True)
    return code


def _call(arguments: list[str], log: Path | None = None) -> int:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "hgcal_gnn", *arguments]
    if log is None:
        return subprocess.run(command, check=False).returncode
    with log.open("a", encoding="utf-8") as stream:
        return subprocess.run(command, check=False, stdout=stream, stderr=subprocess.STDOUT).returncode
