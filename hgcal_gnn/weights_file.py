"""Files of what was trained or fitted: arrays in .safetensors, with a description of them as JSON in the header."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hgcal_gnn import __version__
from hgcal_gnn.errors import InputError
from hgcal_gnn.files import atomic_path, check_readable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hgcal_gnn.arrays import Array

FORMAT = 1
METADATA_KEY = "hgcal_gnn"


def write_weights(
    path: Path, kind: str, arrays: Mapping[str, Array], about: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Write arrays by name and what describes them; `kind` says what they are: "regressor", "generator"."""
    told = {"format": FORMAT, "version": __version__, "kind": kind, **about}
    whole = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    with atomic_path(path, overwrite=overwrite) as temporary:
        save_file(whole, temporary, metadata={METADATA_KEY: json.dumps(told, sort_keys=True)})


def read_weights(path: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read a file that `write_weights` wrote: arrays and description.

    Raises
    ------
    InputError
        If it is missing, damaged, of another kind, or of a newer version.
    """
    check_readable(path)
    try:
        with safe_open(path, framework="numpy") as file:
            about = _described((file.metadata() or {}).get(METADATA_KEY, "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, ValueError, RecursionError) as error:
        msg = f"{path}: no readable safetensors file ({error}); it is truncated or damaged"
        raise InputError(msg) from error
    if about.get("kind") != kind:
        msg = f"{path}: holds no {kind} of hgcal-gnn"
        raise InputError(msg)
    version = about.get("format")
    if not isinstance(version, int):
        msg = f"{path}: does not say its format; it is damaged"
        raise InputError(msg)
    if version > FORMAT:
        msg = (
            f"{path}: written by version {about.get('version')} in format {version}, this one reads up to "
            f"{FORMAT}; upgrade with: pip install --upgrade hgcal-gnn"
        )
        raise InputError(msg)
    return arrays, about


def _described(text: str) -> dict[str, Any]:
    about = json.loads(text)
    if not isinstance(about, dict):
        msg = "its description is no JSON object"
        raise ValueError(msg)  # noqa: TRY004 (as for other text)
    return about
