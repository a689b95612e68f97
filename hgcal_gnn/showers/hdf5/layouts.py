"""The HDF5 files of voxels in the wild: which datasets, which units, how the incident particle is told."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.particles import masses_of
from hgcal_gnn.showers.showers import direction_from_eta_phi

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hgcal_gnn.showers.showers import Showers

    Numbers = NDArray[np.float64]
    Columns = dict[str, NDArray[Any]]

MEV = 1e-3  # GeV
ALONG_X = (1.0, 0.0, 0.0)  # into a barrel
LCD_CLASSES = MappingProxyType({0: 111, 1: 22})


@dataclass(frozen=True)
class VoxelLayout:
    """A layout of dense showers.

    Attributes
    ----------
    name
    voxels
        Datasets [n_showers, ...] of energies; their voxels are counted one dataset after the other.
    incident
        Dataset [n_showers, ...] that describes the incident particle, `width` numbers a shower.
    voxel_unit
        GeV per unit of the voxel energies.
    decode
        (numbers float64 [n, width], pdg id int32 [n]) -> columns of `Showers`.
    encode
        (showers) -> numbers [n, width].
    direction
        Of the particle, where the file does not tell it: such files follow the particle, and this is the axis of
        depth of the built-in detector of that file.
    padded
        Whether the last axis of the voxels is one of slots, as many as the fullest layer needs.
    flat
        Whether the voxels of a shower lie on one axis, whatever sections the detector has.
    """

    name: str
    voxels: tuple[str, ...]
    incident: str
    width: int
    voxel_unit: float
    decode: Callable[[Numbers, NDArray[np.int32]], Columns]
    encode: Callable[[Showers], Numbers]
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0)
    padded: bool = False
    flat: bool = False


def _from_kinetic_mev(numbers: Numbers, pdg_id: NDArray[np.int32]) -> Columns:
    total = numbers[:, 0] * MEV + masses_of(pdg_id)
    return {"incident_energy": total, "pdg_id": pdg_id}


def _to_kinetic_mev(showers: Showers) -> Numbers:
    kinetic = showers.incident_energy - masses_of(showers.pdg_id)
    if (kinetic < 0).any():
        msg = f"{int((kinetic < 0).sum())} showers have less energy than the mass of their particle (pdg_id)"
        raise InputError(msg)
    return kinetic[:, np.newaxis] / MEV


def _from_gev(numbers: Numbers, pdg_id: NDArray[np.int32]) -> Columns:
    return {"incident_energy": numbers[:, 0], "pdg_id": pdg_id}


def _to_gev(showers: Showers) -> Numbers:
    return showers.incident_energy[:, np.newaxis].astype(np.float64)


def _from_gev_eta_phi(numbers: Numbers, pdg_id: NDArray[np.int32]) -> Columns:
    x, y, z = direction_from_eta_phi(numbers[:, 1], numbers[:, 2])
    return {"incident_energy": numbers[:, 0], "pdg_id": pdg_id, "direction_x": x, "direction_y": y, "direction_z": z}


def _to_gev_eta_phi(showers: Showers) -> Numbers:
    return np.stack([showers.incident_energy, showers.eta, showers.phi], axis=1).astype(np.float64)


def _from_lcd_target(numbers: Numbers, pdg_id: NDArray[np.int32]) -> Columns:
    """Read [class, energy, energy, 0, 0]; classes that are not known keep the given pdg id."""
    for code, particle in LCD_CLASSES.items():
        pdg_id = np.where(numbers[:, 0] == code, np.int32(particle), pdg_id)
    return _from_gev(numbers[:, 1:], pdg_id)


def _to_lcd_target(showers: Showers) -> Numbers:
    codes = {particle: code for code, particle in LCD_CLASSES.items()}
    others = ~np.isin(showers.pdg_id, list(codes))
    if others.any():
        msg = (
            f"the lcd layout knows photons (22) and neutral pions (111) only; {int(others.sum())} showers have "
            f"another pdg id, for instance {showers.pdg_id[others][0]}"
        )
        raise InputError(msg)
    energy = showers.incident_energy.astype(np.float64)
    code = np.where(showers.pdg_id == 22, codes[22], codes[111]).astype(np.float64)
    return np.stack([code, energy, energy, 0 * energy, 0 * energy], axis=1)


LAYOUTS = MappingProxyType(
    {
        layout.name: layout
        for layout in (
            # CaloChallenge 2022, datasets 1-3: kinetic energy and voxels in MeV
            # (calochallenge.github.io/homepage; arXiv:2410.21611, section 2)
            VoxelLayout(
                "calochallenge",
                ("showers",),
                "incident_energies",
                1,
                MEV,
                _from_kinetic_mev,
                _to_kinetic_mev,
                flat=True,
            ),
            # HGCal CaloChallenge 2026: showers [n, layer, slot] in GeV, gen_info = energy [GeV], eta, phi
            # (OzAmram/CMSHGCaloChallenge hgcal_metrics.py, LoadFile: x 1000 gives MeV, gen_info[:, 0] is not scaled)
            VoxelLayout("hgcal", ("showers",), "gen_info", 3, 1.0, _from_gev_eta_phi, _to_gev_eta_phi, padded=True),
            # LCD (CLIC) calorimeter images: the unit of the cells is not stated; as MeV, the ECAL sum is 1.9 % of
            # the energy, the sampling fraction of a silicon-tungsten stack. Which class is which is not stated
            # either: below 140 GeV the class-1 showers hold 0.40-0.50 of their energy in one 5 mm column, the
            # class-0 showers 0.19-0.41, as two photons do, so 0 is taken as the neutral pion.
            VoxelLayout("lcd", ("ECAL", "HCAL"), "target", 5, MEV, _from_lcd_target, _to_lcd_target, ALONG_X),
            # getting_high, ILD ECAL: visible energies in MeV (Buhmann et al., arXiv:2005.05334, section 2)
            VoxelLayout("getting_high", ("30x30/layers",), "30x30/energy", 1, MEV, _from_gev, _to_gev, ALONG_X),
            # CaloGAN: energy in GeV, images in MeV (Paganini, de Oliveira, Nachman, arXiv:1712.10321)
            VoxelLayout("calogan", ("layer_0", "layer_1", "layer_2"), "energy", 1, MEV, _from_gev, _to_gev),
        )
    }
)
