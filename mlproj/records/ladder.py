"""The ladder: rungs, gaps, a verdict and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: an error with its interval.

    Attributes:
        name: human, train, train_dev, dev or test.
        error: The error, as a loss (a score is shown as 1 − score); None for a sealed test set.
        low: Lower 95 % limit.
        high: Upper 95 % limit.
        n: Examples behind it; None for a constant.
        distribution: Distribution it was measured on; None where it stands for both.
        sealed: Whether it may not be looked at.
        method: How the interval was computed.
        source: Where a human level comes from, in a few words.
        floor: The lower end, where the error is only known to lie between two; `error` is then the upper end, and the
            interval covers both.
    """

    name: str
    error: float | None
    low: float | None
    high: float | None
    n: int | None
    distribution: Literal["training", "target"] | None
    sealed: bool = False
    method: str = ""
    source: str = ""
    floor: float | None = None


@dataclass(frozen=True)
class Gap:
    """The step between two rungs, with what is known of its size.

    Attributes:
        name: avoidable_bias, training_error, variance, data_mismatch, variance_or_data_mismatch or overfitting_to_dev.
        size: Error of the lower rung minus that of the upper.
        low: Lower 95 % limit.
        high: Upper 95 % limit.
        p_largest: Probability that it is the largest gap.
        p_worth: Probability that it exceeds the smallest gap worth closing.
        regret: What working on it instead of the truly largest gap would forgo on average.
        band: Limits that hold for all gaps of the ladder together with 95 %.
        n: Examples behind its rungs by name; None for a constant.
        method: How the interval was computed.
        other_end: Size at the other end, where the upper rung is only known to lie between two; None otherwise.
        mixed: Whether its rungs belong to different distributions that it does not speak of.
    """

    name: str
    size: float
    low: float
    high: float
    p_largest: float
    p_worth: float = 0.0
    regret: float = 0.0
    band: tuple[float, float] = (-inf, inf)
    n: Mapping[str, int | None] = field(default_factory=dict)
    method: str = ""
    other_end: float | None = None
    mixed: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the ladder says: a named gap, or what to grow so that one can be named.

    Attributes:
        state: What can be said.
        named: The gap to work on, where one is named.
        candidates: Gaps that remain, most likely first.
        text: The verdict in words.
        resolve: Which rung to grow and by how many examples, where that would settle it.
        min_gap: Smallest gap worth closing.
        regret: What working on the first candidate would forgo on average.
        confidence_set: Gaps that a frequentist test cannot exclude from being the largest, at 90 %.
    """

    state: Literal["named", "unresolved", "nothing_to_close", "past_human"]
    named: str | None
    candidates: tuple[str, ...]
    text: str
    resolve: Mapping[str, Any] | None = None
    min_gap: float = 0.0
    regret: float = 0.0
    confidence_set: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remedy:
    """One thing to do about a gap, and the command that does it."""

    action: str
    gap: str
    why: str
    command: str | None


@dataclass(frozen=True)
class Ladder:
    """Rungs, gaps and verdict: the answer of `diagnose bias-variance`.

    Attributes:
        metric: Metric of the rungs.
        scale: What the numbers are: the metric, or 1 - the metric for a score.
        rungs: From human level down to test.
        gaps: The steps between them.
        verdict: What the ladder says.
        constant: The best constant answer and its value.
        notes: What else should be said.
        matched: Dev and its gap to train-dev at equal class mix, where the metric moves with the mix.
        labels: With several labels or tasks, the ladder of each.
        label: The one of several labels that was asked for; empty otherwise.
        people: What the labels of annotators or the counts of experts say, as JSON knows it; None without any.
        table: Human, trained-on and held-out error on both distributions, as JSON knows it; None where there is one.
    """

    metric: str
    scale: str
    rungs: tuple[Rung, ...]
    gaps: tuple[Gap, ...]
    verdict: Verdict
    constant: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    matched: Mapping[str, Any] | None = None
    labels: Mapping[str, "Ladder"] = field(default_factory=dict)
    label: str = ""
    people: Mapping[str, Any] | None = None
    table: Mapping[str, Any] | None = None

    def rung(self, name: str) -> Rung | None:
        """The rung of that name, or None."""
        return next((rung for rung in self.rungs if rung.name == name), None)
