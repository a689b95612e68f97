"""Published energy resolutions of high-granularity calorimeters, to stand beside our own."""

from __future__ import annotations

from dataclasses import dataclass

PHOTON, ELECTRON, PION = 22, 11, 211  # Particle Data Group; the sign of the charge makes no difference


@dataclass(frozen=True)
class PublishedFit:
    """A fit sigma/E = a/sqrt(E) (+) c: a [sqrt(GeV)], c; where it was read or computed from."""

    name: str
    pdg_id: int
    a: float
    c: float
    source: str


@dataclass(frozen=True)
class PublishedPoints:
    """Response and resolution at beam energies [GeV], all of one length."""

    name: str
    pdg_id: int
    energy: tuple[float, ...]
    response: tuple[float, ...]
    resolution: tuple[float, ...]
    source: str


_PION_BEAMS = (20.0, 50.0, 80.0, 100.0, 120.0, 200.0, 250.0, 300.0)
_PION_SOURCE = (
    "HGCAL and AHCAL prototypes in the 2018 H2 beam test, arXiv:2211.04740 (as in geant-val/HGCALTB, parser.py)"
)

POINTS = (
    PublishedPoints(
        "beam test, MIP in CE-E",
        PION,
        _PION_BEAMS,
        (0.921, 1.000, 1.039, 1.055, 1.062, 1.076, 1.088, 1.091),
        (0.279, 0.197, 0.165, 0.160, 0.144, 0.126, 0.119, 0.113),
        _PION_SOURCE,
    ),
    PublishedPoints(
        "beam test, starts in CE-E",
        PION,
        _PION_BEAMS,
        (0.669, 0.785, 0.831, 0.850, 0.869, 0.900, 0.919, 0.927),
        (0.307, 0.215, 0.178, 0.160, 0.149, 0.124, 0.116, 0.105),
        _PION_SOURCE,
    ),
)

FITS = (
    PublishedFit(
        "HGCal challenge, energy sum",
        PHOTON,
        0.229,
        0.0088,
        "Geant4 photons of 5, 50 and 500 GeV of the HGCal simulation challenge; fitted to its published histograms",
    ),
    PublishedFit(
        "beam test, CE-E prototype",
        ELECTRON,
        0.22,
        0.006,
        "positrons of 20-300 GeV, arXiv:2111.06855; rounded",
    ),
    PublishedFit(
        "test-beam simulation, energy sum",
        ELECTRON,
        0.2119,
        0.0062,
        "positrons of 10-350 GeV in 28 layers, Zenodo 7504164; fitted by a user of these data",
    ),
    PublishedFit(
        "test-beam simulation, 3D CNN",
        ELECTRON,
        0.2051,
        0.0019,
        "the same data and source as the energy sum",
    ),
    PublishedFit("CALICE Si-W", ELECTRON, 0.166, 0.011, "positrons of 6-45 GeV, arXiv:0811.2354"),
)


def published_points(pdg_id: int) -> tuple[PublishedPoints, ...]:
    """Return the published points of a particle; none for particles without."""
    return tuple(points for points in POINTS if points.pdg_id == abs(pdg_id))


def published_fits(pdg_id: int) -> tuple[PublishedFit, ...]:
    """Return the published fits of a particle; photons and electrons shower alike and count as one."""
    alike = {PHOTON, ELECTRON}
    return tuple(fit for fit in FITS if fit.pdg_id == abs(pdg_id) or {fit.pdg_id, abs(pdg_id)} <= alike)
