"""What a conversion found: counts by reason, per file and in all, ready for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hgcal_gnn.showers.unknown_cells import UnknownCells, added_unknown, describe_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hgcal_gnn.showers.showers import Showers

Status = Literal["converted", "resumed", "failed"]
# reasons, as they stand in reports
UNKNOWN_CELL = "cell id not in the geometry"
NOT_FINITE = "energy NaN or infinite"
NEGATIVE = "energy negative"
PADDING = "padding of fixed-size branches"
OTHER_SIDE = "hit in an endcap without incident particle"
EMPTY = "event without hits"
NO_PARTICLE = "event without incident particle"
SEVERAL_PARTICLES = "event with several incident particles"
SAME_CELL = "deposit added to another in its cell"
BELOW_THRESHOLD = "hit below the threshold"


def finite_sum(energy: NDArray[np.floating]) -> float:
    """Sum in double precision, leaving out NaN and infinities."""
    total = float(energy.sum(dtype=np.float64))
    return total if np.isfinite(total) else float(energy[np.isfinite(energy)].sum(dtype=np.float64))


@dataclass
class Finding:
    """How often something out of the ordinary was met, and what was done about it.

    Attributes
    ----------
    count
        Hits or events, as the reason says.
    action
        "kept", "dropped", or what else was done.
    energy
        Sum of the deposits concerned [GeV], those that are not finite left out.
    """

    count: int = 0
    action: str = "kept"
    energy: float = 0.0


@dataclass
class FileReport:
    """What one input file gave.

    Attributes
    ----------
    path
    status
        "converted" now, "resumed": in an earlier run, "failed".
    error
        Why it failed.
    events
        Events read.
    showers, hits, energy
        Written to the store; energy is the sum of all deposits [GeV].
    findings
        By reason.
    unknown_cells
        Hits with ids the geometry does not hold.
    collections
        Hit collections read, where the file has several.
    """

    path: str
    status: Status = "converted"
    error: str = ""
    events: int = 0
    showers: int = 0
    hits: int = 0
    energy: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)
    unknown_cells: list[UnknownCells] = field(default_factory=list)
    collections: list[str] = field(default_factory=list)

    def count(self, reason: str, number: int, action: str, energy: float = 0.0) -> None:
        """Add to a finding; nothing is recorded for a number of 0."""
        if number:
            finding = self.findings.setdefault(reason, Finding(action=action))
            finding.count += int(number)
            finding.energy += float(energy)

    def count_showers(self, showers: Showers) -> None:
        """Add showers that were written."""
        self.showers += len(showers)
        self.hits += len(showers.cell)
        self.energy += finite_sum(showers.energy)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> FileReport:
        """Build from what `dataclasses.asdict` gave."""
        findings = {reason: Finding(**finding) for reason, finding in content["findings"].items()}
        unknown = [UnknownCells(**item) for item in content["unknown_cells"]]
        return cls(**{**content, "findings": findings, "unknown_cells": unknown})


@dataclass
class ConversionReport:
    """What a conversion gave, file by file.

    Attributes
    ----------
    output
        The file written, or meant to be written.
    complete
        Whether `output` was written.
    files
        In the order of the inputs.
    """

    output: str
    files: list[FileReport] = field(default_factory=list)
    complete: bool = False

    @property
    def failed(self) -> list[FileReport]:
        """Files that could not be converted."""
        return [file for file in self.files if file.status == "failed"]

    @property
    def total(self) -> FileReport:
        """Sum over the files that did not fail."""
        total = FileReport("all files")
        for file in self.files:
            if file.status == "failed":
                continue
            total.events += file.events
            total.showers += file.showers
            total.hits += file.hits
            total.energy += file.energy
            total.unknown_cells = added_unknown([*total.unknown_cells, *file.unknown_cells])
            total.collections = sorted({*total.collections, *file.collections})
            for reason, finding in file.findings.items():
                total.count(reason, finding.count, finding.action, finding.energy)
        return total

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON can hold it: output, complete, total, files."""
        content = asdict(self)
        content["total"] = asdict(self.total)
        del content["total"]["path"], content["total"]["status"], content["total"]["error"]
        return content

    def summary(self) -> list[str]:
        """Say in a few lines what happened, for people."""
        total = self.total
        n_resumed = sum(file.status == "resumed" for file in self.files)
        resumed = f" ({n_resumed} from an earlier run)" if n_resumed else ""
        counts = f"{total.events} events, {total.showers} showers, {total.hits} hits, {total.energy:.6g} GeV deposited"
        lines = [f"{len(self.files) - len(self.failed)} of {len(self.files)} files{resumed}: {counts}"]
        lines += [
            f"{reason}: {finding.count} ({finding.action})" + (f", {finding.energy:.6g} GeV" if finding.energy else "")
            for reason, finding in sorted(total.findings.items())
        ]
        if total.unknown_cells:
            lines.append(f"not in the geometry: {describe_unknown(total.unknown_cells)}")
        return lines + [f"failed: {file.error}" for file in self.failed]
