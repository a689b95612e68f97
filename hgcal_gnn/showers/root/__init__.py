"""Showers in ROOT files: read with uproot in bounded steps, written with the same branches."""

from __future__ import annotations

from hgcal_gnn.showers.root.read import RootOptions, iterate_root

__all__ = ["RootOptions", "iterate_root"]
