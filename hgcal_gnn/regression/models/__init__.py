"""All regressors by their kind; a new one is added to `ALL`."""

from __future__ import annotations

from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from hgcal_gnn.regression.models.base import ModelConfig, Network
from hgcal_gnn.regression.models.bdt import Bdt
from hgcal_gnn.regression.models.cnn3d import Cnn3d
from hgcal_gnn.regression.models.dnn import Dnn
from hgcal_gnn.regression.models.edgeconv import EdgeConvNetwork
from hgcal_gnn.regression.models.gat import Gat
from hgcal_gnn.regression.models.gcn import Gcn
from hgcal_gnn.regression.models.gcn_hlv import GcnHlv
from hgcal_gnn.regression.models.googlenet3d import GoogLeNet3d
from hgcal_gnn.regression.models.gravnet import GravNetNetwork
from hgcal_gnn.regression.models.linear import LayerLinear, Sum, SumSections
from hgcal_gnn.regression.models.message_passing import MessagePassingNetwork
from hgcal_gnn.regression.models.oracle import Oracle

ALL: tuple[type[Any], ...] = (
    Sum,
    SumSections,
    LayerLinear,
    Oracle,
    Bdt,
    Gcn,
    GcnHlv,
    MessagePassingNetwork,
    EdgeConvNetwork,
    Gat,
    GravNetNetwork,
    Dnn,
    Cnn3d,
    GoogLeNet3d,
)


def _by_kind() -> MappingProxyType[str, type[Any]]:
    """Sort the models by the kind their configs fix; no two may share one."""
    found: dict[str, type[Any]] = {}
    for model in ALL:
        kind = model.config_class.model_fields["kind"].default
        if kind in found:
            msg = f"two models of kind {kind}"
            raise TypeError(msg)
        found[kind] = model
    return MappingProxyType(found)


MODELS = _by_kind()


def kind_of(config: ModelConfig) -> str:
    """Return the kind of model that settings are for."""
    return str(type(config).model_fields["kind"].default)


if TYPE_CHECKING:
    AnyModelConfig = ModelConfig
else:
    _configs = tuple(model.config_class for model in ALL)
    AnyModelConfig = Annotated[reduce(or_, _configs), Field(discriminator="kind")]

__all__ = ["ALL", "MODELS", "AnyModelConfig", "Network", "kind_of"]
