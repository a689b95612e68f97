"""Published times per shower, each with its conditions and source, to stand beside our own.

Detectors, energies and processors differ from ours and from each other: a ratio of such times says little, and none is
formed unless it is asked for by name.
"""

from __future__ import annotations

from dataclasses import dataclass

PHOTON, PION = 22, 211  # Particle Data Group


@dataclass(frozen=True)
class PublishedTiming:
    """A published time.

    Attributes
    ----------
    name
        Program or model.
    pdg_id
    energy
        Of the incident particles, in words.
    device
        "CPU" or "GPU".
    batch_size
        None where there is none, as for Geant4, or none is given.
    ms, error
        Per shower [ms]; error None where none is given.
    hardware, detector, source
    """

    name: str
    pdg_id: int
    energy: str
    device: str
    batch_size: int | None
    ms: float
    error: float | None
    hardware: str
    detector: str
    source: str


ILD_SOURCE = "Getting High, arXiv:2005.05334, table 1"
ILD_HARDWARE = {"CPU": "one core of Xeon E5-2640 v4", "GPU": "V100"}
FLAT = "10-100 GeV, flat"
_ILD: dict[tuple[str, str], tuple[tuple[int, float, float], ...]] = {
    # (model, device): (batch size, ms at 15 GeV, ms at 10-100 GeV)
    ("WGAN", "CPU"): ((1, 64.3, 63.1), (10, 59.5, 56.7), (100, 58.3, 58.1), (1000, 58.0, 58.0)),
    ("BIB-AE", "CPU"): ((1, 426.6, 426.3), (10, 422.6, 424.7), (100, 419.6, 418.0)),
    ("WGAN", "GPU"): ((1, 3.24, 3.25), (10, 6.13, 6.13), (100, 5.43, 5.43), (1000, 5.43, 5.43)),
    ("BIB-AE", "GPU"): ((1, 3.14, 3.19), (10, 1.56, 1.57), (100, 1.42, 1.42)),
}

CHALLENGE_SOURCE = "CaloChallenge 2022, arXiv:2410.21611, data set 1; mean of 10 runs, from its published result files"
CHALLENGE_ENERGY = "256 MeV to 4 TeV, 15 powers of two"
CHALLENGE_SIZES = (1, 100, 10_000)
_CHALLENGE: dict[int, dict[tuple[str, str], tuple[float, float, float]]] = {
    # ms at CHALLENGE_SIZES
    PHOTON: {
        ("BoloGAN", "CPU"): (106, 1.73, 0.553),
        ("BoloGAN", "GPU"): (286, 2.26, 0.529),
        ("CaloShower3GAN", "CPU"): (480, 55.5, 1.2),
        ("CaloShower3GAN", "GPU"): (519, 63.8, 1.49),
        ("CaloINN", "CPU"): (37.9, 2.78, 2.88),
        ("CaloINN", "GPU"): (24.6, 0.514, 0.191),
        ("CaloDiffusion", "CPU"): (15677, 4266, 4500),
        ("CaloDiffusion", "GPU"): (5593, 75.2, 24.4),
    },
    PION: {
        ("BoloGAN", "CPU"): (79.6, 1.38, 0.493),
        ("BoloGAN", "GPU"): (210, 1.59, 0.476),
        ("CaloShowerGAN", "CPU"): (1163, 70.7, 1.6),
        ("CaloShowerGAN", "GPU"): (1119, 123, 2.06),
        ("CaloINN", "CPU"): (42.8, 3.92, 4.57),
        ("CaloINN", "GPU"): (24.7, 0.438, 0.199),
        ("CaloDiffusion", "CPU"): (15144, 4571, 4501),
        ("CaloDiffusion", "GPU"): (5673, 76.9, 27),
    },
}


PION_SOURCE = "Hadrons, Better, Faster, Stronger, arXiv:2112.09709 (not compared with the text)"
_PION: dict[tuple[str, str], tuple[float, float]] = {
    # (model, device): ms and error, best batch size
    ("Geant4", "CPU"): (2684, 125),
    ("WGAN", "CPU"): (47.923, 0.089),
    ("BIB-AE", "CPU"): (350.824, 0.574),
    ("WGAN", "GPU"): (0.264, 0.002),
    ("BIB-AE", "GPU"): (2.051, 0.005),
}

CALOGAN_SOURCE = "CaloGAN, arXiv:1712.10321 (not compared with the text); positrons, photons and pions not told apart"
_CALOGAN: dict[tuple[str, str], tuple[tuple[int | None, float], ...]] = {
    ("Geant4", "CPU"): ((None, 1772),),
    ("CaloGAN", "CPU"): ((1, 13.1), (1024, 2.03)),
    ("CaloGAN", "GPU"): ((1, 14.5), (1024, 0.012)),
}

GAN_SOURCE = "CaloShowerGAN, arXiv:2309.06515: 0.54 s for 121,000 photons, 1.2 s for 120,230 pions"
_GAN = {PHOTON: 0.0045, PION: 0.010}

HGCAL_SOURCE = "CMSHGCaloChallenge repository, combined_timing_profiles.json, medians without post-processing"
_HGCAL: dict[int, dict[str, dict[int, float]]] = {
    # ms by batch size, 50 GeV; of HGCaloDiffusion the sizes that were really used
    PHOTON: {
        "AllShowers": {1: 83.5, 10: 9.6, 100: 2.5, 1000: 1.6},
        "CaloDiT-2": {1: 565.2, 10: 338.1, 100: 304.7, 1000: 301.5},
        "GraphCNF": {1: 328.4, 10: 110.1, 100: 96.3, 1000: 106.2},
        "HGCaloDiffusion": {50: 248.4},
        "HGCaloDream": {1: 1386, 10: 789.8, 100: 723.4, 1000: 714.5},
        "HGCaloTrilogy": {1: 61.9, 10: 27.0, 100: 23.6},
    },
    PION: {
        "AllShowers": {1: 88.7, 10: 9.4, 100: 3.0, 1000: 2.4},
        "GraphCNF": {1: 433.8, 10: 212.2, 100: 202.7, 1000: 223.9},
        "HGCaloDiffusion": {5: 1366, 10: 944.9},
        "HGCaloDream": {1: 979.0, 10: 538.0, 100: 487.9, 1000: 479.2},
        "HGCaloTrilogy": {1: 67.2, 10: 33.4, 100: 52.5},
    },
}


def _ild(name: str, device: str, energy: str, size: int | None, ms: float, error: float | None) -> PublishedTiming:
    detector = "ILD Si-W ECAL, 30 x 30 x 30 cells"
    return PublishedTiming(
        name, PHOTON, energy, device, size, ms, error, ILD_HARDWARE[device], detector, ILD_SOURCE
    )  # fmt: skip


TIMINGS: tuple[PublishedTiming, ...] = (
    _ild("Geant4", "CPU", "15 GeV", None, 1445, 19),
    _ild("Geant4", "CPU", FLAT, None, 4082, 170),
    *(
        _ild(name, device, energy, size, ms, None)
        for (name, device), rows in _ILD.items()
        for size, at_15, flat in rows
        for energy, ms in (("15 GeV", at_15), (FLAT, flat))
    ),
    *(
        PublishedTiming(
            name, pdg_id, CHALLENGE_ENERGY, device, size, ms, None, "processors not stated there",
            "ATLAS barrel, CaloChallenge data set 1 (voxels)", CHALLENGE_SOURCE,
        )
        for pdg_id, models in _CHALLENGE.items()
        for (name, device), times in models.items()
        for size, ms in zip(CHALLENGE_SIZES, times, strict=True)
    ),
    *(
        PublishedTiming(
            "CaloShowerGAN", pdg_id, CHALLENGE_ENERGY, "CPU", None, ms, None, "Core i9-9900K",
            "ATLAS barrel, CaloChallenge data set 1 (voxels)", GAN_SOURCE,
        )
        for pdg_id, ms in _GAN.items()
    ),
    *(
        PublishedTiming(
            name, pdg_id, "1-100 GeV", device, size, ms, None, "processors as told there",
            "three layers of liquid argon, 504 cells", CALOGAN_SOURCE,
        )
        for pdg_id in (PHOTON, PION)
        for (name, device), rows in _CALOGAN.items()
        for size, ms in rows
    ),
    *(
        PublishedTiming(
            name, PION, FLAT, device, None, ms, error, "processors as told there",
            "ILD AHCAL, 48 x 25 x 25 cells", PION_SOURCE,
        )
        for (name, device), (ms, error) in _PION.items()
    ),
    *(
        PublishedTiming(
            name, pdg_id, "50 GeV", "GPU", size, ms, None, "accelerator not stated there",
            "CMS HGCAL", HGCAL_SOURCE,
        )
        for pdg_id, models in _HGCAL.items()
        for name, times in models.items()
        for size, ms in times.items()
    ),
)  # fmt: skip


def published_timings(pdg_id: int) -> tuple[PublishedTiming, ...]:
    """Return the published times of a particle; electrons count as photons, no other particle has any."""
    wanted = {11: PHOTON}.get(abs(pdg_id), abs(pdg_id))
    return tuple(timing for timing in TIMINGS if timing.pdg_id == wanted)
