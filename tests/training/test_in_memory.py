"""Variables computed once stand where a store stands, and give what the store would have given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hgcal_gnn.batching.loader import BatchLoader
from hgcal_gnn.errors import GeometryMismatchError
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.regression.inputs import InputNeeds, RegressionInputs
from hgcal_gnn.training import in_memory
from hgcal_gnn.training.in_memory import AsTheyAre, VariablesInMemory


@pytest.fixture(scope="module")
def inputs(piece):
    needs = InputNeeds(targets=("energy", "eta"), variables=("n_hits", "all_sections"))
    return RegressionInputs(piece.graph, load_material("hgcal"), needs)


@pytest.fixture
def rows():
    """Every third shower but the first."""
    return np.arange(3, 300, 3)


@pytest.mark.parametrize("chunk", [7, 4096])
def test_rows_give_what_the_store_gives(piece, inputs, rows, monkeypatch, chunk):
    """Rows in any order, across the chunks in which they were computed."""
    monkeypatch.setattr(in_memory, "CHUNK", chunk)
    kept = VariablesInMemory(piece.store, rows, inputs)
    assert len(kept) == len(piece.store)
    for asked in (rows, np.array([297, 3, 150, 30]), rows[:1], rows[:0]):
        found, wanted = kept[asked], inputs(piece.store.read(asked))
        for name in ("target", "reference", "variables"):
            torch.testing.assert_close(getattr(found, name), getattr(wanted, name), rtol=1e-6, atol=0)


def test_a_loader_gives_the_same_batches(piece, inputs, rows):
    options = {"rows": rows, "batch_size": 16, "seed": 4}
    plain = BatchLoader(piece.store, inputs, **options)
    kept = BatchLoader(VariablesInMemory(piece.store, rows, inputs), AsTheyAre(), **options)
    batches = list(zip(plain, kept, strict=True))
    assert len(batches) == 7
    for one, other in batches:
        assert one.tensors().keys() == other.tensors().keys()
        torch.testing.assert_close(one.target, other.target)
        torch.testing.assert_close(one.variables, other.variables)


def test_showers_of_another_geometry_are_refused(piece, rows):
    """`AsTheyAre` asks nothing, so the inputs must have."""
    other = build_graph(piece.graph.cells.select(np.arange(1, piece.graph.n_cells)))[0]
    inputs = RegressionInputs(other, load_material("hgcal"), InputNeeds(variables=("n_hits",)))
    with pytest.raises(GeometryMismatchError):
        VariablesInMemory(piece.store, rows, inputs)
