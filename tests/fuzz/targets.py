"""What is damaged and how it is read: every reader of files that strangers may have made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from hgcal_gnn.batching.fitted_transforms import Standardise
from hgcal_gnn.batching.transform_files import OnColumns, TransformSequence, load_transform, save_transform
from hgcal_gnn.batching.transforms import Log
from hgcal_gnn.config.any_run import read_run
from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.config.study import read_study
from hgcal_gnn.evaluation import run_folders as finished_runs
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.generation.weights import GeneratorWeights
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.cells import CellTable
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.geometry.graph_file import load_graph, save_graph
from hgcal_gnn.geometry.material import load_material
from hgcal_gnn.geometry.summary import summarise_graph
from hgcal_gnn.geometry.tables import read_table, write_table
from hgcal_gnn.showers.convert.files import Source, iterate_showers
from hgcal_gnn.showers.convert.hdf5_source import Hdf5Options
from hgcal_gnn.showers.file_report import FileReport
from hgcal_gnn.showers.hdf5.showerdata import LayerGrid, write_showerdata
from hgcal_gnn.showers.metadata import ShowerMetadata
from hgcal_gnn.showers.root import RootOptions
from hgcal_gnn.showers.root.branches import load_branch_map
from hgcal_gnn.showers.root.hits import CellRows
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.showers.store import open_store, write_showers
from hgcal_gnn.training.generation.domain import VoxelDomain
from hgcal_gnn.training.generation.load import load_generator, load_trained
from hgcal_gnn.training.load import load_regressor
from hgcal_gnn.training.run_folder import RunFolder
from hgcal_gnn.training_log import read_rows, write_rows
from tests.cli.made_generator import make_generator
from tests.evaluation.run_folders import make_run
from tests.fuzz import contents
from tests.fuzz.damage import Change
from tests.fuzz.made import make_regressor
from tests.geometry.table_files import prism_csv, prism_rows, saved
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree
from tests.showers.made_showers import N_CELLS, make_showers


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes
    ----------
    make
        Writes a whole file into a folder and returns its path; what else the reader needs goes beside it.
    read
        Reads all of it, as the program does.
    changes
        To what the file holds, besides those of bytes.
    cost
        Relative time of a case: the quick run makes fewer of them.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    changes: Mapping[str, Change] = field(default_factory=dict)
    cost: int = 1


def table(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"table{suffix}"
        write_table(read_table(saved(folder / "source.csv", prism_csv())), path)
        return path

    return make


def read_cells(path: Path) -> Any:
    return read_table(path, length_unit="mm", allow_lone_cells=True)


def make_graph(folder: Path) -> Path:
    save_graph(build_graph(read_table(saved(folder / "source.csv", prism_csv())))[0], folder / "graph.safetensors")
    return folder / "graph.safetensors"


def make_store(folder: Path) -> Path:
    write_showers(make_showers(50), folder / "showers.arrow")
    return folder / "showers.arrow"


def read_store(path: Path) -> None:
    store = open_store(path)
    assert len(store[:]) == len(store) == len(store.n_hits)
    assert sum(len(chunk) for chunk in store.chunks()) == len(store)
    store.verify(N_CELLS)


def make_root_showers(folder: Path) -> Path:
    return write_tree(folder / "showers.root", hgcal_branches(toy_cells()))


def reader_of(make_cells: Callable[[], Any], **options: Any) -> Callable[[Path], None]:
    """Return the reading part of a conversion."""

    def read(path: Path) -> None:
        cells = make_cells()
        metadata = ShowerMetadata(cells.sha256)
        source = Source(metadata, CellRows.of(cells), RootOptions(threads=1), Hdf5Options(**options), cells)
        for showers in iterate_showers(str(path), source, FileReport(str(path))):
            assert isinstance(showers, Showers)

    return read


def make_challenge(folder: Path) -> Path:
    with h5py.File(folder / "voxels.h5", "w") as file:
        random = np.random.default_rng(1)
        voxels = random.exponential(1.0, (20, 368)) * (random.random((20, 368)) < 0.1)
        file.create_dataset("showers", data=voxels, chunks=(8, 368), compression="gzip")
        file["incident_energies"] = random.uniform(1e3, 1e5, (20, 1))
    return folder / "voxels.h5"


def make_hgcal_challenge(folder: Path) -> Path:
    with h5py.File(folder / "slots.h5", "w") as file:
        random = np.random.default_rng(1)
        file["showers"] = random.exponential(1e-3, (20, 3, 25)).astype("f4")
        file["gen_info"] = np.stack([random.uniform(10, 100, 20), np.full(20, 2.0), np.full(20, 0.5)], axis=1)
    return folder / "slots.h5"


def make_points(folder: Path) -> Path:
    cells = lcd()
    showers = make_showers(20).replace(cell=make_showers(20).cell % cells.n_cells)
    showers = showers.replace(metadata=ShowerMetadata(cells.sha256), time=None)
    write_showerdata([showers], folder / "points.h5", LayerGrid(cells))
    return folder / "points.h5"


@cache
def toy() -> Any:
    return toy_cells()


@cache
def challenge() -> Any:
    return make_detector("calochallenge-1-photons")


@cache
def lcd() -> Any:
    return make_detector("lcd", layers=(1, 2))


@cache
def slots() -> Any:
    """The prism with the slot of each cell in its layer."""
    names = ("cell_id", "layer", "x", "y", "z")
    columns = dict(zip(names, np.array(prism_rows(), dtype=np.int64).T, strict=True))
    return CellTable.from_columns({**columns, "slot": np.tile(np.arange(25), 3)}, detector="prism")


def make_generator_file(folder: Path) -> Path:
    make_generator(folder / "run")
    return folder / "run" / "model.safetensors"


def generate(path: Path) -> None:
    generator = load_generator(path.parent)
    energy = np.full(3, 10.0)
    generator.sample(Particles.of(Showers.from_columns(particles(energy))))


def particles(energy: Any) -> dict[str, Any]:
    """Columns of showers along z without hits."""
    zeros = np.zeros(len(energy))
    return {"offsets": np.zeros(len(energy) + 1), "cell": np.zeros(0), "energy": np.zeros(0),
            "incident_energy": energy, "pdg_id": zeros + 22, "direction_x": zeros, "direction_y": zeros,
            "direction_z": zeros + 1, "vertex_x": zeros, "vertex_y": zeros, "vertex_z": zeros}  # fmt: skip


def make_checkpoint(folder: Path) -> Path:
    make_generator(folder / "run")
    weights = GeneratorWeights.load(folder / "run" / "model.safetensors")
    config = RunFolder(folder / "run").read_config(GenerationConfig)
    model = VoxelDomain(config, weights.cells).build(weights.trained_on)
    named = {f"model.{name}": values for name, values in model.state_dict().items()}
    state = {"state_dict": named, "epoch": 1, "callbacks": {"a": {"b": 0.5}}}
    (folder / "run" / "checkpoints").mkdir()
    torch.save(state, folder / "run" / "checkpoints" / "last.ckpt")
    return folder / "run" / "checkpoints" / "last.ckpt"


def regress(path: Path) -> None:
    predictor = load_regressor(path.parent)
    predictor(open_store(path.parent.parent / "showers.arrow")[:5])


def make_transform(folder: Path) -> Path:
    save_transform(OnColumns([0, 2], TransformSequence([Log(0.1), Standardise()])).fit(torch.rand(50, 3)), folder / "t")
    return folder / "t"


def make_log(folder: Path) -> Path:
    rows = [{"epoch": 0, "step": 4, "train_loss": 1.0, "val_loss": 0.5, "lr": 0.1, "seconds": 2.0}]
    write_rows(folder / "log.csv", rows * 3)
    return folder / "log.csv"


def file_of_run(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        return make_run(folder / "run", "gcn", [10.0, 20.0, 30.0], [11.0, 19.0, 33.0]) / name

    return make


def copied(path: Path) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        return saved(folder / path.name, path.read_bytes())

    return make


ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hgcal_gnn"
PRESET = PACKAGE / "showers" / "root" / "presets" / "hgcal.yaml"
MATERIAL = PACKAGE / "geometry" / "detectors" / "calogan_material.yaml"
TARGETS = {
    "table_csv": Target(table(".csv"), read_cells, contents.CSV),
    "table_csv_gz": Target(table(".csv.gz"), read_cells),
    "table_parquet": Target(table(".parquet"), read_cells, contents.PARQUET),
    "table_root": Target(table(".root"), read_cells, contents.root_changes("cells"), cost=4),
    "graph": Target(make_graph, lambda path: summarise_graph(load_graph(path)), contents.SAFETENSORS),
    "store": Target(make_store, read_store, contents.STORE),
    "showers_root": Target(make_root_showers, reader_of(toy), contents.root_changes("tree"), cost=4),
    "hdf5_calochallenge": Target(make_challenge, reader_of(challenge, pdg_id=22), contents.HDF5),
    "hdf5_hgcal": Target(make_hgcal_challenge, reader_of(slots), contents.HDF5),
    "hdf5_showerdata": Target(make_points, reader_of(lcd), contents.HDF5),
    "run_yaml": Target(copied(ROOT / "configs" / "generation" / "cells_tiny.yaml"), read_run, contents.YAML, cost=3),
    "regression_yaml": Target(
        copied(ROOT / "configs" / "regression" / "hgcal_photon_gcn.yaml"), read_run, contents.YAML
    ),
    "study_yaml": Target(copied(ROOT / "configs" / "studies" / "toy_electron.yaml"), read_study, contents.YAML, cost=3),
    "material_yaml": Target(copied(MATERIAL), lambda path: load_material("calogan", path), contents.YAML, cost=3),
    "branches_yaml": Target(copied(PRESET), load_branch_map, contents.YAML, cost=3),
    "generator": Target(make_generator_file, generate, contents.SAFETENSORS, cost=4),
    "regressor": Target(make_regressor, regress, contents.SAFETENSORS, cost=4),
    "checkpoint": Target(make_checkpoint, lambda path: load_trained(path.parents[1]), cost=4),
    "transform": Target(make_transform, load_transform, contents.SAFETENSORS),
    "run_config": Target(
        file_of_run("config.yaml"), lambda path: finished_runs.read_run(path.parent), contents.YAML, cost=3
    ),
    "run_metrics": Target(file_of_run("metrics.json"), lambda path: finished_runs.read_run(path.parent), contents.JSON),
    "run_predictions": Target(
        file_of_run("test_predictions.parquet"), lambda path: finished_runs.read_run(path.parent), contents.PARQUET
    ),
    "log": Target(make_log, read_rows, contents.CSV),
}
