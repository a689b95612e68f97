"""Which steps are done and what they took, in a file beside their results: finished ones are not done again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hgcal_gnn import __version__
from hgcal_gnn.cli.quickstart.plan import Files
from hgcal_gnn.errors import OutputError, UsageError
from hgcal_gnn.files import atomic_path

FORMAT = 1


class Took(NamedTuple):
    """Time and processor time [s]."""

    seconds: float
    cpu_seconds: float


class Diary:
    """What was done in a folder.

    Attributes
    ----------
    path
        Its file.
    content
        `format`, `version` of the package, `size`, and `steps` {name: {done, seconds, cpu_seconds}}; times add up over
        interruptions.
    """

    def __init__(self, path: Path, size: str) -> None:
        self.path = path
        self.content: dict[str, Any] = {"format": FORMAT, "version": __version__, "size": size, "steps": {}}

    @classmethod
    def open(cls, files: Files, size: str, *, overwrite: bool) -> Diary:
        """Open the diary of a folder, or begin one in an empty folder.

        Raises
        ------
        OutputError
            If the folder holds something else, or cannot be made.
        UsageError
            If what was begun there is of another size or version.
        """
        diary, folder = cls(files.diary, size), files.folder
        if not files.diary.is_file():
            _make(folder)
            if any(folder.iterdir()):
                msg = f"{folder}: is not empty, and nothing that quickstart began; give another folder with -o"
                raise OutputError(msg)
        elif overwrite:
            files.remove()
        else:
            diary._take_over(json.loads(files.diary.read_text(encoding="utf-8")))
        diary.save()
        return diary

    def _take_over(self, before: dict[str, Any]) -> None:
        """Go on with what an earlier call wrote."""
        for key in ("size", "version"):
            if before.get(key) != self.content[key]:
                msg = (
                    f"{self.path.parent}: was begun with another {key} ({before.get(key)}, now {self.content[key]}); "
                    "begin anew with --overwrite, or give another folder with -o"
                )
                raise UsageError(msg)
        self.content["steps"] = before["steps"]

    def is_done(self, name: str) -> bool:
        """Tell whether a step was finished."""
        return bool(self.content["steps"].get(name, {}).get("done"))

    @property
    def times(self) -> dict[str, Took]:
        """What each step took that was begun."""
        return {name: Took(step["seconds"], step["cpu_seconds"]) for name, step in self.content["steps"].items()}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the block; it is done when it ends well, and counts as begun whatever happens."""
        started, used = time.perf_counter(), time.process_time()
        done = False
        try:
            yield
            done = True
        finally:
            before = self.times.get(name, Took(0.0, 0.0))
            self.content["steps"][name] = {
                "done": done,
                "seconds": round(before.seconds + time.perf_counter() - started, 2),
                "cpu_seconds": round(before.cpu_seconds + time.process_time() - used, 2),
            }
            self.save()

    def save(self) -> None:
        """Write the file."""
        with atomic_path(self.path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made a folder: {error.strerror}; give another one with -o"
        raise OutputError(msg) from error
