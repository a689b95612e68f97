"""merge and split: join shower stores and deal their showers out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from hgcal_gnn.cli import arguments as args
from hgcal_gnn.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = {2: ("train", "test"), 3: ("train", "validation", "test")}


class ManyFractions(TyperCommand):
    """A command whose option --fractions takes all numbers that follow it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read ['--fractions', '0.8', '0.2'] as if the option stood before each number."""
        return super().parse_args(ctx, repeat_option(args, "--fractions"))


def repeat_option(words: Sequence[str], option: str) -> list[str]:
    """Put `option` before each number that follows it."""
    repeated: list[str] = []
    collecting = False
    for word in words:
        if collecting and _is_number(word):
            repeated += [option, word]
        elif word != option:
            collecting = word.startswith(f"{option}=")
            repeated.append(word)
        else:
            collecting = True
    return repeated


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("merge")(merge)
    app.command("split", cls=ManyFractions)(split)


def merge(
    stores: Annotated[list[Path], typer.Argument(help="Shower stores (.arrow) of one geometry, in this order.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Store to write (.arrow).")],
    overwrite: args.Overwrite = False,
) -> None:
    """Join shower stores into one."""
    twice = [str(path) for number, path in enumerate(stores) if path in stores[:number]]
    if twice:
        msg = f"{twice[0]}: given twice; its showers would count double"
        raise UsageError(msg)
    _need_arrow(output)
    from hgcal_gnn.showers.selection import merge_stores
    from hgcal_gnn.showers.store import open_store

    merge_stores(stores, output, overwrite=overwrite)
    merged = open_store(output)
    print(f"{output}: {len(merged)} showers of {len(stores)} stores, {int(merged.n_hits.sum())} hits")


def split(
    store: Annotated[Path, typer.Argument(help="Shower store (.arrow).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the parts; made if there is none.")],
    fractions: Annotated[
        list[float], typer.Option("--fractions", help="Shares of the showers that add up to 1: 0.8 0.1 0.1")
    ],
    seed: Annotated[int, typer.Option(help="Same store, fractions and seed, same files.")] = 0,
    names: Annotated[
        str | None, typer.Option(help="Names of the parts: train,validation,test (of 2: train,test; else part_1, ...)")
    ] = None,
    overwrite: args.Overwrite = False,
) -> None:
    """Deal the showers of a store out to several at random, for training, validation and test."""
    called = names.split(",") if names else NAMES.get(len(fractions), [f"part_{i + 1}" for i in range(len(fractions))])
    if len(called) != len(fractions):
        msg = f"--names {names}: {len(called)} names for {len(fractions)} fractions"
        raise UsageError(msg)
    if output.exists() and not output.is_dir():
        msg = f"{output}: is a file; give a folder for the parts"
        raise OutputError(msg)
    from hgcal_gnn.showers.selection import split_store

    paths = [output / f"{name}.arrow" for name in called]
    is_new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    try:
        sizes = split_store(store, paths, fractions, seed=seed, overwrite=overwrite)
    except BaseException:
        if is_new:
            output.rmdir()  # split_store leaves nothing in it
        raise
    for path, size in zip(paths, sizes, strict=True):
        print(f"{path}: {size} showers")


def _need_arrow(path: Path) -> None:
    if path.suffix.lower() != ".arrow":
        msg = f"{path}: stores are called NAME.arrow; convert writes other formats"
        raise UsageError(msg)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return not Path(word).is_file()
