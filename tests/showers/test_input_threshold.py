"""Hits below a threshold: left out after adding up, counted, before events are judged."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.file_report import BELOW_THRESHOLD, EMPTY, SAME_CELL, FileReport
from hgcal_gnn.showers.input_rules import InputRules, apply_rules
from hgcal_gnn.showers.showers import Showers


@pytest.fixture
def showers():
    """Two deposits of 0.4 in one cell, 0.3 and NaN in others; a shower of 0.1 alone."""
    columns = {
        "offsets": [0, 4, 5],
        "cell": [3, 3, 5, 6, 1],
        "energy": np.array([0.4, 0.4, 0.3, np.nan, 0.1], np.float32),
        "incident_energy": [5.0, 5.0],
    }
    return Showers.from_columns(columns, invalid="keep")


def test_after_adding_up_and_before_judging_events(showers):
    rules = InputRules(threshold=0.5, merge=True, not_finite="keep", empty="drop")
    report = FileReport("made")
    kept = apply_rules(showers, rules, report)
    assert len(kept) == 1
    assert kept.cell.tolist() == [3, 6]
    np.testing.assert_allclose(kept.energy, [0.8, np.nan], rtol=1e-6)
    found = {reason: (finding.count, round(finding.energy, 6)) for reason, finding in report.findings.items()}
    assert found[BELOW_THRESHOLD] == (2, 0.4)
    assert found[SAME_CELL][0] == 1
    assert found[EMPTY][0] == 1
    assert report.hits == 2


def test_without_adding_up_and_refusing_what_becomes_empty(showers):
    kept = apply_rules(showers, InputRules(threshold=0.35, not_finite="drop"), FileReport("made"))
    assert kept.cell.tolist() == [3, 3]
    with pytest.raises(InputError, match=r"made: event without hits: 1 of 2 .*--empty"):
        apply_rules(showers, InputRules(threshold=0.35, not_finite="drop", empty="refuse"), FileReport("made"))
