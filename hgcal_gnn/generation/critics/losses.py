"""Losses of critics on hits and of the generators they teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from hgcal_gnn.generation.critics.penalty import hit_gradient_penalty

if TYPE_CHECKING:
    from torch import Tensor

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.critics.cells import Cells
    from hgcal_gnn.generation.critics.critic import GraphCritic
    from hgcal_gnn.generation.critics.hit_sets import HitSets

LEAST_SPREAD = 0.05  # of the mean spread: features that hardly vary would outweigh all others


def critic_losses(
    critic: GraphCritic, real: HitSets, fake: HitSets, cells: Cells, condition: Condition
) -> dict[str, Tensor]:
    """Return what a critic makes small as "loss".

    With gradient penalty the Wasserstein distance (arXiv:1704.00028), with spectral norm the hinge loss
    (arXiv:1802.05957, equations 16 and 17).
    """
    of_real, of_fake = critic(real, condition), critic(fake.with_energy(fake.energy.detach()), condition)
    distance = of_real.mean() - of_fake.mean()
    if critic.config.regularisation == "spectral_norm":
        return {"loss": (1 - of_real).relu().mean() + (1 + of_fake).relu().mean(), "distance": distance}

    def score(hits: HitSets) -> Tensor:
        scores: Tensor = critic(hits, condition)
        return scores

    penalty = hit_gradient_penalty(score, real, fake, cells, condition, critic.config.penalty_space)
    return {
        "loss": critic.config.gradient_penalty * penalty - distance, "distance": distance, "penalty": penalty
    }  # fmt: skip


def generator_losses(critic: GraphCritic, real: HitSets, fake: HitSets, condition: Condition) -> dict[str, Tensor]:
    """Return what a generator makes small as "loss": minus the critic's score, and feature matching."""
    scores, latent = critic.judged(fake, condition)
    score = scores.mean()
    weight = critic.config.feature_matching
    if not weight:
        return {"loss": -score}
    with torch.no_grad():
        _, wanted = critic.judged(real, condition)
    matching = feature_matching(wanted, latent)
    return {"loss": weight * matching - score, "matching": matching}


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """Return the mean distance of means of latent features, each in units of its spread over real showers.

    Means over showers and features: neither the size of a batch nor the number of features scales it (the feature
    matching of DeepTreeGAN, arXiv:2311.12616).

    Parameters
    ----------
    real, fake : float [n_showers, n_features]
        Numbers of showers may differ; gradients flow to `fake` only.
    """
    real = real.detach()
    spread = real.std(dim=0, correction=0)
    smallest = (LEAST_SPREAD * spread.mean()).clamp(min=torch.finfo(real.dtype).eps)
    return ((fake.mean(dim=0) - real.mean(dim=0)).abs() / spread.clamp(min=smallest)).mean()
