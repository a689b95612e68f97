"""Files of strangers run no code, write nowhere else, and put nothing into a page but text."""

from __future__ import annotations

import ast
import io
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hgcal_gnn.errors import HgcalError
from hgcal_gnn.evaluation.report.markdown import markdown
from hgcal_gnn.evaluation.report.page import Picture, html_page
from hgcal_gnn.evaluation.report.run import evaluate
from hgcal_gnn.evaluation.report.settings import EvaluationSettings
from hgcal_gnn.geometry.build import build_graph
from hgcal_gnn.showers.showers import Showers
from hgcal_gnn.training import samples
from hgcal_gnn.training.lightning_runs import read_checkpoint
from tests.fuzz.targets import TARGETS
from tests.showers.made_root import toy_cells

ROOT = Path(__file__).resolve().parents[2]


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def disguises(marker: Path) -> dict[str, bytes]:
    """A program in everything that loads objects."""
    archive, array = io.BytesIO(), io.BytesIO()
    torch.save({"state_dict": {"a": torch.zeros(1)}, "x": Evil(marker)}, archive)
    np.save(array, np.array([Evil(marker)]), allow_pickle=True)
    text = f"!!python/object/apply:os.mkdir ['{marker}']\n"
    return {
        "pickle": pickle.dumps({"state_dict": Evil(marker)}),
        "torch archive": archive.getvalue(),
        "numpy": array.getvalue(),
        "yaml": f"model: {text}train: {text}".encode(),
    }


def test_the_disguises_would_work(tmp_path):
    """Otherwise the tests below say nothing."""
    made = disguises(tmp_path / "pwned")
    for number, load in enumerate(
        (
            lambda: pickle.loads(made["pickle"]),  # noqa: S301
            lambda: torch.load(io.BytesIO(made["torch archive"]), weights_only=False),
            lambda: np.load(io.BytesIO(made["numpy"]), allow_pickle=True),
            lambda: yaml.unsafe_load(made["yaml"]),
        )
    ):
        try:
            load()
        except FileExistsError:  # the second of two in one file
            assert number == 3
        assert (tmp_path / "pwned").is_dir()
        (tmp_path / "pwned").rmdir()


@pytest.mark.parametrize("name", TARGETS)
def test_no_reader_runs_code(name, tmp_path):
    path = TARGETS[name].make(tmp_path)
    for content in disguises(tmp_path / "pwned").values():
        path.write_bytes(content)
        with pytest.raises(HgcalError):
            TARGETS[name].read(path)
        assert not (tmp_path / "pwned").exists()


def test_a_training_is_not_resumed_from_a_program(tmp_path):
    (tmp_path / "last.ckpt").write_bytes(disguises(tmp_path / "pwned")["torch archive"])
    with pytest.raises(HgcalError, match="the checkpoint is damaged"):
        read_checkpoint(tmp_path / "last.ckpt")
    assert not (tmp_path / "pwned").exists()


def test_nothing_in_the_package_loads_objects():
    """No pickle, no eval, no NumPy or PyTorch file read with objects in it, no YAML but by a safe loader."""
    for path in sorted((ROOT / "hgcal_gnn").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                assert not {"pickle", "dill", "joblib", "marshal", "shelve"} & set(names), path
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            assert called not in {"eval", "exec", "os.system", "yaml.unsafe_load", "yaml.full_load"}, path
            assert options.get("allow_pickle", "False") == "False", path
            assert options.get("shell", "False") == "False", path
            if called == "torch.load":
                assert options["weights_only"] == "True", path
            if called == "yaml.load":
                assert [ast.unparse(each) for each in node.args[1:]] == ["UniqueKeys"], path


@pytest.mark.parametrize("name", ["../../etc/x", "/etc/x", "a/b", "..", "x" * 500, "é\0\n"])
def test_the_name_of_a_detector_is_no_path(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HGCAL_GNN_CACHE", str(tmp_path))
    from hgcal_gnn.config.data import SimulateConfig
    from hgcal_gnn.geometry.material import load_material

    config = SimulateConfig(particle="photon", energy="5", number=1)
    path = samples.sample_path(config, replace(toy_cells(), detector=name), load_material("hgcal"))
    assert path.parent.resolve() == (tmp_path / "samples").resolve()
    assert len(path.name) < 255


def test_a_page_shows_names_as_text():
    """Names of samples, sources and detectors come from files."""
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    cells = replace(toy_cells(), detector="hgcal")
    graph = build_graph(cells)[0]
    random = np.random.default_rng(1)
    offsets = np.arange(0, 301, 5)
    columns = {"offsets": offsets, "cell": random.integers(0, 40, 300), "energy": random.exponential(1e-3, 300),
               "incident_energy": np.full(60, 10.0)}  # fmt: skip
    showers = Showers.from_columns(columns)
    showers = showers.replace(metadata=replace(showers.metadata, source=bad, cells_sha256=graph.cells_sha256))
    settings = EvaluationSettings(observables=("energy",), threshold=0.0).quick()
    found = evaluate(showers, {bad: showers}, graph, settings=settings)
    page = html_page(found, [Picture("observables", bad, bad, "<svg></svg>")])
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<script>alert" not in markdown(found)
