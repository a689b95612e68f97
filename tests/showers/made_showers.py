"""Showers made for the tests: random ones of any size, and small ones for hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.ragged import offsets_of
from hgcal_gnn.showers.showers import Showers

N_CELLS = 40
METADATA = ShowerMetadata(cells_sha256="ab" * 32, source="made for tests", seed=7, extra={"detector": "toy"})


def make_showers(n_showers: int, *, mean_hits: float = 5.0, seed: int = 1, optional: bool = True) -> Showers:
    """Random showers: some empty, cells repeated, every column filled."""
    random = np.random.default_rng(seed)
    counts = random.poisson(mean_hits, n_showers)
    n_hits = int(counts.sum())
    direction = random.normal(size=(3, n_showers))
    direction /= np.linalg.norm(direction, axis=0)
    vertex = random.normal(size=(3, n_showers))
    columns = {
        "offsets": offsets_of(counts),
        "cell": random.integers(0, N_CELLS, n_hits),
        "energy": random.exponential(1e-3, n_hits),
        "incident_energy": random.uniform(1, 100, n_showers),
        "pdg_id": random.choice([22, 211, -211], n_showers),
        "event_id": random.integers(0, 2**40, n_showers),
        "particle_index": random.integers(0, 3, n_showers),
        **{f"vertex_{axis}": vertex[i] for i, axis in enumerate("xyz")},
        **{f"direction_{axis}": direction[i] for i, axis in enumerate("xyz")},
    }
    if optional:
        columns |= {
            "time": random.uniform(0, 25, n_hits),
            "weight": random.uniform(0, 2, n_showers),
            "first_layer": random.integers(-1, 47, n_showers),
            "f_em": random.uniform(0, 1, n_showers),
            "leaked_energy": random.uniform(0, 1, n_showers),
        }
    return Showers.from_columns(columns, metadata=METADATA, n_cells=N_CELLS)


@st.composite
def showers(draw: st.DrawFn, max_showers: int = 6) -> Showers:
    """Draw a few showers, with or without the optional columns."""
    return make_showers(
        draw(st.integers(0, max_showers)),
        mean_hits=draw(st.sampled_from([0.0, 0.7, 4.0])),
        seed=draw(st.integers(0, 2**16)),
        optional=draw(st.booleans()),
    )
