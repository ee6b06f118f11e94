"""Whether the gap between two sets matters: its interval against the smallest gap worth closing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlproj.diagnose.gaps import reaches, smallest_worth_closing
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.samples import Sample
from mlproj.metrics.intervals import mover
from mlproj.records import Rung

State = Literal["matters", "small", "unclear"]


@dataclass(frozen=True)
class GapView:
    """The gap between two rungs and what can be said of it.

    Attributes:
        metric: Metric of the rungs.
        scale: What the numbers are: the metric, or 1 − the metric for a score.
        first: The rung of the first set.
        second: The rung of the second.
        size: Second minus first.
        low: Lower 95 % limit.
        high: Upper limit.
        min_gap: Smallest gap worth closing.
        state: It matters (the lower limit exceeds that), it is small (the upper one does not), or nobody can tell yet.
        method: How the interval was computed.
        matched: The gap at equal class mix, for metrics that move with the mix.
    """

    metric: str
    scale: str
    first: Rung
    second: Rung
    size: float
    low: float
    high: float
    min_gap: float
    state: State
    method: str
    matched: Mapping[str, Any] | None = None


def judge_gap(
    first: Sample,
    second: Sample,
    metric: str,
    scale: str,
    *,
    min_gap: float | None = None,
    matched: Mapping[str, Any] | None = None,
) -> GapView:
    """Judges the gap between two rungs that share no example.

    Args:
        first: The rung of the first set.
        second: The rung of the second.
        metric: Their metric.
        scale: What the numbers are.
        min_gap: Smallest gap worth closing; by default as in the ladder.
        matched: What `match_prevalence` found.
    """
    low, high = mover(second.limits, first.limits)
    worth = smallest_worth_closing(second.value, is_rate=is_rate(metric)) if min_gap is None else min_gap
    state: State = "matters" if reaches(low, worth) else "unclear" if reaches(high, worth) else "small"
    methods = " and ".join(dict.fromkeys((second.rung.method, first.rung.method)))
    size = second.value - first.value
    return GapView(
        metric, scale, first.rung, second.rung, size, low, high, worth, state, f"MOVER of {methods}", matched
    )
