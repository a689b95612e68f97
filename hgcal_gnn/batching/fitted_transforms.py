"""Transforms fitted to the training split, element by element."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from hgcal_gnn.batching.transform_base import Transform, register
from hgcal_gnn.errors import HgcalError, InputError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.arrays import F64

BOXCOX_SAMPLE = 100_000  # values that the exponent is fitted to
BOXCOX_EXPONENTS = (-2.0, 2.0)


@register
class Standardise(Transform):
    """(x - mean) / standard deviation, of each column (last axis) or of all values together.

    What is constant in the training split only has its mean taken away.
    """

    kind = "standardise"
    needs_fit: ClassVar[bool] = True
    mean: Tensor
    deviation: Tensor

    def __init__(self, per: Literal["column", "all"] = "column") -> None:
        super().__init__()
        if per not in {"column", "all"}:
            msg = f'standardise per "column" or "all", got {per!r}'
            raise UsageError(msg)
        self.per = per
        self.register_buffer("mean", torch.zeros(1, dtype=torch.float64))
        self.register_buffer("deviation", torch.ones(1, dtype=torch.float64))

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"per": self.per}

    def start(self) -> None:
        """Forget what was fitted."""
        self._n = 0
        self._mean = torch.zeros(1, dtype=torch.float64)
        self._squares = torch.zeros(1, dtype=torch.float64)

    def update(self, values: Tensor, incident_energy: Tensor | None) -> None:  # noqa: ARG002
        """Join mean and sum of squares of one batch to those before (Chan, Golub, LeVeque, Am. Stat. 37, 1983, 242)."""
        columns = values.detach().cpu().double().reshape(-1, values.shape[-1] if self.per == "column" else 1)
        n_new, total = len(columns), self._n + len(columns)
        if n_new == 0:
            return
        mean = columns.mean(dim=0)
        squares = (columns - mean).square().sum(dim=0)
        step = mean - self._mean
        self._mean = self._mean + step * (n_new / total)
        self._squares = self._squares + squares + step.square() * (self._n * n_new / total)
        self._n = total

    def finish(self) -> None:
        """Turn sums into mean and deviation."""
        if self._n == 0:
            msg = "there is nothing to fit the transform standardise to: no values were given"
            raise InputError(msg)
        deviation = (self._squares / self._n).sqrt()
        # rounding alone leaves about 1e-16 of the mean
        is_constant = deviation <= 1e-12 * self._mean.abs()
        self.mean = self._mean.to(self.mean.device)
        self.deviation = torch.where(is_constant, 1.0, deviation).to(self.mean.device)

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Transform."""
        self.check_fitted()
        return (values - self.mean.to(values)) / self.deviation.to(values)

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Undo `forward`."""
        self.check_fitted()
        return values * self.deviation.to(values) + self.mean.to(values)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Take on the number of columns of a saved state."""
        for name in ("mean", "deviation"):
            saved = state_dict.get(prefix + name)
            if saved is not None:
                setattr(self, name, torch.empty_like(saved, device=self.fitted.device))
        super()._load_from_state_dict(state_dict, prefix, *arguments)


@register
class LogRange(Transform):
    """ln(x / low) / ln(high / low): incident energies on a scale from 0 to 1, as conditions of generators.

    Parameters
    ----------
    low, high
        Ends of the range; None: the smallest and largest value fitted to.
    """

    kind = "log_range"
    needs_fit: ClassVar[bool] = True
    ends: Tensor

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        super().__init__()
        if low is not None and high is not None:
            _check_ends(low, high, UsageError)
        self.low, self.high = low, high
        self.register_buffer("ends", torch.tensor([np.inf, -np.inf], dtype=torch.float64))
        if low is not None and high is not None:
            self.finish()
            self.fitted.fill_(True)

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"low": self.low, "high": self.high}

    def start(self) -> None:
        """Forget what was fitted."""
        self.ends.copy_(torch.tensor([np.inf, -np.inf]))

    def update(self, values: Tensor, incident_energy: Tensor | None) -> None:  # noqa: ARG002
        """Widen the range by one batch."""
        self.check_defined(values > 0, "above 0", values)
        if values.numel():
            self.ends[0] = torch.minimum(self.ends[0], values.min().to(self.ends))
            self.ends[1] = torch.maximum(self.ends[1], values.max().to(self.ends))

    def finish(self) -> None:
        """Put in the ends that were given."""
        if self.low is not None:
            self.ends[0] = self.low
        if self.high is not None:
            self.ends[1] = self.high
        _check_ends(float(self.ends[0]), float(self.ends[1]), InputError)

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Transform."""
        self.check_fitted()
        self.check_defined(values > 0, "above 0", values)
        start, width = self._start_and_width(values)
        return (values.log() - start) / width

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Undo `forward`."""
        self.check_fitted()
        start, width = self._start_and_width(values)
        return (values * width + start).exp()

    def _start_and_width(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return ln low and ln high - ln low in the type of the values."""
        ends = self.ends.log()
        return ends[0].to(values), (ends[1] - ends[0]).to(values)


@register
class BoxCox(Transform):
    """(x ** p - 1) / p, or ln x for p = 0, with x in units of its median, for values above 0.

    The exponent p, from -2 to 2, makes the training split most alike a normal distribution (Box and Cox, J. R. Stat.
    Soc. B 26, 1964, 211). Fitted to the first 100,000 values, so give them in random order.
    """

    kind = "box_cox"
    needs_fit: ClassVar[bool] = True
    exponent: Tensor
    unit: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("exponent", torch.zeros((), dtype=torch.float64))
        self.register_buffer("unit", torch.ones((), dtype=torch.float64))

    def start(self) -> None:
        """Forget what was fitted."""
        self._sample = torch.zeros(0, dtype=torch.float64)

    def update(self, values: Tensor, incident_energy: Tensor | None) -> None:  # noqa: ARG002
        """Add to the sample as long as it is small."""
        self.check_defined(values > 0, "above 0", values)
        wanted = values.detach().flatten()[: BOXCOX_SAMPLE - len(self._sample)]
        self._sample = torch.cat([self._sample, wanted.double().cpu()])

    def finish(self) -> None:
        """Find unit and exponent."""
        sample = self._sample.numpy()
        del self._sample
        unit = float(np.median(sample)) if len(sample) else 1.0
        logarithm = np.log(sample / unit)
        if len(sample) < 2 or np.ptp(logarithm) == 0:
            msg = f"the transform box_cox needs at least two different values to fit to, got {len(sample)}"
            raise InputError(msg)
        best = minimize_scalar(lambda p: -_log_likelihood(p, logarithm), bounds=BOXCOX_EXPONENTS, method="bounded")
        self.unit.fill_(unit)
        self.exponent.fill_(float(best.x))

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Transform."""
        self.check_fitted()
        self.check_defined(values > 0, "above 0", values)
        p, logarithm = float(self.exponent), (values / float(self.unit)).log()
        if p == 0:
            return logarithm
        return torch.expm1(logarithm * p) / p

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Undo `forward`; beyond the end of its range the values are 0, or infinite for p below 0."""
        self.check_fitted()
        p = float(self.exponent)
        logarithm = values if p == 0 else torch.log1p((values * p).clamp(min=-1)) / p
        return logarithm.exp() * float(self.unit)


def _check_ends(low: float, high: float, error: type[HgcalError]) -> None:
    if not (0 < low < high and math.log(high) > math.log(low)):
        msg = f"a logarithmic range needs ends with 0 < low < high, got {low} and {high}"
        raise error(msg)


def _log_likelihood(p: float, logarithm: F64) -> float:
    """Return the logarithm of the largest likelihood for an exponent, up to a constant; `logarithm` [n] is ln x."""
    transformed = np.expm1(p * logarithm) / p if p else logarithm
    return float((p - 1) * logarithm.sum() - 0.5 * len(logarithm) * np.log(transformed.var()))
