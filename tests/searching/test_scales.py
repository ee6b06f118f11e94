"""Scales: known shares of the draws, ends, zooming, and the way to Optuna and back."""

from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlproj.searching.scales import (
    contains,
    distribution,
    ends,
    from_stored,
    position,
    stored_name,
    to_stored,
    value_at,
    zoom,
)
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Uniform, choice_text

RATE = Log(log=(1e-4, 1.0))
BETA = OneMinusLog(one_minus_log=(0.9, 0.999))
SHARE = st.floats(0, 1)


def pairs(low: float, high: float) -> st.SearchStrategy[tuple[float, float]]:
    two = st.lists(st.floats(low, high, allow_subnormal=False), min_size=2, max_size=2, unique=True)
    return two.map(lambda each: (min(each), max(each)))


JSON = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.integers())
RANGES: st.SearchStrategy[Dimension] = st.one_of(
    pairs(1e-300, 1e300).map(lambda both: Log(log=both)),
    pairs(0, 1 - 2**-53).map(lambda both: OneMinusLog(one_minus_log=both)),
    pairs(-1e308, 1e308).map(lambda both: Uniform(uniform=both)),
)
INTS = st.tuples(st.integers(-50, 50), st.integers(1, 300)).map(lambda each: Int(int=(each[0], sum(each))))
CHOICES = st.lists(JSON, min_size=1, max_size=6, unique_by=choice_text).map(lambda choice: Choice(choice=tuple(choice)))
DIMENSIONS: st.SearchStrategy[Dimension] = st.one_of(RANGES, INTS, CHOICES)


def uniform(n: int, seed: int) -> list[float]:
    return [float(u) for u in np.random.default_rng(seed).random(n)]


def test_each_decade_of_the_learning_rate_gets_a_quarter_of_the_draws(seed: int) -> None:
    decades = np.floor(np.log10([value_at(RATE, u) for u in uniform(8_000, seed)])).clip(-4, -1)
    counts = np.unique(decades, return_counts=True)[1]
    assert stats.chisquare(counts).pvalue > 1e-6
    assert [value_at(RATE, u) for u in (0, 0.25, 0.5, 0.75, 1)] == [1e-4, 1e-3, 1e-2, 1e-1, 1.0]


def test_half_of_the_betas_lie_above_99_hundredths(seed: int) -> None:
    drawn = np.array([value_at(BETA, u) for u in uniform(8_000, seed)])
    assert stats.binomtest(int((drawn > 0.99).sum()), len(drawn)).pvalue > 1e-6
    assert stats.kstest(np.log10(1 - drawn), stats.uniform(-3, 2).cdf).pvalue > 1e-6
    assert value_at(BETA, 0.5) == pytest.approx(0.99, abs=1e-12)


@pytest.mark.parametrize("dimension", [Int(int=(3, 9)), Choice(choice=(None, 1, "a", [2], True, 0.5, "1"))])
def test_whole_numbers_and_choices_are_drawn_equally_often(dimension: Dimension, seed: int) -> None:
    drawn = [position(dimension, value_at(dimension, u)) for u in uniform(7_000, seed)]
    places, counts = np.unique(drawn, return_counts=True)
    assert len(places) == 7
    assert stats.chisquare(counts).pvalue > 1e-6


@given(DIMENSIONS, SHARE)
def test_a_value_lies_in_its_range_and_close_to_its_position(dimension: Dimension, u: float) -> None:
    value = value_at(dimension, u)
    assert contains(dimension, value)
    assert 0 <= position(dimension, value) <= 1
    if isinstance(dimension, Int | Choice):
        assert value_at(dimension, position(dimension, value)) == value


@given(RANGES, SHARE, SHARE)
def test_values_grow_with_their_position(dimension: Dimension, u: float, v: float) -> None:
    assert value_at(dimension, min(u, v)) <= value_at(dimension, max(u, v))


@pytest.mark.parametrize("dimension", [RATE, BETA, Uniform(uniform=(-2.0, 5.0))])
def test_positions_are_found_again(dimension: Dimension) -> None:
    for u in np.linspace(0, 1, 101):
        assert position(dimension, value_at(dimension, float(u))) == pytest.approx(float(u), abs=1e-12)


@given(RANGES | INTS)
def test_the_ends_are_exact(dimension: Any) -> None:
    assert (value_at(dimension, 0.0), value_at(dimension, 1.0)) == ends(dimension)
    assert position(dimension, ends(dimension)[0]) == 0


def test_values_beyond_an_end_count_as_the_end() -> None:
    assert (position(RATE, 1e-9), position(RATE, 10.0), position(Int(int=(2, 4)), 5)) == (0, 1, 1)
    assert position(Int(int=(3, 3)), 3) == 0


@given(DIMENSIONS, SHARE)
def test_optuna_gives_back_what_it_was_given(dimension: Dimension, u: float) -> None:
    value, held = value_at(dimension, u), distribution(dimension)
    stored = to_stored(dimension, value)
    assert held._contains(held.to_internal_repr(stored))
    again = from_stored(dimension, held.to_external_repr(held.to_internal_repr(stored)))
    assert again == value
    assert type(again) is type(value)
    assert to_stored(dimension, again) == stored


@given(RANGES, SHARE)
def test_whatever_optuna_suggests_lies_in_the_range(dimension: Dimension, u: float) -> None:
    held: Any = distribution(dimension)
    value = from_stored(dimension, held.low + u * (held.high / 2 - held.low / 2) * 2)
    assert contains(dimension, value)
    assert held.low <= to_stored(dimension, value) <= held.high


def test_optuna_holds_one_minus_beta_on_a_logarithm() -> None:
    assert distribution(BETA) == optuna.distributions.FloatDistribution(1 - 0.999, 1 - 0.9, log=True)
    assert stored_name("training.beta1", BETA) == "1-training.beta1"
    assert stored_name("training.l2", RATE) == "training.l2"
    assert distribution(Int(int=(2, 4))) == optuna.distributions.IntDistribution(2, 4)


def test_optuna_holds_choices_as_json_text(recwarn: pytest.WarningsRecorder) -> None:
    choice = Choice(choice=(None, 64, [64, 32], {"kind": "cosine"}, "é"))
    assert distribution(choice) == optuna.distributions.CategoricalDistribution(
        ["null", "64", "[64, 32]", '{"kind": "cosine"}', '"é"']
    )
    assert from_stored(choice, "[64, 32]") == [64, 32]
    assert not recwarn.list


def test_optunas_own_draws_follow_the_scale(seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    name = stored_name("training.beta1", BETA)
    asked = [study.ask({name: distribution(BETA)}) for _ in range(400)]
    drawn = np.array([from_stored(BETA, trial.params[name]) for trial in asked])
    assert stats.binomtest(int((drawn > 0.99).sum()), len(drawn)).pvalue > 1e-6


@given(DIMENSIONS, SHARE, SHARE, SHARE)
def test_a_zoomed_range_lies_inside_and_holds_what_lies_between(
    dimension: Dimension, a: float, b: float, u: float
) -> None:
    low, high = min(a, b), max(a, b)
    part = zoom(dimension, low, high)
    assert type(part) is type(dimension)
    assert contains(dimension, value_at(part, u))
    value = value_at(dimension, u)
    if low <= position(dimension, value) <= high and low <= u <= high:
        assert contains(part, value)


@given(INTS, SHARE)
def test_a_zoom_between_two_whole_numbers_keeps_a_near_one(dimension: Int, u: float) -> None:
    part, (low, high) = zoom(dimension, u, u), dimension.int
    assert isinstance(part, Int)
    first, last = part.int
    assert first == last
    assert abs(first - (low + u * (high - low))) <= 0.5 + 1e-6


def test_the_whole_zoom_is_the_range_itself() -> None:
    for dimension in (RATE, BETA, Int(int=(1, 4)), Uniform(uniform=(0.0, 0.5)), Choice(choice=("a", "b"))):
        assert zoom(dimension, 0.0, 1.0) == dimension
