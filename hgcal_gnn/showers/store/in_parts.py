"""A long sample of showers as a store written in parts, so that making it goes on where it was interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hgcal_gnn.showers.store.writer import ShowerWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers


def write_in_parts(
    chunks: Callable[[int], Iterator[Showers]],
    n: int,
    output: Path,
    metadata: ShowerMetadata,
    *,
    part: int,
    told: Callable[[int], Any],
    overwrite: bool = False,
) -> int:
    """Write the parts that an earlier call did not finish, and join all.

    Parameters
    ----------
    chunks
        From the number of a first shower (a multiple of `part`) to all showers from there on, in chunks that end
        where a part ends.
    n
        Number of showers in the end.
    output
        ``NAME.arrow``; the parts lie in ``NAME.arrow.parts/`` until it is finished.
    metadata
        Only parts of the same are taken over.
    part
        Showers in a part: those that are lost at most when the program is killed.
    told
        Called with the number of showers that were there already.

    Returns
    -------
    int
        That number.

    Raises
    ------
    OutputError
        If the output exists (unless `overwrite`) or cannot be written.
    """
    keys = [f"showers {start} to {min(start + part, n)}" for start in range(0, n, part)]
    writer = ShowerWriter(output, keys, metadata, overwrite=overwrite)
    first = min(writer.unfinished, default=len(keys))
    done = min(first * part, n)
    told(done)
    try:
        if done < n:
            coming = chunks(done)
            for number in range(first, len(keys)):
                wanted = min((number + 1) * part, n) - number * part
                with writer.part(number) as target:
                    while wanted > 0:
                        showers = next(coming)
                        target.write(showers)
                        wanted -= len(showers)
        writer.finish()
    finally:
        writer.abandon()  # leaves nothing behind unless there are finished parts
    return done
