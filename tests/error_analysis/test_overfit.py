"""The alarm of the eyeball half: it sounds where looking helped the half that was looked at, and seldom otherwise."""

import numpy as np
import pytest

from mlproj.error_analysis.overfit import improvement_gap


def errors(rng: np.random.Generator, n: int, fixed: float, broken: float) -> tuple[np.ndarray, np.ndarray]:
    """Wrong answers before (10 %) and after, where so many of the wrong were mended and of the right broken."""
    before = rng.random(n) < 0.1
    after = np.where(before, rng.random(n) >= fixed, rng.random(n) < broken)
    return before.astype(np.float64), after.astype(np.float64)


def test_it_is_the_difference_of_the_two_halves_changes() -> None:
    before, seen = np.ones(200), np.arange(200) < 100
    after = before.copy()
    after[:40], after[100:110] = 0.0, 0.0
    gap, low, high = improvement_gap(before, after, seen)
    assert gap == pytest.approx(-0.4 + 0.1)
    assert low < gap < high < 0


def test_equal_answers_raise_no_alarm() -> None:
    before = np.repeat([0.0, 1.0], [180, 20])
    gap, low, high = improvement_gap(before, before, np.arange(200) % 2 == 0)
    assert gap == 0
    assert low <= 0 <= high


@pytest.mark.parametrize("n", [200, 1000])
def test_where_both_halves_improve_alike_it_sounds_in_at_most_one_of_twenty(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    alarms = 0
    for _ in range(400):
        before, after = errors(rng, n, fixed=0.4, broken=0.01)
        alarms += improvement_gap(before, after, rng.random(n) < 0.5)[2] < 0
    assert alarms / 400 <= 0.05  # 2.5 % is nominal; three standard errors are 2.3 %


def test_a_half_that_was_learned_by_heart_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(100):
        seen = rng.random(2000) < 0.5
        before, mended = errors(rng, 2000, fixed=0.6, broken=0.0)
        found += improvement_gap(before, np.where(seen, mended, before), seen)[2] < 0
    assert found >= 95


def test_losses_of_numbers_and_weights_are_taken_as_they_are() -> None:
    rng = np.random.default_rng(0)
    before, seen, weight = rng.gamma(2.0, size=400), np.arange(400) < 200, np.repeat([1.0, 2.0], 200)
    after = np.where(seen, before * 0.5, before)
    gap, _, high = improvement_gap(before, after, seen, weight, is_rate=False)
    assert gap == pytest.approx(-0.5 * before[:200].mean())
    assert high < 0


def test_examples_of_one_group_are_one_witness() -> None:
    before, seen = np.ones(400), np.arange(400) < 200
    after = np.where(seen & (np.arange(400) < 100), 0.0, 1.0)  # half of the groups below, whole
    group = np.array([f"g{i // 50}" for i in range(400)])
    assert improvement_gap(before, after, seen)[2] < 0 < improvement_gap(before, after, seen, group=group)[2]
