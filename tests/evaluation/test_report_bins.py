"""Bins of eta, the worst of many, components in which neighbours are looked for, models on the command line."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.cli.evaluate import models_of
from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.features import FeatureTable
from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.condition_parts import by_eta, eta_of
from hgcal_gnn.evaluation.report.contents import BinPart, worst_of
from hgcal_gnn.evaluation.report.referee_part import _compact, coverage_findings, worst_findings
from hgcal_gnn.evaluation.report.samples import Sample
from hgcal_gnn.evaluation.report.settings import EvaluationSettings
from hgcal_gnn.showers.showers import Showers, direction_from_eta_phi

SETTINGS = EvaluationSettings(replicas=20, distances=("separation_power", "kolmogorov_smirnov"))
N = 1600


def sample(eta):
    x, y, z = direction_from_eta_phi(eta, np.zeros(len(eta)))
    columns = {
        "offsets": np.zeros(len(eta) + 1, np.int64), "cell": np.zeros(0), "energy": np.zeros(0),
        "incident_energy": np.full(len(eta), 50.0), "pdg_id": np.full(len(eta), 22), "direction_x": x,
        "direction_y": y, "direction_z": z,
    }  # fmt: skip
    return Sample("s", "s", Showers.from_columns(columns))


def table(values, groups=None):
    n = values.shape[1]
    names = tuple(f"layer_{k}_fraction" for k in range(n))
    groups = groups or ("longitudinal",) * n
    return FeatureTable(names, groups, ("",) * n, values.astype(np.float32), np.full(len(values), 50, np.float32))


def test_what_differs_at_one_eta_only_is_found_there():
    rng = np.random.default_rng(1)
    eta = np.linspace(1.6, 2.8, N)
    ours, theirs = rng.normal(size=(N, 3)), rng.normal(size=(N, 3))
    theirs[eta > 2.65, 1] += 2
    samples = sample(eta), sample(eta)
    assert np.allclose(eta_of(samples[0]), eta, atol=1e-5)
    found = by_eta(table(ours), table(theirs), samples, SETTINGS)
    assert len(found) == 8
    assert [part.n_reference for part in found] == [N // 8] * 8
    for kind in SETTINGS.distances:
        worst = worst_of(found, kind)
        assert (worst.label, worst.observable) == (found[-1].label, "layer_1_fraction")
        assert worst.distance.significance > 5 > worst.expected
    finding = worst_findings(found, "eta", SETTINGS)
    assert [measure.name for measure in finding.measures] == list(SETTINGS.distances)
    assert "layer_1_fraction at 2.65" in finding.meaning


@pytest.mark.parametrize(
    ("eta", "reason"), [(np.full(N, 2.0), "the same eta"), (np.full(N, np.inf), "directions")], ids=["same", "axis"]
)
def test_no_bins_without_a_range_of_eta(eta, reason):
    some = table(np.random.default_rng(1).normal(size=(N, 2)))
    found = by_eta(some, some, (sample(eta), sample(eta)), SETTINGS)
    assert isinstance(found, NotAvailable)
    assert reason in found.reason
    assert reason in worst_findings(found, "eta", SETTINGS).meaning


def test_worst_by_chance_is_the_median_of_the_largest():
    rng = np.random.default_rng(1)
    n = 1000
    distances = {f"o{k}": {"d": Distance("d", 1.0 + k, 0.1, 1.0, 1.0)} for k in range(16)}
    worst = worst_of([BinPart("a", 0, 1, 1, 1, distances)], "d")
    place = np.sort(rng.random((4000, n)), axis=1)
    statistic = np.maximum(np.arange(1, n + 1) / n - place, place - np.arange(n) / n).max(axis=1)
    pulls = ((statistic - statistic.mean()) / statistic.std()).reshape(-1, 16).max(axis=1)
    assert worst.observable == "o15"
    assert worst.expected == pytest.approx(np.median(pulls), abs=0.2)
    assert worst_of([BinPart("a", 0, 1, 1, 1, {})], "d") is None


def test_layers_take_part_in_coverage():
    rng = np.random.default_rng(1)
    reference = rng.normal(size=(N, 6))
    reference[:, 5] = reference[:, 0]  # says nothing of its own
    generated = rng.normal(size=(N, 6))
    generated[:, 5] = generated[:, 0]
    generated[:, 3] += 4
    assert _compact(table(reference), table(reference)).shape == (N, 5)
    assert coverage_findings(table(reference), table(generated), SETTINGS).measures[0].significance < -10


def test_models_are_read_from_words():
    assert models_of(["gan=a,b", "gnn=c,d,e"]) == {"gan": ("a", "b"), "gnn": ("c", "d", "e")}
    for wrong in (["gan"], ["=a,b"], ["gan="], ["gan=a,b", "gan=c,d"]):
        with pytest.raises(UsageError, match="--same-model"):
            models_of(wrong)
