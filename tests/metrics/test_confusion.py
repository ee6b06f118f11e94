"""Confusion matrices and per-class tables against scikit-learn."""

from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.typing import NDArray

from mlproj.errors import InvalidInput
from mlproj.metrics import confusion, per_class
from mlproj.metrics.cells import CELL_METRICS, count_cells
from mlproj.records import Answers

Draw = Callable[..., tuple[Answers, NDArray[np.float64]]]


@pytest.mark.parametrize("k", [2, 5])
def test_counts_equal_scikit_learn(k: int, classes: Draw, seed: int) -> None:
    answers, weight = classes(seed, 70, k)
    labels = list(range(k))
    assert (confusion(answers) == sk.confusion_matrix(answers.y_true, answers.y_pred, labels=labels)).all()
    expected = sk.confusion_matrix(answers.y_true, answers.y_pred, labels=labels, sample_weight=weight)
    assert confusion(answers, weight) == pytest.approx(expected)


def test_the_table_equals_scikit_learn_and_keeps_names_verbatim(classes: Draw, seed: int) -> None:
    answers, weight = classes(seed, 60, 3)
    named = Answers(answers.y_true, answers.y_pred, ("très bien", "0", ""))
    rows = per_class(named, weight)
    expected = sk.precision_recall_fscore_support(
        answers.y_true, answers.y_pred, sample_weight=weight, zero_division=0, labels=[0, 1, 2]
    )
    assert [row.name for row in rows] == ["très bien", "0", ""]
    assert np.array([row[1:5] for row in rows]) == pytest.approx(np.stack(expected, axis=1))


def test_a_class_that_never_occurs_has_a_row_of_zeros() -> None:
    rows = per_class(Answers(np.array([0, 0]), np.array([0, 0]), ("a", "b")))
    assert rows[1][1:] == (0.0, 0.0, 0.0, 0.0, 0.0)


def test_examples_without_a_label_are_not_counted() -> None:
    assert confusion(Answers(np.array([0, -1]), np.array([0, 1]), ("a", "b"))).sum() == 1


def test_numbers_have_no_confusion_matrix() -> None:
    with pytest.raises(InvalidInput, match="answers are numbers"):
        confusion(Answers(np.array([1.0]), np.array([1.0])))


@pytest.mark.parametrize("name", sorted(CELL_METRICS))
def test_leading_axes_equal_a_loop(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 4, (3, 2, 4, 4)).astype(float)
    present = cells.sum(-1) + cells.sum(-2) > 0
    whole = CELL_METRICS[name](cells, present)
    flat = [CELL_METRICS[name](c, p) for c, p in zip(cells.reshape(-1, 4, 4), present.reshape(-1, 4), strict=True)]
    assert whole.shape == (3, 2)
    assert whole.ravel().tolist() == [float(value) for value in flat]


def test_integer_counts_in_the_millions_do_not_overflow() -> None:
    cells = np.array([[3_000_000, 500_000], [400_000, 2_000_000]])
    assert float(CELL_METRICS["mcc"](cells, np.array([True, True]))) == pytest.approx(5.8 / 71.4**0.5, rel=1e-12)


def test_narrow_codes_of_many_classes_do_not_overflow() -> None:
    codes = np.arange(100, dtype=np.int8)
    assert (np.diagonal(count_cells(codes, codes, 100, None)) == 1).all()


def test_stacked_answers_are_counted_model_by_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, stack, weight = rng.integers(0, 3, 20), rng.integers(0, 3, (2, 4, 20)), rng.random(20)
    whole = count_cells(y, stack, 3, weight)
    assert whole[1, 2] == pytest.approx(count_cells(y, stack[1, 2], 3, weight))
    assert whole.shape == (2, 4, 3, 3)
