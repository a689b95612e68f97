"""Conversion of many files into one store, file by file, so that an interrupted one goes on where it stopped."""

from __future__ import annotations

from hgcal_gnn.showers.convert.run import ConversionError, convert

__all__ = ["ConversionError", "convert"]
