"""Reports of generated samples against a reference: what they measure, say and refuse."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hgcal_gnn.errors import GeometryMismatchError, InputError, UsageError
from hgcal_gnn.evaluation.distance import Distance
from hgcal_gnn.evaluation.features import FeatureTable
from hgcal_gnn.evaluation.report import condition_parts, distance_parts
from hgcal_gnn.evaluation.report.availability import NotAvailable, attempt, too_few
from hgcal_gnn.evaluation.report.contents import REFERENCE, Comparison, Evaluation, ranked
from hgcal_gnn.evaluation.report.curves import binned, curve, families, histogram_edges
from hgcal_gnn.evaluation.report.markdown import markdown
from hgcal_gnn.evaluation.report.metrics_file import metrics
from hgcal_gnn.evaluation.report.page import Picture, html_page
from hgcal_gnn.evaluation.report.ranking import rank_samples
from hgcal_gnn.evaluation.report.samples import Sample, open_sample
from hgcal_gnn.evaluation.report.settings import SLOW, EvaluationSettings
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.plotting.inline_svg import inline_svg
from hgcal_gnn.plotting.report_figures import report_figures
from hgcal_gnn.showers.metadata import ShowerMetadata
from tests.evaluation.by_hand import showers_of
from tests.showers.made_root import toy_cells

NAMES = ("response", "mean_layer", *(f"layer_{layer}_fraction" for layer in range(1, 6)))
SETTINGS = EvaluationSettings(replicas=20, skip=("physics_distance", *SLOW, "classifier"))


@pytest.fixture(scope="module")
def graph():
    return build_graph(toy_cells())[0]


def table(n=400, seed=0, shift=0.0, energy=None):
    rng = np.random.default_rng(seed)
    values = rng.normal(1.0, 0.1, (n, len(NAMES))).astype(np.float32)
    values[:, 0] += shift
    groups = ("energy", *("longitudinal",) * 6)
    incident = np.repeat([10.0, 50.0], n // 2) if energy is None else np.full(n, energy)
    return FeatureTable(NAMES, groups, ("",) * len(NAMES), values, incident.astype(np.float32))


def evaluation(**generated):
    tables = {REFERENCE: table(), **generated}
    shower = showers_of(((0, 1), (1e-3, 2e-3)))
    samples = {name: Sample(name, f"{name}.arrow", shower) for name in tables}
    found = Evaluation(SETTINGS, "toy", "0" * 64, samples, tables)
    for name in generated:
        pair = tables[REFERENCE], tables[name]
        found.comparisons[name] = Comparison(
            distances=distance_parts.distances(*pair, SETTINGS),
            correlation=distance_parts.correlation(*pair, SETTINGS),
            energies=condition_parts.energies(*pair, SETTINGS),
            total_energy=distance_parts.total_energy(*pair, SETTINGS),
        )
    return found


@pytest.fixture(scope="module")
def found():
    return evaluation(shifted=table(seed=2, shift=0.1), same=table(seed=1))


def test_what_was_changed_is_ranked_first_and_nothing_else_differs(found):
    shifted, same = found.comparisons["shifted"], found.comparisons["same"]
    assert shifted.differing("separation_power")[0][0] == "response"
    assert shifted.column("separation_power")["response"].significance > 5
    others = [one.significance for name, one in same.column("separation_power").items() if name != "response"]
    assert max(map(abs, others)) < 5
    assert [name for name, _ in rank_samples(found)] == ["same", "shifted"]


def test_difference_shows_at_every_energy(found):
    parts = found.comparisons["shifted"].energies
    assert [part.label for part in parts] == ["10 GeV", "50 GeV"]
    assert [(part.n_reference, part.n_generated) for part in parts] == [(200, 200)] * 2
    assert all(part.worst("separation_power", 1)[0][0] == "response" for part in parts)


def test_order_is_by_excess_among_the_significant():
    def distance(excess, significance):
        return Distance("d", excess, 0.1, 0.0, excess / significance)

    tiny_but_sure, large, nothing = distance(0.01, 500.0), distance(0.8, 60.0), distance(0.02, 1.0)
    missing = Distance.not_available("d", "few")
    order = ranked({"nothing": nothing, "tiny": tiny_but_sure, "missing": missing, "large": large})
    assert [name for name, _ in order] == ["large", "tiny", "nothing"]


def test_few_showers_and_unknown_energies_are_told():
    found = evaluation(few=table(n=40), unknown=table(seed=1, energy=np.nan))
    few, unknown = found.comparisons["few"], found.comparisons["unknown"]
    assert not any(one.available for one in few.column("separation_power").values())
    assert "100" in few.correlation.reason
    assert isinstance(unknown.energies, NotAvailable)
    assert "no incident energies in the sample" in unknown.energies.reason
    text = markdown(found)
    assert "not available: no incident energies in the sample" in text
    content = metrics(found)["samples"]
    assert content["few"]["correlation_difference"]["value"] is None
    assert content["unknown"]["energies"] == {"not_available": "no incident energies in the sample"}


def test_metrics_are_strict_json_with_documented_keys(found):
    content = json.loads(json.dumps(metrics(found), allow_nan=False))
    assert content["format_version"] == 1
    assert set(content) == {
        "format", "format_version", "hgcal_gnn", "geometry", "settings", "reference", "observables", "ranking",
        "samples", "models", "hit_energies", "seconds",
    }  # fmt: skip
    sample = content["samples"]["shifted"]
    assert set(sample) == {
        "source", "showers", "showers_used", "content", "remarks", "distances", "most_different",
        "correlation_difference", "total_energy_chi2", "frechet_physics_distance", "kernel_physics_distance",
        "classifier", "classifier_hits", "classifier_cells", "energies", "eta", "reconstruction",
        "amplification", "referee",
    }  # fmt: skip
    assert set(sample["distances"]["response"]["separation_power"]) == {
        "value", "error", "floor", "floor_error", "excess", "significance"
    }  # fmt: skip
    assert sample["most_different"][0] == "response"


class Page(HTMLParser):
    """Checks that tags close and collects what a page loads."""

    VOID = ("meta", "path", "use", "rect", "line", "image", "stop", "br")

    def __init__(self):
        super().__init__()
        self.open, self.links, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.links += [known[key] for key in ("href", "src", "xlink:href") if key in known]
        self.ids += [known["id"]] if "id" in known else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_page_is_one_file_in_the_colours_of_the_reader(found):
    pictures = []
    for drawn in report_figures(found):
        svg = inline_svg(drawn.figure, drawn.key)
        assert "#222222" not in svg
        pictures.append(Picture(drawn.section, drawn.group, drawn.caption, svg, drawn.is_wide))
    shown = {picture.section for picture in pictures}
    assert shown == {"differences", "observables", "profiles", "correlations", "energies"}
    page = html_page(found, pictures)
    read = Page()
    read.feed(page)
    assert read.open == []
    assert len(set(read.ids)) == len(read.ids)
    assert all(link.startswith(("#", "data:")) for link in read.links)
    assert "prefers-color-scheme: dark" in page
    assert "<script" not in page
    assert not re.search(r"url\((?!#)", page)


def test_names_in_a_page_are_escaped():
    found = evaluation(**{"<b>": table(seed=1)})
    assert "<b>" not in html_page(found, [])


def test_samples_with_impossible_hits_are_refused(graph):
    good = showers_of(((0, 1), (1e-3, 2e-3)))
    assert len(open_sample("a", good, graph)) == 1
    broken = showers_of(((0, 1), (1e-3, 2e-3)), ((0,), (np.nan,)), ((1, 2), (-1.0, np.inf)))
    with pytest.raises(InputError, match=r"3 hits with an energy that is NaN.*first in showers 1, 2 "):
        open_sample("a", broken, graph)
    with pytest.raises(InputError, match="the geometry has"):
        open_sample("a", showers_of(((graph.n_cells,), (1e-3,))), graph)
    with pytest.raises(InputError, match="no showers"):
        open_sample("a", good[:0], graph)
    with pytest.raises(GeometryMismatchError):
        open_sample("a", good.replace(metadata=ShowerMetadata(cells_sha256="f" * 64)), graph)


def test_faint_cells_are_left_out_everywhere(graph):
    """Of a cell with two deposits the sum counts; whichever way the showers are read."""
    showers = showers_of(((0, 0, 1), (3e-3, 3e-3, 5e-3)), ((2,), (1e-3,)))
    sample = open_sample("a", showers, graph, threshold=5e-3)
    for read in (sample.showers(), sample[0:2], next(iter(sample.chunks()))):
        assert read.n_hits.tolist() == [1, 0]
        np.testing.assert_allclose(read.energy, [6e-3])
    assert sample.at_most(1, seed=0).threshold == 5e-3


def test_showers_are_drawn_by_seed_and_remarks_told(graph):
    many = showers_of(*[((number % 5,), (1e-3,)) for number in range(50)], ((), ()))
    some = [open_sample("a", many, graph, max_showers=10, seed=seed) for seed in (1, 1, 2)]
    assert [len(one) for one in some] == [10] * 3
    assert np.array_equal(some[0].rows, some[1].rows)
    assert not np.array_equal(some[0].rows, some[2].rows)
    assert some[0][2:4].equals(many[some[0].rows[2:4]])
    unknown = many.replace(incident_energy=np.full(51, np.nan, np.float32))
    remarks = open_sample("a", unknown, graph).remarks
    assert remarks == ("1 shower without hits", "51 showers without incident energy")


def test_parts_that_fail_are_told_and_others_raise():
    def fail(error):
        raise error

    assert attempt("a", lambda: 1) == 1
    assert attempt("a", lambda: 1, unless="why") == NotAvailable("why")
    assert attempt("a", lambda: fail(InputError("no layers"))).reason == "no layers"
    assert "ZeroDivisionError" in attempt("a", lambda: fail(ZeroDivisionError("x"))).reason
    with pytest.raises(KeyboardInterrupt):
        attempt("a", lambda: fail(KeyboardInterrupt()))
    assert too_few({"a": 99, "b": 100}) == "a has 99 of at least 100 showers"


def test_settings_that_make_no_sense_are_refused():
    for wrong in ({"skip": ("plots",)}, {"convention": "theirs"}, {"max_showers": 0}, {"replicas": 1}):
        with pytest.raises(UsageError):
            EvaluationSettings(**wrong)
    assert EvaluationSettings(max_showers=500).quick().max_showers == 500
    assert "reconstruction" in EvaluationSettings().quick().skip
    assert "reconstruction" not in EvaluationSettings().quick(reconstructing=True).skip
    assert "reconstruction" in EvaluationSettings(skip=("reconstruction",)).quick(reconstructing=True).skip


def test_families_differ_in_one_number():
    names = ["energy", "depth_50", "depth_90", *(f"layer_{n}_centre_x" for n in (3, 1, 2, 10)), "XCenterLayer0"]
    (family,) = families(names)
    assert (family.name, family.counted, family.places) == ("layer_#_centre_x", "layer", (1, 2, 3, 10))
    assert family.members[-1] == "layer_10_centre_x"


def test_curves_leave_out_what_is_not_there():
    found = curve(np.array([[1.0, np.nan], [3.0, np.nan], [5.0, np.nan]]), (1, 2))
    assert found.mean[0] == 3.0
    assert found.error[0] == pytest.approx(2 / np.sqrt(3))  # standard deviation 2
    assert np.isnan(found.mean[1])


def test_bins_hold_whole_numbers_and_count_what_is_outside():
    edges = histogram_edges(np.repeat(np.arange(5.0), 200))
    assert np.array_equal(np.diff(edges), np.ones(len(edges) - 1))
    assert 0.5 in edges - np.floor(edges)
    counted = binned(np.array([-100.0, 1.0, 1.0, np.nan, 900.0]), edges)
    assert (counted.n, counted.below, counted.above) == (4, 0.25, 0.25)
    assert counted.share.sum() == pytest.approx(0.5)
    assert len(histogram_edges(np.full(9, np.nan))) == 2
    assert np.diff(histogram_edges(np.full(9, 3.5))).min() > 0


def test_means_of_few_showers_are_not_drawn():
    found = curve(np.array([[1.0, np.nan], [3.0, np.nan], [5.0, 2.0]]), (1, 2), fewest=2)
    assert found.mean[0] == 3.0
    assert np.isnan(found.mean[1])
