"""What exported generators are given: incident particles and noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from hgcal_gnn.export.onnx_file import Input
from hgcal_gnn.generation.condition import Condition
from hgcal_gnn.generation.noise import Asked, NoiseTape, draw
from hgcal_gnn.showers.particles import particle_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from torch import Tensor

    from hgcal_gnn.generation.noise import Law
    from hgcal_gnn.generation.weights import TrainedOn

N_EXAMPLES = 3
SHOWERS = "showers"
LAWS = {"normal": "standard normal", "uniform": "evenly from -1 to 1", "even": "evenly from 0 to 1"}


class NoiseInput(NamedTuple):
    """Noise as an input, [n, *size].

    Attributes
    ----------
    name
    law
    size
    energy
        Above which and up to which energy [GeV] particles have a row, in their order; None: all have one.
    """

    name: str
    law: Law
    size: tuple[int, ...]
    energy: tuple[float, float] | None = None

    @classmethod
    def of_about(cls, about: Mapping[str, Any]) -> list[Self]:
        """Return the noise inputs of an exported file, in the order in which they are drawn."""
        told = [(name, said) for name, said in about["inputs"].items() if "law" in said]
        told.sort(key=lambda item: item[1]["number"])
        return [
            cls(name, said["law"], tuple(said["size"]), _limits(said.get("energy"))) for name, said in told
        ]  # fmt: skip


def noise_asked(generate: Callable[[NoiseTape], Any], n: int = N_EXAMPLES) -> list[NoiseInput]:
    """Find out which noise a model asks for, by generating showers for `n` particles."""
    tape = NoiseTape()
    with torch.no_grad():
        generate(tape)
    if any(asked.shape[0] != n for asked in tape.asked):
        msg = f"noise for other than the {n} particles: {tape.asked}"
        raise ValueError(msg)
    several = len(tape.asked) > 1
    return [
        NoiseInput(f"noise_{number}" if several else "noise", asked.law, asked.shape[1:])
        for number, asked in enumerate(tape.asked)
    ]


def noise_inputs(noises: Sequence[NoiseInput]) -> dict[str, Input]:
    """Return noise as inputs."""
    found = {}
    for number, one in enumerate(noises):
        about: dict[str, Any] = {
            "number": number, "law": one.law, "size": list(one.size), "meaning": f"noise, {LAWS[one.law]}"
        }  # fmt: skip
        rows = SHOWERS
        if one.energy is not None:
            low, high = one.energy
            about |= {"energy": [low, high if math.isfinite(high) else None]}
            about["meaning"] += "; one row for each particle of energy [GeV] above the one and up to the other limit"
            rows = f"{SHOWERS}_{number}"
        found[one.name] = Input(torch.rand(N_EXAMPLES, *one.size), rows, about)
    return found


def drawn(noises: Sequence[NoiseInput], condition: Condition, random: torch.Generator) -> dict[str, Tensor]:
    """Draw noise for particles as the model itself would."""
    found = {}
    for one in noises:
        n = condition.n
        if one.energy is not None:
            low, high = one.energy
            n = int(((condition.energy > low) & (condition.energy <= high)).sum())
        found[one.name] = draw(Asked(one.law, (n, *one.size)), condition.energy, random)
    return found


def particle_inputs(trained_on: TrainedOn) -> dict[str, Input]:
    """Return incident particles as inputs, as `tensors_of` has them."""
    kinds = {str(number): particle_name(pdg_id) for number, pdg_id in enumerate(trained_on.pdg_ids)}
    low, high = trained_on.energy
    about: dict[str, dict[str, Any]] = {
        "energy": {"unit": "GeV", "meaning": "total energy", "trained_on": [low, high]},
        "direction": {"unit": "", "meaning": "unit vector of the flight"},
        "vertex": {"unit": "cm", "meaning": "where the particle starts"},
        "kind": {"unit": "", "meaning": "kind of particle", "kinds": kinds},
    }
    return {name: Input(values, SHOWERS, about[name]) for name, values in tensors_of(example(trained_on)).items()}


def example(trained_on: TrainedOn, n: int = N_EXAMPLES) -> Condition:
    """Make some particles for the shapes alone."""
    direction = torch.tensor(trained_on.direction or (0.0, 0.0, 1.0)).repeat(n, 1)
    return Condition(
        torch.linspace(*trained_on.energy, n), direction, torch.zeros(n, 3), torch.zeros(n, dtype=torch.int64)
    )


def tensors_of(condition: Condition) -> dict[str, Tensor]:
    """Return particles by name."""
    return condition._asdict()


def condition_of(tensors: Sequence[Tensor]) -> tuple[Condition, Sequence[Tensor]]:
    """Take the particles off tensors, in the order of `tensors_of`, and return what is left, too."""
    n = len(Condition._fields)
    return Condition(*tensors[:n]), tensors[n:]


def _limits(said: Sequence[float | None] | None) -> tuple[float, float] | None:
    if said is None:
        return None
    low, high = (math.inf if limit is None else limit for limit in said)
    return low, high
