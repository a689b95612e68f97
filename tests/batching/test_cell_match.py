from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.batching.cell_match import CellMatch
from hgcal_gnn.batching.hit_graphs import HitGraphs
from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import Showers
from tests.batching.made import random_graph, random_showers


def test_other_geometry_is_refused_with_the_way_out():
    ours, theirs = random_graph(20, 0.3, seed=1), random_graph(20, 0.3, seed=2)
    showers = random_showers(theirs, 3, 5)
    with pytest.raises(GeometryMismatchError, match=r"(?s)other geometry.*showers_from=.*--force-geometry") as caught:
        HitGraphs(ours)(showers)
    assert theirs.cells_sha256[:12] in str(caught.value)
    assert ours.cells_sha256[:12] in str(caught.value)


def test_cells_of_another_geometry_are_found_by_id():
    ours = random_graph(20, 0.3, seed=1)
    cells = ours.cells
    # the same ids, z measured from elsewhere: another geometry, whose rows are in another order
    shifted = {"cell_id": cells.cell_id, "layer": 9 - cells.layer, "x": cells.x, "y": cells.y, "z": cells.z + 1}
    theirs = CellTable.from_columns(shifted)
    assert not np.array_equal(theirs.cell_id, cells.cell_id)
    showers = random_showers(theirs, 4, 8)
    matched = CellMatch(ours, showers_from=theirs).match(showers)
    merged = showers.merged()
    for k in range(4):
        mine = dict(zip(cells.cell_id[matched.showers[k].cell], matched.showers[k].energy, strict=True))
        assert mine == dict(zip(theirs.cell_id[merged[k].cell], merged[k].energy, strict=True))
    assert not matched.outside_hits.any()
    assert matched.showers.metadata.cells_sha256 == ours.cells_sha256


def test_geometries_without_a_common_id():
    ours = random_graph(20, 0.3, seed=1)
    theirs = CellTable.from_columns({**ours.cells.columns(), "cell_id": np.arange(20) + 5000})
    with pytest.raises(UsageError, match="none of the 20 cell ids"):
        CellMatch(ours, showers_from=theirs)


def test_showers_of_the_whole_in_a_piece():
    whole = random_graph(40, 0.2)
    rows = np.array([1, 4, 5, 17, 30])
    part = whole.subgraph(rows)
    showers = Showers.from_columns(
        {"offsets": [0, 3, 3, 5], "cell": [5, 0, 30, 39, 2], "energy": [1, 2, 4, 8, 16], "incident_energy": [9, 9, 9]},
        metadata=ShowerMetadata(cells_sha256=whole.cells_sha256, source="s.arrow"),
    )
    match = CellMatch(part).match(showers)
    np.testing.assert_array_equal(match.showers.cell, [2, 4])
    np.testing.assert_array_equal(match.showers.offsets, [0, 2, 2, 2])
    np.testing.assert_array_equal(match.outside_hits, [1, 0, 2])
    np.testing.assert_array_equal(match.outside_energy, [2, 0, 24])
    with pytest.raises(InputError, match=r"s.arrow: 3 hits in 2 of 3 showers lie in cells the graph does not hold"):
        HitGraphs(part)(showers)
    batch = HitGraphs(part, leave_outside=True)(showers)
    np.testing.assert_array_equal(batch.outside_energy, [2, 0, 24])
    expected = part.subgraph([2, 4])
    np.testing.assert_array_equal(batch.edge_index, np.stack(expected.edge_list()))


def test_cell_numbers_beyond_the_graph():
    # showers of unknown geometry: nobody has compared them with the graph
    graph = random_graph(10, 0.3)
    columns = {"offsets": [0, 2], "energy": [1, 1], "incident_energy": [5]}
    with pytest.raises(InputError, match=r"cells 3..10, there are 0..9"):
        CellMatch(graph).match(Showers.from_columns({**columns, "cell": [3, 10]}))
    hits = Showers.from_columns({**columns, "cell": [0, 1]}).replace(cell=np.array([-1, 3], dtype=np.int32))
    with pytest.raises(InputError, match=r"cells -1..3"):
        CellMatch(graph).match(hits)
