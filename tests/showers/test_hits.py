from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.showers.hits import Digitiser, _successes
from hgcal_gnn.showers.sensors import AGED_SENSORS, SENSORS, TILE, e_mip_of, sensor_of
from hgcal_gnn.showers.showers import Showers

MEV = 1e-3
QUIET = {"noise": False, "threshold": 0.0}


def table(cell_type: list[int], detector: list[int]) -> CellTable:
    n = len(cell_type)
    return CellTable.from_columns(
        {
            "cell_id": np.arange(n),
            "layer": np.ones(n, int),
            "detector": np.array(detector),
            "cell_type": np.array(cell_type),
            "x": np.arange(n, dtype=float),
            "y": np.zeros(n),
            "z": np.full(n, 300.0),
        }
    )


FOUR = table([0, 1, 2, 0], [8, 8, 9, 10])  # one cell of each sensor


def one_shower(cell, energy, **columns) -> Showers:
    hits = {"offsets": [0, len(cell)], "cell": cell, "energy": energy, "incident_energy": [1.0]}
    return Showers.from_columns(hits | columns)


def in_mip(mips: list[float]) -> Showers:
    """One hit of so many MIP in the cell of each sensor."""
    return one_shower(np.arange(len(mips)), np.array(mips) * e_mip_of(FOUR)[: len(mips)])


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_mip_of_each_sensor():
    assert [sensor.e_mip / MEV for sensor in SENSORS[:3]] == pytest.approx([0.0282, 0.0581, 0.0877], abs=5e-5)
    assert sensor_of(FOUR).tolist() == [0, 1, 2, TILE]
    assert e_mip_of(FOUR)[1] == SENSORS[1].e_mip


def test_noise_in_fc_is_what_the_cmssw_trigger_menu_lists():
    # HLTrigger/Configuration HLT_75e33 HGCAL_noise_fC_cfi.py: 0.32041012, 0.384492144, 0.32041012 fC
    in_fc = [sensor.noise * mip_fc for sensor, mip_fc in zip(SENSORS[:3], (1.25, 2.57, 3.88), strict=True)]
    assert in_fc == pytest.approx([0.32041012, 0.384492144, 0.32041012], rel=2e-4)


def test_most_probable_loss_in_a_tile():
    """Landau-Vavilov-Bichsel with the constants of polystyrene: Z/A 0.53768, I 68.7 eV, plasma energy 21.75 eV."""
    thickness, electron = 0.3 * 1.06, 0.51099895

    def loss(beta_gamma: float) -> float:
        beta2 = beta_gamma**2 / (1 + beta_gamma**2)
        xi = 0.307075 / 2 * 0.53768 * thickness / beta2
        mean_excitation = 68.7e-6
        # density effect of polystyrene (Sternheimer): C 3.2999, x0 0.1647, x1 2.5031, a 0.16454, m 3.2224
        x = math.log10(beta_gamma)
        density = 2 * math.log(10) * x - 3.2999 + (0.16454 * (2.5031 - x) ** 3.2224 if x < 2.5031 else 0.0)
        return xi * (
            math.log(2 * electron * beta_gamma**2 / mean_excitation)
            + math.log(xi / mean_excitation)
            + 0.2
            - beta2
            - density
        )

    losses = [loss(beta_gamma) for beta_gamma in (3.5, 10.0, 1000.0)]
    assert losses == pytest.approx([0.47] * 3, abs=0.01)
    assert SENSORS[TILE].e_mip / MEV == pytest.approx(np.mean(losses), abs=0.005)


def test_only_the_threshold(caplog):
    made = one_shower([0, 0, 1, 2, 3], np.array([0.3, 0.3, 0.4, 0.5, 7.0]) * e_mip_of(FOUR)[[0, 0, 1, 2, 3]])
    seen = Digitiser(sensor_of(FOUR), noise=False, threshold=0.4999)(made, generator())
    # the two deposits in cell 0 count together, the one in cell 1 is suppressed
    assert seen.cell.tolist() == [0, 2, 3]
    assert seen.energy == pytest.approx(np.array([0.6, 0.5, 7.0]) * e_mip_of(FOUR)[[0, 2, 3]], rel=1e-6)
    assert caplog.text == ""


def test_saturation_by_hand():
    digitise = Digitiser(sensor_of(FOUR), saturation=True, **QUIET)
    seen = digitise.mip(digitise(in_mip([9000.0, 3000.0, 9000.0, 7500 / 21]), generator()))
    # silicon: 10 pC are 8000, 3891, 2577 MIP; tile: 7500 photo-electrons on 7500 pixels, cross-talk 1 %
    fired = 7500 * (1 - math.exp(-1)) / (1 - 0.01 * math.exp(-1))
    assert seen == pytest.approx([8000.0, 3000.0, 10000 / 3.88, fired / 21], rel=1e-6)
    assert fired == pytest.approx(4758.4, abs=0.1)


def test_steps_by_hand():
    digitise = Digitiser(sensor_of(FOUR), steps=True, **QUIET)
    low = digitise.mip(digitise(in_mip([1.0, 1.0, 1.0, 1.0]), generator()))
    # 300 um: a step is 100 / 1024 fC = 0.025169 MIP; 1 MIP lies in step 39, whose middle is 0.99418 MIP
    assert low[2] == pytest.approx(0.99418, abs=1e-5)
    assert low == pytest.approx([1.0] * 4, abs=0.08)
    high = digitise.mip(digitise(in_mip([100.0, 100.0, 100.0, 100.0]), generator()))
    # 120 um: 125 fC, above the onset of 60 fC; a step is 10000 / 4096 fC; step 51, middle 125.73 fC
    assert high[0] == pytest.approx(125.73 / 1.25, abs=0.01)


def many(mip: float, kind: int, n_hits: int = 40_000) -> Showers:
    one_per_shower = {"offsets": np.arange(n_hits + 1), "cell": np.full(n_hits, kind)}
    energy = np.full(n_hits, mip * SENSORS[kind].e_mip)
    return Showers.from_columns(one_per_shower | {"energy": energy, "incident_energy": np.ones(n_hits)})


@pytest.mark.parametrize(("kind", "spread"), [(0, 0.2563), (1, 0.1496), (2, 0.0826), (3, math.sqrt(5 / 21 + 1e-4))])
def test_noise_has_the_stated_spread(kind, spread):
    """Tiles: Poisson number of photo-electrons, 21 per MIP, and 0.01 MIP of noise."""
    digitise = Digitiser(sensor_of(FOUR))
    seen = digitise.mip(digitise(many(5.0, kind), generator()))
    assert len(seen) == 40_000
    assert seen.mean() == pytest.approx(5.0, abs=5 * spread / 200)
    assert seen.std() == pytest.approx(spread, rel=0.02)


def test_threshold_works_on_the_noisy_signal():
    digitise = Digitiser(sensor_of(FOUR))
    at_threshold = digitise(many(0.5, 0), generator())
    assert len(at_threshold.cell) == pytest.approx(20_000, abs=5 * 100)
    assert digitise.mip(at_threshold).min() >= 0.5 - 1e-6


def test_noise_is_given_by_the_state_of_the_generator():
    made = many(1.0, 2, 50)
    digitise = Digitiser(sensor_of(FOUR))
    assert digitise(made, generator(3)).equals(digitise(made, generator(3)))
    assert not digitise(made, generator(3)).equals(digitise(made, generator(4)))


def test_aged_sensors_are_noisier():
    # 120 um: 2400 electrons are 0.3845 fC; of 1.25 fC per MIP half is collected
    assert AGED_SENSORS[0].noise == pytest.approx(0.3845 / 0.625, rel=1e-3)
    assert all(old.noise > new.noise for old, new in zip(AGED_SENSORS, SENSORS, strict=True))
    assert [sensor.e_mip for sensor in AGED_SENSORS] == [sensor.e_mip for sensor in SENSORS]


@pytest.mark.parametrize("time", [False, True])
def test_noise_hits(time):
    n_cells, n_showers = 4000, 50
    sensor = np.repeat(np.arange(4), n_cells // 4).astype(np.uint8)
    signal_cells = np.arange(0, n_cells, 40)
    columns = {
        "offsets": np.arange(n_showers + 1) * len(signal_cells),
        "cell": np.tile(signal_cells, n_showers),
        "energy": np.full(n_showers * len(signal_cells), 1.0),
        "incident_energy": np.ones(n_showers),
    }
    columns |= {"time": np.ones(len(columns["cell"]))} if time else {}
    made = Showers.from_columns(columns)
    digitise = Digitiser(sensor, noise_hits=True)
    seen = digitise(made, generator())
    noise_only = ~np.isin(seen.cell, signal_cells)
    # Q(0.5 / noise): 2.55 % of 120 um cells, 0.0416 % of 200 um, 7e-10 of 300 um; 25 of 1,000 cells have signal
    expected = n_showers * 975 * (0.02552 + 0.000416)
    assert noise_only.sum() == pytest.approx(expected, abs=5 * math.sqrt(expected))
    assert digitise.noise_hits_per_shower == pytest.approx(1000 * (0.02552 + 0.000416), rel=0.01)
    assert digitise.mip(seen).min() >= 0.5 - 1e-6
    assert (seen.n_hits >= len(signal_cells)).all()
    assert seen.merged() is seen  # sorted by cell, each cell once
    # tail of a Gaussian: the mean beyond 0.5 MIP of one of 0.2563 MIP is 0.2563 phi(1.951) / Q(1.951)
    tail = digitise.mip(seen)[noise_only & (sensor[seen.cell] == 0)]
    assert tail.mean() == pytest.approx(
        0.2563 * math.exp(-(1.951**2) / 2) / math.sqrt(2 * math.pi) / 0.02552, abs=0.015
    )
    if time:
        assert np.isnan(seen.time[noise_only]).all()
        assert (seen.time[~noise_only] == 1).all()


@given(st.integers(0, 5000), st.floats(1e-4, 1.0), st.integers(0, 2**16))
def test_successes_are_distinct_trials_in_order(n_trials, probability, seed):
    found = _successes(n_trials, probability, generator(seed))
    assert (np.diff(found) > 0).all()
    assert len(found) == 0 or (found[0] >= 0 and found[-1] < n_trials)
    expected = n_trials * probability
    assert abs(len(found) - expected) <= 7 * math.sqrt(expected * (1 - probability)) + 7
    assert probability < 1 or len(found) == n_trials


def test_each_trial_succeeds_equally_often():
    counts = np.zeros(10)
    random = generator(5)
    for _ in range(4000):
        counts[_successes(10, 0.3, random)] += 1
    assert counts / 4000 == pytest.approx([0.3] * 10, abs=5 * math.sqrt(0.21 / 4000))


def test_no_showers_and_no_hits():
    digitise = Digitiser(sensor_of(FOUR), noise_hits=True, saturation=True, steps=True)
    assert len(digitise(Showers.empty(), generator())) == 0
    assert len(digitise(one_shower([], []), generator())) == 1


def test_other_detectors_need_their_own_sensors():
    with pytest.raises(InputError, match=r"15360 of 15360 cells are no CMS HGCAL sensors .* give the sensor of each"):
        sensor_of(make_detector("lcd"))
    with pytest.raises(InputError, match=r"1 of 2 cells are no CMS HGCAL sensors \(row 1: subdetector 8, cell type 3"):
        sensor_of(table([0, 3], [8, 8]))


def test_built_in_hgcal_has_all_sensors():
    cells = make_detector("hgcal", eta=(1.6, 2.6), phi=(0.0, 0.1), layers=(30, 47), side=1)
    assert set(sensor_of(cells).tolist()) >= {1, 2, TILE}
