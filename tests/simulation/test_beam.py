"""Beams: what users write, and what is drawn from it."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import UsageError
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.simulation.beam import Beam, Spectrum, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("50", "list", (50.0,)),
        ("5,50,500", "list", (5.0, 50.0, 500.0)),
        ("10..100", "flat", (10.0, 100.0)),
        ("log:1..1000", "log-flat", (1.0, 1000.0)),
    ],
)
def test_spectra_are_read_as_documented(text, kind, values):
    assert parse_spectrum(text) == Spectrum(kind, values)


@pytest.mark.parametrize("text", ["", "ten", "5,", "100..10", "0..10", "-3", "log:5", "1..2..3", "nan", "5..5"])
def test_other_spectra_are_refused(text):
    with pytest.raises(UsageError):
        parse_spectrum(text)


@pytest.mark.parametrize(
    "options",
    [
        {"particle": "neutron"},
        {"particle": 2112},
        {"particle": "pion", "spectrum": Spectrum("list", (0.1,))},
        {"eta": (3.0, 1.5)},
        {"eta": float("nan")},
        {"direction": (0.0, 0.0, 0.0)},
        {"vertex_sigma": (0.0, 0.0, -1.0)},
    ],
)
def test_impossible_beams_are_refused(options):
    with pytest.raises(UsageError):
        Beam(**options)


@pytest.fixture(scope="module")
def table():
    return make_detector("hgcal", side=1, eta=(1.9, 2.1), phi=(1.4, 1.7), layers=(1, 3))


def muons(table, n=2000, **options):
    return simulate(table, Beam("muon", **options), n, seed=4)


def test_log_flat_energies(table):
    energy = muons(table, spectrum=parse_spectrum("log:1..1000"), eta=2.0, phi=1.57).incident_energy
    assert energy.min() >= 1.0
    assert energy.max() <= 1000.0
    shares = np.histogram(np.log10(energy), [0, 1, 2, 3])[0] / len(energy)
    assert np.allclose(shares, 1 / 3, atol=0.04)


def test_a_list_gives_each_energy_equally_often(table):
    energy = muons(table, spectrum=parse_spectrum("5,50,500"), eta=2.0, phi=1.57).incident_energy
    values, counts = np.unique(energy, return_counts=True)
    assert values.tolist() == [5.0, 50.0, 500.0]
    assert np.allclose(counts / 2000, 1 / 3, atol=0.04)


def test_transverse_momentum_fixes_the_energy(table):
    """E^2 = (pT cosh eta)^2 + m^2."""
    showers = muons(table, n=10, spectrum=parse_spectrum("10", "pt"), eta=2.0, phi=1.57)
    assert np.allclose(showers.incident_energy, np.hypot(10 * np.cosh(2.0), 0.1056584), rtol=1e-6)


def test_directions_and_vertices(table):
    showers = muons(table, eta=(1.8, 2.2), phi=(1.0, 2.0), vertex=(1.0, 2.0, 3.0), vertex_sigma=(0.0, 0.5, 4.0))
    length = np.sqrt(showers.direction_x**2 + showers.direction_y**2 + showers.direction_z**2)
    assert np.allclose(length, 1.0, atol=1e-6)
    eta = np.arctanh(showers.direction_z)
    assert 1.8 <= eta.min() < 1.82
    assert 2.18 < eta.max() <= 2.2001
    assert np.ptp(showers.vertex_x) == 0.0
    assert showers.vertex_y.std() == pytest.approx(0.5, rel=0.1)
    assert showers.vertex_z.mean() == pytest.approx(3.0, abs=0.4)
    assert showers.vertex_z.std() == pytest.approx(4.0, rel=0.1)


def test_a_gun_close_to_the_calorimeter_lies_on_the_line_of_flight(table):
    showers = muons(table, n=5, eta=2.0, phi=1.57, start_z=300.0)
    assert np.allclose(showers.vertex_z, 300.0)
    assert np.allclose(np.hypot(showers.vertex_x, showers.vertex_y), 300.0 / np.sinh(2.0), rtol=1e-6)
