"""Ctrl-C while a store is written in parts: say what stays and how to go on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from hgcal_gnn.cli.errors import INTERRUPTED


@contextmanager
def resumable(output: Path) -> Iterator[None]:
    """Tell after Ctrl-C inside the block what stays of `output`."""
    try:
        yield
    except KeyboardInterrupt:
        folder = output.with_name(output.name + ".parts")
        n_parts = len(list(folder.glob("part-*.json")))
        kept = f"{n_parts} finished parts are kept in {folder}: repeat the command to go on from there"
        print(f"\nInterrupted; {kept if n_parts else 'nothing is left behind'}.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
