"""The last step of quickstart: a small generator of photon showers, and the report on it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hgcal_gnn.cli.quickstart_regression import can_train

if TYPE_CHECKING:
    from pathlib import Path

STUDY = """\
# A dense GAN for photons in the 368 voxels of CaloChallenge data set 1, in a minute: what learning looks like, not how
# good it gets. Longer: hgcal-gnn study {path} -o longer --set methods.calo_shower_gan.train.iterations=50000
title: Photons of 4 to 16 GeV, generated
data:
  detector: calochallenge-1-photons
  train: {{simulate: {{particle: photon, energy: "4,8,16", direction: [0.0, 0.0, 1.0], number: 4000, seed: 1}}}}
  test: {{simulate: {{particle: photon, energy: "4,8,16", direction: [0.0, 0.0, 1.0], number: 1500, seed: 2}}}}
  empty: drop
train: {{iterations: 3000, batch_size: 64, check_every: 500, averaging: 0.99}}
methods:
  calo_shower_gan:
    model:
      kind: calo_shower_gan
      activation: relu
      generator_init: he_uniform
      scale: 20.0
      critic_steps: 3
      generator_optimiser: {{learning_rate: 5.0e-4, betas: [0.5, 0.9]}}
      critic_optimiser: {{learning_rate: 5.0e-4, betas: [0.5, 0.9]}}
"""


def write_generation_study(path: Path, *, overwrite: bool) -> None:
    """Write the settings of the study."""
    from hgcal_gnn.files import atomic_path

    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(STUDY.format(path=path), encoding="utf-8")


def generate_showers(settings: Path, folder: Path) -> None:
    """Run the study, or say what is missing for it."""
    print("5. Fast simulation: a small generator of photons, judged against the simulation")
    if not can_train():
        print("   left out: networks need more packages, pip install 'hgcal-gnn[torch]'")
        return
    from hgcal_gnn.cli.study import study

    sys.stdout.flush()  # the trainings write to the same place
    study(settings, folder, quick=True)
    print(f"   report -> {folder / 'comparison' / 'report.html'}")
