"""The first steps of quickstart: geometry, cell graph, showers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hgcal_gnn.cli.quickstart.plan import ETA, MIXED_LAYER, PHI

if TYPE_CHECKING:
    from hgcal_gnn.cli.quickstart.plan import Files, Size
    from hgcal_gnn.geometry.cells import CellTable

DPI = 110


class Sample(NamedTuple):
    """A simulated sample; `energy` as `hgcal-gnn simulate --energy` takes it."""

    name: str
    particle: str
    energy: str
    seed: int


SAMPLES = (
    Sample("photons", "photon", "10..50", 1),
    Sample("photons_test", "photon", "10..50", 2),
    Sample("pions", "pion", "log:5..200", 1),
    Sample("pions_test", "pion", "10,20,50,100", 2),
)


def make_table(files: Files, size: Size) -> None:
    """Write the geometry table of a piece of an endcap."""
    from hgcal_gnn.geometry.detectors import make_detector
    from hgcal_gnn.geometry.tables import write_table

    table = make_detector("hgcal", eta=size.eta, phi=size.phi, side=1)
    write_table(table, files.table, overwrite=True)
    print(f"    {table.n_cells:,} cells in {table.layer.max()} layers -> {files.table}")


def make_graph(files: Files, size: Size) -> None:  # noqa: ARG001 (all steps are called alike)
    """Build the cell graph from the table, check it and draw it."""
    from hgcal_gnn.geometry.build import build_graph
    from hgcal_gnn.geometry.checks import check_graph
    from hgcal_gnn.geometry.graph_file import save_graph
    from hgcal_gnn.geometry.tables import read_table
    from hgcal_gnn.plotting.detector import overview_figure
    from hgcal_gnn.plotting.layer import layer_figure
    from hgcal_gnn.plotting.style import save_figure

    graph, report = build_graph(read_table(files.table))
    save_graph(graph, files.graph, overwrite=True)
    print(f"    {graph.n_edges:,} directed edges in {sum(report.seconds.values()):.1f} s -> {files.graph}")
    findings = [f"{finding.severity}: {finding.message}" for finding in check_graph(graph)]
    print("    checked: " + ("; ".join(findings) or "nothing looks wrong"))
    save_figure(overview_figure(graph, MIXED_LAYER), files.detector, overwrite=True, dpi=DPI)
    save_figure(layer_figure(graph, MIXED_LAYER), files.layer, overwrite=True, dpi=DPI)
    print(f"    pictures -> {files.detector}, {files.layer}")


def make_showers(files: Files, size: Size) -> None:
    """Simulate photons and pions, for training and for tests; samples that are there stay."""
    from hgcal_gnn.geometry.graph_file import load_graph
    from hgcal_gnn.plotting.event import event_figure
    from hgcal_gnn.plotting.style import save_figure
    from hgcal_gnn.showers.store import open_store

    cells = load_graph(files.graph).cells
    for sample in SAMPLES:
        number = getattr(size, sample.name)
        path = files.showers(sample.name)
        if not path.exists():
            _simulate(sample, number, cells, files)
        store = open_store(path)
        hits = store.n_hits.mean()
        print(f"    {number:,} {sample.particle}s of {sample.energy} GeV, {hits:.0f} hits each -> {path}")
    for name, particle in (("photons_test", "photon"), ("pions_test", "pion")):
        store = open_store(files.showers(name))
        middle = int(store.n_hits.argsort()[len(store) * 3 // 4])  # one with more hits than most
        save_figure(event_figure(store[middle : middle + 1], cells), files.picture(particle), overwrite=True, dpi=DPI)
    print(f"    pictures -> {files.picture('photon')}, {files.picture('pion')}")


def _simulate(sample: Sample, number: int, cells: CellTable, files: Files) -> None:
    """Simulate a sample; an interrupted one goes on where it stopped."""
    from hgcal_gnn.progress import progress_bar
    from hgcal_gnn.simulation.beam import Beam, parse_spectrum
    from hgcal_gnn.simulation.sample import write_sample

    beam = Beam(particle=sample.particle, spectrum=parse_spectrum(sample.energy), eta=ETA, phi=PHI)
    with progress_bar(f"simulating {sample.particle}s", total=number, unit="shower") as bar:
        write_sample(
            cells, beam, number, files.showers(sample.name), seed=sample.seed,
            progress=lambda done: bar.update(done - bar.n),
        )  # fmt: skip
