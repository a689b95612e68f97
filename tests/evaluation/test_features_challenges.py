"""Features of the public challenges against numbers of their code and against a slow implementation of our own.

The reference numbers come from the functions of OzAmram/CMSHGCaloChallenge hgcal_metrics.py (compute_feats,
compute_profiles) and the class of CaloChallenge/homepage code/HighLevelFeatures.py, run in double precision on the
second of the showers of `small_endcap.ruled_showers`, deposits below the published thresholds set to 0.
"""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.features import compute_features
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from tests.evaluation import small_endcap

# fmt: off
HGCAL = {
    "IncidentEnergy": 2.0, "EnergyRatio": 0.002905, "XCenterLayer0": -0.4591039, "XCenterLayer1": 1.128493,
    "XCenterLayer2": 0.0, "XWidthLayer0": 3.54018, "XWidthLayer1": 3.224717, "XWidthLayer2": 0.0,
    "YCenterLayer0": 0.7995726, "YCenterLayer1": -0.0440905, "YCenterLayer2": 0.0, "YWidthLayer0": 2.25675,
    "YWidthLayer1": 3.173314, "YWidthLayer2": 0.0, "OccupancyLayer0": 12.0, "OccupancyLayer1": 9.0,
    "OccupancyLayer2": 0.0, "Energyfractionlayer0": 0.411359, "Energyfractionlayer1": 0.5886393,
    "Energyfractionlayer2": 0.0, "Energyfractionring0": 0.0, "Energyfractionring1": 0.0,
    "Energyfractionring2": 0.06454378, "Energyfractionring3": 0.3469874, "Energyfractionring4": 0.5884671,
}
PIONS = {
    "E_tot": 864.0, "E_layers_0": 0.0, "E_layers_1": 186.5, "E_layers_2": 233.5, "E_layers_12": 310.5,
    "E_layers_13": 133.5, "EC_etas_1": 24.57826, "EC_etas_2": -55.76918, "EC_etas_12": -136.8821,
    "EC_etas_13": -14.95438, "EC_phis_1": 3.963008, "EC_phis_2": -0.3886933, "EC_phis_12": -97.82541,
    "EC_phis_13": -354.4048, "EC_r_0": 0.0, "EC_r_1": 43.65684, "EC_r_2": 110.7013, "EC_r_12": 446.0145,
    "EC_r_13": 403.4832, "width_etas_1": 57.6997, "width_etas_2": 119.4796, "width_etas_12": 381.4148,
    "width_etas_13": 167.917, "width_phis_1": 36.88056, "width_phis_2": 99.64151, "width_phis_12": 527.141,
    "width_phis_13": 517.5319, "width_r_0": 0.0, "width_r_1": 58.33788, "width_r_2": 122.7166,
    "width_r_12": 502.725, "width_r_13": 508.9825, "sparsity_0": 1.0, "sparsity_1": 0.87, "sparsity_2": 0.85,
    "sparsity_12": 0.86, "sparsity_13": 0.94375, "sparsity_14": 1.0,
}
# fmt: on


def test_hgcal_features_equal_the_public_code():
    numbers = small_endcap.numbers_of()
    showers = small_endcap.ruled_showers(len(numbers.layer))
    found = compute_features(showers, numbers, convention="hgcal_challenge", n_rings=5)
    assert found.names == tuple(HGCAL)
    np.testing.assert_allclose(found.values[1], list(HGCAL.values()), rtol=1e-5, atol=1e-6)


def slow_hgcal(showers, numbers, n_rings):
    """The same from dense layers, cell by cell."""
    pitch, threshold = small_endcap.PITCH, np.float32(1e-5)
    rows = []
    for number in range(len(showers)):
        one = showers[number].merged()
        dense = np.zeros(len(numbers.layer))
        dense[one.cell] = np.where(one.energy < threshold, 0, one.energy)
        dense *= small_endcap.LOSS[numbers.layer - 1]
        rings, columns = np.zeros(n_rings), {name: [] for name in ("x", "wx", "y", "wy", "hits", "energy")}
        for layer in range(numbers.n_layers):
            cells = np.flatnonzero(numbers.layer == layer + 1)
            place = numbers.place[cells].astype(float)
            slope = np.array([np.cos(small_endcap.PHI), np.sin(small_endcap.PHI)]) / np.sinh(small_endcap.ETA)
            distance = np.hypot(*(place[:, :2] - place[:, 2:] * slope).T)
            ring = np.floor(distance / pitch + 0.5).astype(int)
            ring[(ring == 0) | (ring >= n_rings)] = -1
            ring[distance.argmin()] = 0
            energy = np.where(ring >= 0, dense[cells], 0)
            rings += np.bincount(ring[ring >= 0], energy[ring >= 0], n_rings)
            total = energy.sum()
            for axis, name in enumerate("xy"):
                step = place[:, axis] - place[distance.argmin(), axis]
                mean = (energy * step).sum() / total if total else 0.0
                columns[name].append(mean)
                columns["w" + name].append(np.sqrt(((step - mean) ** 2 * energy).sum() / total) if total else 0.0)
            columns["hits"].append((energy > 0).sum())
            columns["energy"].append(total)
        total = sum(columns["energy"])
        shares = [np.array(columns["energy"]) / (total + 1e-8), rings / (total + 1e-8)]
        incident = float(one.incident_energy[0])
        profile = [columns[name] for name in ("x", "wx", "y", "wy", "hits")]
        rows.append(np.concatenate([[incident, total / incident], *profile, *shares]))
    return np.array(rows)


@pytest.mark.parametrize("n_rings", [3, 6, 21])
def test_hgcal_features_equal_a_slow_implementation(n_rings):
    numbers = small_endcap.numbers_of()
    showers = small_endcap.ruled_showers(len(numbers.layer), n_hits=200, n_showers=12)
    found = compute_features(showers, numbers, convention="hgcal_challenge", n_rings=n_rings)
    expected = slow_hgcal(showers, numbers, n_rings)
    assert expected[:, -n_rings].any()  # the axis cell is hit in some
    np.testing.assert_allclose(found.values, expected, rtol=1e-5, atol=2e-5)


def test_photons_have_21_rings_and_pions_75():
    numbers = small_endcap.numbers_of()
    showers = small_endcap.ruled_showers(len(numbers.layer))
    pions = showers.replace(pdg_id=np.full(4, 211, np.int32))
    names = compute_features(showers, numbers, ["radial"], convention="hgcal_challenge").names
    assert names[-1] == "Energyfractionring20"
    assert len(compute_features(pions, numbers, ["radial"], convention="hgcal_challenge").names) == 75


def test_calochallenge_features_equal_the_public_code():
    cells = make_detector("calochallenge-1-pions")
    numbers = CellNumbers.of(cells, load_material("calochallenge-1-pions"))
    found = compute_features(small_endcap.ruled_showers(cells.n_cells, unit=1e-3), numbers, convention="calochallenge")
    for name, value in PIONS.items():
        assert found.column(name)[1] == pytest.approx(value, rel=1e-5, abs=1e-5), name
    assert len(found.names) == 1 + 4 * 7 + 4 * 4
    # layers that are not divided in alpha have no eta and phi
    assert "EC_etas_0" not in found.names
    assert "width_phis_14" not in found.names


def test_calochallenge_voxels_below_the_readout_do_not_count():
    cells = make_detector("calochallenge-2")
    numbers = CellNumbers.of(cells, load_material("calochallenge-2"))
    # 15.15 keV
    showers = small_endcap.ruled_showers(cells.n_cells, n_hits=4, n_showers=1).replace(
        energy=np.array([1.51e-5, 1.52e-5, 1e-3, 0], np.float32), cell=np.array([0, 1, 144, 145], np.int32)
    )
    found = compute_features(showers, numbers, convention="calochallenge")
    assert found.column("E_tot")[0] == pytest.approx(1.0152, rel=1e-5)
    assert found.column("sparsity_0")[0] == pytest.approx(1 - 1 / 144)
    assert found.column("EC_r_0")[0] == pytest.approx(1.5 * 4.65)
    assert found.column("EC_etas_0")[0] == pytest.approx(1.5 * 4.65 * np.cos(-np.pi * 15 / 16), rel=1e-5)


def test_calochallenge_needs_a_cylinder():
    numbers = small_endcap.numbers_of()
    with pytest.raises(UsageError, match="needs a cylinder"):
        compute_features(small_endcap.ruled_showers(5), numbers, convention="calochallenge")
