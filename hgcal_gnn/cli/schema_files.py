"""What stands in the files of the package: columns, types, units and metadata, for `schema` and the documentation."""

from __future__ import annotations

from typing import Any

from hgcal_gnn.cli.schema_columns import CELLS, EDGES, FURTHER_CELLS, TABLE


def files() -> dict[str, dict[str, Any]]:
    """Describe the files.

    Returns
    -------
    By name (table, graph, showers, model): title, container, format_version, where the version stands, columns (name,
    type, unit, optional, description), metadata (name: description).
    """
    return {"table": _table(), "graph": _graph(), "showers": _showers(), "model": _model()}


def _table() -> dict[str, Any]:
    from hgcal_gnn.geometry.tables.read_write import FORMAT_VERSION

    return {
        "title": "Geometry table",
        "container": "CSV (also .csv.gz), Parquet or ROOT (TTree, RNTuple); one row per cell",
        "format_version": FORMAT_VERSION,
        "version_in": "format_version in the metadata key hgcal_gnn (Parquet); CSV and ROOT have none",
        "columns": [_column(*entry) for entry in TABLE],
        "metadata": {
            "cells_sha256": "hash of the cells",
            "detector": "name",
            "format_version": "whole number",
            "subdetector_names": "code: name",
            "units": "of lengths: cm",
        },
    }


def _graph() -> dict[str, Any]:
    from hgcal_gnn.geometry.graph_file import FORMAT, METADATA_KEY

    return {
        "title": "Cell graph",
        "container": "safetensors; arrays of one dimension, the metadata as sorted JSON in the one key " + METADATA_KEY,
        "format_version": FORMAT,
        "version_in": f"format in the metadata key {METADATA_KEY}",
        "columns": [_column(*entry) for entry in (*EDGES, *CELLS, *FURTHER_CELLS)],
        "metadata": {
            "format": "whole number",
            "version": "of the package that wrote it",
            "kind": "cell graph",
            "detector": "name",
            "subdetector_names": "code: name",
            "cells_sha256": "sha256 over cell_id (little-endian uint64), layer, x, y, z in the order of the rows",
            "parent_sha256": "of a piece: the hash of the graph it was cut from, else empty",
            "units": "of x, y, z: cm",
            "rules": "how the edges were found",
        },
    }


def _showers() -> dict[str, Any]:
    from hgcal_gnn.showers.columns import COLUMNS, HIT_NAMES
    from hgcal_gnn.showers.metadata import FORMAT_VERSION

    return {
        "title": "Shower store",
        "container": "Arrow IPC file, uncompressed, one row per shower, record batches of 8,192 showers",
        "format_version": FORMAT_VERSION,
        "version_in": "version in the metadata of the schema",
        "columns": [
            _column(
                column.name,
                f"list<{column.dtype.name}>" if column.name in HIT_NAMES else column.dtype.name,
                column.unit,
                column.meaning,
                optional=column.optional,
            )
            for column in COLUMNS.values()
        ],
        "metadata": {
            "cells_sha256": "hash of the cells whose rows `cell` counts; empty if not known",
            "units": "column: unit, as JSON",
            "source": "input files, simulation or model",
            "seed": "of a simulation or generator, else empty",
            "version": "of this format, a whole number",
            "extra": "anything else, name: text, as JSON",
        },
    }


def _model() -> dict[str, Any]:
    from hgcal_gnn.weights_file import FORMAT, METADATA_KEY

    return {
        "title": "Trained model (model.safetensors in the folder of a run)",
        "container": f"safetensors; arrays by name, the metadata as sorted JSON in the one key {METADATA_KEY}",
        "format_version": FORMAT,
        "version_in": f"format in the metadata key {METADATA_KEY}",
        "columns": [_column("...", "float32", "", "weights, buffers and calibration under the names of the model")],
        "metadata": {
            "format": "whole number",
            "version": "of the package that wrote it",
            "kind": "regressor, generator or transforms",
            "...": "what the kind needs: cells_sha256, detector, n_cells, trained_on, ...",
        },
    }


def _column(name: str, kind: str, unit: str, description: str, *, optional: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "unit": unit, "optional": optional, "description": description}
