"""How far two models are apart on the same examples. N examples.

What both find hard cancels, so a paired difference is known better than two intervals suggest. Two ways, by metric:

* Metrics of counts and of order (error, f1, roc_auc, …): MOVER from the interval that each value has by itself, with
  the correlation of the two (Zou 2007, eq. 15); for the error it is the phi coefficient of the two error vectors.
* Mean losses, rmse and r2: the studentised bootstrap of the differences per example, groups resampled whole, or
  Student's t, whichever reaches further at each end.

Both choices follow simulated coverage at 95 %. Answers are right or wrong and most differences 0: with 60 to 200
examples the studentised bootstrap covered .70 to .95 for f1 and mcc, MOVER .95 to 1. Differences of losses are skewed,
or heavy in both tails: with 60 the bootstrap covered .89 to .96, Student's t .85 to .95, the wider of both .92 to .97.

>>> truth = np.repeat([0, 1], 50)
>>> strong, weak = truth.copy(), truth.copy()
>>> strong[:4], weak[:16] = 1, 1
>>> found = paired_difference(*(Answers(truth, answers, ("no", "yes")) for answers in (strong, weak)), "error")
>>> round(found.value, 3), round(found.low, 3), round(found.high, 3), round(found.p, 4)
(-0.12, -0.196, -0.059, 0.0002)
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, isfinite, isnan, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.metrics.estimates import estimate
from mlproj.metrics.influence import influence
from mlproj.metrics.intervals import Floats, Units, gather_units, mover, normal_quantile, t_quantile, unit_mean
from mlproj.metrics.losses import MEAN_METRICS
from mlproj.metrics.scores import compute, gather_for
from mlproj.records import Answers

_RATES = frozenset({"error", "accuracy"})
_SPREAD = (MEAN_METRICS - _RATES) | {"rmse", "r2"}
"""Metrics whose differences per example are spread out enough for a bootstrap."""


@dataclass(frozen=True)
class Paired:
    """The difference of two models in a metric, on the same examples.

    Attributes:
        value: The first model's value minus the second's, in the metric's own direction.
        low: Lower confidence limit of the difference.
        high: Upper confidence limit; both are infinite where nothing bounds it.
        p: Two-sided p-value: how often models that are equally good would differ by at least as much.
        n: Examples that both answered and whose label is known.
        method: How the limits were computed, in words.
    """

    value: float
    low: float
    high: float
    p: float
    n: int
    method: str


def paired_difference(
    first: Answers | Mapping[str, Answers],
    second: Answers | Mapping[str, Answers],
    metric: str,
    *,
    weight: NDArray[Any] | None = None,
    group: NDArray[Any] | None = None,
    seed: int = 0,
    level: float = 0.95,
    relabelled: bool = False,
) -> Paired:
    """The difference of two models in a metric, with its limits and how surprising it would be by chance.

    For the plain error p is McNemar's in its mid-p form (Fagerland, Lydersen & Laake 2013); elsewhere it is the
    normal tail at the standard error that the limit towards 0 implies, so that p and interval agree. With several
    labels the difference is that of the means over the labels.

    Args:
        first: Answers of one model (N,), by label where there are several.
        second: Answers of the other to the same examples in the same order.
        metric: A metric of `metric.optimize`.
        weight: Weight of each example (N,).
        group: Group of each example (N,), where examples of a group are no independent witnesses.
        seed: Seed of the bootstrap over confusion cells.
        level: Confidence level.
        relabelled: Whether the two may hold different truths, as one model's answers before and after labels were
            corrected do.

    Returns:
        First minus second; with infinite limits and p = 1 where the metric is undefined or infinite.

    Raises:
        InvalidInput: When the two do not answer the same examples, or the metric does not suit a label.
    """
    ours, theirs = ({"": side} if isinstance(side, Answers) else side for side in (first, second))
    _check_pairs(ours, theirs, relabelled=relabelled)
    answered = [label for label, answers in ours.items() if answers.known.any()] or list(ours)
    known = np.any([ours[label].known for label in answered], axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # the square of a diverged model's answer may be infinite
        views = [
            _view(metric, [side[label] for label in answered], weight, group, seed, level, known)
            for side in (ours, theirs)
        ]
    weights = (np.ones(len(known)) if weight is None else np.asarray(weight, dtype=np.float64))[known]
    groups = None if group is None else group[known]
    value, n = views[0].value - views[1].value, int(np.count_nonzero(weights))
    if not isfinite(value):
        return Paired(value, -inf, inf, 1.0, n, "none: the metric is undefined or infinite")
    low, high, method = _limits(metric, views, weights, groups, level)
    if metric in _RATES and group is None and len(answered) == 1 and np.all(weights == weights[0]):
        p = _mcnemar(ours[answered[0]], theirs[answered[0]])
    else:
        p = implied_p(value, low, high, level)
    return Paired(value, low, high, p, n, method)


def reconcile(found: Paired, level: float = 0.95) -> Paired:
    """Lets p and limits say the same: p is below 1 − level just when 0 lies outside.

    McNemar's p and MOVER's limits are two computations, and where p is about 0.05 one of them may see a difference and
    the other none (1 in 130 of the tables with up to 30 discordant pairs). Then neither does: the limit is drawn to 0,
    or p raised to what the limits imply.

    Args:
        found: A difference.
        level: Confidence level of its limits.

    Example:
        >>> reconcile(Paired(-0.08, -0.16, -0.001, 0.062, 50, "")).high
        0.0
    """
    apart = found.low > 0 or found.high < 0
    if apart and found.p >= 1 - level:
        return replace(found, low=min(found.low, 0.0), high=max(found.high, 0.0))
    if not apart and found.p < 1 - level:
        return replace(found, p=max(implied_p(found.value, found.low, found.high, level), 1 - level))
    return found


def p_second_better(found: Paired, *, lower_is_better: bool) -> float:
    """Probability that the second model is the better one: 1 − p/2 where it is ahead, p/2 where it is behind.

    For the error this is one minus McNemar's one-sided mid-p, which equals the mean of two posteriors of the share of
    discordant pairs that the second wins, with priors Beta(0, 1) and Beta(1, 0); elsewhere it is the normal posterior
    of the difference under a flat prior.

    Args:
        found: First minus second.
        lower_is_better: Whether the metric is a loss.

    Example:
        >>> p_second_better(Paired(0.02, 0.001, 0.04, 0.04, 100, ""), lower_is_better=True)
        0.98
    """
    if found.value == 0 or isnan(found.value):
        return 0.5
    ahead = (found.value > 0) == lower_is_better
    return 1 - found.p / 2 if ahead else found.p / 2


def _check_pairs(ours: Mapping[str, Answers], theirs: Mapping[str, Answers], *, relabelled: bool) -> None:
    if list(ours) != list(theirs):
        both = " and ".join(", ".join(map(repr, labels)) for labels in (ours, theirs))
        raise InvalidInput([Problem("pair", f"the two models have different labels: {both}")])
    for label, answers in ours.items():
        other = theirs[label]
        place = f"label {label}: " if label else ""
        if answers.classes != other.classes:
            both = " and ".join(", ".join(each.classes) or "numbers" for each in (answers, other))
            raise InvalidInput([Problem("pair", f"{place}the two models have different classes: {both}")])
        ours_true, theirs_true = (side.known if relabelled else side.y_true for side in (answers, other))
        if not np.array_equal(ours_true, theirs_true, equal_nan=ours_true.dtype.kind == "f"):
            message = f"{place}the two models were not asked the same examples, or their truth differs"
            raise InvalidInput([Problem("pair", message, "Bring both in the same order, with one truth.")])


@dataclass(frozen=True)
class _View:
    """One model: its value with limits, and how far each known example moves it (N,), Σ = 0."""

    value: float
    low: float
    high: float
    moves: Floats

    @property
    def limits(self) -> tuple[float, float, float]:
        return self.value, self.low, self.high


def _view(
    metric: str,
    labels: list[Answers],
    weight: NDArray[Any] | None,
    group: NDArray[Any] | None,
    seed: int,
    level: float,
    known: NDArray[np.bool_],
) -> _View:
    """A model's mean over its labels; those for which the metric is undefined are left out, as in `measure`."""
    limits, moves = [], []
    for answers in labels:
        evidence = gather_for(metric, answers, weight)
        value = float(compute(metric, evidence))
        if isnan(value):
            continue
        found = None if metric in _SPREAD else estimate(metric, answers, weight, group, level=level, seed=seed)
        limits.append((value, found.low, found.high) if found else (value, value, value))
        moved = np.zeros(len(known))
        moved[evidence.known] = influence(metric, evidence)
        moves.append(moved[known])
    if not limits:
        return _View(float("nan"), -inf, inf, np.zeros(int(known.sum())))
    value, low, high = np.mean(limits, axis=0).tolist()
    return _View(value, low, high, np.mean(moves, axis=0))


def _limits(
    metric: str, views: list[_View], weight: Floats, group: NDArray[Any] | None, level: float
) -> tuple[float, float, str]:
    value = views[0].value - views[1].value
    if metric in _SPREAD:
        share = weight / weight.sum()
        moves = views[0].moves - views[1].moves
        # the difference written as a mean over examples, so that weights and groups are handled as in any other mean
        linear = value + np.divide(moves, share, out=np.zeros(len(share)), where=share > 0)
        units = gather_units(linear, weight, group)
        found, reach = unit_mean(units, level, floor=-inf), _student_reach(units, level)
        low, high, method = min(found.low, value - reach), max(found.high, value + reach), found.method
    else:
        rho = _correlation(views[0].moves, views[1].moves, group)
        low, high = mover(views[0].limits, views[1].limits, rho)
        method = f"MOVER, correlation {rho:.2f}"
    return min(low, value), max(high, value), method


def _student_reach(units: Units, level: float) -> float:
    return t_quantile(len(units) - 1, level) * sqrt(units.variance) if len(units) > 1 else inf


def _correlation(first: Floats, second: Floats, group: NDArray[Any] | None) -> float:
    """Correlation of what each independent unit adds to the two values; 0 where one of them does not vary."""
    if group is not None:
        _, unit = np.unique(group, return_inverse=True)
        first, second = (np.bincount(unit, moves).astype(np.float64) for moves in (first, second))
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(np.clip(first @ second / scale, -1, 1)) if scale > 0 else 0.0


def implied_p(value: float, low: float, high: float, level: float) -> float:
    """Two-sided p at the standard error that the limit towards 0 implies: below 1 − level just when 0 is outside."""
    reach = value - low if value > 0 else high - value
    if value == 0 or not isfinite(reach):
        return 1.0
    return 0.0 if reach == 0 else 2 * NormalDist().cdf(-normal_quantile(level) * abs(value) / reach)


def mid_p(only_first: int, only_second: int) -> float:
    """Two-sided mid-p of McNemar's test: of the discordant pairs, the fewer by chance, the equal case counted half.

    Example:
        >>> round(mid_p(8, 2), 4), mid_p(0, 0)
        (0.0654, 1.0)
    """
    from scipy.special import bdtr

    fewer, n = min(only_first, only_second), only_first + only_second
    if n == 0:
        return 1.0
    below = float(bdtr(fewer - 1, n, 0.5)) if fewer else 0.0
    return min(1.0, below + float(bdtr(fewer, n, 0.5)))


def _mcnemar(first: Answers, second: Answers) -> float:
    """Mid-p: of the examples that only one of the two got right, the fewer by chance, the equal case counted half."""
    known = first.known
    wrong, other = ((each.y_pred != each.y_true)[known] for each in (first, second))
    only_first, only_second = int(np.sum(other & ~wrong)), int(np.sum(wrong & ~other))
    return mid_p(only_first, only_second)
