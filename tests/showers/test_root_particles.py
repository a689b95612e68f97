"""Incident particles: filters, units, and every rule for events with several, worked out by hand."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hgcal_gnn.errors import InputError
from hgcal_gnn.showers.file_report import FileReport
from hgcal_gnn.showers.input_rules import InputRules
from hgcal_gnn.showers.root import RootOptions, iterate_root
from hgcal_gnn.showers.root.branches import load_branch_map
from hgcal_gnn.showers.showers import Showers
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree

CELLS = toy_cells()
FORWARD, BACKWARD = 30, 5  # rows: the table begins with the side -1


def read(path, report=None, **options) -> Showers:
    return Showers.concatenate(list(iterate_root(path, CELLS, RootOptions(**options), report)))


@pytest.fixture
def two_particles(tmp_path):
    """Event 0: a photon forward and a heavier one backward; event 1: one photon forward with noise behind."""
    branches = hgcal_branches(CELLS, rows=[[FORWARD, BACKWARD, FORWARD + 1], [BACKWARD, FORWARD]])
    branches |= {
        "genPart_E": ak.Array([[3.0, 5.0], [7.0]]),
        "genPart_eta": ak.Array([[2.0, -2.5], [1.7]]),
        "genPart_phi": ak.Array([[0.0, 3.0], [1.0]]),
        "genPart_pdgId": ak.Array([[22, 211], [22]]),
        "vtx_z": np.array([1.0, 2.0]),
    }
    return write_tree(tmp_path / "two.root", branches)


def test_several_particles_are_refused_unless_a_rule_is_chosen(two_particles):
    with pytest.raises(InputError, match=r"1 of 2 events have several incident particles .*first events 0 .*by-side"):
        read(two_particles)


def test_first_and_highest_energy(two_particles):
    report = FileReport("")
    first = read(two_particles, report, particles="first")
    assert first.incident_energy.tolist() == [3, 7]
    assert first.pdg_id.tolist() == [22, 22]
    assert first.vertex_z.tolist() == [1, 2]  # one vertex an event holds for all its particles
    assert first.n_hits.tolist() == [3, 2]
    assert report.findings["event with several incident particles"].count == 1
    highest = read(two_particles, particles="highest-energy")
    assert highest.incident_energy.tolist() == [5, 7]
    assert highest.particle_index.tolist() == [1, 0]
    np.testing.assert_allclose(highest.eta, [-2.5, 1.7], rtol=1e-6)


def test_sum_adds_energies_and_momenta(two_particles):
    summed = read(two_particles, particles="sum")
    assert summed.incident_energy.tolist() == [8, 7]
    assert summed.pdg_id.tolist() == [0, 22]
    momentum = 3 * np.array([1, 0, np.sinh(2.0)]) / np.cosh(2.0)
    momentum += 5 * np.array([np.cos(3.0), np.sin(3.0), np.sinh(-2.5)]) / np.cosh(2.5)
    found = [summed.direction_x[0], summed.direction_y[0], summed.direction_z[0]]
    np.testing.assert_allclose(found, momentum / np.linalg.norm(momentum), rtol=1e-5)


def test_balanced_momenta_have_no_direction(tmp_path):
    branches = hgcal_branches(CELLS, rows=[[1]])
    branches |= {"genPart_E": ak.Array([[3.0, 3.0]]), "genPart_eta": ak.Array([[2.0, -2.0]])}
    branches["genPart_phi"] = ak.Array([[0.0, np.pi]])
    assert np.isnan(read(write_tree(tmp_path / "a.root", branches), particles="sum").direction_z).all()


def test_by_side_gives_each_particle_the_hits_of_its_endcap(two_particles):
    report = FileReport("")
    showers = read(two_particles, report, particles="by-side")
    assert showers.incident_energy.tolist() == [3, 5, 7]
    assert showers.event_id.tolist() == [0, 0, 1]
    assert showers.particle_index.tolist() == [0, 1, 0]
    assert showers.cell.tolist() == [FORWARD, FORWARD + 1, BACKWARD, FORWARD]
    assert showers.offsets.tolist() == [0, 2, 3, 4]
    lost = report.findings["hit in an endcap without incident particle"]
    assert (lost.count, lost.energy) == (1, 4 / 1024)
    assert report.events == 2


def test_by_side_refuses_two_particles_in_one_endcap(tmp_path):
    branches = hgcal_branches(CELLS, rows=[[1], [2]])
    branches |= {"genPart_E": ak.Array([[3.0], [5.0, 6.0]]), "genPart_eta": ak.Array([[2.0], [1.7, 2.5]])}
    branches["genPart_phi"] = ak.Array([[0.0], [0.0, 1.0]])
    path = write_tree(tmp_path / "a.root", branches)
    with pytest.raises(InputError, match="1 events have two particles in one endcap, first events 1"):
        read(path, particles="by-side")


def test_events_without_particles(tmp_path):
    branches = hgcal_branches(CELLS, rows=[[1], [2, 3]])
    for name in ("genPart_E", "genPart_eta", "genPart_phi"):
        branches[name] = ak.Array([[1.0], []])
    path = write_tree(tmp_path / "a.root", branches)
    with pytest.raises(InputError, match=r"event without incident particle: 1 of 2 .*first 1 .*no_particle"):
        read(path)
    kept = read(path, rules=InputRules(no_particle="keep"))
    assert np.isnan(kept.incident_energy).tolist() == [False, True]
    report = FileReport("")
    dropped = read(path, report, rules=InputRules(no_particle="drop"))
    assert dropped.cell.tolist() == [1]
    assert (report.events, report.showers) == (2, 1)
    assert report.findings["event without incident particle"].action == "dropped"


def test_only_generated_particles_are_incident(tmp_path):
    branches = {
        "rechit_detid": ak.values_astype(ak.Array([[int(CELLS.cell_id[3])], [int(CELLS.cell_id[4])]]), np.uint32),
        "rechit_energy": ak.Array([[1.0], [2.0]]),
        "genpart_energy": ak.Array([[1.0, 9.0], [2.0]]),
        "genpart_eta": ak.Array([[1.5, 2.0], [2.5]]),
        "genpart_phi": ak.Array([[0.1, 0.2], [0.3]]),
        "genpart_gen": ak.Array([[-1, 1], [1]]),
    }
    path = write_tree(tmp_path / "a.root", branches, tree="ana/hgc")
    assert read(path).incident_energy.tolist() == [9, 2]
    everyone = load_branch_map("cmssw-reco").changed({"particles.keep": None})
    with pytest.raises(InputError, match="several incident particles"):
        read(path, branches=everyone)


def test_energy_follows_from_momentum_and_mass(tmp_path):
    branches = hgcal_branches(CELLS, rows=[[1]])
    branches |= {"px": ak.Array([[3.0]]), "py": ak.Array([[0.0]]), "pz": ak.Array([[4.0]]), "m": ak.Array([[12.0]])}
    names = load_branch_map("hgcal").changed(
        {
            "particles.energy": (),
            "particles.px": "px",
            "particles.py": "py",
            "particles.pz": "pz",
            "particles.mass": "m",
        }
    )
    showers = read(write_tree(tmp_path / "a.root", branches), branches=names)
    assert showers.incident_energy.tolist() == [13]  # 5, 12, 13
    np.testing.assert_allclose([showers.direction_x[0], showers.direction_z[0]], [0.6, 0.8], rtol=1e-7)


@pytest.mark.parametrize("energy", [np.nan, np.inf, -1.0])
def test_impossible_incident_energies_are_refused(tmp_path, energy):
    branches = hgcal_branches(CELLS, rows=[[1], [2]])
    branches["genPart_E"] = ak.Array([[1.0], [energy]])
    path = write_tree(tmp_path / "a.root", branches)
    with pytest.raises(InputError, match=r"1 incident particles have an energy .*first in events 1"):
        read(path)
    assert len(read(path, particles="none")) == 2
