"""Columns of geometry tables and arrays of cell graphs: name, type, unit, meaning."""

from __future__ import annotations

EDGES = (
    ("rowptr", "int64 [n_cells + 1]", "", "edges of cell i are rowptr[i]:rowptr[i + 1]"),
    ("col", "int32 or int64 [n_edges]", "", "row of the cell at the other end, ascending within a cell"),
    (
        "edge_type",
        "uint8 [n_edges]",
        "",
        "0 in the layer, 1 silicon - tile, 2 to the next layer, 3 to the previous",
    ),
)
CELLS = (
    ("cell_id", "uint64 [n_cells]", "", "CMS: the DetId"),
    ("layer", "int16 [n_cells]", "", "ordinal 1..L through the endcap"),
    ("subdetector", "uint8 [n_cells]", "", "CMS: 8 CE-E, 9 CE-H silicon, 10 CE-H scintillator"),
    ("z_side", "int8 [n_cells]", "", "1 or -1 in endcaps, 0 in the barrel"),
    ("is_silicon", "uint8 [n_cells]", "", "0 or 1"),
    ("cell_type", "int16 [n_cells]", "", "CMS silicon: 0, 1, 2 are 120, 200, 300 um"),
    ("x", "float32 [n_cells]", "cm", "centre"),
    ("y", "float32 [n_cells]", "cm", "centre"),
    ("z", "float32 [n_cells]", "cm", "centre"),
)
FURTHER_CELLS = (
    ("parent_row", "int64 [n_cells]", "", "of a piece: the row in the graph it was cut from"),
    ("...", "number [n_cells]", "", "further columns of the geometry table under their names"),
)
TABLE = (
    ("cell_id", "whole number, 64 bits", "", "unique; CMS: the DetId"),
    ("layer", "whole number", "", "ordinal through the calorimeter"),
    ("x", "number", "cm", "centre; or r and phi for x and y"),
    ("y", "number", "cm", "centre"),
    ("z", "number", "cm", "centre; or r and eta"),
    ("detector", "whole number or text", "", "CMS: 8 CE-E, 9 CE-H silicon, 10 CE-H scintillator"),
    ("subdetector", "0 to 255", "", "which part of the calorimeter"),
    ("z_side", "-1, 0, 1", "", "side of an endcap, 0 for the barrel"),
    ("is_silicon", "0, 1", "", "silicon or not"),
    ("cell_type", "whole number", "", "CMS silicon: 0, 1, 2 are 120, 200, 300 um"),
    ("n0 ... n11", "whole number", "", "ids of neighbours in the layer, 0 for none"),
    ("next, previous", "whole number", "", "id of the nearest cell in the next and previous layer, 0 for none"),
    ("dx, dy, dz, dr", "number", "cm", "full widths of the cell"),
    ("deta, dphi", "number", "", "full widths"),
    ("corner_x_0, corner_y_0, ...", "number", "cm", "outline"),
    ("area", "number", "cm^2", "of the cell's face"),
    ("thickness", "number", "cm", "of the sensor"),
)
