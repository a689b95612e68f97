"""export and generate --engine onnx as a user calls them, and the example that runs what comes out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.export.onnx_file import read_about
from hgcal_gnn.showers.store import open_store
from tests.cli.made_generator import DETECTOR

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "run_exported_generator.py"
# nothing but NumPy and onnxruntime
BARE = "import runpy, sys; sys.modules |= dict.fromkeys(['hgcal_gnn', 'torch', 'onnx']); sys.argv = sys.argv[1:]; "


def test_the_file_runs_without_the_package(run, untrained_generator, tmp_path):
    outcome = run("export", untrained_generator, "-o", "model.onnx")
    assert outcome.code == 0, outcome.err
    assert "model.onnx: the network of run" in outcome.out
    done = subprocess.run(
        [sys.executable, "-c", BARE + "runpy.run_path(sys.argv[0])", EXAMPLE, "model.onnx"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"calo_shower_gan in {DETECTOR}, inputs energy, noise" in done.stdout
    assert "shower 0, cell" in done.stdout
    about = read_about(tmp_path / "model.onnx")
    assert (about["format"], about["threshold"], about["cells"]) == (1, 0.0, {"first": 0})
    content = (tmp_path / "model.onnx").read_bytes()
    assert str(Path.home()).encode() not in content
    assert b"site-packages" not in content
    assert run("export", untrained_generator, "-o", "model.onnx", "--overwrite").code == 0
    assert (tmp_path / "model.onnx").read_bytes() == content


def test_the_engine_makes_the_same_showers(run, untrained_generator, tmp_path, monkeypatch):
    """The networks are exported once."""
    ask = ("generate", untrained_generator, "-n", 300, "--seed", 3, "--batch-size", 128, "-o")
    assert run(*ask, "torch.arrow").code == 0
    first = run(*ask, "onnx.arrow", "--engine", "onnx")
    assert first.code == 0
    assert "exporting the networks" in first.err
    monkeypatch.setattr("hgcal_gnn.export.generators.traced", None)  # not called again
    again = run(*ask, "again.arrow", "--engine", "onnx")
    assert again.code == 0
    assert not again.err
    eager, onnx, same = (
        open_store(tmp_path / f"{name}.arrow").read(slice(None)) for name in ("torch", "onnx", "again")
    )
    np.testing.assert_allclose(onnx.visible, eager.visible, rtol=1e-5)
    np.testing.assert_array_equal(onnx.n_hits, eager.n_hits)
    np.testing.assert_array_equal(onnx.energy, same.energy)
    assert onnx.metadata.extra["engine"] == "onnx"


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        (["-o", "model.pt"], 2, "model.pt: the model is one network; give the name of an .onnx file"),
        (["-o", "missing/model.onnx"], 1, "the folder missing does not exist"),
        (["-o", "taken.onnx"], 1, "taken.onnx: exists already"),
    ],
)
def test_outputs_that_cannot_be(run, untrained_generator, tmp_path, options, code, expected):
    (tmp_path / "taken.onnx").touch()
    outcome = run("export", untrained_generator, *options)
    assert outcome.code == code
    assert expected in outcome.err


def test_what_is_not_installed_is_named(run, untrained_generator, monkeypatch):
    for module, call in (
        ("onnxscript", ("export", "-o", "a.onnx")),
        ("onnxruntime", ("generate", "-n", 5, "-o", "a.arrow")),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            name, *options = call
            engine = ["--engine", "onnx"] if name == "generate" else []
            outcome = run(name, untrained_generator, *options, *engine)
        assert outcome.code == 2
        assert "pip install 'hgcal-gnn[export]'" in outcome.err


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match=r"a.onnx: is no network that hgcal-gnn exported"):
        read_about(tmp_path / "a.onnx")
