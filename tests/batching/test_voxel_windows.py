from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hgcal_gnn.batching.voxel_windows import TOY_WINDOWS, VoxelWindow, VoxelWindows
from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.detectors import make_detector, voxel_map
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.showers.ragged import offsets_of, segment_sums
from hgcal_gnn.showers.showers import Showers
from tests.batching.made import random_showers


def numbers(place, layer, weight=1.0):
    n = len(place)
    return CellNumbers(
        place=np.asarray(place, dtype=np.float32),
        layer=np.asarray(layer, dtype=np.int16),
        silicon=np.ones(n, dtype=np.uint8),
        section=np.zeros(n, dtype=np.uint8),
        weight=np.full(n, weight, dtype=np.float32),
        mip=np.full(n, 1e-4, dtype=np.float32),
        sections=("ECAL",),
        n_layers=int(np.max(layer)),
    )


def showers(*energies):
    """Showers as energies of all cells."""
    dense = np.array(energies, dtype=np.float32)
    shower, cell = np.nonzero(dense)
    columns = {
        "offsets": offsets_of(np.bincount(shower, minlength=len(dense))),
        "cell": cell,
        "energy": dense[shower, cell],
        "incident_energy": np.ones(len(dense)),
    }
    return Showers.from_columns(columns)


def test_endcap_by_hand():
    # the axis goes through (1, 0, 10) and so through (2, 0, 20); voxels of 2 cm, the middle one within +-1 cm of it
    cells = numbers(
        [[1, 0, 10], [1, 2.5, 10], [1, -2.5, 10], [2, 0, 20], [4.5, 0, 20], [-0.5, 0, 20]], [1] * 3 + [2] * 3, weight=2
    )
    made = VoxelWindows((("all", VoxelWindow((3, 3, 2), 2.0)),)).arrays(
        showers([1, 2, 2, 3, 4, 4], [0, 0, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0]), cells
    )["all"]
    expected = np.zeros((3, 3, 2))
    expected[1, 1] = [2, 6]  # on the axis
    expected[1, 2, 0] = expected[1, 0, 0] = 4  # +-2.5 cm in y
    expected[2, 1, 1] = expected[0, 1, 1] = 8  # +-2.5 cm in x
    np.testing.assert_array_equal(made[0], expected)
    assert not made[1].any()
    assert made[2].sum() == 10


def test_barrel_by_hand():
    # axis along x = y: arc in the first direction, counter-clockwise, z in the second
    r = np.sqrt(0.5)
    cells = numbers(
        [[10 * r, 10 * r, 0], [10, 0, 0], [0, 10, 0], [10 * r, 10 * r, 2.5], [10 * r, 10 * r, -2.5]], [1] * 5
    )
    window = VoxelWindows((("all", VoxelWindow((3, 3, 1), 6.0)),))
    made = window.arrays(showers([1, 2, 2, 0, 0]), cells)["all"][0, :, :, 0]
    np.testing.assert_array_equal(made, [[0, 2, 0], [0, 1, 0], [0, 2, 0]])  # +-pi/4 x 10 cm = 7.9 cm
    made = window.arrays(showers([1, 0, 0, 2, 2]), cells)["all"][0, :, :, 0]
    np.testing.assert_array_equal(made, [[0, 0, 0], [0, 5, 0], [0, 0, 0]])
    made = replace(window, windows=(("all", VoxelWindow((3, 3, 1), 4.0)),)).arrays(showers([1, 0, 0, 2, 2]), cells)
    np.testing.assert_array_equal(made["all"][0, :, :, 0], [[0, 0, 0], [2, 1, 2], [0, 0, 0]])


def test_layers_are_picked_and_summed():
    cells = numbers([[0, 0, 10 + k] for k in range(6)], range(1, 7))
    window = VoxelWindow((1, 1, 2), 1.0, first_layer=2, layers_per_voxel=2)
    made = VoxelWindows((("part", window),)).arrays(showers([1, 2, 4, 8, 16, 32]), cells)["part"]
    assert made.ravel().tolist() == [2 + 4, 8 + 16]


def test_regular_windows_are_the_arrays_of_the_detector():
    """Showers in the lcd detector: a window as wide as it shows all cells, moved by whole cells."""
    cells = make_detector("lcd25")
    of_cells = CellNumbers.of(cells, load_material("lcd25"))
    made = random_showers(cells, 5, 60)
    widths = {"ECAL": (51, 51, 25), "HCAL": (11, 11, 60)}
    size = {"ECAL": VoxelWindow(widths["ECAL"], 0.51, regular=True)}
    size["HCAL"] = VoxelWindow(widths["HCAL"], 3.0, first_layer=26, regular=True)
    windows = VoxelWindows(tuple(size.items())).arrays(made, of_cells)
    for shower in range(5):
        one = made[shower].merged()
        dense = np.zeros(cells.n_cells)
        dense[one.cell] = one.energy * of_cells.weight[one.cell]
        arrays = voxel_map("lcd25").to_voxels(dense)
        for section, array in arrays.items():
            for layer in range(array.shape[2]):
                expected, found = array[..., layer], windows[section][shower, ..., layer]
                assert np.count_nonzero(found) == np.count_nonzero(expected)  # no two cells in one voxel
                if expected.any():
                    np.testing.assert_allclose(found[found > 0].sum(), expected.sum(), rtol=1e-5)
                    np.testing.assert_allclose(cropped(found), cropped(expected), rtol=1e-5)


def cropped(image):
    rows, columns = np.nonzero(image)
    return image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def test_toy_windows_hold_what_lies_near_the_axis():
    cells = make_detector("toy", layers=(1, 30), phi=(0.1, 0.2), eta=(0.3, 0.5))
    of_cells = CellNumbers.of(cells, load_material("toy"))
    # cells within 4 cm of a line of eta 0.4, phi 0.16: each in a voxel of its own at any depth
    place = cells.positions.astype(np.float64)
    axis = np.array([np.cos(0.16), np.sin(0.16), np.sinh(0.4)])
    axis /= np.linalg.norm(axis)
    near = np.flatnonzero(np.linalg.norm(np.cross(place, axis), axis=1) < 4)
    columns = {"offsets": [0, len(near)], "cell": near, "energy": np.full(len(near), 1e-3), "incident_energy": [10.0]}
    made = Showers.from_columns(columns)
    voxels = TOY_WINDOWS(made, of_cells)
    assert {name: tuple(tensor.shape) for name, tensor in voxels.items()} == {
        "ECAL": (1, 25, 25, 25), "HCAL": (1, 5, 5, 60)
    }  # fmt: skip
    in_ecal = of_cells.section[near] == 0
    assert np.count_nonzero(voxels["ECAL"]) == in_ecal.sum() > 1000
    assert np.count_nonzero(voxels["HCAL"]) == (~in_ecal).sum() > 5
    total = segment_sums((made.energy * of_cells.weight[near]).astype(np.float64), made.offsets)
    assert sum(float(tensor.sum()) for tensor in voxels.values()) == pytest.approx(total[0], rel=1e-5)
    image = voxels["ECAL"][0].sum(dim=2).numpy()
    across = np.arange(25) - 12
    assert abs((image.sum(axis=1) * across).sum() / image.sum()) < 0.5  # centred
    assert abs((image.sum(axis=0) * across).sum() / image.sum()) < 0.5


def test_wrong_windows_are_refused():
    for wrong in ({"shape": (0, 3, 3)}, {"size": 0.0}, {"first_layer": 0}, {"layers_per_voxel": 0}):
        with pytest.raises(UsageError, match="must be positive"):
            VoxelWindow(**{"shape": (3, 3, 3), "size": 1.0} | wrong)
    with pytest.raises(UsageError, match="window all needs layers 1 to 5, there are 2"):
        VoxelWindows((("all", VoxelWindow((3, 3, 5), 1.0)),)).arrays(showers([1, 1]), numbers(np.ones((2, 3)), [1, 2]))
