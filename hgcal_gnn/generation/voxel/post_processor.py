"""Post-processor: a second network that corrects the cell energies of another one, cell by cell.

It makes the peak of minimum ionising particles, which critics of whole showers hardly see (arXiv:2005.05334, section
4.5; numbers as in github.com/FLC-QU-hep/getting_high, BIBAE_PP_Run.py). Voxel models with one section can use it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from hgcal_gnn.generation.players import OptimiserConfig, Player, Stage
from hgcal_gnn.nn.threads import is_traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from hgcal_gnn.generation.image_batch import ImageBatch

MIP = 0.2  # MeV that a minimum ionising particle leaves in the published data; their numbers are in MeV
SMALL = MIP / 2  # below it the network sees energies about as they are, above it their logarithm
HIGHEST = 15.0  # ln(1 + energy / SMALL) that no cell reaches: e^15 x 0.1 MeV is 300 GeV


class PostProcessorConfig(BaseModel):
    """Settings of a post-processor and its training; the kernel's numbers are in MeV of the published data."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    channels: PositiveInt = Field(128, description="of the convolutions; the condition has half as many")
    share: PositiveFloat = Field(4 / 35, description="iterations per iteration of the main stage")
    warm_up: float = Field(0.25, ge=0, lt=1, description="share of them that only learns to change nothing")
    kernel_weight: NonNegativeFloat = Field(5.0, description="weight of the kernel distance of sorted cells")
    window: PositiveInt = Field(100, description="cells compared at a time")
    stride: PositiveInt = Field(25, description="cells from one window to the next; 50 with a WGAN")
    cells: PositiveInt = Field(2000, description="windows begin among so many cells of highest energy")
    alpha: PositiveFloat = Field(200.0, description="of the Gaussian kernel [1 / MeV^2]")
    sorted_weight: NonNegativeFloat = Field(0.0, description="weight of the difference of sorted cells (logarithms)")
    sum_weight: NonNegativeFloat = Field(0.0, description="weight of the squared relative change of the energy sum")
    same_weight: NonNegativeFloat = Field(1.0, description="weight of the squared change of the cells (logarithms)")
    optimiser: OptimiserConfig = OptimiserConfig.of(learning_rate=5e-4, betas=(0.5, 0.9))


class PostProcessor(nn.Module):
    """Convolutions of one cell, told the energy of the shower; cells without energy stay so.

    Works on ln(1 + energy / half a MIP): squared changes then weigh cells of all energies alike, where those of
    energies (published) are changes of the core.

    Parameters
    ----------
    shape
        Of the image.
    config

    Attributes
    ----------
    unit : float32 []
        Energy that is a MeV of the published data [GeV].
    total : float32 []
        Typical energy of an image [GeV].
    highest : float32 []
        Highest incident energy [GeV].
    active : bool []
        Whether `forward` changes anything: not before its training has begun.
    """

    unit: Tensor
    total: Tensor
    highest: Tensor
    active: Tensor

    def __init__(self, shape: tuple[int, ...], config: PostProcessorConfig) -> None:
        super().__init__()
        self.shape = shape
        wide, told = config.channels, config.channels // 2
        self.told = nn.Sequential(
            nn.Linear(2, told), nn.LeakyReLU(), nn.Linear(told, told), nn.LeakyReLU(), nn.Linear(told, told),
            nn.LeakyReLU(),
        )  # fmt: skip
        self.cells = nn.ModuleList(nn.Conv3d(n_in, wide, 1) for n_in in (1, wide + told, wide, wide, wide))
        self.norms = nn.ModuleList(nn.LayerNorm(shape) for _ in range(4))
        self.out = nn.Conv3d(wide, 1, 1, bias=False)
        self.register_buffer("unit", torch.tensor(1e-3))
        self.register_buffer("total", torch.ones(()))
        self.register_buffer("highest", torch.ones(()))
        self.register_buffer("active", torch.zeros((), dtype=torch.bool))

    def fit(self, sample: ImageBatch) -> None:
        """Take scales from showers."""
        self.unit.fill_(published_unit(sample.image))
        self.highest.fill_(float(sample.condition.energy.max()))
        self.total.fill_(float(sample.image.sum(dim=1).mean()))

    def forward(self, image: Tensor, energy: Tensor) -> Tensor:
        """Correct images [GeV] of particles of some energies [GeV], [n, n_voxels]."""
        if not is_traced() and not bool(self.active):
            return image
        return self.energies(self.corrected(self.logarithms(image), image, energy), image)

    def corrected(self, logarithms: Tensor, image: Tensor, energy: Tensor) -> Tensor:
        """Return the corrected logarithms, [n, n_voxels]."""
        n = image.shape[0]
        told = self.told(torch.stack([image.sum(dim=1) / self.total, energy / self.highest], dim=1))
        told = told[:, :, None, None, None].expand(-1, -1, *self.shape)
        hidden = logarithms.reshape(n, 1, *self.shape)
        for number, convolution in enumerate(self.cells):
            if number == 1:
                hidden = torch.cat([hidden, told], dim=1)
            hidden = convolution(hidden)
            hidden = leaky_relu(self.norms[number](hidden) if number < len(self.norms) else hidden)
        change: Tensor = self.out(hidden)
        return logarithms + change.reshape(n, -1)

    def logarithms(self, image: Tensor) -> Tensor:
        """Return ln(1 + energy / half a MIP)."""
        return torch.log1p(image / (SMALL * self.unit))

    def energies(self, logarithms: Tensor, image: Tensor) -> Tensor:
        """Return the energies of logarithms [GeV]; 0 where the image has none."""
        energies = torch.expm1(logarithms.clamp(0.0, HIGHEST)) * (SMALL * self.unit)
        return torch.where(image > 0, energies, torch.zeros_like(energies))


def published_unit(image: Tensor) -> float:
    """Return the energy that is a MeV of the published data [GeV]: the most frequent energy of cells is a MIP.

    The maximum of the density in the logarithm; 20 bins per factor e.
    """
    logarithm = image[image > 0].double().log()
    if not len(logarithm):
        return 1e-3
    steps = (logarithm * 20).round().long()
    lowest = int(steps.min())
    counts = nn.functional.pad(torch.bincount(steps - lowest), (1, 1))
    around = counts[:-2] + counts[1:-1] + counts[2:]  # three neighbouring bins are steadier than one
    return math.exp((int(around.argmax()) + lowest) / 20) / MIP


def sorted_kernel_distance(ours: Tensor, theirs: Tensor, config: PostProcessorConfig) -> Tensor:
    """Return the kernel distance of cell energies, sorted and compared window by window, shower by shower.

    Mean over showers and windows of mean K(x, x) + mean K(y, y) - 2 mean K(x, y), K = exp(-alpha (x - y)^2).

    Parameters
    ----------
    ours, theirs : [n, n_voxels]
        In MeV of the published data.
    """
    windows = [_windows(cells, config) for cells in (ours, theirs)]

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-config.alpha * (a[..., :, None] - b[..., None, :]).square()).mean()

    x, y = windows
    return kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)


def _windows(cells: Tensor, config: PostProcessorConfig) -> Tensor:
    """Return the cells of highest energy in windows, [n, n_windows, window]; the last ones may end early."""
    n_voxels = cells.shape[1]
    window = min(config.window, n_voxels)
    last = min(config.cells, n_voxels) - 1
    most = min(last // config.stride * config.stride + window, n_voxels)
    return cells.topk(most, dim=1).values.unfold(1, window, config.stride)


def post_processor_stage(
    network: PostProcessor, generate: Callable[[ImageBatch], Tensor], iterations: int, config: PostProcessorConfig
) -> Stage:
    """Return the training of a post-processor, after the main one.

    Parameters
    ----------
    network
        Part of the model's `generating`.
    generate
        Gives images [GeV] for the particles of a batch, uncorrected; nothing in it is trained.
    iterations
        Of the main stage.
    config
    """
    n = max(round(iterations * config.share), 1)
    warm = int(n * config.warm_up)

    def losses(batch: ImageBatch) -> dict[str, Tensor]:
        with torch.no_grad():
            given = generate(batch)
            before = network.logarithms(given)
        after = network.corrected(before, given, batch.condition.energy)
        return {"given": given, "after": after, "same": (after - before).square().mean()}

    def only_same(batch: ImageBatch) -> dict[str, Tensor]:
        return {"loss": losses(batch)["same"]}

    def all_losses(batch: ImageBatch) -> dict[str, Tensor]:
        network.active.fill_(True)
        found = losses(batch)
        energies = network.energies(found["after"], found["given"])
        kernel = sorted_kernel_distance(energies / network.unit, batch.image / network.unit, config)
        loss = config.same_weight * found["same"] + config.kernel_weight * kernel
        if config.sum_weight:
            change = energies.sum(dim=1) / found["given"].sum(dim=1).clamp(min=float(network.unit)) - 1
            loss = loss + config.sum_weight * change.square().mean()
        if config.sorted_weight:
            loss = loss + config.sorted_weight * _sorted_difference(network, energies, batch.image, config)
        return {"loss": loss, "same": found["same"], "kernel": kernel}

    players = (
        Player("post_processor_warm_up", network, only_same, config.optimiser, until=warm),
        Player("post_processor", network, all_losses, config.optimiser, since=warm),
    )
    return Stage("post_processor", players, n, warm_up=warm)


def _sorted_difference(network: PostProcessor, ours: Tensor, theirs: Tensor, config: PostProcessorConfig) -> Tensor:
    """Return the mean difference of the logarithms of the cells of highest energy, one by one."""
    most = min(config.cells, ours.shape[1])
    x, y = (network.logarithms(cells.topk(most, dim=1).values) for cells in (ours, theirs))
    return (x - y).abs().mean()
