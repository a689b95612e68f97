"""Names, constants and what is derived from other columns when a table is read."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.tables import read_table
from hgcal_gnn.geometry.tables.names import COLUMN_ALIASES, match_names, our_name

from .table_files import HEADER, prism_csv, saved


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("globalid", "cell_id"),
        ("GlobalID", "cell_id"),
        ("rawDetId", "cell_id"),
        ("cellID", "cell_id"),
        ("cell_geo_ID", "cell_id"),
        ("identifier", "cell_id"),
        ("id", "cell_id"),
        ("layerid", "layer"),
        ("calosample", "layer"),
        ("cell_geo_sampling", "layer"),
        ("pos_x", "x"),
        ("cell_y", "y"),
        ("Z [mm]", "z"),
        ("x_cm", "x"),
        ("cell_geo_rPerp", "r"),
        ("detectorid", "detector"),
        ("subdetid", "subdetid"),
        ("isBarrel", "is_barrel"),
        ("issilicon", "is_silicon"),
        ("celltype", "cell_type"),
        ("waferortileid.first", "waferortileid_first"),
        ("cellid.second", "cellid_second"),
        ("waferU", "wafer_u"),
        ("n11", "n11"),
        ("neighbour_3", "n3"),
        ("Neighbors", "neighbours"),
        ("cornerX2", "corner_x_2"),
        ("corner_0_y", "corner_y_0"),
        ("dx", "dx"),
        ("sizeY", "dy"),
        ("area [mm2]", "area"),
        ("noise", None),
        ("x0", None),  # a radiation length rather than a coordinate
        ("next", "next"),
    ],
)
def test_foreign_names_are_understood(name, ours):
    assert our_name(name) == ours


def test_aliases_name_columns_we_have():
    assert {our_name(ours) for ours in COLUMN_ALIASES.values()} == set(COLUMN_ALIASES.values())


def test_exact_name_wins_over_aliases():
    match = match_names(["id", "cell_id", "globalid", "layer", "layerid", "x", "y", "z"], {}, "f")
    assert match.source["cell_id"] == "cell_id"
    assert match.source["layer"] == "layer"
    assert match.id_candidates == ("cell_id",)


def test_extractor_cellid_is_not_the_id(tmp_path):
    """In the extractor's tables cellid is the place in the wafer: globalid comes first."""
    text = prism_csv(lambda i, row: [row[0], str(i % 4), *row[1:]], "globalid,cellid,layerid,x,y,z")
    table = read_table(saved(tmp_path / "t.csv", text))
    assert table.cell_id.tolist() == list(range(1, 76))
    assert set(table.extra["cellid"].tolist()) == {0, 1, 2, 3}


def test_of_two_possible_ids_the_unique_one_is_taken(tmp_path):
    text = prism_csv(lambda i, row: [str(i % 7), row[0], *row[1:]], "cellid,id,layer,x,y,z")
    assert read_table(saved(tmp_path / "t.csv", text)).cell_id.tolist() == list(range(1, 76))


def test_user_names_win(tmp_path):
    path = saved(tmp_path / "t.csv", prism_csv(header="number,floor,x,y,z"))
    table = read_table(path, columns={"cell_id": "number", "layer": "FLOOR"})
    assert table.cell_id[0] == 1
    assert set(table.layer.tolist()) == {1, 2, 3}


def test_column_displaced_by_the_user_is_kept(tmp_path):
    path = saved(tmp_path / "t.csv", prism_csv(lambda i, row: [*row, str(i)], f"{HEADER},x_local"))
    table = read_table(path, columns={"x": "x_local"})
    assert sorted(table.x.tolist()) == list(range(75))
    assert set(table.extra["x_in_file"].tolist()) == {20, 22, 24, 26, 28}


def test_whole_number_is_a_constant_column(tmp_path):
    path = saved(tmp_path / "t.csv", prism_csv(header="cell_id,floor,x,y,z"))
    assert set(read_table(path, columns={"layer": "7"}).layer.tolist()) == {7}


def test_constant_gives_way_to_a_column_of_that_name(tmp_path):
    path = saved(tmp_path / "t.csv", prism_csv(header="cell_id,7,x,y,z"))
    assert set(read_table(path, columns={"layer": "7"}).layer.tolist()) == {1, 2, 3}


def test_naming_a_column_twice_is_a_usage_error(tmp_path):
    path = saved(tmp_path / "t.csv", prism_csv())
    with pytest.raises(UsageError, match=r"layer is named twice \(layerid=y\)"):
        read_table(path, columns={"layer": "layer", "layerid": "y"})


def test_ids_cannot_be_a_constant(tmp_path):
    with pytest.raises(InputError, match="there is no column 3"):
        read_table(saved(tmp_path / "t.csv", prism_csv()), columns={"cell_id": "3"})


def test_cylindrical_coordinates(tmp_path):
    rows = [(i, 1, 10.0 + i % 3, (i // 3) * np.pi / 8, 5.0) for i in range(48)]
    text = "id,layer,r,phi,z\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    table = read_table(saved(tmp_path / "t.csv", text), length_unit="mm")
    at_90_degrees = table.cell_id == 3 * 4 + 1
    assert table.x[at_90_degrees] == pytest.approx(0.0, abs=1e-12)
    assert table.y[at_90_degrees] == pytest.approx(1.1)  # r = 11 mm
    assert table.extra["r"][at_90_degrees] == pytest.approx(1.1)


def test_eta_and_radius_give_z(tmp_path):
    """The ATLAS cell geometry trees hold eta, phi and rPerp: z = r sinh(eta)."""
    header = "cell_geo_ID,cell_geo_sampling,cell_geo_eta,cell_geo_phi,cell_geo_rPerp"
    rows = [f"{i},2,{0.05 * (i % 8)},{0.1 * (i // 8)},150" for i in range(64)]
    table = read_table(saved(tmp_path / "t.csv", "\n".join([header, *rows])))
    np.testing.assert_allclose(table.z, 150 * np.sinh(table.extra["eta"]))
    np.testing.assert_allclose(np.hypot(table.x, table.y), 150)


def test_degrees_are_refused(tmp_path):
    path = saved(tmp_path / "t.csv", "id,layer,r,phi,z\n1,1,10,0,5\n2,1,10,90,5\n")
    with pytest.raises(InputError, match=r"column phi has 1 values beyond 2 pi, first in rows 1 .*radians"):
        read_table(path)


def test_names_of_subdetectors_as_text(tmp_path):
    text = prism_csv(lambda i, row: [*row, ("barrel", "endcap")[i % 2]], f"{HEADER},detector")
    table = read_table(saved(tmp_path / "t.csv", text))
    assert table.subdetector_names == {0: "barrel", 1: "endcap"}
    assert (table.subdetector == (table.cell_id + 1) % 2).all()


def test_wide_subdetector_codes_are_numbered(tmp_path):
    """DD4hep systems are numbered beyond 255, the codes of a table are not."""
    text = prism_csv(lambda i, row: [*row, ("529", "273")[i % 2]], f"{HEADER},system")
    table = read_table(saved(tmp_path / "t.csv", text))
    assert table.subdetector_names == {0: "subdetector 273", 1: "subdetector 529"}
    assert (table.subdetector == table.cell_id % 2).all()


def test_detector_and_subdetid_are_told_apart(tmp_path):
    text = prism_csv(lambda i, row: [*row, str(3 + i % 2), "1"], f"{HEADER},detectorid,subdetid")
    table = read_table(saved(tmp_path / "t.csv", text))
    assert table.subdetector_names == {0: "subdetector 3/1", 1: "subdetector 4/1"}
    assert set(table.extra["subdetid"].tolist()) == {1}


def test_barrel_flag_gives_the_sides(tmp_path):
    text = prism_csv(lambda _, row: [*row, str(int(row[1] == "2"))], f"{HEADER},isBarrel")
    table = read_table(saved(tmp_path / "t.csv", text))
    assert (table.z_side == np.where(table.layer == 2, 0, 1)).all()


@pytest.mark.parametrize("column", ["[{0}, {1}]", "{0} {1}", "{0};{1}", "({0} {1})"])
def test_neighbour_lists_as_text(tmp_path, column):
    text = prism_csv(
        lambda i, row: [*row, '"' + (column.format(i % 75 + 1, 3) if i % 2 else "[]") + '"'], f"{HEADER},neighbours"
    )
    table = read_table(saved(tmp_path / "t.csv", text))
    odd = table.cell_id % 2 == 1
    assert (table.extra["n0"] == np.where(odd, 0, table.cell_id)).all()
    assert (table.extra["n1"] == np.where(odd, 0, 3)).all()


def test_neighbour_lists_in_parquet(tmp_path):
    n = 20
    columns = {
        "id": np.arange(2**63, 2**63 + n, dtype=np.uint64),
        "layer": np.ones(n, np.int8),
        "x": np.arange(n) % 5.0,
        "y": np.arange(n) // 5 * 1.0,
        "z": np.ones(n),
        "neighbors": pa.array([[2**63 + (i + 1) % n] * (i % 3) for i in range(n)], pa.list_(pa.uint64())),
        "shape": pa.array([[1.0, 2.0]] * n, pa.list_(pa.float32(), 2)),
    }
    pa.parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.extra["n0"].tolist() == [0 if i % 3 == 0 else 2**63 + (i + 1) % n for i in range(n)]
    assert table.extra["n1"].tolist() == [2**63 + (i + 1) % n if i % 3 == 2 else 0 for i in range(n)]
    assert table.extra["shape_1"].tolist() == [2.0] * n


@pytest.mark.parametrize("none", ["-1", "0", "", "nan"])
def test_every_sign_for_no_neighbour_becomes_zero(tmp_path, none):
    dot = ".0" if none == "nan" else ""  # what pandas makes of ids beside NaN
    text = prism_csv(lambda i, row: [*row, none if i % 2 else row[0] + dot], f"{HEADER},n0")
    table = read_table(saved(tmp_path / "t.csv", text))
    assert table.extra["n0"].dtype == np.uint64
    assert (table.extra["n0"] == np.where(table.cell_id % 2 == 1, table.cell_id, 0)).all()


def test_signed_neighbours_follow_signed_ids(tmp_path):
    """DetIds exported as int32 are negative, in the ids as in the neighbours."""
    text = prism_csv(lambda i, row: [str(int(row[0]) - 2**31), *row[1:], str(i - 2**31) if i else "-1"], f"{HEADER},n0")
    table = read_table(saved(tmp_path / "t.csv", text))
    assert table.cell_id.tolist() == list(range(2**31 + 1, 2**31 + 76))
    assert table.extra["n0"].tolist() == [0, *range(2**31 + 1, 2**31 + 75)]


def test_negative_neighbours_of_positive_ids_are_refused(tmp_path):
    text = prism_csv(lambda i, row: [*row, "-7" if i == 4 else "1"], f"{HEADER},n0")
    with pytest.raises(InputError, match=r"column n0 has 1 negative ids, first in rows 4 "):
        read_table(saved(tmp_path / "t.csv", text))


def test_id_zero_beside_neighbours_is_warned_of(tmp_path, caplog):
    text = prism_csv(lambda i, row: [str(i), *row[1:], str(max(i - 1, 0))], f"{HEADER},n0")
    read_table(saved(tmp_path / "t.csv", text))
    assert "a cell has the id 0" in caplog.text


def test_renamed_and_left_out_columns_are_logged(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="hgcal_gnn")
    text = prism_csv(lambda i, row: [*row, f"cell {i}"], "globalid,layer,x,y,z,label")
    assert "label" not in read_table(saved(tmp_path / "t.csv", text)).extra
    assert "read globalid as cell_id" in caplog.text
    assert "left out label (it holds text)" in caplog.text
