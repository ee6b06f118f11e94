"""What training again with other seeds says: means over seeds with Student's limits. S seeds.

A difference of two procedures has two sources of chance: the seeds, and the examples that it is measured on, which no
number of seeds makes fewer. Percentile bootstraps over few seeds cover far too little; Student's t does not.

>>> [round(limit, 3) for limit in t_interval([0.030, 0.034, 0.026])]
[0.03, 0.02, 0.04]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np

from mlproj.metrics.intervals import normal_quantile, t_quantile
from mlproj.metrics.paired import Paired

_LEVEL = 0.95


@dataclass(frozen=True)
class OverSeeds:
    """A quantity of a training procedure, known from several of its trainings.

    Attributes:
        value: Mean over the seeds.
        low: Lower confidence limit of what it is on average over all seeds.
        high: Upper limit; both infinite for a single seed.
        spread: Standard deviation between seeds; NaN for a single one.
        seeds: How many there were.
        degrees: Degrees of freedom of the limits.
        method: How the limits were computed, in words.
    """

    value: float
    low: float
    high: float
    spread: float
    seeds: int
    degrees: float
    method: str


def summarize(values: Sequence[float], level: float = _LEVEL) -> OverSeeds:
    """Mean, spread and Student's limits of a figure over seeds, all measured on the same examples.

    Args:
        values: One per seed, at least one.
        level: Confidence level.

    Example:
        >>> found = summarize([0.030, 0.034, 0.026])
        >>> round(found.spread, 3), round(found.low, 3), round(found.high, 3)
        (0.004, 0.02, 0.04)
    """
    return crossed_interval(values, (), level)


def crossed_interval(
    values: Sequence[float], sampling: Sequence[tuple[float, float]], level: float = _LEVEL
) -> OverSeeds:
    """A mean over seeds that were all measured on the same examples, for fresh seeds and fresh examples.

    The variance is s²/S between seeds plus that of the seed-averaged figure over the examples, which no number of seeds
    makes smaller; Student's t with Satterthwaite's (1946) degrees of freedom. The interaction of seeds and examples is
    in both, so the limits are wide rather than narrow.

    Args:
        values: One per seed, at least one.
        sampling: Variance over examples, and its degrees of freedom, for each set of examples that the figure rests on.
        level: Confidence level.

    Example:
        >>> found = crossed_interval([0.05, 0.06, 0.07], [(0.01**2, 999)])
        >>> round(found.low, 3), round(found.high, 3), round(found.degrees, 1)
        (0.036, 0.084, 31.4)
    """
    mean, variance, degrees = _mean(values)
    if not degrees:
        return OverSeeds(mean, -inf, inf, float("nan"), 1, 0.0, "none: a single seed says nothing of others")
    parts = [(variance, float(degrees)), *((v, max(free, 1.0)) for v, free in sampling)]
    total, free = satterthwaite(parts)
    method = "Student's t over seeds" + (", with the variance over examples" if sampling else ", on these examples")
    spread = sqrt(variance * len(values))
    if not isfinite(total):
        return OverSeeds(mean, -inf, inf, spread, len(values), free, "none: a single example bounds nothing")
    reach = t_quantile(free, level) * sqrt(total) if total > 0 else 0.0
    return OverSeeds(mean, mean - reach, mean + reach, spread, len(values), free, method)


def satterthwaite(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The sum of independent estimates of variance, and its degrees of freedom (Satterthwaite 1946).

    Args:
        parts: Each variance with its degrees of freedom.

    Example:
        >>> satterthwaite([(1.0, 4.0), (1.0, 4.0)])
        (2.0, 8.0)
    """
    total = sum(part for part, _ in parts)
    shared = sum(part**2 / free for part, free in parts)
    if not isfinite(total) or shared <= 0:
        return total, min(free for _, free in parts)
    return total, total**2 / shared


def t_interval(values: Sequence[float], level: float = _LEVEL) -> tuple[float, float, float]:
    """Mean of a few values, such as those of several seeds, with Student's confidence limits.

    Args:
        values: At least one; of a single one the limits are infinite.
        level: Confidence level.

    Example:
        >>> t_interval([0.25])
        (0.25, -inf, inf)
    """
    mean, variance, degrees = _mean(values)
    reach = t_quantile(degrees, level) * sqrt(variance) if degrees else inf
    return mean, mean - reach, mean + reach


def over_seeds(
    first: Sequence[float], second: Sequence[float], compared: Paired | None = None, level: float = _LEVEL
) -> Paired:
    """The difference of two procedures, each trained with several seeds.

    The variance is Welch's over the seeds plus that of the paired difference over the examples, with Satterthwaite's
    (1946) degrees of freedom. Both hold the interaction of seeds and examples, so the limits are wide rather than
    narrow.

    Args:
        first: Values of one procedure, one per seed, at least two.
        second: Values of the other, likewise.
        compared: The difference of one model of each on the same examples; without it seeds alone count.
        level: Confidence level.

    Example:
        >>> found = over_seeds([0.10, 0.11, 0.12], [0.05, 0.06, 0.07])
        >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
        (0.05, 0.027, 0.073)
    """
    (mean, variance, degrees), (other, other_variance, other_degrees) = _mean(first), _mean(second)
    parts = [(variance, degrees), (other_variance, other_degrees)]
    n = 0 if compared is None else compared.n
    if compared is not None and isfinite(compared.high - compared.low):
        sampling = ((compared.high - compared.low) / (2 * normal_quantile(level))) ** 2
        parts.append((sampling, max(n - 1, 1)))
    total, free = satterthwaite(parts)
    value, method = mean - other, "Welch over seeds, with the variance over examples"
    if total <= 0:
        return Paired(value, value, value, 0.0 if value else 1.0, n, method)
    reach = t_quantile(free, level) * sqrt(total)
    return Paired(value, value - reach, value + reach, _two_sided(value / sqrt(total), free), n, method)


def _mean(values: Sequence[float]) -> tuple[float, float, int]:
    """Mean, its variance, and the degrees of freedom of that."""
    array = np.asarray(values, dtype=np.float64)
    degrees = len(array) - 1
    return float(array.mean()), float(array.var(ddof=1) / len(array)) if degrees else inf, degrees


def _two_sided(t: float, degrees: float) -> float:
    from scipy.special import stdtr  # costs a tenth of a second

    return float(2 * stdtr(degrees, -abs(t)))
