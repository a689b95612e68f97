"""All generators by their kind; a new one is added to `ALL`."""

from __future__ import annotations

from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hgcal_gnn.generation.graph.base import GraphModel
from hgcal_gnn.generation.graph.cells import Cells
from hgcal_gnn.generation.graph.tree import TreeModel
from hgcal_gnn.generation.voxel.bib_ae import BIBAE
from hgcal_gnn.generation.voxel.calo_shower_gan import CaloShowerGAN
from hgcal_gnn.generation.voxel.calogan import CaloGAN
from hgcal_gnn.generation.voxel.gan import GAN
from hgcal_gnn.generation.voxel.gan3d import GAN3D
from hgcal_gnn.generation.voxel.wgan_gp import WGAN

if TYPE_CHECKING:
    from hgcal_gnn.generation.model import GeneratorModel, ModelConfig

ALL: tuple[type[GeneratorModel], ...] = (CaloShowerGAN, BIBAE, CaloGAN, GAN, GAN3D, WGAN, Cells, TreeModel)

_by_kind: dict[str, type[GeneratorModel]] = {model.config_class.model_fields["kind"].default: model for model in ALL}
MODELS = MappingProxyType(_by_kind)


def kind_of(config: ModelConfig) -> str:
    """Return the kind of model that settings are for."""
    return str(type(config).model_fields["kind"].default)


def moving_kinds() -> tuple[str, ...]:
    """Return the kinds of models that generate in other geometries than they were trained in."""
    return tuple(
        kind
        for kind, model in MODELS.items()
        if issubclass(model, GraphModel) and model.moved_to is not GraphModel.moved_to
    )


def stepping_kinds() -> tuple[str, ...]:
    """Return the kinds of models that sample in steps whose number can be chosen."""
    return tuple(kind for kind, model in MODELS.items() if model.has_steps)


if TYPE_CHECKING:
    AnyGeneratorConfig = ModelConfig
else:
    _configs = tuple(model.config_class for model in ALL)
    AnyGeneratorConfig = Annotated[reduce(or_, _configs), Field(discriminator="kind")] if len(ALL) > 1 else _configs[0]

__all__ = ["ALL", "MODELS", "AnyGeneratorConfig", "kind_of", "moving_kinds", "stepping_kinds"]
