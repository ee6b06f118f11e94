"""Suspicion of labels: the published definitions, by hand and by a slow second implementation."""

import numpy as np
import pytest

from mlproj.error_analysis.suspects import normalised_margin, self_confidence, suspicion
from mlproj.errors import InvalidInput
from mlproj.records import Answers

NAMES = ("a", "b", "c")


def answers(seed: int, n: int = 400) -> Answers:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3), n)
    return Answers(rng.integers(0, 3, n), p.argmax(axis=1), NAMES, p)


def test_known_answers_of_the_definitions() -> None:
    given = Answers(np.array([0, 1, 2]), np.array([0, 0, 2]), NAMES,
                    np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.0, 0.0, 1.0]]))  # fmt: skip
    np.testing.assert_allclose(self_confidence(given), [0.7, 0.3, 1.0])
    np.testing.assert_allclose(normalised_margin(given), [0.75, 0.35, 1.0])


def test_each_score_equals_the_definition_row_by_row(seed: int) -> None:
    given = answers(seed)
    assert given.p is not None
    for row, (label, p) in enumerate(zip(given.y_true, given.p, strict=True)):
        others = max(value for place, value in enumerate(p) if place != label)
        assert self_confidence(given)[row] == p[label]
        assert normalised_margin(given)[row] == pytest.approx((p[label] - others + 1) / 2)


def test_suspicion_lies_between_0_and_1_and_falls_with_the_margin(seed: int) -> None:
    given = answers(seed)
    score = suspicion(given)
    assert 0 <= score.min() <= score.max() <= 1
    assert (np.diff(normalised_margin(given)[np.argsort(score)]) <= 1e-8).all()


def test_labels_that_were_flipped_come_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 500)
    p = np.full((500, 3), 0.1) + 0.7 * np.eye(3)[truth]
    flipped = np.arange(500) < 20
    given = Answers(np.where(flipped, (truth + 1) % 3, truth), truth, NAMES, p)
    assert set(np.argsort(-suspicion(given), kind="stable")[:20].tolist()) == set(range(20))


@pytest.mark.parametrize(
    "given", [Answers(np.array([0]), np.array([1]), NAMES), Answers(np.array([0.5]), np.array([1.0]))]
)
def test_without_probabilities_nobody_is_suspected(given: Answers) -> None:
    with pytest.raises(InvalidInput, match=r"--from: suspects needs probabilities .*\n.*--from dev"):
        suspicion(given)
