"""Parameters of the shower models: plain numbers, read by the kernels.

Values with a paper are used as published. "tuned" marks shape numbers set such that single particles of
50 GeV in the HGCAL agree with Geant4; nothing is tuned at other energies or for other detectors.
"""

from __future__ import annotations

from typing import NamedTuple


class EmModel(NamedTuple):
    """Electromagnetic showers; formulas in `electromagnetic`.

    Attributes
    ----------
    charge
        Effective atomic number of the absorber (lead, copper-tungsten, steel), enters the GFlash shapes weakly.
    t_shift
        Depth of the shower maximum is ln(E / E_c) + t_shift [X0]: -0.858 in GFlash, equation (3); tuned.
    alpha_scale, fluctuation
        Factors on GFlash's mean shape parameter and on its shower-to-shower widths (tuned).
    core, tail
        Factors on GFlash's core and tail radii (tuned).
    reach
        Distance [Moliere radii] from which on the tail falls off exponentially: GFlash's 1 / r^3 is
        published for the inner few radii only (tuned).
    extra
        Mean number of further crossings that go with one (pairs, curling tracks) and their spread [cm] (tuned).
    path
        Mean extra path of a slanted crossing in sensor thicknesses (tuned).
    soft
        Share of crossings that deposit less than a MIP: electrons that stop, photons (tuned).
    landau_max
        Largest Landau number: delta rays beyond leave the sensor (tuned).
    conversion
        Mean free path of a photon [X0]: 9/7 (Particle Data Group, passage of particles, 34.4.5).
    """

    charge: float = 60.0
    t_shift: float = -0.975
    alpha_scale: float = 0.992
    fluctuation: float = 1.05
    core: float = 1.01
    tail: float = 0.975
    reach: float = 4.78
    extra: float = 1.64
    extra_spread: float = 0.1
    path: float = 0.343
    soft: float = 0.0998
    landau_max: float = 71.0
    conversion: float = 9.0 / 7.0


class HadronModel(NamedTuple):
    """Hadronic mini-cascade; see `hadronic`. Energies in MeV.

    All values are tuned within what is known of hadronic interactions: about a third of the pions neutral, a
    leading particle with 40 % of the energy, transverse momenta of 0.3-0.5 GeV, a multiplicity that grows with the
    logarithm of the energy, 20-40 % of the hadronic energy invisible (Wigmans, Calorimetry, chapter 2; Gabriel et
    al., NIM A338 (1994) 336).

    Attributes
    ----------
    pion_length
        Interaction length of pions over that of protons, for which materials are tabulated.
    breakup, breakup_power
        Mean energy spent on breaking up nuclei in an interaction at E is breakup (E / GeV)^power.
    binding, neutron
        Shares of it lost to binding energy and given to neutrons.
    multiplicity, multiplicity_log
        Mean number of secondaries beyond the leading one: a + b ln(1 + E / GeV).
    lead_a, lead_b
        Beta distribution of the leading particle's share of the energy.
    split
        Gamma shape of the other shares: small values make them unequal.
    pi0, pi0_lead
        Share of neutral pions among secondaries, and for the leading one.
    pt
        Rayleigh parameter of the transverse momentum [MeV].
    threshold
        Hadrons below it no longer interact; they range out.
    isotropic
        Secondaries below it fly into all directions.
    slow
        Loss per layer of a hadron of energy E is 1 + slow / E that of a MIP.
    heavy, heavy_mip, heavy_spread
        Heavily ionising deposits per GeV of breakup, their mean [MIP], distance from the interaction [cm].
    halo, halo_silicon, halo_length, halo_shape
        Neutron deposits per GeV of breakup in tiles, share that silicon sees, gamma distribution of the distance.
    halo_mip, halo_tile
        Mean neutron deposit in silicon and in tiles [MIP].
    """

    pion_length: float = 1.075
    breakup: float = 400.0
    breakup_power: float = 0.57
    binding: float = 0.55
    neutron: float = 0.2
    multiplicity: float = 1.45
    multiplicity_log: float = 2.18
    lead_a: float = 1.25
    lead_b: float = 1.9
    split: float = 0.829
    pi0: float = 0.297
    pi0_lead: float = 0.42
    pt: float = 370.0
    threshold: float = 400.0
    isotropic: float = 580.0
    slow: float = 60.0
    heavy: float = 1.6
    heavy_mip: float = 8.0
    heavy_spread: float = 1.0
    halo: float = 39.4
    halo_silicon: float = 0.165
    halo_length: float = 18.0
    halo_shape: float = 1.2
    halo_mip: float = 0.5
    halo_tile: float = 0.28
