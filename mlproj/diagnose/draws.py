"""Draws of what a rung's error may be, given the examples it was measured on. D draws, G units, K classes.

A rate is drawn from Beta(x + ½, n − x + ½), a mean loss by a Bayesian bootstrap, a function of the confusion matrix by
a bootstrap with pseudo-counts, an estimate with a half-width from a normal distribution, a constant as itself.
"""

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.cells import CELL_METRICS
from mlproj.metrics.intervals import Floats, Units, normal_quantile

N_DRAWS = 20_000
"""Draws per rung: a probability of 0.95 is then known to ±0.003."""
_PSEUDO_COUNTS = 2.0
"""Pseudo-counts in all, ½ per cell of a binary matrix; more would swamp a matrix of many classes."""
_FEW = 20
_SINGLE, _TAIL, _MIDDLE = 128, 32, 64
_CELL_BUDGET = 1_000_000


def draw_rate(rate: float, n: float, rng: np.random.Generator) -> Floats:
    """Draws (D,) of an error rate: Jeffreys' posterior at n examples, which may be an effective number.

    Args:
        rate: Observed rate.
        n: Examples behind it.
        rng: Source of randomness.
    """
    x = min(max(rate, 0.0), 1.0) * n
    return rng.beta(x + 0.5, n - x + 0.5, N_DRAWS)


def draw_normal(value: float, low: float, high: float, rng: np.random.Generator) -> Floats:
    """Draws (D,) of an estimate whose 95 % interval is [low, high]: half a normal distribution to each side."""
    z = rng.standard_normal(N_DRAWS)
    reach = normal_quantile(0.95)
    return value + z * np.where(z < 0, (value - low) / reach, (high - value) / reach)


def draw_mean(units: Units, rng: np.random.Generator) -> Floats:
    """Draws (D,) of a mean loss: Bayesian bootstrap (Rubin 1981) over its units.

    Its spread is widened as Student's t is against the normal, so that few units do not look surer than they are. Above
    128 units all but the extreme ones are drawn in blocks, which changes the spread by less than a thousandth. A few
    equal losses say no more than their order of magnitude: they are drawn as if losses were exponential.
    """
    g, value = len(units), units.value
    if g < _FEW and np.ptp(units.residuals) <= 1e-12 * abs(value):
        return value * g / rng.standard_gamma(g, N_DRAWS)
    residual, weight, count = _blocks(units)
    raw = rng.standard_gamma(count, (N_DRAWS, len(count))) / count
    moved = (raw @ residual) / (raw @ weight)
    widen = np.sqrt((g + 1) / rng.chisquare(g - 1, N_DRAWS))
    return np.maximum(value + moved * widen, 0.0)


def _blocks(units: Units) -> tuple[Floats, Floats, Floats]:
    """Residuals and weight shares of the units, the middle ones summed in blocks; and units per block."""
    order = np.argsort(units.residuals)
    residual, weight = units.residuals[order], units.weight[order] / units.weight.sum()
    if len(order) <= _SINGLE:
        return residual, weight, np.ones(len(order))
    middle = np.linspace(_TAIL, len(order) - _TAIL, _MIDDLE + 1).astype(np.int64)[:-1]
    starts = np.concatenate([np.arange(_TAIL), middle, np.arange(len(order) - _TAIL, len(order))])
    count = np.diff(np.append(starts, len(order))).astype(np.float64)
    return np.add.reduceat(residual, starts), np.add.reduceat(weight, starts), count


def draw_cells(name: str, cells: NDArray[np.float64], n: float, rng: np.random.Generator) -> Floats:
    """Draws (D,) of a function of the confusion matrix, in its own direction.

    Pseudo-counts are added and the cells drawn anew at n examples. With many classes fewer matrices are drawn, and each
    stands for several draws.

    Args:
        name: Metric, one of `CELL_METRICS`.
        cells: Counts (K, K), truth in rows.
        n: Examples behind them; an effective number where they have weights or groups.
        rng: Source of randomness.
    """
    occurring = np.flatnonzero(cells.sum(0) + cells.sum(1) > 0)
    if len(occurring) < 2:
        occurring = np.arange(len(cells))
    table = cells[np.ix_(occurring, occurring)]
    share = table / table.sum() * n + _PSEUDO_COUNTS / table.size
    size = int(np.clip(_CELL_BUDGET // table.size, 100, N_DRAWS))
    drawn = rng.multinomial(max(round(n), 1), (share / share.sum()).ravel(), size).reshape(size, *table.shape)
    values = CELL_METRICS[name](drawn, drawn.sum(-1) + drawn.sum(-2) > 0)
    # a smaller set loses more of its rare classes when drawn anew: left alone, that would pass for a gap
    values = np.minimum(values + CELL_METRICS[name](share, np.ones(len(share), dtype=np.bool_)) - values.mean(), 1.0)
    return values if size == N_DRAWS else rng.choice(values, N_DRAWS)
