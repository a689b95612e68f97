"""Material files: totals, sums of plates, and files that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry.detectors import DETECTORS, make_detector
from hgcal_gnn.geometry.material import calibration, load_material
from hgcal_gnn.simulation.build import build_stack


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_built_in_detector_has_material_for_all_its_layers(name):
    material = load_material(name)
    window = {"side": 1, "eta": (1.9, 2.1), "phi": (1.5, 1.6)} if name == "hgcal" else {}
    table = make_detector(name, **window)
    assert material.n_layers == int(table.layer.max())
    stack, sensors, _ = build_stack(table, material)
    assert len(stack.position) == material.samplings.sum()
    assert (stack.x0 > 0).all()
    assert (stack.moliere > 0.5).all()
    assert (stack.moliere < 40).all()
    assert len(sensors.kind) == table.n_cells
    assert np.unique(stack.response).size <= 6


def test_published_depths_of_the_hgcal():
    material = load_material("hgcal")
    assert material.x0[:26].sum() == pytest.approx(27.7)
    assert 8 < material.interaction.sum() < 11
    assert material.loss[:3].tolist() == [5.55, 12.86, 9.4]


def test_plates_are_summed():
    """2.4 mm tungsten and 0.5 mm silicon: 0.24 / 0.3504 + 0.05 / 9.37 radiation lengths, and so on."""
    material = load_material("clic")
    assert material.x0[0] == pytest.approx(0.24 / 0.3504 + 0.05 / 9.37)
    assert material.interaction[0] == pytest.approx(0.24 / 9.946 + 0.05 / 46.52)
    assert material.loss[0] == pytest.approx(0.24 * 22.10 + 0.05 * 3.876)


def test_material_of_missing_layers_stays_in_the_way():
    """Layers 3 and 4 alone: layer 3 carries the material of 1 to 3."""
    table = make_detector("hgcal", side=1, eta=(1.9, 2.1), phi=(1.5, 1.6), layers=(3, 4))
    material = load_material("hgcal")
    stack, _, _ = build_stack(table, material)
    assert stack.loss == pytest.approx([5.55 + 12.86 + 9.4, 12.86])
    assert stack.front[0] == pytest.approx(321.05)


def test_both_endcaps_are_built_outwards():
    table = make_detector("hgcal", eta=(-2.1, 2.1), phi=(1.5, 1.6), layers=(1, 2))
    stack, _, _ = build_stack(table, load_material("hgcal"))
    assert sorted(np.sign(stack.position).tolist()) == [-1, -1, 1, 1]
    assert (np.abs(stack.front) < np.abs(stack.position)).all()


def test_unknown_detectors_name_the_known_ones():
    with pytest.raises(UsageError, match="hgcal"):
        load_material("atlas")


def own_file(tmp_path, **changes):
    content = {
        "sensors": [{"name": "any", "mip": 0.1, "width": 0.005}],
        "materials": {"lead": {"x0_cm": 0.5612, "interaction_cm": 17.59, "loss_mev_per_cm": 12.74}},
        "detectors": {
            "mine": {"front_cm": 100.0, "sections": [{"layers": 3, "plates_mm": {"lead": 5.0}, "response": {}}]}
        },
    }
    content.update(changes)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_a_file_of_ones_own(tmp_path):
    material = load_material("mine", own_file(tmp_path))
    assert material.x0 == pytest.approx([0.5 / 0.5612] * 3)
    assert material.response.tolist() == [[1.0, 1.0]] * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"materials": {}},
        {"sensors": [{"title": "any"}]},
        {"detectors": {"mine": {"sections": []}}},
        {"detectors": {"mine": {"front_cm": 1.0, "sections": [{"layers": 2}]}}},
        {
            "detectors": {
                "mine": {
                    "front_cm": 1.0,
                    "sections": [{"layers": 1, "plates_mm": {"lead": [1.0, 2.0]}, "response": {"silicon": [1, 2]}}],
                }
            }
        },
    ],
)
def test_incomplete_files_are_refused(tmp_path, changes):
    path = own_file(tmp_path, **changes)
    with pytest.raises(InputError, match=r"mine\.yaml"):
        load_material("mine", path)


def test_tables_that_do_not_fit_are_refused(tmp_path):
    table = make_detector("hgcal", side=1, eta=(1.9, 2.1), phi=(1.5, 1.6), layers=(5, 5))
    with pytest.raises(InputError, match="layer 5"):
        build_stack(table, load_material("mine", own_file(tmp_path)))
    no_silicon = own_file(tmp_path, sensors=[{"name": "tile", "mip": 0.5, "width": 0.1, "is_silicon": 0}])
    table = make_detector("hgcal", side=1, eta=(1.9, 2.1), phi=(1.5, 1.6), layers=(2, 2))
    with pytest.raises(InputError, match="no sensor"):
        build_stack(table, load_material("mine", no_silicon))


def test_calibration_of_a_cell_is_its_layers_loss_over_the_mip_of_its_sensor():
    """CLIC ECAL, layer 1: 0.24 cm x 22.10 + 0.05 x 3.876 MeV before a sensor in which a MIP leaves 0.1447 MeV."""
    table = make_detector("lcd")
    weights = calibration(table, load_material("lcd"))
    assert weights[table.layer == 1][0] == pytest.approx((0.24 * 22.10 + 0.05 * 3.876) / 0.1447, rel=1e-6)
    assert weights[table.layer == 26][0] == pytest.approx((1.9 * 11.43 + 0.3 * 2.052) / 0.464, rel=1e-6)


def test_planes_read_out_together_share_the_loss():
    table, material = make_detector("calogan"), load_material("calogan")
    first = calibration(table, material)[table.layer == 1][0]
    assert first == pytest.approx(material.loss[0] / material.samplings[0] / material.sensors[-1].mip, rel=1e-6)


def test_a_layer_the_material_does_not_describe_is_named():
    with pytest.raises(InputError, match="describes layers 1 to 3, the table has layers 1 to 85"):
        calibration(make_detector("lcd"), load_material("calogan"))
