"""Lengths in mm, cm and m, and lengths that are a power of ten off."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors import DETECTORS, make_detector
from hgcal_gnn.geometry.tables import read_table, write_table
from hgcal_gnn.geometry.tables.unit_checks import check_units
from hgcal_gnn.geometry.tables.units import check_magnitude, to_cm

from .table_files import HEADER, prism_csv, saved


def scaled(table: CellTable, axes: str, factor: float, rows=slice(None), *, foreign: bool = False) -> CellTable:
    """The table with some coordinates of some rows multiplied, as CMS table or as one of any detector."""
    columns = table.columns()
    for axis in axes:
        values = columns[axis].astype(np.float64)
        values[rows] *= factor
        columns[axis] = values
    if foreign:
        columns = {name: columns[name] for name in ("layer", "x", "y", "z")}
        columns["cell_id"] = np.arange(1, table.n_cells + 1)
    return CellTable.from_columns(columns)


def prism(side: int = 20, layers: int = 6, size: float = 2.0, **extra) -> CellTable:
    layer, i, j = (a.ravel() for a in np.meshgrid(range(layers), range(side), range(side), indexing="ij"))
    columns = {"layer": layer + 1, "x": 30 + i * size, "y": j * size, "z": 300.0 + 3 * layer}
    columns |= {"cell_id": np.arange(1, len(i) + 1)} | {k: np.full(len(i), v) for k, v in extra.items()}
    return CellTable.from_columns(columns)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 0.1), ("cm", 1.0), ("m", 100.0)])
def test_lengths_and_areas_are_converted(unit, factor):
    columns = {
        name: np.array([4.0, 10.0])
        for name in ("x", "dz", "corner_y_11", "thickness", "area", "layer", "noise", "phi", "deta")
    }
    found = to_cm(columns, unit)
    for name in ("x", "dz", "corner_y_11", "thickness"):
        np.testing.assert_allclose(found[name], columns[name] * factor, rtol=1e-15)
    np.testing.assert_allclose(found["area"], columns["area"] * factor**2, rtol=1e-15)
    for name in ("layer", "noise", "phi", "deta"):
        assert found[name] is columns[name]


def test_whole_millimetres_become_fractions():
    assert to_cm({"x": np.array([15, 27])}, "mm")["x"].tolist() == [1.5, 2.7]
    assert to_cm({"x": np.array([15], np.float32)}, "mm")["x"].dtype == np.float32


def test_reading_in_mm(tmp_path):
    text = prism_csv(lambda _, row: [*row, "4", "0.5"], f"{HEADER},area,corner_x_0")
    table = read_table(saved(tmp_path / "t.csv", text), length_unit="mm")
    assert set(table.z.tolist()) == {10.1, 10.2, 10.3}
    assert set(table.extra["area"].tolist()) == {0.04}
    assert set(table.extra["corner_x_0"].tolist()) == {0.05}


def test_unit_in_the_name_of_a_column(tmp_path):
    path = saved(tmp_path / "t.csv", prism_csv(header="cell_id,layer,x [mm],y [mm],z [mm]"))
    with pytest.raises(InputError, match=r"x \[mm\], y \[mm\], z \[mm\] is in mm by its name, .*--length-unit mm"):
        read_table(path)
    assert read_table(path, length_unit="mm").z[0] == 10.1
    path = saved(tmp_path / "m.csv", prism_csv(header="cell_id,layer,x_mm,y_mm,z_cm"))
    with pytest.raises(InputError, match=r"z_cm is in cm by its name, not in mm; mixed units"):
        read_table(path, length_unit="mm")


def test_magnitude_is_checked_before_anything_is_computed():
    with pytest.raises(InputError, match=r"column y has 1 values beyond 10 km, first 1e\+30 cm in row 1"):
        check_magnitude({"x": np.zeros(2), "y": np.array([0, 1e30]), "z": np.zeros(2)}, "f")


@pytest.mark.parametrize(
    ("factor", "unit", "seems"),
    [(10, "cm", "mm"), (0.01, "cm", "m"), (0.1, "mm", "cm"), (0.001, "mm", "m"), (1000, "m", "mm"), (100, "m", "cm")],
)
def test_real_table_in_another_unit(window_table, factor, unit, seems):
    """`factor` is what the lengths in cm are too large by when a table in `seems` is read as `unit`."""
    with pytest.raises(InputError, match=rf"look like {seems}, not {unit}: use --length-unit {seems}"):
        check_units(scaled(window_table, "xyz", factor), "f", unit)


def test_real_table_passes(window_table):
    check_units(window_table, "f")
    check_units(scaled(window_table, "xyz", 1, foreign=True), "f")
    check_units(scaled(window_table, "xyz", 10, foreign=True), "f")  # nobody knows how large it should be


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize(
    ("axes", "factor", "share"),
    [("xyz", 10, 0.3), ("xyz", 100, 0.5), ("xyz", 0.1, 0.2), ("z", 10, 0.5), ("xy", 10, 0.4)],
)
def test_rows_of_another_unit(window_table, foreign, axes, factor, share):
    rows = np.random.default_rng(1).random(window_table.n_cells) < share
    with pytest.raises(InputError, match=r"(?s)mixed units: .*bring all to one unit and say which with --length-unit"):
        check_units(scaled(window_table, axes, factor, rows, foreign=foreign), "f")


@pytest.mark.parametrize("foreign", [False, True])
def test_a_few_rows_of_another_unit(window_table, foreign):
    table = scaled(window_table, "xyz", 10, [3, 500, 1900], foreign=foreign)
    file_ids = window_table.cell_id if not foreign else np.arange(1, window_table.n_cells + 1, dtype=np.uint64)
    with pytest.raises(InputError, match=r"\(3 of 48533 cells, first in rows 3, 500, 1900, counted from 0\).*like mm"):
        check_units(table, "f", file_ids=file_ids)


@pytest.mark.parametrize(
    ("axes", "layers"), [("xyz", [5]), ("xyz", range(20, 27)), ("z", [5]), ("z", [25, 26]), ("xy", [5])]
)
def test_layers_of_another_unit(window_table, axes, layers):
    rows = np.isin(window_table.layer, list(layers))
    named = ", ".join(str(layer) for layer in list(layers)[:5])
    with pytest.raises(InputError, match=rf"coordinates in layer {named}.* differ by a factor of 10 .*like mm"):
        check_units(scaled(window_table, axes, 10, rows, foreign=True), "f")


def test_transverse_coordinates_of_another_unit(window_table):
    with pytest.raises(InputError, match=r"x and y do not fit to z: .*their x and y look like mm, z like cm"):
        check_units(scaled(window_table, "xy", 10), "f")


@pytest.mark.parametrize(
    ("sizes", "factor"),
    [({"dx": 20.0, "dy": 20.0}, "0.1"), ({"dx": 0.02, "dy": 0.02}, "100"), ({"area": 400.0}, "0.1")],
)
def test_sizes_of_another_unit(sizes, factor):
    with pytest.raises(InputError, match=rf"the cells lie {factor} times as far apart as their sizes .* say"):
        check_units(prism(**sizes), "f")


@pytest.mark.parametrize(
    "sizes",
    [{"dx": 2.0, "dy": 2.0, "dz": 0.03}, {"dx": 1.0, "dy": 1.0}, {"area": 4.0}, {"dx": 0.0, "dy": 0.0, "dz": 2.0}],
)
def test_sizes_that_agree_pass(sizes):
    check_units(prism(**sizes), "f")


def made(parts) -> CellTable:
    """A table of pieces (layer, x, y, z)."""
    layer, x, y, z = (
        np.concatenate([np.broadcast_to(part[k], np.shape(part[1])).ravel() for part in parts]) for k in range(4)
    )
    return CellTable.from_columns({"cell_id": np.arange(1, len(x) + 1), "layer": layer, "x": x, "y": y, "z": z})


def square(side: int, size: float):
    return tuple(
        a.ravel() for a in np.meshgrid((np.arange(side) - side / 2) * size, (np.arange(side) - side / 2) * size)
    )


def ring(r, n_phi: int):
    r, phi = np.meshgrid(r, (np.arange(n_phi) + 0.5) * 2 * np.pi / n_phi)
    return r * np.cos(phi), r * np.sin(phi)


def cylinder(radius: float, n_phi: int, z):
    z, phi = np.meshgrid(z, (np.arange(n_phi) + 0.5) * 2 * np.pi / n_phi)
    return radius * np.cos(phi), radius * np.sin(phi), z


def strips_and_towers():
    """A barrel layer of strips 8 times finer than the towers beyond |eta| = 1.4, as the ATLAS LAr front layer has."""
    eta = np.concatenate([np.arange(-1.4, 1.4, 0.003125), [1.41, 1.44, -1.41, -1.44]])
    return [
        (1, *cylinder(154, 64, 154 * np.sinh(eta))),
        (2, *cylinder(173, 256, 173 * np.sinh(np.arange(-1.4, 1.4, 0.025)))),
    ]


@pytest.mark.parametrize(
    "parts",
    [
        [(k + 1, *square(20, 1), 0.05 + 0.5 * k) for k in range(10)],
        [(k + 1, *square(20, 1), k - 4.5) for k in range(10)],
        [(1, *square(41, 1), 300), (1, *square(5, 10), 300.5), (2, *square(20, 5), 310)],
        [(1, *square(30, 2), 10), (1, *square(30, 2), 90), (2, *square(30, 2), 200)],
        [(k, *ring(np.array([0.5, 2, 4, 8, 20, 60]), 10), 10.0 * k) for k in range(1, 5)],
        [(1, *ring(np.arange(40, 200, 10), 64), 430), (2, *ring(np.arange(7, 45, 1.5), 64), 470)],
        [(0, *cylinder(125, 80, np.arange(-200, 200, 5.0))), (0, *ring(np.arange(31, 120, 3), 128), 320)],
        strips_and_towers(),
    ],
    ids=[
        "planes from the origin", "planes across the origin", "large cells around small ones", "two disks",
        "growing rings", "outer and forward part", "barrel and endcap of one number", "strips",
    ],
)  # fmt: skip
def test_strange_but_real_shapes_pass(parts):
    check_units(made(parts), "f")


@pytest.mark.parametrize("name", [name for name in DETECTORS if name not in {"hgcal", "toy"}])
def test_built_in_detectors_pass_and_survive(tmp_path, name):
    table = make_detector(name)
    write_table(table, tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet")
    assert found.sha256 == table.sha256
    assert found.subdetector_names == table.subdetector_names
    assert found.detector == table.detector
