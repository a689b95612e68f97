"""Outlines of cells: hexagons, tiles, boxes, against numbers worked out by hand."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detid import silicon_detid
from hgcal_gnn.geometry.shapes import cell_area, cell_size, outlines
from hgcal_gnn.geometry.shapes.hexagons import in_full_wafer
from hgcal_gnn.geometry.shapes.polygons import polygon_area

SEVEN = np.array([[0.0, 0.0]] + [[np.cos(a), np.sin(a)] for a in np.arange(6) * np.pi / 3])


def table(x: Any, y: Any, z: Any = 350.0, **columns: Any) -> CellTable:
    x, y = np.asarray(x, float), np.asarray(y, float)
    full = {name: np.broadcast_to(value, x.shape) for name, value in columns.items()}
    full |= {"x": x, "y": y, "z": np.broadcast_to(z, x.shape).astype(float)}
    full = {"cell_id": np.arange(1, len(x) + 1), "layer": np.ones(len(x), int)} | full
    return CellTable.from_columns(full)


def full_wafer(n: int, pitch: float, angle: float, centre: tuple[float, float], **columns: int) -> dict[str, Any]:
    """Columns of a wafer with 3 n^2 cells; v points 120 degrees from u, as in CMS."""
    u, v = (values.ravel() for values in np.meshgrid(np.arange(2 * n), np.arange(2 * n), indexing="ij"))
    there = in_full_wafer(u, v, np.array(n))
    u, v = u[there], v[there]
    place = (u - (n - 1 / 3)) * np.exp(1j * angle) + (v - (n - 2 / 3)) * np.exp(1j * (angle + 2 * np.pi / 3))
    x, y = centre[0] + pitch * place.real, centre[1] + pitch * place.imag
    fields = {"detector": 9, "z_side": 1, "layer": 3, "cell_type": 0 if n == 12 else 1} | columns
    ids = silicon_detid(**fields, cell_u=u, cell_v=v)
    kind = np.full(len(u), fields["cell_type"])
    return {"cell_id": ids, "x": x, "y": y, "detector": np.full(len(u), 9), "cell_type": kind}


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2])
def test_seven_hexagons(angle: float) -> None:
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = 1.2 * SEVEN @ rotation + [40.0, -25.0]
    cells = table(*centre.T, is_silicon=1)
    found = outlines(cells)
    assert found.corners.shape == (7, 6, 2)
    assert cell_size(cells) == pytest.approx(1.2)
    assert cell_area(cells) == pytest.approx(np.sqrt(3) / 2 * 1.2**2)
    # the corners lie at pitch / sqrt(3), and the seven cells share them: 24 different ones in all
    assert np.hypot(*(found.corners - centre[:, None]).T) == pytest.approx(1.2 / np.sqrt(3))
    assert len(np.unique(np.round(found.corners.reshape(-1, 2), 6), axis=0)) == 24
    # between two neighbours of the middle cell there is a corner, half way in angle
    assert np.min(np.hypot(*(found.corners[0] - centre[[0, 1, 2]].mean(axis=0)).T)) < 1e-9


@given(angle=st.floats(0, 2 * np.pi), shift=st.tuples(st.floats(-200, 200), st.floats(-200, 200)))
def test_outlines_move_with_the_cells(angle: float, shift: tuple[float, float]) -> None:
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    still = outlines(table(*SEVEN.T, is_silicon=1)).corners @ rotation + shift
    moved = outlines(table(*(SEVEN @ rotation + shift).T, is_silicon=1)).corners
    gap = np.hypot(*(still[:, :, None] - moved[:, None]).transpose(3, 0, 1, 2))
    assert gap.min(axis=2).max() < 1e-6


def test_two_wafers_keep_their_own_lattice() -> None:
    """A fine wafer turned by 20 degrees against the coarse one that it touches."""
    parts = [
        full_wafer(8, 1.209, 0.1, (0.0, 0.0), wafer_u=0, wafer_v=0),
        full_wafer(12, 0.806, 0.1 + np.radians(20), (16.9, 0.0), wafer_u=1, wafer_v=0),
    ]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    known = table(**columns)
    assert np.unique(np.round(cell_size(known), 6)).tolist() == [0.806, 1.209]
    # the same cells without wafer numbers: measured from nearest neighbours of the same type
    blind = table(columns["x"], columns["y"], is_silicon=1, cell_type=columns["cell_type"])
    for cells in (known, blind):
        corners = outlines(cells).corners - np.stack([cells.x, cells.y], axis=1)[:, None]
        turn = np.angle(np.exp(6j * np.arctan2(corners[..., 1], corners[..., 0]))) / 6  # modulo 60 degrees
        expected = 0.1 + np.where(cells.cell_type == 0, np.radians(20), 0.0) - np.radians(30)
        assert turn == pytest.approx(np.repeat(expected[:, None], 6, axis=1))


@pytest.mark.parametrize(("n", "pitch"), [(8, 1.209), (12, 0.806)])
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_cut_cells_fill_their_wafer(n: int, pitch: float, angle: float) -> None:
    cells = table(**full_wafer(n, pitch, angle, (50.0, 60.0), wafer_u=-3, wafer_v=2))
    whole = np.sqrt(3) / 2 * pitch**2
    width = np.sqrt(3) * n * pitch  # of the wafer across flats
    area = cell_area(cells, cut=True)
    assert area.sum() == pytest.approx(np.sqrt(3) / 2 * width**2, rel=1e-9)
    # a cut cell loses the triangle beyond the wafer's side (1/6), an extended one gains as much, and the two
    # cells beside a corner of the wafer that are cut by half of it lose 1/12: 3N - 3 = (3N - 6) + 6/2
    share, count = np.unique(np.round(area / whole, 6), return_counts=True)
    assert share == pytest.approx([5 / 6, 11 / 12, 1.0, 7 / 6], abs=1e-5)
    assert count.tolist() == [3 * n - 6, 6, 3 * n * n - 6 * n + 3, 3 * n - 3]
    corners = outlines(cells, cut=True).corners.reshape(-1, 2) - [50.0, 60.0]
    side = np.exp(1j * (angle + np.pi / 6 + np.arange(6) * np.pi / 3))
    reach = (corners[:, :1] * side.real + corners[:, 1:] * side.imag).max(axis=0)
    assert reach == pytest.approx(width / 2)
    assert cell_area(cells) == pytest.approx(whole)


def test_wafer_with_too_few_cells_for_a_fit() -> None:
    """One cell of another wafer and type at the edge of a window still gets a hexagon of the right pitch."""
    coarse = full_wafer(8, 1.209, 0.1, (0.0, 0.0), wafer_u=0, wafer_v=0)
    fine = full_wafer(12, 0.806, 0.1, (17.0, 0.0), wafer_u=1, wafer_v=0)
    columns = {name: np.append(coarse[name], fine[name][:1]) for name in coarse}
    size = cell_size(table(**columns))
    assert np.sort(size) == pytest.approx([0.806, *[1.209] * 192])
    lone = table(**{name: values[:1] for name, values in fine.items()})
    assert cell_size(lone) == pytest.approx(16.75408 / (12 * np.sqrt(3)))


def tiles(radii: Any, n_phi: int, **columns: Any) -> CellTable:
    r, k = (values.ravel() for values in np.meshgrid(radii, np.arange(n_phi), indexing="ij"))
    phi = (k + 0.5) * 2 * np.pi / n_phi
    return table(r * np.cos(phi), r * np.sin(phi), detector=10, **columns)


def test_tile_rings() -> None:
    cells = tiles([100.0, 102.0, 104.8], 288)
    found = outlines(cells)
    assert found.n_corners.tolist() == [4] * (3 * 288)
    r = np.hypot(*found.corners.transpose(2, 0, 1))
    ring = np.searchsorted([101.0, 103.4], np.hypot(cells.x, cells.y))
    # edges half way between rings; first and last as far out as in; 103.4 = (102 + 104.8) / 2
    edges = np.array([99.0, 101.0, 103.4, 106.2])
    assert np.sort(r, axis=1) == pytest.approx(edges[ring[:, None] + [0, 0, 1, 1]])
    phi = np.arctan2(found.corners[..., 1], found.corners[..., 0])
    centre = np.arctan2(cells.y, cells.x)
    assert np.abs(np.angle(np.exp(1j * (phi - centre[:, None])))) == pytest.approx(np.pi / 288)
    # a trapezium: (r_out^2 - r_in^2) / 2 sin(dphi)
    assert cell_area(cells) == pytest.approx((np.diff(edges**2) / 2 * np.sin(2 * np.pi / 288))[ring])


def test_missing_tiles_and_rings_do_not_widen_others() -> None:
    cells = tiles([100.0, 102.0, 104.0, 110.0, 112.0], 36)
    keep = np.ones(cells.n_cells, bool)
    outermost = np.flatnonzero(np.hypot(cells.x, cells.y) > 111)
    keep[outermost[::2]] = False  # no two neighbours left in that ring
    cells = cells.select(keep)
    r = np.hypot(*outlines(cells).corners.transpose(2, 0, 1))
    assert np.unique(np.round(r, 9)).tolist() == [99, 101, 103, 105, 109, 111, 113]
    corners = outlines(cells).corners
    phi = np.unwrap(np.arctan2(corners[..., 1], corners[..., 0]), axis=1)
    assert np.ptp(phi, axis=1) == pytest.approx(2 * np.pi / 36)


def test_small_pieces_of_scintillator_have_square_tiles() -> None:
    """What a window leaves: one ring, one column, one tile."""
    whole = tiles([100.0, 102.2, 104.4], 288)
    r, phi = np.hypot(whole.x, whole.y), np.arctan2(whole.y, whole.x)
    for piece in (r < 101, (phi > 0) & (phi < 0.02), (r < 101) & (phi > 0) & (phi < 0.02)):
        cells = whole.select(piece)
        middle = np.hypot(cells.x, cells.y)
        assert cell_size(cells) == pytest.approx(middle * 2 * np.pi / 288, rel=0.05)
    lone = table([100.0], [1.0], ring=3)  # not CMS: nobody knows how many there are
    with pytest.raises(InputError, match="nothing tells their size"):
        outlines(lone)


def test_stated_rectangles() -> None:
    cells = table([0.0, 3.0], [0.0, 0.0], dx=[1.0, 2.0], dy=4.0)
    assert outlines(cells).corners[1].tolist() == [[2, -2], [4, -2], [4, 2], [2, 2]]
    assert cell_area(cells).tolist() == [4, 8]
    assert cell_size(cells).tolist() == [2, np.sqrt(8)]


def test_stated_sectors() -> None:
    quarter = table([5.0, 0.0], [0.0, 5.0], dr=2.0, dphi=np.pi / 2)
    assert cell_area(quarter) == pytest.approx(np.pi / 4 * (36 - 16), rel=2e-3)
    assert np.hypot(*outlines(quarter).corners.T).max() == pytest.approx(6.0)
    ring = table([5.0, 8.0], [0.0, 0.0], dr=2.0, dphi=2 * np.pi)
    assert cell_area(ring) == pytest.approx([np.pi * 20, np.pi * 32], rel=2e-3)
    disk = table([1.0, 3.0], [0.0, 0.0], dr=[2.0, 2.0], dphi=2 * np.pi)
    assert cell_area(disk)[0] == pytest.approx(np.pi * 4, rel=2e-3)


def test_centres_of_wide_sectors_may_be_centroids() -> None:
    # the centroid of a quarter ring from 4 to 6 lies at r = 2/3 (6^3 - 4^3) / (6^2 - 4^2) sin(pi/4) / (pi/4) = 4.56
    x = 4.56
    quarter = table([x, 0.0], [0.0, x], r=5.0, phi=[0.0, np.pi / 2], dr=2.0, dphi=np.pi / 2)
    r = np.hypot(*outlines(quarter).corners.T)
    assert (r.min(), r.max()) == pytest.approx((4.0, 6.0))
    wrong = table([x, 0.0], [0.0, x], r=50.0, phi=[0.0, np.pi / 2], dr=2.0, dphi=np.pi / 2)  # in mm
    assert np.hypot(*outlines(wrong).corners.T).max() == pytest.approx(5.56)


def test_stated_eta_and_phi() -> None:
    eta, z = 2.0, 320.0
    r = z / np.sinh(eta)
    cells = table([r, 0.0], [0.0, r], [z, z], deta=0.02, dphi=0.02)
    edges = z / np.sinh([2.01, 1.99])
    assert np.unique(np.round(np.hypot(*outlines(cells).corners.T), 9)) == pytest.approx(edges)


def barrel(**columns: Any) -> CellTable:
    phi = np.arange(-10, 10) * 0.1
    return table(100 * np.cos(phi), 100 * np.sin(phi), np.where(np.arange(20) % 2, 7.0, -7.0), z_side=0, **columns)


@pytest.mark.parametrize(
    ("columns", "width", "height"),
    [
        ({"dphi": 0.1, "dz": 4.0}, 10.0, 4.0),
        ({"dphi": 0.1, "deta": 0.02}, 10.0, 2.0 * np.sqrt(1 + 0.07**2)),  # dz = r cosh(eta) deta
        ({"dx": 0.0, "dy": 3.0, "dz": 4.0}, None, 4.0),
    ],
)
def test_barrel(columns: dict[str, float], width: float | None, height: float) -> None:
    cells = barrel(**columns)
    assert (cells.z_side == 0).all()
    size = np.ptp(outlines(cells).corners, axis=1)
    phi = np.arctan2(cells.y, cells.x)
    assert size[:, 0] == pytest.approx(3.0 * np.cos(phi) if width is None else width)
    assert size[:, 1] == pytest.approx(height, rel=1e-4)
    centre = 100 * np.arctan2(cells.y, cells.x)
    assert outlines(cells).corners[..., 0].mean(axis=1) == pytest.approx(centre)


def test_measured_grid() -> None:
    """A 3 x 4 grid with uneven columns: each cell reaches half way to the next line."""
    x, y = (values.ravel() for values in np.meshgrid([0.0, 1.0, 3.0], np.arange(4) * 2.0, indexing="ij"))
    cells = table(x, y)
    low, high = outlines(cells).corners.min(axis=1), outlines(cells).corners.max(axis=1)
    assert set(zip(low[:, 0].tolist(), high[:, 0].tolist(), strict=True)) == {(-0.5, 0.5), (0.5, 2.0), (2.0, 4.0)}
    assert (high - low)[:, 1].tolist() == [2.0] * 12


def test_silicon_on_a_square_grid_is_no_hexagon() -> None:
    x, y = (values.ravel() for values in np.meshgrid(np.arange(5.0), np.arange(5.0)))
    assert cell_area(table(x, y, is_silicon=1)) == pytest.approx(1.0)


def test_measured_row_and_scatter() -> None:
    row = table([0.0, 2.0, 4.0], [5.0, 5.0, 5.0])
    assert cell_area(row).tolist() == [4.0] * 3
    points = np.random.default_rng(5).uniform(0, 100, (50, 2))
    nearest = np.sort(np.hypot(*(points[:, None] - points).T), axis=1)[:, 1]
    assert cell_size(table(*points.T)) == pytest.approx(nearest)


def test_given_corners_in_any_order() -> None:
    cells = table(
        [0.0, 10.0],
        [0.0, 0.0],
        corner_x_0=[1.0, 9.0], corner_y_0=[1.0, -1.0],
        corner_x_1=[-1.0, 11.0], corner_y_1=[-1.0, -1.0],
        corner_x_2=[1.0, 10.0], corner_y_2=[-1.0, 1.0],
        corner_x_3=[-1.0, np.nan], corner_y_3=[1.0, np.nan],
    )  # fmt: skip
    found = outlines(cells)
    assert found.n_corners.tolist() == [4, 3]
    assert polygon_area(found.corners).tolist() == [4.0, 2.0]
    assert found.corners[1, 3].tolist() == found.corners[1, 2].tolist()


def test_area_column_wins() -> None:
    assert cell_area(table([0.0, 3.0], [0.0, 0.0], dx=1.0, dy=1.0, area=[0.5, 0.7])).tolist() == [0.5, 0.7]


def test_rows_in_any_order_over_several_layers() -> None:
    x, y = np.tile(SEVEN, (2, 1)).T
    cells = table(x, y, np.repeat([350.0, 351.0], 7), layer=np.repeat([1, 2], 7), is_silicon=np.repeat([1, 0], 7))
    assert cells.n_cells == 14
    everything = outlines(cells)
    rows = np.array([12, 0, 5, 7])
    some = outlines(cells, rows)
    assert (some.n_corners == everything.n_corners[rows]).all()
    assert (some.corners == everything.corners[rows]).all()
    assert outlines(cells, np.empty(0, np.int64)).corners.shape[0] == 0
    assert outlines(cells, slice(3, 9)).corners.shape[0] == 6


@pytest.mark.parametrize("rows", [np.array([7]), np.array([-1]), np.array([True] * 7), np.array([[1]])])
def test_wrong_rows(rows: NDArray[Any]) -> None:
    with pytest.raises(UsageError, match="rows must"):
        outlines(table(*SEVEN.T, is_silicon=1), rows)


def test_lone_cell() -> None:
    with pytest.raises(InputError, match=r"layer 1: 1 of 1 cells .* \(dx and dy, "):
        outlines(table([1.0], [2.0]))


def test_real_window(shared_data: Path) -> None:
    with gzip.open(shared_data / "cms_hgcal_cee_window.csv.gz", "rt") as stream:
        names = stream.readline().strip().split(",")
        column = dict(zip(names, np.loadtxt(stream, delimiter=",").T, strict=True))
    cells = CellTable.from_columns(
        {
            "cell_id": column["globalid"].astype(np.uint64),
            "detector": column["detectorid"],
            "layer": column["layerid"],
            "cell_type": column["celltype"],
            **{name: column[name] for name in "xyz"},
        }
    )
    size = cell_size(cells)
    expected = np.where(cells.cell_type == 0, 0.8060807, 1.2091211)  # 16.75408 / (sqrt(3) N)
    assert size == pytest.approx(expected, rel=1e-5)
    # cut or extended at the rim of a wafer, a cell keeps its corners near and at least half of its area
    cut = outlines(cells, cut=True)
    centre = np.stack([cells.x, cells.y], axis=1)
    farthest = np.hypot(*(cut.corners - centre[:, None]).T).max(axis=0)
    assert (farthest < 1.4 * size).all()
    assert (polygon_area(cut.corners) > 0.5 * np.sqrt(3) / 2 * size**2).all()
