"""Write a shower store in parts, one per input file, so that a conversion that was killed goes on where it stopped."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgcal_gnn.errors import OutputError
from hgcal_gnn.files import atomic_path, check_writable
from hgcal_gnn.showers.selection import merge_stores
from hgcal_gnn.showers.store.arrow_file import BatchWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.showers.showers import Showers

MANIFEST = "manifest.json"
OURS = (MANIFEST, "part-*.arrow", "part-*.json", ".part-*", f".{MANIFEST}.*", "merged.arrow", ".merged.arrow.*")

logger = logging.getLogger(__name__)


@dataclass
class Part:
    """One part of a store that is being written.

    Attributes
    ----------
    report
        Anything JSON can hold, kept with the finished part: counts for the summary, for instance.
    """

    writer: BatchWriter
    report: dict[str, Any] = field(default_factory=dict)

    def write(self, showers: Showers) -> None:
        """Append showers to the part."""
        self.writer.write(showers)


class ShowerWriter:
    """A store written as parts in the folder ``NAME.parts/`` beside it, merged by `finish`.

    A part becomes visible when it is complete, so finished parts survive a kill. The same call later finds
    them again: `unfinished` lists the parts that are still to be written. `finish` merges all parts in the
    order of `keys`, whatever the order they were written in, and removes the folder.

    Parameters
    ----------
    path
        The store to write.
    keys
        One text per part that identifies its input: `file_key` for an input file.
    metadata
        Goes into the store.
    names
        What the inputs are called, whatever their content: other names make another conversion, other keys
        alone only have those parts written again. By default the keys.
    overwrite
        Replace an existing store, and parts that belong to another conversion.

    Attributes
    ----------
    folder
        Where the parts are; other processes write there with `open_part`.

    Raises
    ------
    OutputError
        If the store exists already, or unfinished parts of another conversion do, unless `overwrite`.
    """

    def __init__(
        self,
        path: Path | str,
        keys: Sequence[str],
        metadata: ShowerMetadata,
        *,
        names: Sequence[str] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        self.keys = list(keys)
        self.metadata = metadata
        self._overwrite = overwrite
        self.folder = self.path.with_name(self.path.name + ".parts")
        check_writable(self.path, overwrite=overwrite)
        manifest = json.dumps({"metadata": asdict(metadata), "parts": list(names or keys)}, indent=1, sort_keys=True)
        self._claim_folder(manifest)

    @property
    def unfinished(self) -> list[int]:
        """Numbers of the parts that are still to be written."""
        return [number for number in range(len(self.keys)) if self.report(number) is None]

    def report(self, number: int) -> dict[str, Any] | None:
        """Return the report of a finished part (with `n_showers` and `n_hits`), None if it is not finished."""
        record = _read_json(_record(self.folder, number))
        data = _data(self.folder, number)
        if not data.is_file() or record.get("bytes") != data.stat().st_size or record.get("key") != self.keys[number]:
            return None
        return {"n_showers": record["n_showers"], "n_hits": record["n_hits"], **record["report"]}

    @contextmanager
    def part(self, number: int) -> Iterator[Part]:
        """Write part `number`: it is finished when the block ends well, and gone otherwise."""
        with open_part(self.folder, number, self.keys[number], self.metadata) as part:
            yield part

    def abandon(self) -> None:
        """Remove the folder, unless it holds finished parts."""
        if len(self.unfinished) == len(self.keys):
            _remove_ours(self.folder)

    def finish(self, *, without_unfinished: bool = False) -> None:
        """Merge the parts into the store and remove their folder.

        Parameters
        ----------
        without_unfinished
            Go without the parts that could not be written (a damaged input file, say).

        Raises
        ------
        OutputError
            If parts are not finished, or the disk refuses the data; the parts stay then.
        """
        missing = self.unfinished
        if missing and not without_unfinished:
            msg = f"{self.path}: {len(missing)} of {len(self.keys)} parts are not finished: " + ", ".join(
                self.keys[number] for number in missing[:5]
            )
            raise OutputError(msg)
        parts = [_data(self.folder, number) for number in range(len(self.keys)) if number not in set(missing)]
        # inside the folder, so that nothing is left beside the store if the program is killed here
        merged = self.folder / "merged.arrow"
        if len(parts) == 1:
            merged = parts[0]
        else:
            merge_stores(parts, merged, metadata=self.metadata, overwrite=True)
        check_writable(self.path, overwrite=self._overwrite)
        merged.replace(self.path)
        _remove_ours(self.folder)

    def _claim_folder(self, manifest: str) -> None:
        """Take over finished parts of the same conversion, or start anew; clear what a kill left half done."""
        path = self.folder / MANIFEST
        if _read_text(path) == manifest:
            for leftover in [*self.folder.glob(".part-*"), *self.folder.glob("*merged.arrow*")]:
                leftover.unlink(missing_ok=True)
            logger.info("%s: %d parts are finished already", self.path, len(self.keys) - len(self.unfinished))
            return
        if any(self.folder.glob("part-*.arrow")) and not self._overwrite:
            msg = (
                f"{self.folder}: holds finished parts of another conversion to the same name (other inputs or "
                "settings); repeat that one to complete it, or remove the folder, or add --overwrite"
            )
            raise OutputError(msg)
        _remove_ours(self.folder)
        self.folder.mkdir(exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(manifest)


@contextmanager
def open_part(folder: Path, number: int, key: str, metadata: ShowerMetadata) -> Iterator[Part]:
    """Write one part of a `ShowerWriter`, also from another process or machine that sees its folder."""
    data = _data(folder, number)
    _record(folder, number).unlink(missing_ok=True)
    with atomic_path(data, overwrite=True) as temporary, BatchWriter(temporary, metadata) as writer:
        part = Part(writer)
        yield part
    record = {
        "key": key,
        "bytes": data.stat().st_size,
        "n_showers": writer.n_showers,
        "n_hits": writer.n_hits,
        "report": part.report,
    }
    with atomic_path(_record(folder, number)) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True))


def file_key(path: Path | str) -> str:
    """Identify an input file by path, size and time of change: a file that changed is converted again."""
    status = Path(path).stat()
    return f"{Path(path).resolve()} ({status.st_size} bytes, changed {status.st_mtime_ns})"


def _data(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.arrow"


def _record(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.json"


def _read_text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _read_json(path: Path) -> dict[str, Any]:
    """Return what the file holds; a record cut off by a crash of the machine counts as none."""
    try:
        found = json.loads(_read_text(path) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _remove_ours(folder: Path) -> None:
    """Remove the files of a conversion, and the folder unless it holds anything else."""
    for pattern in OURS:
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
