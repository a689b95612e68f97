"""The judge of a training: generates showers for the validation particles and compares them by a few observables."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as lightning

from hgcal_gnn.errors import TrainingError
from hgcal_gnn.evaluation.distances import separation_power
from hgcal_gnn.evaluation.features import compute_features
from hgcal_gnn.evaluation.total_energy import total_energy_chi2
from hgcal_gnn.generation.particles import Particles
from hgcal_gnn.training.generation.batches import rows_of
from hgcal_gnn.training.generation.life import LIFELESS, difference_at_one_particle, finite_sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.arrays import F32
    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.evaluation.features import FeatureTable
    from hgcal_gnn.generation.adversarial import AdversarialModule
    from hgcal_gnn.generation.players import Stage
    from hgcal_gnn.generation.weights import TrainedOn
    from hgcal_gnn.geometry.cell_numbers import CellNumbers
    from hgcal_gnn.showers.showers import Showers
    from hgcal_gnn.training.data import Sample
    from hgcal_gnn.training.generation.domain import Domain

log = logging.getLogger(__name__)
# what is looked at during a training: cheap, and blind to no kind of failure
CHECKED = (
    "response", "n_hits", "mean_layer", "layer_spread", "start_layer", "depth_90", "radius_mean", "radius_spread",
    "largest_share", "hit_mips_mean", "hit_mips_spread",
)  # fmt: skip
COMPARED = ("response", "n_hits")  # whose means `compare` tells
REPLICAS = 8  # of the floor, which is a small correction here


@dataclass(frozen=True, eq=False)
class Checked:
    """Reference of a stage.

    Attributes
    ----------
    showers
    particles
    table
        Observables.
    """

    showers: Showers
    particles: Particles
    table: FeatureTable


class Judge(lightning.Callback):
    """After each check interval: logs how generated showers compare to the validation sample, and decides.

    Logged: ``val/response`` and ``val/response_width`` (generated over reference), ``val/occupancy`` (likewise),
    ``val/separation`` (mean separation power - floor), ``val/ratio_...`` of the means of the other observables (see
    `mean_ratios`), ``val/chi2`` where it selects, and ``val/loss``, by which the best weights are chosen.

    Parameters
    ----------
    validation
    domain, numbers, trained_on
        What showers are made and measured with.
    config
        Seed, threshold (of both samples) and settings of the training are taken from it.
    picture
        Called with reference and generated showers and the number of the check to draw samples; None: no pictures.
    """

    def __init__(
        self,
        validation: Sample,
        domain: Domain,
        numbers: CellNumbers,
        trained_on: TrainedOn,
        config: GenerationConfig,
        picture: Callable[[Showers, Showers, int], None] | None = None,
    ) -> None:
        self.validation, self.domain, self.numbers, self.trained_on = validation, domain, numbers, trained_on
        self.settings, self.seed, self.picture = config.train, config.seed, picture
        self.threshold = config.model.threshold
        self.lifeless = 0
        self._references: dict[str, Checked] = {}

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: AdversarialModule) -> None:  # type: ignore[override]
        """Check."""
        stage, _ = module.stage_at(max(int(module.iteration) - 1, 0))
        measured = self.check(module, stage, trainer.current_epoch)
        module.log_dict({f"val/{name}": value for name, value in measured.items()}, sync_dist=True)
        trainer.callback_metrics  # noqa: B018 (collects what was logged)

    def check(self, module: AdversarialModule, stage: Stage, number: int) -> dict[str, float]:
        """Generate, compare, and look for signs of life."""
        reference = self._reference(stage)
        with module.averaged() as model:
            generator = self.domain.generator(model, self.trained_on, device=str(module.device))
            model.train(False)
            generated = finite_sample(generator, reference.particles, seed=self.seed + 1, number=number)
            difference = difference_at_one_particle(
                generator, reference.particles, seed=self.seed + 2, number=number
            )  # fmt: skip
        table = compute_features(generated, self.numbers, CHECKED)
        measured = compare(reference.table, table) | mean_ratios(reference.table, table)
        if self.settings.select == "total_energy_chi2":
            measured["chi2"] = _chi2(reference, generated)
        measured["loss"] = {
            "separation": measured["separation"] if math.isfinite(measured["separation"]) else math.inf,
            "total_energy_chi2": measured.get("chi2", math.inf),
            "last": -float(number),
        }[self.settings.select]
        if self.picture is not None and self.settings.pictures and (number + 1) % self.settings.pictures == 0:
            self.picture(reference.showers, generated, number)
        self._look_for_life(measured, difference, number)
        return measured

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"lifeless": self.lifeless}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.lifeless = int(state_dict["lifeless"])

    def _reference(self, stage: Stage) -> Checked:
        if stage.name not in self._references:
            rows = rows_of(self.validation, stage)[: self.settings.check_showers]
            showers = self.validation.store[rows].cells_above(self.threshold)
            table = compute_features(showers, self.numbers, CHECKED)
            self._references[stage.name] = Checked(showers, Particles.of(showers), table)
        return self._references[stage.name]

    def _look_for_life(self, measured: dict[str, float], difference: float, number: int) -> None:
        """Stop a training whose showers have been empty or all alike for long."""
        alive = all(value > LIFELESS for value in (measured["response"], measured["response_width"], difference))
        self.lifeless = 0 if alive else self.lifeless + 1
        if self.lifeless >= self.settings.collapse_patience:
            msg = (
                f"the generator has collapsed: its showers have been empty or all alike in the last {self.lifeless} "
                f"checks (check {number + 1}: response {measured['response']:.3g}, its width "
                f"{measured['response_width']:.3g} of the reference, difference at one particle "
                f"{difference:.3g}). The state is kept; try a smaller learning rate, more steps of the critic, or "
                "another seed"
            )
            raise TrainingError(msg)


def compare(reference: FeatureTable, generated: FeatureTable) -> dict[str, float]:
    """Return mean and width of the response, occupancy (generated over reference) and the mean separation power.

    The latter is NaN where there are too few showers for it.
    """
    ours, theirs = (table.column("response").astype(np.float64) for table in (reference, generated))
    hits = [float(np.nanmean(table.column("n_hits"), dtype=np.float64)) for table in (reference, generated)]
    excess = [separation_power(reference.column(name), generated.column(name), replicas=REPLICAS) for name in CHECKED]
    known = [distance.excess for distance in excess if distance.available]
    return {
        "response": float(np.nanmean(theirs) / np.nanmean(ours)),
        "response_width": float(np.nanstd(theirs) / max(float(np.nanstd(ours)), 1e-12)),
        "occupancy": hits[1] / max(hits[0], 1e-12),
        "separation": float(np.mean(known)) if known else math.nan,
    }


def mean_ratios(reference: FeatureTable, generated: FeatureTable) -> dict[str, float]:
    """Return the means of the observables that `compare` does not tell, generated over reference.

    Returns
    -------
    dict of float by ``ratio_`` and the observable
        Of the showers that have it (empty ones have no layers); NaN where none has, or the mean of the reference is 0.
    """
    ratios = {}
    for name in CHECKED:
        if name not in COMPARED:
            ours, theirs = (_mean_of_known(table.column(name)) for table in (reference, generated))
            ratios[f"ratio_{name}"] = theirs / ours if ours else math.nan
    return ratios


def _mean_of_known(values: F32) -> float:
    """Return the mean of the finite values, NaN if there are none."""
    known = values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else math.nan


def _chi2(reference: Checked, generated: Showers) -> float:
    """Return the selection metric of CaloShowerGAN, of the visible energy."""
    ours, theirs = (showers.visible for showers in (reference.showers, generated))
    energy = reference.showers.incident_energy
    found = total_energy_chi2(ours, theirs, energy, energy, replicas=2)
    return found.value if found.available else math.inf
