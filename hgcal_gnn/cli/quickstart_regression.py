"""A step of quickstart: a small study of the energy of charged pions."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NEEDED = ("torch", "torch_geometric", "pytorch_lightning", "sklearn")
STUDY = """\
# Energy of charged pions: the calibrated sum of three sections against a graph network that weighs every hit.
# Train it again, longer: hgcal-gnn study {path} -o longer --set train.epochs=30
title: Charged pions, 10 to 100 GeV, eta 2
data:
  graph: {graph}
  train: {{simulate: {{particle: pion, energy: "log:5..200", eta: 2.0, phi: 1.57, number: 6000, seed: 1}}}}
  test: {{simulate: {{particle: pion, energy: "10,20,50,100", eta: 2.0, phi: 1.57, number: 4000, seed: 2}}}}
train: {{epochs: 10, learning_rate: 5.0e-3, schedule: cosine, warmup: 50, gradient_clip: 1.0, loss: log_l1}}
methods:
  sum_sections: {{model: {{kind: sum_sections}}}}
  message_passing: {{model: {{kind: message_passing, hidden: 16, n_layers: 2}}}}
"""


def can_train() -> bool:
    """Tell whether what networks need is installed."""
    return all(find_spec(name) for name in NEEDED)


def write_study(path: Path, graph: Path, *, overwrite: bool) -> None:
    """Write the settings of the study."""
    from hgcal_gnn.files import atomic_path

    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(STUDY.format(path=path, graph=graph), encoding="utf-8")


def regress(settings: Path, folder: Path) -> None:
    """Run the study, or say what is missing for it."""
    print("4. Energy of charged pions: a graph network against the sum of the hits")
    if not can_train():
        print("   left out: networks need more packages, pip install 'hgcal-gnn[torch]'")
        return
    from hgcal_gnn.cli.study import study

    sys.stdout.flush()  # the trainings write to the same place
    study(settings, folder)
    print(f"   pictures -> {folder / 'comparison' / 'resolution.png'}, {folder / 'comparison' / 'linearity.png'}")
