"""How much choosing among many models by their dev error flatters. T trials, N examples, G units, B draws.

The best of many dev errors is partly luck. From every trial's answers to every dev example the luck is estimated by a
nested bootstrap (bootstrap bias corrected cross-validation, Tsamardinos, Greasidou & Borboudakis 2018): examples are
drawn anew, the choice is made again on the draw by the same rule, and what was chosen is scored on the examples that
were not drawn. In a draw the choice profits from luck once more; the examples left out hold exactly the opposite luck,
so that the mean over draws is what the chosen model does on fresh examples.

    units = units_of(len(dev))
    optimism({"error": figure_of("error", trials, units)}, units, "error", {}).value
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.resampled import Figure, Finish, Units
from mlproj.metrics.intervals import Floats, t_quantile
from mlproj.metrics.limits import Limits, misses
from mlproj.spec.goal import LOSSES

N_DRAWS = 2000
_LEAST_DRAWS = 200
_BUDGET = 4_000_000_000
"""Products at most: beyond some ten million answers there are fewer draws."""
_BLOCKS, _FEWEST = 20, 5
"""Blocks of the jackknife, and how many units there must be for its limits to say anything."""
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
    units: Units,
    optimize: str,
    satisfy: Limits,
    *,
    score: str | None = None,
    tie: str | None = None,
    resources: Mapping[str, Floats] = MappingProxyType({}),
    draws: int = N_DRAWS,
    seed: int = _SEED,
) -> Optimism:
    """By how much the dev figure of the trial that a contract chooses flatters.

    The value is the mean over draws of what the draw's choice loses on the examples left out, minus what the choice of
    all examples loses there: the second term is that trial's dev figure, with the noise of the draws taken out of the
    difference. Its limits are those of the delete-a-group jackknife over 20 random blocks of units, with Student's t.
    Equals are told apart by `tie`, else the earlier trial wins.

    Args:
        figures: The optimised metric, every limited one that answers tell, and the one asked for, by name.
        units: What is drawn: examples, or groups of them.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
        score: Name of the figure whose optimism is asked for; the optimised metric when left out.
        tie: Name of the loss that decides between equals, if any.
        resources: Measured resources by name (T,), as they are limited; no draw changes them.
        draws: Draws at most; very large searches get fewer.
        seed: Seed of the draws.

    Example:
        >>> from mlproj.diagnose.resampled import units_of
        >>> rng = np.random.default_rng(0)
        >>> coins = Figure((rng.random((1, 30, 400)) < 0.2) * 1.0, np.ones((1, 400)), lambda sums: sums[0], "losses")
        >>> found = optimism({"error": coins}, units_of(400), "error", {})
        >>> 0.02 < found.value < 0.06
        True
    """
    first = figures[score or optimize]
    n_trials, n = first.parts.shape[1], len(units.unit)
    rng = np.random.default_rng(seed)
    rule = _Rule(
        optimize, score or optimize, tie, satisfy, resources, {name: figure.finish for name, figure in figures.items()}
    )
    chosen = int(rule.choose(_sums_of(figures, np.ones((1, units.n))))[0])
    how = f"nested bootstrap over {first.how}"
    if n_trials == 1:
        return Optimism(0.0, 0.0, 0.0, 0, 1.0, 1, n, "one trial: nothing was chosen")
    if units.n < 2:
        return Optimism(0.0, -np.inf, np.inf, chosen, 1.0, n_trials, n, "none: a single group bounds nothing")
    n_draws = min(draws, _draws_within_budget(figures, units.n))
    each, stays = _nested(figures, units.n, rule, n_draws, rng)
    blocks = len(each) - 1
    value, without = float(each[0]), each[1:]
    error = sqrt((blocks - 1) / blocks * float(np.square(without - without.mean()).sum())) if blocks > 1 else np.inf
    reach = t_quantile(blocks - 1, 0.95) * error if blocks >= _FEWEST else np.inf
    method = f"{how}, {n_draws:,} draws of {units.n:,} {units.what}; jackknife over {blocks} blocks"
    return Optimism(value, value - reach, value + reach, chosen, stays, n_trials, n, method)


Sums = Mapping[str, tuple[Floats, Floats]]
"""By metric: sums (R, T, B) and weights (R or 1, B)."""


def _draws_within_budget(figures: Mapping[str, Figure], n_units: int) -> int:
    products = 2 * n_units * sum(part.shape[0] * part.shape[1] for part in (f.parts for f in figures.values()))
    return int(np.clip(_BUDGET // products, _LEAST_DRAWS, N_DRAWS))


def _sums_of(figures: Mapping[str, Figure], counts: Floats, units: slice = slice(None)) -> Sums:
    """Sums of some units that are counted so often (B, G)."""
    often = counts[:, units].T
    return {
        name: (np.asarray(f.parts[..., units] @ often), np.asarray(f.weight[..., units] @ often))
        for name, f in figures.items()
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


def _nested(
    figures: Mapping[str, Figure], n_units: int, rule: _Rule, n_draws: int, rng: np.random.Generator
) -> tuple[Floats, float]:
    """Optimism with all units, then without each block (1 + J,); and how often the same trial is chosen.

    Sums are kept by block, so that leaving one out is a subtraction and uses the same draws.
    """
    n_blocks = min(_BLOCKS, n_units)
    ends = np.linspace(0, n_units, n_blocks + 1).astype(int)
    blocks = [slice(start, end) for start, end in pairwise(ends.tolist())]
    fixed = _without_each([_sums_of(figures, np.ones((1, n_units)), block) for block in blocks], rule.choose)
    totals, counts, same = np.zeros(1 + n_blocks), np.zeros(1 + n_blocks), 0
    n_trials = next(iter(figures.values())).parts.shape[1]
    for drawn in _draw_counts(n_units, n_draws, max(1, _AT_ONCE // max(n_units, n_trials * _BLOCKS)), rng):
        left_out = (drawn == 0).astype(np.float64)
        chosen = _without_each([_sums_of(figures, drawn, block) for block in blocks], rule.choose)
        losses = _without_each([_sums_of(figures, left_out, block) for block in blocks], rule.loss)
        for k, (picked, loss) in enumerate(zip(chosen, losses, strict=True)):
            gap = np.take_along_axis(loss, picked[None], axis=0)[0] - loss[fixed[k][0]]
            defined = np.isfinite(gap)  # nothing may be left out of a draw of very few groups
            totals[k] += gap[defined].sum()
            counts[k] += np.count_nonzero(defined)
        same += int(np.count_nonzero(chosen[0] == fixed[0][0]))
    return totals / np.maximum(counts, 1), same / n_draws


def _draw_counts(n_units: int, n_draws: int, step: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each unit is drawn (B, G), some draws at a time."""
    for start in range(0, n_draws, step):
        size = min(step, n_draws - start)
        rows = rng.integers(0, n_units, (size, n_units)) + n_units * np.arange(size)[:, None]
        yield np.bincount(rows.ravel(), minlength=size * n_units).reshape(size, n_units).astype(np.float64)


def _without_each(blocks: Sequence[Sums], of: Callable[[Sums], NDArray[Any]]) -> list[NDArray[Any]]:
    """A function of the sums of all blocks, then of all but each."""
    whole: Sums = {name: (_total(blocks, name, 0), _total(blocks, name, 1)) for name in blocks[0]}
    left: list[Sums] = [
        {name: (whole[name][0] - block[name][0], whole[name][1] - block[name][1]) for name in block} for block in blocks
    ]
    return [of(sums) for sums in (whole, *left)]


def _total(blocks: Sequence[Sums], name: str, which: int) -> Floats:
    return np.asarray(np.sum([block[name][which] for block in blocks], axis=0))
