"""Transforms of energies and features whose numbers are given, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from hgcal_gnn.batching.transform_base import Transform, register
from hgcal_gnn.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@register
class Log(Transform):
    """ln(1 + x / scale): linear far below `scale`, logarithmic far above; 0 stays 0."""

    kind = "log"

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        if not scale > 0:
            msg = f"the scale of a logarithm must be above 0, got {scale}"
            raise UsageError(msg)
        self.scale = scale

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"scale": self.scale}

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Transform."""
        self.check_defined(values > -self.scale, f"above {-self.scale}", values)
        return torch.log1p(values / self.scale)

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Undo `forward`."""
        return torch.expm1(values) * self.scale


@register
class Power(Transform):
    """x ** exponent, for values from 0 on; with an exponent below 1 small deposits weigh more."""

    kind = "power"

    def __init__(self, exponent: float) -> None:
        super().__init__()
        if not exponent > 0:
            msg = f"the exponent of a power must be above 0, got {exponent}"
            raise UsageError(msg)
        self.exponent = exponent

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"exponent": self.exponent}

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Transform."""
        self.check_defined(values >= 0, "of at least 0", values)
        return values**self.exponent

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Undo `forward`; below 0 counts as 0."""
        return values.clamp(min=0) ** (1 / self.exponent)


@register
class ScaleByIncident(Transform):
    """factor * x / incident energy."""

    kind = "scale_by_incident"

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"factor": self.factor}

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Transform."""
        energy = self.per_entry(incident_energy, values)
        self.check_defined(energy > 0, "of incident energies above 0", energy)
        return values * self.factor / energy

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:
        """Undo `forward`."""
        return values * self.per_entry(incident_energy, values) / self.factor


@register
class Logit(Transform):
    """ln(u / (1 - u)) with u = alpha + (1 - 2 alpha) x, for x from 0 to 1.

    Papamakarios, Pavlakou and Murray, arXiv:1705.07057; CaloFlow (arXiv:2106.05285) takes alpha = 1e-6.
    In single precision x comes back to 1e-7, so that values far below alpha are lost.
    """

    kind = "logit"

    def __init__(self, alpha: float = 1e-6) -> None:
        super().__init__()
        if not 0 < alpha < 0.5:
            msg = f"alpha of a logit must lie between 0 and 0.5, got {alpha}"
            raise UsageError(msg)
        self.alpha = alpha

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"alpha": self.alpha}

    def forward(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Transform."""
        self.check_defined((values >= 0) & (values <= 1), "from 0 to 1", values)
        return torch.logit(self.alpha + (1 - 2 * self.alpha) * values)

    def inverse(self, values: Tensor, incident_energy: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Undo `forward`; what lies beyond the ends of the range becomes 0 or 1."""
        return ((torch.sigmoid(values) - self.alpha) / (1 - 2 * self.alpha)).clamp(0, 1)
