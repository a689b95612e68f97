"""What counts as a neighbour, as the user chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Contact: TypeAlias = Literal["auto", "touching", "boxes", "gabriel"]
BorderRule: TypeAlias = Literal["corner", "outline"]


@dataclass(frozen=True)
class EdgeRules:
    """What counts as a neighbour (DESIGN, section 5).

    Attributes
    ----------
    neighbours
        "exported" takes the table's neighbour columns, "geometric" ignores them, "auto" takes them if present.
    contact
        Rule within a layer: "touching" (Voronoi cells share an edge; hexagons and tiles), "boxes" (stated
        sizes), "gabriel" (centres only). "auto": touching for CMS, boxes where sizes are stated, else gabriel.
    corners
        Contact at a corner counts too (boxes and gabriel).
    border_rule, border_distance
        Between silicon and scintillator, see `border.border_edges`.
    """

    neighbours: Literal["auto", "exported", "geometric"] = "auto"
    contact: Contact = "auto"
    corners: bool = False
    border_rule: BorderRule = "corner"
    border_distance: float | Literal["auto"] = 0.5
