"""The published graph network for the toy detector: high-level variables are joined to the pooled hits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hgcal_gnn.regression.models.gcn import Gcn, GcnSettings


class GcnHlvConfig(GcnSettings):
    """Settings of `GcnHlv`."""

    kind: Literal["gcn_hlv"] = "gcn_hlv"
    variables: tuple[str, ...] = Field(
        ("energy_elmag", "energy_hadron", "eta", "phi"), min_length=1, description="high-level variables the model sees"
    )


class GcnHlv(Gcn):
    """`Gcn` that is never without high-level variables."""

    config_class = GcnHlvConfig
