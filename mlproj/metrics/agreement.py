"""How far people agree beyond chance: Krippendorff's α. I items, K classes, L labels, U units, B draws.

Agreement describes the labels: 1 is perfect, 0 is what chance alone would give. It is no error rate::

    agreement = of_classes(counts)       # how often each item was called each class
    agreement.alpha, agreement.limits()
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.intervals import Floats

_DRAWS, _FEWEST_DRAWS = 1000, 200
_BUDGET = 20_000_000
"""Counts drawn in all: beyond so many kinds of items there are fewer draws."""


@dataclass(frozen=True)
class Agreement:
    """What α is computed from: sums over items, so that a bootstrap need not look at the labels again.

    Attributes:
        parts: What each item with two labels or more brings (I, C).
        items: Which items these are, by position (I,).
        ratio: α (B,) of summed parts (B, C).
    """

    parts: Floats
    items: NDArray[np.int64]
    ratio: Callable[[Floats], Floats]

    @property
    def alpha(self) -> float:
        """Krippendorff's α; NaN when nothing varies or nothing overlaps."""
        return float(self.ratio(self.parts.sum(axis=0)[None])[0])

    def limits(self, group: NDArray[Any] | None = None, *, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
        """Limits of α by a bootstrap over items, or over groups of them; NaN where there are fewer than two.

        Zapf, Castell, Morawietz & Karch 2016 recommend it over the asymptotic standard error for nominal data.

        Args:
            group: Group of every item, those with a single label too, where items of a group belong together.
            level: Confidence level.
            seed: Seed of the bootstrap.
        """
        units = self.parts
        if group is not None:
            _, unit = np.unique(group[self.items], return_inverse=True)
            units = np.stack([np.bincount(unit, column) for column in units.T], axis=1)
        n = len(units)
        if n < 2:
            return float("nan"), float("nan")
        # items that were labelled alike are drawn together: few kinds of items stand for very many
        kinds, times = np.unique(units, axis=0, return_counts=True)
        rng = np.random.default_rng(seed)
        n_draws = int(np.clip(_BUDGET // len(kinds), _FEWEST_DRAWS, _DRAWS))
        drawn = self.ratio(np.stack([rng.multinomial(n, times / n) @ kinds for _ in range(n_draws)]))
        known = drawn[~np.isnan(drawn)]
        if not len(known):
            return float("nan"), float("nan")
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]).tolist()
        return low, high


def of_classes(counts: NDArray[Any]) -> Agreement:
    """Agreement on classes, for any number of people and with gaps.

    1 − observed / expected disagreement over pairable labels (Krippendorff 2004, Content Analysis, eq. 11.1–11.4).

    Args:
        counts: How often each item was called each class (I, K).

    Example:
        >>> of_classes(np.array([[0, 2], [2, 0], [1, 1], [2, 0]])).alpha
        0.533...
    """
    items = np.flatnonzero(counts.sum(axis=1) > 1)
    k = counts[items].astype(np.float64)
    m = k.sum(axis=1)
    return Agreement(np.column_stack([(m**2 - np.square(k).sum(axis=1)) / (m - 1), k]), items, _nominal)


def of_numbers(item: NDArray[Any], value: Floats) -> Agreement:
    """Agreement on numbers, by squared differences.

    Args:
        item: Item of each label (L,), from 0.
        value: The labels (L,).

    Example:
        >>> of_numbers(np.array([0, 0, 1, 1]), np.array([1.0, 1.0, 5.0, 5.0])).alpha
        1.0
    """
    centred = value - value.mean() if len(value) else value  # changes no difference, and keeps the digits
    m = np.bincount(item).astype(np.float64)
    first, second = np.bincount(item, centred), np.bincount(item, np.square(centred))
    items = np.flatnonzero(m > 1)
    m, first, second = m[items], first[items], second[items]
    disagreement = np.maximum(2 * (m * second - first**2) / (m - 1), 0.0)
    return Agreement(np.column_stack([disagreement, m, first, second]), items, _interval)


def _nominal(sums: Floats) -> Floats:
    observed, by_class = sums[:, 0], sums[:, 1:]
    n = by_class.sum(axis=1)
    return _one_minus(observed, n**2 - np.square(by_class).sum(axis=1), n)


def _interval(sums: Floats) -> Floats:
    observed, n, first, second = sums.T
    return _one_minus(observed, 2 * (n * second - first**2), n)


def _one_minus(observed: Floats, apart: Floats, n: Floats) -> Floats:
    """1 − observed · (n − 1) / all differences; NaN where all labels are alike."""
    varies = apart > 1e-12 * np.maximum(n, 1.0)
    ratio = np.divide(observed * (n - 1), apart, out=np.full(len(n), np.nan), where=varies)
    return np.asarray(1 - ratio, dtype=np.float64)
