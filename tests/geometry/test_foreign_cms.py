"""CMS tables that lack columns, and tables of others that look like CMS."""

from __future__ import annotations

import numpy as np

from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.checks import check_graph
from hgcal_gnn.geometry.tables import read_table


def write(path, table: CellTable, *names: str):
    """Save some columns of a table as CSV."""
    columns = np.column_stack([table.columns()[name].astype(object) for name in names])
    path.write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in columns.tolist())]) + "\n")
    return path


def test_cell_types_are_read_off_the_detids(window_table, window_graph, tmp_path):
    path = write(tmp_path / "ids.csv", window_table, "cell_id", "layer", "x", "y", "z")
    table = read_table(path)
    assert np.array_equal(table.cell_type, window_table.cell_type)
    assert np.array_equal(build_graph(table)[0].col, window_graph.col)


def test_densities_are_told_apart_without_types_and_detids(window_table, window_graph):
    mine = window_table.layer <= 3
    some = window_table.select(np.flatnonzero(mine))
    table = CellTable.from_columns(
        {"cell_id": np.arange(1, some.n_cells + 1), "detector": some.subdetector,
         **{name: getattr(some, name) for name in ("layer", "x", "y", "z")}}
    )  # fmt: skip
    graph, _ = build_graph(table)
    reference = window_graph.subgraph(mine)
    place = np.lexsort((table.y, table.x, table.layer)), np.lexsort((some.y, some.x, some.layer))
    row_of = np.empty(some.n_cells, np.int64)
    row_of[place[0]] = place[1]
    pairs = []
    for one, rows in ((graph, row_of), (reference, np.arange(some.n_cells))):
        source, target = one.edge_list()
        lateral = one.edge_type == 0
        pairs.append(set(zip(rows[source[lateral]].tolist(), rows[target[lateral]].tolist(), strict=True)))
    assert len(pairs[0] ^ pairs[1]) < 1e-3 * len(pairs[1])
    assert not [finding for finding in check_graph(graph) if finding.severity == "error"]


def test_subdetectors_8_and_9_of_another_experiment_are_not_cms():
    # Barrel and endcap of an FCC detector: codes 8 and 9, each with layers from 1.
    phi, z = (a.ravel() for a in np.meshgrid((np.arange(48) + 0.5) * 2 * np.pi / 48, np.arange(-95, 96, 10.0)))
    barrel = [np.stack([r * np.cos(phi), r * np.sin(phi), z]) for r in (200.0, 210.0)]
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-95, 96, 10.0), np.arange(-95, 96, 10.0)))
    endcap = [np.stack([x, y, np.full(400, depth)]) for depth in (300.0, 310.0, -300.0, -310.0)]
    places = np.concatenate([*barrel, *endcap], axis=1)
    table = CellTable.from_columns(
        {"cell_id": np.arange(places.shape[1]), "detector": np.repeat([8, 9], [2 * 960, 4 * 400]),
         "layer": np.concatenate([np.repeat([1, 2], 960), np.tile(np.repeat([1, 2], 400), 2)]),
         "x": places[0], "y": places[1], "z": places[2]}
    )  # fmt: skip
    assert not table.is_cms
    assert np.bincount(table.z_side + 1).tolist() == [800, 1920, 800]
    degree = build_graph(table)[0].degree((0,))
    assert set(degree[table.z_side == 0].tolist()) == {3, 4}
