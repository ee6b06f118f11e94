"""Whether the half of dev that people look at got better by being looked at (Ng, ML Yearning, ch. 17). N examples."""

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.intervals import gather_units, mover, unit_mean

Floats = NDArray[np.float64]


def improvement_gap(
    before: Floats,
    after: Floats,
    seen: NDArray[np.bool_],
    weight: Floats | None = None,
    group: NDArray[np.str_] | None = None,
) -> tuple[float, float, float]:
    """How much more the error fell on the eyeball half than on the blackbox half, with its 95 % limits.

    Each example's change is taken between two runs; the two halves' mean changes are independent, and their difference
    has MOVER's limits (Zou & Donner 2008). An upper limit below 0 says that the half that was looked at is overfitted.

    Args:
        before: Loss of each example when the sheet was drawn (N,).
        after: Its loss now (N,).
        seen: The eyeball half (N,).
        weight: Weights in the metric (N,).
        group: Groups (N,).

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
        found = unit_mean(gather_units((after - before)[half], w, g), floor=-np.inf)
        sides.append((found.value, found.low, found.high))
    low, high = mover(sides[0], sides[1])
    return sides[0][0] - sides[1][0], float(low), float(high)
