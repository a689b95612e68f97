"""The samples of a study of generators: one per training, or one per number of steps it is sampled with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hgcal_gnn.config.study import StudyRun


class StudySample(NamedTuple):
    """Showers that a trained generator made.

    Attributes
    ----------
    name
        Of the sample and its file.
    method
    run
        Name of the folder of the training.
    seed
    steps
        Of the sampling; None: as in the settings of the run.
    """

    name: str
    method: str
    run: str
    seed: int = 0
    steps: int | None = None

    @property
    def variant(self) -> str:
        """The method, and the steps where there are several: what is the same for all seeds."""
        return self.method if self.steps is None else f"{self.method}-steps{self.steps}"


def samples_of(runs: Sequence[StudyRun]) -> list[StudySample]:
    """Return the samples of trainings, in their order: "cells-0", or "cells-0-steps1", "cells-0-steps2", ..."""
    samples = []
    for run in runs:
        seed = run.config.seed
        if not run.steps:
            samples.append(StudySample(run.name, run.method, run.name, seed))
        samples += [StudySample(f"{run.name}-steps{n}", run.method, run.name, seed, n) for n in run.steps]
    return samples
