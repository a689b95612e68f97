"""CellGraph: parts, features, conversions, and its file."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError, OutputError, UsageError
from hgcal_gnn.geometry import graph_file
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.checks import check_graph
from hgcal_gnn.geometry.graph import CellGraph
from hgcal_gnn.geometry.graph_file import load_graph, save_graph
from hgcal_gnn.geometry.summary import summarise_graph
from tests.geometry.tables import cms_table, grid_table, hexagon_lattice


@pytest.fixture
def cube():
    """3 x 3 x 3 boxes: 3 x 24 links in the layers, 18 in depth."""
    return build_graph(grid_table(3, layers=3))[0]


def as_set(graph):
    source, target = graph.edge_list()
    return set(zip(source.tolist(), target.tolist(), graph.edge_type.tolist(), strict=True))


@given(mask=st.lists(st.booleans(), min_size=27, max_size=27))
@settings(max_examples=40, deadline=None)
def test_subgraph_keeps_exactly_the_edges_among_its_cells(mask):
    graph = build_graph(grid_table(3, layers=3))[0]
    rows = np.flatnonzero(mask)
    part = graph.subgraph(np.array(mask))
    place = {row: k for k, row in enumerate(rows.tolist())}
    expected = {(place[i], place[j], t) for i, j, t in as_set(graph) if i in place and j in place}
    assert as_set(part) == expected
    assert part.parent_row.tolist() == rows.tolist()
    assert part.parent_sha256 == graph.cells_sha256


def test_part_of_a_part_still_points_into_the_whole(cube):
    part = cube.subgraph(np.array([20, 4, 13, 4])).subgraph(np.array([0, 2]))
    assert part.parent_row.tolist() == [4, 20]
    assert part.parent_sha256 == cube.cells_sha256
    assert part.cells_sha256 != cube.cells_sha256


def test_rings_in_the_layer_and_through_it(cube):
    assert cube.rings(13, 1).parent_row.tolist() == [10, 12, 13, 14, 16]
    assert cube.rings(13, 2).n_cells == 9
    assert cube.rings(13, 1, (0, 1, 2, 3)).parent_row.tolist() == [4, 10, 12, 13, 14, 16, 22]


def test_window_may_cross_pi():
    phi = np.linspace(-np.pi, np.pi, 72, endpoint=False)
    table = cms_table(np.column_stack([100 * np.cos(phi), 100 * np.sin(phi)]))
    graph = build_graph(table)[0]
    assert graph.window(phi=(3.0, -3.0)).n_cells == 3  # pi, pi +- 5 degrees
    assert graph.window(eta=(1.0, 1.5)).n_cells == 0
    assert graph.window(eta=(1.8, 2.0), phi=(0.0, 0.1)).n_cells == 2


def test_bad_rows_are_refused(cube):
    with pytest.raises(UsageError, match=r"rows must lie in 0\.\.26"):
        cube.subgraph(np.array([27]))
    with pytest.raises(UsageError, match=r"mask of cells must have shape \[27\]"):
        cube.subgraph(np.ones(5, bool))


def test_edge_features_by_hand(cube):
    features = cube.edge_features()
    assert features.shape == (cube.n_edges, 8)
    first = features[cube.rowptr[0]]  # cell 0 to cell 1: one step along y
    assert first.tolist() == [0, 1, 0, 1, 1, 0, 0, 0]
    assert np.allclose(features[:, 3], np.linalg.norm(features[:, :3], axis=1))
    assert np.array_equal(features[:, 4:].argmax(axis=1), cube.edge_type)
    assert cube.edge_features(displacement=False, one_hot=False).shape == (cube.n_edges, 1)


def test_networkx_has_every_link_once(cube):
    graph = cube.to_networkx()
    assert graph.number_of_nodes() == 27
    assert graph.number_of_edges() == 3 * 12 + 18
    assert nx.is_connected(graph)
    assert graph.nodes[0]["cell_id"] == 1
    assert sorted({data["edge_type"] for _, _, data in graph.edges(data=True)}) == [0, 2]


def test_file_round_trip_and_equal_bytes(cube, tmp_path):
    part = cube.subgraph(np.arange(20))
    for name, graph in (("whole", cube), ("part", part)):
        save_graph(graph, tmp_path / f"{name}.safetensors")
        save_graph(graph, tmp_path / f"{name}2.safetensors")
        assert (tmp_path / f"{name}.safetensors").read_bytes() == (tmp_path / f"{name}2.safetensors").read_bytes()
        loaded = load_graph(tmp_path / f"{name}.safetensors")
        assert as_set(loaded) == as_set(graph)
        assert loaded.cells_sha256 == graph.cells_sha256
        assert loaded.parent_sha256 == graph.parent_sha256
        assert loaded.rules == json.loads(json.dumps(dict(graph.rules)))
        for column, values in graph.cells.columns().items():
            assert np.array_equal(loaded.cells.columns()[column], values), column
    assert load_graph(tmp_path / "part.safetensors").parent_row.tolist() == list(range(20))


def test_others_can_read_the_file_without_this_package(cube, tmp_path):
    from safetensors import safe_open

    path = tmp_path / "g.safetensors"
    save_graph(cube, path)
    with safe_open(path, "numpy") as file:
        assert list(file.metadata()) == ["hgcal_gnn"]
        metadata = json.loads(file.metadata()["hgcal_gnn"])
        assert file.get_tensor("col").dtype == np.int32
        assert file.get_tensor("rowptr").tolist() == cube.rowptr.tolist()
        types = {name: str(file.get_tensor(name).dtype) for name in file.keys()}  # noqa: SIM118
    assert metadata["cells_sha256"] == cube.cells_sha256
    assert metadata["units"]["x"] == "cm"
    assert types == types | {
        "rowptr": "int64", "edge_type": "uint8", "cell_id": "uint64", "layer": "int16", "subdetector": "uint8",
        "z_side": "int8", "is_silicon": "uint8", "x": "float32", "y": "float32", "z": "float32",
    }  # fmt: skip


def test_file_is_not_overwritten_nor_left_half_written(cube, tmp_path, monkeypatch):
    path = tmp_path / "g.safetensors"
    save_graph(cube, path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        save_graph(cube, path)

    def full_disk(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(graph_file, "save_file", full_disk)
    with pytest.raises(OutputError, match="no space left on the disk"):
        save_graph(cube, path, overwrite=True)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["g.safetensors"]


@given(place=st.integers(0, 5000), value=st.integers(0, 255), cut=st.integers(0, 5000))
@settings(max_examples=150, deadline=None)
def test_damaged_files_give_a_clear_error_or_a_graph(tmp_path_factory, place, value, cut):
    folder = tmp_path_factory.mktemp("damaged")
    graph = build_graph(cms_table(hexagon_lattice(2)))[0]
    path = folder / "g.safetensors"
    save_graph(graph, path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] = value
    path.write_bytes(data[: max(1, len(data) - cut)] if cut % 3 == 0 else data)
    try:
        loaded = load_graph(path)
    except InputError as error:
        named = str(path) in str(error)
    else:
        named = True
        loaded.subgraph(np.arange(min(5, loaded.n_cells)))
    assert named


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "graph format 99, this version reads up to 1; upgrade"),
        ({"kind": "shower"}, "holds a shower, a cell graph is needed"),
        ({"cells_sha256": None}, "metadata of the graph are damaged"),
        ({"format": None}, "not a cell graph"),
    ],
)
def test_foreign_metadata_are_refused(cube, tmp_path, change, message):
    from safetensors.numpy import save_file

    texts = {"cells_sha256": "x", "parent_sha256": "", "detector": "d"}
    metadata = {"format": 1, "kind": "cell graph", "subdetector_names": {}, "rules": {}} | texts | change
    metadata = {name: value for name, value in metadata.items() if value is not None}
    path = tmp_path / "g.safetensors"
    save_file(graph_file.graph_arrays(cube), path, metadata={"hgcal_gnn": json.dumps(metadata)})
    with pytest.raises(InputError, match=message):
        load_graph(path)


def test_not_a_file_at_all(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_graph(tmp_path / "nothing.safetensors")
    with pytest.raises(InputError, match="is a folder"):
        load_graph(tmp_path)
    (tmp_path / "text.safetensors").write_text("cell_id,x,y,z\n1,2,3,4\n")
    with pytest.raises(InputError, match=r"not a \.safetensors file"):
        load_graph(tmp_path / "text.safetensors")


def test_summary_counts_by_hand(cube):
    summary = summarise_graph(cube)
    assert summary["edge_types"] == {
        "intra-layer": 72, "border": 0, "to the next layer": 18, "to the previous layer": 18
    }  # fmt: skip
    assert summary["degree_histogram"]["in the layer"] == [0, 0, 12, 12, 3]
    assert (summary["isolated"], summary["components"], summary["largest_component"]) == (0, 1, 27)
    assert [layer["cells"] for layer in summary["layers"]] == [9, 9, 9]


def broken(graph, **changed):
    parts = {"rowptr": graph.rowptr, "col": graph.col, "edge_type": graph.edge_type} | changed
    return CellGraph(graph.cells, **parts)


def test_checks_find_what_is_broken(cube):
    assert check_graph(cube) == []
    col = cube.col.copy()
    col[0] = 26
    messages = [finding.message for finding in check_graph(broken(cube, col=col))]
    assert any("not sorted" in message for message in messages)
    loop = cube.col.copy()
    loop[0] = 0
    assert any("to itself" in f.message for f in check_graph(broken(cube, col=loop)))


def test_checks_find_cells_and_layers_that_look_wrong(window_graph):
    source, target = window_graph.edge_list()
    victim = 24_000
    gone = (source == victim) | (target == victim)
    gone &= np.cumsum(gone & (window_graph.edge_type == 0)) <= 6
    gone |= (window_graph.cells.layer[source] == 5) & (window_graph.edge_type == 2)
    gone |= (window_graph.cells.layer[source] == 6) & (window_graph.edge_type == 3)
    keep = ~gone
    rowptr = np.concatenate([[0], np.cumsum(np.bincount(source[keep], minlength=window_graph.n_cells))])
    damaged = CellGraph(window_graph.cells, rowptr, target[keep], window_graph.edge_type[keep])
    messages = [finding.message for finding in check_graph(damaged)]
    assert any("layer 5 of subdetector 8 (side +1) has no link to the next layer" in m for m in messages)
    assert any("layer 6 of subdetector 8 (side +1) has no link to the previous layer" in m for m in messages)


def test_geometry_never_imports_torch():
    import subprocess
    import sys

    code = "import sys, hgcal_gnn.geometry.build, hgcal_gnn.geometry.graph_file; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
