"""Limits that only have to be met: is a value inside, and if not, by how much does it miss?

>>> violation(0.9, ">= 0.95"), violation(18.0, "<= 20")
(0.0526..., 0.0)
"""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlproj.spec.goal import parse_limit

Limits: TypeAlias = Mapping[Any, str]
"""Limits by metric name; `Any` because a mapping is invariant in its keys and those of a spec are literals."""
_ROUNDING = 1e-12
"""Sums of weights carry rounding errors: 0.95 reached by weighted counts must pass `>= 0.95`."""


def misses(values: NDArray[Any], limit: str) -> NDArray[np.float64]:
    """By how much values miss a limit, relative to it; 0 where they meet it, infinite where they are NaN.

    Args:
        values: Values of any shape.
        limit: An operator and a number, such as ``>= 0.95``; relative to a limit of 0 the miss is absolute.

    Example:
        >>> misses(np.array([0.8, 1.0, np.nan]), ">= 1").tolist()
        [0.199..., 0.0, inf]
    """
    operator, bound = parse_limit(limit)
    scale = abs(bound) or 1.0
    short = (bound - values if operator.startswith(">") else values - bound) / scale
    met = short <= _ROUNDING if operator.endswith("=") else short < 0
    # a strict limit that is only touched is missed by nothing measurable, yet missed
    return np.where(met, 0.0, np.where(np.isnan(short), np.inf, np.maximum(short, _ROUNDING)))


def violation(value: float, limit: str) -> float:
    """By how much one value misses a limit, relative to it; 0 when it meets it.

    Example:
        >>> violation(0.0, "> 0") > 0
        True
    """
    return float(misses(np.asarray(value, dtype=np.float64), limit))


def total_violation(values: Mapping[str, float], satisfy: Limits) -> float:
    """Sum of the relative violations of all limits; 0 when every limit is met.

    A limit on something that was not measured counts as missed by 100 %: the same for every candidate that lacks it, so
    that it changes no choice among them, and none of them passes for feasible.

    Example:
        >>> total_violation({"recall": 0.9, "latency_ms": 30.0}, {"recall": ">= 0.9", "latency_ms": "<= 20"})
        0.5
    """
    parts = [violation(values[name], limit) if name in values else 1.0 for name, limit in satisfy.items()]
    return math.fsum(parts)


def is_met(value: float, limit: str) -> bool:
    """Whether a value meets a limit.

    Example:
        >>> is_met(0.95, ">= 95%"), is_met(0.95, "> 95%")
        (True, False)
    """
    return violation(value, limit) == 0
