"""Krippendorff's α: published worked examples, its relation to Fleiss' κ, gaps, and the bootstrap."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mlproj.metrics.agreement import of_classes, of_numbers

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability": four observers, twelve units, missing data
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]
# Fleiss 1971 in the form of the usual textbook example: ten items, fourteen people, five classes, κ = 0.210
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def published() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Item and value of each label of the published example, without the gaps."""
    table = np.array(OBSERVERS)
    person, item = np.nonzero(table)
    return item, table[person, item].astype(np.float64)


def counts_of(item: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.int64]:
    counts = np.zeros((item.max() + 1, 5), dtype=np.int64)
    np.add.at(counts, (item, value.astype(int) - 1), 1)
    return counts


def fleiss_kappa(counts: NDArray[np.int64]) -> float:
    """κ by its definition: (P̄ − P̄e) / (1 − P̄e)."""
    m = counts.sum(axis=1)[0]
    agree = ((counts**2).sum(axis=1) - m) / (m * (m - 1))
    chance = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    return float((agree.mean() - chance) / (1 - chance))


def test_alpha_of_classes_is_the_published_one() -> None:
    assert of_classes(counts_of(*published())).alpha == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_numbers_is_the_published_one() -> None:
    assert of_numbers(*published()).alpha == pytest.approx(0.849, abs=5e-4)


def test_two_observers_with_binary_data_agree_as_published() -> None:
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    counts = np.array([[2 - a - b, a + b] for a, b in zip(first, second, strict=True)])
    assert of_classes(counts).alpha == pytest.approx(0.095, abs=5e-4)


def test_alpha_is_fleiss_kappa_without_its_bias_for_few_labels() -> None:
    counts = np.array(FLEISS)
    kappa, n = fleiss_kappa(counts), counts.sum()
    assert kappa == pytest.approx(0.210, abs=5e-4)
    assert of_classes(counts).alpha == pytest.approx(1 - (1 - kappa) * (n - 1) / n)


def test_numbers_far_from_zero_lose_no_digits() -> None:
    item, value = published()
    assert of_numbers(item, value + 1e8).alpha == pytest.approx(of_numbers(item, value).alpha, abs=1e-6)


def test_items_with_one_label_and_labels_that_are_all_alike_say_nothing() -> None:
    lonely = np.array([[1, 0], [0, 1]])
    assert np.isnan(of_classes(lonely).alpha)
    assert np.isnan(of_classes(np.array([[2, 0], [3, 0]])).alpha)
    assert np.isnan(of_classes(lonely).limits()[0])
    both = np.vstack([FLEISS, np.eye(5, dtype=np.int64)])
    assert of_classes(both).alpha == of_classes(np.array(FLEISS)).alpha


def test_limits_cover_the_alpha_of_all_items(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.choice([0.05, 0.95], 200_000)
    everything = rng.binomial(3, p)
    alpha = of_classes(np.column_stack([3 - everything, everything])).alpha
    covered = []
    for _ in range(100):
        some = rng.choice(everything, 120)
        low, high = of_classes(np.column_stack([3 - some, some])).limits()
        covered.append(low <= alpha <= high)
    assert np.mean(covered) >= 0.90


def test_groups_that_repeat_themselves_widen_the_limits() -> None:
    rng = np.random.default_rng(0)
    once = rng.binomial(2, rng.choice([0.1, 0.9], 40))
    counts = np.repeat(np.column_stack([2 - once, once]), 5, axis=0)
    group = np.repeat(np.arange(40), 5)
    alone, together = of_classes(counts).limits(), of_classes(counts).limits(group)
    assert together[1] - together[0] > 1.8 * (alone[1] - alone[0])
