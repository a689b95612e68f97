"""Settings of the data: the detector, and the samples of showers in it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, field_validator
from pydantic import model_validator as validates

from hgcal_gnn.config.base import Settings
from hgcal_gnn.geometry.detectors import DETECTORS
from hgcal_gnn.geometry.detectors.windows import Window
from hgcal_gnn.simulation.beam import Beam, parse_spectrum

ALL_AROUND = (-math.pi, math.pi)


def _interval(value: Any) -> Any:
    """Read 2.0, "1.6..2.9" or [1.6, 2.9] as two limits."""
    if isinstance(value, str):
        low, dots, high = value.partition("..")
        try:
            return (float(low), float(high)) if dots else (float(low), float(low))
        except ValueError:
            msg = "write a number or an interval such as 1.6..2.9"
            raise ValueError(msg) from None
    return (value, value) if isinstance(value, int | float) else value


def _spectrum(value: Any) -> Any:
    """Read 50, [5, 50, 500], "10..500" or "log:10..500" as the text of a spectrum."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, int | float) else value


Interval = Annotated[tuple[float, float], BeforeValidator(_interval)]
SpectrumText = Annotated[str, BeforeValidator(_spectrum)]
Vector = tuple[float, float, float]


class WindowConfig(Settings):
    """A piece of a built-in detector."""

    eta: tuple[float, float] | None = Field(None, description="lowest and highest pseudorapidity of a cell")
    phi: tuple[float, float] | None = Field(None, description="first and last azimuth [rad], counter-clockwise")
    layers: tuple[int, int] | None = Field(None, description="first and last layer")
    side: Literal[-1, 1] | None = Field(None, description="endcap: +1 or -1")

    @validates(mode="after")
    def _is_possible(self) -> WindowConfig:
        Window(eta=self.eta, phi=self.phi, layers=self.layers, side=self.side)
        return self


class SimulateConfig(Settings):
    """Showers of the parametrised simulation, as ``hgcal-gnn simulate`` makes them."""

    particle: str = Field("photon", description="photon, electron, pion, ...")
    energy: SpectrumText | None = Field(None, description="total energy [GeV]: 50 | 5,50 | 10..500 | log:10..500")
    pt: SpectrumText | None = Field(None, description="instead of energy: transverse momentum [GeV], same forms")
    eta: Interval = Field((2.0, 2.0), description="pseudorapidity: 2.0 or 1.6..2.9")
    phi: Interval = Field(ALL_AROUND, description="azimuth [rad]")
    direction: Vector | None = Field(None, description="instead of eta and phi: a vector")
    vertex: Vector = Field((0.0, 0.0, 0.0), description="where the particles start [cm]")
    vertex_sigma: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat] = Field(
        (0.0, 0.0, 0.0), description="Gaussian smearing of the vertex [cm]"
    )
    number: PositiveInt = Field(description="how many showers")
    seed: NonNegativeInt = Field(0, description="of the simulation")

    @validates(mode="after")
    def _is_possible(self) -> SimulateConfig:
        if (self.energy is None) == (self.pt is None):
            msg = "give either energy or pt"
            raise ValueError(msg)
        self.beam()
        return self

    def beam(self) -> Beam:
        """Return the beam of particles."""
        quantity: Literal["energy", "pt"] = "pt" if self.energy is None else "energy"
        return Beam(
            particle=self.particle,
            spectrum=parse_spectrum(str(self.pt if self.energy is None else self.energy), quantity),
            eta=_single(self.eta),
            phi=_single(self.phi),
            direction=self.direction,
            vertex=self.vertex,
            vertex_sigma=self.vertex_sigma,
        )


class SampleConfig(Settings):
    """A sample of showers: a store, or a simulation that is run once and kept in the cache folder."""

    showers: Path | None = Field(None, description="shower store (.arrow)")
    number: PositiveInt | None = Field(None, description="use the first ones of the store only")
    simulate: SimulateConfig | None = Field(None, description="instead of showers")
    mix: tuple[SimulateConfig, ...] = Field((), description="instead of showers: several simulations in one sample")

    @validates(mode="after")
    def _is_one(self) -> SampleConfig:
        if (self.showers is not None) + (self.simulate is not None) + bool(self.mix) != 1:
            msg = "give either showers (a file) or simulate, or mix (several simulations)"
            raise ValueError(msg)
        if self.showers is None and self.number is not None:
            msg = "number belongs to showers; a simulation has its own: simulate.number"
            raise ValueError(msg)
        return self


class GeometryConfig(Settings):
    """The cells and their graph."""

    detector: str | None = Field(None, description="built-in detector (make-geometry --list)")
    graph: Path | None = Field(None, description="instead of detector: a cell graph (.safetensors)")
    window: WindowConfig | None = Field(None, description="piece of the built-in detector")
    material: str | None = Field(None, description="YAML file, or name of a detector; default: that of the detector")

    @field_validator("detector")
    @classmethod
    def _exists(cls, name: str | None) -> str | None:
        if name is not None and name not in DETECTORS:
            msg = f"{name!r} is none of {', '.join(DETECTORS)}"
            raise ValueError(msg)
        return name

    @validates(mode="after")
    def _is_one(self) -> GeometryConfig:
        if (self.detector is None) == (self.graph is None):
            msg = "give either detector or graph"
            raise ValueError(msg)
        if self.window is not None and self.detector is None:
            msg = "window cuts a built-in detector; a graph is used whole"
            raise ValueError(msg)
        return self


class DataConfig(GeometryConfig):
    """The detector and the samples."""

    train: SampleConfig = Field(description="showers to train on; those for validation are taken from them")
    validation_fraction: float = Field(0.1, gt=0, lt=1, description="share of the training sample")
    test: SampleConfig | None = Field(None, description="showers to test on; default: a share of the training sample")
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="that share, if there is no test sample")
    split_seed: NonNegativeInt = Field(0, description="of these splits; the same for all runs to be compared")
    empty: Literal["refuse", "drop"] = Field("refuse", description="showers without hits: stop, or leave them out")

    @validates(mode="after")
    def _tests_other_showers(self) -> DataConfig:
        if self.test is not None and _source(self.test) == _source(self.train):
            msg = (
                "test holds the showers of train; give another file, or another simulate.seed, or leave test out: "
                "then a share of train is held back"
            )
            raise ValueError(msg)
        return self


def _source(sample: SampleConfig) -> tuple[Path | None, tuple[SimulateConfig, ...]]:
    """Return where showers come from; samples of one source share the first ones, however many each takes."""
    simulations = sample.mix if sample.simulate is None else (sample.simulate,)
    of_one = tuple(simulation.model_copy(update={"number": 1}) for simulation in simulations)
    return (None if sample.showers is None else sample.showers.resolve(), of_one)


def _single(limits: tuple[float, float]) -> float | tuple[float, float]:
    return limits[0] if limits[0] == limits[1] else limits
