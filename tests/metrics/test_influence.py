"""Influences against finite differences of the metric in each example's weight."""

from collections.abc import Callable

import numpy as np
import pytest

from mlproj.metrics import score
from mlproj.metrics.influence import influence
from mlproj.metrics.scores import gather_for
from mlproj.records import Answers
from mlproj.spec.goal import CLASSIFICATION_METRICS, POSITIVE_CLASS_METRICS, REGRESSION_METRICS

Draw = Callable[..., tuple[Answers, np.ndarray]]
STEP = 1e-5


def moves_by_hand(metric: str, answers: Answers, weight: np.ndarray) -> np.ndarray:
    """w · ∂metric/∂w of each example, one example after the other."""
    found = []
    for i in range(len(weight)):
        step = np.zeros(len(weight))
        step[i] = STEP * weight[i]
        up, down = (score(metric, answers, weight + side * step) for side in (1, -1))
        found.append((up - down) / (2 * STEP))
    return np.array(found)


@pytest.mark.parametrize("metric", CLASSIFICATION_METRICS)
@pytest.mark.parametrize("k", [2, 4])
def test_influences_on_classes_equal_finite_differences(metric: str, k: int, classes: Draw, seed: int) -> None:
    if k > 2 and metric in POSITIVE_CLASS_METRICS:
        pytest.skip("speaks of one positive class")
    answers, weight = classes(seed, 60, k)
    found = influence(metric, gather_for(metric, answers, weight))
    assert found == pytest.approx(moves_by_hand(metric, answers, weight), abs=2e-6)
    assert found.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("metric", REGRESSION_METRICS)
def test_influences_on_numbers_equal_finite_differences(metric: str, numbers: Draw, seed: int) -> None:
    answers, weight = numbers(seed, 60)
    answers = Answers(answers.y_true + 20, answers.y_pred + 20)  # mape at 0 is too steep for finite differences
    found = influence(metric, gather_for(metric, answers, weight))
    assert found == pytest.approx(moves_by_hand(metric, answers, weight), abs=2e-6)


def test_a_metric_that_cannot_move_has_no_influences() -> None:
    perfect = Answers(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    one_class = Answers(np.array([1, 1]), np.array([1, 0]), ("no", "yes"), np.array([[0.2, 0.8], [0.6, 0.4]]))
    assert not influence("rmse", gather_for("rmse", perfect)).any()
    assert not influence("roc_auc", gather_for("roc_auc", one_class)).any()


def test_with_very_many_classes_the_error_stands_in() -> None:
    rng = np.random.default_rng(0)
    y, y_pred = rng.integers(0, 400, 2000), rng.integers(0, 400, 2000)
    answers = Answers(y, y_pred, tuple(map(str, range(400))))
    evidence = gather_for("f1_macro", answers)
    assert np.array_equal(influence("f1_macro", evidence), influence("error", evidence))
