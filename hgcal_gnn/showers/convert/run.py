"""Convert files of showers into a store, file by file, so that an interrupted conversion goes on where it stopped."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.progress import progress_bar
from hgcal_gnn.showers.convert.files import Source, expand_inputs, input_key, iterate_showers, kind_of, with_branches
from hgcal_gnn.showers.convert.hdf5_source import Hdf5Options, write_hdf5_showers
from hgcal_gnn.showers.convert.jobs import Work, in_processes, in_this_process, on_dask
from hgcal_gnn.showers.file_report import ConversionReport, FileReport
from hgcal_gnn.showers.metadata import ShowerMetadata, common_metadata
from hgcal_gnn.showers.root import RootOptions
from hgcal_gnn.showers.root.hits import CellRows
from hgcal_gnn.showers.root.write import write_root
from hgcal_gnn.showers.store import open_store
from hgcal_gnn.showers.store.writer import ShowerWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.showers import Showers

NAMED_FAILURES = 5  # files whose errors stand in the message; the report has all
NAMED_SOURCES = 3  # input files named one by one in the store
SPEED_ONLY = ("step", "threads")  # options that do not change the result

logger = logging.getLogger(__name__)


class ConversionError(InputError):
    """Some input files could not be converted; `report` tells which, and what became of the others."""

    def __init__(self, message: str, report: ConversionReport | None = None) -> None:
        super().__init__(message)
        self.report = report


def convert(
    inputs: Sequence[Path | str],
    output: Path | str,
    cells: CellTable,
    *,
    options: RootOptions | None = None,
    hdf5: Hdf5Options | None = None,
    jobs: int = 1,
    cluster: Any = None,
    skip_bad_files: bool = False,
    overwrite: bool = False,
) -> ConversionReport:
    """Convert shower files (.root, .h5, .arrow) into a shower store, or into one ROOT or HDF5 file.

    A store is written as one part per input file and merged at the end. A conversion that was interrupted or
    killed goes on with the same call: finished parts are not made again, unless their file has changed. The
    result does not depend on `jobs`. Memory is bounded by the step and one record batch per process.

    Parameters
    ----------
    inputs
        Files, wildcards, or addresses such as ``root://server//file.root``; the order is kept.
    output
        ``NAME.arrow``, ``NAME.root`` or ``NAME.h5``. ROOT and HDF5 files are written in one go: the first bad
        input ends it, and nothing is left behind.
    cells
        Geometry whose rows the hits get (``graph.cells``).
    options
        How to read ROOT files, and the rules for all; without branches in it, the presets are tried.
    hdf5
        How to read and write HDF5 files.
    jobs
        Processes on this machine (scripts need the usual ``if __name__ == "__main__"``).
    cluster
        Instead of `jobs`: a Dask cluster, see `dask_cluster.cluster_client`.
    skip_bad_files
        Write the store without the files that could not be converted. Otherwise the others are still
        converted, but the parts are not merged, so that the bad files can be repaired and the call repeated.
    overwrite
        Replace the output, and parts of another conversion.

    Raises
    ------
    ConversionError
        If files could not be converted (and `skip_bad_files` is not set, or none is left); with the report.
    InputError
        If inputs do not exist or no preset fits.
    OutputError
        If the output exists or the disk refuses the data.
    """
    paths = expand_inputs(inputs)
    kind = kind_of(output)
    options = with_branches(options or RootOptions(), paths)
    hdf5 = hdf5 or Hdf5Options()
    metadata = _metadata(paths, cells, _settings(options, hdf5, paths))
    needs_places = any(kind_of(path) == "hdf5" for path in paths)
    source = Source(metadata, CellRows.of(cells), options, hdf5, cells if needs_places else None)
    if kind != "arrow":
        return _to_one_file(paths, Path(output), cells, source, overwrite=overwrite)
    if jobs < 1:
        msg = f"--jobs {jobs}: needs to be at least 1"
        raise UsageError(msg)
    keys = [input_key(path) for path in paths]
    writer = ShowerWriter(output, keys, metadata, names=paths, overwrite=overwrite)
    try:
        report = _write_parts(writer, paths, source, jobs, cluster)
    except BaseException:
        writer.abandon()
        raise
    _check_failures(report, writer, skip_bad_files=skip_bad_files)
    writer.finish(without_unfinished=skip_bad_files)
    report.complete = True
    return report


def _write_parts(
    writer: ShowerWriter, paths: Sequence[str], source: Source, jobs: int, cluster: Any
) -> ConversionReport:
    """Convert the files whose parts are not finished yet."""
    work = Work(writer.folder.resolve(), tuple(paths), tuple(writer.keys), source)
    pending = writer.unfinished
    reports = {number: _resumed(writer, number) for number in range(len(paths)) if number not in set(pending)}
    with progress_bar("converting", total=len(paths), unit="file", initial=len(reports)) as bar:
        if cluster is not None:
            done = on_dask(work, pending, cluster)
        elif jobs > 1 and len(pending) > 1:
            done = in_processes(work, pending, min(jobs, len(pending)))
        else:
            done = in_this_process(work, pending, lambda events: bar.set_postfix_str(f"{events:,} events"))
        for number, report in done:
            reports[number] = report
            bar.update()
            if report.status == "failed" and len(paths) > 1:
                logger.warning("%s: failed; the others go on", report.path)  # the details come at the end
    return ConversionReport(str(writer.path), [reports[number] for number in range(len(paths))])


def _check_failures(report: ConversionReport, writer: ShowerWriter, *, skip_bad_files: bool) -> None:
    """Raise if files failed, unless they may be skipped and others are left."""
    failed = report.failed
    if not failed or (skip_bad_files and len(failed) < len(report.files)):
        return
    writer.abandon()
    problems = "; ".join(file.error for file in failed[:NAMED_FAILURES])
    if len(failed) > NAMED_FAILURES:
        problems += f"; ... ({len(failed) - NAMED_FAILURES} more)"
    if len(report.files) == 1:
        raise ConversionError(problems, report)
    others = len(report.files) - len(failed)
    advice = (
        f"what was converted ({others}) is kept in {writer.folder}: repair these files and repeat the command, "
        "or add --skip-bad-files to go without them"
        if others
        else "nothing was written"
    )
    msg = f"{len(failed)} of {len(report.files)} files could not be converted: {problems}; {advice}"
    raise ConversionError(msg, report)


def _to_one_file(
    paths: Sequence[str], output: Path, cells: CellTable, source: Source, *, overwrite: bool
) -> ConversionReport:
    """Write all inputs into one ROOT or HDF5 file."""
    report = ConversionReport(str(output), [FileReport(path) for path in paths])
    with progress_bar("converting", unit="event") as bar:
        chunks = _told(report, source, bar)
        if kind_of(output) == "root":
            chosen = source.options.branches
            names = "hgcal" if chosen is None or not chosen.write_tree else chosen
            write_root(chunks, output, cells, branches=names, overwrite=overwrite)
        else:
            write_hdf5_showers(chunks, output, cells, source.hdf5, overwrite=overwrite)
    report.complete = True
    return report


def _told(report: ConversionReport, source: Source, bar: Any) -> Iterator[Showers]:
    """Read all files, moving a progress bar on."""
    for file in report.files:
        before = bar.n
        for showers in iterate_showers(file.path, source, file):
            yield showers
            bar.update(before + file.events - bar.n)


def _resumed(writer: ShowerWriter, number: int) -> FileReport:
    """Return the report an earlier run left with a finished part."""
    content = dict(writer.report(number) or {})
    for key in ("n_showers", "n_hits"):
        content.pop(key, None)
    report = FileReport.from_json(content)
    report.status = "resumed"
    return report


def _metadata(paths: Sequence[str], cells: CellTable, settings: str) -> ShowerMetadata:
    """Describe the result; stores alone keep what they have in common (seed, beam)."""
    kept = ShowerMetadata(cells.sha256, _source(paths))
    if all(kind_of(path) == "arrow" for path in paths):
        with suppress(InputError):  # those that cannot be read are reported one by one
            kept = common_metadata(open_store(path).metadata for path in paths)
    extra = {**kept.extra, "detector": cells.detector, "conversion": settings}
    return replace(kept, cells_sha256=cells.sha256, extra=extra)


def _source(paths: Sequence[str]) -> str:
    """Name the input files, without their folders."""
    names = [path.rsplit("/", 1)[-1] for path in paths]
    return ", ".join(names) if len(names) <= NAMED_SOURCES else f"{names[0]} ... {names[-1]} ({len(names)} files)"


def _settings(options: RootOptions, hdf5: Hdf5Options, paths: Sequence[str]) -> str:
    """Return what the result depends on, as JSON: kept in the store, and parts are only reused for the same."""
    settings = asdict(options)
    settings["branches"] = None if options.branches is None else options.branches.model_dump(exclude_defaults=True)
    for name in SPEED_ONLY:
        del settings[name]
    if any(kind_of(path) == "hdf5" for path in paths):
        settings["hdf5"] = hdf5.settings()
    return json.dumps(settings, sort_keys=True)
