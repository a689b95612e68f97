"""The tree generator as a network that can be exported, and generation with it.

What is exported draws hits, energy and leaves; which cells the leaves fall into depends on the detector and on how many
leaves share a cell, which is left to `TreeModel.lit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from hgcal_gnn.export.onnx_file import Network
from hgcal_gnn.export.particles import (
    NoiseInput,
    condition_of,
    drawn,
    example,
    noise_asked,
    noise_inputs,
    particle_inputs,
    tensors_of,
)
from hgcal_gnn.generation.noise import NoiseTape

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from hgcal_gnn.export.onnx_file import Session
    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.graph.hits import Hits
    from hgcal_gnn.generation.graph.tree import TreeModel
    from hgcal_gnn.generation.weights import TrainedOn

OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    "n_hits": {"unit": "", "meaning": "hits of the shower, a whole number"},
    "visible": {"unit": "GeV", "meaning": "sum of the deposits"},
    "leaves": {
        "columns": ["log_mips", "across_theta", "across_phi", "plane"],
        "meaning": "ln of the energy [MIP of the cell], place across the line of flight towards larger theta and phi "
        "[cm], plane counted from 0 along the line of flight, to be rounded",
    },
}


def tree_network(model: TreeModel, trained_on: TrainedOn) -> Network:
    """Return the network: particles and noise in, `OUTPUTS` out."""
    noises = noise_asked(lambda tape: model.drawn(example(trained_on), tape))
    return Network(_Drawn(model), particle_inputs(trained_on) | noise_inputs(noises), OUTPUTS)


class OnnxTree:
    """Generates hits with onnxruntime, with the noise that the model itself would draw.

    Parameters
    ----------
    session
        Of the exported network.
    model
        Knows the cells.
    """

    def __init__(self, session: Session, model: TreeModel) -> None:
        self.session, self.model = session, model
        self.noises = NoiseInput.of_about(session.about)

    def __call__(self, condition: Condition, random: torch.Generator, steps: int | None = None) -> Hits:
        """Generate hits [GeV]."""
        del steps
        found = self.session(tensors_of(condition) | drawn(self.noises, condition, random))
        n_hits, visible, leaves = found
        return self.model.lit(condition, n_hits, visible, leaves, random).hits


class _Drawn(nn.Module):
    """`TreeModel.drawn` as a function of tensors."""

    def __init__(self, model: TreeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        condition, noise = condition_of(tensors)
        return self.model.drawn(condition, NoiseTape(noise))
