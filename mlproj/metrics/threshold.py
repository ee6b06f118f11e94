"""The probability from which the answer is the positive class, chosen exactly. N examples, C cut points.

>>> p, y = np.array([0.1, 0.3, 0.35, 0.8]), np.array([0, 1, 0, 1])
>>> choose_threshold(p, y, None, "f1", {})
0.2
>>> choose_threshold(p, y, None, "recall", {"precision": ">= 0.9"})
0.575
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.cells import CELL_METRICS
from mlproj.metrics.evidence import gather
from mlproj.metrics.limits import Limits, misses
from mlproj.records import Answers
from mlproj.spec.goal import LOSSES

_AT_ONE_HALF = frozenset({"error", "accuracy"})


def needs_threshold(optimize: str | None, satisfy: Limits) -> bool:
    """Whether `threshold: auto` means one chosen on dev: a thresholded metric other than error or accuracy is named.

    That is for binary labels; others have no threshold.

    Example:
        >>> needs_threshold("error", {}), needs_threshold("error", {"recall": ">= 0.95"})
        (False, True)
    """
    return any(name in CELL_METRICS and name not in _AT_ONE_HALF for name in (optimize, *satisfy))


def choose_threshold(
    p: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None, optimize: str, satisfy: Limits
) -> float:
    """The best threshold over all cut points between distinct probabilities.

    Cuts at which every limit on a thresholded metric holds come first (if there is none, those that violate least),
    then the best value of `optimize`, then the cut nearest to 0.5. Limits and metrics that no threshold moves, such as
    latency or log_loss, play no part. Takes one sort and cumulative sums.

    Args:
        p: Probability of the positive class (N,).
        y: Truth (N,): 1 positive, 0 negative, -1 or NaN where the label is missing.
        weight: Weight of each example (N,), or None.
        optimize: The metric to optimise.
        satisfy: Limits by metric.

    Returns:
        A number t in [0, 1]; the answer is the positive class where p ≥ t.

    Raises:
        InvalidInput: When there is no labelled example, or probabilities or weights are broken.
    """
    truth = np.where(np.isin(y, (0, 1)), y, -1).astype(np.int64)
    both = np.stack([1 - p, p], axis=-1).astype(np.float64)
    evidence = gather("threshold", Answers(truth, np.zeros_like(truth), ("0", "1"), both), weight)
    cuts, cells, present = _count_cuts(evidence.scores_of(1), evidence.y_true, evidence.weight)
    missed = np.zeros(len(cuts))
    for name, limit in satisfy.items():
        if name in CELL_METRICS:
            missed += misses(CELL_METRICS[name](cells, present), limit)
    best = missed == missed.min()
    if optimize in CELL_METRICS:
        values = CELL_METRICS[optimize](cells, present) * (-1 if optimize in LOSSES else 1)
        best &= values >= values[best].max() - 1e-12  # equal counts give equal values but for rounding of weights
    candidates = cuts[best]
    return float(candidates[np.argmin(np.abs(candidates - 0.5))])


def _count_cuts(
    p: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Every distinct cut (C,), its confusion counts (C, 2, 2) and the classes that occur (C, 2)."""
    order = np.argsort(p)
    ranked, positive = p[order], y[order] == 1
    w = np.ones(len(p)) if weight is None else weight[order]
    starts = np.concatenate(([0], np.flatnonzero(np.diff(ranked)) + 1, [len(p)]))  # first position answered positive
    edges = np.concatenate(([0.0], ranked[starts[1:] - 1], [1.0]))
    lower, upper = edges[:-1], edges[1:]
    cuts = np.clip(lower + (upper - lower) / 2, 0.0, 1.0)
    cuts = np.where(cuts <= lower, upper, cuts)  # between neighbouring floats there is no middle; p ≥ upper splits them
    below = np.zeros((2, len(p) + 1))
    np.cumsum(np.stack([w * ~positive, w * positive]), axis=1, out=below[:, 1:])
    negatives = below[:, starts]
    # cuts lie contiguous in memory although they are the leading axis: sums over two classes are then fast
    cells = np.moveaxis(np.stack([negatives, below[:, -1:] - negatives], axis=1), -1, 0)
    answered = np.stack([starts > 0, starts < len(p)])
    present = (answered | np.array([[not positive.all()], [positive.any()]])).T
    # all-negative answers cannot be had when some p is 1: no threshold in [0, 1] excludes it
    last = None if ranked[-1] < 1 else -1
    return cuts[:last], cells[:last], present[:last]
