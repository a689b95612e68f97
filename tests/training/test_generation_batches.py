"""Which showers a stage trains on."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from hgcal_gnn.generation.players import Stage
from hgcal_gnn.training.generation.batches import rows_of


def test_published_ranges_of_caloshowergan_share_their_edges():
    """15 energies a factor of 2 apart: 5, 7 and 5 of them, as its numbers of degrees of freedom tell (28 each)."""
    energy = (0.256 * 2.0 ** np.arange(15)).astype(np.float32)
    sample = SimpleNamespace(rows=np.arange(15) + 100, energy=energy)
    edges = (0.0, 4.096, 262.144, np.inf)
    parts = [rows_of(sample, Stage("gan", (), 1, (low, high))) for low, high in pairwise(edges)]
    assert [len(part) for part in parts] == [5, 7, 5]
    assert parts[0][-1] == parts[1][0] == 104
    assert parts[1][-1] == parts[2][0] == 110
    assert len(rows_of(sample, Stage("gan", (), 1))) == 15
