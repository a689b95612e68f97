"""From raw deposits to what the readout tells: MIP, noise, saturation, steps of the ADC, threshold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from hgcal_gnn.showers.ragged import offsets_of
from hgcal_gnn.showers.sensors import SENSORS, Sensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hgcal_gnn.showers.showers import Showers

THRESHOLD = 0.5  # MIP: adcThreshold_fC 0.672 at 1.25 fC per MIP, scaled with the sensor (hgcROCParameters_cfi.py)


@dataclass(frozen=True, eq=False)
class Digitiser:
    """Turns deposits into calibrated hits, still in GeV of deposit so that nothing downstream changes.

    The model follows CMSSW (SimCalorimetry/HGCalSimProducers: HGCFEElectronics, HGCHEbackDigitizer) without the
    time development: no charge of other bunch crossings, no dead time.

    Parameters
    ----------
    sensor : uint8 [n_cells]
        Number of each cell's sensor in `sensors` (`sensors.sensor_of` for CMS).
    sensors
        `sensors.SENSORS`, `sensors.AGED_SENSORS` or your own.
    threshold
        Hits below it are suppressed [MIP].
    noise
        Add electronic noise, and to tiles the fluctuation of the number of photo-electrons.
    saturation
        Limit the signals to the range of the readout; tiles saturate with their pixels.
    steps
        Round to whole counts of the readout.
    noise_hits
        Add hits of cells without a deposit whose noise exceeds the threshold.
    """

    sensor: NDArray[np.uint8]
    sensors: Sequence[Sensor] = SENSORS
    threshold: float = THRESHOLD
    noise: bool = True
    saturation: bool = False
    steps: bool = False
    noise_hits: bool = False

    @property
    def noise_hits_per_shower(self) -> float:
        """Expected number of noise hits per shower; with many, digitise small chunks (`Showers.chunks`)."""
        return float(sum(len(cells) * self._above_by_noise(kind) for kind, cells in enumerate(self._cells_of_kind)))

    def mip(self, showers: Showers) -> NDArray[np.float64]:
        """Return the deposits in MIP, float64 [n_hits]."""
        return showers.energy / self._of_sensor("e_mip")[self.sensor[showers.cell]]

    def __call__(self, showers: Showers, random: np.random.Generator) -> Showers:
        """Digitise.

        Parameters
        ----------
        showers
            Raw deposits; those of one cell are summed first.
        random
            Source of the noise: the same state and the same showers, in the same chunks, give the same hits.

        Returns
        -------
        Showers
            Hits sorted by cell, `energy` in GeV of deposit.
        """
        hits = showers.merged()
        kind = self.sensor[hits.cell]
        signal = self.mip(hits)
        if self.noise:
            signal = self._fluctuated(signal, kind, random)
            signal += self._of_sensor("noise")[kind] * random.standard_normal(len(signal))
        signal = self._read_out(signal, kind)
        seen = self._with_signal(hits, signal).where(signal >= self.threshold)
        if not self.noise_hits:
            return seen
        extra = self._noise_only(hits, random)
        return _joined(seen, extra)

    def _read_out(self, signal: NDArray[np.float64], kind: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Apply range and steps of the readout, in MIP."""
        if self.saturation:
            signal = self._saturated(signal, kind)
        if not self.steps:
            return signal
        onset = self._of_sensor("tot_onset")[kind]
        step = self._of_sensor("adc_step")[kind]
        step = np.where(signal < onset, step, self._of_sensor("tot_step")[kind])
        # the middle of the step, so that rounding does not shift the mean
        return (np.floor(signal / step) + 0.5) * step

    def _fluctuated(
        self, signal: NDArray[np.float64], kind: NDArray[np.uint8], random: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw the photo-electrons of tiles (Poisson)."""
        per_mip = self._of_sensor("photo_electrons")[kind]
        tiles = np.flatnonzero(per_mip > 0)
        fluctuated = signal.copy()
        fluctuated[tiles] = random.poisson(signal[tiles] * per_mip[tiles]) / per_mip[tiles]
        return fluctuated

    def _saturated(self, signal: NDArray[np.float64], kind: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Limit signals; n photo-electrons fire N (1 - x) / (1 - c x) of N pixels, x = exp(-n / N), cross-talk c.

        HGCHEbackDigitizer.cc; the cross-talk only reshapes the way to saturation there: few photo-electrons fire
        n / (1 - c) pixels.
        """
        pixels, cross_talk = self._of_sensor("pixels")[kind], self._of_sensor("cross_talk")[kind]
        tiles = np.flatnonzero(pixels > 0)
        per_mip = self._of_sensor("photo_electrons")[kind[tiles]]
        left = np.exp(-np.maximum(signal[tiles], 0) * per_mip / pixels[tiles])
        limited = signal.copy()
        limited[tiles] = pixels[tiles] * (1 - left) / (1 - cross_talk[tiles] * left) / per_mip
        return np.minimum(limited, self._of_sensor("largest")[kind])

    def _noise_only(self, hits: Showers, random: np.random.Generator) -> Showers:
        """Draw cells without a deposit whose noise alone exceeds the threshold.

        Each cell of each shower is one trial; the gaps between successes are geometric, so that the work goes
        with the noise hits, not with the cells.
        """
        n_cells = len(self.sensor)
        places, signals = [], []
        for kind, cells in enumerate(self._cells_of_kind):
            noise, probability = self.sensors[kind].noise, self._above_by_noise(kind)
            found = _successes(len(cells) * len(hits), probability, random)
            uniform = 1.0 - random.random(len(found))
            places.append(found // max(len(cells), 1) * n_cells + cells[found % max(len(cells), 1)])
            signals.append(-noise * ndtri(probability * uniform))
        place, signal = np.concatenate(places), np.concatenate(signals)
        order = np.argsort(place)
        place, signal = place[order], signal[order]
        free = ~np.isin(place, hits.shower * n_cells + hits.cell)
        place, signal = place[free], signal[free]
        shower, cell = place // n_cells, (place % n_cells).astype(np.int32)
        offsets = offsets_of(np.bincount(shower, minlength=len(hits)))
        time = None if hits.time is None else np.full(len(cell), np.nan, dtype=np.float32)
        bare = hits.replace(offsets=offsets, cell=cell, energy=signal.astype(np.float32), time=time)
        return self._with_signal(bare, self._read_out(signal, self.sensor[cell]))

    def _above_by_noise(self, kind: int) -> float:
        """Return the probability that noise alone exceeds the threshold."""
        noise = self.sensors[kind].noise
        return float(ndtr(-self.threshold / noise)) if noise > 0 else 0.0

    def _with_signal(self, hits: Showers, signal: NDArray[np.float64]) -> Showers:
        energy = signal * self._of_sensor("e_mip")[self.sensor[hits.cell]]
        return hits.replace(energy=energy.astype(np.float32))

    def _of_sensor(self, name: str) -> NDArray[np.float64]:
        return np.array([getattr(sensor, name) for sensor in self.sensors], dtype=np.float64)

    @cached_property
    def _cells_of_kind(self) -> list[NDArray[np.int64]]:
        return [np.flatnonzero(self.sensor == kind) for kind in range(len(self.sensors))]


def _successes(n_trials: int, probability: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the numbers of the successful ones among `n_trials` independent trials, ascending."""
    found: list[NDArray[np.int64]] = []
    last = -1
    while probability > 0 and last < n_trials:
        expected = (n_trials - last) * probability
        gaps = random.geometric(probability, int(expected + 4 * np.sqrt(expected)) + 16)
        numbers = last + np.cumsum(gaps)
        found.append(numbers)
        last = int(numbers[-1])
    joined = np.concatenate([np.zeros(0, dtype=np.int64), *found])
    return joined[: np.searchsorted(joined, n_trials)]


def _joined(showers: Showers, extra: Showers) -> Showers:
    """Join the hits of the same showers, sorted by cell."""
    shower = np.concatenate([showers.shower, extra.shower])
    order = np.argsort(shower, kind="stable")
    columns = {
        name: np.concatenate([getattr(showers, name), getattr(extra, name)])[order]
        for name in ("cell", "energy", "time")
        if getattr(showers, name) is not None
    }
    return showers.replace(offsets=showers.offsets + extra.offsets, **columns).sorted_by_cell()
