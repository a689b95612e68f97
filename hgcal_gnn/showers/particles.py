"""Masses of the particles that start showers, to turn kinetic energies into total ones and back."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# |pdg id| -> mass [GeV]: Particle Data Group, Review of Particle Physics 2024, summary tables; 130 and 310
# (neutral kaons) carry the K0 mass
MASSES = MappingProxyType(
    {
        11: 0.51099895e-3,
        13: 0.1056583755,
        22: 0.0,
        111: 0.1349768,
        130: 0.497611,
        211: 0.13957039,
        310: 0.497611,
        321: 0.493677,
        2112: 0.9395654219,
        2212: 0.9382720894,
    }
)
# numbering scheme of the Particle Data Group
NAMES = MappingProxyType(
    {
        0: "unknown particle", 11: "electron", -11: "positron", 13: "muon", -13: "antimuon", 22: "photon", 111: "pi0",
        130: "K0L", 211: "pi+", -211: "pi-", 310: "K0S", 321: "K+", -321: "K-", 2112: "neutron", -2112: "antineutron",
        2212: "proton", -2212: "antiproton",
    }
)  # fmt: skip


def particle_name(pdg_id: int) -> str:
    """Return the name of a particle, "pdg id N" for those without one here."""
    return NAMES.get(pdg_id, f"pdg id {pdg_id}")


def masses_of(pdg_id: NDArray[np.integer], source: str = "showers") -> NDArray[np.float64]:
    """Return the mass of each particle [GeV], float64 [n].

    Raises
    ------
    InputError
        For particles that are not in the table: with their ids and number.
    """
    kinds, which = np.unique(np.abs(pdg_id), return_inverse=True)
    unknown = [int(kind) for kind in kinds if int(kind) not in MASSES]
    if unknown:
        count = int(np.isin(np.abs(pdg_id), unknown).sum())
        msg = (
            f"{source}: the mass of pdg id {', '.join(map(str, unknown))} is not known ({count} showers), so kinetic "
            f"and total energy cannot be told apart; known are {', '.join(map(str, MASSES))}"
        )
        raise InputError(msg)
    return np.array([MASSES[int(kind)] for kind in kinds])[which]
