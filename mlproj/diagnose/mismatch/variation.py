"""How much of a set is surely unlike another: a lower bound on the total variation distance. N examples."""

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.intervals import Floats, effective_n, gather_units


def choose_cut(score: Floats, is_b: NDArray[np.bool_]) -> float:
    """The score from which the second set outweighs the first most surely: largest (rate difference − 2 errors)."""
    order = np.argsort(-score, kind="stable")
    n_a, n_b = max(int((~is_b).sum()), 1), max(int(is_b.sum()), 1)
    b, a = np.cumsum(is_b[order]) / n_b, np.cumsum(~is_b[order]) / n_a
    ends = np.append(np.flatnonzero(np.diff(score[order]) != 0), len(score) - 1)
    a, b = a[ends], b[ends]
    # with ½ added to each count a rate of 0 or 1 is no certainty
    spread = (a + 0.5 / n_a) * (1 - a + 0.5 / n_a) / n_a + (b + 0.5 / n_b) * (1 - b + 0.5 / n_b) / n_b
    return float(score[order][ends[int(np.argmax(b - a - 2 * np.sqrt(spread)))]])


def bound_variation(
    above: NDArray[np.bool_], is_b: NDArray[np.bool_], group: NDArray[Any] | None = None, level: float = 0.95
) -> float:
    """Lower bound on the total variation distance of two distributions, from one event chosen beforehand.

    The distance is the largest difference of the probabilities of any event, so the lower limit of one difference
    bounds it (Michel, Naef & Meinshausen 2020 choose the event by a classifier, as here). Clopper & Pearson's limits of
    both rates, joined by MOVER (Zou & Donner 2008); groups at their effective number.

    Args:
        above: Whether the event happened to each example (N,).
        is_b: Which examples lie in the second set (N,).
        group: Group of each example (N,).
        level: One-sided confidence level.

    Example:
        >>> is_b = np.repeat([False, True], 100)
        >>> round(bound_variation(is_b, is_b), 2)
        0.96
    """
    rates, limits = [], []
    for side in (False, True):
        rows = is_b == side
        units = gather_units(above[rows].astype(np.float64), None, None if group is None else group[rows])
        rates.append(min(max(units.value, 0.0), 1.0))
        limits.append(clopper_pearson(rates[-1], effective_n(units, 2 * level - 1), 1 - level))
    (a, b), (high_a, low_b) = rates, (limits[0][1], limits[1][0])
    return max(0.0, b - a - sqrt((b - low_b) ** 2 + (high_a - a) ** 2))


def clopper_pearson(p: float, n: float, tail: float) -> tuple[float, float]:
    """Exact limits of a rate (Clopper & Pearson 1934), each missed with probability `tail` at most.

    Example:
        >>> [round(limit, 3) for limit in clopper_pearson(0.0, 100, 0.05)]
        [0.0, 0.03]
    """
    from scipy.special import betaincinv

    x = p * n
    low = 0.0 if x <= 0 else float(betaincinv(x, n - x + 1, tail))
    high = 1.0 if x >= n else float(betaincinv(x + 1, n - x, 1 - tail))
    return low, high
