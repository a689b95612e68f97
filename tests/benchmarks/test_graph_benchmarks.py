"""The graph builder beside SciPy and scikit-learn: `pytest tests/benchmarks --benchmark-only`.

Peers do the same work (equal edges, asserted) in the same run; read the ratios, not the seconds.
"""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.graph_file import load_graph, save_graph
from tests.benchmarks import peers

PEERS = {
    "scipy": (peers.scipy_pairs, peers.scipy_nearest),
    "scikit-learn": (peers.sklearn_pairs, peers.sklearn_nearest),
}


@pytest.fixture(scope="module")
def endcap():
    """One endcap: 3 million cells, mixed densities and tiles."""
    return make_detector("hgcal", side=1)


@pytest.mark.parametrize("peer", ["ours", *PEERS])
def test_all_edges(benchmark, endcap, peer):
    benchmark.group = "all edges and rows"
    expected, _ = build_graph(endcap)
    if peer == "ours":
        benchmark.pedantic(build_graph, (endcap,), rounds=5, warmup_rounds=1)
        return
    rowptr, col, edge_type = benchmark.pedantic(peers.build, (endcap, *PEERS[peer]), rounds=1)
    assert np.array_equal(rowptr, expected.rowptr)
    assert np.array_equal(col, expected.col)
    assert np.array_equal(edge_type, expected.edge_type)


@pytest.mark.parametrize("phi", [0.1, 1.05, 6.2832])
def test_linear_growth(benchmark, phi):
    benchmark.group = "growth with the number of cells"
    table = make_detector("hgcal", phi=(-phi / 2, phi / 2))
    benchmark.extra_info["cells"] = table.n_cells
    benchmark.pedantic(build_graph, (table,), rounds=2, warmup_rounds=1)


def test_load(benchmark, endcap, tmp_path):
    benchmark.group = "file"
    save_graph(build_graph(endcap)[0], tmp_path / "graph.safetensors")
    benchmark(load_graph, tmp_path / "graph.safetensors")
