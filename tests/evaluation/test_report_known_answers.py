"""Known answers through a whole evaluation: simulated showers against others, scaled ones, ones without a layer."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hgcal_gnn.errors import UsageError
from hgcal_gnn.evaluation.report.availability import NotAvailable
from hgcal_gnn.evaluation.report.markdown import markdown
from hgcal_gnn.evaluation.report.metrics_file import metrics
from hgcal_gnn.evaluation.report.run import evaluate, parts
from hgcal_gnn.evaluation.report.settings import EvaluationSettings
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.plotting.report_figures import report_figures
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate

N = 1000  # showers of a sample
LAYER = 2
SETTINGS = EvaluationSettings(
    replicas=24, folds=2, epochs=8, curve=(0.25, 1.0), hit_showers=200, hit_epochs=1, skip=("physics_distance",)
)


def without_layer(showers, cells):
    kept = cells.layer[showers.cell] != LAYER
    offsets = np.concatenate([[0], np.cumsum(kept)])[showers.offsets]
    return replace(showers, offsets=offsets, cell=showers.cell[kept], energy=showers.energy[kept])


def of_the_layer(name):
    return f"layer_{LAYER}_" in name or name in ("start_layer", "n_layers")


@pytest.fixture(scope="module")
def calls():
    return []


@pytest.fixture(scope="module")
def found(calls):
    """Electrons in 432 cells: the same again, with 1 % more energy, without the second of three layers."""
    graph = build_graph(make_detector("calogan-siw"))[0]
    beam = Beam("electron", parse_spectrum("20..200"), direction=(0.0, 0.0, 1.0))
    showers = simulate(graph.cells, beam, 3 * N, seed=1)
    reference, same, training = showers[:N], showers[N : 2 * N], showers[2 * N :]
    generated = {
        "same": same,
        "scaled": replace(same, energy=same.energy * np.float32(1.01)),
        "dropped": without_layer(same, graph.cells),
    }
    return evaluate(
        reference, generated, graph, settings=SETTINGS, training=training, same_model={"model": ("same", "scaled")},
        regressor=lambda some: some.incident_energy, progress=calls.append,
    )  # fmt: skip


def test_same_showers_differ_by_chance_only(found):
    same = found.comparisons["same"]
    for kind in SETTINGS.distances:
        known = [one.significance for one in same.column(kind).values() if np.isfinite(one.significance)]
        assert len(known) > 20
        assert np.mean(np.abs(known) < 3) > 0.9
    for one in (same.classifier, same.classifier_hits, same.classifier_cells):
        assert abs(one.auc.significance) < 3.5
    assert abs(same.correlation.significance) < 4
    assert abs(same.total_energy.significance) < 4


def test_a_layer_that_is_missing_is_ranked_first(found):
    dropped = found.comparisons["dropped"]
    ranked = [name for name, _ in dropped.differing("separation_power")]
    assert all(map(of_the_layer, ranked[:6]))
    assert dropped.classifier.auc.value > 0.95
    assert dropped.classifier_cells.auc.value > 0.9
    assert all(of_the_layer(part.worst("separation_power", 1)[0][0]) for part in dropped.energies)
    assert [entry["sample"] for entry in metrics(found)["ranking"]][-1] == "dropped"


def test_a_scale_shows_in_the_response_and_not_in_shapes(found):
    same, scaled = found.comparisons["same"], found.comparisons["scaled"]
    table = found.tables["reference"]
    for name, group in zip(table.names, table.groups, strict=True):
        before, after = (one.distances[name]["kolmogorov_smirnov"] for one in (same, scaled))
        if group in ("longitudinal", "radial", "centre", "width") and before.available:
            assert abs(after.value - before.value) < max(0.01, before.floor_error)
    moved = {name: found["wasserstein"] for name, found in scaled.distances.items() if found["wasserstein"].available}
    rise = scaled.reconstruction.energies["clustered_energy"].response
    rest = same.reconstruction.energies["clustered_energy"].response
    assert moved["response"].value > same.distances["response"]["wasserstein"].value
    assert rise.value / rest.value == pytest.approx(1.01, abs=0.003)


def test_every_distance_is_measured_in_eight_bins_of_energy(found):
    for one in found.comparisons.values():
        assert len(one.energies) == 8
        assert sum(part.n_generated for part in one.energies) == N
        assert all(set(kinds) <= set(SETTINGS.distances) for part in one.energies for kinds in part.distances.values())
        assert set(one.energies[0].distances["response"]) == set(SETTINGS.distances)
        assert isinstance(one.eta, NotAvailable)  # along the axis of z
    named = {finding.name: finding for finding in found.comparisons["dropped"].referee}
    assert of_the_layer(named["worst in energy"].meaning.split()[2])
    assert len(named["worst in energy"].measures) == len(SETTINGS.distances)


def test_a_frozen_regressor_is_asked(found):
    agreement = found.comparisons["same"].reconstruction.energies["regressed_energy"]
    assert np.allclose(agreement.response.value, 1)


def test_amplification_of_independent_showers(found):
    curve = found.comparisons["same"].amplification
    assert curve.training_size == N
    assert curve.error[-1] == pytest.approx(curve.independent[-1], rel=0.6)
    assert found.comparisons["dropped"].amplification.factor < 0.2


def test_trainings_of_one_model_are_summed_up(found):
    group = found.models["model"]
    spreads = {spread.name: spread for spread in group.spreads}
    assert group.samples == ("same", "scaled")
    assert spreads["correlation_difference"].number == 2
    assert spreads["frechet_physics_distance"].number == 0
    values = [found.comparisons[name].classifier.auc.value for name in group.samples]
    assert spreads["classifier_observables_auc"].mean == pytest.approx(np.mean(values))
    with pytest.raises(UsageError, match="no generated samples other"):
        evaluate(found.reference.data, {"a": found.reference.data}, None, same_model={"m": ("a", "other")})
    with pytest.raises(UsageError, match="two or more"):
        evaluate(found.reference.data, {"a": found.reference.data}, None, same_model={"m": ("a",)})


def test_progress_is_counted(found, calls):
    assert len(calls) == parts(len(found.generated))


def test_everything_is_written_and_drawn(found):
    content = json.loads(json.dumps(metrics(found), allow_nan=False))
    classifier = content["samples"]["same"]["classifier_hits"]
    assert classifier["showers"] == [200, 200]
    assert len(classifier["learning_curve"]["auc"]) == 2
    assert classifier["learning_curve"]["auc"][-1] == pytest.approx(classifier["auc"]["value"], abs=1e-6)
    assert set(content["models"]["model"]) == {"samples", "measures"}
    text = markdown(found)
    for title in ("spread over training seeds", "Networks that tell", "by incident energy", "amplification"):
        assert title in text
    assert "it failed with" not in text
    drawn = [(one.key, one.section) for one in report_figures(found, make_detector("calogan-siw"))]
    keys = [key for key, _ in drawn]
    assert len(set(keys)) == len(keys)
    wanted = {"showers", "classifier_hits_learning", "classifier_cells_calibration", "classifier_observables_weights",
              "amplification", "reconstruction_regressed_energy_response", "reconstruction_n_clusters"}  # fmt: skip
    assert wanted <= set(keys)
