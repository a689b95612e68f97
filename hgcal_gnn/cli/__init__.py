"""The command line: one file per group of commands; heavy imports happen inside the commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hgcal_gnn import __version__
from hgcal_gnn.cli import (
    benchmark,
    compare,
    convert,
    doctor,
    evaluate,
    export,
    generate,
    geometry,
    inspect,
    predict,
    quickstart,
    schema,
    showers_table,
    simulate,
    stores,
    study,
    train,
)
from hgcal_gnn.cli.allocator import tune_allocator
from hgcal_gnn.cli.errors import run_app

app = typer.Typer(
    name="hgcal-gnn",
    help="Cell graphs and graph networks for calorimeters that do not fit in a regular grid.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(value: bool) -> None:
    if value:
        print(f"hgcal-gnn {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
) -> None:
    """Cell graphs and graph networks for calorimeters that do not fit in a regular grid."""


for group in (
    quickstart,
    geometry,
    showers_table,
    convert,
    simulate,
    inspect,
    stores,
    train,
    predict,
    generate,
    export,
    study,
    compare,
    evaluate,
    benchmark,
    schema,
    doctor,
):
    group.register(app)


def main() -> None:
    """Run the command line and exit with 0, 1 (failure) or 2 (usage)."""
    tune_allocator()
    sys.exit(run_app(app, sys.argv[1:]))
