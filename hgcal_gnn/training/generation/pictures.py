"""Pictures in the run folder of a generator: samples during the training, curves and samples at its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hgcal_gnn.training_log import read_columns

if TYPE_CHECKING:
    from pathlib import Path

    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.training.run_folder import RunFolder

log = logging.getLogger(__name__)
DPI = 100.0  # there may be many
MEASURED = 1000  # showers in the profiles


class Pictures:
    """Draws into a run folder.

    Parameters
    ----------
    folder
    numbers
        Of the cells the showers are in.
    title
    """

    def __init__(self, folder: RunFolder, numbers: CellNumbers, title: str) -> None:
        self.folder, self.layer, self.title = folder, numbers.layer, title

    def __call__(self, reference: Showers, generated: Showers, number: int) -> None:
        """Draw the samples of check `number`, counted from 0; a picture that cannot be written stops no training."""
        try:
            self.folder.pictures.mkdir(exist_ok=True)
            path = self.folder.pictures / f"{number + 1:04d}.png"
            self._samples(reference, generated, path, f"{self.title}, check {number + 1}")
        except OSError as error:
            log.warning("no picture of check %d: %s", number + 1, error)

    def finish(self, reference: Showers, generated: Showers) -> None:
        """Draw the curves of the training and samples of the test."""
        from hgcal_gnn.plotting.generator_training import generator_training_figure  # noqa: PLC0415 (slow to import)
        from hgcal_gnn.plotting.style import save_figure  # noqa: PLC0415

        curves = generator_training_figure(read_columns(self.folder.log, "step"), title=self.title)
        save_figure(curves, self.folder.plot("training.png"), overwrite=True)
        self._samples(reference, generated, self.folder.plot("samples.png"), f"{self.title}, test sample")

    def _samples(self, reference: Showers, generated: Showers, path: Path, title: str) -> None:
        from hgcal_gnn.plotting.generated_samples import samples_figure  # noqa: PLC0415 (slow to import)
        from hgcal_gnn.plotting.style import save_figure  # noqa: PLC0415

        samples = {"reference": reference[:MEASURED], "generated": generated[:MEASURED]}
        figure = samples_figure(samples, self.layer, title=title)
        save_figure(figure, path, overwrite=True, dpi=DPI)
