"""predict: energies of showers by a trained regressor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgcal_gnn.cli import arguments as args


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("predict")(predict)


def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    showers: Annotated[Path, typer.Option("--showers", help="Shower store (.arrow).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Predictions to write (.parquet).")],
    graph: args.Graph = None,
    detector: args.Detector = None,
    force_geometry: Annotated[
        bool, typer.Option("--force-geometry", help="Use a regressor that was trained in another geometry.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads. Default: all processors.")] = None,
    overwrite: args.Overwrite = False,
) -> None:
    """Estimate the energy of every shower of a store: columns row, incident_energy, energy, reconstructed [GeV]."""
    import time

    import numpy as np

    from hgcal_gnn.cli.compiling import compile_note
    from hgcal_gnn.cli.showers_geometry import choose_graph
    from hgcal_gnn.cli.threads import use_threads
    from hgcal_gnn.errors import InputError
    from hgcal_gnn.files import check_writable
    from hgcal_gnn.showers.store import open_store
    from hgcal_gnn.training.load import load_regressor
    from hgcal_gnn.training.results import predict as predict_showers

    check_writable(output, overwrite=overwrite)
    store = open_store(showers)
    if not len(store):
        msg = f"{showers}: holds no showers"
        raise InputError(msg)
    use_threads(threads)
    given = None if graph is None and detector is None else choose_graph(graph, detector)
    with compile_note():
        predictor = load_regressor(run, given, device=device, force_geometry=force_geometry)
        started = time.perf_counter()
        found = predict_showers(predictor, store, np.arange(len(store)), predictor.inputs.numbers, run=str(run))
    found.save(output, overwrite=overwrite)
    seconds = time.perf_counter() - started
    print(f"{output}: energies of {len(store)} showers in {seconds:.1f} s ({len(store) / seconds:.0f} showers/s)")
