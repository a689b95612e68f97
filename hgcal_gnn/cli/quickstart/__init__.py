"""quickstart: the whole story on the embedded detector, in an empty folder, in minutes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from hgcal_gnn.cli.errors import INTERRUPTED
from hgcal_gnn.cli.quickstart import data, networks, report
from hgcal_gnn.cli.quickstart.diary import Diary
from hgcal_gnn.cli.quickstart.plan import FULL, TINY, Files, Size, can_train, next_commands

MOST_THREADS = 4  # more are no help to networks as small as these
INSTALL = "pip install 'hgcal-gnn[torch]'"


class Step(NamedTuple):
    """A step: its name in the diary, what it does, and whether it trains networks."""

    name: str
    title: str
    work: Callable[[Files, Size], None]
    is_training: bool = False


STEPS = (
    Step("geometry", "Geometry: a piece of one endcap of the CMS HGCAL", data.make_table),
    Step("graph", "Cell graph: touching cells, silicon-scintillator border, neighbours in depth", data.make_graph),
    Step("showers", "Showers at eta 2 (parametrised simulation)", data.make_showers),
    Step("regression", "Energy of pions: a graph network against the sum of the hits", networks.regress, True),
    Step("voxel generator", "Fast simulation of photons in voxels", networks.train_voxel_generator, True),
    Step("graph generator", "Fast simulation of photons in cells", networks.train_graph_generator, True),
    Step("report", "Report: everything on one page", report.write),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("quickstart")(quickstart)


def quickstart(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path("quickstart"),
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Of everything so little that it takes seconds: does it run here?")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help=f"Threads of trainings. Default: all processors, at most {MOST_THREADS}.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew: remove what an earlier quickstart left in the folder.")
    ] = False,
) -> None:
    """Run the whole story on the embedded detector: geometry, graph, showers, energies, two generators, a report.

    Steps that are done are not done again: after Ctrl-C, the same command goes on.
    """
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.evaluation.text import duration

    files, size = Files(output), TINY if tiny else FULL
    diary = Diary.open(files, size.name, overwrite=overwrite)
    trains = can_train()
    if trains:
        from hgcal_gnn.cli.threads import use_threads
        from hgcal_gnn.hardware import usable_cores

        use_threads(threads or min(usable_cores(), MOST_THREADS))
    anything = False
    for number, step in enumerate(STEPS, 1):
        print(f"{number}/{len(STEPS)} {step.title}", flush=True)
        if step.is_training and not trains:
            print(f"    left out: networks need more packages: {INSTALL}; then repeat the command")
        elif _is_done(step, diary, files) and not (anything and step is STEPS[-1]):
            print("    done already")
        else:
            anything = True
            try:
                with compile_note(), diary.step(step.name):
                    step.work(files, size)
            except KeyboardInterrupt:
                print("\nInterrupted; steps that are done stay. The same command goes on.", file=sys.stderr)
                raise typer.Exit(INTERRUPTED) from None
            print(f"    {duration(diary.times[step.name].seconds)}", flush=True)
    _summary(files, diary)


def _is_done(step: Step, diary: Diary, files: Files) -> bool:
    return diary.is_done(step.name) and all(path.exists() for path in files.products(step.name))


def _summary(files: Files, diary: Diary) -> None:
    """Say what was written, what it took, and what to do next."""
    print(f"\n{'step':<18} {'time [s]':>9} {'processor time [s]':>19}")
    for name, took in diary.times.items():
        print(f"{name:<18} {took.seconds:>9.0f} {took.cpu_seconds:>19.0f}")
    total = [sum(column) for column in zip(*diary.times.values(), strict=True)]
    print(f"{'all':<18} {total[0]:>9.0f} {total[1]:>19.0f}")
    print(f"\nLook at {files.report} in a browser. All of it is in {files.folder}/:")
    for what, paths in files.contents().items():
        print(f"    {what:<24} {', '.join(path.name + '/' * path.is_dir() for path in paths if path.exists()) or '-'}")
    print("\nNext:")
    for why, command in next_commands(files):
        print(f"    {why}:\n        {command}")
