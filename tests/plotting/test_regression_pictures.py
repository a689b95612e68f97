"""Pictures of regression: the numbers in them are those of the tables, in % where the axes say so."""

from __future__ import annotations

import io

import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.evaluation.compare_methods import compare_methods
from hgcal_gnn.evaluation.energy_bins import EnergyBins
from hgcal_gnn.evaluation.published import published_fits, published_points
from hgcal_gnn.evaluation.resolution import measure_resolution
from hgcal_gnn.evaluation.response_fit import fit_resolution
from hgcal_gnn.plotting.resolution import (
    draw_biases,
    draw_published,
    draw_ratios,
    draw_resolution,
    linearity_figure,
    resolution_figure,
)
from hgcal_gnn.plotting.responses import draw_response, responses_figure
from hgcal_gnn.plotting.style import figure
from hgcal_gnn.plotting.training_curves import read_log, training_figure

BEAMS = np.repeat([20.0, 50.0, 100.0, 300.0], 200)


def prediction(width, seed=0):
    return BEAMS * (1.02 + width * np.random.default_rng(seed).normal(size=len(BEAMS)))


def values(drawn):
    """What the points of an error bar show."""
    return drawn[0].get_ydata()


def draw(fig):
    fig.savefig(io.BytesIO(), format="png", dpi=40)


@pytest.fixture(scope="module")
def comparison():
    return compare_methods(BEAMS, {"sum": [prediction(0.2)], "gcn": [prediction(0.1, 1)]}, replicas=20)


def test_points_are_those_of_the_table(comparison):
    table = comparison.tables["sum"]
    fit = fit_resolution(table.energy, table.resolution.value, table.resolution.error)
    ax = figure()[1]
    drawn = draw_resolution(table, name="sum", fit=fit, ax=ax)
    assert values(drawn.points) == pytest.approx(100 * table.resolution.value)
    assert drawn.points[0].get_xdata() == pytest.approx(table.energy)
    assert drawn.curve.get_ydata()[0] == pytest.approx(100 * fit(20.0))
    assert values(draw_biases(comparison.tables)[1]) == pytest.approx(100 * comparison.tables["gcn"].bias.value)


def test_ratios_are_to_the_first(comparison):
    ratios = comparison.ratios
    (only,) = draw_ratios(comparison.tables, ratios=ratios)
    assert values(only) == pytest.approx(ratios["gcn"].value)
    (simple,) = draw_ratios(comparison.tables)
    expected = comparison.tables["gcn"].resolution.value / comparison.tables["sum"].resolution.value
    assert values(simple) == pytest.approx(expected)


def test_published_numbers_are_drawn_in_percent():
    ax = figure()[1]
    ax.set_xlim(10, 1000)
    points = draw_published(published_points(211)[0], ax=ax)
    assert points.get_ydata()[1] == pytest.approx(19.7)  # at 50 GeV
    curve = draw_published(published_fits(22)[0], ax=ax)
    assert np.interp(100, curve.get_xdata(), curve.get_ydata()) == pytest.approx(np.hypot(2.29, 0.88), rel=1e-3)


@pytest.mark.parametrize("beams", [BEAMS, BEAMS * 0 + 50.0, 50 + BEAMS / 10], ids=["wide", "single", "narrow"])
def test_all_pictures_can_be_drawn(beams):
    truth = beams
    comparison = compare_methods(
        truth, {"sum": [prediction(0.2) / BEAMS * truth], "gcn": [prediction(0.1, 1) / BEAMS * truth]}, replicas=20
    )
    for tables in (comparison.tables, {"gcn": comparison.tables["gcn"]}):
        fig = resolution_figure(tables, ratios=comparison.ratios, published=published_points(211), title="pions")
        draw(fig)
        assert len(fig.axes) == len(tables)
        assert [text.get_text() for text in fig.legends[0].get_texts()] == list(tables)
        draw(linearity_figure(tables))


def test_bins_without_showers_are_left_out():
    bins = EnergyBins(np.array([1.0, 10.0, 70.0, 500.0]))
    table = measure_resolution(BEAMS, prediction(0.1), bins, replicas=10)
    draw(resolution_figure({"gcn": table}))
    draw(linearity_figure({"gcn": table}))
    draw(responses_figure(BEAMS, {"gcn": prediction(0.1)}, bins))


def test_responses_far_away_are_in_the_last_bins():
    response = np.concatenate([np.full(90, 1.0), np.full(7, -100.0), np.full(3, 100.0), [np.nan]])
    drawn = draw_response(response, edges=np.array([0.5, 0.9, 1.1, 1.5]), core=(1.0, 0.05))
    assert drawn.histogram.get_data().values.tolist() == [7, 90, 3]
    peak = drawn.core.get_ydata().max()
    inside = 90 / 0.9545  # showers of the whole Gaussian
    assert peak == pytest.approx(inside * 0.4 / (0.05 * np.sqrt(2 * np.pi)), rel=0.01)


def test_responses_have_a_panel_per_bin():
    fig = responses_figure(BEAMS, {"sum": prediction(0.2), "gcn": prediction(0.1)}, log_y=False, title="pions")
    draw(fig)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["20 GeV", "50 GeV", "100 GeV", "300 GeV"]
    broken = np.where(BEAMS == 50.0, np.nan, prediction(0.1))
    draw(responses_figure(BEAMS, {"gcn": broken}))


LOG = """epoch,step,lr,train_loss_step,train_loss,val_loss
0,9,,0.9,,
0,9,0.001,,0.5,
0,9,,,,0.6
1,19,0.0001,,0.05,
1,19,,,,0.04
2,29,0.00001,,0.03,
2,29,,,,0.045
"""


def test_the_log_of_a_training(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    log = read_log(path)
    assert log.epoch.tolist() == [0, 1, 2]
    assert log.training.tolist() == [0.5, 0.05, 0.03]
    assert log.validation.tolist() == [0.6, 0.04, 0.045]
    assert log.learning_rate.tolist() == [1e-3, 1e-4, 1e-5]
    assert log.best == 1
    fig = training_figure(log, title="gcn")
    draw(fig)
    assert "best: 0.04 in epoch 2" in [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    alone = training_figure(log._replace(learning_rate=None))
    draw(alone)
    assert len(alone.axes) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step,loss\n1,2\n", "needs a column 'epoch'"),
        ("epoch,train_loss\n", "needs a column 'epoch' and rows"),
        ("epoch,train_loss\n0,high\n", "could not convert"),
        ("epoch,step\n0,1\n", "no training or validation loss"),
        ("", "the file is empty"),
        ("epoch,train_loss\n0,1,2\n1,2\n", "log.csv"),
    ],
)
def test_files_that_are_no_logs(tmp_path, text, message):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_log(path)
