"""Pictures of a generator's training: what they show is what was logged and made."""

from __future__ import annotations

import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.plotting.gallery import gallery_figure
from hgcal_gnn.plotting.generated_samples import SHOWN, layer_sums, samples_figure
from hgcal_gnn.plotting.generator_training import generator_training_figure
from hgcal_gnn.plotting.generator_trainings import trainings_figure
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.training_log import read_columns

LAYER = np.array([1, 1, 2, 3])
LOG = """epoch,step,train_loss,val_loss,lr,s,train_critic,train_generator,val_occupancy,val_response,val_separation
0,20,1.0,0.5,0.1,1,-0.3,1.0,0.9,2.0,0.5
1,40,2.0,0.2,0.1,1,-0.2,2.0,1.0,1.1,0.2
2,60,3.0,,0.1,1,-0.1,3.0,1.1,,
"""


def _showers(scale, n=2):
    columns = {
        "offsets": np.arange(n + 1) * 3,
        "cell": np.tile([0, 1, 3], n),
        "energy": np.tile([1, 2, 4], n) * scale,
        "incident_energy": np.ones(n),
    }
    return Showers.from_columns(columns)


def test_energies_are_summed_by_layer():
    np.testing.assert_allclose(layer_sums(_showers(1), LAYER), [[3, 0, 4], [3, 0, 4]])


def test_samples_are_drawn_on_one_scale():
    """A column of colours per shower and one profile per sample."""
    figure = samples_figure({"reference": _showers(1, 50), "generated": _showers(2, 50)}, LAYER, title="test")
    one, two = (ax.images[0] for ax in figure.axes[:2])
    assert one.get_array().shape == (3, SHOWN)
    assert one.norm is two.norm
    assert one.norm.vmax == 8
    means = [patch.get_data().values for patch in figure.axes[-1].patches[1::2]]
    np.testing.assert_allclose(means, [[3, 0, 4], [6, 0, 8]])


def test_samples_without_a_hit_are_drawn():
    """What a collapsed generator makes."""
    empty = _showers(1).where(np.zeros(6, bool))
    assert samples_figure({"reference": empty, "generated": empty}, LAYER).axes


def test_curves_of_a_training(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    log = read_columns(path, "step")
    assert np.isnan(log["val_loss"][2])
    figure = generator_training_figure(log, title="test")
    losses, ratios, separation = figure.axes
    assert [line.get_label() for line in losses.lines[:2]] == ["critic", "generator"]
    np.testing.assert_allclose(ratios.lines[0].get_ydata(), [2.0, 1.1])
    np.testing.assert_allclose(separation.lines[1].get_xdata(), 40)  # the best check


def test_nothing_of_the_curves_is_hidden():
    """Ratios beyond the drawn range are marked at its edge; a separation below the floor is in range."""
    steps = np.array([10.0, 20, 30, 40])
    log = {"step": steps, "val_separation": np.array([0.5, 0.1, -0.05, 0.0])}
    log |= {"val_response": np.array([30.0, 1, np.nan, 0.01]), "val_occupancy": np.array([0.0, 1, 1, 1])}
    _, ratios, separation = generator_training_figure(log).axes
    low, high = ratios.get_ylim()
    marks = {(line.get_marker(), x, y) for line in ratios.lines if line.get_linestyle() == "None"
             for x, y in zip(*line.get_data(), strict=True)}  # fmt: skip
    assert marks == {("^", 10, high), ("v", 40, low), ("v", 10, low)}
    assert any("out of the range" in text.get_text() for text in ratios.texts)
    assert separation.get_ylim()[0] < -0.05
    log["val_response"][[0, 3]] = log["val_occupancy"][0] = 1
    _, ratios, _ = generator_training_figure(log).axes
    assert not ratios.texts


def test_energies_below_the_colours_are_told():
    """White is no energy, the darkest colour is as little or less."""
    extends = []
    for faintest in (1e-9, 1.0):
        showers = _showers(1)
        energy = np.where(showers.energy == 4, faintest, showers.energy).astype(np.float32)
        figure = samples_figure({"reference": showers.replace(energy=energy), "generated": _showers(1)}, LAYER)
        extends.append(figure.axes[1].images[0].colorbar.extend)
    assert extends == ["min", "neither"]


@pytest.mark.parametrize("text", ["\n", "epoch,loss\n0,1\n", "epoch,step\n0,a\n"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(InputError, match="no log of a training"):
        read_columns(tmp_path / "log.csv", "step")


def test_trainings_are_drawn_against_the_time_they_took():
    log = {"seconds": np.array([60.0, 120.0]), "val_separation": np.array([0.5, 0.2]),
           "val_response": np.array([0.5, 1.1]), "val_occupancy": np.array([2.0, 1.0])}  # fmt: skip
    figure = trainings_figure({"one": log, "other": log})
    separation, response, _ = figure.axes
    np.testing.assert_allclose(separation.lines[1].get_xydata(), [[1, 0.5], [3, 0.2]])
    np.testing.assert_allclose(response.lines[0].get_ydata(), [0.5, 1.1])


def test_showers_are_drawn_with_one_view_and_one_scale():
    """The second one has ten times the energy and is wider: the view stays, the colours reach up to it."""
    cells = make_detector("calogan-siw")
    first = np.flatnonzero(cells.layer == cells.layer.min())
    middle = first[np.argsort(np.hypot(cells.x[first], cells.y[first]), kind="stable")]

    def shower(n, energy):
        columns = {"offsets": [0, n], "cell": middle[:n], "energy": np.full(n, energy), "incident_energy": [5.0]}
        return Showers.from_columns(columns | {f"direction_{axis}": [float(axis == "z")] for axis in "xyz"})

    figure = gallery_figure({"reference": shower(4, 0.1), "generated": shower(40, 1.0)}, cells)
    sides, fronts = figure.axes[:2], figure.axes[2:4]
    assert fronts[0].get_xlim() == fronts[1].get_xlim()
    assert {ax.collections[0].norm.vmax for ax in (*sides, *fronts)} == {1.0}
    assert "5 GeV: 0.4 GeV in 4 hits" in sides[0].get_title(loc="left")
