"""Showers in the HDF5 layouts of the field: CaloChallenge, HGCal CaloChallenge, LCD, ILD, CaloGAN, showerdata."""

from __future__ import annotations

from hgcal_gnn.showers.hdf5.read_write import SHOWERDATA, find_layout, layout_named, read_hdf5, write_hdf5

__all__ = ["SHOWERDATA", "find_layout", "layout_named", "read_hdf5", "write_hdf5"]
