"""How much a loss rises when columns are shuffled, with limits. N examples, R repeats.

Each example keeps its truth and is given the cells of R other examples, one after the other; every example lends its
cells exactly R times. The rise is a U-statistic of pairs (who receives, who lends), so an example moves it twice: by
what it loses with borrowed cells, and by what its own cells do to others. Both enter the interval, which therefore
holds the noise of the shuffling and the sampling of dev in one.

>>> donors = lend(5, 3, np.random.default_rng(0))
>>> donors.shape, bool((donors == np.arange(5)).any()), np.bincount(donors.ravel()).tolist()
((3, 5), False, [3, 3, 3, 3, 3])
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite, isnan, sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.several import own_metric
from mlproj.metrics import as_loss
from mlproj.metrics.influence import influence
from mlproj.metrics.intervals import Floats, Units, gather_units, t_quantile, unit_mean, wilson
from mlproj.metrics.paired import implied_p
from mlproj.metrics.scores import compute, gather_for
from mlproj.records import Answers, Importance, Predictions
from mlproj.spec.goal import LOSSES

LEVEL = 0.95
UNCHANGED = "exact: no answer changes"
"""Method of an importance that is 0 because the model answers the same whatever the cells are."""
_ROUNDING = 1e-6
_ROUNDS = 3
"""Rounds in which what receivers and lenders add is told apart; after three nothing moves any more."""


def lend(n: int, repeats: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Who lends its cells to whom (R, N): nobody to itself, everybody equally often, no pair twice.

    The examples stand in a circle in random order, and in each repeat everybody takes from the one so many places
    further on. With few examples there are at most N − 1 repeats, and then the average is over all pairs.

    Args:
        n: Examples, at least 2.
        repeats: Repeats wanted.
        rng: Source of chance.
    """
    circle = rng.permutation(n)
    places = 1 + rng.permutation(n - 1)[:repeats]
    donors = np.empty((len(places), n), dtype=np.int64)
    for row, place in zip(donors, places.tolist(), strict=True):
        row[circle] = np.roll(circle, place)
    return donors


def measure_rise(
    base: Predictions,
    shuffled: Sequence[Mapping[str, Answers]],
    donors: NDArray[np.int64],
    metric: str,
    columns: tuple[str, ...],
    scales: Mapping[str, float] = MappingProxyType({}),
) -> Importance:
    """The rise of a loss from a model's answers to those with shuffled columns.

    Args:
        base: The answers on dev with their truth, weights and groups; every example has a label (N).
        shuffled: The answers by label in each of the R repeats.
        donors: Who lent its cells to whom (R, N).
        metric: A metric of `metric.optimize`; a score is turned into the loss 1 − score.
        columns: Names of the columns, for the answer.
        scales: Loss of the best constant answer by label, for the relative loss of several tasks.

    Returns:
        The rise with limits; infinite limits where the metric is undefined on the shuffled answers.
    """
    weight = np.ones(len(base)) if base.weight is None else base.weight
    n = int(np.count_nonzero(weight))
    if all(_is_same(base.labels, labels) for labels in shuffled):
        return Importance(columns, 0.0, 0.0, 0.0, 1.0, n, len(donors), UNCHANGED)
    value, moves = linearise(base.labels, metric, base.weight, scales)
    each = [linearise(labels, metric, base.weight, scales) for labels in shuffled]
    rise = float(np.mean([found for found, _ in each])) - value
    if not isfinite(rise):
        return Importance(columns, rise, -inf, inf, 1.0, n, len(donors), "none: the metric is undefined or infinite")
    received, lent = tell_apart(np.stack([moved for _, moved in each]), donors)
    low, high, method = _limits(rise, received + lent - moves, weight, base.group)
    p = implied_p(rise, low, high, LEVEL)
    return Importance(columns, rise, low, high, p, n, len(donors), method)


def _is_same(base: Mapping[str, Answers], other: Mapping[str, Answers]) -> bool:
    """Whether two sets of answers are the same but for the rounding of float32."""
    for label, answers in base.items():
        ours: NDArray[Any] = answers.y_pred if answers.p is None else answers.p
        theirs: Any = other[label].y_pred if answers.p is None else other[label].p
        scale = float(np.ptp(ours)) if answers.p is None else 1.0
        if not np.allclose(ours, theirs, rtol=0, atol=_ROUNDING * scale):
            return False
    return True


def linearise(
    labels: Mapping[str, Answers],
    metric: str,
    weight: NDArray[Any] | None,
    scales: Mapping[str, float] = MappingProxyType({}),
) -> tuple[float, Floats]:
    """A loss, averaged over labels, and how far each example moves it (N,); both change sign for scores.

    Args:
        labels: Answers with truth by label (N,).
        metric: A metric of `metric.optimize`, or the relative loss of several tasks.
        weight: Weight of each example (N,).
        scales: Loss of the best constant answer by label, for the relative loss.
    """
    values, moves = [], []
    for name, answers in labels.items():
        if not answers.known.any():
            continue
        own, scale = own_metric(metric, answers), scales.get(name, 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            evidence = gather_for(own, answers, weight)
            value = float(compute(own, evidence))
            if isnan(value):
                continue
            moved = np.zeros(len(answers.y_true))
            moved[evidence.known] = influence(own, evidence) / (scale if own in LOSSES else -scale)
        values.append(as_loss(own, value) / scale)
        moves.append(moved)
    if not values:
        n = len(next(iter(labels.values())).y_true)
        return float("nan"), np.zeros(n)
    return float(np.mean(values)), np.mean(moves, axis=0)


def tell_apart(moves: Floats, donors: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """What each example adds as receiver and as lender (N,), by fitting the sum of both to all pairs.

    Least squares by alternating means (Gauss-Seidel): what remains of a pair after its receiver's part is its lender's,
    and the other way round.

    Args:
        moves: How far each receiver moves the loss, by repeat (R, N).
        donors: Its lender (R, N).
    """
    repeats, n = donors.shape
    lent: Floats = np.zeros(n)
    received: Floats = moves.mean(axis=0)
    for _ in range(_ROUNDS if repeats > 1 else 1):
        rest = moves - received
        lent = np.bincount(donors.ravel(), rest.ravel(), minlength=n) / repeats
        received = (moves - lent[donors]).mean(axis=0)
    if repeats == 1:
        received = moves[0]  # with one pair each the two cannot be told apart: what is known of the receiver counts
    return received, lent


def _limits(rise: float, moves: Floats, weight: Floats, group: NDArray[Any] | None) -> tuple[float, float, str]:
    """The wider of Student's t and the studentised bootstrap at each end, groups as clusters."""
    share = weight / weight.sum()
    linear = rise + np.divide(moves, share, out=np.zeros(len(share)), where=share > 0)
    units = gather_units(linear, weight, group)
    if rise == 0 and not np.any(moves):
        high = wilson(0.0, len(units), LEVEL)[1]
        return -high, high, f"Wilson: the loss of none of {len(units):,} changed"
    found, reach = unit_mean(units, LEVEL, floor=-inf), _student_reach(units)
    low, high = min(found.low, rise - reach), max(found.high, rise + reach)
    over = f" over {len(units):,} groups" if units.grouped else ""
    return low, high, f"paired differences of receivers and lenders{over}, {found.method} or Student's t"


def _student_reach(units: Units) -> float:
    return t_quantile(len(units) - 1, LEVEL) * sqrt(units.variance) if len(units) > 1 else inf


def claim(found: Sequence[Importance], level: float = LEVEL) -> tuple[Importance, ...]:
    """Groups with what may be claimed of them all at once, the most important first.

    A group matters (or hurts) where its p-value survives Holm's correction (Holm 1979) for all groups tested; it is
    unused where no answer changes whatever its cells are.

    Args:
        found: One per group that is tested.
        level: Probability that no claim at all is wrong.

    Example:
        >>> one = Importance(("a",), 0.1, 0.05, 0.15, 0.001, 100, 5, "")
        >>> two = Importance(("b",), 0.02, 0.001, 0.04, 0.04, 100, 5, "")
        >>> [(each.state, each.p_holm) for each in claim([two, one, replace(two, columns=("c",), p=0.03)])]
        [('matters', 0.003), ('unclear', 0.06), ('unclear', 0.06)]
    """
    ordered = sorted(range(len(found)), key=lambda k: found[k].p)
    adjusted, running = [1.0] * len(found), 0.0
    for place, k in enumerate(ordered):
        running = max(running, min(1.0, (len(found) - place) * found[k].p))
        adjusted[k] = running
    judged = [_judged(each, p, level) for each, p in zip(found, adjusted, strict=True)]
    return tuple(sorted(judged, key=lambda each: -each.value if isfinite(each.value) else inf))


def _judged(found: Importance, p_holm: float, level: float) -> Importance:
    if p_holm < 1 - level:
        return replace(found, p_holm=p_holm, state="matters" if found.value > 0 else "hurts")
    return replace(found, p_holm=p_holm, state="unused" if found.method == UNCHANGED else "unclear")
