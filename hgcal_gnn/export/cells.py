"""The generator in cells as three networks that can be exported, and generation with two of them.

`layers` draws hits and energies of layers, `places` turns them into densities around the axis, `energies` gives hits
their energies. Between the last two, cells are drawn from the densities until each layer has its hits: that depends on
the cells of the detector, one after the other, and is no network; see `Cells.generate`. In generation the messages
between hits stay with compiled kernels, which write nothing per edge into memory.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hgcal_gnn.export.onnx_file import Input, Network
from hgcal_gnn.export.particles import N_EXAMPLES, SHOWERS, NoiseInput, noise_inputs, particle_inputs
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.graph.cells_energies import N_TOLD, Told, flowed
from hgcal_gnn.generation.graph.cells_layers import LayerSums
from hgcal_gnn.generation.graph.cells_places import Density
from hgcal_gnn.generation.graph.ground import Seen, Tokens
from hgcal_gnn.generation.noise import NoiseTape, noise
from hgcal_gnn.nn.adjacency import Adjacency

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hgcal_gnn.export.onnx_file import Session
    from hgcal_gnn.generation.graph.cells import Cells
    from hgcal_gnn.generation.weights import TrainedOn

TOKENS: Mapping[str, str] = {
    "depth": "of each layer along the line of flight, in radiation lengths",
    "features": "of each layer: depths, thickness and loss in units of their own, and whether it is of tiles there",
    "area": "of the cell on the axis [cm^2]; of all cells of the layer where there is none",
    "present": "whether the detector has the layer there",
    "cosine": "of the angle of incidence",
}
SUMS: Mapping[str, str] = {
    "n_hits": "hits of each layer, whole numbers",
    "mips": "energy of each layer [MIP of particles along the flight]",
    "centre": "of the energy of each layer, across the axis towards larger theta and phi [cm]",
}
DENSITY: Mapping[str, str] = {
    "log_share": "ln of the share of clicks in each Gaussian",
    "log_energy_share": "ln of the share of energy in each Gaussian",
    "sigma": "width of each Gaussian [cm]",
    "middle": "of each Gaussian, across the axis [cm]",
    "log_clicks": "ln of the clicks of each layer",
    "context": "numbers of the layer for the network of the energies",
}
HITS: Mapping[str, tuple[str, str]] = {
    "noise": ("hits", "noise, standard normal, one number a hit"),
    "numbers": ("hits", "what is told of hits, see cells_energies.Told"),
    "log_guess": ("hits", "ln of the energy [MIP] that is guessed"),
    "place": ("hits", "across and along the axis, in units of 2 cm and 2 layers"),
    "row": ("hits", "shower x layers + layer"),
    "layer_ptr": ("layers_plus_1", "first hit of each layer of each shower, and the number of hits"),
    "rowptr": ("hits_plus_1", "first edge of each hit, and the number of edges"),
    "col": ("edges", "the hit at the other end; every edge both ways, ascending within a hit"),
    "edge_type": ("edges", "0 in the layer, 1 border, 2 next layer, 3 previous layer, 4 by distance"),
}


def cells_networks(model: Cells, trained_on: TrainedOn, steps: int | None) -> dict[str, Network]:
    """Return the networks by name.

    Parameters
    ----------
    steps
        Of the flows; None: as in the settings, and a single one for energies if that was learned.
    """
    layers, parts = model.ground.n_layers, model.generating
    tokens = _tokens(layers)
    particles = {name: given for name, given in particle_inputs(trained_on).items() if name in {"energy", "kind"}}
    fresh = noise_inputs([NoiseInput("noise", "normal", (parts.layers.flow.n,))])
    sums = _described(_sums(layers), SUMS)
    is_learned = not steps and bool(parts.distilled > 0)
    network = parts.one_step if is_learned else parts.flow
    energy_steps = None if is_learned else steps or model.config.flow_steps
    return {
        "layers": Network(
            _Layers(parts.layers, model.config.steps_of_layers(steps)), {**tokens, **particles, **fresh},
            _said(SUMS),
        ),
        "places": Network(_Places(parts), {**sums, **tokens, **particles}, _said(DENSITY)),
        "energies": Network(
            _Energies(network, energy_steps), _hits(model), _said({"mips": "energy of each hit [MIP], to be scaled to "
            "that of its layer"})
        ),
    }  # fmt: skip


def hit_tensors(told: Told, start: Tensor) -> dict[str, Tensor]:
    """Return what the exported network `energies` is given of hits and their noise [n_hits], by name."""
    seen, edges = told.seen, told.seen.adjacency
    values = (
        start, told.numbers, told.log_guess, told.place, seen.row, seen.layer_ptr, edges.rowptr, edges.col,
        edges.edge_type,
    )  # fmt: skip
    return dict(zip(HITS, values, strict=True))


def cells_in_onnx(model: Cells, sessions: Mapping[str, Session]) -> Cells:
    """Return the model with layers and places in onnxruntime, for generation only; all else is shared."""
    parts = copy.copy(model.generating)
    found = {"layers": OnnxLayers(sessions["layers"], model), "places": OnnxPlaces(sessions["places"])}
    parts._modules = {**parts._modules, **found}
    return model._with_generating(parts)


class OnnxLayers(nn.Module):
    """Stands in for `LayerModel` where layers are drawn."""

    def __init__(self, session: Session, model: Cells) -> None:
        super().__init__()
        self.session = session
        self.n_noise = model.generating.layers.flow.n
        self.incident, self.seen_areas = _Raw(), model.generating.layers.seen_areas

    def sample(self, tokens: Tokens, condition: Condition, random: torch.Generator | None, steps: int) -> LayerSums:
        """Draw the layers of showers; steps are those of the file."""
        del steps
        fresh = {"noise": noise(condition.n, self.n_noise, tokens.depth, random)}
        return LayerSums(*self.session(tokens._asdict() | condition._asdict() | fresh))


class OnnxPlaces(nn.Module):
    """Stands in for `Places`."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def forward(self, sums: LayerSums, tokens: Tokens, incident: Condition) -> Density:
        """Return the density; the particles are told as they are."""
        return Density(*self.session(sums._asdict() | tokens._asdict() | incident._asdict()))


class _Raw(nn.Module):
    """Stands in for `Incident`: the exported network has its own."""

    def forward(self, condition: Condition) -> Condition:
        return condition


class _Layers(nn.Module):
    """`LayerModel.sample` as a function of tensors."""

    def __init__(self, layers: Any, steps: int) -> None:
        super().__init__()
        self.layers, self.steps = layers, steps

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        *tokens, energy, kind, fresh = tensors
        sums: LayerSums = self.layers.sample(
            Tokens(*tokens), _condition(energy, kind), NoiseTape([fresh]), self.steps
        )  # fmt: skip
        return tuple(sums)


class _Places(nn.Module):
    """`Places` as a function of tensors."""

    def __init__(self, parts: Any) -> None:
        super().__init__()
        self.incident, self.places = parts.layers.incident, parts.places

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        n_hits, mips, centre, *tokens, energy, kind = tensors
        incident = self.incident(_condition(energy, kind))
        return tuple(self.places(LayerSums(n_hits, mips, centre), Tokens(*tokens), incident))


class _Energies(nn.Module):
    """The flow of the energies, or its pupil, as a function of tensors."""

    def __init__(self, network: Any, steps: int | None) -> None:
        super().__init__()
        self.network, self.steps = network, steps

    def forward(self, *tensors: Tensor) -> Tensor:
        start, numbers, log_guess, place, row, layer_ptr, rowptr, col, edge_type = tensors
        nothing = start
        edges = Adjacency(rowptr, col, edge_type)
        seen = Seen(nothing, nothing, row, nothing, nothing, nothing, nothing, layer_ptr, edges)
        told = Told(numbers, log_guess, place, seen)
        return told.mips(flowed(self.network, told, start, self.steps))


def _condition(energy: Tensor, kind: Tensor) -> Condition:
    """Return particles of which only this is asked."""
    return Condition(energy, energy[:, None], energy[:, None], kind)


def _said(meanings: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"meaning": meaning} for name, meaning in meanings.items()}


def _described(examples: Mapping[str, Tensor], meanings: Mapping[str, str]) -> dict[str, Input]:
    return {name: Input(values, SHOWERS, {"meaning": meanings[name]}) for name, values in examples.items()}


def _tokens(n_layers: int) -> dict[str, Input]:
    n = N_EXAMPLES
    depth = torch.linspace(1, 25, n_layers).repeat(n, 1)
    present = torch.ones(n, n_layers, dtype=torch.bool)
    tokens = Tokens(depth, torch.rand(n, n_layers, 5), torch.ones(n, n_layers), present, torch.ones(n))
    return _described(tokens._asdict(), TOKENS)


def _sums(n_layers: int) -> dict[str, Tensor]:
    shape = (N_EXAMPLES, n_layers)
    return LayerSums(torch.ones(shape), torch.ones(shape), torch.zeros(*shape, 2))._asdict()


def _hits(model: Cells) -> dict[str, Input]:
    """Return four hits of one shower in a row, in two layers, for the shapes alone."""
    n, columns = 4, N_TOLD + model.config.context
    layer_ptr = torch.zeros(2 * model.ground.n_layers + 1, dtype=torch.int64)
    layer_ptr[1], layer_ptr[2:] = 2, n
    edges = Adjacency(
        torch.tensor([0, 1, 3, 5, 6]), torch.tensor([1, 0, 2, 1, 3, 2]), torch.zeros(6, dtype=torch.uint8)
    )
    examples = (
        torch.rand(n), torch.rand(n, columns), torch.rand(n), torch.rand(n, 3), torch.tensor([0, 0, 1, 1]), layer_ptr,
        edges.rowptr, edges.col, edges.edge_type,
    )  # fmt: skip
    return {
        name: Input(values, rows, {"meaning": meaning} | ({"law": "normal", "number": 0, "size": []} if name == "noise"
        else {}))
        for (name, (rows, meaning)), values in zip(HITS.items(), examples, strict=True)
    }  # fmt: skip
