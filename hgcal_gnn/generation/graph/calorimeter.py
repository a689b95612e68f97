"""What graph generators read of a detector: its cells and their graph, where points belong, what critics see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from hgcal_gnn.generation.critics.cells import Cells
from hgcal_gnn.geometry.cell_numbers import CellNumbers
from hgcal_gnn.simulation.build import build_stack

if TYPE_CHECKING:
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.showers.metadata import ShowerMetadata
    from hgcal_gnn.simulation.deposit import CellFinder
    from hgcal_gnn.simulation.stack import Sensors, Stack


@dataclass(frozen=True, eq=False)
class Calorimeter:
    """A detector as graph generators read it; what is derived from the cells is made when it is asked for, once.

    Attributes
    ----------
    graph
    material
    """

    graph: CellGraph
    material: MaterialProfile

    @classmethod
    def of(cls, graph: CellGraph, material: MaterialProfile) -> Calorimeter:
        """Take a graph and the material of its layers."""
        return cls(graph, material)

    @property
    def detector(self) -> str:
        """Name of the detector."""
        return self.graph.cells.detector

    @property
    def cells_sha256(self) -> str:
        """Hash of the cells whose rows are meant."""
        return self.graph.cells_sha256

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.graph.n_cells

    @cached_property
    def numbers(self) -> CellNumbers:
        """Place, layer, section, sensor and calibration of each cell."""
        return CellNumbers.of(self.graph.cells, self.material)

    @cached_property
    def _built(self) -> tuple[Stack, Sensors, CellFinder]:
        return build_stack(self.graph.cells, self.material)

    @property
    def stack(self) -> Stack:
        """The layers along a line of flight."""
        return self._built[0]

    @property
    def sensors(self) -> Sensors:
        """The sensors of the cells."""
        return self._built[1]

    @property
    def finder(self) -> CellFinder:
        """Finds the cell of a point in a layer: `simulation.deposit.find_cell`; layers as in `stack.cells`."""
        return self._built[2]

    @cached_property
    def critic_cells(self) -> Cells:
        """The cells as graph critics see them."""
        return Cells.of(self.graph, self.material)

    def check(self, metadata: ShowerMetadata, *, source: str = "showers") -> None:
        """Refuse showers of another geometry; an unknown one passes.

        Raises
        ------
        GeometryMismatchError
        """
        metadata.check_geometry(self.cells_sha256, source=source)
