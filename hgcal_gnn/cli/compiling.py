"""Tell the user when kernels are compiled: it happens once, then they come from numba's cache."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def compile_note() -> Iterator[None]:
    """Say on standard error how long numba compiled inside the block, if it did."""
    from numba.core import event

    spent = [0.0, 0.0]  # total, start of the outermost compilation
    depth = 0

    class Listener(event.Listener):
        def on_start(self, _: object) -> None:
            nonlocal depth
            if depth == 0:
                spent[1] = time.perf_counter()
                if spent[0] == 0.0 and sys.stderr.isatty():
                    print("compiling kernels, this happens once ...", file=sys.stderr)
            depth += 1

        def on_end(self, _: object) -> None:
            nonlocal depth
            depth -= 1
            if depth == 0:
                spent[0] += time.perf_counter() - spent[1]

    with event.install_listener("numba:compile", Listener()):
        yield
    if spent[0] > 1.0:
        print(f"kernels compiled in {spent[0]:.1f} s and cached for the next time", file=sys.stderr)
