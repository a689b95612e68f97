"""One damaged file, read: it gives a clear error or a result."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hgcal_gnn.errors import HgcalError
from tests.fuzz.damage import Damage, damaged
from tests.fuzz.targets import Target

LONGEST = 30  # s that reading a small file may take


class HangError(Exception):
    """A file of a few kB took too long."""


def read_damaged(target: Target, path: Path, whole: bytes, damage: Sequence[Damage]) -> str:
    """Damage the file, read it, and return "read" or "refused"; anything else but our errors is raised."""
    path.write_bytes(damaged(whole, damage, target.changes))
    with warnings.catch_warnings(), _not_longer_than(LONGEST):
        warnings.simplefilter("ignore")
        try:
            target.read(path)
        except HgcalError as error:
            text = str(error)
            assert text.strip(), "an error without words"
            assert "Traceback" not in text
            return "refused"
    return "read"


@contextmanager
def _not_longer_than(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        msg = f"more than {seconds} s"
        raise HangError(msg)

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
