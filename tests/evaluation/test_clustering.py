"""Topological clusters by hand, against networkx, and both samples after them."""

from __future__ import annotations

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.evaluation.after_reconstruction import after_reconstruction, binned_mean, uniform_digitiser
from hgcal_gnn.evaluation.clustering import cell_noise, label_hits, topological_clusters
from hgcal_gnn.evaluation.energy_bins import energy_bins
from hgcal_gnn.evaluation.reconstructed import reconstruct
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.graph import CellGraph
from hgcal_gnn.geometry.material import MaterialProfile, Sensor
from hgcal_gnn.showers.hits import Digitiser
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import Showers
from tests.evaluation.by_hand import showers_of
from tests.geometry.tables import plain_table

NOISE = 0.1  # GeV


def numbers_of(cells, weight=1000.0, mip=0.5) -> CellNumbers:
    """Calibration of `weight` GeV per GeV and `mip` MeV in every cell."""
    n = int(cells.layer.max())
    columns = {name: np.ones(n) for name in ("x0", "interaction")}
    material = MaterialProfile(
        name="plain",
        front=0.0,
        loss=np.full(n, weight * mip),
        response=np.ones((n, 2)),
        section=np.zeros(n, np.int64),
        samplings=np.ones(n, np.int64),
        extent=np.zeros(n),
        sensors=(Sensor("plain", mip, 0.1),),
        **columns,
    )
    return CellNumbers.of(cells, material)


def graph_of(n_cells, pairs, layer=None) -> CellGraph:
    """Cells along x with the given links, stored both ways."""
    line = np.arange(n_cells)
    cells = plain_table(line, 0.0 * line, 100.0 + 0 * line, 1 + 0 * line if layer is None else np.asarray(layer))
    links = np.array(sorted({(a, b) for pair in pairs for a, b in (pair, pair[::-1])}), np.int64).reshape(-1, 2)
    rowptr = np.concatenate([[0], np.cumsum(np.bincount(links[:, 0], minlength=n_cells))])
    return CellGraph(cells, rowptr, links[:, 1].astype(np.int32), np.zeros(len(links), np.uint8))


def chain(n_cells, **options) -> CellGraph:
    """Each cell linked to the next."""
    return graph_of(n_cells, [(i, i + 1) for i in range(n_cells - 1)], **options)


def test_a_line_of_cells_by_hand():
    """seed - grow - boundary - boundary of the other - seed; then a lone grow cell and a lone boundary cell."""
    graph = chain(9, layer=[1, 1, 1, 2, 2, 2, 2, 2, 2])
    sigmas = [5.0, 3.0, 1.0, 1.0, 6.0, 0.0, 3.0, 1.0, 0.0]
    showers = showers_of((range(9), np.array(sigmas) * NOISE))
    noise = np.full(9, NOISE)
    label, counts = label_hits(showers, graph, noise)
    assert label.tolist() == [0, 0, 0, 1, 1, -1, -1, -1, -1]
    assert counts.tolist() == [2]
    clusters = topological_clusters(showers, graph, numbers_of(graph.cells), noise)
    assert clusters.energy == pytest.approx([900.0, 700.0])  # sorted by energy: 9 sigma and 7 sigma of 100 GeV
    assert clusters.n_cells.tolist() == [3, 2]
    assert clusters.x == pytest.approx([(0 * 5 + 1 * 3 + 2 * 1) / 9, (3 + 4 * 6) / 7])
    assert clusters.first_layer.tolist() == [1, 2]
    assert clusters.last_layer.tolist() == [1, 2]


def test_thresholds_must_be_exceeded():
    graph, noise = chain(3), np.ones(3)
    for sigmas, expected in (
        ([4.0, 5.0, 2.0], [0, 0, 0]),  # 2.0 does not grow, but joins as boundary
        ([4.0, 3.0, 1.0], [-1, -1, -1]),  # no seed
        ([5.0, 2.0, 3.0], [0, 0, -1]),  # 2.0 does not lead on
        ([5.0, 2.1, 3.0], [0, 0, 0]),
        ([5.0, 2.1, 0.0], [0, 0, -1]),
    ):
        assert label_hits(showers_of((range(3), sigmas)), graph, noise)[0].tolist() == expected
    assert label_hits(showers_of((range(3), [5.0, 1.0, 0.6])), graph, noise, (4, 0.8, 0.5))[0].tolist() == [0, 0, 0]


def test_small_clusters_are_left_out():
    """Two showers of clusters of 1, 3 and 2 cells; the second without the three."""
    showers = showers_of(([0, 2, 3, 4, 7, 8], [9.0, 5.0, 5.0, 5.0, 5.0, 5.0]), ([0, 7, 8], [9.0, 5.0, 5.0]))
    graph, noise = chain(9), np.ones(9)
    for min_cells, n_clusters, leading in (
        (1, [3, 2], [15e3, 10e3]),
        (2, [2, 1], [15e3, 10e3]),
        (3, [1, 0], [15e3, 0]),
    ):
        clusters = topological_clusters(showers, graph, numbers_of(graph.cells), noise, min_cells=min_cells)
        assert clusters.n_clusters.tolist() == n_clusters
        assert np.nan_to_num(clusters.leading("energy")) == pytest.approx(leading)
    digitiser = uniform_digitiser(numbers_of(graph.cells), 2e-3, threshold=0.5)  # 2e-3 x 0.5 MeV = 1 keV
    found = reconstruct(showers.where(showers.shower == 0), graph, numbers_of(graph.cells), digitiser).columns
    assert found["isolated_share"] == pytest.approx([19 / 34, np.nan], abs=1e-5, nan_ok=True)


def test_groups_that_meet_are_one_cluster_whatever_the_order():
    """Cells 0 and 2 are linked over 3 only."""
    graph = graph_of(4, [(0, 3), (2, 3)])
    label, counts = label_hits(showers_of((range(4), [5.0, 5.0, 3.0, 3.0])), graph, np.ones(4))
    assert label.tolist() == [0, 1, 0, 0]
    assert counts.tolist() == [2]


def test_a_boundary_cell_goes_to_the_most_significant_neighbour():
    """Significance decides, not energy: cell 2 holds more, but over more noise."""
    showers = showers_of((range(3), [5.0, 1.0, 50.0]))
    assert label_hits(showers, chain(3), np.array([1.0, 1.0, 12.0]))[0].tolist() == [0, 0, 1]


def test_showers_do_not_mix_and_may_have_none():
    graph = chain(4)
    showers = showers_of(([0], [5.0]), ([1], [3.0]), ([], []), ([3, 0], [7.0, 5.0]))
    clusters = topological_clusters(showers, graph, numbers_of(graph.cells), np.ones(4))
    assert clusters.n_clusters.tolist() == [1, 0, 0, 2]
    assert clusters.leading("x") == pytest.approx([0, np.nan, np.nan, 3], nan_ok=True)
    assert clusters.shower.tolist() == [0, 3, 3]


def test_deposits_of_one_cell_are_added_up_first():
    graph = chain(2)
    clusters = topological_clusters(
        showers_of(([1, 1, 0], [3.0, 2.0, 1.0])), graph, numbers_of(graph.cells), np.ones(2)
    )
    assert clusters.energy == pytest.approx([6000.0])
    assert clusters.n_cells.tolist() == [2]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 24), st.integers(0, 2**32 - 1), st.floats(0.02, 0.4))
def test_clusters_are_connected_components(n_cells, seed, density):
    """Of networkx, on random links, random hits, in several showers at once."""
    rng = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(n_cells) for j in range(i) if rng.random() < density]
    graph = graph_of(n_cells, pairs)
    hits = [np.sort(rng.permutation(n_cells)[: rng.integers(0, n_cells + 1)]) for _ in range(4)]
    energies = [rng.exponential(2.5, len(cells)).astype(np.float32) for cells in hits]
    showers = showers_of(*zip(hits, energies, strict=True))
    noise = rng.uniform(0.5, 2.0, n_cells)
    label, counts = label_hits(showers, graph, noise)
    whole = nx.Graph(pairs)
    whole.add_nodes_from(range(n_cells))
    for shower, (cells, energy) in enumerate(zip(hits, energies, strict=True)):
        ratio = dict(zip(cells.tolist(), energy / noise[cells], strict=True))
        found = dict(zip(cells.tolist(), label[showers.offsets[shower] :][: len(cells)].tolist(), strict=True))
        core = [cell for cell in ratio if ratio[cell] > 2]
        groups = [group for group in nx.connected_components(whole.subgraph(core)) if max(map(ratio.get, group)) > 4]
        expected = dict.fromkeys(ratio, -1)
        for number, group in enumerate(sorted(groups, key=min)):
            expected |= dict.fromkeys(group, number)
        in_cluster = {cell for group in groups for cell in group}
        for cell in set(ratio) - set(core):
            around = sorted(set(whole[cell]) & in_cluster, key=lambda other: (-ratio[other], other))
            if around and ratio[cell] > 0:
                expected[cell] = expected[around[0]]
        assert found == expected
        assert counts[shower] == len(groups)


def test_what_cannot_be_clustered():
    graph = chain(3)
    numbers, showers = numbers_of(graph.cells), showers_of(([1], [5.0]))
    with pytest.raises(UsageError, match="to seed >= to grow >= boundary >= 0"):
        label_hits(showers, graph, np.ones(3), (2, 4, 0))
    with pytest.raises(InputError, match=r"noise must have shape \[3\].* got \[2\]"):
        label_hits(showers, graph, np.ones(2))
    with pytest.raises(InputError, match=r"1 of 1 hits lie in cells without noise, first in cell 1"):
        label_hits(showers, graph, np.array([1, 0, 1]))
    with pytest.raises(InputError, match="describe 3 cells, the graph has 4"):
        topological_clusters(showers, chain(4), numbers, np.ones(4))
    with pytest.raises(GeometryMismatchError):
        label_hits(showers.replace(metadata=ShowerMetadata(cells_sha256="other")), graph, np.ones(3))


def sample(n=400, scale=1.0, seed=1, **columns):
    """Three cells in a line with 1 GeV per incident GeV calibrated, resolution 10 %; flight along z at x = 1.5."""
    rng = np.random.default_rng(seed)
    incident = rng.uniform(20, 40, n).astype(np.float32)
    deposit = incident * rng.normal(scale, 0.1, n) * 1e-3
    energy = np.outer(deposit, [0.2, 0.5, 0.3]).ravel()
    flight = {"vertex_x": np.full(n, 1.5), "vertex_y": np.zeros(n), "vertex_z": np.zeros(n)}
    flight |= {"direction_x": np.zeros(n), "direction_y": np.zeros(n), "direction_z": np.ones(n)}
    return Showers.from_columns(
        {
            "offsets": 3 * np.arange(n + 1),
            "cell": np.tile(np.arange(3), n),
            "energy": energy,
            "incident_energy": incident,
            **(flight | columns),
        }
    )


@pytest.fixture
def setting():
    """Graph, numbers and digitiser: noise 0.1 of a MIP of 0.5 MeV, no hits below 0.2."""
    graph = chain(3)
    numbers = numbers_of(graph.cells)
    return graph, numbers, uniform_digitiser(numbers, 0.1, threshold=0.2)


def test_a_sample_against_itself_agrees_exactly(setting):
    graph, numbers, digitiser = setting
    found = after_reconstruction(sample(), sample(), graph, numbers, digitiser=digitiser, replicas=20)
    for agreement in found.energies.values():
        assert (agreement.response.value == 1).all()
        assert (agreement.resolution.value == 1).all()
        assert (agreement.response.error > 0).all()
    one, two = found.means["n_clusters"]
    assert (one.value == two.value).all()
    assert json.loads(json.dumps(found.to_json()))["conditions"]["threshold_mip"] == 0.2


def test_a_scaled_sample_shows_in_the_response_and_not_in_the_resolution(setting):
    graph, numbers, digitiser = setting
    scaled = sample(2000, 1.05, seed=2)
    found = after_reconstruction(sample(2000), scaled, graph, numbers, digitiser=digitiser, replicas=50)
    response = found.energies["clustered_energy"].response
    assert np.abs(response.value - 1.05).max() < 4 * response.error.max()
    assert np.abs(response.value - 1).min() > 4 * response.error.max()
    resolution = found.energies["clustered_energy"].resolution
    assert np.abs(resolution.value - 1 / 1.05).max() < 4 * resolution.error.max()
    # 0.2 x 0 + 0.5 x 1 + 0.3 x 2 = 1.1 cm: 0.4 cm from the line of flight, noise of 0.05 MeV in 30 MeV aside
    assert found.means["axis_distance"][0].value == pytest.approx(0.4, abs=0.01)


def test_the_regressor_sees_raw_deposits_of_both(setting):
    graph, numbers, digitiser = setting

    def regressor(showers):
        return (1000 * showers.visible).astype(np.float32)

    found = after_reconstruction(
        sample(), sample(scale=1.2), graph, numbers, regressor, digitiser=digitiser, replicas=20
    )  # fmt: skip
    assert found.energies["regressed_energy"].response.value == pytest.approx(1.2, abs=0.05)
    raw = sample()
    assert found.reference.columns["regressed_energy"] == pytest.approx(1000 * raw.visible)
    with pytest.raises(InputError, match=r"shape \[\] for 400 showers"):
        after_reconstruction(raw, raw, graph, numbers, lambda _: np.float32(1), digitiser=digitiser)


def test_what_is_not_known_is_told(setting):
    graph, numbers, digitiser = setting
    blind = sample(vertex_x=np.full(400, np.nan))
    found = after_reconstruction(sample(), blind, graph, numbers, digitiser=digitiser, replicas=20)
    assert found.unavailable == {"axis_distance": "known for no shower of the generated sample"}
    assert "axis_distance" not in found.means
    with pytest.raises(InputError, match="the generated sample has no showers"):
        after_reconstruction(sample(), Showers.empty(), graph, numbers, digitiser=digitiser)
    with pytest.raises(InputError, match="no CMS HGCAL sensors"):
        after_reconstruction(sample(), sample(), graph, numbers)
    with pytest.raises(UsageError, match="give one above 0"):
        uniform_digitiser(numbers, 0.0, threshold=0.5)


def test_other_incident_energies_are_told(setting):
    """Showers of the same kind, but half of them of 25 GeV: all numbers of their bin differ for that alone."""
    graph, numbers, digitiser = setting
    shifted = sample(2000, incident_energy=np.repeat([25.0, 35.0], 1000))
    bins = energy_bins([], [20, 30, 40])
    options = {"digitiser": digitiser, "bins": bins, "replicas": 20}
    (warning,) = after_reconstruction(sample(2000), shifted, graph, numbers, **options).warnings
    assert "differ within 20-30 GeV, 30-40 GeV" in warning
    assert after_reconstruction(sample(2000), sample(2000, seed=5), graph, numbers, **options).warnings == []


def test_chunks_have_noise_of_their_own(setting):
    """Two chunks of equal showers must not come out equal, and the noise in empty cells adds hits."""
    graph, numbers, digitiser = setting
    twin = sample(2048)
    both = Showers.concatenate([twin, twin])
    done = []
    found = reconstruct(both, graph, numbers, digitiser, progress=done.append)
    energy = found.columns["clustered_energy"]
    assert done == [2048, 4096]
    assert not np.array_equal(energy[:2048], energy[2048:])
    assert np.array_equal(energy[:2048], reconstruct(twin, graph, numbers, digitiser).columns["clustered_energy"])


def test_noise_in_empty_cells_makes_clusters():
    """0.2 MIP of threshold are 2 sigma: 2.3 % of empty cells fire, and 1 in 700 seeds at 3 sigma."""
    graph = chain(1000)
    numbers = numbers_of(graph.cells)
    empty = showers_of(*[([], [])] * 200)
    digitiser = uniform_digitiser(numbers, 0.1, threshold=0.2, noise_hits=True)
    found = reconstruct(empty, graph, numbers, digitiser, thresholds=(3, 2, 0), min_cells=1)
    assert found.columns["n_clusters"].mean() == pytest.approx(1000 * 0.00135, abs=4 * np.sqrt(1.35 / 200))
    without = uniform_digitiser(numbers, 0.1, threshold=0.2)
    assert reconstruct(empty, graph, numbers, without).columns["n_clusters"].sum() == 0


def test_noise_of_the_sensors():
    """2,000 electrons in 120 um of silicon: 2000 x 3.62 eV; tiles: 0.01 x 0.47 MeV."""
    noise = cell_noise(Digitiser(sensor=np.array([3, 0], np.uint8)))
    assert noise == pytest.approx([4.7e-6, 7.24e-6], rel=1e-6)


def test_binned_mean_by_hand():
    values = np.array([1.0, 3.0, np.nan, 7.0, 5.0])
    mean = binned_mean(values, np.array([0, 0, 0, 1, -1]), 3)
    assert mean.value == pytest.approx([2, 7, np.nan], nan_ok=True)
    assert mean.error == pytest.approx([1, np.nan, np.nan], nan_ok=True)
