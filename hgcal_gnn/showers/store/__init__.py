"""The shower store: a memory-mapped Arrow file, written in parts that survive a kill."""

from __future__ import annotations

from hgcal_gnn.showers.store.store import ShowerStore, open_store, write_showers

__all__ = ["ShowerStore", "open_store", "write_showers"]
