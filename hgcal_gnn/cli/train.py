"""train: a regressor or a generator from the settings in a file."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from hgcal_gnn.config.any_run import AnyRunConfig
    from hgcal_gnn.training.run_folder import RunFolder

CONFIG_FILES = (".yaml", ".yml")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("train")(train)


def train(
    config: Annotated[Path, typer.Argument(help="Settings (.yaml), or the folder of a run to resume.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: --set train.epochs=50 --set model.hidden=32.")
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option("--sweep", help="One run per value, in folders of their own: --sweep model.critic_steps=1,5,8."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Run folder. Default: runs/NAME-SEED, NAME as the settings.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the folder.")] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps; short for --set train.device=...")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads. Default: all processors.")] = None,
) -> None:
    """Train and test a regressor or a generator. After Ctrl-C or a crash, the same command with --resume goes on."""
    if resume and overwrite:
        msg = "give --resume or --overwrite, not both"
        raise UsageError(msg)
    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.cli.threads import use_threads
    from hgcal_gnn.training.machine import is_first_process

    if not is_first_process():
        logging.getLogger("hgcal_gnn").setLevel(logging.WARNING)  # the first one tells it for all
    use_threads(threads)
    common = [*(changes or []), *([f"train.device={device}"] if device else [])]
    settings, folder = _read(config, common, output)
    try:
        with compile_note():
            if sweep:
                _sweep(config, common, sweep, folder, overwrite=overwrite)
                return
            run = _run(settings, folder, resume=resume, overwrite=overwrite)
    except KeyboardInterrupt:
        _tell_interrupted(folder, "epoch" if hasattr(settings.train, "epochs") else "check")
        raise typer.Exit(130) from None
    if is_first_process():
        _tell(run)


def _sweep(config: Path, common: list[str], sweep: list[str], folder: Path, *, overwrite: bool) -> None:
    """Train all combinations; what an earlier call has finished stays, what it began goes on."""
    from hgcal_gnn.cli.sweep import run_sweep, sweep_table
    from hgcal_gnn.config.any_run import read_run
    from hgcal_gnn.training.machine import is_first_process

    def train_one(settings: AnyRunConfig, path: Path) -> None:
        _run(settings, path, resume=not overwrite, overwrite=overwrite)

    if config.is_dir() or (folder / "config.yaml").exists():
        msg = f"{folder}: is the folder of a single run; a sweep needs settings (.yaml), and a folder of its own (-o)"
        raise UsageError(msg)
    rows = run_sweep(sweep, lambda changes: read_run(config, [*common, *changes]), train_one, folder)
    if is_first_process():
        print(sweep_table(rows))
        print(f"runs and sweep.json: {folder}")


def _run(settings: AnyRunConfig, folder: Path, *, resume: bool, overwrite: bool) -> RunFolder:
    """Train what the settings are for."""
    from hgcal_gnn.config.run import RunConfig

    if isinstance(settings, RunConfig):
        from hgcal_gnn.training.run import run_training

        return run_training(settings, folder, resume=resume, overwrite=overwrite)
    from hgcal_gnn.training.generation.run import run_generation

    return run_generation(settings, folder, resume=resume, overwrite=overwrite)


def _read(config: Path, changes: list[str], output: Path | None) -> tuple[AnyRunConfig, Path]:
    """Return the settings and the run folder."""
    from hgcal_gnn.config.any_run import read_run

    if config.is_dir():
        from hgcal_gnn.training.run_folder import RunFolder

        folder = RunFolder(config)
        folder.read_any_config()
        return read_run(folder.config, changes), output or config
    if config.suffix not in CONFIG_FILES:
        msg = f"{config}: settings are a file that ends in .yaml, or the folder of a run"
        raise UsageError(msg)
    settings = read_run(config, changes)
    return settings, output or Path("runs") / f"{config.stem}-{settings.seed}"


def _tell_interrupted(folder: Path, part: str) -> None:
    from hgcal_gnn.training.run_folder import RunFolder

    run = RunFolder(folder)
    if not run.config.exists():
        print("\nInterrupted; repeat the command to go on (finished parts of a simulation are kept).", file=sys.stderr)
        return
    kept = f"the state after the last {part} is kept" if run.last.exists() else f"there was no {part} yet"
    print(f"\nInterrupted; {kept}. Go on with: hgcal-gnn train {folder} --resume", file=sys.stderr)


def _tell(run: RunFolder) -> None:
    """Print what came out."""
    import json

    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    if metrics.get("task") == "generation":
        _tell_generator(metrics)
        print(f"run folder: {run.path}")
        return
    rate = f", {metrics['showers_per_second']:.0f} showers/s" if metrics["showers_per_second"] else ""
    print(f"{metrics['kind']}: {metrics['n_parameters']} parameters, {metrics['epochs']} epochs in "
          f"{metrics['seconds']:.0f} s{rate} ({metrics['hardware']})")  # fmt: skip
    print(f"{'energy [GeV]':>16} {'showers':>8} {'bias [%]':>16} {'resolution [%]':>16}")
    for found in metrics["test"]["bins"]:
        shown = [_percent(found[name], found[f"{name}_error"]) for name in ("bias", "resolution")]
        print(f"{found['low']:>7.4g} - {found['high']:<6.4g} {found['showers']:>8} {shown[0]:>16} {shown[1]:>16}")
    print(f"run folder: {run.path}")


def _tell_generator(metrics: dict[str, Any]) -> None:
    """Print how a generator came out."""
    test = {name: "unknown" if value is None else f"{value:.4f}" for name, value in metrics["test"].items()}
    print(f"{metrics['kind']}: {metrics['n_parameters']} parameters, trained for {metrics['seconds']:.0f} s "
          f"({metrics['hardware']}), {metrics['ms_per_shower']:.3g} ms/shower")  # fmt: skip
    print(f"generated / reference: response {test['response']}, its width {test['response_width']}, "
          f"hits {test['occupancy']}; mean separation power over the floor {test['separation']}")  # fmt: skip


def _percent(value: float | None, error: float | None) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.2f}" + ("" if error is None else f" +- {100 * error:.2f}")
