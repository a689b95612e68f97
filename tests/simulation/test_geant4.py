"""Single particles of 50 GeV against the CMS full simulation (Geant4): the numbers the simulation is tuned to.

Beam, cuts, weights, rings and binning as the description of the reference states; the offsets between axis and
cells are those of the built-in geometry, not of the reference.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import reference

from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.simulation.beam import Beam, Spectrum
from hgcal_gnn.simulation.simulate import simulate

N_SHOWERS = {"photon": 3000, "pion": 4000}


def gun(particle, energy=50.0):
    return Beam(
        particle, Spectrum("list", (energy,)), eta=2.0, phi=1.57, start_z=321.0, vertex_sigma=(0.0, 0.0, 4.2)
    )  # fmt: skip


def simulated(shared_data, particle, energy=50.0, n=None):
    window = {"photon": {"eta": (1.55, 2.6), "phi": (1.1, 2.05)}, "pion": {"eta": (1.3, 3.2), "phi": (0.3, 2.85)}}
    table = make_detector("hgcal", side=1, **window[particle])
    weights = np.array(json.loads((shared_data / "hgcal_constants.json").read_text())["dedx_weights_MeV_V16"][1:])
    showers = simulate(table, gun(particle, energy), n or N_SHOWERS[particle], seed=20)
    n_rings = {"photon": 21, "pion": 75}[particle]
    return reference.features(showers.offsets, showers.cell, showers.energy, table, energy, weights, n_rings)


@pytest.fixture(scope="module", params=["photon", "pion"])
def sample(request, shared_data):
    path = shared_data / f"cms_hgcal_geant4_{request.param}_50gev_histograms.npz"
    found = simulated(shared_data, request.param)
    return request.param, found, reference.separations(found, path), np.load(path)


def test_separation_power(sample):
    """Averages over layers 2-23 (photons, rings 1-12) or all layers and rings (pions)."""
    particle, _, power, _ = sample
    layers, rings = (slice(2, 24), slice(1, 13)) if particle == "photon" else (slice(None), slice(None))
    limits = {"photon": (0.03, 0.03, 0.03, 0.05), "pion": (0.02, 0.022, 0.03, 0.03)}[particle]
    width = (power["width_x"] + power["width_y"]) / 2
    found = power["layer"][layers], power["occupancy"][layers], width[layers], power["ring"][rings]
    for values, limit in zip(found, limits, strict=True):
        assert values.mean() < limit


def test_mean_longitudinal_profile(sample):
    """Layers above 1 % of the energy: means within 5 % (10 %), the pions' spread within 20 %, plus statistics."""
    particle, found, _, file = sample
    mean, std = file["LongitudinalProfile/ref_mean"], file["LongitudinalProfile/ref_std"]
    counted = mean > 0.01
    noise = 3.5 * (std / np.maximum(mean, 1e-9))[counted] / np.sqrt(N_SHOWERS[particle])
    ratio = found.layer.mean(0)[counted] / mean[counted]
    assert (np.abs(ratio - 1.0) < {"photon": 0.05, "pion": 0.10}[particle] + noise).all()
    if particle == "pion":
        spread = found.layer.std(0)[counted] / std[counted]
        assert (np.abs(spread - 1.0) < 0.20 + noise).all()


def test_energy_and_hits(sample):
    particle, found, _, _ = sample
    ratio = found.energy_ratio
    if particle == "photon":
        assert ratio.mean() == pytest.approx(0.0576, rel=0.02)
        assert ratio.std() / ratio.mean() == pytest.approx(0.034, abs=0.003)
        assert found.hits.mean() == pytest.approx(392, rel=0.04)
        return
    median = np.median(ratio)
    assert median == pytest.approx(0.073, rel=0.05)
    assert np.diff(np.quantile(ratio, [0.16, 0.84]))[0] / 2 / median == pytest.approx(0.39, abs=0.04)
    assert ratio.std() / ratio.mean() == pytest.approx(0.54, abs=0.06)
    assert np.mean(ratio > 2 * median) == pytest.approx(0.074, abs=0.02)


@pytest.mark.parametrize(
    ("energy", "n", "mean", "spread", "hits"),
    [(5.0, 3000, 0.0580, 0.1028, 79), (500.0, 250, 0.0573, 0.0134, 1646)],
)
def test_photons_at_energies_it_was_not_tuned_at(shared_data, energy, n, mean, spread, hits):
    found = simulated(shared_data, "photon", energy, n)
    assert found.energy_ratio.mean() == pytest.approx(mean, rel=0.02)
    assert found.energy_ratio.std() / found.energy_ratio.mean() == pytest.approx(spread, rel=0.1 + 1.5 / np.sqrt(n))
    assert found.hits.mean() == pytest.approx(hits, rel=0.1)
