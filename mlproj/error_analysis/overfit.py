"""Whether the half of dev that people look at got better by being looked at (Ng, ML Yearning, ch. 17). N examples."""

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.intervals import gather_units, mover, unit_mean
from mlproj.metrics.paired import paired_difference
from mlproj.records import Answers

Floats = NDArray[np.float64]


def improvement_gap(
    before: Floats,
    after: Floats,
    seen: NDArray[np.bool_],
    weight: Floats | None = None,
    group: NDArray[np.str_] | None = None,
    *,
    is_rate: bool = True,
) -> tuple[float, float, float]:
    """How much more the error fell on the eyeball half than on the blackbox half, with its 95 % limits.

    On each half the change between two runs is paired on the examples; the halves hold different examples, so the
    difference of their changes has MOVER's limits (Zou & Donner 2008). An upper limit below 0 says that the half that
    was looked at is overfitted.

    Args:
        before: Loss of each example when the sheet was drawn (N,).
        after: Its loss now (N,).
        seen: The eyeball half (N,).
        weight: Weights in the metric (N,).
        group: Groups (N,).
        is_rate: Whether each loss is 0 or 1.

    Returns:
        Change on the eyeball half minus change on the blackbox half, lower and upper limit.

    Example:
        >>> before, seen = np.ones(400), np.arange(400) < 200
        >>> after = np.where(seen & (np.arange(400) % 2 == 0), 0.0, 1.0)
        >>> gap, low, high = improvement_gap(before, after, seen)
        >>> gap, high < 0
        (-0.5, True)
    """
    sides = []
    for half in (seen, ~seen):
        w, g = None if weight is None else weight[half], None if group is None else group[half]
        sides.append(_change(before[half], after[half], w, g, is_rate=is_rate))
    low, high = mover(sides[0], sides[1])
    return sides[0][0] - sides[1][0], float(low), float(high)


def _change(
    before: Floats, after: Floats, weight: Floats | None, group: NDArray[np.str_] | None, *, is_rate: bool
) -> tuple[float, float, float]:
    """Mean change on one half with its limits; for right and wrong those that hold where few examples change."""
    if is_rate:
        right = np.zeros(len(before), dtype=np.int64)
        now, then = (Answers(right, wrong.astype(np.int64), ("right", "wrong")) for wrong in (after, before))
        paired = paired_difference(now, then, "error", weight=weight, group=group)
        return paired.value, paired.low, paired.high
    found = unit_mean(gather_units(after - before, weight, group), floor=-np.inf)
    return found.value, found.low, found.high
