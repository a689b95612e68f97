"""Regressors of any kind as networks that can be exported: from tensors of `ShowerBatch` to calibrated energies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor, nn

from hgcal_gnn.errors import UsageError
from hgcal_gnn.export.baselines import baseline_network
from hgcal_gnn.export.onnx_file import Input, Network, traced
from hgcal_gnn.nn.adjacency import Adjacency
from hgcal_gnn.regression.batch import HitBatch, ShowerBatch
from hgcal_gnn.regression.calibration import SMALLEST
from hgcal_gnn.regression.models import kind_of
from hgcal_gnn.regression.predictor import BaselinePredictor, NetworkPredictor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.regression.calibration import ResponseCalibration
    from hgcal_gnn.regression.models.base import Baseline, NetworkConfig
    from hgcal_gnn.regression.predictor import Predictor
    from hgcal_gnn.regression.regressor import Regressor

SHOWERS, HITS, EDGES = "showers", "hits", "edges"
VOXELS = "voxels_"  # before the names of windows
UNITS = {"energy": "GeV", "eta": "", "phi": "rad", "sigma": ""}
MEANINGS = {
    "energy": "estimated energy of the incident particle",
    "eta": "estimated pseudorapidity",
    "phi": "estimated azimuth",
    "sigma": "estimated relative uncertainty of the energy",
}


def regressor_network(predictor: Predictor) -> Network:
    """Return the network of a trained regressor: inputs as `batch_tensors` makes them, energies [GeV] come out.

    Raises
    ------
    UsageError
        For a regressor of an unknown sort.
    """
    if isinstance(predictor, NetworkPredictor):
        regressor = predictor.regressor.cpu()
        targets = [*regressor.config.targets, *(["sigma"] if regressor.config.uncertainty else [])]
        return Network(
            _Tensors(regressor, predictor.calibration, [*_examples(predictor)]),
            _inputs(predictor),
            {name: {"unit": UNITS[name], "meaning": MEANINGS[name]} for name in targets},
        )
    return baseline_network(_baseline(predictor), Calibration.of(predictor.calibration))


def _baseline(predictor: Predictor) -> Baseline:
    if not isinstance(predictor, BaselinePredictor):
        msg = f"{type(predictor).__name__} cannot be exported"
        raise UsageError(msg)
    return predictor.baseline


def export_regressor(predictor: Predictor, about: Mapping[str, Any] | None = None) -> bytes:
    """Make an ONNX file of a trained regressor: return its content.

    Parameters
    ----------
    about
        Kept in its metadata.

    Raises
    ------
    UsageError
        If it cannot be exported, or onnx is not installed.
    """
    config = predictor.regressor.config if isinstance(predictor, NetworkPredictor) else _baseline(predictor).config
    told = {
        "what": "regressor", "kind": kind_of(config), "settings": config.model_dump(mode="json"),
        "detector": predictor.inputs.detector, "cells_sha256": predictor.inputs.cells_sha256,
        "transforms": {"calibration": "none" if predictor.calibration is None else "inside"}, **(about or {}),
    }  # fmt: skip
    return traced(regressor_network(predictor), told)


def batch_tensors(batch: ShowerBatch) -> dict[str, Tensor]:
    """Return what an exported network is given of some showers, by name."""
    found = {"reference": batch.reference, "variables": batch.variables}
    if batch.hits is not None:
        hits, edges = batch.hits, batch.hits.adjacency
        found |= {
            "x": hits.x, "hit_energy": hits.energy, "position": hits.position, "rowptr": edges.rowptr,
            "col": edges.col, "edge_type": edges.edge_type, "ptr": hits.ptr,
        }  # fmt: skip
    return found | {VOXELS + name: voxels for name, voxels in (batch.voxels or {}).items()}


def _batch(tensors: Mapping[str, Tensor]) -> ShowerBatch:
    """Undo `batch_tensors`."""
    hits = None
    if "x" in tensors:
        edges = Adjacency(tensors["rowptr"], tensors["col"], tensors["edge_type"])
        hits = HitBatch(tensors["x"], tensors["hit_energy"], tensors["position"], edges, tensors["ptr"])
    voxels = {name.removeprefix(VOXELS): values for name, values in tensors.items() if name.startswith(VOXELS)}
    reference = tensors["reference"]
    return ShowerBatch(reference, reference, tensors["variables"], hits, voxels or None)


class _Tensors(nn.Module):
    """A regressor as a function of tensors."""

    def __init__(self, regressor: Regressor, calibration: ResponseCalibration | None, names: list[str]) -> None:
        super().__init__()
        self.regressor, self.names = regressor, names
        self.calibration = Calibration.of(calibration)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the energy, then angles and uncertainty if there are any, [n_showers] each."""
        found = self.regressor(_batch(dict(zip(self.names, tensors, strict=True))))
        energy, *angles = found.values.unbind(dim=1)
        sigma = [] if found.log_sigma is None else [found.log_sigma.exp()]
        return (self.calibration(energy), *angles, *sigma)


class Calibration(nn.Module):
    """`ResponseCalibration` as a network: the same cubic in the logarithm, interval by interval.

    Parameters
    ----------
    edges : float64 [n_intervals + 1]
        Logarithms of predictions.
    cubics : float64 [n_intervals, 4]
        Coefficients in the distance to the lower edge, the highest power first.
    """

    edges: Tensor
    cubics: Tensor

    def __init__(self, edges: Any, cubics: Any) -> None:
        super().__init__()
        self.register_buffer("edges", torch.from_numpy(np.array(edges)))
        self.register_buffer("cubics", torch.from_numpy(np.array(cubics)))

    @classmethod
    def of(cls, calibration: ResponseCalibration | None) -> nn.Module:
        """Return the network of a calibration; that of none changes nothing."""
        if calibration is None:
            return nn.Identity()
        knots, levels = np.log(calibration.predicted), np.log(calibration.truth)
        if len(knots) == 1:
            return cls(np.repeat(knots, 2), np.array([[0.0, 0.0, 0.0, levels[0]]]))
        return cls(knots, PchipInterpolator(knots, levels).c.T)

    def forward(self, energy: Tensor) -> Tensor:
        """Correct energies [GeV], [n_showers]."""
        exact = energy.double()
        inside = exact.clamp(min=SMALLEST).log().clamp(self.edges[0], self.edges[-1])
        interval = (inside[:, None] >= self.edges[1:-1]).sum(dim=1)
        step = inside - self.edges[interval]
        third, second, first, level = self.cubics[interval].unbind(dim=1)
        level = ((third * step + second) * step + first) * step + level
        return (exact * (level - inside).exp()).to(energy.dtype)


def _inputs(predictor: NetworkPredictor) -> dict[str, Input]:
    """Describe the inputs of a network."""
    config, needs = predictor.regressor.config, predictor.inputs.needs
    targets = "plain reconstruction: calibrated energy sum [GeV], at least 0.001; energy-weighted eta, phi [rad]"
    about: dict[str, tuple[str, dict[str, Any]]] = {
        "reference": (SHOWERS, {"columns": list(needs.targets), "meaning": targets}),
        "variables": (SHOWERS, {"columns": list(predictor.inputs.variables), "meaning": "high-level variables"}),
        "x": (HITS, {"columns": list(needs.features), "meaning": "features of hits, one hit a cell"}),
        "hit_energy": (HITS, {"unit": "GeV", "meaning": "calibrated energy"}),
        "position": (HITS, {"unit": "10 cm", "meaning": "from the shower axis: across (two), along the depth"}),
        "rowptr": ("hits_plus_1", {"meaning": "first edge of each hit, and the number of edges"}),
        "col": (EDGES, {"meaning": "the hit at the other end; every edge both ways, ascending within a hit"}),
        "edge_type": (EDGES, {"meaning": "0 in the layer, 1 border, 2 next layer, 3 previous layer, 4 by distance"}),
        "ptr": ("showers_plus_1", {"meaning": "first hit of each shower, and the number of hits"}),
    }
    if needs.features:
        about["col"][1]["edges"] = needs.edges
    voxels = {VOXELS + name: {"unit": "GeV", "meaning": "calibrated energies"} for name in _windows(config)}
    about |= {name: (SHOWERS, said) for name, said in voxels.items()}
    return {name: Input(example, *about[name]) for name, example in _examples(predictor).items()}


def _windows(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    voxels = config.needs().voxels
    return {} if voxels is None else dict(voxels.shapes)


def _examples(predictor: NetworkPredictor) -> dict[str, Tensor]:
    """Make two showers of three hits each, in a row, for the shapes alone."""
    needs = predictor.inputs.needs
    hits = None
    if needs.features:
        middle = torch.tensor([1, 0, 2, 1, 4, 3, 5, 4])
        edges = Adjacency(torch.tensor([0, 1, 3, 4, 5, 7, 8]), middle, torch.zeros(8, dtype=torch.uint8))
        x, position = torch.rand(6, len(needs.features)), torch.rand(6, 3)
        hits = HitBatch(x, torch.rand(6) + 1, position, edges, torch.tensor([0, 3, 6]))
    reference = torch.ones(2, len(needs.targets))
    voxels = {name: torch.rand(2, *shape) for name, shape in _windows(predictor.regressor.config).items()}
    return batch_tensors(
        ShowerBatch(reference, reference, torch.ones(2, len(predictor.inputs.variables)), hits, voxels or None)
    )
