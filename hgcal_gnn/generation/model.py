"""What all generators share, voxel and graph models: settings, and what a training asks of them."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hgcal_gnn.generation.players import Stage


class ModelConfig(BaseModel):
    """Settings of a generator; each model adds its own and fixes `kind`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    threshold: NonNegativeFloat = Field(
        0.0,
        description="cells (voxels) of at most this energy are empty, in the training showers as in generated ones "
        "[GeV]",
    )


class GeneratorModel(nn.Module, ABC):
    """A generator with everything that is needed to train it.

    What a model does to energies inside (scales, logarithms) is its own affair, with scales as buffers that `fit` sets.

    Attributes
    ----------
    has_steps
        Whether it samples in steps whose number can be chosen.
    generating
        The part that `generate` uses: it is averaged, counted and saved; all the rest serves the training only.
    """

    config_class: ClassVar[type[ModelConfig]]
    has_steps: ClassVar[bool] = False
    generating: nn.Module

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    def fit(self, sample: Any) -> None:
        """Take scales from a part of the training sample (a batch), before the training."""

    @abstractmethod
    def stages(self, iterations: int) -> Sequence[Stage]:
        """Return the stages of a training whose main one takes so many iterations."""

    def after_stage(self, stage: str, showers: Callable[[int], Iterable[Any]]) -> bool:  # noqa: ARG002
        """Take what only a trained network knows, after the best weights of a stage are taken up again.

        Called in evaluation mode, without gradients.

        Parameters
        ----------
        stage
            Its name.
        showers
            Gives batches of so many showers of the training sample, or of all if there are fewer.

        Returns
        -------
        bool
            Whether anything has changed in `generating` (default: nothing).
        """
        return False

    def prepare(self) -> Self:
        """Return a model that generates the same, up to rounding, in less time, for that only; default: itself."""
        return self

    def traceable(self) -> Self:
        """Return a model that generates the same, up to rounding, by operations that can be exported; for that only.

        Default: what `prepare` returns.
        """
        return self.prepare()

    def _with_generating(self, generating: nn.Module) -> Self:
        """Return the same model with another generating part, for `prepare` and `traceable`; all else is shared."""
        other = copy.copy(self)
        other._modules = {**self._modules, "generating": generating}
        return other
