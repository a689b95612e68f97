"""Random numbers inside compiled kernels: one independent stream per shower, whatever the chunking.

The generator is xoshiro256++ (Blackman and Vigna, ACM TOMS 47 (2021) 36), filled by splitmix64 from
(seed, shower number). Every function takes the state, uint64 [4], and changes it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from numba import njit, uint64

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    State = NDArray[np.uint64]

POISSON_BY_PRODUCT = 10.0  # below this mean the product of uniforms is faster than rejection
LANDAU_SHIFT = math.log(math.pi / 2)


@njit(cache=True, nogil=True)
def _mix(x: np.uint64) -> np.uint64:
    """Return the splitmix64 output for a counter value."""
    x = (x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@njit(cache=True, nogil=True)
def seed_stream(state: State, seed: int, number: int) -> None:
    """Fill `state` for shower `number` of a run with `seed` (whole numbers >= 0)."""
    x = _mix(uint64(seed) + uint64(0x9E3779B97F4A7C15)) ^ _mix(uint64(number) * uint64(0xD1342543DE82EF95))
    for i in range(4):
        x = x + uint64(0x9E3779B97F4A7C15)
        state[i] = _mix(x)


@njit(cache=True, nogil=True)
def uniform(state: State) -> float:
    """Return a number in (0, 1)."""
    total = state[0] + state[3]
    result = ((total << uint64(23)) | (total >> uint64(41))) + state[0]
    shifted = state[1] << uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = (state[3] << uint64(45)) | (state[3] >> uint64(19))
    return (float(result >> uint64(12)) + 0.5) * 2.220446049250313e-16


@njit(cache=True, nogil=True)
def exponential(state: State) -> float:
    """Return an exponential number of mean 1."""
    return -math.log(uniform(state))


@njit(cache=True, nogil=True)
def normal(state: State) -> float:
    """Return a standard normal number."""
    return two_normals(state)[0]


@njit(cache=True, nogil=True)
def two_normals(state: State) -> tuple[float, float]:
    """Return two independent standard normal numbers (Marsaglia's polar method)."""
    while True:
        a = 2.0 * uniform(state) - 1.0
        b = 2.0 * uniform(state) - 1.0
        s = a * a + b * b
        if 0.0 < s < 1.0:
            factor = math.sqrt(-2.0 * math.log(s) / s)
            return a * factor, b * factor


@njit(cache=True, nogil=True)
def gamma(state: State, shape: float) -> float:
    """Return a gamma number of unit scale (Marsaglia and Tsang, ACM TOMS 26 (2000) 363)."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(state) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and math.log(uniform(state)) < 0.5 * x * x + d - d * v + d * math.log(v):
            return boost * d * v


@njit(cache=True, nogil=True)
def beta(state: State, a: float, b: float) -> float:
    """Return a beta number in (0, 1)."""
    x = gamma(state, a)
    return x / (x + gamma(state, b))


@njit(cache=True, nogil=True)
def poisson(state: State, mean: float) -> int:
    """Return a Poisson number (products of uniforms; above a mean of 10 Hoermann's PTRS, 1993)."""
    if mean <= 0.0:
        return 0
    if mean < POISSON_BY_PRODUCT:
        limit = math.exp(-mean)
        count, product = 0, uniform(state)
        while product > limit:
            count += 1
            product *= uniform(state)
        return count
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    log_mean = math.log(mean)
    while True:
        u = uniform(state) - 0.5
        v = uniform(state)
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return int(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        if math.log(v * inverse_alpha / (a / (us * us) + b)) <= k * log_mean - mean - math.lgamma(k + 1.0):
            return int(k)


@njit(cache=True, nogil=True)
def landau(state: State) -> float:
    """Return a standard Landau number, maximum of its density at -0.2228.

    The Landau distribution is the stable distribution of index 1 and skewness 1 with scale pi/2
    (Chambers, Mallows and Stuck, JASA 71 (1976) 340).
    """
    u = math.pi * (uniform(state) - 0.5)
    w = exponential(state)
    tilt = 0.5 * math.pi + u
    return tilt * math.tan(u) - math.log(0.5 * math.pi * w * math.cos(u) / tilt) + LANDAU_SHIFT
