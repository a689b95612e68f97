"""What a generator works in, and all that depends on it: the voxels of a grid, or any cells of a detector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, cast

from hgcal_gnn.generation.graph.base import GraphModel, GraphModelConfig, GraphSizes
from hgcal_gnn.generation.graph.calorimeter import Calorimeter
from hgcal_gnn.generation.graph.generator import HitGenerator
from hgcal_gnn.generation.graph.hits import HitMaker
from hgcal_gnn.generation.image_batch import ImageMaker
from hgcal_gnn.generation.models import MODELS, kind_of
from hgcal_gnn.generation.voxel.base import ImageSizes, VoxelModel
from hgcal_gnn.generation.voxel.generator import VoxelGenerator
from hgcal_gnn.generation.weights import KnownCells
from hgcal_gnn.training.generation.checks import check_hits, check_images
from hgcal_gnn.training.generation.grid import make_grid, share_outside

if TYPE_CHECKING:
    from hgcal_gnn.batching.voxel_grid import VoxelGrid
    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.generation.batch import Maker
    from hgcal_gnn.generation.generator import AnyGenerator
    from hgcal_gnn.generation.model import GeneratorModel
    from hgcal_gnn.generation.weights import TrainedOn
    from hgcal_gnn.geometry.graph import CellGraph
    from hgcal_gnn.geometry.material import MaterialProfile
    from hgcal_gnn.training.data import Sample


class Domain(ABC):
    """Where the generator of some settings works: `VoxelDomain` or `CellDomain`.

    Parameters
    ----------
    config
    cells
        What the weights keep of them.
    """

    def __init__(self, config: GenerationConfig, cells: VoxelGrid | KnownCells) -> None:
        self.config = config
        self.cells = cells

    @abstractmethod
    def build(self, trained_on: TrainedOn) -> GeneratorModel:
        """Build the model of the settings."""

    @abstractmethod
    def maker(self, trained_on: TrainedOn, threshold: float = 0.0) -> Maker[Any]:
        """Return what makes batches of showers; cells of at most the threshold [GeV] are empty."""

    @abstractmethod
    def generator(self, model: Any, trained_on: TrainedOn, **options: Any) -> AnyGenerator:
        """Return a trained model as a generator; for the options see `Generator`."""

    @abstractmethod
    def check_sample(self, sample: Any, trained_on: TrainedOn, source: str) -> None:
        """Refuse training showers (a batch without threshold) that the model cannot learn from."""

    @abstractmethod
    def share_outside(self, sample: Sample) -> float:
        """Return the share of the visible energy of showers that the generator cannot reach."""


class VoxelDomain(Domain):
    """The voxels of a grid."""

    def __init__(self, config: GenerationConfig, grid: VoxelGrid) -> None:
        super().__init__(config, grid)
        self.grid = grid
        self.model_class = cast("type[VoxelModel]", MODELS[kind_of(config.model)])
        self.model_class.check(grid.shapes)

    def build(self, trained_on: TrainedOn) -> VoxelModel:
        """Build the model for images of this grid."""
        sizes = ImageSizes(self.grid.shapes, trained_on.pdg_ids, trained_on.energy)
        return self.model_class(cast("Any", self.config.model), sizes)

    def maker(self, trained_on: TrainedOn, threshold: float = 0.0) -> ImageMaker:
        """Return a maker of images."""
        return ImageMaker(self.grid, trained_on.pdg_ids, threshold)

    def generator(self, model: Any, trained_on: TrainedOn, **options: Any) -> VoxelGenerator:
        """Return a generator by way of images."""
        return VoxelGenerator(model, self.grid, trained_on, **options)

    def check_sample(self, sample: Any, trained_on: TrainedOn, source: str) -> None:
        """Refuse images without anything to learn."""
        check_images(self.config, sample, trained_on, source)

    def share_outside(self, sample: Sample) -> float:
        """Return the share of the energy in cells without a voxel."""
        return share_outside(self.grid, sample)


class CellDomain(Domain):
    """Any cells of a detector."""

    def __init__(self, config: GenerationConfig, calorimeter: Calorimeter) -> None:
        super().__init__(config, KnownCells(calorimeter.detector, calorimeter.cells_sha256, calorimeter.n_cells))
        self.calorimeter = calorimeter
        self.model_class = cast("type[GraphModel]", MODELS[kind_of(config.model)])
        self.model_class.check(calorimeter)

    def build(self, trained_on: TrainedOn) -> GraphModel:
        """Build the model for hits in these cells."""
        sizes = GraphSizes(trained_on.pdg_ids, trained_on.energy)
        return self.model_class(cast("Any", self.config.model), sizes, self.calorimeter)

    def maker(self, trained_on: TrainedOn, threshold: float = 0.0) -> HitMaker:
        """Return a maker of hits."""
        return HitMaker(self.calorimeter, trained_on.pdg_ids, threshold)

    def generator(self, model: Any, trained_on: TrainedOn, **options: Any) -> HitGenerator:
        """Return a generator by way of hits, in the model's own calorimeter."""
        return HitGenerator(model, trained_on, **options)

    def check_sample(self, sample: Any, trained_on: TrainedOn, source: str) -> None:
        """Refuse hits without anything to learn."""
        check_hits(self.config, sample, trained_on, source)

    def share_outside(self, sample: Sample) -> float:
        """Return 0: every cell is in reach."""
        del sample
        return 0.0


def make_domain(config: GenerationConfig, graph: CellGraph, material: MaterialProfile) -> Domain:
    """Make the domain of a training.

    Raises
    ------
    UsageError
        If the model is not made for the cells.
    """
    if isinstance(config.model, GraphModelConfig):
        return CellDomain(config, Calorimeter.of(graph, material))
    return VoxelDomain(config, make_grid(config.data, graph))
