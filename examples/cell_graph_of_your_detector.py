# %% [markdown]
# # A cell graph of your own detector
#
# Any calorimeter becomes a graph once its cells stand in a table. Here: a small electromagnetic calorimeter of four
# layers, the front ones with fine cells, the rear ones with coarse ones, written as CSV the way an export would be.

# %%
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from hgcal_gnn.geometry.build import EdgeRules, build_graph
from hgcal_gnn.geometry.checks import check_graph
from hgcal_gnn.geometry.graph_file import load_graph, save_graph
from hgcal_gnn.geometry.tables import read_table
from hgcal_gnn.plotting.layer import draw_layer
from hgcal_gnn.plotting.style import save_figure

folder = Path(mkdtemp())

# %% [markdown]
# One row per cell: an id, the layer, the centre in millimetres and the sizes. Columns may have any name.

# %%
rows = []
for layer, (depth, size) in enumerate([(1500, 5), (1510, 5), (1525, 10), (1540, 10)], start=1):
    centres = np.arange(-50, 50, size) + size / 2
    x, y = (a.ravel() for a in np.meshgrid(centres, centres, indexing="ij"))
    rows += [(layer, a, b, depth, size) for a, b in zip(x, y, strict=True)]
table_path = folder / "cells.csv"
lines = [f"{number},{layer},{x},{y},{z},{size},{size}" for number, (layer, x, y, z, size) in enumerate(rows, start=1)]
table_path.write_text("\n".join(["number,plane,x,y,z,dx,dy", *lines]) + "\n")

# %% [markdown]
# Reading checks the table and converts it to centimetres. `hgcal-gnn build-graph cells.csv -o graph.safetensors
# --column cell_id=number --column layer=plane --length-unit mm` does the same and the next step in one go.

# %%
cells = read_table(table_path, columns={"cell_id": "number", "layer": "plane"}, length_unit="mm")
graph, report = build_graph(cells, EdgeRules())
print("\n".join(report.notes))
print(graph, check_graph(graph))

# %% [markdown]
# A fine cell has four neighbours in its layer; a coarse cell collects the four fine cells in front of it.

# %%
middle = int(np.flatnonzero((cells.layer == 3) & (cells.x == 0.5) & (cells.y == 0.5))[0])
for kind, name in ((0, "in the layer"), (2, "in the next layer"), (3, "in the previous layer")):
    print(f"{len(graph.neighbours(middle, (kind,)))} neighbours {name}")

# %% [markdown]
# The graph goes to a file that any reader of safetensors understands, and comes back mapped into memory.

# %%
graph_path = folder / "graph.safetensors"
save_graph(graph, graph_path)
print(load_graph(graph_path).rings(middle, 2))
artists = draw_layer(graph, 3)
save_figure(artists.ax.figure, folder / "layer_3.png")
print(folder / "layer_3.png")
