"""Folders for what can be made again: graphs of built-in detectors, compiled kernels."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache folder for built graphs (``HGCAL_GNN_CACHE`` overrides it)."""
    from platformdirs import user_cache_path  # noqa: PLC0415 (keeps the command line quick)

    override = os.environ.get("HGCAL_GNN_CACHE")
    return Path(override) if override else user_cache_path("hgcal-gnn")


def kernel_cache_folder() -> Path:
    """Return where numba keeps compiled kernels: in __pycache__ folders below, or in NUMBA_CACHE_DIR."""
    override = os.environ.get("NUMBA_CACHE_DIR")
    return Path(override) if override else Path(__file__).parent
