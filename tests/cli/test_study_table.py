"""The table of a study: numbers from the report and from the runs, side by side."""

from __future__ import annotations

import json

import pytest

from hgcal_gnn.cli.study_table import study_table


@pytest.fixture
def output(tmp_path):
    distance = {"value": 2.0, "error": 0.1, "floor": 0.05, "excess": 1.95}
    nothing = {"value": None, "error": None, "floor": None, "excess": None}
    sample = {
        "distances": {
            "response": {"separation_power": distance | {"excess": 0.3}, "wasserstein": distance},
            "n_hits": {"separation_power": distance | {"excess": 0.1}},
            "hit_mips_mean": {"separation_power": nothing},
        },
        "frechet_physics_distance": distance,
        "classifier": {"not_available": "left out"},
    }
    spectra = {
        "reference": {"mips": {"mean": [2, 2, 0]}, "mip_peak": {"position": 1.2, "width": 0.7}},
        "gan-0": {"mips": {"mean": [3, 0, 3]}, "mip_peak": {"position": None, "width": None}},
    }
    run = {
        "test": {"response": 0.98, "response_width": 1.5, "occupancy": 0.7}, "n_parameters": 12345, "seconds": 90.0,
        "ms_per_shower": 0.25, "hardware": "1 thread on some CPU",
    }  # fmt: skip
    for folder, content in (("comparison", {"hit_energies": spectra, "samples": {"gan-0": sample}}), ("gan-0", run)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "metrics.json").write_text(json.dumps(content))
    return tmp_path


def test_numbers_stand_where_they_belong(output):
    text = study_table(output, ["gan-0"])
    header, _, reference, gan = ([cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[:4])
    found = dict(zip(header, gan, strict=True))
    assert found["response"] == "0.98"
    assert found["separation power, above the floor"] == "0.2"  # of the two observables that have one
    assert found["Frechet distance"] == "2.00 ± 0.10 (0.05)"
    assert found["AUC on observables"] == "-"
    assert found["separation of hit energies"] == "0.5"  # p = 1/2, 1/2, 0 against 1/2, 0, 1/2
    assert found["MIP peak at"] == "none"
    assert found["parameters"] == "12,345"
    assert found["training [min]"] == "1.5"
    assert dict(zip(header, reference, strict=True))["MIP peak at"] == "1.2"
    assert "1 thread on some CPU" in text
