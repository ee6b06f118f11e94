"""Differences over seeds against SciPy, and what simulated seeds say of their limits."""

import numpy as np
import pytest
from scipy import stats

from mlproj.metrics.paired import Paired
from mlproj.metrics.seeds import over_seeds


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
