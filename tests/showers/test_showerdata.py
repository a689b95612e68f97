from __future__ import annotations

import h5py
import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.showers.hdf5 import find_layout
from hgcal_gnn.showers.hdf5.showerdata import LayerGrid, read_showerdata, write_showerdata
from hgcal_gnn.showers.showers import Showers

N_SIDE, N_LAYERS, PITCH = 6, 3, 0.5  # cells of 5 mm, as in the ILD ECAL


def cells() -> CellTable:
    """Layers of 6 x 6 square cells around x = 10, y = 0."""
    layer, row, column = np.meshgrid(np.arange(N_LAYERS), np.arange(N_SIDE), np.arange(N_SIDE), indexing="ij")
    return CellTable.from_columns(
        {
            "cell_id": np.arange(layer.size) + 1,
            "layer": layer.ravel() + 1,
            "x": 10 + (row.ravel() - 2.5) * PITCH,
            "y": (column.ravel() - 2.5) * PITCH,
            "z": 180.0 + layer.ravel(),
        }
    )


@pytest.fixture(scope="module")
def grid() -> LayerGrid:
    return LayerGrid(cells(), origin_x=10.0)


def made_showers(*, time: bool) -> Showers:
    random = np.random.default_rng(4)
    counts = np.array([5, 0, 7, 1])
    n_hits = int(counts.sum())
    columns = {
        "offsets": np.concatenate([[0], np.cumsum(counts)]),
        "cell": random.permutation(N_SIDE**2 * N_LAYERS)[:n_hits],
        "energy": random.exponential(1e-3, n_hits),
        "incident_energy": [10.0, 20.0, 30.0, 40.0],
        "pdg_id": [22, 22, 211, -211],
        "direction_x": [0.6, 0, 0, 0],
        "direction_y": [0.0, 0, 0, 0],
        "direction_z": [0.8, 1, 1, 1],
    }
    return Showers.from_columns(columns | ({"time": random.uniform(0, 9, n_hits)} if time else {})).merged()


def together(pieces) -> Showers:
    return Showers.concatenate(list(pieces))


@pytest.mark.parametrize("time", [False, True])
def test_round_trip(tmp_path, grid, time):
    made = made_showers(time=time)
    path = tmp_path / "clouds.h5"
    write_showerdata([made[:1], made[1:]], path, grid)
    assert find_layout(path) == "showerdata"
    assert (
        together(read_showerdata(path, grid))
        .replace(vertex_x=made.vertex_x, vertex_y=made.vertex_y, vertex_z=made.vertex_z)
        .equals(made)
    )


@pytest.mark.parametrize("time", [False, True])
def test_the_library_reads_what_is_written(tmp_path, grid, time):
    showerdata = pytest.importorskip("showerdata")
    made = made_showers(time=time)
    write_showerdata([made], tmp_path / "clouds.h5", grid)
    loaded = showerdata.load(tmp_path / "clouds.h5")
    assert loaded.points.shape == (4, made.n_hits.max(), 5 if time else 4)
    assert loaded.points[..., 3].sum(axis=1) == pytest.approx(made.visible, rel=1e-6)
    assert loaded.energies[:, 0].tolist() == [10.0, 20.0, 30.0, 40.0]
    assert loaded.pdg.tolist() == [22, 22, 211, -211]
    assert loaded.directions[0] == pytest.approx([0.6, 0.0, 0.8])
    table = cells()
    first = made.cell[0]
    expected = [(table.x[first] - 10) * 10, table.y[first] * 10, table.layer[first] - 1]
    assert loaded.points[0, 0, :3] == pytest.approx(expected, abs=1e-5)


def test_what_the_library_writes_is_read(tmp_path, grid):
    showerdata = pytest.importorskip("showerdata")
    points = np.zeros((2, 3, 4), np.float32)
    # 12.4 mm and 10.1 mm lie in the outermost column, 0.1 mm in the fourth one
    points[0] = [[12.4, 0.1, 2, 0.5], [10.1, 4.9, 2, 0.25], [-12.5, -12.5, 0, 1.0]]
    showerdata.Showers(points=points, energies=[[5.0], [6.0]], pdg=22).save(tmp_path / "theirs.h5")
    made = together(read_showerdata(tmp_path / "theirs.h5", grid))
    assert made.n_hits.tolist() == [2, 0]
    assert made.cell.tolist() == [0, 2 * 36 + 5 * 6 + 3]
    assert made.energy.tolist() == [1.0, 0.75]
    assert made.direction_z.tolist() == [1.0, 1.0]
    assert made.incident_energy.tolist() == [5.0, 6.0]


def test_points_outside_the_geometry(tmp_path, grid, caplog):
    showerdata = pytest.importorskip("showerdata")
    points = np.float32([[[0.1, 0.1, 0, 1], [30.0, 0.1, 0, 2], [0.1, 0.1, 7, 4], [0.1, 0.1, 1, 8]]])
    showerdata.Showers(points=points, energies=[[5.0]], pdg=22).save(tmp_path / "wide.h5")
    with pytest.raises(InputError, match="2 of 4 points lie in no cell of the geometry; is this the right detector"):
        together(read_showerdata(tmp_path / "wide.h5", grid))
    kept = together(read_showerdata(tmp_path / "wide.h5", grid, invalid="drop"))
    assert kept.energy.tolist() == [1.0, 8.0]
    assert "2 of 4 points lie in no cell of the geometry; dropped" in caplog.text


def rewrite(path, name, value) -> None:
    with h5py.File(path, "a") as file:
        del file[name]
        if value is not None:
            file[name] = value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pdg", None, r"no dataset pdg; the file holds directions \[4, 3\]"),
        ("shape", np.array([4, 7, 3]), "points have 3 values each"),
        ("num_points", np.array([5, 0, 6, 1]), "1 showers do not hold 4 values for each of the points .* first 2 "),
        ("energies", np.ones((3, 1)), "different numbers of showers"),
    ],
)
def test_files_that_contradict_themselves(tmp_path, grid, name, value, message):
    path = tmp_path / "clouds.h5"
    made = made_showers(time=False)
    assert made.n_hits.tolist() == [5, 0, 7, 1]
    write_showerdata([made], path, grid)
    rewrite(path, name, value)
    with pytest.raises(InputError, match=message):
        together(read_showerdata(path, grid))


def test_both_endcaps_share_layers_but_not_cells(tmp_path):
    one = cells()
    both = CellTable.from_columns(
        {
            "cell_id": np.concatenate([one.cell_id, one.cell_id + 1000]),
            **{name: np.tile(getattr(one, name), 2) for name in ("layer", "x", "y")},
            "z": np.concatenate([one.z, -one.z]),
        }
    )
    backward = np.flatnonzero(both.z < 0)[[3, 40]]
    forward = np.flatnonzero(both.z > 0)[[3, 40]]
    columns = {
        "offsets": [0, 2, 4],
        "cell": np.concatenate([backward, forward]),
        "energy": np.full(4, 0.5),
        "incident_energy": [1.0, 1.0],
        "pdg_id": [22, 22],
        "direction_x": [0.0, 0],
        "direction_y": [0.0, 0],
        "direction_z": [-1.0, 1],
    }
    made = Showers.from_columns(columns, n_cells=both.n_cells)
    write_showerdata([made], tmp_path / "both.h5", LayerGrid(both))
    back = together(read_showerdata(tmp_path / "both.h5", LayerGrid(both)))
    assert back.cell.tolist() == made.cell.tolist()


def test_a_barrel_is_laid_flat(tmp_path):
    """Depth is along x; the points of a file lie across it, in y and z."""
    one = cells()
    columns = {"cell_id": one.cell_id, "layer": one.layer, "x": one.z, "y": one.y, "z": one.x - 10}
    barrel = CellTable.from_columns(columns | {"z_side": np.zeros(one.n_cells, int)})
    made = made_showers(time=False)
    write_showerdata([made], tmp_path / "barrel.h5", LayerGrid(barrel))
    with h5py.File(tmp_path / "barrel.h5") as file:
        x, y = file["showers"][0][:2]
    np.testing.assert_allclose([x, y], [10 * barrel.y[made.cell[0]], 10 * barrel.z[made.cell[0]]], atol=1e-4)
    back = together(read_showerdata(tmp_path / "barrel.h5", LayerGrid(barrel)))
    np.testing.assert_array_equal(back.cell, made.cell)
