"""Rungs that were measured in several seeds of one recipe, all on the same examples. S seeds, N examples, D draws.

Each has its loss by seed, and the variance that the choice of examples gives to the loss averaged over seeds::

    rungs = measure_rungs([first, second, third], ladder)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from mlproj.diagnose.draws import N_DRAWS, draw_rate
from mlproj.diagnose.rungs import RELATIVE_LOSS, RUNGS, GivenRung, is_rate
from mlproj.diagnose.samples import take
from mlproj.diagnose.several import constant_losses, own_metric
from mlproj.metrics import as_loss, measure
from mlproj.metrics.evidence import gather
from mlproj.metrics.influence import influence
from mlproj.metrics.intervals import Floats
from mlproj.records import Answers, Ladder, Predictions, Rung
from mlproj.spec.goal import LOSSES

_SEED = 23
MANY = 1e9
"""Degrees of freedom of what is taken at its word."""


@dataclass(frozen=True)
class SeedRung:
    """A rung in every seed.

    Attributes:
        values: Its loss by seed (S,); of a rung that no training moves, such as human level, all equal.
        variance: Variance of the mean over the seeds by the choice of examples.
        degrees: Degrees of freedom of that.
        draws: What the seed-averaged loss may be, by the choice of examples (D,).
        n: Examples behind it.
        floor: By how much lower its other end lies, where it is only known to lie between two.
    """

    values: Floats
    variance: float
    degrees: float
    draws: Floats
    n: int | None
    floor: float | None = None


def measure_rungs(parts: Sequence[Predictions], ladder: Ladder) -> dict[str, SeedRung]:
    """The rungs that every seed has, in ladder order; human level stands as it is.

    Args:
        parts: Predictions of each seed.
        ladder: The ladder of one of them, for its metric and its human level.
    """
    scales = constant_losses(parts[0]) if ladder.metric == RELATIVE_LOSS else {}
    found = {}
    for name in RUNGS:
        rung = ladder.rung(name)
        if rung is None or rung.error is None:
            continue
        if name == "human":
            found[name] = _constant(rung, ladder.metric, len(parts))
        elif all(_has_truth(part.part(name)) for part in parts):
            found[name] = _measure(name, [part.part(name) for part in parts], ladder.metric, scales)
    return found


def _has_truth(part: Predictions) -> bool:
    return any(answers.known.any() for answers in part.labels.values())


def _constant(rung: Rung, metric: str, n_seeds: int) -> SeedRung:
    """A rung that no training moves, with its own uncertainty."""
    assert rung.error is not None
    low, high = rung.error if rung.low is None else rung.low, np.inf if rung.high is None else rung.high
    if rung.floor is not None:  # the lower limit is that of the other end
        low = max(2 * rung.error - high, 0.0)
    limits = low, high
    n = float(rung.n) if rung.n and is_rate(metric) else None
    sample = take(GivenRung(rung.name, rung.error, rung.n, limits=limits, n_effective=n), metric)
    degrees = float(rung.n - 1) if rung.n and rung.n > 1 else MANY
    floor = None if rung.floor is None else rung.error - rung.floor
    return SeedRung(np.full(n_seeds, rung.error), sample.variance, degrees, sample.draws, rung.n, floor)


def _measure(name: str, parts: Sequence[Predictions], metric: str, scales: Mapping[str, float]) -> SeedRung:
    values = np.array([_loss(part, metric, scales) for part in parts])
    variance, degrees = _sampling(parts, metric, scales)
    rng = np.random.default_rng([_SEED, RUNGS.index(name)])
    n = int(np.logical_or.reduce([answers.known for answers in parts[0].labels.values()]).sum())
    return SeedRung(values, variance, degrees, _draw(float(values.mean()), variance, metric, rng), n)


def _loss(part: Predictions, metric: str, scales: Mapping[str, float]) -> float:
    """A metric as a loss; with several labels the mean over them."""
    if metric != RELATIVE_LOSS:
        return as_loss(metric, measure([metric], part.labels, part.weight)[metric])
    labels = {name: answers for name, answers in part.labels.items() if answers.known.any()}
    each = [measure([own], a, part.weight)[own] / scales[name] for name, a, own in _with_metric(labels, metric)]
    return float(np.mean(each))


def _with_metric(labels: Mapping[str, Answers], metric: str) -> list[tuple[str, Answers, str]]:
    return [(name, answers, own_metric(metric, answers)) for name, answers in labels.items()]


def _sampling(parts: Sequence[Predictions], metric: str, scales: Mapping[str, float]) -> tuple[float, float]:
    """Variance of the seed-averaged loss by the choice of examples, and its degrees of freedom.

    That of the mean influence over the seeds (infinitesimal jackknife, Jaeckel 1972), summed within groups; for an
    error rate the linearised variance of the seed-averaged errors. Where seeds were examined on different samples of a
    large training set, the mean of their own variances stands in, which is no smaller.
    """
    same = all(np.array_equal(part.ids, parts[0].ids) for part in parts[1:])
    moves = np.stack([_moves(part, metric, scales) for part in parts]) if same else None
    if moves is not None:
        units = _by_unit(moves.mean(axis=0), parts[0])
        return max(_variance(units), _least(parts[0], metric)), float(max(len(units) - 1, 1))
    each = [_variance(_by_unit(_moves(part, metric, scales), part)) for part in parts]
    return max(float(np.mean(each)), _least(parts[0], metric)), float(max(len(parts[0]) - 1, 1))


def _moves(part: Predictions, metric: str, scales: Mapping[str, float]) -> Floats:
    """How far each example moves the metric (N,); 0 for examples without a label."""
    labels = {name: answers for name, answers in part.labels.items() if answers.known.any()}
    total = np.zeros(len(part))
    for name, answers, own in _with_metric(labels, metric):
        evidence = gather(own, answers, part.weight)
        total[evidence.known] += influence(own, evidence) / scales.get(name, 1.0) / len(labels)
    return total


def _by_unit(moves: Floats, part: Predictions) -> Floats:
    """Sums over independent units: groups, or labelled examples."""
    if part.group is not None:
        _, unit = np.unique(part.group, return_inverse=True)
        return np.bincount(unit, moves).astype(np.float64)
    return moves[np.logical_or.reduce([answers.known for answers in part.labels.values()])]


def _variance(units: Floats) -> float:
    return float(len(units) / (len(units) - 1) * np.square(units).sum()) if len(units) > 1 else np.inf


def _least(part: Predictions, metric: str) -> float:
    """For shares the variance of Jeffreys' posterior when no error was seen: none seen is not none there."""
    if not is_rate(metric):
        return 0.0
    weight = np.ones(len(part)) if part.weight is None else part.weight
    if part.group is not None:
        _, unit = np.unique(part.group, return_inverse=True)
        weight = np.bincount(unit, weight).astype(np.float64)
    n = float(weight.sum() ** 2 / np.square(weight).sum()) if weight.any() else 1.0
    return 0.5 * (n + 0.5) / ((n + 1) ** 2 * (n + 2))


def _draw(value: float, variance: float, metric: str, rng: np.random.Generator) -> Floats:
    """Draws (D,) of a seed-averaged loss by the choice of examples alone."""
    if not isfinite(variance):
        variance = value**2 + 1.0
    if is_rate(metric) and 0 < value < 1 and 0 < variance < value * (1 - value):
        return draw_rate(value, value * (1 - value) / variance, rng)
    draws = value + sqrt(variance) * rng.standard_normal(N_DRAWS)
    return np.maximum(draws, 0.0) if metric in LOSSES or is_rate(metric) else draws
