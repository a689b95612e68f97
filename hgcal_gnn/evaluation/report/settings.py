"""What an evaluation measures, and how thoroughly."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hgcal_gnn.errors import UsageError

DISTANCES = ("separation_power", "kolmogorov_smirnov", "wasserstein")
PARTS = (
    "correlation", "physics_distance", "classifier", "classifier_hits", "classifier_cells", "energies", "eta",
    "reconstruction", "referee",
)  # fmt: skip
SLOW = ("classifier_hits", "classifier_cells", "eta", "reconstruction", "referee")
CONVENTIONS = ("ours", "hgcal_challenge", "calochallenge")


@dataclass(frozen=True)
class EvaluationSettings:
    """What an evaluation measures, and how thoroughly.

    Attributes
    ----------
    observables
        Names of features; empty: the default ones of the convention.
    convention
        Whose definitions: "ours", "hgcal_challenge" or "calochallenge".
    distances
        Which distances are computed for every observable; the first one ranks.
    max_showers
        At most so many showers of each file, drawn at random with `seed`; None: all.
    threshold
        Cells of at most this energy [GeV] are left out of all samples.
    replicas
        Bootstrap replicas behind each error.
    folds, epochs
        Of the classifier test on observables.
    curve
        Shares of the training showers for the learning curves of the classifiers, 1 the last; empty: no curves.
    hit_showers, hit_folds, hit_epochs
        Of the classifier tests on hits and cells: at most so many showers of each sample. On one core a shower of 500
        hits takes about 3 ms an epoch: 5,000 showers a side, 2 folds and 10 epochs some 5 minutes, the floor and the
        curve half of it again.
    batches, batch_sizes
        Of the physics distances: batches of each size, smallest and largest size; the kernel distance takes half as
        many batches, all of one size.
    skip
        Parts that are left out, of `PARTS`.
    seed
        Of everything random.
    """

    observables: tuple[str, ...] = ()
    convention: str = "ours"
    distances: tuple[str, ...] = DISTANCES
    max_showers: int | None = None
    threshold: float = 0.0
    replicas: int = 100
    folds: int = 5
    epochs: int = 30
    curve: tuple[float, ...] = (0.0625, 0.125, 0.25, 0.5, 1.0)
    hit_showers: int = 5000
    hit_folds: int = 2
    hit_epochs: int = 10
    batches: int = 20
    batch_sizes: tuple[int, int] = (20_000, 50_000)
    skip: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [part for part in self.skip if part not in PARTS]
        if unknown:
            msg = f"no parts {', '.join(unknown)} to leave out; there are {', '.join(PARTS)}"
            raise UsageError(msg)
        if self.convention not in CONVENTIONS:
            msg = f"no convention {self.convention}; there are {', '.join(CONVENTIONS)}"
            raise UsageError(msg)
        if self.max_showers is not None and self.max_showers < 1:
            msg = f"--max-showers {self.max_showers}: at least 1 shower is needed"
            raise UsageError(msg)
        too_little = min(self.folds, self.hit_folds, self.replicas) < 2 or min(self.epochs, self.hit_epochs) < 1
        if not self.distances or too_little or self.hit_showers < 1:
            msg = "an evaluation needs a distance, 2 replicas, 2 folds, 1 epoch and 1 shower at least"
            raise UsageError(msg)
        if any(not 0 < share <= 1 for share in self.curve):
            msg = f"shares of the training showers {list(self.curve)}: give numbers above 0 and up to 1"
            raise UsageError(msg)

    def quick(self, *, reconstructing: bool = False) -> EvaluationSettings:
        """Return the settings of a first look: 2,000 showers, larger errors of the errors, nothing slow.

        Parameters
        ----------
        reconstructing
            Keep the reconstruction, which a regressor is a part of.
        """
        slow = [part for part in SLOW if not (reconstructing and part == "reconstruction")]
        most = 2000 if self.max_showers is None else min(self.max_showers, 2000)
        return replace(
            self, max_showers=most, replicas=20, folds=2, epochs=10, curve=(), batches=5, batch_sizes=(2000, 5000),
            skip=tuple(dict.fromkeys((*self.skip, *slow))),
        )  # fmt: skip
