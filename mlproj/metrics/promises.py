"""What a model promises: each limit of `metric.satisfy` held against the bad end of the metric's interval.

>>> answers = Answers(np.repeat([0, 1], 100), np.repeat([0, 1], 100), ("no", "yes"))
>>> [promise] = promises({"recall": ">= 0.95"}, answers)
>>> promise.value, round(promise.low, 3), promise.n, promise.status
(1.0, 0.963, 100, 'met')
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.estimates import estimate, examples_behind
from mlproj.metrics.evidence import RESOURCES
from mlproj.metrics.intervals import Estimate
from mlproj.metrics.limits import Limits, is_met
from mlproj.records import Answers, Promise
from mlproj.spec.goal import parse_limit

Status = Literal["met", "violated", "unknown"]


def promises(
    satisfy: Limits,
    labels: Answers | Mapping[str, Answers],
    weight: NDArray[Any] | None = None,
    group: NDArray[Any] | None = None,
    *,
    resources: Mapping[str, float] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Promise, ...]:
    """Whether each limit is met, violated or unknown, judged by the metric's interval.

    A limit is met when the bad end of the interval meets it, violated when even the good end misses it, and unknown in
    between: then more examples would tell. Latency and size are measured, so their value alone is judged. With several
    labels value and limits are the means over the labels, which holds however the labels depend on each other.

    Args:
        satisfy: Limits by metric.
        labels: The answers on dev, by label where there are several.
        weight: Weight of each example (N,).
        group: Group of each example (N,).
        resources: Measured latency_ms and size_mb.
        level: Confidence level of the intervals.
        seed: Seed of bootstraps.

    Returns:
        One promise per limit, in order. A resource that was not measured, or a metric that is undefined, has the value
        NaN and is unknown; `low` and `high` are None where nothing bounds them.

    Raises:
        InvalidInput: When a metric does not suit a label.
    """
    several = [labels] if isinstance(labels, Answers) else list(labels.values())
    answered = [answers for answers in several if answers.known.any()] or several
    found = []
    for name, limit in satisfy.items():
        if name in RESOURCES:
            found.append(_measured(name, limit, (resources or {}).get(name, float("nan"))))
            continue
        parts = [estimate(name, answers, weight, group, level=level, seed=seed) for answers in answered]
        found.append(_judge(name, limit, parts, min(examples_behind(name, answers, weight) for answers in answered)))
    return tuple(found)


def _measured(name: str, limit: str, value: float) -> Promise:
    if np.isnan(value):
        return Promise(name, limit, value, None, None, None, "unknown")
    return Promise(name, limit, value, value, value, None, "met" if is_met(value, limit) else "violated")


def _judge(name: str, limit: str, parts: list[Estimate], n: int) -> Promise:
    defined = [part for part in parts if not np.isnan(part.value)]
    if not defined:
        return Promise(name, limit, float("nan"), None, None, n, "unknown")
    value, low, high = np.mean([(part.value, part.low, part.high) for part in defined], axis=0).tolist()
    bad, good = (low, high) if parse_limit(limit)[0].startswith(">") else (high, low)
    status: Status = "met" if is_met(bad, limit) else "unknown" if is_met(good, limit) else "violated"
    return Promise(name, limit, value, _finite(low), _finite(high), n, status)


def _finite(limit: float) -> float | None:
    return limit if np.isfinite(limit) else None
