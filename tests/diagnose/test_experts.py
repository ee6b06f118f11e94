"""The best of several experts: who it is, without the luck of having been chosen, by counts and by labels."""

import numpy as np
import pytest
from crowd import make_votes
from numpy.typing import NDArray

from mlproj.diagnose.experts import Best, best_by_counts, best_by_votes
from mlproj.spec.goal import Expert


def by_counts(errors: NDArray[np.int64], n: int) -> Best:
    return best_by_counts([Expert(by=str(k), errors=int(wrong), n=n) for k, wrong in enumerate(errors)])


def by_votes(rng: np.random.Generator, rates: NDArray[np.float64], n: int) -> Best:
    truth = rng.integers(0, 2, n)
    answers = np.where(rng.random((n, len(rates))) < rates, 1 - truth[:, None], truth[:, None])
    found = best_by_votes(make_votes(answers, truth, ("no", "yes")), "error")
    assert found is not None
    return found


def test_the_team_beats_the_one() -> None:
    best = best_by_counts([Expert(by="one", error=0.01, n=10_000), Expert(by="team", error=0.005, n=10_000)])
    assert best.by == "team"
    assert best.figure.value == pytest.approx(0.005, abs=1e-4)
    assert [row.by for row in best.judged] == ["team", "one"]


def test_one_expert_is_taken_as_measured() -> None:
    best = best_by_counts([Expert(by="anna", errors=3, n=200)])
    assert (best.figure.value, best.measured, best.n, best.figure.method) == (0.015, 0.015, 200, "Wilson")


@pytest.mark.parametrize(("rates", "n"), [((0.05,) * 5, 200), ((0.05, 0.06), 500), ((0.03, 0.06, 0.1), 300)])
def test_the_winner_by_counts_is_not_better_than_it_is(rates: tuple[float, ...], n: int, seed: int) -> None:
    rng, naive, found, covered = np.random.default_rng(seed), [], [], []
    for _ in range(300):
        best = by_counts(rng.binomial(n, rates), n)
        truth = rates[int(best.by)]
        naive.append(best.measured - truth)
        found.append(best.figure.value - truth)
        covered.append(best.figure.low <= truth <= best.figure.high)
    assert abs(np.mean(found)) <= 0.006
    assert np.mean(covered) >= 0.93
    if len(set(rates)) == 1:
        assert np.mean(naive) < -0.012  # what the luck of the winner amounts to without it


def test_the_winner_by_labels_is_not_better_than_it_is(seed: int) -> None:
    rng, rates = np.random.default_rng(seed), np.full(5, 0.05)
    found = [by_votes(rng, rates, 200) for _ in range(60)]
    assert np.mean([best.measured for best in found]) < 0.038
    assert np.mean([best.figure.value for best in found]) == pytest.approx(0.05, abs=0.006)
    assert np.mean([best.figure.low <= 0.05 <= best.figure.high for best in found]) >= 0.93


def test_whoever_labelled_three_items_is_not_the_best() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    answers = np.column_stack([np.where(rng.random(300) < 0.1, 1 - truth, truth), np.full(300, -1)])
    answers[:3, 1] = truth[:3]
    best = best_by_votes(make_votes(answers, truth, ("no", "yes")), "error")
    assert best is not None
    assert (best.by, best.left_out) == ("a", 1)


def test_people_who_labelled_different_items_are_compared_all_the_same() -> None:
    truth = np.zeros(400, dtype=np.int64)
    answers = np.full((400, 2), -1)
    answers[:200, 0], answers[200:, 1] = 0, 0
    answers[:40, 0] = 1
    best = best_by_votes(make_votes(answers, truth, ("no", "yes")), "error")
    assert best is not None
    assert (best.by, best.figure.value, best.n) == ("b", 0.0, 200)


def test_any_metric_will_do_against_the_truth() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1] * 20)
    good, bad = truth.copy(), truth.copy()
    good[:6], bad[:60] = 1 - truth[:6], 1 - truth[:60]
    best = best_by_votes(make_votes(np.column_stack([bad, good]), truth, ("no", "yes")), "f1")
    assert best is not None
    assert best.by == "b"
    assert best.measured == pytest.approx(1 - 0.95)  # F1 of 57 hits, 3 misses and 3 false alarms


def test_numbers_are_judged_by_their_distance() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=200)
    answers = truth[:, None] + rng.normal(size=(200, 2)) * [2.0, 0.5]
    best = best_by_votes(make_votes(answers, truth, ()), "rmse")
    assert best is not None
    assert best.by == "b"
    assert best.figure.value == pytest.approx(0.5, abs=0.08)


def test_nobody_is_best_where_no_truth_is_known() -> None:
    assert best_by_votes(make_votes(np.zeros((5, 2), np.int64), np.full(5, -1), ("no", "yes")), "error") is None


def test_the_best_is_no_worse_than_they_are_on_average() -> None:
    # three who err about equally often: whoever is best on one half of so few mistakes is worst on the other
    best = best_by_counts([Expert(by=str(k), errors=wrong, n=470) for k, wrong in enumerate((21, 22, 24))])
    assert 21 / 470 <= best.figure.value <= (21 + 22 + 24) / 3 / 470 + 1e-12
