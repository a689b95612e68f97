"""export: a trained regressor or generator as ONNX files, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hgcal_gnn.cli import arguments as args

if TYPE_CHECKING:
    from hgcal_gnn.generation.generator import AnyGenerator


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("export")(export)


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, of a regressor or a generator.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File to write (.onnx); of models of several networks, a folder.")
    ],
    graph: args.Graph = None,
    detector: args.Detector = None,
    overwrite: args.Overwrite = False,
) -> None:
    """Export the networks of a run as ONNX: from tensors to physical units, described in the metadata of the file."""
    from hgcal_gnn.cli.showers_geometry import choose_graph
    from hgcal_gnn.config.run import RunConfig
    from hgcal_gnn.errors import OutputError, UsageError
    from hgcal_gnn.export.onnx_file import load_onnx, write_onnx
    from hgcal_gnn.files import check_writable
    from hgcal_gnn.training.run_folder import RunFolder

    load_onnx()
    if not output.is_dir():
        check_writable(output, overwrite=overwrite)
    chosen = None if graph is None and detector is None else choose_graph(graph, detector)
    if isinstance(RunFolder(run).read_any_config(), RunConfig):
        from hgcal_gnn.export.regressors import export_regressor
        from hgcal_gnn.training.load import load_regressor

        files = {"model": export_regressor(load_regressor(run, chosen), _about(run))}
    else:
        from hgcal_gnn.export.generators import export_generator
        from hgcal_gnn.training.generation.load import load_generator
        from hgcal_gnn.training.geometry import find_material

        geometry = None if chosen is None else (chosen, find_material(None, chosen.cells.detector))
        files = export_generator(load_generator(run, geometry=geometry), _about(run))
    if len(files) == 1:
        if output.suffix != ".onnx":
            msg = f"{output}: the model is one network; give the name of an .onnx file"
            raise UsageError(msg)
        write_onnx(next(iter(files.values())), output, overwrite=overwrite)
        print(f"{output}: the network of {run.name}, {output.stat().st_size / 1e6:.1f} MB")
        return
    if output.suffix == ".onnx":
        msg = f"{output}: the model has {len(files)} networks ({', '.join(files)}); give the name of a folder"
        raise UsageError(msg)
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        msg = f"{output}: the folder cannot be made ({error.strerror})"
        raise OutputError(msg) from error
    for name in files:
        check_writable(output / f"{name}.onnx", overwrite=overwrite)
    for name, content in files.items():
        write_onnx(content, output / f"{name}.onnx", overwrite=overwrite)
    print(f"{output}: {len(files)} networks of {run.name}: {', '.join(files)}")


def use_engine(run: Path, generator: AnyGenerator) -> None:
    """Let a generator run in onnxruntime; its networks are exported once and kept in the cache.

    Raises
    ------
    UsageError
        If onnx or onnxruntime is not installed.
    """
    import hashlib
    import sys

    from hgcal_gnn import __version__
    from hgcal_gnn.cache import cache_folder
    from hgcal_gnn.export.generators import export_generator, use_onnx
    from hgcal_gnn.export.onnx_file import FORMAT, load_onnxruntime, write_onnx
    from hgcal_gnn.training.run_folder import RunFolder

    load_onnxruntime()
    folder = RunFolder(run)
    digest = hashlib.sha256(folder.weights.read_bytes() + folder.config.read_bytes())
    digest.update(f"{__version__} {FORMAT} {generator.cells_sha256} {getattr(generator, 'steps', None)}".encode())
    kept = cache_folder() / "onnx" / digest.hexdigest()[:16]
    complete = kept / "complete"
    if not complete.exists():
        print(f"exporting the networks of {run.name} (once; kept in {kept})", file=sys.stderr)
        kept.mkdir(parents=True, exist_ok=True)
        for name, content in export_generator(generator, _about(run)).items():
            write_onnx(content, kept / f"{name}.onnx", overwrite=True)
        complete.touch()
    use_onnx(generator, {path.stem: path.read_bytes() for path in sorted(kept.glob("*.onnx"))})


def _about(run: Path) -> dict[str, str]:
    """Say which training made the networks."""
    from hgcal_gnn.training.generation.load import weights_digest

    return {"run": run.name, "weights": weights_digest(run)}
