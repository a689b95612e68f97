"""ROOT shower files for benchmarks, and how one would convert them in plain Python."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import awkward as ak
import numpy as np
import uproot

from hgcal_gnn.showers.ragged import offsets_of

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.geometry.cells import CellTable

COMPRESSIONS = {"zlib": uproot.ZLIB(1), "zstd": uproot.ZSTD(3), "lz4": uproot.LZ4(4), "lzma": uproot.LZMA(4)}
BRANCHES = ["simHit_detId", "simHit_E", "genPart_eta", "genPart_phi", "genPart_E"]
HITS = 500  # a shower
SPREAD = 3000  # rows around the first cell of a shower's layer: a few wafers
LAYERS = 28
EVENTS_PER_BASKET = 1000


def write_file(path: Path, cells: CellTable, n_events: int, compression: str, seed: int = 1) -> Path:
    """Write showers of about 500 hits in 28 places of the geometry each, with the branches of the preset hgcal."""
    random = np.random.default_rng(seed)
    with uproot.recreate(path, compression=COMPRESSIONS[compression]) as file:
        tree = None
        for start in range(0, n_events, EVENTS_PER_BASKET):
            events = _events(random, cells, min(EVENTS_PER_BASKET, n_events - start))
            tree = tree or file.mktree("tree", {name: array.type.content for name, array in events.items()})
            tree.extend(events)
    return path


def _events(random: np.random.Generator, cells: CellTable, n_events: int) -> dict[str, ak.Array]:
    counts = random.poisson(HITS, n_events)
    places = random.integers(0, cells.n_cells - SPREAD, (n_events, LAYERS))
    event = np.repeat(np.arange(n_events), counts)
    away = np.abs(random.normal(0, SPREAD / 6, len(event))).astype(int) % SPREAD
    rows = places[event, random.integers(0, LAYERS, len(event))] + away
    hits = {
        "detId": cells.cell_id[rows].astype(np.uint32),
        "layer": cells.layer[rows].astype(np.int32),
        "x": cells.x[rows].astype(np.float32),
        "y": cells.y[rows].astype(np.float32),
        "E": random.exponential(1e-4, len(rows)).astype(np.float32),
    }
    one = np.ones(n_events, np.float32)
    particles = {"eta": 2 * one, "phi": random.uniform(-3, 3, n_events).astype(np.float32), "E": 50 * one}
    return {"simHit": _lists(hits, offsets_of(counts)), "genPart": _lists(particles, np.arange(n_events + 1))}


def _lists(columns: dict[str, np.ndarray], offsets: np.ndarray) -> ak.Array:
    records = ak.contents.RecordArray([ak.contents.NumpyArray(values) for values in columns.values()], list(columns))
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), records))


def read_only(path: Path, threads: int) -> int:
    """Let uproot read the branches a conversion needs, in the same steps and threads; return the number of hits."""
    n_hits = 0
    with ThreadPoolExecutor(threads) as pool, uproot.open(path) as file:
        for arrays in file["tree"].iterate(BRANCHES, step_size="10 MB", decompression_executor=pool):
            n_hits += len(arrays["simHit_E"].layout.content)
    return n_hits


def loop_over_lists(path: Path, row_of: dict[int, int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Convert with a tuned Python loop: columns as lists, one dict look-up a hit, arrays per event."""
    showers = []
    with uproot.open(path) as file:
        for arrays in file["tree"].iterate(BRANCHES, step_size="10 MB"):
            for ids, energies in zip(arrays["simHit_detId"].to_list(), arrays["simHit_E"].to_list(), strict=True):
                rows = np.array([row_of[cell] for cell in ids], np.int32)
                showers.append((rows, np.array(energies, np.float32)))
    return showers


def loop_over_events(path: Path, row_of: dict[int, int], n_events: int) -> list[tuple[list[int], list[float]]]:
    """Convert event by event, iterating over the awkward arrays of each, as converters in the field do."""
    showers = []
    with uproot.open(path) as file:
        for event in file["tree"].arrays(BRANCHES, entry_stop=n_events):
            rows = [row_of[int(cell)] for cell in event["simHit_detId"]]
            showers.append((rows, [float(energy) for energy in event["simHit_E"]]))
    return showers
