"""Showers: physics that must hold in any calorimeter, and reproducibility."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.simulation.beam import Beam, Spectrum
from hgcal_gnn.simulation.build import build_stack
from hgcal_gnn.simulation.hadronic import hadron_shower, new_queue
from hgcal_gnn.simulation.hits import clear_hits, new_hits
from hgcal_gnn.simulation.parameters import EmModel, HadronModel
from hgcal_gnn.simulation.random import seed_stream
from hgcal_gnn.simulation.simulate import simulate, simulate_chunks
from hgcal_gnn.simulation.stack import World, new_axis, trace

MIP = np.array([0.0282, 0.0581, 0.0877])  # MeV: 120, 200, 300 um silicon


@pytest.fixture(scope="module")
def table():
    return make_detector("hgcal", side=1, eta=(1.5, 2.8), phi=(0.7, 2.5))


def beam(particle, energy=50.0, **options):
    return Beam(particle, Spectrum("list", (energy,)), **{"eta": 2.0, "phi": 1.57, **options})


def sums(showers):
    shower = np.repeat(np.arange(len(showers)), np.diff(showers.offsets))
    return np.bincount(shower, showers.energy, len(showers))


@pytest.fixture(scope="module")
def photons(table):
    return simulate(table, beam("photon"), 300, seed=1)


@pytest.fixture(scope="module")
def pions(table):
    return simulate(table, beam("pion"), 600, seed=1)


def same(one, other):
    columns = one.columns()
    return np.array_equal(one.offsets, other.offsets) and all(
        np.array_equal(values, other.columns()[name]) for name, values in columns.items()
    )


def test_a_shower_depends_on_seed_and_number_only(table, photons):
    """Neither threads, nor chunks, nor where a run begins change a shower; the seed does."""
    assert same(photons, simulate(table, beam("photon"), 300, seed=1, threads=1))
    parts = list(simulate_chunks(table, beam("photon"), 300, seed=1, chunk=77))
    assert [len(part) for part in parts] == [77, 77, 77, 69]
    assert same(photons, type(photons).concatenate(parts))
    late = next(simulate_chunks(table, beam("photon"), 10, seed=1, begin=200))
    assert same(late, photons[200:210])
    assert not np.array_equal(sums(simulate(table, beam("photon"), 300, seed=2)), sums(photons))


def test_showers_are_complete_and_belong_to_their_table(table, photons):
    assert photons.metadata.cells_sha256 == table.sha256
    assert photons.metadata.seed == 1
    assert (photons.pdg_id == 22).all()
    assert (photons.energy > 0).all()
    assert photons.cell.min() >= 0
    assert photons.cell.max() < table.n_cells
    shower = np.repeat(np.arange(len(photons)), np.diff(photons.offsets))
    assert len(np.unique(shower * np.int64(table.n_cells) + photons.cell)) == len(photons.cell)


def test_no_showers_and_wrong_numbers(table):
    assert len(simulate(table, beam("photon"), 0)) == 0
    with pytest.raises(UsageError):
        simulate(table, beam("photon"), -1)
    with pytest.raises(UsageError):
        simulate(table, beam("photon"), 1, seed=-1)


@pytest.mark.parametrize("energy", [5.0, 50.0, 500.0])
def test_photons_are_reconstructed_at_their_energy(table, energy):
    """Sum of dE/dx weight x deposit / E_MIP: 0.99 +- 0.02 of the energy (calibrated at 50 GeV only)."""
    showers = simulate(table, beam("photon", energy), 400 if energy < 100 else 100, seed=3)
    weights = load_material("hgcal").loss
    silicon = table.is_silicon[showers.cell] == 1
    mip = np.where(silicon, MIP[table.cell_type[showers.cell]], 0.5)
    reconstructed = (weights[table.layer[showers.cell] - 1] * showers.energy / mip).sum() / len(showers)
    assert reconstructed / energy == pytest.approx(0.99, abs=0.02)


def test_photons_leave_nothing_behind_and_start_later_than_electrons(table, photons):
    assert np.allclose(photons.f_em + photons.leaked_energy / 50, 1.0, atol=1e-5)
    assert photons.leaked_energy.mean() < 0.5
    electrons = simulate(table, beam("electron"), 300, seed=1)
    assert (electrons.first_layer == 1).all()
    assert photons.first_layer.mean() > 1.5


def test_muons_peak_at_one_mip(table):
    """The most probable deposit of a sensor, over its path at this angle, is E_MIP."""
    showers = simulate(table, beam("muon"), 3000, seed=5)
    cell_type = table.cell_type[showers.cell]
    silicon = table.is_silicon[showers.cell] == 1
    for kind in (1, 2):
        mips = 1e3 * showers.energy[silicon & (cell_type == kind)] / MIP[kind] * np.tanh(2.0)
        counts, edges = np.histogram(mips, 80, (0.6, 1.4))
        near = slice(counts.argmax() - 8, counts.argmax() + 9)
        a, b, _ = np.polyfit((edges[:-1] + 0.005)[near], counts[near], 2)
        assert -b / (2 * a) == pytest.approx(1.0, abs=0.03)
        assert np.mean(mips) > 1.08  # the tail
    assert np.diff(showers.offsets).mean() == pytest.approx(47, abs=1.5)
    assert (showers.leaked_energy > 45).all()


def test_slow_muons_range_out(table):
    showers = simulate(table, beam("muon", 0.6), 50, seed=5)
    assert (np.diff(showers.offsets) < 47).all()
    assert (showers.leaked_energy == 0).all()


def test_the_electromagnetic_fraction_grows_with_the_logarithm_of_the_energy(table):
    means = [
        simulate(table, beam("pion", energy), n, seed=6).f_em.mean()
        for energy, n in ((5.0, 800), (50.0, 600), (500.0, 150))
    ]
    assert means[1] - means[0] > 0.05
    assert means[2] - means[1] > 0.05
    assert 0.2 < means[0] < means[2] < 0.8


def test_pions_and_photons_respond_differently_and_pions_keep_a_floor(table, photons, pions):
    """e/h is not 1: the response grows with the electromagnetic fraction; at 500 GeV a spread remains."""
    weights = load_material("hgcal").loss

    def response(showers, energy):
        mip = np.where(table.is_silicon[showers.cell] == 1, MIP[table.cell_type[showers.cell]], 0.5)
        shower = np.repeat(np.arange(len(showers)), np.diff(showers.offsets))
        weighted = weights[table.layer[showers.cell] - 1] * showers.energy / mip
        return np.bincount(shower, weighted, len(showers)) / energy

    assert np.median(response(pions, 50.0)) < 0.92 * np.median(response(photons, 50.0))
    # contained and started in CE-E: response = h + (e - h) f_em
    chosen = (pions.leaked_energy < 1.0) & (pions.first_layer < 27) & (pions.first_layer > 0)
    slope, hadronic = np.polyfit(pions.f_em[chosen], response(pions, 50.0)[chosen], 1)
    assert 1.1 < (hadronic + slope) / hadronic < 2.0
    fast = response(simulate(table, beam("pion", 500.0), 150, seed=7), 500.0)
    assert np.diff(np.quantile(fast, [0.16, 0.84]))[0] / 2 / np.median(fast) > 0.04


def clusters(table, showers, reach=3.0, least=0.005):
    """Mean number of connected groups of hits that hold `least` of the shower; neighbours lie within `reach` cm."""
    counts = []
    for i in range(len(showers)):
        hits = slice(showers.offsets[i], showers.offsets[i + 1])
        cell = showers.cell[hits]
        mips = 1e3 * showers.energy[hits] / np.where(table.is_silicon[cell] == 1, MIP[table.cell_type[cell]], 0.5)
        cell, mips = cell[mips > 0.5], mips[mips > 0.5]
        # the next layer lies 2 units away, so that it counts as near only for hits on top of each other
        points = np.stack([table.x[cell], table.y[cell], 2.0 * table.layer[cell]], axis=1)
        pairs = cKDTree(points).query_pairs(reach, output_type="ndarray")
        graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(cell), len(cell)))
        sums = np.bincount(connected_components(graph, directed=False)[1], mips)
        counts.append(np.sum(sums >= least * mips.sum()))
    return np.mean(counts)


def test_pions_fall_into_many_more_clusters_than_photons(table, photons, pions):
    """A smooth cloud would leave one cluster; isolated hits of less than 0.5 % of the shower are not counted."""
    assert clusters(table, pions[:150]) > 3 * clusters(table, photons[:150])


def test_late_showers_and_punch_through_exist(pions):
    """About 10 interaction lengths: some pions start in CE-H, a few hardly at all; what leaves is kept as leaked."""
    layers = load_material("hgcal")
    started_late = np.mean(pions.first_layer > 26)
    expected = np.exp(-layers.interaction[:26].sum() / np.tanh(2.0) / HadronModel().pion_length)
    assert started_late == pytest.approx(expected, abs=0.06)
    assert pions.leaked_energy.max() > 2.0
    assert pions.leaked_energy.mean() < 5.0


def test_hadronic_energy_is_conserved(table):
    """Electromagnetic + invisible + leaked + absorbed = incident energy, shower by shower."""
    stack, sensors, finder = build_stack(table, load_material("hgcal"))
    world = World(stack, sensors, finder, new_hits(), new_axis(len(stack.position)), np.zeros(4, np.uint64))
    queue = new_queue()
    direction = np.array([0.0, 1.0 / np.cosh(2.0), np.tanh(2.0)])
    for number in range(200):
        seed_stream(world.state, 8, number)
        trace(stack, np.zeros(3), direction, world.axis)
        hadron_shower(HadronModel(), EmModel(), world, queue, 50_000.0)
        clear_hits(world.hits)
        assert queue.truth[:4].sum() == pytest.approx(50_000.0, rel=1e-9)
        assert (queue.truth[:4] >= 0).all()


def test_neutral_pions_are_two_photons_at_the_real_angle(table):
    """Smallest opening angle 2 m / E: 5 GeV pions from the origin part by 2 x 0.135 / 5 x 3.3 m = 18 cm or more.

    At 500 GeV the photons fall together, and a neutral pion looks like a photon.
    """
    near = simulate(table, beam("pi0", 500.0), 50, seed=9)
    far = simulate(table, beam("pi0", 5.0), 300, seed=9)

    def spread(showers):
        layers = table.layer[showers.cell] < 20
        shower = np.repeat(np.arange(len(showers)), np.diff(showers.offsets))[layers]
        x, weight = table.x[showers.cell[layers]].astype(float), showers.energy[layers].astype(float)
        y = table.y[showers.cell[layers]].astype(float)
        total = np.bincount(shower, weight, len(showers))
        square = 0.0
        for a in (x, y):
            mean = np.bincount(shower, weight * a, len(showers)) / total
            square += np.bincount(shower, weight * (a - mean[shower]) ** 2, len(showers)) / total
        return np.sqrt(square)

    assert np.median(spread(far)) > 5.0
    assert np.median(spread(near)) < 3.5
    assert np.allclose(far.f_em + far.leaked_energy / 5, 1.0, atol=1e-5)


def test_particles_that_miss_the_calorimeter_leak(table):
    for particle in ("photon", "pion", "muon", "pi0"):
        showers = simulate(table, beam(particle, eta=-2.0), 5, seed=1)
        assert len(showers.cell) == 0
        assert np.allclose(showers.leaked_energy, 50.0)


def test_a_narrow_window_makes_showers_leak():
    window = make_detector("hgcal", side=1, eta=(1.95, 2.05), phi=(1.52, 1.62))
    showers = simulate(window, beam("photon"), 100, seed=1)
    assert 1.0 < showers.leaked_energy.mean() < 40.0


def test_a_vertex_inside_the_calorimeter_sees_only_what_lies_ahead(table):
    showers = simulate(table, beam("electron", start_z=340.0), 50, seed=1)
    assert table.z[showers.cell].min() > 340.0
    assert (showers.first_layer == 13).all()


@pytest.mark.parametrize("name", ["clic", "ild-ecal", "calogan-siw", "calochallenge-2"])
def test_other_detectors(name):
    """Same models, other cells: the shower ends up near its axis and its maximum near the expected depth."""
    cells = make_detector(name)
    direction = (1.0, 0.0, 0.0) if cells.z_side[0] == 0 else (0.0, 0.0, 1.0)
    showers = simulate(cells, Beam("electron", Spectrum("list", (50.0,)), direction=direction), 60, seed=1)
    assert showers.leaked_energy.mean() < 5.0
    material = load_material(name)
    profile = np.bincount(cells.layer[showers.cell], showers.energy, material.n_layers + 1)[1:]
    per_x0 = profile / material.samplings
    depth = np.cumsum(material.x0) - material.x0 / 2
    assert 4 < depth[per_x0.argmax()] < 13
    middle = cells.y if cells.z_side[0] == 0 else cells.x
    assert abs(np.average(middle[showers.cell], weights=showers.energy)) < 0.5
