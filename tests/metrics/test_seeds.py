"""Differences over seeds against SciPy, and what simulated seeds say of their limits."""

import numpy as np
import pytest
from scipy import stats

from mlproj.metrics.paired import Paired
from mlproj.metrics.seeds import crossed_interval, over_seeds, summarize


def test_without_examples_it_is_welchs_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(0.10, 0.01, 4), rng.normal(0.08, 0.03, 6)
    found = over_seeds(first.tolist(), second.tolist())
    welch = stats.ttest_ind(first, second, equal_var=False)
    limits = welch.confidence_interval()
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high))
    assert found.p == pytest.approx(welch.pvalue)


def test_equal_seeds_leave_the_chance_of_the_examples() -> None:
    compared = Paired(-0.02, -0.05, 0.01, 0.2, 10**6, "")
    found = over_seeds([0.1, 0.1, 0.1], [0.12, 0.12, 0.12], compared)
    assert (found.low, found.high) == pytest.approx((-0.05, 0.01), abs=1e-4)
    assert over_seeds([0.1, 0.1], [0.1, 0.1]).p == 1


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_the_difference_of_two_procedures_is_covered(n_seeds: int) -> None:
    """Seeds move the model by 0.01, examples the figure by 0.015; a percentile bootstrap of seeds covers .76 at 3."""
    rng, held = np.random.default_rng(n_seeds), []
    for _ in range(2000):
        chance = rng.normal(0, 0.015)
        first, second = rng.normal(0.10, 0.01, n_seeds) + chance, rng.normal(0.08, 0.01, n_seeds)
        reach = 1.96 * 0.015
        value = float(first[0] - second[0])
        found = over_seeds(first.tolist(), second.tolist(), Paired(value, value - reach, value + reach, 1.0, 500, ""))
        held.append(found.low <= 0.02 <= found.high)
    assert 0.93 <= np.mean(held) <= 0.985


def test_without_examples_it_is_students_interval(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.1, 0.02, 5)
    found = summarize(values.tolist())
    limits = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(limits)
    assert found.spread == pytest.approx(values.std(ddof=1))
    assert (found.seeds, found.degrees) == (5, 4)


def test_a_single_seed_says_nothing_of_others() -> None:
    found = summarize([0.25])
    assert (found.value, found.low, found.high) == (0.25, -np.inf, np.inf)
    assert np.isnan(found.spread)


def test_no_number_of_seeds_takes_away_the_chance_of_the_examples() -> None:
    found = crossed_interval([0.05, 0.05] * 50, [(0.01**2, 10**6)])
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * 0.01, rel=1e-3)


@pytest.mark.parametrize("n_seeds", [3, 5, 10])
@pytest.mark.parametrize("spread", [0.005, 0.04])
def test_crossed_limits_cover_fresh_seeds_and_fresh_examples(n_seeds: int, spread: float) -> None:
    """Two sets of 200 examples, a model by seed that moves the gap; a percentile bootstrap of seeds covers .76 at 3."""
    rng, held = np.random.default_rng(n_seeds), []
    for _ in range(2000):
        gap, parts = np.zeros(n_seeds), []
        for sign in (1, -1):
            losses = rng.normal(0.1, 0.3, 200) + rng.normal(0, 0.05, (n_seeds, 200))
            losses += rng.normal(0, spread, n_seeds)[:, None]
            gap += sign * losses.mean(axis=1)
            parts.append((losses.mean(axis=0).var(ddof=1) / 200, 199.0))
        found = crossed_interval(gap.tolist(), parts)
        held.append(found.low <= 0 <= found.high)
    assert 0.93 <= np.mean(held) <= 0.97
