"""The part of `inspect` that looks at shower stores: numbers, profiles, one shower close by."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.geometry.cells import CellTable
    from hgcal_gnn.showers.store import ShowerStore

LONG_TEXT = 100  # characters of a metadata entry that are printed
CONVERT = "make a store first: hgcal-gnn convert {path} --graph graph.safetensors -o showers.arrow, and inspect that"
ROUNDING = 1e-12  # smaller numbers are printed as 0
UNITS = {"incident_energy": "GeV", "visible_energy": "GeV", "hit_energy": "GeV", "vertex_z": "cm"}


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    graph: Path | None
    detector: str | None
    reference: Path | None
    event: int | None
    plot: Path | None
    html: Path | None
    as_json: bool
    overwrite: bool


def inspect_store(path: Path, request: Request) -> None:
    """Print what a store holds, or one shower of it, and draw the pictures asked for."""
    if path.suffix.lower() != ".arrow":
        _refuse_hdf5(path)
    from hgcal_gnn.showers.store import open_store
    from hgcal_gnn.showers.summary import shower_details, summarise_showers

    store = open_store(path)
    _check(store, request)
    cells = _cells(store, request)
    if request.event is None:
        found: Mapping[str, Any] = summarise_showers(store, cells)
    else:
        found = shower_details(store[request.event], cells)
    if request.as_json:
        print(json.dumps(found, indent=2))
    elif request.event is None:
        _print_summary(path, found)
    else:
        _print_shower(request.event, found)
    if cells is not None:
        _draw(store, cells, request)


def _check(store: ShowerStore, request: Request) -> None:
    """Refuse what cannot be done before anything is printed."""
    for output in (request.plot, request.html):
        if output is not None:
            check_writable(output, overwrite=request.overwrite)
    if request.event is not None and not 0 <= request.event < len(store):
        msg = f"--event {request.event}: {store.path} holds showers 0 to {len(store) - 1}"
        raise UsageError(msg)
    if request.html is not None and request.event is None:
        msg = "--html shows one shower: say which with --event 7"
        raise UsageError(msg)
    if request.reference is not None:
        if request.plot is None or request.event is not None:
            msg = "--reference is drawn under the profiles of --plot"
            raise UsageError(msg)
        from hgcal_gnn.showers.store import open_store

        open_store(request.reference, cells_sha256=store.metadata.cells_sha256)


def refuse_root_showers(path: Path) -> None:
    """Say that a ROOT file holds showers, if it does.

    Raises
    ------
    UsageError
        With the command that makes a store of them.
    """
    from hgcal_gnn.showers.root.tree import detect_branches, open_root

    with suppress(InputError), open_root(str(path)) as file:
        found = detect_branches(file, str(path))
        msg = f"{path}: holds showers ({found.description}), no geometry table; {CONVERT.format(path=path)}"
        raise UsageError(msg)


def _refuse_hdf5(path: Path) -> None:
    from hgcal_gnn.showers.hdf5 import find_layout

    msg = f"{path}: holds showers in the layout {find_layout(path)}; {CONVERT.format(path=path)}"
    raise UsageError(msg)


def _cells(store: ShowerStore, request: Request) -> CellTable | None:
    """Load the geometry if it was given or a picture needs it."""
    if request.graph is None and request.detector is None and request.plot is None and request.html is None:
        return None
    from hgcal_gnn.cli.showers_geometry import choose_graph

    cells = choose_graph(request.graph, request.detector, made_with=store.metadata, source=str(store.path)).cells
    store.metadata.check_geometry(cells.sha256, source=str(store.path))
    return cells


def _print_summary(path: Path, found: Mapping[str, Any]) -> None:
    from hgcal_gnn.showers.particles import particle_name

    print(f"{path}: {found['n_showers']} showers, {found['n_hits']} hits")
    metadata = found["metadata"]
    print(f"cells_sha256 {metadata['cells_sha256'] or 'unknown'}, made by: {metadata['source'] or 'unknown'}")
    if metadata["seed"] is not None:
        print(f"seed {metadata['seed']}")
    for key, text in metadata["extra"].items():
        print(f"  {key}: {text if len(text) <= LONG_TEXT else text[:LONG_TEXT] + ' ... (all with --json)'}")
    particles = (f"{part['showers']} {particle_name(part['pdg_id'])} ({part['pdg_id']})" for part in found["particles"])
    print("particles: " + ", ".join(particles))
    print(f"columns: {', '.join(found['columns'])}\n")
    print(f"{'':17} {'mean':>12} {'smallest':>12} {'largest':>12}")
    for name in ("hits_per_shower", "incident_energy", "visible_energy", "hit_energy", "eta", "vertex_z"):
        numbers = "".join(f" {_text(found[name][key]):>12}" for key in ("mean", "min", "max"))
        print(f"{name.replace('_', ' '):17}{numbers} {UNITS.get(name, '')}")
    print("\nfindings:" if found["findings"] else "\nnothing looks wrong")
    for finding in found["findings"]:
        print(f"  {finding['severity']}: {finding['message']}")


def _print_shower(event: int, found: Mapping[str, Any]) -> None:
    from hgcal_gnn.showers.particles import particle_name

    name, energy = particle_name(found["pdg_id"]), _text(found["incident_energy"])
    print(f"shower {event}: {name} of {energy} GeV, event id {found['event_id']}")
    vertex = ", ".join(_text(value) for value in found["vertex"])
    print(f"eta {_text(found['eta'])}, phi {_text(found['phi'])}, vertex ({vertex}) cm")
    print(f"{found['hits']} hits, {_text(found['visible_energy'])} GeV deposited")
    truth = {name: found[name] for name in ("first_layer", "f_em", "leaked_energy", "weight") if name in found}
    if truth:
        print(", ".join(f"{name.replace('_', ' ')} {_text(value)}" for name, value in truth.items()))
    if "layers" in found:
        print(f"\n{'side':>4} {'layer':>5} {'hits':>6} {'energy GeV':>11}")
        for row in found["layers"]:
            print(f"{row['z_side']:>4} {row['layer']:>5} {row['hits']:>6} {_text(row['energy']):>11}")


def _draw(store: ShowerStore, cells: CellTable, request: Request) -> None:
    """Write the pictures asked for."""
    if request.event is not None:
        shower = store[request.event]
        if request.html is not None:
            from hgcal_gnn.plotting.event_html import write_event_html

            write_event_html(shower, cells, request.html, overwrite=request.overwrite)
            print(f"{request.html}: shower {request.event}, open it in a browser")
        if request.plot is not None:
            from hgcal_gnn.plotting.event import event_figure
            from hgcal_gnn.plotting.style import save_figure

            save_figure(event_figure(shower, cells), request.plot, overwrite=request.overwrite)
            print(f"{request.plot}: shower {request.event}")
        return
    if request.plot is None:
        return
    from hgcal_gnn.plotting.profiles import profiles_figure
    from hgcal_gnn.plotting.style import save_figure
    from hgcal_gnn.showers.store import open_store

    reference = None if request.reference is None else open_store(request.reference, cells_sha256=cells.sha256)
    save_figure(profiles_figure(store, cells, reference=reference), request.plot, overwrite=request.overwrite)
    print(f"{request.plot}: profiles of {len(store)} showers")


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{0.0 if abs(value) < ROUNDING else value:.6g}"
