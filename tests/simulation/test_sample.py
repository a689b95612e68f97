"""Samples as files: resumed after an interruption, only the endcap in the beam looked at, aimed at the detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hgcal_gnn.geometry.detectors import make_detector
from hgcal_gnn.simulation import sample
from hgcal_gnn.simulation.beam import Beam, parse_spectrum
from hgcal_gnn.simulation.simulate import simulate


def test_a_sample_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    """Parts that are finished are not made again, and the file is that of an uninterrupted run."""
    monkeypatch.setattr(sample, "PART", 4)
    monkeypatch.setattr(sample, "STEP", 2)
    cells = make_detector("hgcal", eta=(1.9, 2.1), phi=(1.5, 1.65), side=1)
    beam = Beam("photon", parse_spectrum("5"), eta=2.0, phi=1.57)
    told: list[int] = []

    def interrupt(done):
        told.append(done)
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample.write_sample(cells, beam, 11, tmp_path / "a.arrow", progress=interrupt)
    assert sorted(path.name for path in (tmp_path / "a.arrow.parts").glob("part-*.json")) == ["part-00000.json"]
    told.clear()
    report = sample.write_sample(cells, beam, 11, tmp_path / "a.arrow", progress=told.append)
    assert report.resumed == 4
    assert told == [4, 6, 8, 10, 11]
    sample.write_sample(cells, beam, 11, tmp_path / "whole.arrow")
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "whole.arrow").read_bytes()
    assert not (tmp_path / "a.arrow.parts").exists()


def test_only_the_endcap_in_the_beam_is_looked_at():
    """Rows and showers are those of the whole detector."""
    cells = make_detector("hgcal", eta=None, phi=(1.5, 1.65), layers=(1, 12))
    beam = Beam("photon", parse_spectrum("20"), eta=-2.0, phi=1.57)
    rows = sample.needed_rows(cells, beam)
    assert (cells.z_side[rows] == -1).all()
    assert rows.stop - rows.start == (cells.z_side == -1).sum()
    assert sample.needed_rows(cells, replace(beam, eta=2.0)).stop == cells.n_cells
    assert sample.needed_rows(cells, replace(beam, eta=(-2.0, 2.0))) == slice(0, cells.n_cells)
    assert sample.needed_rows(cells, replace(beam, vertex=(0, 0, 900.0))) == slice(0, cells.n_cells)
    whole, part = simulate(cells, beam, 4), simulate(cells.select(rows), beam, 4)
    np.testing.assert_array_equal(part.cell + rows.start, whole.cell)
    np.testing.assert_array_equal(part.energy, whole.energy)


def test_a_beam_without_direction_points_at_the_detector():
    assert sample.aim(make_detector("lcd", layers=(1, 3))) == pytest.approx((1, 0, 0), abs=1e-6)
    assert sample.aim(make_detector("calochallenge-2", layers=(1, 2))) == pytest.approx((0, 0, 1), abs=1e-6)
    assert sample.aim(make_detector("hgcal", layers=(1, 1))) is None
    assert sample.aim(make_detector("hgcal", layers=(1, 1), side=1)) is None  # the hole of the endcap
