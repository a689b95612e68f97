"""What a finished run is judged by: predictions of its test sample, numbers, pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hgcal_gnn.evaluation.observables import shower_variables
from hgcal_gnn.evaluation.resolution import measure_resolution
from hgcal_gnn.files import atomic_path
from hgcal_gnn.progress import progress_bar

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.arrays import F32, F64, I64
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.regression.batch import Estimates
    from hgcal_gnn.regression.predictor import Predictor
    from hgcal_gnn.showers.store import ShowerStore
    from hgcal_gnn.training.run_folder import RunFolder


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of some showers of a store.

    Attributes
    ----------
    columns
        By name, [n_showers] each: `row` int64 in the store, `incident_energy`, `energy` (predicted), `reconstructed`
        float32 [GeV]; where the model gives them, `eta`, `phi` [rad], `sigma` (relative) float32.
    metadata
        `cells_sha256`, `source` and what else is known, as text.
    """

    columns: dict[str, F32 | I64]
    metadata: dict[str, str]

    @property
    def truth(self) -> F64:
        """True energies [GeV], float64 [n_showers]."""
        return self.columns["incident_energy"].astype(np.float64)

    @property
    def energy(self) -> F64:
        """Predicted energies [GeV], float64 [n_showers]."""
        return self.columns["energy"].astype(np.float64)

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a Parquet file with the metadata in its schema."""
        table = pa.table(self.columns).replace_schema_metadata(self.metadata)
        with atomic_path(path, overwrite=overwrite) as temporary:
            pq.write_table(table, temporary)


def predict(predictor: Predictor, store: ShowerStore, rows: I64, numbers: CellNumbers, **metadata: str) -> Predictions:
    """Predict showers of a store, a part at a time.

    Parameters
    ----------
    rows : int64 [n_showers]
    numbers
        Of the cells, for the plain sum.
    metadata
        Kept with the predictions.
    """
    parts: list[dict[str, F32]] = []
    with progress_bar("predicting", total=len(rows), unit="shower") as bar:
        for showers, found in predictor.of_store(store, rows):
            plain = shower_variables(showers, numbers, ("energy",))[:, 0].astype(np.float32)
            parts.append({"incident_energy": showers.incident_energy, **_columns(found), "reconstructed": plain})
            bar.update(len(showers))
    columns: dict[str, Any] = {"row": rows}
    columns |= {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}
    about = {"cells_sha256": store.metadata.cells_sha256, "source": str(store.path), **metadata}
    return Predictions(columns, about)


def pulls(predictions: Predictions) -> dict[str, float] | None:
    """Compare predicted uncertainties with what they should be: `median`, `width` of (predicted / true - 1) / sigma.

    The width is half of the central 68.27 %; 1 where the uncertainties are right, more where they are too small.
    """
    if "sigma" not in predictions.columns:
        return None
    pull = (predictions.energy / predictions.truth - 1) / predictions.columns["sigma"]
    low, middle, high = np.quantile(pull, (0.158655, 0.5, 0.841345)).tolist()
    return {"median": middle, "width": (high - low) / 2}


def draw(folder: RunFolder, predictions: Predictions, title: str) -> None:
    """Draw training curves, resolution and linearity into the run folder."""
    from hgcal_gnn.plotting.resolution import linearity_figure, resolution_figure  # noqa: PLC0415 (slow to import)
    from hgcal_gnn.plotting.style import save_figure  # noqa: PLC0415
    from hgcal_gnn.plotting.training_curves import read_log, training_figure  # noqa: PLC0415

    tables = {
        title: measure_resolution(predictions.truth, predictions.energy),
        "plain sum": measure_resolution(predictions.truth, predictions.columns["reconstructed"]),
    }
    save_figure(resolution_figure(tables), folder.plot("resolution.png"), overwrite=True)
    save_figure(linearity_figure(tables), folder.plot("linearity.png"), overwrite=True)
    if folder.log.exists():
        save_figure(training_figure(read_log(folder.log), title=title), folder.plot("training.png"), overwrite=True)


def _columns(found: Estimates) -> dict[str, F32]:
    named = {"energy": found.energy, "eta": found.eta, "phi": found.phi, "sigma": found.sigma}
    return {name: values for name, values in named.items() if values is not None}
