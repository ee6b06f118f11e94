"""Intervals of every metric, and promises judged by their bad end."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlproj.errors import InvalidInput
from mlproj.metrics import estimate, promises, score
from mlproj.metrics.intervals import wilson
from mlproj.metrics.ranking import average_precision, average_precision_influence, roc_auc, roc_auc_influence
from mlproj.records import Answers
from mlproj.spec.goal import CLASSIFICATION_METRICS, POSITIVE_CLASS_METRICS, REGRESSION_METRICS

Draw = Callable[..., tuple[Answers, NDArray[np.float64]]]
BINARY = ("no", "yes")


def _cells(tn: int, fp: int, fn: int, tp: int) -> Answers:
    truth, answers = np.repeat([0, 0, 1, 1], [tn, fp, fn, tp]), np.repeat([0, 1, 0, 1], [tn, fp, fn, tp])
    return Answers(truth, answers, BINARY)


@pytest.mark.parametrize(
    ("name", "right", "n"),
    [("accuracy", 130, 150), ("error", 20, 150), ("recall", 40, 50), ("specificity", 90, 100), ("precision", 40, 50)],
)
def test_shares_have_wilson_limits_on_their_own_examples(name: str, right: int, n: int) -> None:
    answers = _cells(90, 10, 10, 40)
    found = estimate(name, answers)
    assert (found.low, found.high) == pytest.approx(wilson(right / n, n))
    [promise] = promises({name: ">= 0.5"}, answers)
    assert (promise.value, promise.n) == (right / n, n)


@pytest.mark.parametrize(
    ("limit", "status"),
    [(">= 0.9", "met"), ("> 0.95", "unknown"), (">= 0.99", "violated"), ("<= 0.9", "violated"), ("< 0.99", "met")],
)
def test_a_promise_is_judged_by_the_bad_end(limit: str, status: str) -> None:
    [promise] = promises({"recall": limit}, _cells(10, 0, 30, 470))  # 0.94, interval .916 to .957
    assert promise.status == status
    assert (promise.limit, promise.n) == (limit, 500)


def test_resources_are_judged_by_value() -> None:
    limits = {"latency_ms": "<= 20", "size_mb": "<= 5"}
    slow, small = promises(limits, _cells(5, 0, 0, 5), resources={"latency_ms": 21.0, "size_mb": 1.0})
    assert (slow.value, slow.low, slow.high, slow.n, slow.status) == (21.0, 21.0, 21.0, None, "violated")
    assert small.status == "met"
    [unmeasured] = promises({"size_mb": "<= 5"}, _cells(5, 0, 0, 5))
    assert (unmeasured.status, unmeasured.low) == ("unknown", None)


def test_no_answer_to_read_a_share_on_leaves_it_unknown() -> None:
    [promise] = promises({"precision": ">= 0.1"}, _cells(5, 0, 5, 0))
    assert (promise.value, promise.low, promise.high, promise.n, promise.status) == (0.0, 0.0, 1.0, 0, "unknown")


def test_an_undefined_metric_is_unknown() -> None:
    p = np.full((4, 2), 0.5)
    [promise] = promises({"roc_auc": ">= 0.1"}, Answers(np.zeros(4, dtype=int), np.zeros(4, dtype=int), BINARY, p))
    assert np.isnan(promise.value)
    assert (promise.low, promise.high, promise.status) == (None, None, "unknown")


def test_one_example_bounds_no_mean() -> None:
    [promise] = promises({"mae": "<= 100"}, Answers(np.array([1.0]), np.array([2.0])))
    assert (promise.value, promise.low, promise.high, promise.status) == (1.0, 0.0, None, "unknown")


def test_limits_over_several_labels_are_their_means() -> None:
    first, second = _cells(90, 10, 10, 40), _cells(80, 20, 5, 45)
    [promise] = promises({"recall": ">= 0.7"}, {"car": first, "sign": second})
    each = [estimate("recall", answers) for answers in (first, second)]
    assert promise.low == pytest.approx((each[0].low + each[1].low) / 2)
    assert promise.value == pytest.approx(0.85)


def test_nothing_labelled_is_an_error_and_no_limit_no_promise() -> None:
    unlabelled = Answers(np.array([-1]), np.array([0]), BINARY)
    with pytest.raises(InvalidInput, match="none of 1 examples has a label"):
        promises({"error": "<= 0.1"}, {"car": unlabelled})
    assert promises({}, unlabelled) == ()


@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
@settings(max_examples=15, deadline=None)
@given(draw=st.integers(0, 10**6), n=st.integers(1, 40), weighted=st.booleans(), grouped=st.booleans())
def test_the_interval_holds_the_value_and_stays_in_range(
    *, name: str, classes: Draw, draw: int, n: int, weighted: bool, grouped: bool
) -> None:
    answers, weight = classes(draw, n, 2 if name in POSITIVE_CLASS_METRICS or draw % 2 else 3)
    group = (np.arange(n) // 3).astype(str) if grouped else None
    found = estimate(name, answers, weight if weighted else None, group)
    expected = score(name, answers, weight if weighted else None)
    assert found.value == pytest.approx(expected, nan_ok=True)
    assert np.isnan(found.value) or found.low <= found.value <= found.high
    assert found.low >= (-1 if name == "mcc" else 0)
    assert name == "log_loss" or found.high <= (2 if name == "brier" else 1)


@pytest.mark.parametrize("name", REGRESSION_METRICS)
@settings(max_examples=15, deadline=None)
@given(draw=st.integers(0, 10**6), n=st.integers(1, 40), weighted=st.booleans(), grouped=st.booleans())
def test_the_interval_of_a_regression_metric_holds_the_value(
    *, name: str, numbers: Draw, draw: int, n: int, weighted: bool, grouped: bool
) -> None:
    answers, weight = numbers(draw, n)
    group = (np.arange(n) // 3).astype(str) if grouped else None
    found = estimate(name, answers, weight if weighted else None, group)
    assert np.isnan(found.value) or found.low <= found.value <= found.high


def test_weights_and_groups_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    answers = Answers(rng.integers(0, 2, 300), rng.integers(0, 2, 300), BINARY)
    weight, group = np.where(rng.random(300) < 0.1, 10.0, 1.0), np.arange(300) // 10
    order = np.argsort(answers.y_true != answers.y_pred)  # a group errs as a whole
    grouped = answers.select(order)
    for name in ("error", "f1", "mcc"):
        plain = estimate(name, grouped)
        assert estimate(name, grouped, weight).n_effective < 0.6 * plain.n_effective
        assert estimate(name, grouped, None, group).n_effective < 0.2 * plain.n_effective


def test_equal_seeds_give_equal_intervals(classes: Draw, seed: int) -> None:
    answers, _ = classes(seed, 80, 3)
    assert estimate("f1_macro", answers, seed=seed) == estimate("f1_macro", answers, seed=seed)


@pytest.mark.parametrize(
    ("metric", "influence"), [(roc_auc, roc_auc_influence), (average_precision, average_precision_influence)]
)
def test_influences_are_derivatives_by_weight(
    metric: Callable[..., float], influence: Callable[..., NDArray[np.float64]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 40)
    p, weight = np.round(rng.random(40) + 0.3 * y, 1), rng.random(40) + 0.1
    steps = 1e-6 * np.eye(40)
    slopes = [(metric(y, p, weight + step) - metric(y, p, weight - step)) / 2e-6 for step in steps]
    assert influence(y, p, weight) == pytest.approx(weight * np.array(slopes), abs=1e-8)


def _share_covered(name: str, truth: float, draw: Callable[[np.random.Generator], Answers], repeats: int) -> float:
    rng = np.random.default_rng(7)
    found = [estimate(name, draw(rng)) for _ in range(repeats)]
    return float(np.mean([each.low <= truth <= each.high for each in found]))


@pytest.mark.parametrize("name", ["f1", "mcc"])
def test_binary_cells_are_covered(name: str) -> None:
    shares = [0.75, 0.04, 0.05, 0.16]
    truth = score(name, _cells(75, 4, 5, 16))
    covered = _share_covered(name, truth, lambda rng: _cells(*rng.multinomial(120, shares).tolist()), 250)
    assert 0.91 <= covered <= 0.99


def test_many_classes_are_covered_too() -> None:
    right, k, n = 0.95, 10, 300

    def draw(rng: np.random.Generator) -> Answers:
        y = rng.integers(0, k, n)
        wrong = rng.random(n) >= right
        return Answers(y, np.where(wrong, (y + rng.integers(1, k, n)) % k, y), tuple(map(str, range(k))))

    assert _share_covered("f1_macro", right, draw, 200) >= 0.91


@pytest.mark.parametrize("positives", [0.5, 0.05])
def test_areas_are_covered_with_few_positives_as_well(positives: float) -> None:
    def draw(rng: np.random.Generator) -> Answers:
        y = (rng.random(100) < positives).astype(int)
        y[:2] = 0, 1
        p = 1 / (1 + np.exp(-(rng.normal(size=100) + 2 * y)))
        return Answers(y, (p > 0.5).astype(int), BINARY, np.stack([1 - p, p], axis=1))

    assert _share_covered("roc_auc", 0.9214, draw, 400) >= 0.93


def test_r2_is_covered() -> None:
    def draw(rng: np.random.Generator) -> Answers:
        y = rng.normal(size=80)
        return Answers(y, y + 0.5 * rng.normal(size=80))

    assert _share_covered("r2", 0.75, draw, 150) >= 0.91
