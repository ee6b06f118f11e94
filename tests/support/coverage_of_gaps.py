"""Exact coverage of the interval of a gap between two rates, by summing over what may be counted."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mlproj.metrics.intervals import mover, wilson

GRID_P = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3)
GRID_N = (20, 50, 100, 500, 2000, 5000)
_NEGLECTED = 1e-9


def _outcomes(p: float, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts that may happen, all but a billionth, and their probabilities."""
    low, high = (float(stats.binom.ppf(tail, n, p)) for tail in (_NEGLECTED / 2, 1 - _NEGLECTED / 2))
    x = np.arange(low, high + 1)
    return x, np.asarray(stats.binom.pmf(x, n, p))


def covered_exactly(p: float, n: int, q: float, m: int) -> float:
    """Probability that the interval of x/n − y/m holds p − q.

    Example:
        >>> round(covered_exactly(0.1, 100, 0.1, 100), 3)
        0.955
    """
    (x, x_mass), (y, y_mass) = _outcomes(p, n), _outcomes(q, m)
    first, second = x[:, None] / n, y[None, :] / m
    low, high = mover((first, *wilson(first, n)), (second, *wilson(second, m)))
    truth = p - q
    return float(x_mass @ ((low <= truth + 1e-12) & (truth - 1e-12 <= high)) @ y_mass)


def covered_with_a_constant(p: float, n: int) -> float:
    """Probability that the interval of x/n minus a constant holds p minus that constant.

    Example:
        >>> round(covered_with_a_constant(0.3, 100), 3)
        0.937
    """
    x, mass = _outcomes(p, n)
    low, high = wilson(x / n, n)
    return float(mass @ ((low <= p + 1e-12) & (p - 1e-12 <= high)))
