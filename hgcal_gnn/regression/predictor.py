"""Trained regressors as plain functions of showers, and the file they are kept in."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.regression.batch import Estimates
from hgcal_gnn.regression.calibration import ResponseCalibration
from hgcal_gnn.regression.inputs import InputNeeds, RegressionInputs
from hgcal_gnn.regression.models import MODELS, kind_of
from hgcal_gnn.regression.models.base import Baseline, NetworkConfig, Sizes
from hgcal_gnn.regression.regressor import Regressor
from hgcal_gnn.regression.table import shower_table
from hgcal_gnn.weights_file import read_weights, write_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hgcal_gnn.arrays import F32, Array
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.regression.models.base import ModelConfig
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.showers.store import ShowerStore

CALIBRATION = "calibration."
HITS_AT_ONCE = 1 << 18  # bounds the memory of a pass through a network: 64 MiB per 64 numbers a hit
SHOWERS_AT_ONCE = 1024
MOST_NUMBERS = 10**7  # of the inputs of a network for one shower or hit


@dataclass(frozen=True)
class Weights:
    """What training found, and what is needed to use it.

    Attributes
    ----------
    arrays
        By name: ``network.*`` and ``energy_scale``, or what a baseline keeps; ``calibration.*``.
    cells_sha256
        Geometry of the training.
    sizes
        Of the inputs of a network.
    """

    arrays: Mapping[str, Array]
    cells_sha256: str
    sizes: Sizes

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a .safetensors file."""
        about = {"cells_sha256": self.cells_sha256, "sizes": asdict(self.sizes)}
        write_weights(path, "regressor", self.arrays, about, overwrite=overwrite)

    @classmethod
    def load(cls, path: Path) -> Weights:
        """Read a file that `save` wrote.

        Raises
        ------
        InputError
            If it is missing, damaged, something else, or of a newer version.
        """
        arrays, about = read_weights(path, "regressor")
        try:
            return cls(arrays, str(about["cells_sha256"]), _sizes(about["sizes"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            msg = f"{path}: its description of the regressor is incomplete ({error}); the file is damaged"
            raise InputError(msg) from error

    @property
    def calibration(self) -> ResponseCalibration | None:
        """Correction of the response, if there is one."""
        state = {name.removeprefix(CALIBRATION): v for name, v in self.arrays.items() if name.startswith(CALIBRATION)}
        return ResponseCalibration.of_state(state) if state else None

    def calibrated(self, calibration: ResponseCalibration) -> Weights:
        """Return the same weights with a correction of the response."""
        added = {CALIBRATION + name: values for name, values in calibration.state().items()}
        return Weights({**self.arrays, **added}, self.cells_sha256, self.sizes)

    @property
    def fitted(self) -> dict[str, Array]:
        """The arrays of the model itself."""
        return {name: values for name, values in self.arrays.items() if not name.startswith(CALIBRATION)}


class Predictor(ABC):
    """Estimates energies (and angles) of showers.

    Attributes
    ----------
    inputs
        Make what the model sees, and know the cells.
    calibration
        Applied to the energies; None: as the model gives them.
    """

    inputs: RegressionInputs
    calibration: ResponseCalibration | None = None

    def __call__(self, showers: Showers) -> Estimates:
        """Estimate, a part of the showers at a time.

        Raises
        ------
        GeometryMismatchError
            If the showers were made with another geometry.
        """
        self.check(showers.metadata)
        return self._joined([self._estimated(showers[part]) for part in _parts(showers.n_hits)])

    def of_store(self, store: ShowerStore, rows: Array) -> Iterator[tuple[Showers, Estimates]]:
        """Iterate over showers of a store, in the order of `rows`, and the estimates of them."""
        self.check(store.metadata, source=str(store.path))
        for part in _parts(store.n_hits[rows]):
            showers = store.read(rows[part])
            yield showers, self._joined([self._estimated(showers)])

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry."""
        metadata.check_geometry(self.inputs.cells_sha256, source=source)

    @abstractmethod
    def _estimated(self, showers: Showers) -> Estimates:
        """Estimate without calibration."""

    def _joined(self, parts: list[Estimates]) -> Estimates:
        def column(name: str) -> F32 | None:
            found = [getattr(part, name) for part in parts]
            return None if not found or found[0] is None else np.concatenate(found)

        energy = column("energy")
        energy = np.zeros(0, np.float32) if energy is None else energy
        if self.calibration is not None:
            energy = self.calibration(energy.astype(np.float64)).astype(np.float32)
        return Estimates(energy, column("eta"), column("phi"), column("sigma"))


class NetworkPredictor(Predictor):
    """Estimates of a network.

    Parameters
    ----------
    regressor
    inputs
        Made for this network.
    device
        Of PyTorch.

    Raises
    ------
    UsageError
        If there is no such device.
    """

    def __init__(self, regressor: Regressor, inputs: RegressionInputs, device: str = "cpu") -> None:
        try:
            self.regressor = regressor.to(device).eval()
        except (RuntimeError, AssertionError) as error:  # PyTorch has one for each reason
            msg = f"device {device}: cannot be used here ({str(error).splitlines()[0]}); use cpu"
            raise UsageError(msg) from error
        self.inputs = inputs
        self.device = device

    @torch.inference_mode()
    def _estimated(self, showers: Showers) -> Estimates:
        batch = self.inputs(showers).to(device=self.device, dtype=self.regressor.energy_scale.dtype)
        values, log_sigma = self.regressor(batch)
        columns = dict(zip(self.regressor.config.targets, values.float().cpu().numpy().T, strict=True))
        sigma = None if log_sigma is None else log_sigma.exp().float().cpu().numpy()
        return Estimates(columns["energy"], columns.get("eta"), columns.get("phi"), sigma)


class BaselinePredictor(Predictor):
    """Estimates of a baseline from high-level variables.

    Parameters
    ----------
    baseline
        Fitted.
    inputs
        Give what is known of the cells.
    """

    def __init__(self, baseline: Baseline, inputs: RegressionInputs) -> None:
        self.baseline = baseline
        self.inputs = inputs

    def _estimated(self, showers: Showers) -> Estimates:
        table = shower_table(showers, self.inputs.numbers, self.baseline.names, source=showers.metadata.source)
        return Estimates(self.baseline.predict(table).astype(np.float32))


def make_predictor(
    config: ModelConfig,
    weights: Weights,
    graph: CellGraph,
    material: MaterialProfile,
    *,
    device: str = "cpu",
    force_geometry: bool = False,
) -> Predictor:
    """Build a trained regressor from its settings and weights.

    Parameters
    ----------
    force_geometry
        Use it in another geometry than it was trained in.

    Raises
    ------
    InputError
        If the weights are those of another model.
    GeometryMismatchError
        If it was trained in another geometry.
    """
    if graph.cells_sha256 != weights.cells_sha256 and not force_geometry:
        msg = (
            f"the regressor was trained in another geometry (cells_sha256 {weights.cells_sha256[:12]}..., here "
            f"{graph.cells_sha256[:12]}...); give the graph of the training, or use it here all the same with "
            "--force-geometry"
        )
        raise GeometryMismatchError(msg)
    model = MODELS[kind_of(config)]
    predictor: Predictor
    if isinstance(config, NetworkConfig):
        regressor = Regressor(model(config, weights.sizes), config)
        tensors = {name: torch.from_numpy(values) for name, values in weights.fitted.items()}
        try:
            regressor.load_state_dict(tensors)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            msg = f"the weights do not fit the model {kind_of(config)} of the config: {reason}"
            raise InputError(msg) from error
        predictor = NetworkPredictor(regressor, RegressionInputs(graph, material, config.needs()), device)
    else:
        baseline = model(config)
        baseline.load_state(weights.fitted)
        predictor = BaselinePredictor(baseline, RegressionInputs(graph, material, InputNeeds()))
    predictor.calibration = weights.calibration
    return predictor


def _parts(n_hits: Array) -> Iterator[slice]:
    """Iterate over runs of showers with at most so many hits and showers, at least one shower each."""
    total = np.concatenate([[0], np.cumsum(n_hits)])
    start = 0
    while start < len(n_hits):
        within = int(np.searchsorted(total, total[start] + HITS_AT_ONCE, side="right")) - 1
        stop = min(max(within, start + 1), start + SHOWERS_AT_ONCE)
        yield slice(start, stop)
        start = stop


def _sizes(stored: Mapping[str, Any]) -> Sizes:
    """Read sizes, refusing those no network can have: memory is set aside for them."""
    voxels = stored["voxels"]
    found = Sizes(
        n_features=int(stored["n_features"]),
        n_variables=int(stored["n_variables"]),
        voxels=voxels and {str(name): tuple(int(size) for size in shape) for name, shape in voxels.items()},
    )
    shapes = (found.voxels or {}).values()
    for numbers in (found.n_features, found.n_variables, *(math.prod(shape) for shape in shapes)):
        if not 0 <= numbers <= MOST_NUMBERS:
            msg = f"inputs of {numbers} numbers"
            raise ValueError(msg)
    return found
