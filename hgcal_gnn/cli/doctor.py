"""Doctor: what this installation runs on, for bug reports and for oneself."""

from __future__ import annotations

import json
from typing import Any

import typer

from hgcal_gnn.cli import arguments as args

PACKAGES = (
    "numpy", "scipy", "numba", "pyarrow", "uproot", "awkward", "h5py", "safetensors", "networkx", "matplotlib",
    "torch", "torch-geometric", "pytorch-lightning", "torch-scatter", "showerdata", "dask", "onnx", "onnxruntime",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("doctor")(doctor)


def doctor(as_json: args.AsJson = False) -> None:
    """Print versions, threads, memory allocator and caches."""
    findings = examine()
    if as_json:
        print(json.dumps(findings, indent=2, sort_keys=True))
        return
    for section, values in findings.items():
        print(f"{section}:")
        for name, value in values.items():
            print(f"  {name:18} {value}")


def examine() -> dict[str, dict[str, Any]]:
    """Collect what `doctor` prints."""
    import os
    import platform

    import numba
    import psutil

    from hgcal_gnn import __version__
    from hgcal_gnn.cache import cache_folder, kernel_cache_folder

    memory = psutil.virtual_memory()
    tuned = {name: os.environ[name] for name in os.environ if name.startswith("MALLOC_")}
    return {
        "versions": {
            "hgcal-gnn": __version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
        },
        "machine": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory": f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
            "accelerator": _accelerator(),
        },
        "threads": {
            "numba": numba.get_num_threads(),
            "numba layer": _threading_layer(),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        },
        "allocator": {
            "library": " ".join(platform.libc_ver()) or "unknown",
            "settings": ", ".join(f"{k}={v}" for k, v in tuned.items()) or "as shipped",
            "LD_PRELOAD": os.environ.get("LD_PRELOAD", "not set"),
        },
        "caches": {"geometry": str(cache_folder()), "kernels": str(kernel_cache_folder())},
    }


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _accelerator() -> str:
    """Name the accelerator PyTorch sees, without needing PyTorch."""
    try:
        import torch
    except ImportError:
        return "unknown (torch is not installed)"
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"


def _threading_layer() -> str:
    """Name numba's threading layer, which is known only once a parallel kernel has run."""
    import numpy as np
    from numba.np.ufunc.parallel import threading_layer

    from hgcal_gnn.geometry.neighbours.csr import sort_rows

    sort_rows(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.uint8))
    return str(threading_layer())
