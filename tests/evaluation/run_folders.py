"""Made-up run folders, as training leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml


def make_run(
    folder: Path,
    kind: str,
    truth: Any,
    prediction: Any,
    *,
    seed: int = 0,
    particle: str = "pion",
    row: Any = None,
    test_sha256: str | None = "abc",
    device: str = "cpu",
    **model: Any,
) -> Path:
    """Write the files of a finished run that a comparison reads."""
    folder.mkdir(parents=True)
    config = {
        "seed": seed,
        "data": {"detector": "hgcal", "train": {"showers": "a.arrow"}, "test": {"simulate": {"particle": particle}}},
        "model": {"kind": kind, **model},
        "train": {"epochs": 5, "device": device},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    metrics = {"n_parameters": 12345, "seconds": 90.0 + seed, "hardware": "2 CPU cores"}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    columns = {
        "row": np.arange(len(truth)) if row is None else row,
        "incident_energy": np.asarray(truth, np.float32),
        "energy": np.asarray(prediction, np.float32),
        "reconstructed": np.asarray(truth, np.float32),
    }
    metadata = {} if test_sha256 is None else {"test_sha256": test_sha256}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), folder / "test_predictions.parquet")
    return folder
