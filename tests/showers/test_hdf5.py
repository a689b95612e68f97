from __future__ import annotations

import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hgcal_gnn.errors import InputError, OutputError, UsageError
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors import make_detector, voxel_map
from hgcal_gnn.showers.hdf5 import find_layout, layout_named, read_hdf5, write_hdf5
from hgcal_gnn.showers.hdf5.layouts import LAYOUTS
from hgcal_gnn.showers.hdf5.slots import slot_map, slots_of_table
from hgcal_gnn.showers.hdf5.voxels import read_voxels
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.showers import Showers

N_SHOWERS = 23


def dense(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    """Mostly empty voxels."""
    random = np.random.default_rng(seed)
    values = random.exponential(5.0, (N_SHOWERS, *shape))
    return np.where(random.uniform(size=values.shape) < 0.2, values, 0.0)


@pytest.fixture
def calochallenge(tmp_path):
    """A file of dataset 2's layout with 12 voxels."""
    path = tmp_path / "dataset.hdf5"
    with h5py.File(path, "w") as file:
        file["showers"] = dense((12,))
        file["incident_energies"] = np.geomspace(256, 4.2e6, N_SHOWERS)[:, np.newaxis]
    return path


def together(pieces) -> Showers:
    return Showers.concatenate(list(pieces))


def test_calochallenge_by_hand(tmp_path):
    path = tmp_path / "two.hdf5"
    with h5py.File(path, "w") as file:
        file["showers"] = [[0.0, 2.0, 0.0, 30.5], [0.0, 0.0, 0.0, 0.0]]
        file["incident_energies"] = [[1000.0], [256.0]]
    made = together(read_hdf5(path, np.array([3, 2, 1, 0]), pdg_id=211))
    assert made.cell.tolist() == [2, 0]
    assert made.energy == pytest.approx([2.0e-3, 30.5e-3], rel=1e-6)
    assert made.offsets.tolist() == [0, 2, 2]
    # kinetic energy + the mass of the charged pion, 139.57039 MeV
    assert made.incident_energy == pytest.approx([1.13957039, 0.39557039], rel=1e-7)
    assert made.direction_z.tolist() == [1.0, 1.0]
    assert made.pdg_id.tolist() == [211, 211]


@pytest.mark.parametrize("chunk_bytes", [1, 12 * 8 * 5, 2**20])
def test_energy_sums_equal_those_of_the_file(calochallenge, chunk_bytes):
    made = together(read_hdf5(calochallenge, np.arange(12)[::-1].copy(), pdg_id=22, chunk_bytes=chunk_bytes))
    with h5py.File(calochallenge) as file:
        sums = file["showers"][...].sum(axis=1) * 1e-3
        hits = (file["showers"][...] > 0).sum(axis=1)
    assert made.visible == pytest.approx(sums, rel=1e-6)
    assert made.n_hits.tolist() == hits.tolist()
    assert made.event_id.tolist() == list(range(N_SHOWERS))


@pytest.mark.parametrize("dtype", [">f4", "f2", ">f8", "i4"])
def test_number_types_of_other_writers(tmp_path, dtype):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["showers"] = np.array([[0, 2, 0, 30.5]]).astype(dtype)
        file["incident_energies"] = np.array([[1000]]).astype(dtype)
    made = together(read_hdf5(tmp_path / "other.h5", np.arange(4), pdg_id=22))
    assert made.cell.tolist() == [1, 3]
    assert made.energy == pytest.approx([2e-3, 30e-3 if dtype == "i4" else 30.5e-3], rel=1e-6)
    assert made.incident_energy.tolist() == [1.0]


def test_pieces_are_bounded(calochallenge):
    pieces = list(read_hdf5(calochallenge, np.arange(12), pdg_id=22, chunk_bytes=12 * 8 * 5))
    assert [len(piece) for piece in pieces] == [5, 5, 5, 5, 3]


def test_threshold_leaves_small_voxels_out(calochallenge):
    made = together(read_hdf5(calochallenge, np.arange(12), pdg_id=22, threshold=4e-3))
    with h5py.File(calochallenge) as file:
        values = file["showers"][...]
    assert made.visible == pytest.approx(np.where(values >= 4.0, values, 0).sum(axis=1) * 1e-3, rel=1e-6)


@given(seed=st.integers(0, 2**16), layout=st.sampled_from(sorted(LAYOUTS)))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_layout_round_trips(tmp_path, seed, layout):
    shapes = {
        "calochallenge": [(12,)],
        "hgcal": [(3, 4)],
        "lcd": [(2, 2, 3), (1, 1, 4)],
        "getting_high": [(2, 3, 2)],
        "calogan": [(3, 4), (2, 2), (2, 1)],
    }[layout]
    random = np.random.default_rng(seed)
    n_cells = sum(int(np.prod(shape)) for shape in shapes)
    order = random.permutation(n_cells)
    cells = [
        part.reshape(shape)
        for part, shape in zip(np.split(order, np.cumsum([np.prod(s) for s in shapes])[:-1]), shapes, strict=True)
    ]
    counts = random.poisson(3, 9)
    n_hits = int(counts.sum())
    made = Showers.from_columns(
        {
            "offsets": np.concatenate([[0], np.cumsum(counts)]),
            "cell": random.integers(0, n_cells, n_hits),
            "energy": random.exponential(1e-2, n_hits),
            "incident_energy": random.uniform(1, 100, 9),
            "pdg_id": random.choice([22, 111], 9) if layout == "lcd" else np.full(9, 22),
            "direction_x": np.full(9, {"hgcal": 0.6, "lcd": 1, "getting_high": 1}.get(layout, 0)),
            "direction_y": np.zeros(9),
            "direction_z": np.full(9, {"hgcal": 0.8, "lcd": 0, "getting_high": 0}.get(layout, 1)),
        }
    ).merged()
    path = tmp_path / "any.h5"
    write_hdf5([made[:4], made[4:]], path, cells, layout=layout, overwrite=True)
    assert find_layout(path) == layout
    back = together(read_hdf5(path, cells, pdg_id=22)).sorted_by_cell()
    assert back.cell.tolist() == made.cell.tolist()
    assert back.offsets.tolist() == made.offsets.tolist()
    assert back.energy == pytest.approx(made.energy, rel=3e-7)
    assert back.incident_energy == pytest.approx(made.incident_energy, rel=3e-7)
    assert back.pdg_id.tolist() == made.pdg_id.tolist()
    assert back.direction_x == pytest.approx(made.direction_x, abs=1e-6)


def test_writing_kinetic_energies(tmp_path):
    columns = {"offsets": [0, 0], "cell": [], "energy": [], "incident_energy": [5.0], "pdg_id": [-211]}
    write_hdf5([Showers.from_columns(columns)], tmp_path / "a.h5", np.arange(3), layout="calochallenge")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["incident_energies"][0, 0] == pytest.approx(5000 - 139.57039, rel=1e-7)
        assert file["showers"].shape == (1, 3)


def test_hgcal_layout_by_hand(tmp_path):
    path = tmp_path / "hgcal.h5"
    showers = np.zeros((1, 2, 5), np.float32)  # the file has two slots more than the fullest layer here
    showers[0, 0, 2], showers[0, 1, 0] = 0.25, 0.5
    with h5py.File(path, "w") as file:
        file["showers"] = showers
        file["gen_info"] = np.float32([[50, 2.0, 1.57]])
    cells = slot_map(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]), np.array([7, 8, 9, 4]))
    assert cells.tolist() == [[7, 8, 9], [4, -1, -1]]
    made = together(read_hdf5(path, cells, pdg_id=22))
    assert made.cell.tolist() == [9, 4]
    assert made.energy.tolist() == [0.25, 0.5]
    assert made.incident_energy.tolist() == [50.0]
    assert made.eta == pytest.approx([2.0], rel=1e-6)
    assert made.phi == pytest.approx([1.57], rel=1e-6)


def test_energy_in_a_slot_without_a_cell(tmp_path, caplog):
    path = tmp_path / "hgcal.h5"
    with h5py.File(path, "w") as file:
        file["showers"] = np.ones((2, 1, 3), np.float32)
        file["gen_info"] = np.ones((2, 3), np.float32)
    with pytest.raises(InputError, match="2 voxels hold energy but have no cell"):
        together(read_hdf5(path, np.array([[0, -1, 1]])))
    assert together(read_hdf5(path, np.array([[0, -1, 1]]), invalid="drop")).cell.tolist() == [0, 1, 0, 1]
    assert "2 voxels hold energy but have no cell in the geometry; dropped" in caplog.text


@pytest.mark.parametrize(
    ("detector", "layout"),
    [
        ("calochallenge-1-photons", "calochallenge"),
        ("calochallenge-2", "calochallenge"),
        ("ild-ecal", "getting_high"),
        ("calogan", "calogan"),
        ("lcd", "lcd"),
    ],
)
def test_built_in_detectors_round_trip(tmp_path, detector, layout):
    cells = make_detector(detector)
    random = np.random.default_rng(2)
    hits = {
        "offsets": np.arange(4) * 100,
        "cell": random.integers(0, cells.n_cells, 300),
        "energy": random.exponential(size=300),
    }
    made = Showers.from_columns(hits | {"incident_energy": [1, 2, 3], "pdg_id": [22, 22, 22]}, n_cells=cells.n_cells)
    rows = voxel_map(detector).rows
    write_hdf5([made], tmp_path / "voxels.h5", rows, layout=layout)
    back = together(read_hdf5(tmp_path / "voxels.h5", rows, pdg_id=22, direction=(0.6, 0.0, 0.8)))
    assert back.sorted_by_cell().cell.tolist() == made.merged().cell.tolist()
    assert back.visible == pytest.approx(made.visible, rel=1e-6)
    assert back.direction_x == pytest.approx([0.6] * 3)


def test_slots_of_a_geometry_table():
    table = CellTable.from_columns(
        {
            "cell_id": np.array([10, 20, 30]),
            "layer": np.array([2, 1, 1]),
            "x": np.array([0.0, 0.0, 1.0]),
            "y": np.zeros(3),
            "z": np.array([4.0, 3.0, 3.0]),
            "slot": np.array([1, 0, 1]),
        }
    )
    assert slots_of_table(table).tolist() == [[0, 1], [-1, 2]]
    with pytest.raises(InputError, match=r"no column place \(further columns: slot"):
        slots_of_table(table, "place")


@pytest.mark.parametrize(
    ("layer", "slot", "row", "message"),
    [
        ([0, 0], [1, 1], [0, 1], "1 slots hold several cells, the first is slot 1 of layer 0"),
        ([0, 0], [0, 1], [0, -1], "row is negative in 1 rows, first 1"),
        ([0, -1], [0, 1], [0, 1], "layer is negative in 1 rows"),
        ([], [], [], "no cells"),
    ],
)
def test_wrong_slot_maps(layer, slot, row, message):
    with pytest.raises(InputError, match=message):
        slot_map(*(np.array(values, dtype=np.int64) for values in (layer, slot, row)))


def test_real_lcd_file(shared_data):
    path = shared_data / "lcd_photon_pi0_50_showers.h5"
    assert find_layout(path) == "lcd"
    detector = make_detector("lcd")
    made = together(read_hdf5(path, voxel_map("lcd").rows))
    with h5py.File(path) as file:
        ecal, hcal, target = (file[name][...] for name in ("ECAL", "HCAL", "target"))
    in_ecal = detector.subdetector[made.cell] == 1
    assert (made.direction_x == 1).all()
    # the axis of depth of the file is the depth of the detector
    by_layer = np.bincount(detector.layer[made.cell], made.energy)[1:26]
    assert by_layer == pytest.approx(ecal.sum(axis=(0, 1, 2)) * 1e-3, rel=1e-5)
    assert made.where(in_ecal).visible == pytest.approx(ecal.sum(axis=(1, 2, 3)) * 1e-3, rel=1e-6)
    assert made.where(~in_ecal).visible == pytest.approx(hcal.sum(axis=(1, 2, 3)) * 1e-3, rel=1e-6)
    assert made.incident_energy == pytest.approx(target[:, 0, 1], rel=1e-6)
    assert set(made.pdg_id.tolist()) == {22, 111}
    # what tells the classes apart: the hottest column of a photon holds 0.40-0.50 of its energy below 140 GeV
    hottest = ecal.sum(axis=3).max(axis=(1, 2)) / ecal.sum(axis=(1, 2, 3))
    low = made.incident_energy < 140
    assert hottest[low & (made.pdg_id == 22)].min() > 0.4
    assert hottest[low & (made.pdg_id == 111)].mean() < 0.37


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.6, 0.95])
def test_truncated_files(calochallenge, kept):
    content = calochallenge.read_bytes()
    calochallenge.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match=r"dataset\.hdf5: (not readable as HDF5|the file is empty)"):
        together(read_hdf5(calochallenge, np.arange(12), pdg_id=22))


def test_a_damaged_chunk_in_the_middle(tmp_path):
    path = tmp_path / "packed.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("showers", data=dense((50,)), chunks=(5, 50), compression="gzip", fletcher32=True)
        file["incident_energies"] = np.ones((N_SHOWERS, 1))
        place = file["showers"].id.get_chunk_info(2)
    content = bytearray(path.read_bytes())
    content[place.byte_offset + 20] ^= 0xFF
    path.write_bytes(content)
    pieces = read_hdf5(path, np.arange(50), pdg_id=22, chunk_bytes=5 * 50 * 8)
    assert len(next(pieces)) == 5
    with pytest.raises(InputError, match=r"packed\.h5: not readable as HDF5"):
        list(pieces)


def rewrite(path, name, value) -> None:
    with h5py.File(path, "a") as file:
        del file[name]
        if value is not None:
            file[name] = value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("showers", None, r"no dataset showers; the file holds incident_energies \[23, 1\]"),
        ("incident_energies", np.ones((20, 1)), r"different numbers of showers \(showers 23, incident_energies 20\)"),
        ("incident_energies", np.ones((23, 2)), "incident_energies has 2 numbers a shower, the layout calochallenge 1"),
        ("incident_energies", -np.ones((23, 1)) * 500, "incident_energy is NaN, infinite or negative in 23 showers"),
        ("showers", np.ones((23, 13)), r"a shower has the shape \[13\], the voxels of the geometry \[12\]"),
        ("showers", np.ones(23), r"dataset showers must hold numbers on at least 2 axes, it is float64 \[23\]"),
        ("showers", np.full((23, 12), np.nan), r"\(showers from 0\): 276 of 276 hits have a bad energy .0 negative"),
        ("showers", np.full((23, 12), -1.0), "276 negative, 0 NaN or infinite"),
        ("showers", np.full((23, 12), b"a"), "must hold numbers"),
    ],
)
def test_wrong_datasets_are_named(calochallenge, name, value, message):
    rewrite(calochallenge, name, value)
    with pytest.raises(InputError, match=message):
        together(read_voxels(calochallenge, layout_named("calochallenge"), np.arange(12), pdg_id=22))


def test_unknown_layouts_and_particles(calochallenge, tmp_path):
    with pytest.raises(UsageError, match="unknown layout 'calo': known are calochallenge, hgcal"):
        together(read_hdf5(calochallenge, np.arange(12), layout="calo"))
    with pytest.raises(InputError, match=r"the mass of pdg id 0 is not known \(23 showers\)"):
        together(read_hdf5(calochallenge, np.arange(12)))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["group/images"] = np.zeros((2, 3))
    with pytest.raises(InputError, match=r"no known layout of showers; the file holds group/images \[2, 3\]"):
        find_layout(tmp_path / "other.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(InputError, match=r"text\.h5: not readable as HDF5"):
        find_layout(tmp_path / "text.h5")


def test_files_written_are_the_same_every_time(tmp_path, calochallenge):
    made = together(read_hdf5(calochallenge, np.arange(12), pdg_id=11, metadata=ShowerMetadata(source="a")))
    write_hdf5([made], tmp_path / "a.h5", np.arange(12), layout="calochallenge")
    write_hdf5([made[:20], made[20:]], tmp_path / "b.h5", np.arange(12), layout="calochallenge")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write_hdf5([made], tmp_path / "a.h5", np.arange(12), layout="calochallenge")


def test_nothing_is_written_for_showers_that_do_not_fit(tmp_path):
    columns = {"offsets": [0, 1], "cell": [5], "energy": [1.0], "incident_energy": [1.0]}
    with pytest.raises(InputError, match="1 hits lie in cells that no voxel stands for, for instance 5"):
        write_hdf5([Showers.from_columns(columns)], tmp_path / "a.h5", np.arange(3), layout="getting_high")
    heavy = Showers.from_columns(columns | {"cell": [0], "incident_energy": [0.1], "pdg_id": [211]})
    with pytest.raises(InputError, match="less energy than the mass"):
        write_hdf5([heavy], tmp_path / "a.h5", np.arange(3), layout="calochallenge")
    with pytest.raises(InputError, match="1 voxels share their cell with another voxel"):
        write_hdf5([], tmp_path / "a.h5", np.array([0, 0, 1]), layout="getting_high")
    with pytest.raises(
        InputError, match=r"the layout lcd has the datasets ECAL, HCAL, the geometry voxels of shape \[3\]"
    ):
        write_hdf5([], tmp_path / "a.h5", np.arange(3), layout="lcd")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    code = (
        "import resource, signal, sys, numpy as np; from hgcal_gnn.showers.showers import Showers; "
        "from hgcal_gnn.showers.hdf5 import write_hdf5; from hgcal_gnn.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "n = 2000; energy = np.random.default_rng(1).uniform(size=50 * n)\n"
        "hits = dict(offsets=np.arange(n + 1) * 50, cell=np.tile(np.arange(50), n), energy=energy)\n"
        "made = Showers.from_columns(hits | dict(incident_energy=np.ones(n)))\n"
        "try: write_hdf5([made], sys.argv[1], np.arange(50), layout='getting_high')\n"
        "except OutputError as error: print(error)"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "full.h5")]
    result = subprocess.run(arguments, check=True, capture_output=True, text=True)
    assert "full.h5: could not be written" in result.stdout
    assert list(tmp_path.iterdir()) == []
