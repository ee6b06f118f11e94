"""Feasible first, then the least violating, then the optimised metric."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.metrics import choose_best, is_feasible, rank_key
from mlproj.metrics.limits import misses, violation


def test_the_first_classifier_of_the_notes_is_the_better() -> None:
    f1 = [2 / (1 / p + 1 / r) for p, r in [(0.95, 0.90), (0.98, 0.85)]]
    assert choose_best([{"f1": value} for value in f1], "f1", {}) == 0


def test_the_most_accurate_classifier_within_the_latency_wins() -> None:
    table: list[Mapping[str, float]] = [
        {"accuracy": 0.90, "latency_ms": 80.0},
        {"accuracy": 0.92, "latency_ms": 95.0},
        {"accuracy": 0.95, "latency_ms": 1500.0},
    ]
    assert choose_best(table, "accuracy", {"latency_ms": "<= 100"}) == 1
    assert choose_best(table, "accuracy", {}) == 2


def test_with_none_feasible_the_least_violating_wins_whatever_it_optimises() -> None:
    table = [{"error": 0.01, "recall": 0.5, "size_mb": 5.0}, {"error": 0.2, "recall": 0.9, "size_mb": 5.5}]
    assert choose_best(table, "error", {"recall": ">= 0.95", "size_mb": "<= 5"}) == 1
    assert not is_feasible(table[1], {"recall": ">= 0.95"})


def test_the_loss_breaks_ties_and_the_first_of_equals_stays() -> None:
    table = [{"error": 0.1}] * 3
    assert choose_best(table, "error", {}, [0.5, 0.3, 0.3]) == 1
    assert choose_best(table, "error", {}) == 0


def test_undefined_and_unmeasured_values_come_last() -> None:
    nan = float("nan")
    assert choose_best([{"roc_auc": nan}, {}, {"roc_auc": 0.1}], "roc_auc", {}) == 2
    assert choose_best([{"error": 0.1, "f1": nan}, {"error": 0.5, "f1": 0.0}], "error", {"f1": ">= 0.9"}) == 1
    assert choose_best([{"error": 0.2}, {"error": 0.1}], "error", {"size_mb": "<= 5"}) == 1
    assert not is_feasible({"error": 0.1}, {"size_mb": "<= 5"})


def test_there_must_be_a_candidate() -> None:
    with pytest.raises(ValueError, match="no candidate"):
        choose_best([], "error", {})


@pytest.mark.parametrize(
    ("value", "limit", "missed"),
    [
        (0.95, ">= 0.95", 0.0), (0.95 - 1e-16, ">= 95%", 0.0), (0.76, ">= 0.95", 0.2), (30.0, "<= 20", 0.5),
        (0.1, "<= 0", 0.1), (-0.5, ">= -1", 0.0), (-1.5, "> -1", 0.5), (20.0, "< 20", 1e-12), (19.0, "< 20", 0.0),
        (float("nan"), ">= 0", float("inf")), (float("inf"), "<= 5", float("inf")),
    ],
)  # fmt: skip
def test_a_violation_is_relative_to_its_limit(value: float, limit: str, missed: float) -> None:
    assert violation(value, limit) == pytest.approx(missed)


def test_violations_of_many_values_equal_those_of_each() -> None:
    values = np.array([[0.5, 0.95], [np.nan, 1.0]])
    assert misses(values, ">= 0.95").ravel().tolist() == [violation(v, ">= 0.95") for v in values.ravel().tolist()]


numbers = st.floats(0, 1)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8))
def test_the_chosen_one_has_the_largest_key(rows: list[tuple[float, float]]) -> None:
    table = [{"error": error, "recall": recall} for error, recall in rows]
    keys = [rank_key(values, "error", {"recall": ">= 0.5"}) for values in table]
    best = choose_best(table, "error", {"recall": ">= 0.5"})
    assert keys[best] == max(keys)
    assert keys[best][0] == any(recall >= 0.5 for _, recall in rows)
