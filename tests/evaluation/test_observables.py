from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation import shower_kernels
from hgcal_gnn.evaluation.observable_table import OBSERVABLES
from hgcal_gnn.evaluation.observables import shower_variables, variable_names
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.detectors import make_detector, voxel_map
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.showers.hdf5 import read_hdf5
from hgcal_gnn.showers.ragged import offsets_of
from hgcal_gnn.showers.showers import Showers
from tests.evaluation.by_hand import CELLS, DEPOSITS, NUMBERS, showers_of

LN = (np.log(10), np.log(4), np.log(4), 0.0)
ON_PAPER = {
    "energy": 4.0,
    "log_energy": np.log(4),
    "visible": 0.015,
    "eta": np.arcsinh(3),  # z / r = 3
    "phi": 0.0,
    "energy_elmag": 1.0,
    "energy_hadron": 3.0,
    "section_0": 1.0,
    "section_1": 2.0,
    "section_2": 1.0,
    "hits_section_0": 1.0,
    "hits_section_1": 2.0,
    "hits_section_2": 1.0,
    "n_hits": 4.0,
    "mean_layer": 9 / 4,
    "layer_spread": np.sqrt(25 / 4 - 81 / 16),
    "start_layer": 0.0,  # 10, 8, 0 and 1 E_MIP are all below 12.4
    "last_share": 0.25,  # a tenth of 4 layers: the last one
    "width": np.sqrt(8),
    "core_2cm": 0.5,
    "core_5cm": 1.0,
    "core_10cm": 1.0,
    "mips_mean": np.mean(LN),
    "mips_spread": np.std(LN),
    "hits_above_5": 0.25,
    "hits_above_20": 0.0,
    "hits_above_100": 0.0,
    "energy_above_5": 0.25,
    "energy_above_20": 0.0,
    "energy_above_100": 0.0,
    "largest_share": 0.25,
    "layer_1": 1.0,
    "layer_2": 2.0,
    "layer_3": 0.0,
    "layer_4": 1.0,
}
ALL = tuple(ON_PAPER)
SHARES = ("eta", "phi", "mean_layer", "layer_spread", "last_share", "width", "core_5cm", "largest_share")


def values_of(showers, names=ALL, numbers=NUMBERS):
    return shower_variables(showers, numbers, names)


def test_everything_there_is_was_worked_out():
    assert variable_names(NUMBERS, "all") == ALL
    assert all(observable.meaning and observable.unit in ("", "GeV", "cm", "rad") for observable in OBSERVABLES)


@pytest.mark.parametrize("name", ALL)
def test_numbers_on_paper(name):
    # alone, before an empty shower and after another
    showers = showers_of(((4,), (3.0,)), (CELLS, DEPOSITS), ((), ()))
    found = values_of(showers, (name,))[:, 0]
    assert found[1] == pytest.approx(ON_PAPER[name], rel=1e-6, abs=1e-9)
    assert found[2] == 0


@pytest.mark.parametrize(
    ("cells", "factor", "start"),
    [
        (CELLS, 10, 1),  # layers of 100, 80, 0 and 10 E_MIP against 12 + 0.1 x 40
        (CELLS, 1.6, 1),  # 16 and 12.8 against 12.64
        (CELLS, 1.55, 0),  # 15.5 and 12.4 against 12.62
        ((1, 2, 3), 10, 0),  # layer 2 alone
    ],
)
def test_start_needs_two_layers(cells, factor, start):
    deposits = factor * np.array([DEPOSITS[cell] for cell in cells])
    assert values_of(showers_of((cells, deposits)), ("start_layer",))[0, 0] == start


@pytest.mark.parametrize("worthless", [0.0, -1.0, np.nan])
def test_hits_without_energy_count_nowhere(worthless):
    with_it = showers_of(((*CELLS, 4), (*DEPOSITS, worthless)))
    assert values_of(with_it)[0] == pytest.approx(values_of(showers_of((CELLS, DEPOSITS)))[0], rel=1e-12)
    assert (values_of(showers_of(((4,), (worthless,)))) == 0).all()


def test_deposits_in_one_cell_are_one_hit():
    split = showers_of(((3, 1, 0, 1, 2), (DEPOSITS[3], 0.5e-3, DEPOSITS[0], 1.5e-3, DEPOSITS[2])))
    assert values_of(split)[0] == pytest.approx(list(ON_PAPER.values()), rel=1e-6, abs=1e-9)


def test_only_what_is_asked_for_is_computed(monkeypatch):
    for name in ("lateral", "spectrum", "group_sums"):
        monkeypatch.delattr(shower_kernels, name)
    assert values_of(showers_of((CELLS, DEPOSITS)), ("phi", "energy"))[0] == pytest.approx([0, 4])


def test_order_and_repetition_of_names():
    found = values_of(showers_of((CELLS, DEPOSITS)), ("layer_2", "energy", "layer_1", "energy"))
    assert found[0] == pytest.approx([2, 4, 1, 4])


def test_no_showers_and_no_names():
    assert values_of(Showers.empty()).shape == (0, len(ALL))
    assert values_of(showers_of((CELLS, DEPOSITS)), ()).shape == (1, 0)


def test_unknown_names():
    message = r"no shower variables layer_0, layer_5, E; there are energy, .*2 CE-H scintillator.*share_L \(L: 1 to 4\)"
    with pytest.raises(UsageError, match=message):
        values_of(showers_of((CELLS, DEPOSITS)), ("energy", "layer_0", "layer_5", "E"))
    with pytest.raises(UsageError, match="section_3"):
        variable_names(NUMBERS, ("published", "section_3"))


def test_sets():
    assert variable_names(NUMBERS, "published") == ("energy_elmag", "energy_hadron", "eta", "phi")
    assert variable_names(NUMBERS, ("eta", "published", "all_sections", "layer_2", "all_layers")) == (
        "eta", "energy_elmag", "energy_hadron", "phi", "section_0", "section_1", "section_2",
        "layer_2", "layer_1", "layer_3", "layer_4",
    )  # fmt: skip
    assert set(variable_names(NUMBERS, "shape")) == set(ALL) - {f"layer_{layer}" for layer in (1, 2, 3, 4)}


def random_case(seed: int) -> tuple[Showers, CellNumbers]:
    """Showers with hits anywhere in an endcap of 6 layers; some empty."""
    random = np.random.default_rng(seed)
    layer = np.sort(random.integers(1, 7, 60))
    angle, radius = random.uniform(-np.pi, np.pi, 60), random.uniform(60, 80, 60)
    numbers = CellNumbers(
        place=np.stack([radius * np.cos(angle), radius * np.sin(angle), 300 + 5 * layer], axis=1).astype(np.float32),
        layer=layer.astype(np.int16),
        silicon=np.ones(60, np.uint8),
        section=(layer > 3).astype(np.uint8),
        weight=random.uniform(50, 200, 60).astype(np.float32),
        mip=random.uniform(3e-5, 9e-5, 60).astype(np.float32),
        sections=("ECAL", "HCAL"),
        n_layers=6,
    )
    counts = random.poisson(6, 5)
    hits = np.concatenate([np.empty(0, int), *(random.choice(60, n, replace=False) for n in counts)])
    columns = {"cell": hits, "energy": random.exponential(1e-3, len(hits)), "incident_energy": np.ones(5)}
    return Showers.from_columns({"offsets": offsets_of(counts), **columns}), numbers


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_sums_add_up_whatever_the_order(seed):
    showers, numbers = random_case(seed)
    names = variable_names(numbers, "all")
    found = values_of(showers, names, numbers)
    of = dict(zip(names, found.T, strict=True))
    assert np.isfinite(found).all()
    for parts in ([f"layer_{i}" for i in range(1, 7)], ["section_0", "section_1"], ["energy_elmag", "energy_hadron"]):
        assert sum(of[part] for part in parts) == pytest.approx(of["energy"], rel=1e-12)
    assert of["hits_section_0"] + of["hits_section_1"] == pytest.approx(of["n_hits"])
    assert of["visible"] == pytest.approx(showers.visible, rel=1e-6)
    # other order of the hits and other numbers of the cells
    random = np.random.default_rng(seed)
    renamed = random.permutation(60)
    order = np.lexsort((random.random(len(showers.cell)), showers.shower))
    shuffled = showers.replace(
        cell=np.argsort(renamed)[showers.cell[order]].astype(np.int32), energy=showers.energy[order]
    )
    arrays = {
        name: getattr(numbers, name)[renamed] for name in ("place", "layer", "silicon", "section", "weight", "mip")
    }
    assert values_of(shuffled, names, replace(numbers, **arrays)) == pytest.approx(found, rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), turn=st.floats(-7, 7))
def test_a_turn_about_the_beam_changes_phi_only(seed, turn):
    showers, numbers = random_case(seed)
    showers = showers[showers.n_hits > 0]
    names = variable_names(numbers, "all")
    cos, sin = np.cos(turn), np.sin(turn)
    turned = numbers.place @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    before = values_of(showers, names, numbers)
    after = values_of(showers, names, replace(numbers, place=turned.astype(np.float32)))
    difference = after - before
    phi = names.index("phi")
    difference[:, phi] = (difference[:, phi] - turn + np.pi) % (2 * np.pi) - np.pi
    within = [not name.startswith("core") for name in names]  # a cell may lie on the rim
    assert np.abs(difference[:, within]).max(initial=0) < 2e-4


def test_twice_the_deposits_are_twice_the_energy():
    once, twice = (values_of(showers_of((CELLS, scale * np.array(DEPOSITS))))[0] for scale in (1, 2))
    of = dict(zip(ALL, zip(once, twice, strict=True), strict=True))
    for name in ("energy", "visible", "energy_hadron", "section_1", "layer_2"):
        assert of[name][1] == pytest.approx(2 * of[name][0], rel=1e-6)
    assert of["log_energy"][1] - of["log_energy"][0] == pytest.approx(np.log(2))
    for name in (*SHARES, "n_hits", "mips_spread"):
        assert of[name][1] == pytest.approx(of[name][0], rel=1e-6)


def test_phi_across_the_cut_of_the_angle():
    place = np.array([[-100, 1, 300], [-100, -1, 300], [-100, 3, 300], [0, 0, 1], [0, 0, 1]], np.float32)
    numbers = replace(NUMBERS, place=place, weight=np.ones(5, np.float32))
    found = values_of(showers_of(((0, 1), (1, 1)), ((0, 1, 2), (1, 1, 1))), ("phi",), numbers)[:, 0]
    # the mean of the angles would be 0
    assert np.abs(found) == pytest.approx([np.pi, np.pi - 0.01], abs=1e-4)


def test_other_side():
    mirrored = replace(NUMBERS, place=NUMBERS.place * np.float32([1, 1, -1]))
    found = values_of(showers_of((CELLS, DEPOSITS)), numbers=mirrored)[0]
    expected = [-value if name == "eta" else value for name, value in ON_PAPER.items()]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_real_photons_and_pions(shared_data):
    """Geant4 in a CLIC-like calorimeter, 13-481 GeV: the calibration comes from the material alone."""
    path = shared_data / "lcd_photon_pi0_50_showers.h5"
    showers = Showers.concatenate(list(read_hdf5(path, voxel_map("lcd").rows)))
    numbers = CellNumbers.of(make_detector("lcd"), load_material("lcd"))
    names = ("energy", "energy_elmag", "visible", "eta", "phi")
    energy, elmag, visible, eta, phi = values_of(showers, names, numbers).T
    truth = showers.incident_energy
    assert np.corrcoef(energy, truth)[0, 1] > np.corrcoef(visible, truth)[0, 1] > 0.986
    assert np.median(energy / truth) == pytest.approx(1, abs=0.08)
    assert (energy / truth).std() < 0.025
    assert np.median(elmag / energy) > 0.95
    assert np.abs(np.stack([eta, phi])).max() < 0.02
