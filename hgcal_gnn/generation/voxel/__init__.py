"""Generators of voxel images, one model per file."""
