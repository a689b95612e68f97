"""ROOT tables: the extractor's vectors, one entry per cell, the choice of the tree."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import uproot

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.tables import read_table

from .table_files import DATA, prism_rows, saved


def prism_columns() -> dict[str, np.ndarray]:
    ids, layer, x, y, z = np.array(prism_rows(), dtype=float).T
    return {"id": ids.astype(np.uint64), "layer": layer.astype(np.int32), "x": x, "y": y, "z": z}


def write_trees(path, **trees):
    with uproot.recreate(path) as file:
        for name, columns in trees.items():
            file.mktree(name, {key: values.dtype for key, values in columns.items()}).extend(columns)
    return path


@pytest.mark.parametrize("pairs", ["split", "whole"])
def test_extractor_table(pairs, caplog):
    """One entry, one std::vector per column, CE-H starting again, layers signed (see data/make_root_tables.py)."""
    caplog.set_level(logging.INFO, logger="hgcal_gnn")
    table = read_table(DATA / f"extractor_{pairs}_pairs.root")
    assert table.n_cells == 2 * 4 * 7
    assert table.subdetector_names == {8: "CE-E", 9: "CE-H silicon"}
    assert sorted(set(zip(table.z_side.tolist(), table.layer.tolist(), strict=True))) == [
        (side, layer) for side in (-1, 1) for layer in (25, 26, 27, 28)
    ]
    assert table.cell_id.min() >= 8 << 28
    assert table.is_silicon.all()
    assert table.x.dtype == np.float32
    assert table.extra["subdetid"].tolist() == [0] * 56
    centres = table.extra["nneighbors"] == 6
    assert centres.sum() == 8
    assert (table.extra["n5"][centres] == table.cell_id[centres] + 6).all()
    assert not table.extra["n6"].any()
    if pairs == "split":
        assert set(table.extra["waferortileid_first"].tolist()) == {5}
        assert set(table.extra["cellid_first"].tolist()) == set(range(7))
    else:
        assert "left out waferortileid (it holds std::vector<pair<int,int>>), cellid" in caplog.text


def test_flat_table_with_neighbour_lists():
    """One entry per cell, mm, a barrel and two endcaps that share layer numbers."""
    table = read_table(DATA / "flat_cells.root", length_unit="mm")
    assert table.n_cells == 2 * 3 * 36 * 4
    assert int(table.cell_id.min()) == 2**63
    barrel = table.z_side == 0
    assert set(np.round(np.hypot(table.x[barrel], table.y[barrel]), 6).tolist()) == {125.0, 126.0}
    assert set(np.abs(table.z[~barrel]).tolist()) == {320.0, 321.0}
    assert set(table.extra["dx"].tolist()) == {5.0}
    first_of_four = table.cell_id % 4 == 0
    assert (table.extra["n0"][first_of_four] == table.cell_id[first_of_four] + 1).all()
    assert not table.extra["n1"][first_of_four].any()
    assert (table.extra["n0"][~first_of_four] == table.cell_id[~first_of_four] - 1).all()


def test_tree_with_cells_is_found(tmp_path):
    other = {"event": np.arange(5), "energy": np.ones(5)}
    path = write_trees(tmp_path / "t.root", events=other, geometry=prism_columns())
    assert read_table(path).n_cells == 75


def test_several_trees_with_cells_need_a_name(tmp_path):
    cells = prism_columns()
    path = write_trees(tmp_path / "t.root", run2=cells, run3={**cells, "id": cells["id"] + np.uint64(100)})
    with pytest.raises(InputError, match=r"several trees hold cell ids: run2, run3; say which with --tree run2"):
        read_table(path)
    assert read_table(path, tree="run3").cell_id[0] == 101
    with pytest.raises(InputError, match=r"no tree run4; the file has run2, run3"):
        read_table(path, tree="run4")


def test_complete_tree_wins_over_one_with_ids_alone(tmp_path):
    path = write_trees(tmp_path / "t.root", hits={"id": np.arange(9)}, geometry=prism_columns())
    assert read_table(path).n_cells == 75


def test_no_tree_with_cells_lists_what_there_is(tmp_path):
    path = write_trees(tmp_path / "t.root", events={"pt": np.ones(3), "eta": np.ones(3)})
    with pytest.raises(InputError, match=r"no tree has a branch of cell ids \(events: pt, eta\); .*--column cell_id="):
        read_table(path)


def test_user_names_help_to_find_the_tree(tmp_path):
    cells = prism_columns()
    cells["number"] = cells.pop("id")
    path = write_trees(tmp_path / "t.root", events={"pt": np.ones(3)}, geometry=cells)
    assert read_table(path, columns={"cell_id": "number"}).n_cells == 75


def test_missing_branch_is_named(tmp_path):
    cells = prism_columns()
    del cells["y"]
    with pytest.raises(InputError, match=r"missing column y \(found: id, layer, x, z\)"):
        read_table(write_trees(tmp_path / "t.root", cells=cells))


def test_empty_tree(tmp_path):
    columns = {name: values[:0] for name, values in prism_columns().items()}
    with pytest.raises(InputError, match="no entries"):
        read_table(write_trees(tmp_path / "t.root", cells=columns))


def test_file_without_trees(tmp_path):
    with uproot.recreate(tmp_path / "t.root") as file:
        file["note"] = "hello"
    with pytest.raises(InputError, match=r"holds no tree \(found: note\)"):
        read_table(tmp_path / "t.root")


def test_scalars_beside_vectors_are_left_out(tmp_path, caplog):
    """An event number beside the vectors of cells is no column of cells."""
    caplog.set_level(logging.INFO, logger="hgcal_gnn")
    cells = {name: values[None, :] for name, values in prism_columns().items()}
    with uproot.recreate(tmp_path / "t.root") as file:
        tree = file.mktree("t", {"run": "int32", **{name: f"var * {v.dtype}" for name, v in cells.items()}})
        from awkward import Array, from_regular

        counts = {f"n{name}": np.array([75], np.int32) for name in cells}
        arrays = {name: from_regular(Array(values)) for name, values in cells.items()}
        tree.extend({"run": np.array([7], np.int32), **arrays, **counts})
    table = read_table(tmp_path / "t.root")
    assert table.n_cells == 75
    assert "run" not in table.extra
    assert "run (it holds one value an entry, not one a cell)" in caplog.text


def test_rntuple(tmp_path):
    columns = prism_columns()
    with uproot.recreate(tmp_path / "t.root") as file:
        file.mkrntuple("cells", {name: v.dtype for name, v in columns.items()}).extend(columns)
    assert read_table(tmp_path / "t.root").n_cells == 75


def test_podio_file_is_no_table(shared_data):
    """Its metadata branches cannot be read by uproot, and there is no single tree of cells."""
    with pytest.raises(InputError, match="cell"):
        read_table(shared_data / "ild_photon_1_event.edm4hep.root")


def test_event_ntuple_repeats_its_cells(shared_data):
    """Vectors of two events: cells hit twice are repeated ids, said so rather than merged."""
    path = shared_data / "cms_hgcal_muons_ntuple.root"
    columns = {"cell_id": "rechit_detid", "layer": "rechit_layer", **{a: f"rechit_{a}" for a in "xyz"}}
    with pytest.raises(InputError, match=r"column cell_id has \d+ repeated ids"):
        read_table(path, columns=columns)


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.99])
def test_truncated_root(tmp_path, keep):
    content = (DATA / "flat_cells.root").read_bytes()
    path = saved(tmp_path / "t.root", content[: int(keep * len(content))])
    with pytest.raises(InputError, match=r"damaged, cut off"):
        read_table(path, length_unit="mm")
