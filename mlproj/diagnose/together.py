"""Which columns say the same and so have to be shuffled together. N rows, C columns, K categories.

A column whose twin stays in place looks useless when it is shuffled alone: the model reads the twin. Association is the
rank correlation of two ordered columns (Spearman 1904), the correlation ratio of an ordered column's ranks over the
categories of another (with Kelley's 1935 correction), and Cramér's V of two categories (corrected: Bergsma 2013).

>>> age = np.arange(50.0)
>>> group_columns({"age": Cells(age), "born": Cells(2020 - age), "height": Cells(age % 7)}, 0.8)
[('age', 'born'), ('height',)]
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_MOST_ROWS = 5_000


@dataclass(frozen=True)
class Cells:
    """One column as far as association goes.

    Attributes:
        values: Numbers with NaN for missing (N,), or codes of categories with −1 for missing.
        ordered: Whether they are numbers.
    """

    values: NDArray[Any]
    ordered: bool = True


def group_columns(columns: Mapping[str, Cells | None], threshold: float) -> list[tuple[str, ...]]:
    """The columns in groups: average linkage, cut where the association of two groups falls below a threshold.

    Args:
        columns: Cells by name, in the order of the table; None for a column that stays alone, such as a text.
        threshold: Association from 0 to 1; from 1 on every column stays alone.

    Returns:
        Groups in the order of their first columns.
    """
    names = [name for name, cells in columns.items() if cells is not None]
    group_of = {name: place for place, name in enumerate(columns)}
    if len(names) > 1 and threshold < 1:
        from scipy.cluster.hierarchy import fcluster, linkage

        strength = associate([cells for cells in columns.values() if cells is not None])
        upper = np.triu_indices(len(names), 1)
        tree = linkage(1 - strength[upper], method="average")
        labels = fcluster(tree, 1 - threshold, criterion="distance").tolist()
        first: dict[int, int] = {}
        for name, label in zip(names, labels, strict=True):
            group_of[name] = first.setdefault(label, group_of[name])
    groups: dict[int, list[str]] = {}
    for name in columns:
        groups.setdefault(group_of[name], []).append(name)
    return [tuple(group) for group in groups.values()]


def associate(columns: list[Cells]) -> Floats:
    """Association of each pair of columns (C, C), from 0 to 1.

    Args:
        columns: The columns, of N rows each; at most 5,000 of them are looked at.
    """
    n = len(columns[0].values)
    rows = np.sort(np.random.default_rng(0).choice(n, _MOST_ROWS, replace=False)) if n > _MOST_ROWS else np.arange(n)
    strength = np.eye(len(columns))
    ordered = [k for k, cells in enumerate(columns) if cells.ordered]
    named = [k for k, cells in enumerate(columns) if not cells.ordered]
    ranks = np.column_stack([_standard_ranks(columns[k].values[rows]) for k in ordered] or [np.zeros((len(rows), 0))])
    strength[np.ix_(ordered, ordered)] = np.abs(ranks.T @ ranks) / max(len(rows), 1)
    codes = {k: np.unique(columns[k].values[rows], return_inverse=True)[1] for k in named}
    for place, k in enumerate(named):
        if ordered:
            strength[k, ordered] = strength[ordered, k] = _correlation_ratios(codes[k], ranks)
        for other in named[:place]:
            strength[k, other] = strength[other, k] = _cramer(codes[k], codes[other])
    np.fill_diagonal(strength, 1.0)
    return np.clip(strength, 0.0, 1.0)


def rank(values: Floats) -> Floats:
    """Ranks from 0 (N,), ties sharing their mean.

    Example:
        >>> rank(np.array([3.0, 1.0, 3.0])).tolist()
        [1.5, 0.0, 1.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray(((ends - counts + ends - 1) / 2)[place], dtype=np.float64)


def _standard_ranks(values: Floats) -> Floats:
    """Ranks with mean 0 and variance 1; a missing cell has the mean rank."""
    known = ~np.isnan(values)
    ranks = np.zeros(len(values))
    if known.any():
        found = rank(values[known])
        ranks[known] = found - found.mean()
    spread = float(np.sqrt(np.mean(ranks**2)))
    return ranks / spread if spread > 0 else ranks


def _correlation_ratios(codes: NDArray[np.int64], ranks: Floats) -> Floats:
    """The correlation ratio η of each column of standard ranks (N, C) over the categories, corrected (C,)."""
    counts = np.bincount(codes)
    n, k = len(codes), len(counts)
    if n <= k:
        return np.zeros(ranks.shape[1])
    sums = np.zeros((k, ranks.shape[1]))
    np.add.at(sums, codes, ranks)
    between = (sums**2 / counts[:, None]).sum(axis=0) / n
    return np.asarray(np.sqrt(np.clip(1 - (1 - between) * (n - 1) / (n - k), 0, 1)), dtype=np.float64)


def _cramer(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Cramér's V with Bergsma's (2013, eq. 4) correction for chance."""
    rows, columns, n = int(first.max()) + 1, int(second.max()) + 1, len(first)
    if min(rows, columns) < 2 or n < 2:
        return 0.0
    counts = np.bincount(first * columns + second, minlength=rows * columns).reshape(rows, columns)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi2 = float(((counts - expected) ** 2 / expected).sum()) / n
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    shrunk = min(size - (size - 1) ** 2 / (n - 1) for size in (rows, columns)) - 1
    return float(np.sqrt(min(phi2 / shrunk, 1.0))) if shrunk > 0 else 0.0
