"""Training and inference with the published network, ours and plain PyTorch Geometric taking turns.

A program of its own, since the allocator is tuned by the environment a process starts with; writes JSON.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from hgcal_gnn.batching.loader import BatchLoader
from hgcal_gnn.geometry.detector_graph import detector_graph
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.regression.inputs import RegressionInputs
from hgcal_gnn.regression.models.base import Sizes
from hgcal_gnn.regression.models.gcn import Gcn, GcnConfig
from hgcal_gnn.showers.store import open_store, write_showers
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate
from tests.regression.models.peer_gcn import PygGcn, copy_weights

BATCH = 64
N_SHOWERS = 2048
STEPS = 6  # of a turn
TURNS = 16
MEAN_ENERGY = 75.0
PARTS = {  # operations of the profiler; the first that fits
    "sum over neighbours, ReLU and pooling in one": ("_PropagateReluPool",),
    "sum over neighbours": ("_Propagate",),
    "batch norm and ReLU": ("_NormRelu", "relu", "clamp_min", "threshold"),
    "linear maps": ("aten::mm", "aten::addmm"),
    "optimiser": ("Optimizer.step",),
}


def make_store(path: Path) -> None:
    """Photons of 50-100 GeV at eta 2."""
    graph, _ = detector_graph("hgcal", side=1)
    write_showers(simulate(graph.cells, Beam("photon", parse_spectrum("50..100"), eta=2.0), N_SHOWERS, seed=1), path)


def endless(loader):
    while True:
        yield from loader


def as_list(store, inputs):
    """Every shower as `Data`, made beforehand and kept in memory."""
    graphs = []
    for number in range(len(store)):
        batch = inputs(store.read(slice(number, number + 1)))
        adjacency = batch.hits.adjacency
        edges = torch.stack([adjacency.row, adjacency.col])
        graphs.append(Data(x=batch.hits.x, edge_index=edges, y=batch.target, variables=batch.variables))
    return graphs


class Case:
    """A network, where its batches come from, and how long it takes."""

    def __init__(self, network, batches, target) -> None:
        self.network, self.batches, self.target = network, batches, target
        self.optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        self.elapsed, self.worked = defaultdict(list), defaultdict(list)

    def train(self) -> None:
        batch = next(self.batches)
        self.optimiser.zero_grad()
        loss = (1 - self.network(batch)[:, 0] * MEAN_ENERGY / self.target(batch)).abs().mean()
        loss.backward()
        self.optimiser.step()

    def infer(self) -> None:
        with torch.inference_mode():
            self.network(next(self.batches))

    def turn(self, what: str) -> None:
        self.network.train(what == "train")
        start = perf_counter(), process_time()
        for _ in range(STEPS):
            getattr(self, what)()
        self.elapsed[what].append((perf_counter() - start[0]) / STEPS)
        self.worked[what].append((process_time() - start[1]) / STEPS)


def profile(case: Case) -> dict[str, float]:
    """Share of a training step on one thread by what it is spent on, in percent; the rest is loss and bookkeeping."""
    torch.set_num_threads(1)
    case.network.train()
    spent = defaultdict(float)
    start = perf_counter()
    batches = [next(case.batches) for _ in range(STEPS)]
    spent["loading"] = (perf_counter() - start) * 1e6
    case.batches = iter(batches)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as found:
        for _ in range(STEPS):
            case.train()
    for event in found.key_averages():
        part = next((part for part, keys in PARTS.items() if any(key in event.key for key in keys)), "rest")
        spent[part] += event.self_cpu_time_total
    return {part: round(100 * time / sum(spent.values()), 1) for part, time in spent.items()}


def main(path: Path) -> dict[str, dict]:
    torch.manual_seed(0)
    graph, _ = detector_graph("hgcal", side=1)
    config, store = GcnConfig(), open_store(path)
    inputs = RegressionInputs(graph, load_material("hgcal"), config.needs())
    ours = Gcn(config, Sizes(len(config.features)))
    theirs = PygGcn(len(config.features), 0, config.hidden, 1)
    copy_weights(ours, theirs)
    loader = BatchLoader(store, inputs, batch_size=BATCH, as_torch=False, drop_last=True)
    peer_loader = DataLoader(as_list(store, inputs), batch_size=BATCH, shuffle=True, drop_last=True)
    cases = {
        "ours": Case(ours, endless(loader), lambda batch: batch.target[:, 0]),
        "pyg": Case(theirs, endless(peer_loader), lambda batch: batch.y[:, 0]),
    }
    for turn in range(TURNS + 1):
        for what in ("train", "infer"):
            for case in cases.values():
                case.turn(what)
        if not turn:  # compiles
            for case in cases.values():
                case.elapsed.clear(), case.worked.clear()
    found: dict[str, dict] = {"threads": torch.get_num_threads()}
    for what in ("train", "infer"):
        elapsed, worked = ({name: np.array(getattr(case, kind)[what]) for name, case in cases.items()}
                           for kind in ("elapsed", "worked"))  # fmt: skip
        found[what] = {
            **{f"{name} [showers/s]": round(BATCH / np.median(seconds)) for name, seconds in elapsed.items()},
            "ratio": round(float(np.median(elapsed["pyg"] / elapsed["ours"])), 2),
            "ratio, quartiles": np.quantile(elapsed["pyg"] / elapsed["ours"], [0.25, 0.75]).round(2).tolist(),
            **{f"{name} [ms of processor]": round(np.median(time) * 1e3, 1) for name, time in worked.items()},
            "ratio of processor time": round(float(np.median(worked["pyg"] / worked["ours"])), 2),
        }
    found["where the time of ours goes [%]"] = profile(cases["ours"])
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
