"""The documentation site builds without a warning, and says everything the code says."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hgcal_gnn.cli import app
from hgcal_gnn.cli.schema import What, schema_of
from hgcal_gnn.evaluation import coverage, memorisation, reconstructed
from hgcal_gnn.evaluation.distances import DISTANCES
from hgcal_gnn.evaluation.response_shape import Shape

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return folder


def text_of(page):
    """Return the text of a page without its tags."""
    article = re.search(r"<article.*?</article>", page.read_text("utf-8"), re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", article[0]))


def test_every_command_and_option_is_described(site):
    page = text_of(site / "reference" / "commands" / "index.html")
    for name, command in typer.main.get_command(app).commands.items():
        section = page[page.index(f"\n{name}¶") :]
        for parameter in command.params:
            assert parameter.opts[-1] in section, (name, parameter.opts)


@pytest.mark.parametrize("what", [What.run, What.generator, What.study])
def test_every_setting_is_described(site, what):
    page = text_of(site / "reference" / f"settings_{what}" / "index.html")
    schema = schema_of(what)
    parts = [schema, *schema["$defs"].values()]
    described = [each["description"] for part in parts for each in part.get("properties", {}).values()
                 if "description" in each]  # fmt: skip
    assert len(described) > 5
    for text in described:
        assert " ".join(text.split()) in page


def test_every_model_has_a_card_with_its_settings(site):
    sums = {"sum", "sum_sections", "layer_linear"}  # on one page
    for what in (What.run, What.generator):
        schema = schema_of(what)
        for name in re.findall(r"#/\$defs/(\w+)", str(schema["properties"]["model"])):
            settings = schema["$defs"][name]["properties"]
            kind = settings["kind"]["const"]
            card = text_of(site / "models" / ("calibrated_sums" if kind in sums else kind) / "index.html")
            for entry in ("source", "input", "output", "training data", "measured", "weaknesses"):
                assert f"\n{entry}\n" in card, (kind, entry)
            assert all(f"\n{key}\n" in card for key in settings), kind


def test_every_printed_metric_is_defined(site):
    page = text_of(site / "metrics" / "index.html")
    names = {*DISTANCES, *coverage.NAMES, *memorisation.NAMES, *reconstructed.UNITS}
    names |= {"low_quantile", "high_quantile", "low_share", "high_share", "Frechet", "kernel", "AUC", "amplification"}
    assert not {name for name in names if name not in page}
    assert {"bias", "resolution", "core_mean", "rms", "tail_low"} <= set(Shape._fields)  # told in words there


def test_nothing_comes_from_other_servers(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|iframe)[^>]* src=\"([^\"]+)|<link[^>]* href=\"([^\"]+)", page.read_text("utf-8")
        )
        assert not [url for pair in loaded for url in pair if url.startswith(("http", "//"))], page


def test_the_search_knows_the_pages(site):
    index = (site / "search" / "search_index.json").read_text("utf-8")
    assert all(word in index for word in ("separation_power", "border-rule", "DeepTreeGAN"))


def test_links_of_the_readme_exist():
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text("utf-8"))
    missing = [link for link in links if not link.startswith("http") and not (ROOT / link).exists()]
    assert not missing


def test_examples_are_text_and_code(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "hooks")
    import pages_examples

    script = "# %% [markdown]\n# # Title\n#\n# Text.\n\n# %%\nx = 1  # %% no cell\n\n\n# %%\nprint(x)\n"
    page = pages_examples.as_markdown(script, "a.py")
    assert page.startswith("# Title\n\nText.\n\n```python\nx = 1  # %% no cell\n```\n\n```python\nprint(x)\n```\n")


def test_pages_that_are_not_written_yet_are_left_out(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "hooks")
    import main

    nav = [{"Start": ["index.md", {"Quickstart": "quickstart.md"}, {"Tutorial": "tutorial.md"}]}]
    assert main._without(nav, {"quickstart.md"}) == [{"Start": ["index.md", {"Tutorial": "tutorial.md"}]}]
