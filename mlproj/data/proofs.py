"""What must be read on dev to prove a promise: counts for which the bad end of Wilson's interval passes the limit."""

import math
from dataclasses import dataclass

from mlproj.data.sizes import Z95
from mlproj.metrics.intervals import wilson

RATES = {"recall": "positive", "specificity": "negative", "accuracy": "", "error": ""}
"""Metrics whose number of examples is known before anything is trained, and the examples that they are a rate of."""


@dataclass(frozen=True)
class Proof:
    """What proves a rate on n examples.

    Attributes:
        least: Fewest examples that prove it when all are answered right; None when none does (a limit of 100 %).
        misses: Most wrong answers among the n that still prove it; −1 when even none does.
    """

    least: int | None
    misses: int


def plan_proof(right: float, n: int, *, strict: bool = False) -> Proof:
    """How many examples, and how few wrong answers, prove that a rate of right answers reaches a limit.

    With all of n right, Wilson's lower limit is n/(n + z²) (Wilson 1927), so n ≥ z²·L/(1 − L) proves L.

    Args:
        right: The limit L on the rate of right answers, in [0, 1].
        n: Examples there are.
        strict: Whether the rate has to exceed the limit.

    Example:
        >>> plan_proof(0.95, 200)
        Proof(least=73, misses=3)
    """
    if right >= 1:
        return Proof(None, -1)
    least = max(1, math.ceil(Z95**2 * right / (1 - right) - 1e-9))
    if strict and least / (least + Z95**2) <= right:
        least += 1
    low, high = -1, n
    while low < high:  # the lower limit falls with every miss
        middle = (low + high + 1) // 2
        limit = wilson((n - middle) / n, n)[0] if n else 0.0
        if limit > right or (limit == right and not strict):
            low = middle
        else:
            high = middle - 1
    return Proof(least, low)
