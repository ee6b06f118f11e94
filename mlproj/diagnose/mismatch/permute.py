"""Permutation tests of which set an example lies in, with groups moved as blocks. N examples, G blocks, P draws.

The labels that are permuted are those of the sets: under the hypothesis that both come from one distribution every
assignment of blocks to sets was equally likely, whatever the statistic, so the p-values are exact.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.intervals import Floats

N_PERMUTATIONS = 999
"""The smallest p-value is then 0.001."""
_CHUNK = 4_000_000


def find_blocks(is_b: NDArray[np.bool_], group: NDArray[Any] | None) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The block of each example (N,), and whether each block lies in the second set (G,).

    A group that reaches into both sets is one block in each.

    Example:
        >>> find_blocks(np.array([False, False, True]), np.array(["p", "p", "q"]))[0].tolist()
        [0, 0, 1]
    """
    if group is None:
        return np.arange(len(is_b)), is_b
    _, codes = np.unique(group, return_inverse=True)
    _, first, block = np.unique(2 * codes + is_b, return_index=True, return_inverse=True)
    return block.astype(np.int64), is_b[first]


def rank(values: NDArray[Any]) -> Floats:
    """Mid-ranks from 1 (N,); equal values share their mean rank.

    Example:
        >>> rank(np.array([3.0, 1.0, 3.0])).tolist()
        [2.5, 1.0, 2.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place], dtype=np.float64)


def auc_of_ranks(rank_sum: Any, n_b: Any, n: int) -> Any:
    """Chance that an example of the second set ranks above one of the first, from the rank sum of the second.

    Mann & Whitney 1947: (rank sum − n_b(n_b + 1)/2) / (n_a·n_b).

    Example:
        >>> float(auc_of_ranks(7.0, 2, 4))
        1.0
    """
    return (rank_sum - n_b * (n_b + 1) / 2) / np.maximum(n_b * (n - n_b), 1)


def shuffled(is_b: NDArray[np.bool_], rng: np.random.Generator, n: int = N_PERMUTATIONS) -> Iterator[Floats]:
    """Permuted labels of the blocks, n rows in all, some at a time (…, G)."""
    step = max(1, _CHUNK // max(len(is_b), 1))
    for start in range(0, n, step):
        rows = np.tile(is_b, (min(step, n - start), 1))
        yield rng.permuted(rows, axis=1).astype(np.float64)


def judge_auc(
    score: Floats,
    is_b: NDArray[np.bool_],
    group: NDArray[Any] | None,
    rng: np.random.Generator,
    *,
    n: int = N_PERMUTATIONS,
    two_sided: bool = False,
) -> tuple[float, float]:
    """How well a score that is fixed tells the sets apart, and the p-value of that.

    Args:
        score: Score of each example (N,), higher for the second set; not fitted on these examples.
        is_b: Which examples lie in the second set (N,).
        group: Group of each example (N,), moved as a whole.
        rng: Source of randomness.
        n: Permutations.
        two_sided: Whether a score that ranks the second set low counts as well.

    Returns:
        The area under the ROC curve, and (1 + permutations at least as extreme) / (1 + permutations).
    """
    [(auc, p)] = judge_aucs([score], is_b, group, rng, n=n, two_sided=two_sided)
    return auc, p


def judge_aucs(
    scores: Sequence[Floats],
    is_b: NDArray[np.bool_],
    group: NDArray[Any] | None,
    rng: np.random.Generator,
    *,
    n: int = N_PERMUTATIONS,
    two_sided: bool = False,
) -> list[tuple[float, float]]:
    """As `judge_auc` for several scores (S of them), with the same permutations for all."""
    block, label = find_blocks(is_b, group)
    size = np.bincount(block).astype(np.float64)
    sums = np.column_stack([np.bincount(block, rank(score)) for score in scores])  # (G, S)

    def areas(rows: Floats) -> Floats:
        return np.asarray(auc_of_ranks(rows @ sums, (rows @ size)[:, None], len(is_b)), dtype=np.float64)

    seen = areas(label[None, :].astype(np.float64))[0]
    extreme = np.abs(seen - 0.5) if two_sided else seen
    beaten = np.zeros(len(scores))
    for rows in shuffled(label, rng, n):
        drawn = areas(rows)
        beaten += ((np.abs(drawn - 0.5) if two_sided else drawn) >= extreme - 1e-12).sum(axis=0)
    return [(float(a), float((1 + k) / (1 + n))) for a, k in zip(seen, beaten, strict=True)]


def merge_p(p_values: Sequence[float]) -> float:
    """One p-value from those of several splits of the same data: twice their median; a single one is itself.

    Valid however they depend on each other (Meinshausen, Meier & Bühlmann 2009, with γ = ½).

    Example:
        >>> merge_p([0.01, 0.02, 0.5])
        0.04
    """
    return float(p_values[0]) if len(p_values) == 1 else min(1.0, 2 * float(np.median(p_values)))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that calling those below q leaves a share of at most q false (Benjamini & Hochberg 1995).

    Example:
        >>> benjamini_hochberg([0.01, 0.04, 0.03])
        [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(-p, kind="stable")
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]
