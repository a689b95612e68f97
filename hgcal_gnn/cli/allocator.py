"""Memory for training: glibc returns large blocks to the system after every step, and page faults cost half the time.

With higher thresholds the blocks are kept and used again. They are read when a process starts, so the command starts
itself anew, once. Measured with the published network on 64 photons of 50 to 100 GeV a step: 8,500 page faults a step
without, hardly any with; plain PyTorch Geometric, which keeps more copies, has ten times as many.
"""

from __future__ import annotations

import os
import platform
import sys

SETTINGS = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),  # blocks below 1 GiB come from the heap, not from the system each time
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),  # the heap is not given back
    "MALLOC_TOP_PAD_": str(1 << 26),  # and grows by 64 MiB at a time
}
# Threads of PyTorch that wait for work spin, by default, on the cores that numba's threads work on.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
COMMANDS = ("train", "predict", "quickstart")
SWITCH = "HGCAL_GNN_ALLOCATOR"  # "system": leave it as it is; "tuned": done already


def tune_allocator() -> None:
    """Start the command anew with tuned settings, where they help and the user has not chosen others."""
    chosen = any(name in os.environ for name in (*SETTINGS, "LD_PRELOAD", "GLIBC_TUNABLES"))
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    if chosen or SWITCH in os.environ or arguments[:1] not in [[name] for name in COMMANDS]:
        return
    if platform.libc_ver()[0] == "glibc":
        environment = WAITING | os.environ | SETTINGS | {SWITCH: "tuned"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 (itself)
