"""Parts of a report that look at hits again: after reconstruction, and what a referee asks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.features import DEFAULT, compute_features
from hgcal_gnn.evaluation.report import referee_part as part
from hgcal_gnn.evaluation.report.availability import NotAvailable, attempt, too_few
from hgcal_gnn.evaluation.report.contents import REFERENCE, Finding
from hgcal_gnn.evaluation.report.distance_parts import LEFT_OUT
from hgcal_gnn.evaluation.report.incident import comparable
from hgcal_gnn.evaluation.report.samples import known_energies, open_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hgcal_gnn.arrays import F32
    from hgcal_gnn.evaluation.after_reconstruction import AfterReconstruction
    from hgcal_gnn.evaluation.amplification import Amplification
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.evaluation.report.contents import Comparison, Evaluation
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.showers.store import ShowerStore

MOST_TRAINING = 100_000  # training showers read, whatever `max_showers`: their number counts
NOISE, THRESHOLD = 0.2, 0.5  # E_MIP, of detectors whose electronics are not known


class HitParts:
    """What is computed from the hits of two samples.

    Parameters
    ----------
    found
        With samples and features.
    graph, numbers
        The cells.
    training
        What the generators were trained on, or None.
    regressor
        Energies [GeV] of showers, or None.
    """

    def __init__(
        self,
        found: Evaluation,
        graph: CellGraph,
        numbers: CellNumbers,
        training: Path | Showers | None,
        regressor: Callable[[Showers], F32] | None = None,
    ) -> None:
        self.found, self.graph, self.numbers, self.regressor = found, graph, numbers, regressor
        settings = found.settings
        self.training = (
            None
            if training is None
            else open_sample(
                "training", training, graph, max_showers=MOST_TRAINING, threshold=settings.threshold, seed=settings.seed
            )
        )

    def reconstruction(self, name: str) -> AfterReconstruction | NotAvailable:
        """Digitise and cluster the reference and the sample `name` in the same way."""
        samples = {key: self.found.samples[key] for key in (REFERENCE, name)}
        unknown = [key for key, one in samples.items() if not len(known_energies(one.column("incident_energy")))]
        left_out = LEFT_OUT if "reconstruction" in self.found.settings.skip else ""
        missing = f"no incident energies in {' and '.join(unknown)}" if unknown else ""
        few = too_few({key: len(one) for key, one in samples.items()})
        return attempt("reconstruction", lambda: self._reconstructed(name), unless=left_out or missing or few)

    def _reconstructed(self, name: str) -> AfterReconstruction:
        from hgcal_gnn.evaluation.after_reconstruction import (  # noqa: PLC0415
            after_reconstruction,
            uniform_digitiser,
        )

        settings = self.found.settings
        is_cms = set(self.graph.cells.subdetector.tolist()) <= {8, 9, 10} and self.graph.cells.detector == "hgcal"
        digitiser = None if is_cms else uniform_digitiser(self.numbers, NOISE, threshold=THRESHOLD)
        # a Sample is read by slices, as the store it stands for
        theirs, mine = (cast("ShowerStore", self.found.samples[key]) for key in (REFERENCE, name))
        return after_reconstruction(
            theirs, mine, self.graph, self.numbers, self.regressor, digitiser=digitiser, seed=settings.seed,
            replicas=settings.replicas,
        )  # fmt: skip

    def amplification(self, name: str) -> Amplification | NotAvailable:
        """Measure what the sample `name` is worth in independent showers."""
        settings = self.found.settings
        return attempt(
            "amplification",
            lambda: part.amplification_of(*self._tables(name), settings),
            unless=LEFT_OUT if "referee" in settings.skip else "",
        )

    def referee(self, name: str, result: Comparison) -> list[Finding] | NotAvailable:
        """Answer what a referee would ask of the sample `name`; each answer that fails is told.

        `result` has the bins and the amplification already.
        """
        sizes = {key: len(self.found.samples[key]) for key in (REFERENCE, name)}
        unless = (LEFT_OUT if "referee" in self.found.settings.skip else "") or too_few(sizes)
        if unless:
            return NotAvailable(unless)
        settings, (training, theirs, mine) = self.found.settings, self._tables(name)
        tables = theirs, mine
        samples = (self.found.samples[REFERENCE], self.found.samples[name])
        asked = {
            "memory": lambda: part.memory_findings(training, *tables, settings),
            "coverage": lambda: part.coverage_findings(*tables, settings),
            "tails": lambda: part.tail_findings(*tables),
            "layers": lambda: part.layer_findings(*tables, settings),
            "worst in energy": lambda: part.worst_findings(result.energies, "energy", settings),
            "worst in eta": lambda: part.worst_findings(result.eta, "eta", settings),
            "pairs of hits": lambda: part.pair_findings(samples, self.numbers),
            "amplification": lambda: part.amplification_findings(result.amplification),
        }
        answers = {key: attempt(key, compute) for key, compute in asked.items()}
        return [
            Finding(key, "", [Distance.not_available(key, answer.reason)])
            if isinstance(answer, NotAvailable)
            else answer
            for key, answer in answers.items()
        ]

    def _tables(self, name: str) -> tuple[FeatureTable | None, FeatureTable, FeatureTable]:
        """Return the comparable features of training showers (if given), reference and sample."""
        tables = (self.found.tables[REFERENCE], self.found.tables[name])
        training = self._training_table
        if training is None:
            theirs, mine = comparable(*tables)
            return None, theirs, mine
        training, theirs, mine = comparable(training, *tables)
        return training, theirs, mine

    @cached_property
    def _training_table(self) -> FeatureTable | None:
        """Features of what the generators were trained on."""
        if self.training is None:
            return None
        settings = self.found.settings
        names = settings.observables or DEFAULT
        return compute_features(self.training, self.numbers, names, convention=settings.convention)
