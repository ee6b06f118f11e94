"""What would settle an unresolved ladder: which rung to grow, and by how many examples. F futures, G gaps, R rungs.

The rung to grow is the one that contributes most to the variance of the contrast between the two likeliest gaps. How
many examples it takes is found by looking ahead: the future error of the grown rung is drawn from what it may be now,
the naming rule is applied, and examples are added until it settles in at least half of the futures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, floor, log, log10
from statistics import NormalDist
from typing import Any

import numpy as np

from mlproj.diagnose.gaps import SURE, Judgement, Step, other_end
from mlproj.diagnose.samples import Sample
from mlproj.metrics.intervals import Floats, normal_quantile, wilson

N_FUTURES = 1000
ENOUGH = 0.5
"""Share of futures that must be settled: an even chance, as no number of examples can promise more near a tie."""
MOST, MOST_TIMES = 1_000_000, 1000
"""Further examples, and times its size, beyond which growing a set is called out of reach."""
_NEGLIGIBLE = 0.05
_DEAR = 4.0
"""Growing one set is simpler than growing all, but not at more than that many times the examples."""
_SEED = 11
_LEAST, _PRECISION = 0.02, 0.05


def plan_growth(
    samples: Mapping[str, Sample], steps: Sequence[Step], judgement: Judgement, worth: float
) -> dict[str, Any] | None:
    """The set whose growth would settle the verdict, and by how many examples.

    Args:
        samples: Rungs by name.
        steps: The steps between them.
        judgement: An unresolved judgement.
        worth: Smallest gap worth closing.

    Returns:
        ``{"grow": rung, "by": n}``; where that rung alone does not settle it, or only at several times the examples,
        another that does, or all sets that matter grow by one factor and `with` names the others. `by` is None where
        even that does not help, or its rung has no n. None when every rung is a constant.
    """
    missing = _missing_rung(samples, judgement)
    if missing:
        return {"grow": missing, "by": missing_size(samples, missing, worth)}
    shares = rank_rungs(samples, steps, judgement.chances)
    if not shares:
        return None
    countable = [name for name in shares if samples[name].rung.n]
    # every set that is sampled at all: behind the two likeliest gaps a third may be waiting
    sampled = [name for name, sample in samples.items() if sample.rung.n and sample.variance]
    every = [*countable, *(name for name in sampled if name not in countable)]
    ways = [[name] for name in countable] + ([every] if countable and len(every) > 1 else [])
    chosen = _choose_way(_Future(samples, steps, worth), ways)
    if chosen is None:
        return {"grow": shares[0], "by": None}
    (first, *others), factor = chosen
    plan = {"grow": first, "by": _further(samples[first], factor)}
    return plan | {"with": others} if others else plan


def _choose_way(future: "_Future", ways: Sequence[list[str]]) -> tuple[list[str], float] | None:
    """The first way to grow that works without taking several times the examples of another, and by which factor."""
    factors = [future.factor_needed(names) for names in ways]
    found = [(names, factor) for names, factor in zip(ways, factors, strict=True) if factor is not None]
    costs = [(factor - 1) * sum(future.samples[name].rung.n or 0 for name in names) for names, factor in found]
    return next((way for way, cost in zip(found, costs, strict=True) if cost <= _DEAR * min(costs)), None)


def _further(sample: Sample, factor: float) -> int:
    return round_up((factor - 1) * (sample.rung.n or 0))


def _missing_rung(samples: Mapping[str, Sample], judgement: Judgement) -> str | None:
    if "train" not in samples:
        return "train"
    return "human" if "training_error" in judgement.candidates else None


def missing_size(samples: Mapping[str, Sample], name: str, worth: float) -> int | None:
    """How many examples a rung that is not there should have: so many that its half-width is what is worth closing.

    The spread of single losses is borrowed from the nearest measured rung; None where that has no n.

    Args:
        samples: Rungs by name.
        name: human, train or train_dev.
        worth: Smallest gap worth closing.
    """
    order = {"human": ("train", "dev"), "train": ("dev",), "train_dev": ("dev", "train")}[name]
    known = [samples[other] for other in order if other in samples and samples[other].rung.n]
    if not known or worth <= 0:
        return None
    spread = known[0].variance * (known[0].rung.n or 0)
    return min(max(round_up(spread * (normal_quantile(SURE) / worth) ** 2), 100), MOST)


def rank_rungs(samples: Mapping[str, Sample], steps: Sequence[Step], chances: Sequence[float]) -> list[str]:
    """Rungs by their share c²·v in the variance of the contrast between the two likeliest gaps, largest first.

    Rungs with less than a twentieth of the variance are left out, and so are constants. When one gap is already sure to
    be the largest, its own size is what is uncertain.
    """
    order = np.argsort(-np.asarray(chances), kind="stable")
    coefficients = _coefficients(samples, steps)
    contrast = coefficients[order[0]].copy()
    if len(order) > 1 and chances[order[0]] < SURE:
        contrast -= coefficients[order[1]]
    names = list(samples)
    shares = contrast**2 * np.array([samples[name].variance for name in names])
    return [names[k] for k in np.argsort(-shares, kind="stable") if shares[k] > _NEGLIGIBLE * shares.sum()]


def _coefficients(samples: Mapping[str, Sample], steps: Sequence[Step], *, without_human: bool = False) -> Floats:
    """Gaps as combinations of rungs (G, R); `without_human` takes the other end of a bracket, a human error of zero."""
    names = list(samples)
    table = np.zeros((len(steps), len(names)))
    for row, step in enumerate(steps):
        table[row, names.index(step.lower)] += 1
        if step.upper is not None and not (without_human and step.bracket):
            table[row, names.index(step.upper)] -= 1
    return table


@dataclass(frozen=True)
class _Outlook:
    """A rung in F futures.

    Attributes:
        error: Its error (F,).
        below: How far its lower 95 % limit lies below it (F,).
        above: How far its upper limit lies above it (F,).
        mean: Mean of what the error may then be (F,).
        variance: Variance of what the error may then be (F,).
    """

    error: Floats
    below: Floats
    above: Floats
    mean: Floats
    variance: Floats


def _look_ahead(sample: Sample, factor: float, rng: np.random.Generator) -> _Outlook:
    """A rung with `factor` times its examples. Rates keep their skewness: after 0 errors of 50 it decides."""
    truth = sample.draws[:N_FUTURES]
    if sample.n_effective is None:
        return _look_ahead_normally(sample, factor, truth, rng)
    n, added = sample.n_effective, round((factor - 1) * sample.n_effective)
    wrong: Floats = sample.value * n + rng.binomial(added, truth.clip(0, 1)).astype(np.float64)
    size = n + added
    error = wrong / size
    low, high = wilson(error, size)
    mean = (wrong + 0.5) / (size + 1)
    return _Outlook(error, error - low, high - error, mean, mean * (1 - mean) / (size + 2))


def _look_ahead_normally(sample: Sample, factor: float, truth: Floats, rng: np.random.Generator) -> _Outlook:
    error, variance = np.full(N_FUTURES, sample.value), sample.variance
    if factor > 1:
        further = truth + rng.standard_normal(N_FUTURES) * np.sqrt(variance / (factor - 1))
        error = (sample.value + (factor - 1) * further) / factor
    reach = np.full(N_FUTURES, normal_quantile(SURE) * np.sqrt(variance / factor))
    return _Outlook(error, reach, reach, error, np.full(N_FUTURES, variance / factor))


@dataclass(frozen=True)
class _Future:
    """Looks ahead to what the naming rule would say if a rung had more examples."""

    samples: Mapping[str, Sample]
    steps: Sequence[Step]
    worth: float

    def factor_needed(self, names: Sequence[str]) -> float | None:
        """Smallest growth of some rungs, as a factor, that settles the verdict in enough futures; None beyond reach."""
        most = min(MOST_TIMES, 1 + MOST / max(self.samples[name].rung.n or 1 for name in names))
        low, high = log(_LEAST), log(most - 1)
        if self._share_settled(names, most) < ENOUGH:
            return None
        while high - low > _PRECISION:
            middle = (low + high) / 2
            settled = self._share_settled(names, 1 + exp(middle)) >= ENOUGH
            low, high = (low, middle) if settled else (middle, high)
        return 1 + exp(high)

    def _share_settled(self, grown: Sequence[str], factor: float) -> float:
        rng = np.random.default_rng(_SEED)
        rungs = [_look_ahead(s, factor if name in grown else 1.0, rng) for name, s in self.samples.items()]
        return float(np.mean(self._settled(rungs, factor if "human" in grown else 1.0)))

    def _settled(self, rungs: Sequence[_Outlook], factor: float) -> Any:
        """Whether each future (F,) ends in a name or in nothing to close, at both ends of a bracket."""
        ends = [self._judge(rungs, _coefficients(self.samples, self.steps))]
        step = next((step for step in self.steps if step.bracket), None)
        if step is not None:
            floor = other_end(self.samples, step)
            without = _coefficients(self.samples, self.steps, without_human=floor is None)
            if floor is not None:
                there = _look_ahead(floor, factor, np.random.default_rng(_SEED))
                rungs = [there if name == "human" else r for name, r in zip(self.samples, rungs, strict=True)]
            ends.append(self._judge(rungs, without))
        return np.all(ends, axis=0).any(axis=0)

    def _judge(self, rungs: Sequence[_Outlook], coefficients: Floats) -> Any:
        """Which gap is named (G, F) and, in a last row, whether there is nothing to close."""
        up, down = np.maximum(coefficients, 0.0) ** 2, np.minimum(coefficients, 0.0) ** 2
        below, above = (np.stack(side) ** 2 for side in ([r.below for r in rungs], [r.above for r in rungs]))
        sizes = coefficients @ np.stack([r.error for r in rungs])  # with MOVER's limits, as the gaps have
        lows, highs = sizes - np.sqrt(up @ below + down @ above), sizes + np.sqrt(up @ above + down @ below)
        gaps, variances = coefficients @ np.stack([r.mean for r in rungs]), np.stack([r.variance for r in rungs])
        sure = NormalDist().inv_cdf(SURE)
        judged = np.zeros((len(self.steps) + 1, N_FUTURES), dtype=np.bool_)
        judged[-1] = np.all(highs < self.worth, axis=0)
        for k, step in enumerate(self.steps):
            if step.nameable:
                spread = np.sqrt((coefficients[k] - np.delete(coefficients, k, axis=0)) ** 2 @ variances)
                ahead = np.all(gaps[k] - np.maximum(np.delete(gaps, k, axis=0), 0.0) > sure * spread, axis=0)
                judged[k] = ahead & (lows[k] > self.worth)
        return judged


def round_up(number: float) -> int:
    """Rounded up to two significant digits.

    Example:
        >>> round_up(1433), round_up(220), round_up(7)
        (1500, 220, 7)
    """
    if number <= 0:
        return 0
    unit = 10 ** max(floor(log10(number)) - 1, 0)
    return ceil(number / unit - 1e-9) * unit
