"""Geometry tables: CSV, Parquet and ROOT files in and out."""

from __future__ import annotations

from hgcal_gnn.geometry.tables.names import COLUMN_ALIASES
from hgcal_gnn.geometry.tables.read_write import read_table, write_table

__all__ = ["COLUMN_ALIASES", "read_table", "write_table"]
