"""Damaged files of every kind: a clear error or a result; the long version is ``python -m tests.fuzz.long_run``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.case import read_damaged
from tests.fuzz.damage import damages
from tests.fuzz.targets import TARGETS, Target

CASES = 240


class Whole(NamedTuple):
    """A reader, the file it reads, and its content before any damage."""

    target: Target
    path: Path
    content: bytes


@pytest.fixture(scope="module")
def whole(request, tmp_path_factory):
    target = TARGETS[request.param]
    path = target.make(tmp_path_factory.mktemp(request.param))
    target.read(path)
    return Whole(target, path, path.read_bytes())


@pytest.mark.parametrize("whole", TARGETS, indirect=True)
def test_damaged_files(whole):
    target, path, content = whole
    strategy: st.SearchStrategy = damages(list(target.changes))

    @settings(
        max_examples=CASES // target.cost, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def check(damage):
        read_damaged(target, path, content, damage)

    check()
