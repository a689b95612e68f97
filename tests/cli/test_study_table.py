"""The numbers and the table of a study: from the report, the runs and the timings, side by side."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hgcal_gnn.cli.benchmark_runs import SIMULATION
from hgcal_gnn.cli.study_generators import draw_quality_against_time
from hgcal_gnn.cli.study_numbers import ratios_to_reference, study_numbers
from hgcal_gnn.cli.study_samples import StudySample
from hgcal_gnn.cli.study_table import study_table
from hgcal_gnn.evaluation.features import compute_features
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.geometry.graph_file import load_graph
from hgcal_gnn.showers.store import open_store, write_showers
from hgcal_gnn.training.geometry import find_material

GAN, CELLS = StudySample("gan-0", "gan", "gan-0"), StudySample("cells-0-steps4", "cells", "cells-0", 0, 4)
RATIOS = {
    "gan-0": {"response": 0.98, "response_width": 1.5, "occupancy": 0.7},
    "cells-0-steps4": {"response": 1.01, "response_width": 1.1, "occupancy": 1.2},
}


def _timings(generation, ready, simulation):
    """What benchmark writes, of two batch sizes; the numbers that matter are of the second one."""
    rows = []
    for scale in (10, 1):
        rows += [(SIMULATION, "generation", scale * simulation), (SIMULATION, "writing", 0.1)]
        rows += [("generator x", "generation", scale * generation)]
        rows += [("generator x", "generation + post-processing", scale * ready), ("generator x", "writing", 0.1)]
    return {"timings": [{"name": name, "stage": stage, "mean": ms, "mean_error": 0.01} for name, stage, ms in rows]}


@pytest.fixture
def output(tmp_path):
    distance = {"value": 2.0, "error": 0.1, "floor": 0.05, "excess": 1.95}
    nothing = {"value": None, "error": None, "floor": None, "excess": None}
    bins = [{"value": 0.9, "error": 0.03}, {"value": 1.1, "error": 0.04}, {"value": None, "error": None}]
    agreement = {"response_ratio": bins, "resolution_ratio": [{"value": 1.5, "error": 0.2}]}
    gan = {
        "distances": {
            "response": {"separation_power": distance | {"excess": 0.3}, "wasserstein": distance},
            "n_hits": {"separation_power": distance | {"excess": 0.1}},
            "hit_mips_mean": {"separation_power": nothing},
        },
        "frechet_physics_distance": distance,
        "classifier": {"not_available": "left out"},
        "reconstruction": {"not_available": "left out"},
    }
    cells = gan | {
        "classifier": {"auc": distance | {"value": 0.75}},
        "reconstruction": {"energies": {"clustered_energy": None, "regressed_energy": agreement}},
    }
    spectra = {
        "reference": {"mips": {"mean": [2, 2, 0]}, "mip_peak": {"position": 1.2, "width": 0.7}},
        "gan-0": {"mips": {"mean": [3, 0, 3]}, "mip_peak": {"position": None, "width": None}},
        "cells-0-steps4": {"not_available": "too few"},
    }
    run = {"n_parameters": 12345, "seconds": 90.0, "hardware": "1 thread on some CPU"}
    files = {
        "comparison/metrics": {"hit_energies": spectra, "samples": {"gan-0": gan, "cells-0-steps4": cells}},
        "gan-0/metrics": run, "cells-0/metrics": run | {"n_parameters": 99},
        "gan-0.timing": _timings(0.2, 0.25, 7.0), "cells-0-steps4.timing": _timings(3.0, 4.0, 8.0),
        "gan-0.generation": {"peak_memory_mib": 812.5}, "cells-0-steps4.generation": {"peak_memory_mib": None},
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_numbers_stand_where_they_belong(output):
    text = study_table(study_numbers(output, [GAN, CELLS], RATIOS, is_simulated=True), 100)
    header, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[:5])
    reference, gan, cells = (dict(zip(header, row, strict=True)) for row in rows)
    assert gan["response"] == "0.98"
    assert gan["hits"] == "0.7"
    assert gan["separation power, above the floor"] == "0.2"  # of the two observables that have one
    assert gan["Frechet distance"] == "2.00 ± 0.10 (0.05)"
    assert gan["AUC on observables"] == "-"
    assert gan["separation of hits"] == "2.00 ± 0.10 (0.05)"
    assert gan["separation of hit energies"] == "0.5"  # p = 1/2, 1/2, 0 against 1/2, 0, 1/2
    assert gan["MIP peak at"] == "none"
    assert gan["regressed energy"] == gan["its resolution"] == "-"
    assert gan["parameters"] == "12,345"
    assert gan["training [min]"] == "1.5"
    assert gan["ms per shower"] == "0.25"
    assert gan["peak memory [MiB]"] == "812.5"
    assert cells["parameters"] == "99"
    assert cells["regressed energy"] == "1.000 ± 0.025"  # mean of 0.9 ± 0.03 and 1.1 ± 0.04
    assert cells["its resolution"] == "1.50 ± 0.20"
    assert cells["separation of hit energies"] == cells["peak memory [MiB]"] == "-"
    assert reference["MIP peak at"] == "1.2"
    assert reference["ms per shower"] == "8"  # of 7 and 8 the upper one
    assert "1 thread on some CPU" in text
    assert "100 at a time" in text


def test_the_time_of_other_references_is_unknown(output):
    found = study_numbers(output, [GAN], RATIOS, is_simulated=False)
    assert found["reference"]["ms_per_shower"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_quality_is_drawn_where_it_is_known(output):
    found = study_numbers(output, [GAN, CELLS], RATIOS, is_simulated=True)
    draw_quality_against_time(found, output / "pareto.png")
    assert (output / "pareto.png").exists()
    for one in found["samples"].values():
        one["separation"] = one["auc"]["value"] = None
    draw_quality_against_time(found, output / "nothing.png")
    assert not (output / "nothing.png").exists()


def test_ratios_are_those_of_the_showers(made, photons, tmp_path):
    """Twice the energy in every cell; a threshold cuts both samples."""
    cells = load_graph(made / "piece.safetensors").cells
    numbers = CellNumbers.of(cells, find_material(None, "hgcal"))
    showers = open_store(photons)[:40]
    reference, doubled = tmp_path / "reference.arrow", tmp_path / "doubled.arrow"
    write_showers([showers], reference)
    write_showers([showers.replace(energy=2 * showers.energy)], doubled)
    files = {"reference": reference, "doubled": doubled}
    found = ratios_to_reference(files, numbers)["doubled"]
    response = compute_features(showers, numbers, ("response",)).column("response")
    assert np.isfinite(response).all()
    assert found["response"] == pytest.approx(2, rel=1e-5)
    assert found["response_width"] == pytest.approx(2, rel=1e-4)
    assert found["occupancy"] == 1
    threshold = float(np.median(showers.energy))
    expected = (2 * showers.energy > threshold).sum() / (showers.energy > threshold).sum()
    assert ratios_to_reference(files, numbers, threshold)["doubled"]["occupancy"] == pytest.approx(expected)
