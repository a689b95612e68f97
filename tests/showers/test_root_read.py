"""Reading ROOT trees: values worked out by hand, units, shapes of branches, steps, what is missing."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.showers.file_report import FileReport
from hgcal_gnn.showers.root import RootOptions, iterate_root
from hgcal_gnn.showers.root.branches import PRESETS, load_branch_map
from hgcal_gnn.showers.showers import Showers
from tests.showers.made_root import hgcal_branches, toy_cells, write_tree

CELLS = toy_cells()


def read(path, report=None, **options) -> Showers:
    return Showers.concatenate(list(iterate_root(path, CELLS, RootOptions(**options), report)))


def test_hits_particles_and_counts_by_hand(tmp_path):
    path = write_tree(tmp_path / "a.root", hgcal_branches(CELLS))
    report = FileReport(str(path))
    showers = read(path, report)
    assert showers.offsets.tolist() == [0, 3, 4, 4, 6]
    assert showers.cell.tolist() == [0, 5, 7, 33, 2, 39]
    assert showers.energy.tolist() == [i / 1024 for i in range(1, 7)]
    assert showers.incident_energy.tolist() == [10, 20, 30, 40]
    # eta 2, phi 0.5: direction (cos phi, sin phi, sinh eta) / cosh eta
    np.testing.assert_allclose(showers.direction_x, np.cos(0.5) / np.cosh(2.0), rtol=1e-6)
    np.testing.assert_allclose(showers.direction_z, np.tanh(2.0), rtol=1e-6)
    assert showers.event_id.tolist() == [0, 1, 2, 3]
    assert showers.pdg_id.tolist() == [0] * 4
    assert np.isnan(showers.vertex_x).all()
    assert showers.time is None
    assert showers.metadata.cells_sha256 == CELLS.sha256
    assert (report.events, report.showers, report.hits, report.energy) == (4, 4, 6, 21 / 1024)
    assert {reason: found.count for reason, found in report.findings.items()} == {"event without hits": 1}


@pytest.mark.parametrize("compression", [uproot.ZLIB(1), uproot.ZSTD(1), uproot.LZ4(1), uproot.LZMA(1), None])
def test_every_compression_reads_the_same(tmp_path, compression):
    branches = hgcal_branches(CELLS)
    path = write_tree(tmp_path / "a.root", branches, compression=compression)
    assert read(path).equals(read(write_tree(tmp_path / "b.root", branches)))


def test_small_steps_give_the_same_showers(tmp_path):
    random = np.random.default_rng(3)
    rows = [random.integers(0, 40, size).tolist() for size in random.poisson(4, 60)]
    path = write_tree(tmp_path / "a.root", hgcal_branches(CELLS, rows=rows))
    at_once, report = read(path), FileReport("")
    pieces = list(iterate_root(path, CELLS, RootOptions(step="200 B", threads=1), report))
    assert len(pieces) > 10
    assert Showers.concatenate(pieces).equals(at_once)
    assert report.events == 60


def test_mev_mm_and_ps_are_converted_once(tmp_path):
    branches = hgcal_branches(CELLS)
    for name in ("simHit_E", "genPart_E"):
        branches[name] = ak.values_astype(ak.values_astype(branches[name], np.float64) * 1000, np.float64)
    branches |= {"simHit_time": branches["simHit_E"], "vtx_x": np.array([10.0, 20.0, 30.0, 40.0])}
    path = write_tree(tmp_path / "a.root", branches)
    units = {"energy_unit": "MeV", "length_unit": "mm", "time_unit": "ps"}
    showers = read(path, branches=load_branch_map("hgcal").changed(units))
    assert showers.energy.tolist() == [i / 1024 for i in range(1, 7)]
    assert showers.incident_energy.tolist() == [10, 20, 30, 40]
    assert showers.vertex_x.tolist() == [1, 2, 3, 4]
    assert showers.time is not None
    np.testing.assert_allclose(showers.time, showers.energy, rtol=1e-6)


def test_fixed_size_branches_end_where_the_count_says(tmp_path):
    ids = CELLS.cell_id.astype(np.uint32)
    branches = {
        "simHit_detId": np.array([ids[[1, 2, 3]], ids[[4, 5, 6]]]),
        "simHit_E": np.array([[1, 2, 3], [4, 5, 6]], np.float32),
        "n": np.array([2, 0], np.int32),
        "genPart_E": np.array([5.0, 6.0], np.float32),
        "event": np.array([7, 9], np.uint64),
        "weight": np.array([0.5, 1.5]),
    }
    path = write_tree(tmp_path / "a.root", branches)
    report = FileReport("")
    showers = read(path, report, branches=load_branch_map("hgcal").changed({"hits.count": "n"}))
    assert showers.offsets.tolist() == [0, 2, 2]
    assert showers.cell.tolist() == [1, 2]
    assert showers.event_id.tolist() == [7, 9]
    assert showers.weight is not None
    assert showers.weight.tolist() == [0.5, 1.5]
    assert report.findings["padding of fixed-size branches"].count == 4
    # without a count, all values are hits; a padding id marks those that are not
    assert len(read(path).cell) == 6
    padded = load_branch_map("hgcal").changed({"hits.padding_id": int(ids[3])})
    assert read(path, branches=padded).cell.tolist() == [1, 2, 4, 5, 6]
    branches["n"] = np.array([4, 0], np.int32)
    wrong = write_tree(tmp_path / "b.root", branches)
    with pytest.raises(InputError, match=r"b\.root.* n exceeds the number of values in 1 events, first 0"):
        read(wrong, branches=load_branch_map("hgcal").changed({"hits.count": "n"}))


def test_times_not_measured_are_nan_and_can_be_left_out(tmp_path):
    branches = hgcal_branches(CELLS) | {"simHit_time": ak.Array([[1.5, -1.0, 2.5], [3.5], [], [-1.0, 4.5]])}
    path = write_tree(tmp_path / "a.root", branches)
    names = load_branch_map("hgcal").changed({"hits.no_time": [-1, -99]})
    time = read(path, branches=names).time
    assert time is not None
    assert np.nan_to_num(time, nan=0.0).tolist() == [1.5, 0, 2.5, 3.5, 0, 4.5]
    assert read(path, branches=names, times=False).time is None


def test_deposits_of_one_cell_are_added_on_request(tmp_path):
    path = write_tree(tmp_path / "a.root", hgcal_branches(CELLS, rows=[[5, 3, 5]]))
    from hgcal_gnn.showers.input_rules import InputRules

    report = FileReport("")
    merged = read(path, report, rules=InputRules(merge=True))
    assert merged.cell.tolist() == [3, 5]
    assert merged.energy.tolist() == [2 / 1024, 4 / 1024]
    assert report.findings["deposit added to another in its cell"].count == 1
    assert len(read(path).cell) == 3


def test_a_missing_branch_is_named_with_those_there(tmp_path):
    branches = hgcal_branches(CELLS)
    branches["simHit_energy"] = branches.pop("simHit_E")
    path = write_tree(tmp_path / "a.root", branches)
    with pytest.raises(InputError, match=r"a\.root: tree tree has no branch simHit_E \(hits\.energy .* simHit_energy"):
        read(path)
    renamed = load_branch_map("hgcal").changed({"hits.energy": "simHit_energy"})
    assert read(path, branches=renamed).energy[0] == 1 / 1024


def test_a_missing_incident_energy_can_be_done_without(tmp_path):
    branches = hgcal_branches(CELLS)
    del branches["genPart_E"]
    path = write_tree(tmp_path / "a.root", branches)
    with pytest.raises(InputError, match=r"particles\.energy"):
        read(path)
    assert np.isnan(read(path, particles="none").incident_energy).all()


def test_trees_are_found_or_listed(tmp_path):
    branches = hgcal_branches(CELLS)
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        for name in ("sub/showers", "other"):
            held = branches if name == "sub/showers" else {"x": np.arange(3)}
            types = {key: ak.Array(value).type.content for key, value in held.items()}
            file.mktree(name, types).extend(held)
    assert len(read(path)) == 4  # the only tree with the branches
    assert len(read(path, tree="sub/showers")) == 4
    with pytest.raises(InputError, match=r"no tree 'nothing'; trees in the file: other, sub/showers"):
        read(path, tree="nothing")
    empty = tmp_path / "empty.root"
    with uproot.recreate(empty) as file:
        file["text"] = "no tree here"
    with pytest.raises(InputError, match=r"holds no tree \(TTree\); found text"):
        read(empty)


def test_a_file_no_preset_fits_says_what_it_holds(tmp_path):
    path = write_tree(tmp_path / "a.root", {"myId": np.arange(3), "myE": np.arange(3.0)})
    with pytest.raises(InputError, match=r"none of the presets hgcal, cmssw-reco, edm4hep fits.*myE, myId"):
        read(path)


def test_branches_of_different_lengths_are_refused(tmp_path):
    branches = hgcal_branches(CELLS)
    branches["simHit_E"] = ak.Array([[1.0, 2.0, 3.0], [4.0, 5.0], [], [6.0, 7.0]])
    path = write_tree(tmp_path / "a.root", branches)
    with pytest.raises(InputError, match=r"simHit_E and simHit_detId have different numbers .* in 1 events, first 1"):
        read(path)


def test_lists_of_lists_and_float_ids_are_refused(tmp_path):
    branches = hgcal_branches(CELLS)
    branches["simHit_detId"] = ak.values_astype(branches["simHit_detId"], np.float64)
    with pytest.raises(InputError, match="whole numbers"):
        read(write_tree(tmp_path / "a.root", branches))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_load_and_state_their_units(preset):
    names = load_branch_map(preset)
    assert names.hits.cell_id
    assert names.energy_unit == "GeV"
    assert names.length_unit == ("mm" if preset == "edm4hep" else "cm")


def test_branch_maps_from_files(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("energy_unit: MeV\nhits: {cell_id: id, energy: [e, E]}\nparticles: {energy: E0}\n")
    names = load_branch_map(path)
    assert names.hits.energy == ("e", "E")
    for text, problem in (
        ("hits: {cell_id: id, energi: e}", r"hits\.energi.*entries are .*hits\.energy"),
        ("hits: {cell_id: id}", r"hits\.energy: Field required"),
        ("hits: [", "not YAML"),
        ("energy_unit: TeV\nhits: {cell_id: id, energy: e}", "energy_unit"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=problem):
            load_branch_map(path)
    with pytest.raises(UsageError, match=r"no preset 'cms'.*hgcal, cmssw-reco, edm4hep"):
        load_branch_map("cms")
    with pytest.raises(UsageError, match=r"no entry 'hits\.e'; there are .*hits\.energy"):
        names.changed({"hits.e": "x"})
