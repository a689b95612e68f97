"""DetIds: worked out by hand, round trips, and the ids of real files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.geometry import detid


def test_silicon_bits_by_hand() -> None:
    # CE-E (8), -z, layer 5, type 2, wafer (-3, 4), cell (7, 15): bits written out from the layout
    word = (8 << 28) | (2 << 26) | (1 << 25) | (5 << 20) | (0 << 19) | (4 << 15) | (1 << 14) | (3 << 10) | (15 << 5) | 7
    found = detid.decode_silicon(np.array([word], np.uint64))
    assert [field[0] for field in found] == [8, -1, 5, 2, -3, 4, 7, 15]


def test_scintillator_bits_by_hand() -> None:
    # -z, layer 9, cast tile (1), ring 21, phi 288, large sensor, fine granularity
    word = (10 << 28) | (1 << 26) | (1 << 25) | (1 << 24) | (1 << 23) | (9 << 17) | (21 << 9) | 288
    found = detid.decode_scintillator(np.array([word], np.uint64))
    assert found._asdict() == {
        "z_side": [-1],
        "layer": [9],
        "cell_type": [1],
        "ring": [21],
        "iphi": [288],
        "trigger": [0],
        "sipm": [1],
        "granularity": [1],
    }


@given(
    detector=st.integers(8, 9),
    z_side=st.sampled_from([-1, 1]),
    layer=st.integers(0, 31),
    cell_type=st.integers(0, 3),
    wafer_u=st.integers(-15, 15),
    wafer_v=st.integers(-15, 15),
    cell_u=st.integers(0, 31),
    cell_v=st.integers(0, 31),
)
def test_silicon_round_trip(**fields: int) -> None:
    ids = np.atleast_1d(detid.silicon_detid(**fields))
    found = {name: int(value[0]) for name, value in detid.decode_silicon(ids)._asdict().items()}
    assert found == fields


@given(
    z_side=st.sampled_from([-1, 1]),
    layer=st.integers(0, 31),
    cell_type=st.integers(0, 3),
    ring=st.integers(0, 255),
    iphi=st.integers(0, 511),
    trigger=st.integers(0, 1),
    sipm=st.integers(0, 1),
    granularity=st.integers(0, 1),
)
def test_scintillator_round_trip(**fields: int) -> None:
    ids = np.atleast_1d(detid.scintillator_detid(**fields))
    found = {name: int(value[0]) for name, value in detid.decode_scintillator(ids)._asdict().items()}
    assert found == fields


def test_arguments_broadcast() -> None:
    ids = detid.silicon_detid(
        detector=8, z_side=1, layer=3, cell_type=1, wafer_u=2, wafer_v=-1, cell_u=np.arange(4), cell_v=7
    )
    assert detid.decode_silicon(ids).cell_u.tolist() == [0, 1, 2, 3]
    assert set(detid.decode_silicon(ids).wafer_v.tolist()) == {-1}


def test_detector_of_ignores_ids_that_are_no_detids() -> None:
    ids = np.array([8 << 28, 10 << 28, 7, (8 << 28) | (1 << 40)], np.uint64)
    assert detid.detector_of(ids).tolist() == [8, 10, 0, 0]
    assert detid.holds_detids(ids[:2], np.array([8, 10], np.uint8))
    assert not detid.holds_detids(ids[:2], np.array([8, 9], np.uint8))
    assert not detid.holds_detids(ids[2:3], np.array([0], np.uint8))


def test_layers_run_through() -> None:
    silicon = detid.silicon_detid(
        detector=np.array([8, 9]), z_side=-1, layer=4, cell_type=1, wafer_u=1, wafer_v=1, cell_u=0, cell_v=0
    )
    tile = detid.scintillator_detid(z_side=1, layer=9, cell_type=0, ring=3, iphi=5)
    assert detid.endcap_layer(np.append(silicon, tile), cee_layers=26).tolist() == [4, 30, 35]


def test_wrong_subdetector_is_named() -> None:
    ids = np.array([8 << 28, 10 << 28, 9 << 28], np.uint64)
    with pytest.raises(InputError, match=r"1 of 3 ids are no silicon .* instance 2684354560; first in rows 1 "):
        detid.decode_silicon(ids)
    with pytest.raises(InputError, match="2 of 3 ids are no scintillator"):
        detid.decode_scintillator(ids)


@pytest.mark.parametrize(("name", "value"), [("wafer_u", 16), ("cell_v", 32), ("layer", -1), ("detector", 10)])
def test_values_that_do_not_fit(name: str, value: int) -> None:
    fields = {
        "detector": 8,
        "z_side": 1,
        "layer": 1,
        "cell_type": 0,
        "wafer_u": 0,
        "wafer_v": 0,
        "cell_u": 0,
        "cell_v": 0,
    }
    with pytest.raises(UsageError, match=f"{name} must lie in .* got {value}"):
        detid.silicon_detid(**fields | {name: value})


def test_z_side_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="z_side"):
        detid.scintillator_detid(z_side=0, layer=1, cell_type=0, ring=1, iphi=1)


def test_real_window(shared_data: Path) -> None:
    with gzip.open(shared_data / "cms_hgcal_cee_window.csv.gz", "rt") as stream:
        names = stream.readline().strip().split(",")
        rows = np.loadtxt(stream, delimiter=",")
    column = dict(zip(names, rows.T, strict=True))
    ids = column["globalid"].astype(np.uint64)
    found = detid.decode_silicon(ids)
    assert (found.detector == column["detectorid"]).all()
    assert (found.layer == column["layerid"]).all()
    assert (found.cell_type == column["celltype"]).all()
    assert (found.z_side == np.sign(column["z"])).all()
    assert (detid.silicon_detid(**found._asdict()) == ids).all()
    n_across = np.where(found.cell_type == 0, 2 * detid.N_CELLS_FINE, 2 * detid.N_CELLS_COARSE)
    assert ((found.cell_u < n_across) & (found.cell_v < n_across)).all()


def test_real_rec_hits(shared_data: Path) -> None:
    """Cells of an older geometry (28 + 24 layers), whose ntuple gives u, v, x, y, z beside each DetId."""
    with uproot.open(shared_data / "cms_hgcal_muons_ntuple.root") as file:
        names = ("x", "y", "z", "layer", "thickness", "wafer_u", "wafer_v", "cell_u", "cell_v", "detid")
        events = file["ana/hgc"].arrays([f"rechit_{name}" for name in names], library="np")
    hit = {name: np.concatenate(events[f"rechit_{name}"]) for name in names}
    ids = hit["detid"].astype(np.uint64)
    assert (detid.endcap_layer(ids, cee_layers=28) == hit["layer"]).all()

    is_silicon = detid.detector_of(ids) != detid.HGCAL_HSC
    silicon = detid.decode_silicon(ids[is_silicon])
    assert is_silicon.sum() > 60_000
    for name in ("wafer_u", "wafer_v", "cell_u", "cell_v"):
        assert (getattr(silicon, name) == hit[name][is_silicon]).all()
    assert (silicon.z_side == np.sign(hit["z"][is_silicon])).all()
    assert (np.array([120, 200, 300])[silicon.cell_type] == hit["thickness"][is_silicon]).all()

    tile = detid.decode_scintillator(ids[~is_silicon])
    assert (detid.scintillator_detid(**tile._asdict()) == ids[~is_silicon]).all()
    x, y, z = (hit[name][~is_silicon].astype(np.float64) for name in "xyz")
    assert (tile.z_side == np.sign(z)).all()
    n_phi = np.where(tile.cell_type == 0, 360, 288)
    expected = (tile.iphi - 0.5) * 2 * np.pi / n_phi
    turned = np.arctan2(y, np.where(z > 0, x, -x)) - expected
    assert np.abs(np.angle(np.exp(1j * turned))).max() < 1e-6
    for cell_type in (
        0,
        1,
    ):  # all tiles of a ring and type are at one radius (within the 0.5 mm by which layers trim it)
        of_type = tile.cell_type == cell_type
        r = np.hypot(x, y)[of_type]
        ring, first = np.unique(tile.ring[of_type], return_index=True)
        assert np.abs(r - r[first][np.searchsorted(ring, tile.ring[of_type])]).max() < 0.06
        assert (np.diff(r[first]) > 1).all()
