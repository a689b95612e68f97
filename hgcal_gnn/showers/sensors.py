"""The sensors of the CMS HGCAL and their readout: what a minimum ionising particle leaves, noise, range.

Silicon charges: CMSSW, RecoLocalCalo/HGCalRecProducers/python/HGCalUncalibRecHit_cfi.py, fCPerMIP_mpv. Noise:
SimCalorimetry/HGCalSimProducers/python/hgcalDigitizer_cfi.py, nonAgedNoises_v9 (geometries V10 and later),
fC_per_ele, HGCAL_noise_heback, endOfLifeNoises, endOfLifeCCEs. Range: hgcROCParameters_cfi.py (hgcROCSettings)
and hgchebackDigitizer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

PAIR_EV = 3.62  # eV per electron-hole pair in silicon (hgcalDigitizer_cfi.py, eV_per_eh_pair)
ELECTRON_FC = 1.602176634e-4  # fC (SI)
TILE = 3  # number of the tile in the tables of sensors
CE_H_TILES = 10  # subdetector code


@dataclass(frozen=True)
class Sensor:
    """One kind of sensor with its readout; everything but `e_mip` counts in MIP.

    Attributes
    ----------
    name
    e_mip
        Most probable deposit of a minimum ionising particle at normal incidence [GeV].
    noise
        Standard deviation of the electronic noise.
    adc_step, tot_step
        Size of one count of the ADC, and above `tot_onset` of the time over threshold.
    tot_onset
        Signal from which the time over threshold measures.
    largest
        Largest signal the readout tells.
    photo_electrons, pixels, cross_talk
        Of the photo-detector of a tile: photo-electrons per MIP, pixels, cross-talk probability; 0 for silicon.
    """

    name: str
    e_mip: float
    noise: float
    adc_step: float
    tot_onset: float
    tot_step: float
    largest: float
    photo_electrons: float = 0.0
    pixels: float = 0.0
    cross_talk: float = 0.0


def _silicon(name: str, mip_fc: float, noise_electrons: float) -> Sensor:
    """Convert charges to MIP: ADC of 10 bits to 100 fC, time over threshold of 12 bits from 60 fC to 10 pC."""
    return Sensor(
        name=name,
        e_mip=mip_fc / ELECTRON_FC * PAIR_EV * 1e-9,
        noise=noise_electrons * ELECTRON_FC / mip_fc,
        adc_step=100 / 2**10 / mip_fc,
        tot_onset=60 / mip_fc,
        tot_step=10_000 / 2**12 / mip_fc,
        largest=10_000 / mip_fc,
    )


# In the order of the CMS cell types 0, 1, 2; the tile last.
# Tile: the most probable loss in 3 mm of polystyrene is 0.46-0.48 MeV, for beta gamma from 3.5 to the plateau (Review
# of Particle Physics, "Passage of particles through matter", most probable loss after Landau, Vavilov and Bichsel;
# 0.318 g/cm2). CMSSW counts 0.675 MeV per MIP (keV2MIP), more than the mean loss of such a particle, 0.62 MeV.
SENSORS = (
    _silicon("120 um silicon", 1.25, 2000),
    _silicon("200 um silicon", 2.57, 2400),
    _silicon("300 um silicon", 3.88, 2000),
    Sensor(
        name="3 mm tile",
        e_mip=0.47e-3,
        noise=0.01,
        adc_step=68.75 / 2**10,
        tot_onset=55.0,
        tot_step=1000 / 2**12,
        largest=1000.0,
        photo_electrons=21.0,
        pixels=7500.0,
        cross_talk=0.01,
    ),
)
# At the end of life: noise of the readout [electrons] over the share of the charge that is still collected (given
# there for 100, 200, 300 um); tiles: HGCal_setRealisticNoiseSci.
AGED_SENSORS = (
    *(
        replace(sensor, noise=electrons * ELECTRON_FC / (mip_fc * collected))
        for sensor, mip_fc, electrons, collected in zip(
            SENSORS, (1.25, 2.57, 3.88), (2400, 2250, 1750), (0.5, 0.5, 0.7), strict=False
        )
    ),
    replace(SENSORS[TILE], noise=0.2),
)


def sensor_of(table: CellTable) -> NDArray[np.uint8]:
    """Return the number of each cell's sensor in `SENSORS`, uint8 [n_cells].

    Raises
    ------
    InputError
        If the table is not one of the CMS HGCAL (subdetectors 8, 9, 10; silicon of cell type 0, 1, 2).
    """
    is_tile = table.subdetector == CE_H_TILES
    known = np.isin(table.subdetector, (8, 9)) & (table.cell_type >= 0) & (table.cell_type < TILE) | is_tile
    if not known.all():
        row = int(np.flatnonzero(~known)[0])
        msg = (
            f"{int((~known).sum())} of {table.n_cells} cells are no CMS HGCAL sensors (row {row}: subdetector "
            f"{table.subdetector[row]}, cell type {table.cell_type[row]}); give the sensor of each cell yourself"
        )
        raise InputError(msg)
    return np.where(is_tile, TILE, table.cell_type).astype(np.uint8)


def e_mip_of(table: CellTable, sensors: Sequence[Sensor] = SENSORS) -> NDArray[np.float64]:
    """Return the most probable MIP deposit of each cell [GeV], float64 [n_cells]."""
    return np.array([sensor.e_mip for sensor in sensors])[sensor_of(table)]
