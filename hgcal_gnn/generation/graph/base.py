"""What all graph models share: settings, sizes, and what a training and a sampler ask of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from hgcal_gnn.errors import UsageError
from hgcal_gnn.generation.model import GeneratorModel, ModelConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from hgcal_gnn.generation.condition import Condition
    from hgcal_gnn.generation.graph.calorimeter import Calorimeter
    from hgcal_gnn.generation.graph.hits import Hits


class GraphModelConfig(ModelConfig):
    """Settings of a graph model; each model adds its own and fixes `kind`."""


@dataclass(frozen=True)
class GraphSizes:
    """What the data decide about a model.

    Attributes
    ----------
    pdg_ids
        Kinds of particles, ascending.
    energy
        Lowest and highest energy of the training sample [GeV].
    """

    pdg_ids: Sequence[int] = (22,)
    energy: tuple[float, float] = (1.0, 100.0)


class GraphModel(GeneratorModel):
    """A generator of hits in the cells of a calorimeter.

    Subclasses are constructed with their config, `GraphSizes` and the calorimeter. They are trained on `HitBatch`es.

    Attributes
    ----------
    numbers_per_shower
        Numbers in memory per shower while some are generated, roughly: how many are made between two signs of progress.
    """

    config_class: ClassVar[type[GraphModelConfig]]
    config: GraphModelConfig
    numbers_per_shower: int = 4096

    def __init__(self, config: GraphModelConfig, sizes: GraphSizes, calorimeter: Calorimeter) -> None:
        super().__init__(config)
        self.sizes = sizes
        self.calorimeter = calorimeter

    @classmethod
    def check(cls, calorimeter: Calorimeter) -> None:
        """Refuse detectors that the model is not made for (default: none).

        Raises
        ------
        UsageError
        """

    @abstractmethod
    def generate(self, condition: Condition, random: torch.Generator | None = None, steps: int | None = None) -> Hits:
        """Generate hits on the device of the condition, energies [GeV] above 0; `random` makes the noise.

        Parameters
        ----------
        steps
            Of the sampling, where `has_steps`; None: as in the settings; 0: a single evaluation, if that was learned.
        """

    def moved_to(self, calorimeter: Calorimeter) -> Self:
        """Return a model with the same weights in another geometry (default: refused).

        Raises
        ------
        UsageError
            If the model knows the cells it was trained in only.
        """
        from hgcal_gnn.generation.models import kind_of, moving_kinds  # noqa: PLC0415 (they import this file)

        here, there = (
            f"{one.detector}, cells_sha256 {one.cells_sha256[:12]}..." for one in (self.calorimeter, calorimeter)
        )
        msg = (
            f"{kind_of(self.config)} generates in the cells it was trained in ({here}), not in others ({there}); "
            f"models that move to other geometries: {', '.join(moving_kinds()) or 'none'}"
        )
        raise UsageError(msg)
