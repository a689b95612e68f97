"""Reading and writing files so that nothing is lost: temporary name first, then ``os.replace``."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hgcal_gnn.errors import InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_readable(path: Path) -> None:
    """Refuse a path that is missing, a folder, empty or not readable.

    Raises
    ------
    InputError
        With the path and what is wrong with it.
    """
    if not path.exists():
        msg = f"{path}: no such file"
        raise InputError(msg)
    if path.is_dir():
        msg = f"{path}: is a folder, a file is needed"
        raise InputError(msg)
    if not os.access(path, os.R_OK):
        msg = f"{path}: no permission to read it"
        raise InputError(msg)
    if path.is_file() and path.stat().st_size == 0:
        msg = f"{path}: the file is empty (0 bytes)"
        raise InputError(msg)


def check_writable(path: Path, *, overwrite: bool = False) -> None:
    """Refuse an output that exists (unless `overwrite`) or whose folder cannot hold it.

    Raises
    ------
    OutputError
        With the path and what to do. Call it before long work, so that nobody waits for nothing.
    """
    if path.is_dir():
        msg = f"{path}: is a folder; give the name of a file to write"
        raise OutputError(msg)
    if path.exists() and not overwrite:
        msg = f"{path}: exists already; choose another name or add --overwrite"
        raise OutputError(msg)
    folder = path.parent
    if not folder.is_dir():
        msg = f"{path}: the folder {folder} does not exist; create it first"
        raise OutputError(msg)
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"{path}: no permission to write into the folder {folder}"
        raise OutputError(msg)


@contextmanager
def atomic_path(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path` that becomes `path` when the block ends well.

    Whatever happens inside (an exception, Ctrl-C, a full disk), `path` is either the whole new file or
    what it was before, and the temporary file is gone.

    Raises
    ------
    OutputError
        If `path` may not be written (see `check_writable`) or the disk refuses the data.
    """
    check_writable(path, overwrite=overwrite)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _copy_default_mode(temporary)
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, InputError | OutputError) or error.errno is None:
            raise
        reason = "no space left on the disk" if error.errno == errno.ENOSPC else os.strerror(error.errno)
        msg = f"{path}: could not be written: {reason}; nothing was left behind"
        raise OutputError(msg) from error
    finally:
        temporary.unlink(missing_ok=True)


def _copy_default_mode(path: Path) -> None:
    """Give `path` the permissions a plain new file has (mkstemp makes it private)."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)
