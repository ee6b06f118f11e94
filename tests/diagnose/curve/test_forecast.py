"""Shapes and forecasts of planted curves: what is known is found again, and what cannot be known is refused."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mlproj.diagnose.curve.curve import Curve, between, make_curve
from mlproj.diagnose.curve.families import FAMILIES, fit, solve
from mlproj.diagnose.curve.forecast import forecast
from mlproj.diagnose.curve.shape import find_shape

SIZES = 1000 / 2 ** (np.arange(7)[::-1] / 2)
Truth = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def power(n: NDArray[np.float64]) -> NDArray[np.float64]:
    """0.2 at 1,000 examples, 0.05 of it never."""
    return 0.05 + 0.15 * (n / 1000) ** -0.5


def measured(truth: Truth, rng: np.random.Generator, noise: float = 0.05, repeats: int = 3) -> Curve:
    """A curve with noise in proportion to the error's root, as shares have it."""
    errors = truth(SIZES)
    scatter = rng.normal(size=(len(SIZES), repeats)) * noise * np.sqrt(errors * errors[-1])[:, None]
    return make_curve(SIZES.tolist(), np.maximum(errors[:, None] + scatter, 0.0).tolist(), n=500)


def test_a_planted_power_law_is_covered_and_foretold_better_than_by_the_last_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    covered = Counter[float]()
    missed, last = {2.0: 0.0, 4.0: 0.0}, {2.0: 0.0, 4.0: 0.0}
    n = 40
    for _ in range(n):
        curve = measured(power, rng)
        told = forecast(curve, 200)
        assert told.is_better_than_last
        for ratio in (2.0, 4.0):
            truth = float(power(np.array([1000 * ratio]))[0])
            central, low, high = told.at(ratio)
            covered[ratio] += int(low <= truth <= high)
            missed[ratio] += abs(central - truth)
            last[ratio] += abs(float(curve.mean[-1]) - truth)
    assert min(covered.values()) >= 0.9 * n, covered
    assert all(missed[ratio] < 0.4 * last[ratio] for ratio in (2.0, 4.0))


@pytest.mark.parametrize(
    ("kind", "truth"),
    [
        ("flat", lambda n: np.full_like(n, 0.2)),
        ("rising", lambda n: 0.1 + 0.15 * (n / 1000) ** 0.7),
        ("double_descent", lambda n: power(n) + 0.25 * np.exp(-(np.log2(n / 420) ** 2) * 8)),
        ("not_convex", lambda n: 0.5 - 0.4 * (n / 1000) ** 2),
    ],
)
def test_curves_that_must_not_be_extrapolated_are_refused(kind: str, truth: Truth, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = Counter[str](find_shape(measured(truth, rng, 0.03)).kind for _ in range(50))
    assert found[kind] >= 45, found  # the flat one falls by chance one time in twenty


def test_a_power_law_is_seldom_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = Counter(find_shape(measured(power, rng, 0.1)).kind for _ in range(200))
    assert found["falling"] >= 190, found


def test_a_noisy_curve_gives_a_wide_interval_instead_of_a_confident_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = [np.ptp(forecast(measured(power, rng, noise), 200).at(2.0)[1:]) for noise in (0.02, 0.2)]
    assert widths[1] > 3 * widths[0]


def test_an_interval_widens_with_the_distance(seed: int) -> None:
    told = forecast(measured(power, np.random.default_rng(seed)), 400)
    assert np.ptp(told.at(2.0)[1:]) < np.ptp(told.at(4.0)[1:])
    assert told.chance(0.16, 2.0) < told.chance(0.16, 4.0)


def test_nothing_is_extrapolated_where_the_last_error_foretells_as_well() -> None:
    fallen = [0.4, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2]
    curve = make_curve(SIZES.tolist(), [[e - 0.001, e, e + 0.001] for e in fallen], n=500)
    assert not forecast(curve, 50).is_better_than_last


def test_what_is_needed_is_an_interval_around_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    told = [forecast(measured(power, rng, 0.02), 200) for _ in range(20)]
    limits = [[each or np.inf for each in one.needed(0.15)] for one in told]  # 0.05 + 0.15 / sqrt(2.25)
    assert sum(low <= 2.25 <= high for low, _, high in limits) >= 17
    assert np.median([middle for _, middle, _ in limits]) == pytest.approx(2.25, rel=0.2)
    assert told[0].needed(0.001) == (None, None, None)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_grid_finds_what_many_starts_of_an_optimiser_find(name: str, seed: int) -> None:
    from scipy.optimize import least_squares

    rng = np.random.default_rng(seed)
    errors = measured(power, rng, 0.1).mean
    family, weights = FAMILIES[name], 1 / power(SIZES)
    x = SIZES / SIZES[0]

    def residuals(p: NDArray[np.float64]) -> NDArray[np.float64]:
        theta = np.exp(p[2:])[None, :]
        c = np.clip(p[0], 0, errors[-1]) if family.has_asymptote else 0.0
        return np.sqrt(weights) * (c + np.exp(p[1]) * family.shape(theta, x)[0] - errors)

    low, high = np.log(family.grid.min(axis=0) + 1e-3), np.log(family.grid.max(axis=0))
    best = np.inf
    for _ in range(20):
        start = np.concatenate([[errors[-1] / 2, np.log(0.3)], rng.uniform(low, high)])
        bounds = (np.r_[0.0, -6, low - 1e-6], np.r_[errors[-1], 3, high + 1e-6])
        best = min(best, 2 * least_squares(residuals, np.clip(start, *bounds), bounds=bounds).cost)
    theta, c, a = solve(family, SIZES, errors[None], weights)
    ours = float(weights @ (c[0] + a[0] * family.shape(family.grid[theta], x)[0] - errors) ** 2)
    scatter = float(weights @ (0.1**2 / 3 * power(SIZES) * power(SIZES)[-1]))
    assert ours <= best + 0.2 * scatter  # what the grid misses is small against the noise in the errors
    told = fit(family, SIZES, errors[None], weights, SIZES)
    assert float(weights @ (told[0] - errors) ** 2) == pytest.approx(ours, rel=1e-9)


def test_asymptotes_stay_between_zero_and_the_last_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = np.sort(rng.random((50, 7)), axis=1)[:, ::-1].copy()
    for family in FAMILIES.values():
        _, c, a = solve(family, SIZES, errors, np.ones(7))
        assert (c >= 0).all()
        assert (c <= errors[:, -1] + 1e-12).all()
        assert (a >= 0).all()


def test_bands_cover_the_mean_over_repeats_and_dev_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    covered = 0
    for _ in range(400):
        level = 0.2 + rng.normal(scale=np.sqrt(0.16 / 500))  # this dev set
        rows = [level + rng.normal(scale=0.02, size=3) for _ in range(5)]
        low, high = make_curve([1, 2, 3, 4, 5], [row.tolist() for row in rows], n=500).bands()[2]
        covered += low <= 0.2 <= high
    assert covered >= 0.915 * 400  # three standard deviations below 0.95


def test_dev_sampling_cancels_in_paired_contrasts() -> None:
    moved = np.random.default_rng(0).normal(size=300) / 300
    alike = Curve(np.array([1.0, 2.0]), (np.array([0.2, 0.21]), np.array([0.1, 0.11])), (moved, moved), None)
    apart = Curve(alike.sizes, alike.errors, (moved, -moved), None)
    weights = between(alike, 0, 1)
    assert alike.contrast_variance(weights) == pytest.approx(float(weights**2 @ alike.error**2))
    assert apart.contrast_variance(weights) > 2 * alike.contrast_variance(weights)
