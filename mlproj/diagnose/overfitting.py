"""How much choosing among many models by their dev error flatters. T trials, N examples, G units, B draws.

The best of many dev errors is partly luck. From every trial's answers to every dev example the luck is estimated by a
nested bootstrap (bootstrap bias corrected cross-validation, Tsamardinos, Greasidou & Borboudakis 2018): examples are
drawn anew, the choice is made again on the draw by the same rule, and what was chosen is scored on the examples that
were not drawn. In a draw the choice profits from luck once more; the examples left out hold exactly the opposite luck,
so that the mean over draws is what the chosen model does on fresh examples.

    figures = {"error": mean_figure(losses)}
    optimism(figures, "error", {}).value
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.resampled import Figure, Finish
from mlproj.metrics.intervals import Floats, t_quantile
from mlproj.metrics.limits import Limits, misses
from mlproj.spec.goal import LOSSES

N_DRAWS = 2000
_LEAST_DRAWS = 200
_BUDGET = 4_000_000_000
"""Products at most: beyond some ten million answers there are fewer draws."""
_MOST_UNITS = 20_000
"""Above so many independent units, units are put together at random before they are drawn."""
_BLOCKS = 20
_AT_ONCE = 2_000_000
_SEED = 31


@dataclass(frozen=True)
class Optimism:
    """By how much the dev figure of the chosen trial flatters, as a loss.

    Attributes:
        value: Expected loss on fresh examples minus the loss on dev.
        low: Lower 95 % limit.
        high: Upper limit.
        chosen: Position of the trial that is chosen on all examples.
        stays: Share of the draws in which the same trial is chosen.
        trials: Trials that were compared.
        n: Examples.
        method: How it was computed.
    """

    value: float
    low: float
    high: float
    chosen: int
    stays: float
    trials: int
    n: int
    method: str


def optimism(
    figures: Mapping[str, Figure],
    optimize: str,
    satisfy: Limits,
    *,
    score: str | None = None,
    tie: str | None = None,
    group: NDArray[Any] | None = None,
    resources: Mapping[str, Floats] = MappingProxyType({}),
    seed: int = _SEED,
) -> Optimism:
    """By how much the dev figure of the trial that a contract chooses flatters.

    The value is the mean over draws of what the draw's choice loses on the examples left out, minus what the choice of
    all examples loses there: the second term is that trial's dev figure, with the noise of the draws taken out of the
    difference. Its limits are those of the delete-a-group jackknife over 20 random blocks of units, with Student's t.
    Equals are told apart by `tie`, else the earlier trial wins.

    Args:
        figures: The optimised metric, every limited one that answers tell, and the one asked for, by name.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
        score: Name of the figure whose optimism is asked for; the optimised metric when left out.
        tie: Name of the loss that decides between equals, if any.
        group: Group of each example (N,); groups are drawn whole.
        resources: Measured resources by name (T,), as they are limited; no draw changes them.
        seed: Seed of the draws.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> coins = Figure((rng.random((1, 30, 400)) < 0.2) * 1.0, np.ones(400), lambda sums: sums[0], "means")
        >>> found = optimism({"error": coins}, "error", {})
        >>> 0.02 < found.value < 0.06
        True
    """
    first = figures[score or optimize]
    n_trials, n = first.parts.shape[1], int(np.count_nonzero(first.weight.reshape(-1, first.weight.shape[-1])[0]))
    rng = np.random.default_rng(seed)
    units = _gather(figures, group, rng)
    rule = _Rule(
        optimize, score or optimize, tie, satisfy, resources, {name: figure.finish for name, figure in figures.items()}
    )
    chosen = int(rule.choose(_sums_of(units, np.ones((1, units.n))))[0])
    how = f"nested bootstrap over {first.how}"
    if n_trials == 1:
        return Optimism(0.0, 0.0, 0.0, 0, 1.0, 1, n, "one trial: nothing was chosen")
    if units.n < 2:
        return Optimism(0.0, -np.inf, np.inf, chosen, 1.0, n_trials, n, "none: a single group bounds nothing")
    n_draws = _draws_within_budget(units, n_trials)
    each, stays = _nested(units, rule, n_draws, rng)
    blocks = len(each) - 1
    value, without = float(each[0]), each[1:]
    error = sqrt((blocks - 1) / blocks * float(np.square(without - without.mean()).sum())) if blocks > 1 else np.inf
    reach = t_quantile(blocks - 1, 0.95) * error if blocks > 1 else np.inf
    method = f"{how}, {n_draws:,} draws of {units.n:,} {units.what}; jackknife over {blocks} blocks"
    return Optimism(value, value - reach, value + reach, chosen, stays, n_trials, n, method)


@dataclass(frozen=True)
class _Units:
    """What is drawn: sums of each figure by unit.

    Attributes:
        parts: By metric (R, T, G).
        weights: By metric (R or 1, G).
        n: Units.
        what: What they are called.
    """

    parts: Mapping[str, Floats]
    weights: Mapping[str, Floats]
    n: int
    what: str

    def keep(self, columns: NDArray[Any]) -> "_Units":
        """Some of the units."""
        parts = {name: part[..., columns] for name, part in self.parts.items()}
        weights = {name: weight[..., columns] for name, weight in self.weights.items()}
        return _Units(parts, weights, len(columns), self.what)


Sums = Mapping[str, tuple[Floats, Floats]]
"""By metric: sums (R, T, B) and weights (R or 1, B)."""


def _gather(figures: Mapping[str, Figure], group: NDArray[Any] | None, rng: np.random.Generator) -> _Units:
    """Sums by unit, the units in random order, so that consecutive ones are a random block."""
    n = next(iter(figures.values())).parts.shape[-1]
    unit = np.arange(n) if group is None else np.unique(group, return_inverse=True)[1]
    what = "examples" if group is None else "groups"
    if unit.max() + 1 > _MOST_UNITS:
        unit, what = rng.permutation(np.arange(unit.max() + 1) % _MOST_UNITS)[unit], f"random sets of {what}"
    unit = rng.permutation(unit.max() + 1)[unit]
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.diff(unit[order], prepend=-1))
    parts, weights = {}, {}
    for name, figure in figures.items():
        weight = np.atleast_2d(figure.weight)
        parts[name] = np.add.reduceat(figure.parts[..., order], starts, axis=-1)
        weights[name] = np.add.reduceat(weight[:, order], starts, axis=-1)
    return _Units(parts, weights, len(starts), what)


def _draws_within_budget(units: _Units, n_trials: int) -> int:
    sums = sum(len(part) for part in units.parts.values())
    return int(np.clip(_BUDGET // (sums * n_trials * units.n * 2), _LEAST_DRAWS, N_DRAWS))


def _sums_of(units: _Units, counts: Floats) -> Sums:
    """Sums of units that are counted so often (B, G)."""
    return {
        name: (np.asarray(part @ counts.T), np.asarray(units.weights[name] @ counts.T))
        for name, part in units.parts.items()
    }


@dataclass(frozen=True)
class _Rule:
    """The contract: limits first, then the optimised metric, then the loss; among equals the earlier trial."""

    optimize: str
    score: str
    tie: str | None
    satisfy: Limits
    resources: Mapping[str, Floats]
    finish: Mapping[str, Finish]

    def values(self, name: str, sums: Sums) -> Floats:
        """A metric (T, B) from sums; NaN where nothing was drawn."""
        total, weight = sums[name]
        with np.errstate(invalid="ignore", divide="ignore"):
            found = self.finish[name](total / weight[:, None])
        return np.asarray(found, dtype=np.float64)

    def loss(self, sums: Sums) -> Floats:
        """The metric that is asked for, as a loss (T, B)."""
        found = self.values(self.score, sums)
        return found if self.score in LOSSES else 1 - found

    def choose(self, sums: Sums) -> NDArray[np.int64]:
        """The trial chosen in each draw (B,)."""
        loss = self.values(self.optimize, sums) * (1.0 if self.optimize in LOSSES else -1.0)
        missed = np.zeros_like(loss)
        for name, limit in self.satisfy.items():
            if name in self.finish:
                missed += misses(self.values(name, sums), limit)
            elif name in self.resources:
                missed += misses(np.asarray(self.resources[name], dtype=np.float64), limit)[:, None]
        usable = (missed <= missed.min(axis=0)) & ~np.isnan(loss)
        loss = np.where(usable, loss, np.inf)
        if self.tie is None:
            return np.argmin(loss, axis=0)
        return np.argmin(np.where(loss <= loss.min(axis=0), self.values(self.tie, sums), np.inf), axis=0)


def _nested(units: _Units, rule: _Rule, n_draws: int, rng: np.random.Generator) -> tuple[Floats, float]:
    """Optimism with all units, then without each block (1 + J,); and how often the same trial is chosen.

    Sums are kept by block, so that leaving one out is a subtraction and uses the same draws.
    """
    n_blocks = min(_BLOCKS, units.n)
    blocks = np.array_split(np.arange(units.n), n_blocks)
    fixed = _without_each(_by_block(units, blocks, np.ones((1, units.n))), rule.choose)
    totals, counts, same = np.zeros(1 + n_blocks), np.zeros(1 + n_blocks), 0
    for drawn in _draw_counts(units, n_draws, rng):
        inside = _by_block(units, blocks, drawn)
        outside = _by_block(units, blocks, (drawn == 0).astype(np.float64))
        chosen = _without_each(inside, rule.choose)
        losses = _without_each(outside, rule.loss)
        for k, (picked, loss) in enumerate(zip(chosen, losses, strict=True)):
            gap = np.take_along_axis(loss, picked[None], axis=0)[0] - loss[fixed[k][0]]
            defined = np.isfinite(gap)  # nothing may be left out of a draw of very few groups
            totals[k] += gap[defined].sum()
            counts[k] += np.count_nonzero(defined)
        same += int(np.count_nonzero(chosen[0] == fixed[0][0]))
    return totals / np.maximum(counts, 1), same / n_draws


def _draw_counts(units: _Units, n_draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each unit is drawn (B, G), some draws at a time."""
    n_trials = next(iter(units.parts.values())).shape[1]
    step = max(1, _AT_ONCE // max(units.n, n_trials * _BLOCKS))
    for start in range(0, n_draws, step):
        size = min(step, n_draws - start)
        rows = rng.integers(0, units.n, (size, units.n)) + units.n * np.arange(size)[:, None]
        yield np.bincount(rows.ravel(), minlength=size * units.n).reshape(size, units.n).astype(np.float64)


def _by_block(units: _Units, blocks: Sequence[NDArray[Any]], counts: Floats) -> list[Sums]:
    return [_sums_of(units.keep(block), counts[:, block]) for block in blocks]


def _without_each(blocks: Sequence[Sums], of: Callable[[Sums], NDArray[Any]]) -> list[NDArray[Any]]:
    """A function of the sums of all blocks, then of all but each."""
    whole: Sums = {name: (_total(blocks, name, 0), _total(blocks, name, 1)) for name in blocks[0]}
    left: list[Sums] = [
        {name: (whole[name][0] - block[name][0], whole[name][1] - block[name][1]) for name in block} for block in blocks
    ]
    return [of(sums) for sums in (whole, *left)]


def _total(blocks: Sequence[Sums], name: str, which: int) -> Floats:
    return np.asarray(np.sum([block[name][which] for block in blocks], axis=0))
