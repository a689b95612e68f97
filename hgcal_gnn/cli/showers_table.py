"""geometry-from-hits: a geometry table where nobody exported one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgcal_gnn.cli import arguments as args


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("geometry-from-hits")(geometry_from_hits)


def geometry_from_hits(
    inputs: Annotated[list[str], typer.Argument(help="ROOT files, quoted wildcards or root:// addresses.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Table to write: .csv, .csv.gz, .parquet or .root.")],
    preset: args.Preset = None,
    branch: args.Branches = None,
    collection: args.Collections = None,
    tree: args.ShowerTree = "",
    encoding: Annotated[
        list[str] | None,
        typer.Option(help="Cell id fields of files that lack them: COLLECTION=system:5,side:-2,layer:9,..."),
    ] = None,
    detector: Annotated[str, typer.Option(help="Name of the detector, stored in the table.")] = "from hits",
    overwrite: args.Overwrite = False,
) -> None:
    """Collect the cells of all hits of ROOT files into a geometry table: cells never hit are missing."""
    from hgcal_gnn.cli.convert import branch_map
    from hgcal_gnn.files import check_writable
    from hgcal_gnn.geometry.tables import write_table
    from hgcal_gnn.showers.convert.files import expand_inputs
    from hgcal_gnn.showers.root import RootOptions
    from hgcal_gnn.showers.root.hit_table import table_from_hits

    check_writable(output, overwrite=overwrite)
    options = RootOptions(branches=branch_map(preset, branch, collection), tree=tree)
    encodings = dict(args.parse_pair(item, "--encoding", "COLLECTION=system:5,layer:9") for item in encoding or [])
    table = table_from_hits(expand_inputs(inputs), options, encodings=encodings, detector=detector)
    write_table(table, output, overwrite=overwrite)
    print(f"{output}: {table.n_cells} cells that were hit, cells_sha256 {table.sha256[:12]}")
