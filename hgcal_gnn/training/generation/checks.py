"""What must hold before a generator is trained, so that nobody waits for an error that could be seen at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.generation.models import kind_of
from hgcal_gnn.training.generation.batches import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.generation.graph.hits import HitBatch
    from hgcal_gnn.generation.image_batch import ImageBatch
    from hgcal_gnn.generation.players import Stage
    from hgcal_gnn.generation.weights import TrainedOn
    from hgcal_gnn.training.data import RunData


def check_images(config: GenerationConfig, sample: ImageBatch, trained_on: TrainedOn, source: str) -> None:
    """Refuse training showers that the model of the settings cannot learn from.

    Parameters
    ----------
    config
    sample
        A part of the training showers, faint voxels included.
    trained_on
        The particles of all of them.
    source
        Where they come from, for messages.

    Raises
    ------
    InputError
        If directions are asked for and not known, or no shower has energy in the voxels.
    UsageError
        If the threshold empties all of them.
    """
    if getattr(config.model, "angle", False) and trained_on.theta is None:
        msg = f"{source}: not all showers have a direction; train without model.angle, or on showers with directions"
        raise InputError(msg)
    highest = float(sample.image.max())
    if highest <= 0:
        msg = (
            f"{source}: none of {len(sample)} showers has energy in the voxels; let data.window and data.grid (eta, "
            "phi, layers) cover where the showers are"
        )
        raise InputError(msg)
    _check_threshold(config.model.threshold, highest, "voxels", f"{len(sample)} showers of {source}")


def check_hits(config: GenerationConfig, sample: HitBatch, trained_on: TrainedOn, source: str) -> None:
    """Refuse training showers that a graph model cannot learn from; as `check_images`.

    Raises
    ------
    InputError
        If directions or vertices are not known, as hits are generated around the line of flight; or if no shower has
        a hit.
    UsageError
        If the threshold empties all of them.
    """
    for name in ("direction", "vertex"):
        if getattr(trained_on, name) is None:
            msg = (
                f"{source}: not all showers have a {name}, and {kind_of(config.model)} generates hits around the line "
                "of flight; train on showers that have one"
            )
            raise InputError(msg)
    if not len(sample.hits.energy):
        msg = f"{source}: none of {len(sample)} showers has a hit with energy in the cells of the detector"
        raise InputError(msg)
    highest = float(sample.hits.energy.max())
    _check_threshold(config.model.threshold, highest, "cells", f"{len(sample)} showers of {source}")


def _check_threshold(threshold: float, highest: float, what: str, showers: str) -> None:
    if threshold >= highest:
        msg = (
            f"model.threshold {threshold:g} GeV would empty all {what}: the highest energy in {showers} is "
            f"{highest:.3g} GeV (deposited, not incident); about half of what a minimum ionising particle leaves is "
            "usual"
        )
        raise UsageError(msg)


def check_stages(stages: Iterable[Stage], data: RunData) -> None:
    """Refuse stages for energies of which there are no showers.

    Raises
    ------
    UsageError
        If one would have nothing to train on, or nothing to be judged by.
    """
    for stage in stages:
        for sample, purpose in ((data.train, "train on"), (data.validation, "validate")):
            if not len(rows_of(sample, stage)):
                low, high = stage.energy or (0.0, np.inf)
                energy = sample.energy
                msg = (
                    f"{sample.store.path}: no shower from {low:g} to {high:g} GeV to {purpose} (stage "
                    f"{stage.name}); these have {energy.min():g} to {energy.max():g} GeV: change model.split, or add "
                    "showers"
                )
                raise UsageError(msg)
