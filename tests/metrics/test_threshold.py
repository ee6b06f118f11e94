"""The threshold against trying every cut, and its speed."""

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlproj.errors import InvalidInput
from mlproj.metrics import choose_threshold, measure, needs_threshold, rank_key
from mlproj.metrics.cells import CELL_METRICS
from mlproj.records import Answers

Draw = Callable[..., tuple[Answers, NDArray[np.float64]]]
LIMITS: list[Mapping[str, str]] = [{}, {"recall": ">= 0.8"}, {"precision": ">= 0.9", "specificity": "> 0.5"}]


def _values(p: NDArray[Any], y: NDArray[Any], w: NDArray[Any] | None, t: float, names: set[str]) -> dict[str, float]:
    return measure(sorted(names), Answers(y, (p >= t).astype(int), ("no", "yes")), w)


def _best_by_trying(p: NDArray[Any], y: NDArray[Any], w: Any, optimize: str, satisfy: Mapping[str, str]) -> Any:
    distinct = np.unique(p[y >= 0])
    ends = [distinct[0] / 2, (distinct[-1] + 1) / 2] if distinct[-1] < 1 else [distinct[0] / 2]
    cuts = [(a + b) / 2 for a, b in itertools.pairwise(distinct)] + ends
    keys = [rank_key(_values(p, y, w, t, {optimize, *satisfy}), optimize, satisfy)[:3] for t in cuts]
    return max(keys)


@pytest.mark.parametrize("satisfy", LIMITS, ids=["free", "recall", "two limits"])
@pytest.mark.parametrize("optimize", sorted(CELL_METRICS))
@settings(max_examples=15, deadline=None)
@given(draw=st.integers(0, 10**6), n=st.integers(1, 25), weighted=st.booleans())
def test_it_is_as_good_as_the_best_of_all_cuts(
    *, optimize: str, satisfy: Mapping[str, str], classes: Draw, draw: int, n: int, weighted: bool
) -> None:
    answers, weight = classes(draw, n, 2)
    assert answers.p is not None
    p, y, w = answers.p[:, 1], answers.y_true, weight if weighted else None
    chosen = choose_threshold(p, y, w, optimize, satisfy)
    found = rank_key(_values(p, y, w, chosen, {optimize, *satisfy}), optimize, satisfy)[:3]
    assert 0 <= chosen <= 1
    assert found == pytest.approx(_best_by_trying(p, y, w, optimize, satisfy), abs=1e-9)


def test_a_limit_costs_as_much_of_the_optimised_metric_as_it_must() -> None:
    p, y = np.array([0.1, 0.2, 0.6, 0.7, 0.9]), np.array([0, 1, 0, 1, 1])
    assert choose_threshold(p, y, None, "precision", {}) == pytest.approx(0.65)
    assert choose_threshold(p, y, None, "precision", {"recall": ">= 1"}) == pytest.approx(0.15)


def test_out_of_reach_limits_are_missed_by_as_little_as_can_be() -> None:
    p, y = np.array([0.2, 0.4, 0.6, 0.8]), np.array([1, 0, 0, 0])
    chosen = choose_threshold(p, y, None, "error", {"precision": ">= 0.9"})
    assert chosen == pytest.approx(0.1)


def test_equally_good_cuts_give_way_to_the_one_nearest_one_half() -> None:
    p, y = np.array([0.05, 0.1, 0.3, 0.7]), np.array([0, 1, 0, 1])
    assert choose_threshold(p, y, None, "error", {}) == pytest.approx(0.5)
    assert choose_threshold(p, y, None, "log_loss", {"latency_ms": "<= 1"}) == pytest.approx(0.5)


def test_probabilities_of_one_and_neighbouring_floats_are_cut_apart() -> None:
    low = 0.7
    p, y = np.array([low, np.nextafter(low, 1), 1.0]), np.array([0, 1, 1])
    chosen = choose_threshold(p, y, None, "f1", {})
    assert ((p >= chosen) == [False, True, True]).all()
    assert choose_threshold(np.array([1.0, 1.0]), np.array([0, 0]), None, "f1_macro", {}) <= 1


def test_missing_labels_and_weights_of_zero_have_no_say() -> None:
    p, y = np.array([0.1, 0.3, 0.5, 0.7]), np.array([0.0, np.nan, 1.0, np.nan])
    assert choose_threshold(p, y, None, "f1", {}) == pytest.approx(0.3)
    weight = np.array([1.0, 0.0, 1.0, 0.0])
    assert choose_threshold(p, np.array([0, 1, 1, 0]), weight, "error", {}) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("p", "y", "message"),
    [([], [], "none of 0 examples"), ([0.5], [-1], "none of 1 examples"), ([np.nan, 0.5], [0, 1], "missing probab")],
)
def test_broken_input_is_explained(p: list[float], y: list[int], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        choose_threshold(np.array(p), np.array(y), None, "f1", {})


@pytest.mark.parametrize(
    ("optimize", "satisfy", "expected"),
    [
        ("error", {}, False),
        ("accuracy", {"latency_ms": "<= 3", "log_loss": "<= 1"}, False),
        ("roc_auc", {"error": "<= 0.1"}, False),
        ("f1", {}, True),
        ("error", {"recall": ">= 0.9"}, True),
        ("mae", {}, False),
        (None, {}, False),
    ],
)
def test_a_threshold_is_chosen_where_a_metric_calls_for_it(
    optimize: str | None, satisfy: Mapping[str, str], expected: bool
) -> None:
    assert needs_threshold(optimize, satisfy) is expected


def test_a_hundred_thousand_examples_take_a_twentieth_of_a_second() -> None:
    rng = np.random.default_rng(0)
    p, y = rng.random(100_000), rng.integers(0, 2, 100_000)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        choose_threshold(p, y, None, "f1", {"recall": ">= 0.95"})
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1  # 0.05 s where nothing checks the types of every call
