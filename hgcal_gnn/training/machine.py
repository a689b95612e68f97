"""What a run ran on: versions, hardware, threads."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numba
import psutil
import torch

from hgcal_gnn import __version__
from hgcal_gnn.batching.workers import usable_cores

PACKAGES = ("numpy", "numba", "scipy", "scikit-learn", "pyarrow", "safetensors", "torch", "pytorch-lightning")


def describe_machine() -> dict[str, Any]:
    """Return versions, hardware and threads under stable names.

    `versions` {package: version}, `python`, `system`, `processor`, `cores` (usable), `memory_gib`, `accelerator` (name
    or null), `threads` {torch, numba}, `allocator` {MALLOC_* settings}.
    """
    return {
        "versions": {"hgcal-gnn": __version__, **{name: _version(name) for name in PACKAGES}},
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "accelerator": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "threads": {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
        "allocator": {name: value for name, value in sorted(os.environ.items()) if name.startswith("MALLOC_")},
    }


def hardware(device: str) -> str:
    """Return a line that names what was trained on: "2 cores of AMD EPYC 7B13" or the accelerator."""
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(0))
    return f"{torch.get_num_threads()} threads on {_processor()}"


def is_first_process() -> bool:
    """Tell whether this is the only process of a run, or the first of those that train together.

    The others know from torchrun or SLURM, or from the first one, which starts them.
    """
    ranks = [os.environ[name] for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK") if name in os.environ]
    return not ranks or ranks[0] == "0"


def _processor() -> str:
    """Name the processor; Linux tells it in a file only."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 (no file of ours)
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
