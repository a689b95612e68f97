"""Features of two samples of showers, reference and generated, checked once for the metrics that compare them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from hgcal_gnn.arrays import F64, Array

MIN_SHOWERS = 100  # below, no distance in many dimensions says anything
NOTHING = 1e-3  # of the largest generated value


@dataclass(frozen=True, eq=False)
class TwoSamples:
    """Features of two samples, all finite; build it with `of`.

    Attributes
    ----------
    reference : float [n, n_features]
    generated : float [m, n_features]
    """

    reference: Array
    generated: Array

    @classmethod
    def of(cls, reference: Array, generated: Array) -> TwoSamples:
        """Check two tables of features.

        NaN means "not available" (the centre of an empty layer) and becomes 0, as in the published tables of features.

        Raises
        ------
        InputError
            For arrays that are no tables of the same columns, fewer than `MIN_SHOWERS` showers, infinite entries.
        """
        tables = [_checked("reference", reference), _checked("generated", generated)]
        widths = [table.shape[1] for table in tables]
        if widths[0] != widths[1]:
            msg = f"reference and generated showers have {widths[0]} and {widths[1]} features; compute the same of both"
            raise InputError(msg)
        return cls(*tables)

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.reference.shape[1])

    @property
    def scale(self) -> F64:
        """Largest absolute value of each feature in the reference, 1 where it is always 0: float64 [n_features].

        Features are divided by it before distances are taken, as the published code does (JetNet 0.2.5,
        ``gen_metrics._normalise_features``); where the reference holds next to nothing (the width of a layer that its
        showers hardly reach) by that of the generated sample, else one shower there would be the whole distance.
        """
        largest, generated = (
            np.abs(table).max(axis=0).astype(np.float64) for table in (self.reference, self.generated)
        )
        largest = np.where(largest < NOTHING * generated, generated, largest)
        return np.where(largest == 0, 1.0, largest)

    @property
    def shrinkage(self) -> float:
        """Bias of a floor at the sizes of the samples, per bias of the halves of the reference.

        Distances that are quadratic in the difference of two samples of n and m showers have, without any difference
        but chance, a mean that goes as 1/n + 1/m.
        """
        n, m = len(self.reference), len(self.generated)
        return (1 / n + 1 / m) / (1 / (n // 2) + 1 / (n - n // 2))

    def halves(self, splits: int, seed: int) -> Iterator[TwoSamples]:
        """Yield the reference, split at random into two halves, several times."""
        rng = np.random.default_rng(seed)
        for _ in range(splits):
            order = rng.permutation(len(self.reference))
            middle = len(order) // 2
            yield TwoSamples(self.reference[order[:middle]], self.reference[order[middle:]])


def same_columns(reference: ArrayLike, generated: ArrayLike) -> tuple[Array, Array]:
    """Return two tables of features as arrays, [n, d] and [m, d].

    Raises
    ------
    InputError
        If the samples have different features.
    """
    ours, theirs = np.asarray(reference), np.asarray(generated)
    if ours.ndim != 2 or ours.shape[1:] != theirs.shape[1:]:
        msg = f"samples with the same features are needed, got shapes {list(ours.shape)} and {list(theirs.shape)}"
        raise InputError(msg)
    return ours, theirs


def _checked(name: str, values: Array) -> Array:
    table = np.asarray(values)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or not np.issubdtype(table.dtype, np.number):
        msg = f"{name}: features must be numbers of shape [n_showers, n_features], got {table.dtype} {table.shape}"
        raise InputError(msg)
    if len(table) < MIN_SHOWERS:
        msg = f"{name}: {len(table)} showers are too few to be compared; give at least {MIN_SHOWERS}"
        raise InputError(msg)
    if not np.isfinite(table.sum(dtype=np.float64)):  # cheap; an infinity or a NaN somewhere, or sums too large
        infinite = np.isinf(table)
        if infinite.any():
            columns, rows = np.flatnonzero(infinite.any(axis=0)), np.flatnonzero(infinite.any(axis=1))
            msg = (
                f"{name}: {infinite.sum()} infinite entries in features {columns[:5].tolist()} "
                f"(showers {rows[:5].tolist()}, ...); check the energies of these showers"
            )
            raise InputError(msg)
        table = np.where(np.isnan(table), table.dtype.type(0), table)
    return table
