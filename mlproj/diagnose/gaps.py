"""The gaps between rungs, and the rule that names one of them. D draws, G gaps.

Gaps are differences of draws from the same joint ladder, so that two gaps which share a rung move against each other as
they should. One gap is named when it is the largest with probability 0.95 and its lower limit exceeds what is worth
closing; see `judge`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.samples import Sample
from mlproj.metrics.intervals import Floats, mover
from mlproj.records import Gap

SURE = 0.95
"""Probability of being the largest from which a gap is named: at an exact tie a wrong name then comes up at most one
time in twenty."""
_AUDIT = 0.90
_TOGETHER = 0.95
State = Literal["named", "unresolved", "nothing_to_close", "past_human"]


@dataclass(frozen=True)
class Step:
    """The way from one rung to the next: a gap that may be named, or a rival that only bounds one.

    Attributes:
        name: Name of the gap; empty for a rival that no gap is named after.
        lower: Rung where the error is higher, further down the ladder.
        upper: Rung above it; None stands for an error of zero.
        nameable: Whether the verdict may name it.
        bracket: Whether the upper rung is only known to lie below its value: it belongs to the other distribution, so
            that the truth may lie anywhere between this gap and the whole error of `lower`, or it has a floor.
        mixed: Whether the upper rung belongs to the other distribution.
    """

    name: str
    lower: str
    upper: str | None
    nameable: bool = True
    bracket: bool = False
    mixed: bool = False


@dataclass(frozen=True)
class Judgement:
    """The gaps with their probabilities, and what the naming rule says.

    Attributes:
        state: What can be said.
        gaps: The gaps that have a name, in ladder order.
        chances: Probability of being the largest by step (G,), rivals included.
        candidates: Names that remain, most likely first.
        regret: What working on the first candidate would forgo on average.
        audit: Names in the 90 % confidence set for the largest gap.
    """

    state: State
    gaps: tuple[Gap, ...]
    chances: tuple[float, ...]
    candidates: tuple[str, ...]
    regret: float
    audit: tuple[str, ...]


def find_steps(
    samples: Mapping[str, Sample], *, distributions_differ: bool, human_on_target: bool = False
) -> tuple[Step, ...]:
    """The steps that the rungs at hand can tell apart.

    Without a training rung bias and variance stay one lump: a rival that every other gap has to beat. Without a human
    level the whole training error is such a rival, shown as `training_error`.

    Args:
        samples: Rungs by name; `dev` must be among them, a sealed test rung is not.
        distributions_differ: Whether training and target distribution differ.
        human_on_target: Whether human level was measured on the target distribution only.

    Example:
        >>> find_steps({}, distributions_differ=False)
        ()
    """
    has = samples.__contains__
    if not has("dev"):
        return ()
    human = "human" if has("human") else None
    mixed = human_on_target and distributions_differ
    has_floor = human is not None and samples["human"].floor is not None
    last = "train_dev" if has("train_dev") else "dev"
    steps = []
    if has("train"):
        bias = (
            Step("avoidable_bias", "train", human, bracket=mixed or has_floor, mixed=mixed)
            if human
            else _training_error()
        )
        both = distributions_differ and last == "dev"
        steps += [bias, Step("variance_or_data_mismatch" if both else "variance", last, "train")]
    else:
        mixed = mixed and last == "train_dev"
        steps.append(Step("", last, human, nameable=False, bracket=mixed or has_floor, mixed=mixed))
    if last == "train_dev":
        steps.append(Step("data_mismatch", "dev", "train_dev"))
    if has("test"):
        steps.append(Step("overfitting_to_dev", "test", "dev"))
    return tuple(steps)


def _training_error() -> Step:
    return Step("training_error", "train", None, nameable=False)


def smallest_worth_closing(dev_error: float, *, is_rate: bool) -> float:
    """A tenth of the dev error, and for rates at least half a percent point.

    Example:
        >>> smallest_worth_closing(0.03, is_rate=True)
        0.005
    """
    return max(0.1 * dev_error, 0.005 if is_rate else 0.0)


def reaches(limit: float, worth: float) -> bool:
    """Whether a limit is large enough to be worth closing, whatever the rounding of differences.

    Example:
        >>> 0.19 - 0.17 >= 0.02, reaches(0.19 - 0.17, 0.02), reaches(0.0, 0.0)
        (False, True, False)
    """
    return limit > worth * (1 - 1e-9)


def judge(samples: Mapping[str, Sample], steps: Sequence[Step], worth: float) -> Judgement:
    """Applies the naming rule.

    1. Past human level: the upper limit of dev − human is below 0, and that of test − human where test is shown.
    2. Named: largest with probability 0.95 and lower 95 % limit above `worth`.
    3. Nothing to close: every upper limit is below `worth`.
    4. Unresolved between the gaps that may still be the largest.

    Args:
        samples: Rungs by name.
        steps: From `find_steps`.
        worth: Smallest gap worth closing.
    """
    shapes = [_limits(samples, step) for step in steps]
    drawn = _draws(samples, steps)
    chances = share_largest(drawn)
    if any(step.bracket for step in steps):
        chances = np.minimum(chances, share_largest(_draws(samples, steps, at_other_end=True)))
    closable = np.maximum(drawn, 0.0)
    regrets, bands = (closable.max(axis=0) - closable).mean(axis=1), _bands(drawn, steps, shapes)
    gaps = tuple(
        Gap(
            step.name,
            *shapes[k],
            p_largest=float(chances[k]),
            p_worth=float((drawn[k] > worth * (1 - 1e-9)).mean()),
            regret=float(regrets[k]),
            band=bands[k],
            n={name: samples[name].rung.n for name in (step.upper, step.lower) if name},
            method=_method(samples, step),
            other_end=_other_size(samples, step),
            mixed=step.mixed,
        )
        for k, step in enumerate(steps)
        if step.name
    )
    order = np.argsort(-chances, kind="stable")
    likely = [k for k in order if chances[k] >= 1 - SURE and reaches(shapes[k][2], worth)] or list(order[:1])
    first = int(likely[0])
    state, candidates = _state(samples, steps, shapes, chances, worth), [steps[k].name for k in likely if steps[k].name]
    if state == "named":
        candidates = [steps[int(order[0])].name]
    elif state == "nothing_to_close":
        candidates = []
    elif state == "past_human":
        candidates = [steps[k].name for k in order if steps[k].name and reaches(shapes[k][1], worth)]
    audit = tuple(step.name for step, kept in zip(steps, audit_largest(drawn), strict=True) if kept and step.name)
    return Judgement(state, gaps, tuple(float(c) for c in chances), tuple(candidates), float(regrets[first]), audit)


def _bands(
    drawn: Floats, steps: Sequence[Step], shapes: Sequence[tuple[float, float, float]]
) -> list[tuple[float, float]]:
    """Limits of each gap that hold for all of them together: quantiles of the draws at Šidák's level (1967).

    Never inside a gap's own 95 % limits, which are computed by another method.
    """
    tail = (1 - _TOGETHER ** (1 / len(steps))) / 2
    lows, highs = np.quantile(drawn, [tail, 1 - tail], axis=1)
    return [
        (min(float(low), shape[1]), max(float(high), shape[2]))
        for low, high, shape in zip(lows, highs, shapes, strict=True)
    ]


def _method(samples: Mapping[str, Sample], step: Step) -> str:
    if step.upper is None:
        return samples[step.lower].rung.method
    lower, upper = samples[step.lower].rung.method, samples[step.upper].rung.method
    return f"MOVER of {lower}" + (f" and {upper}" if upper != lower else "")


def _state(
    samples: Mapping[str, Sample],
    steps: Sequence[Step],
    shapes: Sequence[tuple[float, float, float]],
    chances: Floats,
    worth: float,
) -> State:
    if is_past_human(samples):
        return "past_human"
    best = int(np.argmax(chances))
    if steps[best].nameable and chances[best] >= SURE and reaches(shapes[best][1], worth):
        return "named"
    return "nothing_to_close" if not any(reaches(high, worth) for _, _, high in shapes) else "unresolved"


def is_past_human(samples: Mapping[str, Sample]) -> bool:
    """Whether the dev error is surely below human level, at both ends where it is only known to lie between two.

    So must the test error be where it is shown: the best of many models on a small dev set looks better than it is.
    """
    if "human" not in samples:
        return False
    human = samples["human"].on_target or samples["human"]
    level = (human.floor or human).limits
    return all(mover(samples[name].limits, level)[1] < 0 for name in ("dev", "test") if name in samples)


def _limits(samples: Mapping[str, Sample], step: Step) -> tuple[float, float, float]:
    """Size of a gap with its 95 % limits."""
    lower = samples[step.lower].limits
    if step.upper is None:
        return lower
    upper = samples[step.upper].limits
    low, high = mover(lower, upper)
    if step.bracket:
        end = other_end(samples, step)
        high = lower[2] if end is None else mover(lower, end.limits)[1]
    return lower[0] - upper[0], low, high


def _other_size(samples: Mapping[str, Sample], step: Step) -> float | None:
    """Size of a gap at the other end of a bracket."""
    if not step.bracket:
        return None
    end = other_end(samples, step)
    return samples[step.lower].value - (0.0 if end is None else end.value)


def other_end(samples: Mapping[str, Sample], step: Step) -> Sample | None:
    """The other end of a bracket: the floor of its upper rung; None stands for an error of zero."""
    return None if step.upper is None or step.mixed else samples[step.upper].floor


def _draws(samples: Mapping[str, Sample], steps: Sequence[Step], *, at_other_end: bool = False) -> Floats:
    """Draws (G, D) of the gaps; `at_other_end` takes the other end of a bracket."""
    rows = []
    for step in steps:
        upper = None if step.upper is None else samples[step.upper]
        if at_other_end and step.bracket:
            upper = other_end(samples, step)
        row = samples[step.lower].draws
        rows.append(row if upper is None else row - upper.draws)
    return np.stack(rows)


def share_largest(draws: Floats) -> Floats:
    """Probability (G,) that each gap's closable part, max(gap, 0), is the largest; ties are shared.

    Args:
        draws: Joint draws of the gaps (G, D).

    Example:
        >>> share_largest(np.array([[0.1, 0.1], [0.3, 0.05], [-0.2, 0.1]])).tolist()
        [0.25, 0.5, 0.25]
    """
    closable = np.maximum(draws, 0.0)
    # a billionth: differences of constants such as 0.3 − 0.2 and 0.1 are ties
    is_top = closable >= closable.max(axis=0) * (1 - 1e-9)
    return np.asarray((is_top / is_top.sum(axis=0)).mean(axis=1), dtype=np.float64)


def audit_largest(draws: Floats) -> NDArray[np.bool_]:
    """Confidence set (G,) for the largest gap at 90 %: which gaps no other one exceeds significantly.

    Gap j stays unless max_k (g_k − g_j)/se_kj exceeds the 90 % quantile of the maximum of the centred contrasts (Gupta
    1965; Hsu 1981; Mogstad, Romano, Shaikh & Wilhelm 2023, one-sided).

    Args:
        draws: Joint draws of the gaps (G, D).

    Example:
        >>> audit_largest(np.array([[0.1, 0.1], [0.3, 0.3]])).tolist()
        [False, True]
    """
    kept = []
    for row in draws:
        contrast = draws - row
        mean, spread = contrast.mean(axis=1), contrast.std(axis=1)
        fixed = spread <= 1e-12
        if np.any(fixed & (mean > 1e-12)):
            kept.append(False)
            continue
        moving = contrast[~fixed]
        if len(moving) == 0:
            kept.append(True)
            continue
        scaled = (moving - mean[~fixed, None]) / spread[~fixed, None]
        critical = np.quantile(scaled.max(axis=0), _AUDIT)
        kept.append(bool((mean[~fixed] / spread[~fixed]).max() <= critical))
    return np.array(kept, dtype=np.bool_)
