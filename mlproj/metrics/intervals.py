"""Confidence intervals for rates, means and differences of both. N examples, G independent units (examples or groups).

Everything a ladder or a contract claims goes through here: `wilson` for counts, `weighted_rate` for weighted or grouped
errors, `mean_loss` for absolute and squared errors and log loss, `mover` for the difference of two estimates::

    low, high = wilson(31 / 1000, 1000)
"""

from dataclasses import dataclass
from math import exp, inf, sqrt
from statistics import NormalDist
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FEW = 20
"""Below so many units a resample often holds one value only, so Student's t serves instead of the bootstrap."""
_MANY = 500
"""Above so many units the first term of the Edgeworth expansion replaces the bootstrap that it approximates."""
_RESAMPLES = 1999
_SEED = 20_180_601


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence limits.

    Attributes:
        value: The estimate.
        low: Lower limit.
        high: Upper limit; infinite where nothing bounds it.
        n_effective: Independent examples that would carry as much information.
        method: How the limits were computed, in words.
    """

    value: float
    low: float
    high: float
    n_effective: float
    method: str


@dataclass(frozen=True)
class Units:
    """The independent units behind a weighted mean Σ loss / Σ weight.

    Attributes:
        loss: Weighted loss of each unit (G,).
        weight: Weight of each unit (G,).
        n: Examples that the units hold.
        n_kish: Kish's effective number of examples, (Σw)² / Σw².
        grouped: Whether a unit is a group of examples.
    """

    loss: Floats
    weight: Floats
    n: int
    n_kish: float
    grouped: bool = False

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def value(self) -> float:
        """The weighted mean (Hájek's ratio estimator)."""
        return float(self.loss.sum() / self.weight.sum())

    @property
    def residuals(self) -> Floats:
        """Each unit's share in the error of the mean (G,): loss − mean · weight, over the total weight."""
        return (self.loss - self.value * self.weight) / self.weight.sum()

    @property
    def variance(self) -> float:
        """Linearised sampling variance of the mean, G/(G−1) · Σ residual²; infinite for a single unit.

        Särndal, Swensson & Wretman 1992, eq. 5.6.10 with the with-replacement factor; groups as ultimate clusters.
        """
        if len(self) < 2:
            return inf
        return float(len(self) / (len(self) - 1) * np.square(self.residuals).sum())


def gather_units(loss: Floats, weight: Floats | None = None, group: NDArray[Any] | None = None) -> Units:
    """Collects per-example losses into independent units.

    Args:
        loss: Loss of each example (N,).
        weight: Weight of each example (N,); all 1 when None. Examples of weight 0 do not count.
        group: Group of each example (N,); None when examples are independent.

    Returns:
        One unit per example, or per group.

    Example:
        >>> gather_units(np.array([0.0, 1.0, 1.0]), group=np.array(["a", "a", "b"])).loss
        array([1., 1.])
    """
    weights = np.ones(len(loss)) if weight is None else np.asarray(weight, dtype=np.float64)
    counted = weights > 0
    if not counted.all():
        loss, weights = loss[counted], weights[counted]
        group = None if group is None else group[counted]
    if len(loss) == 0:
        raise ValueError("no example carries any weight, so there is no mean")
    n_kish = float(weights.sum() ** 2 / np.square(weights).sum())
    if group is None:
        return Units(weights * loss, weights, len(loss), n_kish)
    _, unit = np.unique(group, return_inverse=True)
    total = np.bincount(unit, weights * loss).astype(np.float64)
    return Units(total, np.bincount(unit, weights).astype(np.float64), len(loss), n_kish, grouped=True)


@overload
def wilson(p: float, n: float, level: float = 0.95) -> tuple[float, float]: ...
@overload
def wilson(p: Floats, n: float | Floats, level: float = 0.95) -> tuple[Floats, Floats]: ...
def wilson(p: Any, n: Any, level: float = 0.95) -> tuple[Any, Any]:
    """Confidence limits of a rate (Wilson 1927), with leading axes.

    With nothing observed the lower limit is exactly 0 and the upper z²/(n + z²); likewise at 1.

    Args:
        p: Observed rate or rates, in [0, 1].
        n: Number of examples behind each; may be fractional (an effective number) and broadcasts against `p`.
        level: Confidence level.

    Returns:
        Lower and upper limits, floats for floats.

    Example:
        >>> [round(limit, 3) for limit in wilson(0.0, 50)]
        [0.0, 0.071]
    """
    z2 = normal_quantile(level) ** 2
    rate, size = np.asarray(p, dtype=np.float64), np.asarray(n, dtype=np.float64)
    centre = (rate + z2 / (2 * size)) / (1 + z2 / size)
    half = np.sqrt(z2 * (rate * (1 - rate) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    low = np.where(rate <= 0, 0.0, np.clip(centre - half, 0, 1))
    high = np.where(rate >= 1, 1.0, np.clip(centre + half, 0, 1))
    return (float(low), float(high)) if low.ndim == 0 else (low, high)


def weighted_rate(
    wrong: Floats, weight: Floats | None = None, group: NDArray[Any] | None = None, level: float = 0.95
) -> Estimate:
    """A weighted or grouped error rate: Wilson's limits at the effective number of examples.

    The effective number is the smaller of Kish's (1965, section 8.2) and Korn & Graubard's (1998), p(1 − p)/variance
    with Hájek's linearised variance; with G groups Korn & Graubard's factor (t_{n−1}/t_{G−1})² applies.

    Args:
        wrong: 1 where the answer is wrong, else 0 (N,).
        weight: Weight of each example (N,), or None.
        group: Group of each example (N,), or None.
        level: Confidence level.

    Example:
        >>> weighted_rate(np.repeat([1.0, 0.0], [5, 95])).n_effective
        100.0
    """
    return unit_rate(gather_units(wrong, weight, group), level)


def unit_rate(units: Units, level: float = 0.95) -> Estimate:
    """As `weighted_rate`, from units that are already gathered."""
    p = min(max(units.value, 0.0), 1.0)
    n = effective_n(units, level)
    low, high = wilson(p, n, level)
    plain = not units.grouped and np.all(units.weight == units.weight[0])
    method = "Wilson" if plain else f"Wilson, effective n {n:.0f}{' over groups' if units.grouped else ''}"
    return Estimate(p, low, high, n, method)


def effective_n(units: Units, level: float = 0.95) -> float:
    """Independent, equally weighted examples that would tell a rate as precisely as these units do."""
    if not units.grouped and np.all(units.weight == units.weight[0]):
        return float(units.n)
    p, n = min(max(units.value, 0.0), 1.0), units.n_kish
    if 0 < p < 1 and 0 < units.variance < inf:
        n = min(n, p * (1 - p) / units.variance)
    if not units.grouped:
        return n
    if len(units) < 2:
        return 1.0  # one patient is one observation, however many images
    if not 0 < p < 1:
        # nothing was seen of how errors cluster: counting images covered .55 where patients err as a whole
        n = min(n, float(units.weight.sum() ** 2 / np.square(units.weight).sum()))
    return n * (t_quantile(max(units.n - 1, 1), level) / t_quantile(len(units) - 1, level)) ** 2


def mean_loss(
    loss: Floats, weight: Floats | None = None, group: NDArray[Any] | None = None, level: float = 0.95
) -> Estimate:
    """A mean loss with limits that follow its skewness, for absolute and squared errors, log loss and the like.

    Studentised bootstrap (Efron & Tibshirani 1993, section 12.5) with 1,999 resamples of the units; below 20 units
    Student's t on the logarithm, value · exp(± t · error / value) by the delta method; above 500 the Edgeworth
    correction that the bootstrap estimates (Hall 1992, eq. 2.16).

    Args:
        loss: Loss of each example (N,), not negative.
        weight: Weight of each example (N,), or None.
        group: Group of each example (N,); groups are resampled whole.
        level: Confidence level.

    Example:
        >>> mean_loss(np.array([1.0, 2.0, 3.0])).value
        2.0
    """
    return unit_mean(gather_units(loss, weight, group), level)


def unit_mean(units: Units, level: float = 0.95, floor: float = 0.0) -> Estimate:
    """As `mean_loss`, from units that are already gathered; no mean can lie below `floor`."""
    value, variance, g = units.value, units.variance, len(units)
    if g < 2:
        return Estimate(value, floor, inf, 1.0, "none: a single example bounds nothing")
    if variance == 0:
        # two equal losses are no proof that all are equal; twenty make it likely enough, as an exact fit on train is
        if g < _FEW:
            return Estimate(value, floor, inf, float(g), f"none: {g} equal losses bound nothing")
        return Estimate(value, value, value, float(g), "all examples lose the same")
    error = sqrt(variance)
    if g < _FEW and floor == 0 < value:
        # losses pile up at 0 and have a tail: for 5 exponential ones t itself covered .89, on the logarithm .94
        reach = exp(min(t_quantile(g - 1, level) * error / value, 300.0))  # beyond, the upper limit would overflow
        return Estimate(value, value / reach, value * reach, units.n_kish, f"Student's t on the logarithm, {g} units")
    lower, upper, method = _studentised_quantiles(units, level)
    return Estimate(value, max(value - upper * error, floor), value - lower * error, units.n_kish, method)


def _studentised_quantiles(units: Units, level: float) -> tuple[float, float, str]:
    """Quantiles of (mean − truth) / standard error at both tails, and how they were found."""
    g = len(units)
    if g < _FEW:
        t = t_quantile(g - 1, level)
        return -t, t, f"Student's t, {g} units"
    if g > _MANY:
        z, residuals = normal_quantile(level), units.residuals
        skewness = float(np.mean(residuals**3) / np.mean(residuals**2) ** 1.5)
        # beyond half a unit of skewness / √G the expansion would no longer be monotone
        shift = min(max(skewness / sqrt(g), -0.5), 0.5) * (2 * z * z + 1) / 6
        return -z - shift, z - shift, "normal with Edgeworth correction for skewness"
    rng = np.random.default_rng(_SEED)
    rows = rng.integers(0, g, size=(_RESAMPLES, g))
    loss, weight = units.loss[rows], units.weight[rows]
    total = weight.sum(axis=1)
    means = loss.sum(axis=1) / total
    squares = np.square(loss - means[:, None] * weight).sum(axis=1) * g / (g - 1)
    usable = squares > 0
    t_values = (means[usable] - units.value) * total[usable] / np.sqrt(squares[usable])
    tail = (1 - level) / 2
    lower, upper = np.quantile(t_values, [tail, 1 - tail])
    return float(lower), float(upper), f"studentised bootstrap, {_RESAMPLES} resamples"


def mover(
    a: tuple[float, float, float] | tuple[Floats, Floats, Floats],
    b: tuple[float, float, float] | tuple[Floats, Floats, Floats],
    rho: float = 0.0,
) -> tuple[Any, Any]:
    """Confidence limits of the difference a − b from the limits of a and b, with leading axes.

    MOVER (Zou & Donner 2008, eq. 3; with correlation Zou 2007, eq. 15); with Wilson's limits and rho = 0 it is method
    10 of Newcombe 1998. A constant has limits equal to its value.

    Args:
        a: Value, lower and upper limit of the first estimate.
        b: Value, lower and upper limit of the second.
        rho: Correlation of the two; 0 for estimates from different examples.

    Returns:
        Lower and upper limit of the difference.

    Example:
        >>> [round(limit, 4) for limit in mover((0.09, *wilson(0.09, 1000)), (0.01, *wilson(0.01, 1000)))]
        [0.0618, 0.0999]
    """
    (x, low_x, high_x), (y, low_y, high_y) = a, b
    below = _length(np.subtract(x, low_x), np.subtract(high_y, y), rho)
    above = _length(np.subtract(high_x, x), np.subtract(y, low_y), rho)
    low, high = np.subtract(x, y) - below, np.subtract(x, y) + above
    return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)


def _length(first: Any, second: Any, rho: float) -> Any:
    squared = np.square(first) + np.square(second)
    # inf · 0 is no correlation term, and rounding may leave a perfectly correlated pair a hair below zero
    return np.sqrt(np.maximum(squared - 2 * rho * first * second, 0.0) if rho else squared)


def normal_quantile(level: float) -> float:
    """Half-width of a central normal interval in standard deviations.

    Example:
        >>> round(normal_quantile(0.95), 2)
        1.96
    """
    return NormalDist().inv_cdf((1 + level) / 2)


def t_quantile(degrees: float, level: float) -> float:
    """Half-width of a central interval of Student's t in standard errors; `degrees` need not be whole.

    Example:
        >>> round(t_quantile(4, 0.95), 3)
        2.776
    """
    from scipy.special import stdtrit  # costs a tenth of a second, and only groups and small means need it

    return float(stdtrit(degrees, (1 + level) / 2))
