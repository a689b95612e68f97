"""What a comparison of two samples gives: a value, its error, and what chance alone would give."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Distance:
    """How far a generated sample is from the reference.

    Attributes
    ----------
    name
    value
        NaN where it is not available, see `reason`.
    error
        Standard deviation of `value`, had other showers of the two kinds been drawn.
    floor
        Mean of the value for two samples of the reference kind, of these sizes: what perfection would give.
    floor_error
        Standard deviation of one such comparison (not of their mean): chance alone moves the value by so much.
    reason
        Why there is no value; empty where there is one.
    """

    name: str
    value: float
    error: float
    floor: float
    floor_error: float
    reason: str = ""

    @classmethod
    def not_available(cls, name: str, reason: str) -> Distance:
        """Stand for a distance that could not be measured."""
        return cls(name, math.nan, math.nan, math.nan, math.nan, reason)

    @property
    def available(self) -> bool:
        """Whether there is a value."""
        return math.isfinite(self.value)

    @property
    def excess(self) -> float:
        """How much of the value is not chance: value - floor."""
        return self.value - self.floor

    @property
    def significance(self) -> float:
        """Excess in standard deviations of what chance alone gives; NaN where these are not known.

        0 +- 1 for a perfect generator. It grows with the number of showers; `excess` does not.
        """
        return self.excess / self.floor_error if self.floor_error > 0 else math.nan
