"""How every run begins: its folder, and what becomes of it if nothing can be learned."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.hardware import describe_machine
from hgcal_gnn.training.machine import is_first_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hgcal_gnn.config.any_run import AnyRunConfig
    from hgcal_gnn.training.run_folder import RunFolder


@contextmanager
def begun(folder: RunFolder, config: AnyRunConfig, cells_sha256: str, *, resume: bool) -> Iterator[None]:
    """Prepare the folder of a run for the training inside the block; only the first process does anything.

    Parameters
    ----------
    folder
        Checked before (`RunFolder.check`).
    config
    cells_sha256
        Hash of the geometry.
    resume
        Keep what an earlier run wrote.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    UsageError, InputError
        Those of the training; the folder is removed if nothing was learned yet: the same command with better settings
        finds no folder in its way.
    """
    if not is_first_process():
        yield
        return
    folder.prepare(config, resume=resume)
    folder.write_json(folder.versions, describe_machine())
    folder.cells.write_text(cells_sha256 + "\n", encoding="utf-8")
    try:
        yield
    except (UsageError, InputError):
        if not folder.last.exists():
            folder.remove()
        raise
