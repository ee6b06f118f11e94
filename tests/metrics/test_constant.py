"""The best constant answer against trying them all."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlproj.errors import InvalidInput
from mlproj.metrics import as_loss, best_constant, score
from mlproj.metrics.cells import CELL_METRICS
from mlproj.records import Answers
from mlproj.spec.goal import POSITIVE_CLASS_METRICS

Truth = Answers | Mapping[str, Answers]
Draw = Callable[..., tuple[Answers, NDArray[np.float64]]]


def _found(name: str, train: Truth, dev: Truth) -> list[str | float]:
    answer, value = best_constant(name, train, dev)
    return [answer, round(value, 4)]


def _no_answers(answers: Answers) -> Answers:
    return Answers(answers.y_true, np.zeros_like(answers.y_true), answers.classes)


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("name", sorted(CELL_METRICS))
@settings(max_examples=20, deadline=None)
@given(draw=st.integers(0, 10**6), n=st.integers(1, 30), weighted=st.booleans())
def test_no_constant_class_does_better_on_train(
    *, name: str, k: int, classes: Draw, draw: int, n: int, weighted: bool
) -> None:
    if k > 2 and name in POSITIVE_CLASS_METRICS:
        return
    answers, weight = classes(draw, n, k)
    w = weight if weighted else None
    # always answering a class that never occurs makes the others perfectly specific, which is no sensible answer
    occurring = np.unique(answers.y_true).tolist()
    tried = [Answers(answers.y_true, np.full(n, code), answers.classes) for code in occurring]
    losses = [as_loss(name, score(name, each, w)) for each in tried]
    found = best_constant(name, _no_answers(answers), answers, w, w)
    assert as_loss(name, found.value) == pytest.approx(min(losses))


@pytest.mark.parametrize("name", ["mae", "mse", "rmse", "mape", "r2"])
@settings(max_examples=20, deadline=None)
@given(draw=st.integers(0, 10**6), n=st.integers(2, 30), weighted=st.booleans())
def test_no_constant_number_does_better_on_train(
    *, name: str, numbers: Draw, draw: int, n: int, weighted: bool
) -> None:
    answers, weight = numbers(draw, n, missing=0.1)
    if not answers.known.any() or not weight[answers.known].any():
        return
    w = weight if weighted else None
    grid = np.union1d(answers.y_true[answers.known], np.linspace(-9, 9, 61))
    losses = [as_loss(name, score(name, Answers(answers.y_true, np.full(n, value)), w)) for value in grid]
    found = best_constant(name, _no_answers(answers), answers, w, w)
    if not np.isnan(found.value):
        assert as_loss(name, found.value) <= min(losses) * (1 + 1e-9) + 1e-12


def test_it_is_fitted_on_train_and_measured_on_dev() -> None:
    train = Answers(np.array([0, 0, 0, 1]), np.zeros(4, dtype=int), ("no", "yes"))
    dev = Answers(np.array([0, 1, 1, -1]), np.zeros(4, dtype=int), ("no", "yes"))
    assert _found("error", train, dev) == ["no", 0.6667]
    assert _found("f1", train, dev) == ["yes", 0.8]
    assert best_constant("error", train, dev, np.array([1.0, 1.0, 1.0, 9.0])).answer == "yes"


def test_class_shares_answer_metrics_of_probabilities() -> None:
    train = Answers(np.array([0, 0, 0, 1]), np.zeros(4, dtype=int), ("no", "yes"))
    assert _found("log_loss", train, train) == ["no 75 %, yes 25 %", 0.5623]
    assert best_constant("roc_auc", train, train).value == 0.5
    assert best_constant("average_precision", train, train).value == 0.25


def test_numbers_get_a_number() -> None:
    train = Answers(np.array([1.0, 2.0, 9.0, np.nan]), np.zeros(4))
    assert best_constant("mse", train, train).answer == "4"
    assert _found("mae", train, train) == ["2", 2.6667]
    assert best_constant("mae", Answers(np.array([152_133.4]), np.zeros(1)), train).answer == "152133"


def test_several_labels_are_answered_one_by_one() -> None:
    labels = {
        "car": Answers(np.array([1, 1, 0]), np.zeros(3, dtype=int), ("0", "1")),
        "sign": Answers(np.array([0, 0, -1]), np.zeros(3, dtype=int), ("0", "1")),
    }
    assert _found("error", labels, labels) == ["car: 1, sign: 0", 0.1667]


def test_what_has_no_constant_answer_is_explained() -> None:
    train = Answers(np.array([0, 1]), np.zeros(2, dtype=int), ("a", "b"))
    with pytest.raises(InvalidInput, match=r"train has the classes a, b; dev x, b"):
        best_constant("error", train, Answers(train.y_true, train.y_pred, ("x", "b")))
    with pytest.raises(InvalidInput, match="rmse is a regression metric"):
        best_constant("rmse", train, train)
    with pytest.raises(InvalidInput, match="none of 1 examples has a label"):
        best_constant("error", Answers(np.array([-1]), np.array([0]), ("a", "b")), train)
