"""The regressor of a finished run, ready for use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hgcal_gnn.config.run import RunConfig
from hgcal_gnn.errors import HgcalError, InputError
from hgcal_gnn.regression.predictor import Weights, make_predictor
from hgcal_gnn.training.geometry import find_material, load_geometry
from hgcal_gnn.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.regression.predictor import Predictor


# what models say to numbers and settings that are not theirs
MISFITS = (RuntimeError, KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, MemoryError)


def misfit(error: Exception, file: Path, folder: RunFolder) -> HgcalError:
    """Return one of our errors as it is, others as the error of a file that does not fit the settings of its run."""
    if isinstance(error, HgcalError):
        return error
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(
        f"{file}: does not fit the settings in {folder.config} ({reason}); if another version trained it, train again"
    )


def load_regressor(
    path: Path, graph: CellGraph | None = None, *, device: str = "cpu", force_geometry: bool = False
) -> Predictor:
    """Load the regressor of a finished run: a callable from showers to `Estimates`.

    Parameters
    ----------
    path
        Run folder.
    graph
        Cell graph to work in; default: the one the run's settings name.
    device
        For networks.
    force_geometry
        Use it in another geometry than it was trained in.

    Raises
    ------
    InputError
        If the folder holds no finished run, or a file of it is damaged.
    GeometryMismatchError
        If `graph` is another one than the regressor was trained with.
    """
    folder = RunFolder(path)
    config = folder.read_config(RunConfig)
    saved = folder.finished_weights()
    named = config.data.graph
    if graph is None and named is not None and not named.exists():
        msg = f"{named}: no such file, which the settings of {path} name; give the cell graph of the training (--graph)"
        raise InputError(msg)
    if graph is None:
        graph, material = load_geometry(config.data)
    else:
        material = find_material(config.data.material, graph.cells.detector)
    weights = Weights.load(saved)
    try:
        return make_predictor(config.model, weights, graph, material, device=device, force_geometry=force_geometry)
    except MISFITS as error:
        raise misfit(error, saved, folder) from error
