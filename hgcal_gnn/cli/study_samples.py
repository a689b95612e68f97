"""The samples of a study of generators: one per training, or one per number of steps it is sampled with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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


class SampleFiles(NamedTuple):
    """Where the showers of a sample are, and what it took to make them."""

    showers: Path
    generation: Path
    timing: Path
    log: Path

    @classmethod
    def of(cls, sample: StudySample, output: Path) -> SampleFiles:
        """Name the files in the folder of the study."""
        endings = ("arrow", "generation.json", "timing.json", "timing.log")
        return cls(*(output / f"{sample.name}.{ending}" for ending in endings))


def is_made(sample: StudySample, output: Path, reference: Path) -> bool:
    """Tell whether a sample is there already: of these weights, this seed and steps, for the reference's particles."""
    import numpy as np

    from hgcal_gnn.showers.store import open_store
    from hgcal_gnn.training.generation.load import weights_digest

    files = SampleFiles.of(sample, output)
    if not (files.showers.exists() and files.generation.exists()):
        return False
    told = json.loads(files.generation.read_text(encoding="utf-8"))
    wanted = {"weights": weights_digest(output / sample.run), "seed": str(sample.seed)}
    wanted |= {} if sample.steps is None else {"steps": str(sample.steps)}
    if {name: told.get(name) for name in ("weights", "seed", "steps") if name in told} != wanted:
        return False
    ours, theirs = (open_store(path).column("incident_energy") for path in (files.showers, reference))
    return bool(np.array_equal(ours, theirs))
