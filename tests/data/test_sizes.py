"""How many examples each split gets: automatic sizes, wishes, and wishes that cannot be met."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.data.sizes import automatic_share, half_width, plan_held_out, plan_train_dev
from mlproj.errors import InvalidInput
from mlproj.metrics.intervals import wilson
from mlproj.spec.project import Project


def project_of(**splits: Any) -> Project:
    return Project.model_validate({"name": "p", "data": {"source": "a.csv", "label": "y"}, "splits": splits})


def held_out(n: int, has_training: bool = False, **splits: Any) -> tuple[int, int]:
    plan = plan_held_out(project_of(**splits), n_target=n, n_free=n, given={}, has_training=has_training)
    return plan.dev, plan.test


@pytest.mark.parametrize(
    ("n", "dev", "test"),
    [(100, 20, 20), (100_000, 20_000, 20_000), (1_000_000, 10_000, 10_000), (5_000_000, 50_000, 50_000)],
)
def test_small_data_are_dealt_60_20_20_and_large_ones_98_1_1(n: int, dev: int, test: int) -> None:
    assert held_out(n) == (dev, test)


def test_without_a_test_set_small_data_are_dealt_70_30() -> None:
    assert held_out(1000, test=0.0) == (300, 0)
    assert held_out(1000, dev=0.0) == (0, 300)


@given(st.integers(1, 10**8), st.integers(1, 10**8))
def test_the_automatic_share_never_grows_with_the_data(a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert 0.01 <= automatic_share(high) <= automatic_share(low) <= 0.2


@pytest.mark.parametrize("edge", [100_000, 1_000_000])
def test_the_automatic_share_has_no_jumps(edge: int) -> None:
    assert automatic_share(edge - 1) == pytest.approx(automatic_share(edge + 1), rel=1e-4)


@settings(max_examples=60)
@given(st.integers(3, 3_000_000))
def test_every_split_gets_an_example(n: int) -> None:
    dev, test = held_out(n)
    assert dev >= 1
    assert test >= 1
    assert n - dev - test >= 1


def test_shares_and_numbers_are_of_the_target_examples() -> None:
    assert held_out(569, dev=0.2, test=100.0) == (114, 100)
    assert held_out(569, dev=0.0, test=0.0) == (0, 0)


def test_what_a_column_gives_counts_towards_the_wish() -> None:
    plan = plan_held_out(
        project_of(dev=50.0), n_target=200, n_free=150, given={"dev": 30, "test": 20}, has_training=False
    )
    assert (plan.dev, plan.test) == (20, 20)  # automatic: 40 of 200, of which the column gives 20


def test_a_column_that_gives_enough_leaves_the_empty_cells_to_train() -> None:
    plan = plan_held_out(project_of(), n_target=200, n_free=100, given={"dev": 50, "test": 50}, has_training=False)
    assert (plan.dev, plan.test) == (0, 0)


@pytest.mark.parametrize(
    ("n", "splits", "message"),
    [
        (
            400,
            {"dev": 5000.0},
            r"splits\.dev: dev 5,000, test \(automatic\) 1, train 1 examples .* 400 target examples",
        ),
        (400, {"dev": 0.6, "test": 0.5}, r"splits\.dev: dev 240, test 200, train 1 examples .* 400 target"),
        (400, {"dev": 1.0}, r"splits\.dev: 1 is neither a share nor a number of examples\n.*whole number from 2"),
        (400, {"test": 2.5}, r"splits\.test: 2\.5 is neither"),
        (100, {"dev": 0.001}, r"a share of 0\.001 of 100 examples is less than one example"),
        (2, {}, r"data\.source: dev \(automatic\) 1, test \(automatic\) 1, train 1 examples .* 2 target"),
    ],
)
def test_sizes_that_cannot_be_met_say_what_is_there(n: int, splits: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        held_out(n, **splits)


def test_both_wrong_sizes_are_reported_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        held_out(100, dev=1.5, test=3.5)
    assert len(caught.value.problems) == 2


def test_with_other_training_data_all_target_examples_may_be_held_out() -> None:
    assert held_out(100, has_training=True, dev=50.0, test=50.0) == (50, 50)


def train_dev(n: int = 10_000, n_dev: int = 500, given: int = 0, differ: bool = True, **splits: Any) -> int:
    return plan_train_dev(project_of(**splits), n_training=n, n_free=n, given=given, n_dev=n_dev, differ=differ)


def test_train_dev_is_there_when_the_distributions_differ_like_dev_but_at_most_a_tenth() -> None:
    assert train_dev() == 500
    assert train_dev(n=2000) == 200
    assert train_dev(n=2000, differ=False) == 0
    assert train_dev(train_dev=300.0, differ=False) == 300
    assert train_dev(train_dev=0.0) == 0
    assert train_dev(train_dev=0.05) == 500
    assert train_dev(given=70) == 0


def test_a_train_dev_set_must_leave_something_to_train_on() -> None:
    with pytest.raises(
        InvalidInput, match=r"splits\.train_dev: 300 examples asked for, but 300 are left.*\n.*at most 299"
    ):
        train_dev(n=300, train_dev=300.0)


def test_the_half_width_is_the_normal_interval_of_a_rate() -> None:
    assert half_width(1000, 0.1) == pytest.approx(1.96 * math.sqrt(0.09 / 1000), rel=1e-4)
    low, high = wilson(0.3, 100_000)
    assert half_width(100_000, 0.3) == pytest.approx((high - low) / 2, rel=1e-3)
    assert half_width(0, 0.1) == np.inf
