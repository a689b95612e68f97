"""What an evaluation measures, and how thoroughly."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hgcal_gnn.errors import UsageError

DISTANCES = ("separation_power", "kolmogorov_smirnov", "wasserstein")
PARTS = ("correlation", "physics_distance", "classifier", "reconstruction", "energies", "referee")
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
    replicas
        Bootstrap replicas behind each error.
    folds, epochs
        Of the classifier test.
    batches, batch_sizes
        Of the physics distances: batches of each size, smallest and largest size.
    skip
        Parts that are left out, of `PARTS`.
    seed
        Of everything random.
    """

    observables: tuple[str, ...] = ()
    convention: str = "ours"
    distances: tuple[str, ...] = DISTANCES
    max_showers: int | None = None
    replicas: int = 100
    folds: int = 5
    epochs: int = 30
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
        if not self.distances or self.replicas < 2 or self.folds < 2 or self.epochs < 1:
            msg = "an evaluation needs a distance, 2 replicas, 2 folds and 1 epoch at least"
            raise UsageError(msg)

    def quick(self) -> EvaluationSettings:
        """Return the settings of a first look: 2,000 showers, larger errors of the errors, nothing slow."""
        most = 2000 if self.max_showers is None else min(self.max_showers, 2000)
        skip = tuple(dict.fromkeys((*self.skip, "reconstruction", "referee")))
        return replace(
            self, max_showers=most, replicas=20, folds=2, epochs=10, batches=5, batch_sizes=(2000, 5000), skip=skip
        )
