"""Whether a curve falls as learning curves are supposed to, before anything is fitted to it. A sizes.

About one curve in seven of the Learning Curve Database 1.1 rises somewhere, or bends the wrong way, by more than chance
(Yan, Mohr & Viering 2025); a power law laid through such a curve says nothing about how it goes on.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from mlproj.diagnose.curve.curve import Curve, between
from mlproj.metrics.intervals import Floats, t_quantile

FEWEST_SIZES = 5
"""Sizes below which nothing is extrapolated: a fit is judged by hiding two of them, and three are the least to fit."""
_ALPHA = 0.05
LAWFUL = ("falling", "flat", "too_few")
"""Shapes that a power law does not contradict, so that the next doubling may be bounded by the last one."""
ShapeKind = Literal["falling", "rising", "double_descent", "not_convex", "flat", "too_few"]


@dataclass(frozen=True)
class Shape:
    """What a curve looks like.

    Attributes:
        kind: falling is the only one that is extrapolated.
        at: Sizes that show it: where it rises from and to, where it peaks, where its fall speeds up.
        method: How it was judged.
    """

    kind: ShapeKind
    at: tuple[int, ...] = ()
    method: str = ""


def find_shape(curve: Curve) -> Shape:
    """Judges the shape of a curve.

    Rises and wrong bends are tested one-sidedly at 5 % over all pairs (triples) of sizes together (Bonferroni); a curve
    whose slope over log n is not significantly below 0 at 5 % is flat. Convexity is judged in n, where every power law
    is convex.

    Args:
        curve: The curve.

    Example:
        >>> from mlproj.diagnose.curve.curve import make_curve
        >>> e = [[0.30, 0.31, 0.29], [0.2, 0.21, 0.19], [0.15, 0.16, 0.14], [0.12, 0.13, 0.11], [0.2, 0.21, 0.19]]
        >>> find_shape(make_curve([100, 200, 400, 800, 1600], e)).kind
        'rising'
    """
    if len(curve) < FEWEST_SIZES or not curve.degrees:
        return Shape("too_few")
    if found := _not_monotone(curve):
        return found
    if found := _not_convex(curve):
        return found
    if _t(curve, -_slope(curve)) <= t_quantile(curve.degrees, 1 - 2 * _ALPHA):
        return Shape("flat", method="one-sided t of the slope over log n, 5 %")
    return Shape("falling", method="no significant rise or wrong bend over all sizes, Bonferroni, 5 %")


def falls_somewhere(curve: Curve) -> bool:
    """Whether some larger size has a significantly lower error than some smaller one.

    The bound by the common asymptote needs a training curve that does not.
    """
    pairs = list(combinations(range(len(curve)), 2))
    critical = _critical(curve, max(len(pairs), 1))
    return any(_t(curve, between(curve, i, j)) > critical for i, j in pairs)


def _not_monotone(curve: Curve) -> Shape | None:
    pairs = list(combinations(range(len(curve)), 2))
    critical, method = _critical(curve, len(pairs)), f"t of {len(pairs)} pairs of sizes, Bonferroni, 5 %"
    t = {(i, j): _t(curve, between(curve, j, i)) for i, j in pairs}
    rises = sorted((pair for pair in pairs if t[pair] > critical), key=lambda pair: -t[pair])
    if not rises:
        return None
    sizes = curve.sizes.astype(int).tolist()
    for i, j in rises:  # a peak is followed by as sure a fall
        after = [k for k in range(j + 1, len(curve)) if -t[j, k] > critical]
        if after:
            return Shape("double_descent", (sizes[i], sizes[j], sizes[after[-1]]), method)
    i, j = rises[0]
    return Shape("rising", (sizes[i], sizes[j]), method)


def _not_convex(curve: Curve) -> Shape | None:
    triples = list(combinations(range(len(curve)), 3))
    critical = _critical(curve, len(triples))
    worst, at = critical, None
    for i, j, k in triples:
        if (found := _t(curve, _bend(curve, i, j, k))) > worst:
            worst, at = found, (i, j, k)
    if at is None:
        return None
    return Shape(
        "not_convex", tuple(int(curve.sizes[m]) for m in at), f"t of {len(triples)} second differences, Bonferroni, 5 %"
    )


def _bend(curve: Curve, i: int, j: int, k: int) -> Floats:
    """Weights (A,) of how far the middle lies above the line between its neighbours: above 0 where it is not convex."""
    weights, n = np.zeros(len(curve)), curve.sizes
    share = (n[j] - n[i]) / (n[k] - n[i])
    weights[[i, j, k]] = -(1 - share), 1.0, -share
    return weights


def _slope(curve: Curve) -> Floats:
    """Weights (A,) of the weighted least-squares slope over log n."""
    x, w = np.log(curve.sizes), 1 / curve.error**2
    centred = w * (x - (w @ x) / w.sum())
    return np.asarray(centred / (centred @ x))


def _t(curve: Curve, weights: Floats) -> float:
    error = float(np.sqrt(curve.contrast_variance(weights)))
    value = float(weights @ curve.mean)
    return value / error if error > 0 else float(np.sign(value)) * np.inf


def _critical(curve: Curve, n_tests: int) -> float:
    return t_quantile(curve.degrees, 1 - 2 * _ALPHA / n_tests)
