"""Images of showers: what training and generated showers have in common."""

from __future__ import annotations

import numpy as np

from hgcal_gnn.batching.voxel_grid import VoxelGrid
from hgcal_gnn.generation.image_batch import ImageMaker
from hgcal_gnn.showers.showers import Showers


def test_voxels_below_the_threshold_are_empty_as_in_generated_showers():
    """Deposits of a voxel are added first: two faint ones may make a hit."""
    grid = VoxelGrid("some", "", 3, {"a": np.array([0, 1, 2])}, {"a": ("x",)})
    columns = {"offsets": [0, 4], "cell": [0, 0, 1, 2], "energy": [3.0, 3.0, 5.0, 6.0], "incident_energy": [10.0]}
    directions = {f"direction_{axis}": [float(axis == "z")] for axis in "xyz"} | {
        f"vertex_{axis}": [0.0] for axis in "xyz"
    }
    showers = Showers.from_columns({**columns, **directions, "pdg_id": [22]})
    batch = ImageMaker(grid, (22,), threshold=5.0)(showers).to_torch()
    assert batch.image.tolist() == [[6.0, 0.0, 6.0]]
    back = grid.to_showers(batch.image.numpy(), showers, threshold=5.0)
    kept = showers.cells_above(5.0)
    assert back.cell.tolist() == kept.cell.tolist() == [0, 2]
    np.testing.assert_allclose(back.energy, kept.energy)
