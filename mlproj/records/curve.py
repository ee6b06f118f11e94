"""The learning curve: errors by training size, where they go, and whether more data will do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

Splits = Literal["train", "train_dev", "dev"]
CurveState = Literal["reached", "more_data", "not_by_data", "unresolved", "refused"]


@dataclass(frozen=True)
class CurveFit:
    """One training on a part of the training split, as a learning curve sees it.

    Attributes:
        size: Size that was asked for.
        n: Examples it was trained on; with groups the nearest number to `size` that keeps them whole.
        repeat: Number of the repeat, from 0; each has its own nested order of the examples.
        seed: Seed of weights and batches.
        key: Hash of spec, data, rows and seed.
        values: Loss by metric and split.
        moves: How far each independent unit moves the loss (G,), by metric and split, for the held-out splits.
        outcome: How the training ended.
        seconds: How long it took.
        is_new: Whether it was trained for this answer.
    """

    size: int
    n: int
    repeat: int
    seed: int
    key: str
    values: Mapping[str, Mapping[str, float]]
    moves: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    outcome: str = "completed"
    seconds: float = 0.0
    is_new: bool = False


@dataclass(frozen=True)
class Band:
    """A mean error over repeats with its 95 % limits; `spread` is the standard deviation of single trainings."""

    error: float
    low: float
    high: float
    spread: float


@dataclass(frozen=True)
class Anchor:
    """One size of the curve: examples, trainings, and the error on each split."""

    n: int
    repeats: int
    bands: Mapping[str, Band]


@dataclass(frozen=True)
class Reach:
    """What the dev error may be at a multiple of the present size."""

    ratio: float
    n: int
    error: float
    low: float
    high: float
    p_target: float | None


@dataclass(frozen=True)
class Extrapolation:
    """How the curve goes on.

    Attributes:
        reaches: Twice and four times the present size.
        bound: Ten times the present size, and the error that it will not fall below with 97.5 %.
        needed: Examples at which the target is met: lower limit, median, upper limit; None where that is more than ten
            times the present size.
        weights: Share of each family of curves in the mean.
        misses: Root mean squared miss per doubling of each family in the backtest, and of the last error.
        line: The curve that was foretold: (examples, error) from the present size on.
        n_tests: Hidden sizes that the families were judged by.
        draws: Draws of the bootstrap.
    """

    reaches: tuple[Reach, ...]
    bound: tuple[int, float]
    needed: tuple[int | None, int | None, int | None] | None
    weights: Mapping[str, float]
    misses: Mapping[str, float]
    line: tuple[tuple[int, float], ...]
    n_tests: int
    draws: int


@dataclass(frozen=True)
class Probe:
    """The halving probe: what the last doubling gained, and so what the next one may.

    Attributes:
        n_half: The smaller size.
        gain: Error there minus error now, with 95 % limits.
        next_gain: What the next doubling gains: between half and all of that.
    """

    n_half: int
    gain: tuple[float, float, float]
    next_gain: tuple[float, float]


@dataclass(frozen=True)
class LearningCurve:
    """The answer of `diagnose learning-curve`.

    Attributes:
        metric: Metric of the curve.
        scale: What the numbers are: the metric, or 1 - the metric for a score.
        anchors: Its sizes, ascending; the last is the whole training split.
        n: Examples of the held-out splits.
        shape: What it looks like: falling, or why nothing is extrapolated.
        shape_at: Sizes that show it.
        shape_method: How that was judged.
        state: What can be said.
        text: The conclusion in words.
        advice: What to do.
        target: Error that is wanted; None without one.
        target_from: Where the target comes from.
        human: Human level, where it is given in this metric.
        floor: Error that nothing can get below; None where it is not known.
        extrapolation: How it goes on; None where nothing is extrapolated.
        why_not: Why nothing is extrapolated.
        probe: The halving probe; None without a size near half.
        most_gain: Bound on what more data can gain by the common asymptote, with limits; None where it does not hold.
        recipe: What was kept the same at every size.
        notes: What else should be said.
        failed: Trainings that failed, with the first reason.
        missing: Trainings that are still to be made.
    """

    metric: str
    scale: str
    anchors: tuple[Anchor, ...]
    n: Mapping[str, int]
    shape: str
    shape_at: tuple[int, ...]
    shape_method: str
    state: CurveState
    text: str
    advice: str
    target: float | None
    target_from: str
    human: float | None
    floor: float | None
    extrapolation: Extrapolation | None
    why_not: str
    probe: Probe | None
    most_gain: tuple[float, float, float] | None
    recipe: str
    notes: tuple[str, ...] = ()
    failed: tuple[int, str] = (0, "")
    missing: int = 0

    @property
    def n_train(self) -> int:
        """Examples in the largest size."""
        return self.anchors[-1].n
