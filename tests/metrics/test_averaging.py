"""The mean of several models' answers: as by hand, and never worse than the members are on average."""

import numpy as np
import pytest

from mlproj.metrics import average, measure
from mlproj.records import Answers

CLASSES = ("a", "b", "c")


def classes(seed: int, truth: np.ndarray, names: tuple[str, ...] = CLASSES) -> Answers:
    logits = np.random.default_rng(seed).normal(size=(len(truth), len(names))) * 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Answers(truth, p.argmax(axis=1), names, p)


def test_the_mean_of_softmax_outputs_is_the_one_made_by_hand() -> None:
    first = Answers(np.array([2]), np.array([0]), CLASSES, np.array([[0.6, 0.4, 0.0]]))
    second = Answers(np.array([2]), np.array([2]), CLASSES, np.array([[0.0, 0.3, 0.7]]))
    (mean,) = average([{"": first}, {"": second}]).values()
    assert mean.p is not None
    np.testing.assert_allclose(mean.p, [[0.3, 0.35, 0.35]])
    assert (mean.y_pred.tolist(), mean.y_true.tolist()) == ([1], [2])  # the first of equals, as argmax has it


@pytest.mark.parametrize("seed", range(20))
def test_log_loss_and_brier_of_the_mean_are_at_most_the_mean_of_the_members(seed: int) -> None:
    truth = np.random.default_rng(seed).integers(0, 3, size=50)
    members = [{"": classes(100 * seed + k, truth)} for k in range(1, 6)]
    for metric in ("log_loss", "brier"):
        together = measure([metric], average(members))[metric]
        assert together < np.mean([measure([metric], member)[metric] for member in members])


def test_the_squared_error_of_a_mean_is_the_mean_error_less_the_spread() -> None:
    draw = np.random.default_rng(0)
    truth = draw.normal(size=40)
    values = truth + draw.normal(size=(4, 40))
    mean = average([{"": Answers(truth, own)} for own in values])
    np.testing.assert_allclose(mean[""].y_pred, values.mean(axis=0))
    errors = np.mean((values - truth) ** 2)
    assert measure(["mse"], mean)["mse"] == pytest.approx(errors - values.var(axis=0).mean())


def test_yes_is_answered_from_the_threshold_of_the_mean_on() -> None:
    unknown = np.array([-1, -1])
    members = [{"": Answers(unknown, unknown, ("no", "yes"), np.array([[1 - p, p], [p, 1 - p]]))} for p in (0.2, 0.7)]
    assert average(members)[""].y_pred.tolist() == [0, 1]
    assert average(members, 0.4)[""].y_pred.tolist() == [1, 1]
    assert average(members, 0.6)[""].y_pred.tolist() == [0, 0]


def test_answers_without_probabilities_are_refused() -> None:
    said = np.array([0, 1])
    with pytest.raises(ValueError, match="without probabilities"):
        average([{"": Answers(said, said, ("no", "yes"))}] * 2)
