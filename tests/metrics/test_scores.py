"""Every metric against scikit-learn, with and without weights, and what is promised where scikit-learn says nothing."""

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlproj.errors import InvalidInput
from mlproj.metrics import as_loss, measure, score, score_many
from mlproj.metrics.evidence import PROBABILITY_METRICS
from mlproj.records import Answers
from mlproj.spec.goal import CLASSIFICATION_METRICS, LOSSES, POSITIVE_CLASS_METRICS, REGRESSION_METRICS

Weight = NDArray[np.float64] | None
Draw = Callable[..., tuple[Answers, NDArray[np.float64]]]
SEEDS = st.integers(0, 10**6)
BINARY = ("no", "yes")
ANY_K = [name for name in CLASSIFICATION_METRICS if name not in POSITIVE_CLASS_METRICS]


def _per_answer(metric: Callable[..., Any], **options: Any) -> Callable[[Answers, Weight], Any]:
    return lambda a, w: metric(a.y_true, a.y_pred, sample_weight=w, **options)


def _f1_like(metric: Callable[..., Any], average: str) -> Callable[[Answers, Weight], Any]:
    return _per_answer(metric, average=average, zero_division=0)


def _specificities(a: Answers, w: Weight, codes: list[int]) -> list[float]:
    return [sk.recall_score(a.y_true != k, a.y_pred != k, sample_weight=w, zero_division=0) for k in codes]


def _roc_auc(a: Answers, w: Weight) -> Any:
    assert a.p is not None
    p = a.p[:, 1] if len(a.classes) == 2 else a.p
    return sk.roc_auc_score(a.y_true, p, sample_weight=w, multi_class="ovr", labels=list(range(len(a.classes))))


def _of_p(metric: Callable[..., Any]) -> Callable[[Answers, Weight], Any]:
    return lambda a, w: metric(a.y_true, a.p, sample_weight=w, labels=list(range(len(a.classes))))


def _average_precision(a: Answers, w: Weight) -> Any:
    assert a.p is not None
    return sk.average_precision_score(a.y_true, a.p[:, 1], sample_weight=w)


ORACLES: Mapping[str, Callable[[Answers, Weight], Any]] = {
    "error": _per_answer(sk.zero_one_loss),
    "accuracy": _per_answer(sk.accuracy_score),
    "f1": _f1_like(sk.f1_score, "binary"),
    "f1_macro": _f1_like(sk.f1_score, "macro"),
    "f1_weighted": _f1_like(sk.f1_score, "weighted"),
    "precision": _f1_like(sk.precision_score, "binary"),
    "precision_macro": _f1_like(sk.precision_score, "macro"),
    "recall": _f1_like(sk.recall_score, "binary"),
    "recall_macro": _f1_like(sk.recall_score, "macro"),
    "specificity": lambda a, w: _specificities(a, w, [1])[0],
    "specificity_macro": lambda a, w: np.mean(_specificities(a, w, np.union1d(a.y_true, a.y_pred).tolist())),
    "balanced_accuracy": _per_answer(sk.balanced_accuracy_score),
    "mcc": _per_answer(sk.matthews_corrcoef),
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _of_p(sk.log_loss),
    "brier": _of_p(sk.brier_score_loss),
    "mae": _per_answer(sk.mean_absolute_error),
    "mse": _per_answer(sk.mean_squared_error),
    "rmse": _per_answer(sk.root_mean_squared_error),
    "mape": _per_answer(sk.mean_absolute_percentage_error),
    "r2": _per_answer(sk.r2_score),
}


def _ask(oracle: Callable[[Answers, Weight], Any], answers: Answers, weight: Weight) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(oracle(answers, weight))


def _answers(y_true: list[int], y_pred: list[int], p: list[float] | None = None) -> Answers:
    both = None if p is None else np.stack([1 - np.array(p), np.array(p)], axis=1)
    return Answers(np.array(y_true), np.array(y_pred), BINARY, both)


def test_every_metric_has_an_oracle() -> None:
    assert set(ORACLES) == set(CLASSIFICATION_METRICS + REGRESSION_METRICS)


@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
@settings(max_examples=25, deadline=None)
@given(draw=SEEDS, n=st.integers(1, 60), weighted=st.booleans())
def test_binary_metrics_equal_scikit_learn(name: str, classes: Draw, draw: int, n: int, weighted: bool) -> None:
    answers, weight = classes(draw, n, 2)
    w = weight if weighted else None
    assert score(name, answers, w) == pytest.approx(_ask(ORACLES[name], answers, w), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", ANY_K)
@settings(max_examples=25, deadline=None)
@given(draw=SEEDS, n=st.integers(2, 80), k=st.integers(3, 6), weighted=st.booleans())
def test_multiclass_metrics_equal_scikit_learn(
    *, name: str, classes: Draw, draw: int, n: int, k: int, weighted: bool
) -> None:
    answers, weight = classes(draw, n, k)
    w = weight if weighted else None
    expected = _ask(ORACLES[name], answers, w)
    if name == "roc_auc" and np.isnan(expected):
        return  # a class was never seen; what mlproj does then has its own test
    assert score(name, answers, w) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", REGRESSION_METRICS)
@settings(max_examples=25, deadline=None)
@given(draw=SEEDS, n=st.integers(1, 60), weighted=st.booleans())
def test_regression_metrics_equal_scikit_learn(name: str, numbers: Draw, draw: int, n: int, weighted: bool) -> None:
    answers, weight = numbers(draw, n)
    w = weight if weighted else None
    assert score(name, answers, w) == pytest.approx(_ask(ORACLES[name], answers, w), rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", ["error", "f1_macro", "log_loss"])
@settings(max_examples=25, deadline=None)
@given(draw=SEEDS)
def test_examples_without_a_label_count_for_nothing(name: str, classes: Draw, draw: int) -> None:
    answers, weight = classes(draw, 40, 3, missing=0.3)
    assert score(name, answers, weight) == score(name, answers.select(answers.known), weight[answers.known])


def test_a_missing_number_counts_for_nothing(numbers: Draw) -> None:
    answers, weight = numbers(3, 40, missing=0.3)
    assert score("rmse", answers, weight) == score("rmse", answers.select(answers.known), weight[answers.known])


@pytest.mark.parametrize(("name", "k"), [(name, 2) for name in CLASSIFICATION_METRICS] + [(name, 4) for name in ANY_K])
def test_stacked_models_score_as_each_alone(name: str, k: int, classes: Draw, seed: int) -> None:
    members = [classes(seed + i, 50, k)[0] for i in range(6)]
    truth, weight = classes(seed, 50, k, missing=0.2)
    stack = Answers(
        truth.y_true,
        np.stack([a.y_pred for a in members]).reshape(2, 3, 50),
        truth.classes,
        np.stack([a.p for a in members if a.p is not None]).reshape(2, 3, 50, k),
    )
    alone = [score(name, Answers(truth.y_true, a.y_pred, a.classes, a.p), weight) for a in members]
    assert score_many(name, stack, weight).ravel().tolist() == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize("name", REGRESSION_METRICS)
def test_stacked_regressions_score_as_each_alone(name: str, numbers: Draw, seed: int) -> None:
    truth, weight = numbers(seed, 30)
    stack = np.stack([numbers(seed + i, 30)[0].y_pred for i in range(4)])
    alone = [score(name, Answers(truth.y_true, row), weight) for row in stack]
    assert score_many(name, Answers(truth.y_true, stack), weight).tolist() == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize(("precision", "recall", "f1"), [(0.95, 0.90, 0.924), (0.98, 0.85, 0.910)])
def test_f1_of_the_two_classifiers_of_the_notes(precision: float, recall: float, f1: float) -> None:
    found = 100_000 * recall
    cells = np.round([found / precision - found, found, 100_000 - found]).astype(int)  # false alarms, hits, missed
    answers = _answers(np.repeat([0, 1, 1], cells).tolist(), np.repeat([1, 1, 0], cells).tolist())
    assert score("precision", answers) == pytest.approx(precision, abs=1e-5)
    assert score("recall", answers) == pytest.approx(recall, abs=1e-5)
    assert round(score("f1", answers), 3) == f1


def test_weighted_error_is_the_weight_of_the_wrong_over_all_weight() -> None:
    weight = np.array([1.0, 10.0, 1.0, 10.0])
    assert score("error", _answers([0, 1, 0, 1], [0, 0, 1, 1]), weight) == pytest.approx(11 / 22)


def test_softmax_of_the_notes_loses_minus_log_of_its_probability() -> None:
    z = np.array([5.0, 2.0, -1.0, 3.0])
    p = np.exp(z) / np.exp(z).sum()
    assert np.round(p, 3).tolist() == [0.842, 0.042, 0.002, 0.114]
    answers = Answers(np.array([3]), np.array([0]), ("a", "b", "c", "d"), p[None])
    assert score("log_loss", answers) == pytest.approx(-np.log(0.1139), abs=1e-3)


def test_several_labels_give_the_mean_over_labels() -> None:
    labels = {"car": _answers([1, 0, -1], [1, 1, 0]), "sign": _answers([1, -1, -1], [1, 0, 0])}
    assert measure(["error"], labels) == {"error": 0.25}


def test_a_label_that_nobody_gave_or_that_is_undefined_is_left_out_of_the_mean() -> None:
    labels = {
        "car": _answers([1, 0], [1, 0], [0.9, 0.2]),
        "fog": _answers([0, 0], [0, 0], [0.1, 0.2]),
        "sign": _answers([-1, -1], [0, 0], [0.1, 0.2]),
    }
    assert measure(["roc_auc"], labels) == {"roc_auc": 1.0}


def test_area_over_classes_leaves_out_a_class_that_was_never_seen() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    answers = Answers(np.array([0, 1, 0]), np.array([0, 1, 0]), ("a", "b", "c"), p)
    assert score("roc_auc", answers) == 1.0


@pytest.mark.parametrize(
    ("name", "expected"), [("roc_auc", np.nan), ("average_precision", 0.0), ("mcc", 0.0), ("f1", 0.0)]
)
def test_one_class_only(name: str, expected: float) -> None:
    assert score(name, _answers([0, 0], [0, 0], [0.1, 0.2])) == pytest.approx(expected, nan_ok=True)


def test_all_wrong_and_a_single_example() -> None:
    answers = _answers([0, 1], [1, 0], [1.0, 0.0])
    assert measure(["error", "f1", "mcc", "roc_auc", "brier"], answers) == {
        "error": 1.0, "f1": 0.0, "mcc": -1.0, "roc_auc": 0.0, "brier": 1.0,
    }  # fmt: skip
    assert score("log_loss", answers) == pytest.approx(36.04, abs=0.01)
    assert score("accuracy", _answers([1], [1])) == 1.0
    assert np.isnan(score("r2", Answers(np.array([1.0]), np.array([2.0]))))


def test_a_score_becomes_a_loss_and_a_loss_stays() -> None:
    assert {name: as_loss(name, 0.2) for name in ("recall", "r2", "error", "rmse")} == {
        "recall": 0.8, "r2": 0.8, "error": 0.2, "rmse": 0.2,
    }  # fmt: skip
    assert all(as_loss(name, 0.2) == 0.2 for name in LOSSES)


@pytest.mark.parametrize(
    ("name", "answers", "weight", "message"),
    [
        ("f1", Answers(np.array([0, 2]), np.array([0, 1]), ("a", "b", "c")), None, r"has 3: a, b, c\n.*`f1_macro`"),
        ("average_precision", Answers(np.array([0]), np.array([0]), tuple("abcdefgh")), None, r"8: .*, …\n.*`roc_auc`"),
        ("rmse", _answers([0, 1], [0, 1]), None, "rmse is a regression metric, but the answers are classes"),
        ("error", Answers(np.array([1.5]), np.array([1.0])), None, "error is a classification metric.*\n.*mae, mse"),
        ("f1_marco", _answers([0, 1], [0, 1]), None, "'f1_marco' is not a metric\n  Did you mean `f1_macro`"),
        ("xyz", _answers([0, 1], [0, 1]), None, "'xyz' is not a metric\n  Use error, accuracy"),
        ("latency_ms", _answers([0, 1], [0, 1]), None, "latency_ms is measured when a model is trained"),
        ("log_loss", _answers([0, 1], [0, 1]), None, "log_loss is computed from probabilities"),
        ("error", _answers([], []), None, "none of 0 examples has a label"),
        ("error", _answers([-1, -1], [0, 1]), None, "none of 2 examples has a label"),
        ("error", _answers([0, 1], [0, 5]), None, "answers lie outside the 2 classes"),
        ("error", _answers([0, 7], [0, 1]), None, "labels lie outside the 2 classes"),
        ("error", _answers([0, 1], [0]), None, "2 labels but answers of shape"),
        ("error", Answers(np.array([[0]]), np.array([0]), BINARY), None, "one truth per example"),
        ("brier", Answers(np.array([0]), np.array([0]), BINARY, np.ones((1, 3))), None, "probabilities of shape"),
        ("brier", _answers([0, 1], [0, 1], [0.5, np.nan]), None, "1 examples have a missing probability"),
        ("brier", _answers([0, 1], [0, 1], [0.5, 3.0]), None, "from -2 to 3, outside 0 to 1"),
        ("mae", Answers(np.array([1.0, 2.0]), np.array([1.0, np.inf])), None, "1 labels or answers are not finite"),
        ("error", _answers([0, 1], [0, 1]), np.ones(3), "2 examples but weights of shape"),
        ("error", _answers([0, 1], [0, 1]), np.zeros(2), "every labelled example has weight 0"),
        ("error", _answers([0, 1], [0, 1]), np.array([1.0, -2.0]), "the smallest weight is -2"),
        ("error", _answers([0, 1], [0, 1]), np.array([1.0, np.nan]), "1 weights are missing or infinite"),
    ],
)
def test_what_cannot_be_computed_is_explained(name: str, answers: Answers, weight: Weight, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        score(name, answers, weight)


def test_every_reason_is_given_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        measure(["f1", "rmse", "brier"], Answers(np.array([0, 2]), np.array([0, 1]), ("a", "b", "c")))
    assert len(caught.value.problems) == 3


def test_metrics_without_probabilities_are_known_by_name() -> None:
    without = {name for name in CLASSIFICATION_METRICS if name not in PROBABILITY_METRICS}
    assert set(measure(sorted(without), _answers([0, 1], [0, 1]))) == without


@pytest.mark.parametrize("name", ["error", "f1_macro", "roc_auc", "log_loss"])
def test_a_million_rows_take_less_than_a_second(name: str) -> None:
    rng = np.random.default_rng(0)
    p = rng.random(1_000_000)
    answers = Answers(rng.integers(0, 2, len(p)), (p > 0.5).astype(int), BINARY, np.stack([1 - p, p], axis=1))
    start = time.process_time()
    score(name, answers)
    assert time.process_time() - start < 1.0
