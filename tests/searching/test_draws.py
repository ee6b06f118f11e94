"""Draws: by number alone, as their scales say, and spread as each sampler promises."""

import hashlib
import math
import random
import sys
import time
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import qmc

from mlproj.errors import InvalidInput
from mlproj.searching.draws import combination_of, draw, grid_levels, grid_size, n_combinations
from mlproj.searching.scales import contains, position
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Space, Uniform

Sampler = Literal["random", "grid", "qmc"]
SPACE: dict[str, Dimension] = {
    "training.learning_rate": Log(log=(1e-4, 1.0)),
    "training.beta1": OneMinusLog(one_minus_log=(0.9, 0.999)),
    "model.width": Int(int=(16, 128)),
    "model.dropout": Uniform(uniform=(0.0, 0.5)),
    "training.batch_size": Choice(choice=(32, 64, 128, 256)),
}
STUDY = "cats/search-1/round-1"
TWO: dict[str, Dimension] = {path: SPACE[path] for path in ("training.learning_rate", "model.dropout")}


def draws(sampler: Sampler, space: Space, n: int, seed: int, study: str = STUDY) -> list[dict[str, Any]]:
    return [draw(sampler, space, seed=seed, study=study, k=k, n=n) for k in range(n)]


def places(space: Space, drawn: list[dict[str, Any]]) -> Any:
    return np.array([[position(dimension, each[path]) for path, dimension in space.items()] for each in drawn])


@pytest.mark.parametrize("sampler", ["random", "grid", "qmc"])
def test_a_draw_depends_on_seed_study_and_number_alone(sampler: Sampler, seed: int) -> None:
    n = grid_size(SPACE, 64)
    first = draws(sampler, SPACE, n, seed)
    assert all(contains(SPACE[path], value) for each in first for path, value in each.items())
    numbers = random.Random(seed).sample(range(n), n)
    backwards: Space = dict(reversed(SPACE.items()))
    for k in numbers:
        assert draw(sampler, SPACE, seed=seed, study=STUDY, k=k, n=n) == first[k]
        if sampler != "grid":
            assert draw(sampler, backwards, seed=seed, study=STUDY, k=k, n=10**6) == first[k]
    assert draws(sampler, SPACE, n, seed + 1) != first
    assert draws(sampler, SPACE, n, seed, "cats/search-1/round-2") != first
    assert [list(each) for each in first] == [list(SPACE)] * n


def test_draws_are_the_same_for_ever() -> None:
    drawn = draw("random", SPACE, seed=0, study=STUDY, k=0, n=64)
    assert drawn == pytest.approx(
        {
            "training.learning_rate": 0.3244657086185755,
            "training.beta1": 0.9872883423658115,
            "model.width": 101,
            "model.dropout": 0.035674826917788734,
            "training.batch_size": 256,
        },
        rel=1e-12,
    )


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_each_key_is_drawn_as_its_scale_says(sampler: Sampler, seed: int) -> None:
    drawn = draws(sampler, SPACE, 2048, seed)
    where = dict(zip(SPACE, places(SPACE, drawn).T, strict=True))
    for path in ("training.learning_rate", "training.beta1", "model.dropout"):
        assert stats.kstest(where[path], "uniform").pvalue > 1e-6
    for path, n in (("model.width", 113), ("training.batch_size", 4)):
        counts = np.unique([each[path] for each in drawn], return_counts=True)[1]
        assert len(counts) == n
        assert stats.chisquare(counts).pvalue > 1e-6


def test_random_keys_know_nothing_of_each_other_or_of_the_draw_before(seed: int) -> None:
    where = places(SPACE, draws("random", SPACE, 1024, seed))
    assert np.abs(np.corrcoef(where.T) - np.eye(len(SPACE))).max() < 0.18
    assert np.abs([np.corrcoef(column[1:], column[:-1])[0, 1] for column in where.T]).max() < 0.18


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_25_points_show_25_values_of_each_key_where_a_grid_shows_5(sampler: Sampler, seed: int) -> None:
    drawn = draws(sampler, TWO, 25, seed)
    assert [len({each[path] for each in drawn}) for path in TWO] == [25, 25]
    grid = draws("grid", TWO, 25, seed)
    assert [len({each[path] for each in grid}) for path in TWO] == [5, 5]
    assert len({tuple(each.values()) for each in grid}) == 25


def test_qmc_is_spread_more_evenly_than_random(seed: int) -> None:
    even = qmc.discrepancy(places(TWO, draws("qmc", TWO, 64, seed)))
    chance = [qmc.discrepancy(places(TWO, draws("random", TWO, 64, other))) for other in range(seed, seed + 20)]
    assert even < min(chance)


def test_every_prefix_of_a_power_of_two_holds_one_qmc_point_per_stripe(seed: int) -> None:
    where = places(TWO, draws("qmc", TWO, 64, seed))
    for n in (2, 4, 8, 16, 32, 64):
        for column in where[:n].T:
            assert sorted(np.floor(column * n).astype(int)) == list(range(n))


def test_qmc_is_scipys_scrambled_sobol_sequence(seed: int) -> None:
    number = int.from_bytes(hashlib.sha256(repr((seed, STUDY)).encode()).digest()[:8])
    points = qmc.Sobol(2, scramble=True, rng=number).random_base2(5)[:, ::-1]  # by path: dropout comes first
    assert places(TWO, draws("qmc", TWO, 32, seed)) == pytest.approx(points, abs=1e-12)


def test_a_grid_holds_ends_choices_and_few_whole_numbers_completely() -> None:
    space: Space = {
        "training.learning_rate": Log(log=(1e-4, 1.0)),
        "model.layers": Int(int=(1, 4)),
        "model.init": Choice(choice=("he", "xavier")),
    }
    levels = grid_levels(space, 40)
    assert levels["training.learning_rate"] == pytest.approx((1e-4, 1e-3, 1e-2, 1e-1, 1.0))
    assert levels["model.layers"] == (1, 2, 3, 4)
    assert levels["model.init"] == ("he", "xavier")
    drawn = draws("grid", space, 40, seed=0)
    assert len({tuple(each.values()) for each in drawn}) == 40
    assert drawn != sorted(drawn, key=lambda each: list(map(str, each.values())))


def test_a_grid_too_small_for_both_ends_takes_the_middle() -> None:
    space: Space = TWO | {"model.layers": Int(int=(1, 3))}
    assert grid_levels(space, 1) == {"training.learning_rate": (1e-2,), "model.dropout": (0.25,), "model.layers": (2,)}
    assert {path: len(values) for path, values in grid_levels(space, 5).items()} == {
        "training.learning_rate": 2,
        "model.dropout": 2,
        "model.layers": 1,
    }


def test_a_grid_says_when_the_choices_alone_are_too_many() -> None:
    space: Space = {"a": Choice(choice=(1, 2, 3)), "b": Choice(choice=(1, 2)), "c": Log(log=(0.1, 1.0))}
    with pytest.raises(InvalidInput, match=r"search.trials: 5 trials are too few for a grid: .* make 6 combinations"):
        grid_size(space, 5)
    with pytest.raises(InvalidInput, match="Allow 6 trials, list fewer choices"):
        draw("grid", space, seed=0, study="s", k=0, n=5)
    assert grid_size(space, 6) == 6
    with pytest.raises(ValueError, match="a grid of 6 points has no point 6"):
        draw("grid", space, seed=0, study="s", k=6, n=6)


KINDS: st.SearchStrategy[Dimension] = st.one_of(
    st.just(Log(log=(1e-4, 1.0))),
    st.integers(1, 40).map(lambda n: Int(int=(1, 1 + n))),
    st.integers(1, 4).map(lambda n: Choice(choice=tuple(range(n)))),
)


@given(st.lists(KINDS, min_size=1, max_size=7), st.integers(1, 5000))
def test_a_grid_fills_what_it_may_and_no_more(dimensions: list[Dimension], n: int) -> None:
    space = {f"key{i}": dimension for i, dimension in enumerate(dimensions)}
    least = math.prod(len(each.choice) for each in dimensions if isinstance(each, Choice))
    if least > n:
        return
    levels = grid_levels(space, n)
    size = math.prod(map(len, levels.values()))
    assert size <= n
    for path, dimension in space.items():
        values, most = levels[path], math.inf
        assert len(set(values)) == len(values)
        if isinstance(dimension, Choice):
            assert values == dimension.choice
        elif isinstance(dimension, Int):
            most = dimension.int[1] - dimension.int[0] + 1
        if len(values) > 1 and not isinstance(dimension, Choice):
            assert position(dimension, values[0]) == 0
            assert position(dimension, values[-1]) == 1
        if not isinstance(dimension, Choice):  # nothing that would have fitted is left out
            assert len(values) == most or size // len(values) * (len(values) + 1) > n


def test_a_large_grid_is_drawn_as_fast_as_any(seed: int) -> None:
    start = time.process_time()
    n = grid_size(TWO, 10_000)
    assert n == 10_000
    for k in range(500):
        draw("grid", TWO, seed=seed, study="s", k=k, n=n)
    assert time.process_time() - start < 2


FINITE: dict[str, Dimension] = {"model.layers": Int(int=(1, 4)), "model.hidden": Choice(choice=(None, (8,), (8, 4)))}


def test_random_draws_repeat_no_combination_before_all_were_drawn(seed: int) -> None:
    assert n_combinations(FINITE) == 12
    for n in (5, 12):
        drawn = draws("random", FINITE, n, seed)
        assert len({combination_of(FINITE, params) for params in drawn}) == n
        assert [draw("random", dict(reversed(FINITE.items())), seed=seed, study=STUDY, k=0, n=n)] == drawn[:1]
    taken = frozenset({0, 3, 7})
    rest = [draw("random", FINITE, seed=seed, study=STUDY, k=k, n=9, taken=taken) for k in range(9)]
    assert sorted(combination_of(FINITE, params) for params in rest) == sorted(set(range(12)) - taken)


def test_a_space_too_large_to_list_is_drawn_from_as_well(seed: int) -> None:
    space = {f"model.args.{name}": Int(int=(0, 10**6)) for name in "abc"}
    drawn = draws("random", space, 64, seed)
    assert len({combination_of(space, params) for params in drawn}) == 64
    assert n_combinations(space | {"training.l2": SPACE["training.learning_rate"]}) == sys.maxsize
