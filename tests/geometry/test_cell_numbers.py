from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.material import load_material
from tests.geometry.tables import cms_table, plain_table


def hgcal_cells():
    """One cell of each kind: layer, subdetector, sensor; the table sorts them by layer and subdetector."""
    points = np.array([[10.0 * i, 100.0] for i in range(6)])
    return cms_table(
        points,
        layer=np.array([1, 40, 2, 1, 27, 40]),
        detector=np.array([8, 9, 8, 8, 9, 10]),
        cell_type=np.array([0, 2, 1, 2, 2, 0]),
        z=np.array([322.0, 450.0, 323.0, 322.0, 380.0, 450.0]),
        is_silicon=np.array([1, 1, 1, 1, 1, 0]),
    )


def test_hgcal_by_hand():
    numbers = CellNumbers.of(hgcal_cells(), load_material("hgcal"))
    assert numbers.layer.tolist() == [1, 1, 2, 27, 40, 40]
    assert numbers.sections == ("CE-E", "CE-H silicon", "CE-H scintillator")
    assert numbers.section.tolist() == [0, 0, 0, 1, 1, 2]
    assert numbers.silicon.tolist() == [1, 1, 1, 1, 1, 0]
    assert numbers.mip == pytest.approx(np.array([0.0282, 0.0877, 0.0581, 0.0877, 0.0877, 0.5]) * 1e-3)
    # dE/dx weights V16 [MeV] of layers 1, 2, 27 and 40 over E_MIP [MeV]
    weight = [5.55 / 0.0282, 5.55 / 0.0877, 12.86 / 0.0581, 58.63 / 0.0877, 83.43 / 0.0877, 83.43 / 0.5]
    assert numbers.weight == pytest.approx(weight, rel=1e-6)
    assert numbers.place[:, 0].tolist() == [0, 30, 20, 40, 10, 50]
    assert numbers.n_layers == 47  # whatever layers the table has


@pytest.mark.parametrize(
    ("layer", "names", "section"),
    [
        ([1, 2, 3, 4], ("subdetector 7", "subdetector 3"), [0, 0, 1, 1]),
        ([1, 2, 1, 2], ("subdetector 3", "subdetector 7"), [0, 1, 0, 1]),  # side by side: the smaller code first
    ],
)
def test_sections_are_ordered_by_depth(layer, names, section):
    zero = np.zeros(4)
    table = plain_table([1, 1, 2, 2], zero, zero, layer, subdetector=np.array([7, 7, 3, 3]), is_silicon=np.ones(4))
    numbers = CellNumbers.of(table, load_material("clic"))
    assert numbers.sections == names
    assert numbers.section.tolist() == section


def test_layers_with_several_planes():
    """`lcd`, 25 + 60 layers: what a layer holds is shared by the planes read out together."""
    material = load_material("lcd")
    numbers = CellNumbers.of(make_detector("lcd"), material)
    assert numbers.sections == ("ECAL", "HCAL")
    first = numbers.weight[numbers.layer == 1][0]
    assert first == pytest.approx(material.loss[0] / material.samplings[0] / 0.1447, rel=1e-6)
    tungsten, silicon = 0.24 * 22.10, 0.05 * 3.876  # MeV
    assert first == pytest.approx((tungsten + silicon) / 0.1447, rel=1e-3)


def test_material_of_another_detector():
    with pytest.raises(InputError, match="layers 1 to 47, the table has layers 1 to 85"):
        CellNumbers.of(make_detector("lcd"), load_material("hgcal"))
