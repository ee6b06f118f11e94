"""Choosing by contract: one metric is optimised, the others only have to meet their limits (point values).

Among candidates that meet every limit the best by `metric.optimize` wins; if none does, the one that violates them
least. Whether a limit is *proven* by the data is another question: `mlproj.metrics.promises`.

>>> fast, sharp = {"error": 0.06, "latency_ms": 12.0}, {"error": 0.04, "latency_ms": 95.0}
>>> choose_best([sharp, fast], "error", {"latency_ms": "<= 20"})
1
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mlproj.metrics.limits import Limits, total_violation
from mlproj.spec.goal import LOSSES

RankKey = tuple[bool, float, float, float]


def is_feasible(values: Mapping[str, float], satisfy: Limits) -> bool:
    """Whether every limit is met by point value; one that was not measured is not met.

    Example:
        >>> is_feasible({"recall": 0.96}, {"recall": ">= 0.95"})
        True
    """
    return total_violation(values, satisfy) == 0


def rank_key(values: Mapping[str, float], optimize: str, satisfy: Limits, dev_loss: float | None = None) -> RankKey:
    """A key by which candidates compare: the larger, the better.

    Args:
        values: Values of the candidate by metric; those not measured count as the worst.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
        dev_loss: Loss on dev; it breaks ties of metrics that move in steps, such as the error.

    Returns:
        Whether it is feasible, minus its violation, its optimised metric as higher-is-better, minus its loss.

    Example:
        >>> rank_key({"error": 0.1}, "error", {}) > rank_key({"error": 0.2}, "error", {})
        True
    """
    missed = total_violation(values, satisfy)
    value = values.get(optimize, float("nan"))
    return missed == 0, -missed, _upward(-value if optimize in LOSSES else value), _upward(-_or_nan(dev_loss))


def choose_best(
    candidates: Sequence[Mapping[str, float]],
    optimize: str,
    satisfy: Limits,
    dev_losses: Sequence[float] | None = None,
) -> int:
    """Position of the best candidate: feasible first, else the least violating; the first among equals.

    Args:
        candidates: Values by metric, one mapping per candidate.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
        dev_losses: Loss of each candidate on dev, to break ties.

    Raises:
        ValueError: When there is no candidate.

    Example:
        >>> choose_best([{"error": 0.3}, {"error": 0.2}, {"error": 0.2}], "error", {})
        1
    """
    if not candidates:
        raise ValueError("there is no candidate to choose from")
    losses = [None] * len(candidates) if dev_losses is None else dev_losses
    keys = [rank_key(each, optimize, satisfy, loss) for each, loss in zip(candidates, losses, strict=True)]
    return max(range(len(keys)), key=keys.__getitem__)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _upward(value: float) -> float:
    """NaN compares with nothing, so it becomes the worst value there is."""
    return float("-inf") if np.isnan(value) else float(value)
