"""The ladder: rungs, gaps, a verdict and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
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
    """

    name: str
    error: float | None
    low: float | None
    high: float | None
    n: int | None
    distribution: Literal["training", "target"] | None
    sealed: bool = False
    method: str = ""


@dataclass(frozen=True)
class Gap:
    """The step between two rungs, with its interval and the probability that it is the largest."""

    name: str
    size: float
    low: float
    high: float
    p_largest: float


@dataclass(frozen=True)
class Verdict:
    """What the ladder says: a named gap, or what to grow so that one can be named."""

    state: Literal["named", "unresolved", "nothing_to_close", "past_human"]
    named: str | None
    candidates: tuple[str, ...]
    text: str
    resolve: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Remedy:
    """One thing to do about a gap, and the command that does it."""

    action: str
    gap: str
    why: str
    command: str | None


@dataclass(frozen=True)
class Ladder:
    """Rungs, gaps and verdict: the answer of `diagnose bias-variance`."""

    metric: str
    scale: str
    rungs: tuple[Rung, ...]
    gaps: tuple[Gap, ...]
    verdict: Verdict
    constant: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def rung(self, name: str) -> Rung | None:
        """The rung of that name, or None."""
        return next((rung for rung in self.rungs if rung.name == name), None)
