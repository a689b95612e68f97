"""What a program runs on: versions, processor, accelerator, threads. PyTorch is asked, but not needed."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numba
import psutil

from hgcal_gnn import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = ("numpy", "numba", "scipy", "scikit-learn", "pyarrow", "safetensors", "torch", "pytorch-lightning")


def describe_machine() -> dict[str, Any]:
    """Return versions, hardware and threads under stable names.

    `versions` {package: version}, `python`, `system`, `processor`, `cores` (usable), `memory_gib`, `accelerator` (name
    or null), `threads` {torch (null without it), numba}, `allocator` {MALLOC_* settings}.
    """
    torch = _torch()
    return {
        "versions": {"hgcal-gnn": __version__, **{name: _version(name) for name in PACKAGES}},
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "accelerator": torch.cuda.get_device_name(0) if torch and torch.cuda.is_available() else None,
        "threads": {"torch": torch and torch.get_num_threads(), "numba": numba.get_num_threads()},
        "allocator": {name: value for name, value in sorted(os.environ.items()) if name.startswith("MALLOC_")},
    }


def hardware(device: str, threads: int | None = None) -> str:
    """Return a line that names what is computed on: "2 threads on AMD EPYC 7B13" or the accelerator.

    Parameters
    ----------
    device
        As PyTorch names it.
    threads
        Default: those of PyTorch.
    """
    if device.startswith("cuda") and (torch := _torch()):
        return str(torch.cuda.get_device_name(device))
    if threads is None:
        threads = torch.get_num_threads() if (torch := _torch()) else usable_cores()
    return f"{threads} thread{'s' * (threads > 1)} on {processor()}"


def waiting_for(device: str) -> Callable[[], Any]:
    """Return a function that returns when a device has finished what it was given; at once for a processor."""
    accelerator = next((kind for kind in ("cuda", "mps") if device.startswith(kind)), None)
    torch = _torch()
    if accelerator is None or torch is None:
        return lambda: None
    wait: Callable[[], Any] = getattr(torch, accelerator).synchronize
    return wait


def load_average() -> float:
    """Return how many processes ran or waited to run in the last minute; NaN where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def peak_memory_mib() -> float:
    """Return the most memory that this process has held so far [MiB], libraries included; NaN where nobody tells."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Name the processor; Linux tells it in a file only."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 (no file of ours)
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _torch() -> Any:
    """Return PyTorch, None where it is not installed."""
    try:
        import torch  # noqa: PLC0415 - slow to import, and optional
    except ImportError:
        return None
    return torch


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
