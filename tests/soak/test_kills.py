"""A short soak; the long one is ``python -m tests.soak.kills``."""

from __future__ import annotations

import random

import pytest

from tests.soak.kills import jobs, soak


@pytest.mark.slow  # processes of their own
def test_simulate_survives_two_kills(tmp_path):
    made = jobs(tmp_path)
    (tmp_path / "soak").mkdir()
    soak(made["simulate"], tmp_path / "soak", 2, random.Random(2))  # noqa: S311


@pytest.mark.minutes
@pytest.mark.parametrize("name", ["convert", "generate", "train_regressor", "train_generator"])
def test_others_survive_kills(name, tmp_path):
    made = jobs(tmp_path)
    (tmp_path / "soak").mkdir()
    soak(made[name], tmp_path / "soak", 4, random.Random(2))  # noqa: S311
