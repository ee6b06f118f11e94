"""Intervals against SciPy, published examples, closed forms and simulated coverage."""

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlproj.metrics.intervals import (
    Floats,
    effective_n,
    gather_units,
    mean_loss,
    mover,
    unit_mean,
    weighted_rate,
    wilson,
)


@pytest.mark.parametrize(("x", "n"), [(0, 1), (1, 1), (0, 50), (31, 1000), (7, 12), (20_000, 20_000), (3, 1_000_000)])
def test_wilson_equals_scipy(x: int, n: int) -> None:
    expected = stats.binomtest(x, n).proportion_ci(0.95, method="wilson")
    assert wilson(x / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_with_nothing_observed_is_exact_at_zero() -> None:
    z2 = stats.norm.ppf(0.975) ** 2
    low, high = wilson(0.0, 50)
    assert low == 0.0
    assert high == pytest.approx(z2 / (50 + z2), rel=1e-12)
    assert wilson(1.0, 50)[1] == 1.0


def test_wilson_takes_leading_axes_and_other_levels() -> None:
    p, n = np.array([[0.0, 0.1], [0.5, 1.0]]), np.array([10.0, 200.0])
    low: Floats
    high: Floats
    low, high = wilson(p, n, level=0.99)
    assert low.shape == high.shape == (2, 2)
    assert (low[0, 1], high[0, 1]) == pytest.approx(wilson(0.1, 200, level=0.99))


@given(p=st.floats(0, 1), n=st.floats(0.5, 1e9))
def test_wilson_contains_its_rate_and_stays_in_the_unit_interval(p: float, n: float) -> None:
    low, high = wilson(p, n)
    assert 0 <= low <= p + 1e-12
    assert p - 1e-12 <= high <= 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_mover_with_wilson_limits_reproduces_newcombe_1998(
    counts: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    x, m, y, n = counts
    found = mover((x / m, *wilson(x / m, m)), (y / n, *wilson(y / n, n)))
    assert found == pytest.approx(expected, abs=6e-5)


def test_mover_against_a_constant_shifts_the_other_interval() -> None:
    low, high = wilson(0.1, 200)
    assert mover((0.1, low, high), (0.04, 0.04, 0.04)) == pytest.approx((low - 0.04, high - 0.04))
    assert mover((0.3, 0.3, 0.3), (0.1, 0.1, 0.1)) == pytest.approx((0.2, 0.2))


def test_mover_with_full_correlation_of_equal_intervals_is_a_point() -> None:
    assert mover((0.5, 0.4, 0.6), (0.3, 0.2, 0.4), rho=1.0) == pytest.approx((0.2, 0.2))


def test_mover_keeps_an_unbounded_limit_unbounded() -> None:
    low, high = mover((2.0, 0.0, inf), (1.0, 0.5, 2.0))
    assert low == pytest.approx(1 - sqrt(5))
    assert high == inf


def test_a_plain_error_rate_is_wilson_at_n() -> None:
    wrong = np.repeat([1.0, 0.0], [31, 969])
    found = weighted_rate(wrong)
    assert found.n_effective == 1000
    assert [found.low, found.high] == list(wilson(0.031, 1000))
    doubled = weighted_rate(wrong, np.full(1000, 7.0))
    assert (doubled.low, doubled.high) == pytest.approx((found.low, found.high))


def test_the_variance_of_a_weighted_rate_is_hajeks() -> None:
    rng = np.random.default_rng(3)
    wrong, weight = (rng.random(200) < 0.2).astype(float), rng.random(200) * 9 + 1
    mean = (weight * wrong).sum() / weight.sum()
    expected = 200 / 199 * (weight**2 * (wrong - mean) ** 2).sum() / weight.sum() ** 2
    assert gather_units(wrong, weight).variance == pytest.approx(expected)


def test_a_weighted_rate_without_errors_counts_by_kish() -> None:
    weight = np.array([1.0, 1.0, 1.0, 10.0])
    found = weighted_rate(np.zeros(4), weight)
    assert found.n_effective == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert (found.value, found.low) == (0.0, 0.0)


def test_examples_of_weight_zero_do_not_count() -> None:
    wrong = np.array([1.0, 0.0, 0.0, 1.0])
    found = weighted_rate(wrong, np.array([1.0, 1.0, 1.0, 0.0]))
    assert found.value == pytest.approx(1 / 3)
    assert found.n_effective == 3


def test_copies_within_groups_are_worth_no_more_than_their_groups() -> None:
    rng = np.random.default_rng(1)
    patient = (rng.random(40) < 0.3).astype(float)
    found = weighted_rate(np.repeat(patient, 50), group=np.repeat(np.arange(40), 50))
    assert found.n_effective == pytest.approx(39, rel=0.15)  # (t_1999 / t_39)² of 40 · 39/40
    assert weighted_rate(np.repeat(patient, 50)).n_effective == 2000


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_edge_cases_of_rates_stay_finite(value: float) -> None:
    for n, group in ((1, None), (1, np.array(["a"])), (30, np.repeat(["a"], 30)), (30, np.repeat(["a", "b"], 15))):
        found = weighted_rate(np.full(n, value), group=group)
        assert found.value == value
        assert 0 <= found.low <= value <= found.high <= 1
        assert found.high - found.low > 0


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_a_single_error_a_group_counts_once_as_nothing_tells_how_errors_cluster(value: float) -> None:
    found = weighted_rate(np.full(2000, value), group=np.repeat(np.arange(100), 20))
    assert found.n_effective == pytest.approx(100, rel=0.03)


def test_coverage_of_rare_errors_that_strike_whole_groups() -> None:
    rng = np.random.default_rng(13)
    group, covered = np.repeat(np.arange(50), 20), 0
    for _ in range(500):
        found = weighted_rate(np.repeat((rng.random(50) < 0.02).astype(float), 20), group=group)
        covered += found.low <= 0.02 <= found.high
    assert covered / 500 >= 0.92


def test_one_cluster_counts_as_one_observation() -> None:
    found = weighted_rate(np.repeat([1.0, 0.0], 50), group=np.repeat(["only"], 100))
    assert found.n_effective == 1.0


def test_no_weight_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no example carries any weight"):
        gather_units(np.zeros(3), np.zeros(3))


def test_coverage_of_weighted_rates() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    heavy = np.where(np.arange(300) < 30, 10.0, 1.0)
    truth = (heavy[:30].sum() * 0.2 + heavy[30:].sum() * 0.05) / heavy.sum()
    for _ in range(1500):
        wrong = (rng.random(300) < np.where(np.arange(300) < 30, 0.2, 0.05)).astype(float)
        found = weighted_rate(wrong, heavy)
        covered += found.low <= truth <= found.high
    assert covered / 1500 >= 0.92


def test_coverage_of_grouped_rates_with_few_groups() -> None:
    rng = np.random.default_rng(12)
    group = np.repeat(np.arange(8), 25)
    covered = 0
    for _ in range(1500):
        rate = np.clip(rng.beta(4, 16, 8), 0, 1)  # mean 0.2
        found = weighted_rate((rng.random(200) < rate[group]).astype(float), group=group)
        covered += found.low <= 0.2 <= found.high
    assert covered / 1500 >= 0.92


def test_a_mean_of_few_losses_uses_students_t_on_the_logarithm() -> None:
    losses = np.array([1.0, 2.0, 4.0, 3.0])
    expected = stats.t.interval(0.95, 3, loc=np.log(losses.mean()), scale=stats.sem(losses) / losses.mean())
    found = mean_loss(losses)
    assert (found.low, found.high) == pytest.approx(tuple(np.exp(expected)))


def test_a_mean_of_few_differences_which_may_be_negative_uses_plain_students_t() -> None:
    differences = np.array([1.0, -2.0, 4.0, 3.0])
    expected = stats.t.interval(0.95, 3, loc=differences.mean(), scale=stats.sem(differences))
    found = unit_mean(gather_units(differences), floor=-inf)
    assert (found.low, found.high) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "least"), [(60, 0.92), (150, 0.92), (600, 0.92)])
def test_coverage_of_mean_losses_with_a_long_tail(n: int, least: float) -> None:
    rng = np.random.default_rng(5)
    found = [mean_loss(rng.exponential(size=n)) for _ in range(250)]
    assert (
        np.mean([estimate.low <= 1 <= estimate.high for estimate in found]) >= least - 0.02
    )  # two standard errors of 250 replicates


def test_the_bootstrap_reaches_further_on_the_side_of_the_tail() -> None:
    found = mean_loss(np.random.default_rng(2).lognormal(sigma=1.5, size=200))
    assert found.high - found.value > 1.2 * (found.value - found.low)


def test_edge_cases_of_means() -> None:
    single = mean_loss(np.array([2.0]))
    assert (single.value, single.low, single.high) == (2.0, 0.0, inf)
    equal = mean_loss(np.full(30, 0.5))
    assert (equal.low, equal.value, equal.high) == (0.5, 0.5, 0.5)


def test_effective_n_never_exceeds_kish() -> None:
    rng = np.random.default_rng(0)
    weight = rng.random(500) ** 3
    units = gather_units((rng.random(500) < 0.5).astype(float), weight)
    assert effective_n(units) <= weight.sum() ** 2 / (weight**2).sum() + 1e-9
