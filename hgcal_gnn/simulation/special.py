"""The incomplete gamma function inside compiled kernels."""

from __future__ import annotations

import math

from numba import njit

ACCURACY = 1e-9


@njit(cache=True, nogil=True)
def upper_gamma(a: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function Q(a, x).

    Power series below a + 1, Lentz's continued fraction above (Abramowitz and Stegun 6.5.29, 6.5.31).
    """
    if x <= 0.0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        term = 1.0 / a
        total, k = term, a
        while term > ACCURACY * total:
            k += 1.0
            term *= x / k
            total += term
        return 1.0 - total * front
    b = x + 1.0 - a
    d = 1.0 / b
    c, fraction = 1e300, d
    for i in range(1, 200):
        numerator = -i * (i - a)
        b += 2.0
        d = 1.0 / (numerator * d + b)
        c = b + numerator / c
        fraction *= d * c
        if abs(d * c - 1.0) < ACCURACY:
            break
    return front * fraction
