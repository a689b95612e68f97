"""Time per shower, measured so that it can be compared: stages apart, warm-up left out, conditions stated."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.hardware import hardware, load_average, usable_cores, waiting_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from hgcal_gnn.arrays import F64
    from hgcal_gnn.evaluation.published_timing import PublishedTiming
    from hgcal_gnn.showers.showers import Showers

BATCH_SIZES = (1, 10, 100, 1000)
GENERATION, READY = "generation", "generation + post-processing"
Result = TypeVar("Result")
Made_co = TypeVar("Made_co", bound="Sized", covariant=True)
FEWEST = 3  # calls, even when there is no time left


@dataclass(frozen=True)
class TimingPlan:
    """How often something is called to be timed, at each batch size.

    Attributes
    ----------
    calls, showers
        Timed at least: so many calls, and so many showers (those of one energy differ by some 10 %, others more).
    warm_up
        Calls before that are not counted: compilation, caches, clocks of the processor.
    most_seconds
        After that no further call is begun, once three are done.
    """

    calls: int = 10
    showers: int = 200
    warm_up: int = 2
    most_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.calls < 1 or self.warm_up < 0:
            msg = f"{self.calls} calls to time and {self.warm_up} to warm up: give at least 1 and 0"
            raise UsageError(msg)


class Generate(Protocol[Made_co]):
    """Makes showers: every generator and simulation is timed through this."""

    def __call__(self, n: int, seed: int, /) -> Made_co:
        """Return `n` showers, different ones for each seed: `Showers`, or whatever post-processing makes them of."""


@dataclass(frozen=True)
class Timing:
    """Time per shower of one stage at one batch size.

    Attributes
    ----------
    name
        What was timed.
    stage
        "generation", "post-processing", "generation + post-processing" (both of each call), "writing" or "inference".
    batch_size
        Showers per call.
    calls
        Calls that were timed.
    median, low, high
        Over the calls: median, 16 % and 84 % quantiles [ms per shower].
    mean, mean_error
        Mean over the calls and its standard error [ms per shower]; what a speed-up is formed with.
    warm_up_calls, warm_up_seconds
        Calls before, not counted, and how long they took, all stages together.
    device, threads, hardware
    load
        Load average of the machine before; above about 1 other programs ran, and the times are too long.
    """

    name: str
    stage: str
    batch_size: int
    calls: int
    median: float
    low: float
    high: float
    mean: float
    mean_error: float
    warm_up_calls: int
    warm_up_seconds: float
    device: str
    threads: int
    hardware: str
    load: float = math.nan

    @property
    def showers_per_second(self) -> float:
        """Showers per second of this stage."""
        return 1e3 / self.mean

    def to_json(self) -> dict[str, Any]:
        """Return the attributes, times [ms per shower], and `showers_per_second`."""
        return {**asdict(self), "showers_per_second": self.showers_per_second}


@dataclass(frozen=True)
class SpeedUp:
    """A time divided by ours, and whose time it is.

    Attributes
    ----------
    value, error
    reference
        With conditions and source; detector and processor may be others than ours.
    """

    value: float
    error: float
    reference: PublishedTiming


def time_generation(
    generate: Generate[Made_co],
    batch_sizes: Sequence[int] = BATCH_SIZES,
    *,
    name: str = "generator",
    post_process: Callable[[Made_co], Showers] | None = None,
    write: Callable[[Showers], Any] | None = None,
    plan: TimingPlan | None = None,
    seed: int = 0,
    device: str = "cpu",
    threads: int | None = None,
) -> list[Timing]:
    """Time a generator, stage by stage.

    Parameters
    ----------
    generate
        Called as ``generate(n, seed)``; returns something of length n: showers, or images with `post_process`.
    batch_sizes
        Showers per call.
    post_process, write
        Further stages, timed apart: what makes showers of what was generated, and whatever stores them.
    plan
        How often; default: `TimingPlan`.
    seed
        Of the first call; every call has another one.
    device, threads
        What the generator uses, to be stated; default: as many threads as this process may use cores. Each stage ends
        when the device has finished.

    Returns
    -------
    list of Timing
        Stage by stage for each batch size: "generation", with `post_process` also "post-processing" and both
        together, with `write` also "writing".

    Raises
    ------
    UsageError
        If a batch size is below 1.
    InputError
        If `generate` returns another number of showers than it was asked for.
    """
    wait = waiting_for(device)

    def once(n: int, number: int) -> dict[str, float]:
        made, seconds = _clocked(wait, generate, n, seed + number)
        spent = {GENERATION: seconds}
        if len(made) != n:
            msg = f"{name}: {n} showers were asked for, {len(made)} made; times per shower would be wrong"
            raise InputError(msg)
        ready: Any = made
        if post_process is not None:
            ready, seconds = _clocked(wait, post_process, made)
            spent |= {"post-processing": seconds, READY: spent[GENERATION] + seconds}
        if write is not None:
            _, spent["writing"] = _clocked(wait, write, ready)
        return spent

    return _timed(once, name, batch_sizes, plan or TimingPlan(), device, threads)


def time_inference(
    predict: Callable[[Showers], Any],
    sample: Showers,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    *,
    name: str = "regressor",
    plan: TimingPlan | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> list[Timing]:
    """Time a function of showers, such as a trained regressor, from showers in memory to its results.

    Parameters and errors as for `time_generation`; the calls go round `sample`.

    Raises
    ------
    UsageError
        Also if a batch is larger than the sample.
    """
    if max(batch_sizes, default=0) > len(sample):
        msg = f"batches of {max(batch_sizes)} showers cannot be timed with a sample of {len(sample)}"
        raise UsageError(msg)

    wait = waiting_for(device)

    def once(n: int, number: int) -> dict[str, float]:
        start = n * number % (len(sample) - n + 1)
        return {"inference": _clocked(wait, predict, sample[start : start + n])[1]}

    return _timed(once, name, batch_sizes, plan or TimingPlan(), device, threads)


def speed_up(timing: Timing, reference: PublishedTiming) -> SpeedUp:
    """Divide a reference time by ours, means by means.

    Raises
    ------
    UsageError
        If the reference does not say where it comes from.
    """
    if not reference.source.strip():
        msg = f"a speed-up over {reference.name} needs the source of its time"
        raise UsageError(msg)
    value = reference.ms / timing.mean
    relative = math.hypot((reference.error or 0.0) / reference.ms, timing.mean_error / timing.mean)
    return SpeedUp(value, value * relative, reference)


def _timed(
    once: Callable[[int, int], dict[str, float]],
    name: str,
    batch_sizes: Sequence[int],
    plan: TimingPlan,
    device: str,
    threads: int | None,
) -> list[Timing]:
    """Call `once` (batch size, number of the call) -> seconds by stage, as planned."""
    if min(batch_sizes, default=0) < 1:
        msg = f"batch sizes {list(batch_sizes)}: give some, of at least 1"
        raise UsageError(msg)
    threads = threads or usable_cores()
    conditions: dict[str, Any] = {"device": device, "threads": threads, "hardware": hardware(device, threads)}
    conditions["load"] = load_average()
    timings = []
    for size in batch_sizes:
        begun = time.perf_counter()
        for number in range(plan.warm_up):
            once(size, number)
        warming = time.perf_counter() - begun
        wanted = max(plan.calls, math.ceil(plan.showers / size))
        found: list[dict[str, float]] = []
        started = time.perf_counter()
        while len(found) < wanted and (len(found) < FEWEST or time.perf_counter() - started < plan.most_seconds):
            found.append(once(size, plan.warm_up + len(found)))
        about: dict[str, Any] = {"warm_up_calls": plan.warm_up, "warm_up_seconds": warming, **conditions}
        timings += [
            Timing(name, stage, size, len(found), *_statistics([call[stage] for call in found], size), **about)
            for stage in found[0]
        ]
    return timings


def _clocked(wait: Callable[[], Any], run: Callable[..., Result], *arguments: Any) -> tuple[Result, float]:
    """Return what a function returns, and the seconds until the device had finished."""
    started = time.perf_counter()
    result = run(*arguments)
    wait()
    return result, time.perf_counter() - started


def _statistics(seconds: Sequence[float], batch_size: int) -> tuple[float, float, float, float, float]:
    """Return median, low, high, mean and its error, in ms per shower."""
    times: F64 = 1e3 * np.asarray(seconds, np.float64) / batch_size
    median, low, high = np.quantile(times, [0.5, 0.16, 0.84]).tolist()
    error = times.std(ddof=1) / math.sqrt(len(times)) if len(times) > 1 else math.nan
    return median, low, high, float(times.mean()), float(error)
