"""How much of a gap is the mix of parts, and how much remains within them. N examples, C parts, U units, D draws.

Kitagawa (1955), Oaxaca (1973) and Blinder (1973): with shares s and mean losses e of the parts in the first set, s' and
e' in the second, the gap is exactly Σ(s' − s)·(e + e')/2, the mix, plus Σ(s + s')/2·(e' − e), within the parts.

>>> found = split_gap(["a", "b"], np.array([0, 1]), np.array([0.0, 1.0]), np.array([1, 1]), np.array([1.0, 1.0]))
>>> found.mix.value, found.within.value
(0.5, 0.0)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.intervals import Floats

N_DRAWS = 1000
MOST_UNITS = 500
_PSEUDO_COUNTS = 2.0
"""Pseudo-counts per set in all, as in the intervals of the confusion matrix: a part without an error is not certain."""
_SEED = 19_550_601


@dataclass(frozen=True)
class Term:
    """A share of a gap with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PartRow:
    """One part: how much it weighs and how wrong it is in both sets.

    Attributes:
        name: Its name.
        n: Examples in the first and the second set.
        shares: Share of the first and the second set.
        losses: Mean loss in the first and the second set; None where it has no example there.
        mix: What its change of share adds to the gap, against the mean loss of all.
        within: What its change of loss adds.
    """

    name: str
    n: tuple[int, int]
    shares: tuple[float, float]
    losses: tuple[float | None, float | None]
    mix: float
    within: float


@dataclass(frozen=True)
class SplitGap:
    """A gap as mix and within; both add up to it.

    Attributes:
        gap: Mean loss of the second set minus that of the first.
        mix: What the different shares of the parts make.
        within: What differs within the parts.
        rows: The parts, those that add most first.
        one_sided: Parts that only one set has; what they add is counted as mix.
        n: Examples of both sets.
        method: How the intervals were computed.
    """

    gap: float
    mix: Term
    within: Term
    rows: tuple[PartRow, ...]
    one_sided: tuple[str, ...]
    n: tuple[int, int]
    method: str


@dataclass(frozen=True)
class _Side:
    """One set as units: each has a number of independent examples, weights and weighted losses by part."""

    count: Floats
    weight: Floats
    loss: Floats


def split_gap(
    names: Sequence[str],
    part_a: NDArray[Any],
    loss_a: Floats,
    part_b: NDArray[Any],
    loss_b: Floats,
    *,
    weights: tuple[Floats | None, Floats | None] = (None, None),
    groups: tuple[NDArray[Any] | None, NDArray[Any] | None] = (None, None),
) -> SplitGap:
    """Splits the gap between the mean losses of two sets by the parts that their examples belong to.

    Args:
        names: Names of the parts (C).
        part_a: Part of each example of the first set, as a position in `names` (N,).
        loss_a: Its loss (N,).
        part_b: Likewise of the second set.
        loss_b: Likewise.
        weights: Weights of the examples of both sets.
        groups: Groups of the examples of both sets, drawn as a whole.

    Returns:
        The split with intervals: Bayesian bootstrap (Rubin 1981) over the independent units of both sets.
    """
    n_parts = len(names)
    is_rate = bool(np.isin(np.concatenate([loss_a, loss_b]), (0.0, 1.0)).all())
    sides = [
        _gather(part, loss, w, g, n_parts, is_rate=is_rate)
        for part, loss, w, g in zip((part_a, part_b), (loss_a, loss_b), weights, groups, strict=True)
    ]
    (weight_a, sum_a), (weight_b, sum_b) = (
        (_total(part, np.ones(len(loss)) if w is None else w, n_parts),
         _total(part, loss if w is None else w * loss, n_parts))
        for part, loss, w in zip((part_a, part_b), (loss_a, loss_b), weights, strict=True)
    )  # fmt: skip
    mix, within, own_mix, own_within = _kitagawa(weight_a, sum_a, weight_b, sum_b)
    rng = np.random.default_rng(_SEED)
    drawn = _kitagawa(*_draw(sides[0], rng), *_draw(sides[1], rng))
    counts = [np.bincount(part, minlength=n_parts) for part in (part_a, part_b)]
    shares = [weight / weight.sum() for weight in (weight_a, weight_b)]
    rows = [
        PartRow(
            name, (int(counts[0][c]), int(counts[1][c])), (float(shares[0][c]), float(shares[1][c])),
            (_mean(sum_a[c], weight_a[c]), _mean(sum_b[c], weight_b[c])), float(own_mix[c]), float(own_within[c]),
        )
        for c, name in enumerate(names)
        if counts[0][c] + counts[1][c]
    ]  # fmt: skip
    spread = sqrt_of_t(min(_n_units(side) for side in sides), rng)
    return SplitGap(
        float(mix + within),
        _term(float(mix), drawn[0], spread),
        _term(float(within), drawn[1], spread),
        tuple(sorted(rows, key=lambda row: -abs(row.mix) - abs(row.within))),
        tuple(row.name for row in rows if not all(row.n)),
        (len(part_a), len(part_b)),
        f"Kitagawa-Oaxaca-Blinder, Bayesian bootstrap{', of groups' * any(g is not None for g in groups)}, "
        f"{N_DRAWS} draws",
    )  # fmt: skip


def _total(part: NDArray[Any], values: Floats, n_parts: int) -> Floats:
    """Sum of the values by part (C,)."""
    return np.bincount(part, values, n_parts).astype(np.float64)


def _kitagawa(weight_a: Floats, sum_a: Floats, weight_b: Floats, sum_b: Floats) -> tuple[Any, Any, Floats, Floats]:
    """Mix, within, and both by part, from total weights and weighted losses by part (…, C).

    A part that one set lacks has the other set's loss there, so that what it adds is a matter of the mix.
    """
    share_a, share_b = (w / w.sum(axis=-1, keepdims=True) for w in (weight_a, weight_b))
    in_a, in_b = weight_a > 0, weight_b > 0
    mean_a = np.divide(sum_a, weight_a, out=np.zeros_like(share_a), where=in_a)
    mean_b = np.divide(sum_b, weight_b, out=np.zeros_like(share_b), where=in_b)
    mean_a, mean_b = np.where(in_a, mean_a, mean_b), np.where(in_b, mean_b, mean_a)
    middle = (mean_a + mean_b) / 2
    level = ((share_a + share_b) / 2 * middle).sum(axis=-1, keepdims=True)  # changes nothing in the sum over parts
    mix, within = (share_b - share_a) * (middle - level), (share_a + share_b) / 2 * (mean_b - mean_a)
    return mix.sum(axis=-1), within.sum(axis=-1), mix, within


def _gather(
    part: NDArray[Any], loss: Floats, weight: Floats | None, group: NDArray[Any] | None, n_parts: int, *, is_rate: bool
) -> _Side:
    w = np.ones(len(loss)) if weight is None else weight
    if group is None and weight is None and is_rate:  # equal examples are counted
        seen = np.repeat(np.bincount(part, minlength=n_parts) > 0, 2)
        tally = np.bincount(2 * part + (loss > 0), minlength=2 * n_parts)[seen]
        counts = (tally + _PSEUDO_COUNTS / (2 * n_parts)).astype(np.float64)
        cells = counts[:, None] * np.repeat(np.eye(n_parts), 2, axis=0)[seen]
        return _Side(counts, cells, cells * np.tile([0.0, 1.0], n_parts)[seen, None])
    block = find_units(len(loss), group)
    size = int(block.max()) + 1
    table = [_total(block * n_parts + part, values, size * n_parts).reshape(size, n_parts) for values in (w, w * loss)]
    return _Side(np.ones(size), table[0], table[1])


def find_units(n: int, group: NDArray[Any] | None) -> NDArray[np.int64]:
    """The unit of each example (N,) that draws move as a whole: itself or its group.

    Above 500 they are put together at random, which leaves the variance of their sums as it is.
    """
    unit = np.arange(n) if group is None else np.unique(group, return_inverse=True)[1]
    n_units = int(unit.max()) + 1
    if n_units <= MOST_UNITS:
        return unit.astype(np.int64)
    return np.asarray(np.random.default_rng(_SEED).permutation(n_units)[unit] % MOST_UNITS, dtype=np.int64)


def _n_units(side: _Side) -> float:
    return float(side.count.sum())


def _draw(side: _Side, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Weights and weighted losses by part (D, C), each unit weighing what a Dirichlet draw says."""
    raw = rng.standard_gamma(side.count, (N_DRAWS, len(side.count))) / side.count
    return raw @ side.weight, raw @ side.loss


def sqrt_of_t(n_units: float, rng: np.random.Generator) -> Floats:
    """By how much to widen draws (D,) so that they spread as Student's t with n − 1 degrees does against the normal."""
    return np.sqrt((n_units + 1) / np.maximum(rng.chisquare(max(n_units - 1, 1), N_DRAWS), 1e-9))


def _term(value: float, drawn: Floats, widen: Floats) -> Term:
    low, high = np.quantile(value + (drawn - value) * widen, [0.025, 0.975])
    return Term(value, min(float(low), value), max(float(high), value))


def _mean(total: float, weight: float) -> float | None:
    return float(total / weight) if weight > 0 else None
