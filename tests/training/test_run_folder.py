"""What may be done with a run folder that is there already."""

from __future__ import annotations

import pytest

from hgcal_gnn.config.generation import GenerationConfig
from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.errors import InputError, OutputError, UsageError
from hgcal_gnn.training.run_folder import RunFolder


@pytest.fixture
def begun(piece, tmp_path):
    """A run that was begun."""
    folder = RunFolder(tmp_path / "runs" / "a")
    folder.prepare(piece.config(), resume=False)
    (folder.checkpoints / "last.ckpt").write_text("x")
    return folder


def test_a_new_folder_holds_all_settings(begun, piece):
    assert begun.read_config(RunConfig) == piece.config()
    assert not begun.is_finished


def test_a_run_is_not_replaced_unasked(begun, piece):
    with pytest.raises(OutputError, match=r"an unfinished run; go on with --resume, replace it with --overwrite"):
        begun.check(piece.config(), resume=False, overwrite=False)
    begun.metrics.write_text("{}")
    with pytest.raises(OutputError, match="a finished run"):
        begun.check(piece.config(), resume=False, overwrite=False)


def test_overwriting_removes_what_runs_write_and_nothing_else(begun, piece):
    (begun.path / "notes.txt").write_text("mine")
    begun.metrics.write_text("{}")
    begun.check(piece.config(seed=4), resume=False, overwrite=True)
    begun.prepare(piece.config(seed=4), resume=False)
    assert (begun.path / "notes.txt").exists()
    assert not begun.last.exists()
    assert not begun.is_finished
    assert begun.read_config(RunConfig).seed == 4


def test_what_a_killed_process_left_does_not_stand_in_the_way(piece, tmp_path):
    folder = RunFolder(tmp_path / "a")
    folder.path.mkdir()
    (folder.path / ".config.yaml.x1y2.yaml").write_text("")
    folder.check(piece.config(), resume=False, overwrite=False)
    folder.prepare(piece.config(), resume=False)
    assert folder.config.exists()


def test_removing_a_run_leaves_what_is_not_of_it(begun):
    (begun.path / "notes.txt").write_text("mine")
    begun.remove()
    assert [path.name for path in begun.path.iterdir()] == ["notes.txt"]
    (begun.path / "notes.txt").unlink()
    begun.remove()
    assert not begun.path.exists()


def test_a_folder_that_cannot_be_made(piece, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be the folder of a run: Not a directory"):
        RunFolder(tmp_path / "file" / "run").prepare(piece.config(), resume=False)


def test_resuming_needs_the_same_settings(begun, piece):
    with pytest.raises(UsageError, match=r"settings differ(.|\n)*\n  seed: 2, in the run 1$"):
        begun.check(piece.config(seed=2), resume=True, overwrite=False)
    with pytest.raises(UsageError, match=r"model.hidden: 5, in the run 4"):
        begun.check(piece.config(model={"kind": "message_passing", "hidden": 5}), resume=True, overwrite=False)
    longer = piece.config(train={"epochs": 9, "patience": 3})
    begun.check(longer, resume=True, overwrite=False)
    begun.prepare(longer, resume=True)
    assert begun.last.exists()
    assert begun.read_config(RunConfig).train.epochs == 9


def test_nothing_to_resume_is_a_new_run(piece, tmp_path):
    folder = RunFolder(tmp_path / "new")
    folder.check(piece.config(), resume=True, overwrite=False)
    folder.prepare(piece.config(), resume=True)
    assert folder.config.exists()


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"resume": True}])
def test_folders_of_something_else_are_left_alone(piece, tmp_path, options):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match="no folder of a run"):
        RunFolder(tmp_path).check(piece.config(), **{"resume": False, "overwrite": False, **options})
    assert (tmp_path / "thesis.tex").exists()


def test_reading_a_folder_that_holds_no_run(tmp_path):
    with pytest.raises(InputError, match=r"no config.yaml"):
        RunFolder(tmp_path).read_config(RunConfig)


def test_a_run_of_the_other_kind_is_refused_with_the_command_that_takes_it(begun):
    with pytest.raises(InputError, match=r"trains a regressor, a generator is needed here.* hgcal-gnn predict"):
        begun.read_config(GenerationConfig)
