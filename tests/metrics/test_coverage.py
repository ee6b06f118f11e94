"""How often intervals hold the truth: exactly for differences of two rates, by simulation for all other metrics."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from calibration_page import write_page
from coverage_of_gaps import GRID_N, GRID_P, covered_exactly, covered_with_a_constant
from coverage_of_metrics import classes, grouped, numbers, plain, rare_classes, share_covered, weighted
from numpy.typing import NDArray
from scipy import stats

from mlproj.metrics.intervals import mover, wilson

Floats = NDArray[np.float64]
REPEATS = 200
LEEWAY = 0.038
"""Two standard errors of a share of 0.92 seen in so many repeats; `make calibrate` takes 1,000."""


@cache
def _table() -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Coverage, expected errors of the rarer side, and whether both rungs are sampled, of every cell of the grid."""
    cells = [
        (covered_exactly(p, n, q, m), min(p * n, q * m))
        for n in GRID_N
        for p in GRID_P
        for m in GRID_N
        for q in GRID_P
        if (n, p) <= (m, q)  # the other half is the same by symmetry
    ]
    constant = [(covered_with_a_constant(p, n), 0.0) for n in GRID_N for p in GRID_P]
    values = np.array(cells + constant)
    sampled = np.arange(len(values)) < len(cells)
    return values[:, 0], values[:, 1], sampled


def test_a_gap_between_two_sampled_rates_is_covered_as_promised() -> None:
    covered, expected, sampled = _table()
    regular = covered[sampled & (expected >= 1)]
    assert 0.95 <= regular.mean() <= 0.97
    assert (
        regular.min() >= 0.92
    )  # below .93: one error of 20 against a rung of thousands; docs/calibration.md lists all
    assert (regular < 0.93).mean() <= 0.01
    assert covered[sampled].min() >= 0.86


def test_a_gap_to_a_constant_is_covered_as_promised() -> None:
    covered, _, sampled = _table()
    assert covered[~sampled].min() >= 0.86
    assert covered[~sampled].mean() >= 0.945


def test_the_page_is_that_of_its_figures_and_lists_every_pair_below_93() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    figures = json.loads((docs / "calibration.json").read_text(encoding="utf-8"))
    assert (docs / "calibration.md").read_text(encoding="utf-8") == write_page(figures)
    covered, expected, sampled = _table()
    listed = figures["gap_coverage"]
    regular = covered[sampled & (expected >= 1)]
    assert len(listed["regular_below_93"]) == (regular < 0.93).sum()
    assert listed["regular_least"] == pytest.approx(regular.min(), abs=1e-6)
    assert len(listed["rare_below_93"]) == (covered[sampled & (expected < 1)] < 0.93).sum()
    assert len(listed["constant_below_93"]) == (covered[~sampled] < 0.93).sum()


@pytest.mark.parametrize(("p", "n", "q", "m"), [(0.05, 20, 0.1, 50), (0.3, 40, 0.02, 30), (0.001, 20, 0.3, 20)])
def test_the_enumeration_equals_the_plain_double_sum(p: float, n: int, q: float, m: int) -> None:
    total = 0.0
    for x in range(n + 1):
        for y in range(m + 1):
            low, high = mover((x / n, *wilson(x / n, n)), (y / m, *wilson(y / m, m)))
            if low <= p - q <= high:
                total += stats.binom.pmf(x, n, p) * stats.binom.pmf(y, m, q)
    assert covered_exactly(p, n, q, m) == pytest.approx(total, abs=1e-6)


@pytest.mark.parametrize("x", [0, 1, 9, 200])
@pytest.mark.parametrize("n", [200, 5000])
def test_limits_of_rates_and_gaps_equal_those_of_statsmodels(x: int, n: int) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

    assert wilson(x / n, n) == pytest.approx(proportion_confint(x, n, method="wilson"), abs=1e-12)
    ours = mover((x / n, *wilson(x / n, n)), (0.08, *wilson(0.08, 500)))
    assert ours == pytest.approx(confint_proportions_2indep(x, n, 40, 500, method="newcomb"), abs=1e-9)


CLASS_METRICS = ("f1", "precision", "recall", "balanced_accuracy", "mcc", "roc_auc", "average_precision", "log_loss")
NUMBER_METRICS = ("mae", "rmse", "r2")
MEANS = ("log_loss", *NUMBER_METRICS)  # up to 500 examples they are bootstrapped: test_intervals covers that


@pytest.mark.parametrize("metric", CLASS_METRICS + NUMBER_METRICS)
def test_every_metric_is_covered(metric: str) -> None:
    make = numbers if metric in NUMBER_METRICS else classes
    assert share_covered(metric, plain, make, 600 if metric in MEANS else 150, REPEATS) >= 0.92 - LEEWAY


@pytest.mark.parametrize("metric", ["error", *CLASS_METRICS, *NUMBER_METRICS])
def test_every_weighted_metric_is_covered(metric: str) -> None:
    make = numbers if metric in NUMBER_METRICS else classes
    assert share_covered(metric, weighted, make, 600 if metric in MEANS else 200, REPEATS) >= 0.92 - LEEWAY


@pytest.mark.parametrize("n_groups", [5, 8, 15])
@pytest.mark.parametrize(
    ("metric", "least"), [("error", 0.92), ("f1", 0.92), ("roc_auc", 0.92), ("log_loss", 0.91), ("mae", 0.92)]
)
def test_metrics_of_few_groups_are_covered(metric: str, least: float, n_groups: int) -> None:
    make = numbers if metric in NUMBER_METRICS else classes
    assert share_covered(metric, grouped, make, n_groups, REPEATS) >= least - LEEWAY


@pytest.mark.parametrize(("metric", "least"), [("f1_macro", 0.90), ("balanced_accuracy", 0.92), ("mcc", 0.92)])
def test_metrics_of_rare_classes_are_covered(metric: str, least: float) -> None:
    assert share_covered(metric, plain, rare_classes, 300, REPEATS) >= least - LEEWAY
