"""Samples of a run: shower stores, or simulations that are run once and kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn import __version__
from hgcal_gnn.cache import cache_folder
from hgcal_gnn.errors import InputError, TrainingError
from hgcal_gnn.progress import progress_bar
from hgcal_gnn.showers.store import ShowerStore, open_store, write_showers
from hgcal_gnn.simulation.sample import write_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hgcal_gnn.arrays import I64
    from hgcal_gnn.config.data import SampleConfig, SimulateConfig
    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.geometry.material import MaterialProfile

log = logging.getLogger(__name__)
PATIENCE = 6 * 3600  # s a process waits for another one of its machine that simulates


def open_sample(sample: SampleConfig, cells: CellTable, material: MaterialProfile) -> tuple[ShowerStore, I64]:
    """Open a sample, simulating it if it is not there yet.

    Returns
    -------
    store
    rows : int64 [n_showers]
        Showers of the store that belong to the sample.

    Raises
    ------
    InputError
        If the store cannot be used or has fewer showers than asked for.
    GeometryMismatchError
        If it was made with another geometry.
    """
    if sample.showers is not None:
        path = sample.showers
    elif sample.simulate is not None:
        path = simulated(sample.simulate, cells, material)
    else:
        path = mixed(sample.mix, cells, material)
    store = open_store(path, cells_sha256=cells.sha256)
    number = len(store) if sample.number is None else sample.number
    if number > len(store):
        msg = f"{path}: holds {len(store)} showers, {number} are asked for; ask for fewer or add some"
        raise InputError(msg)
    return store, np.arange(number)


def simulated(config: SimulateConfig, cells: CellTable, material: MaterialProfile) -> Path:
    """Return the store of a simulation; an interrupted one goes on where it stopped.

    Of several processes on a machine the first one simulates, the others wait.
    """
    path = sample_path(config, cells, material)
    if not path.exists():
        if int(os.environ.get("LOCAL_RANK", "0")):
            _wait_for(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            log.info("simulating %d showers of %s", config.number, config.particle)
            with progress_bar("simulating", total=config.number, unit="shower") as bar:
                write_sample(
                    cells,
                    config.beam(),
                    config.number,
                    path,
                    seed=config.seed,
                    material=material,
                    progress=lambda done: bar.update(done - bar.n),
                )
    log.info("sample of %d %ss: %s", config.number, config.particle, path)
    return path


def mixed(configs: Sequence[SimulateConfig], cells: CellTable, material: MaterialProfile) -> Path:
    """Return one store of several simulations, one after the other; what mixes them is the order of the training."""
    parts = [simulated(config, cells, material) for config in configs]
    digest = hashlib.sha256("".join(path.name for path in parts).encode()).hexdigest()
    path = parts[0].with_name(f"{plain_name(cells.detector)}-mix-{digest[:12]}.arrow")
    if not path.exists():
        if int(os.environ.get("LOCAL_RANK", "0")):
            _wait_for(path)
        else:
            write_showers(chain.from_iterable(open_store(part).chunks() for part in parts), path)
    return path


def sample_path(config: SimulateConfig, cells: CellTable, material: MaterialProfile) -> Path:
    """Return where a simulation is kept: named by a hash of all that determines it."""
    constants = {name: np.asarray(value).tolist() for name, value in vars(material).items() if name != "sensors"}
    sensors = [asdict(sensor) for sensor in material.sensors]
    parts = [config.model_dump(mode="json"), cells.sha256, constants, sensors, __version__]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "samples" / f"{plain_name(cells.detector)}-{config.particle}-{digest[:12]}.arrow"


def plain_name(text: str) -> str:
    """Return a text as a part of a file name: a graph file may call its detector anything, paths included."""
    return re.sub(r"[^\w-]+", "_", text, flags=re.ASCII)[:60]


def _wait_for(path: Path) -> None:
    begun = time.monotonic()
    while not path.exists():
        if time.monotonic() - begun > PATIENCE:
            msg = f"{path}: the process that simulates this sample did not finish"
            raise TrainingError(msg)
        time.sleep(0.2)
