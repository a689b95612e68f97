"""Regressors that are no networks, sums and trees, as such: from high-level variables to energies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from hgcal_gnn.errors import UsageError
from hgcal_gnn.export.onnx_file import Input, Network
from hgcal_gnn.regression.inputs import SMALLEST
from hgcal_gnn.regression.models.bdt import Bdt
from hgcal_gnn.regression.models.linear import OFFSET_UNIT, Linear
from hgcal_gnn.regression.models.oracle import Oracle
from hgcal_gnn.regression.table import TRUTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.arrays import Array
    from hgcal_gnn.regression.models.base import Baseline


def baseline_network(baseline: Baseline, calibration: nn.Module) -> Network:
    """Return a fitted baseline with its calibration: "variables" float64 [n, n_variables] to "energy" float64 [n].

    Raises
    ------
    UsageError
        For one of an unknown sort.
    """
    if isinstance(baseline, Linear):
        module: nn.Module = _Sum(baseline.arrays["coefficients"], has_offset=baseline.config.offset)
    elif isinstance(baseline, Oracle):
        module = _Oracle(baseline.arrays["coefficients"], baseline.names)
    elif isinstance(baseline, Bdt):
        module = _Trees(baseline.arrays, baseline.names.index("energy"))
    else:
        msg = f"{type(baseline).__name__} cannot be exported"
        raise UsageError(msg)
    example = torch.ones(2, len(baseline.names), dtype=torch.float64)
    about = {"columns": list(baseline.names), "meaning": "high-level variables; energies in GeV"}
    return Network(
        _Calibrated(module, calibration),
        {"variables": Input(example, "showers", about)},
        {"energy": {"unit": "GeV", "meaning": "estimated energy of the incident particle"}},
    )


class _Calibrated(nn.Module):
    def __init__(self, baseline: nn.Module, calibration: nn.Module) -> None:
        super().__init__()
        self.baseline, self.calibration = baseline, calibration

    def forward(self, *tensors: Tensor) -> Tensor:
        energy: Tensor = self.calibration(self.baseline(*tensors))
        return energy


class _Sum(nn.Module):
    """A sum with coefficients, the last one that of an offset if it has one."""

    coefficients: Tensor

    def __init__(self, coefficients: Array, *, has_offset: bool) -> None:
        super().__init__()
        self.register_buffer("coefficients", torch.from_numpy(np.array(coefficients)))
        self.has_offset = has_offset

    def forward(self, variables: Tensor) -> Tensor:
        if self.has_offset:
            return variables @ self.coefficients[:-1] + OFFSET_UNIT * self.coefficients[-1]
        return variables @ self.coefficients


class _Oracle(_Sum):
    """The sum of `regression.models.oracle`, terms and all."""

    def __init__(self, coefficients: Array, names: tuple[str, ...]) -> None:
        super().__init__(coefficients, has_offset=False)
        self.layers = [place for place, name in enumerate(names) if name.startswith("layer_")]
        self.sections = [place for place, name in enumerate(names) if name.startswith("section_")]
        self.truth = [names.index(name) for name in TRUTH]

    def forward(self, variables: Tensor) -> Tensor:
        layers, sections = variables[:, self.layers], variables[:, self.sections]
        f_em, start, leaked = variables[:, self.truth].chunk(len(TRUTH), dim=1)
        energy = layers.sum(dim=1, keepdim=True)
        by_start = torch.where(start == torch.arange(1, len(self.layers) + 1, dtype=start.dtype), energy, 0.0)
        curved = energy * energy.clamp(min=1.0).log()
        parts = (layers, f_em * sections, f_em.square() * sections, by_start, leaked, curved)
        return super().forward(torch.cat(parts, dim=1))


class _Trees(nn.Module):
    """Boosted trees: all are walked down together, as many steps as the deepest one has."""

    def __init__(self, arrays: Mapping[str, Array], energy: int) -> None:
        super().__init__()
        self.energy = energy
        first = np.repeat(arrays["root"][:-1], np.diff(arrays["root"]))  # of the tree of each node
        is_leaf = arrays["feature"] < 0
        itself = np.arange(len(first))
        parts = {
            "root": arrays["root"][:-1],
            "feature": np.where(is_leaf, 0, arrays["feature"]),
            "left": np.where(is_leaf, itself, first + arrays["left"]),  # a leaf leads to itself
            "right": np.where(is_leaf, itself, first + arrays["right"]),
        }
        for name, values in parts.items():
            self.register_buffer(name, torch.from_numpy(values.astype(np.int64)))
        for name in ("start", "threshold", "value"):
            self.register_buffer(name, torch.from_numpy(arrays[name].astype(np.float64)))
        self.depth = _depth(parts["root"], parts["left"], parts["right"])

    def forward(self, variables: Tensor) -> Tensor:
        part = self.get_buffer
        node = part("root").expand(variables.shape[0], -1)
        for _ in range(self.depth):
            is_left = variables.gather(1, part("feature")[node]) <= part("threshold")[node]
            node = torch.where(is_left, part("left")[node], part("right")[node])
        correction = part("start") + part("value")[node].sum(dim=1)
        return variables[:, self.energy].clamp(min=SMALLEST) * correction.exp()


def _depth(root: Array, left: Array, right: Array) -> int:
    """Return how many steps the longest way from a root to a leaf takes."""
    depth, nodes = 0, root
    while (left[nodes] != nodes).any():
        depth, nodes = depth + 1, np.unique(np.concatenate([left[nodes], right[nodes]]))
    return depth
