"""Coarse to fine: sizes, the box of the best, what is carried over, and the warning at the edge."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.searching.rounds import edges, in_range, next_space, ranked, round_sizes
from mlproj.searching.scales import contains, position, value_at
from mlproj.searching.trials import Trial, TrialState
from mlproj.spec.load import make_project
from mlproj.spec.project import Project
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Space, Uniform
from mlproj.spec.space import space_problems

LR = "training.learning_rate"
RATE: Space = {LR: Log(log=(1e-4, 1.0))}


def beta(low: float, high: float) -> OneMinusLog:
    return OneMinusLog(one_minus_log=(low, high))


def trial(
    number: int, params: dict[str, Any], error: float = 0.5, state: TrialState = "complete", **more: float
) -> Trial:
    return Trial(number, "cats/search-1/round-1", number, params, state, {"error": error, **more})


def trials_at(path: str, values: list[Any], errors: list[float] | None = None) -> list[Trial]:
    """One trial per value; the first are the best unless errors say otherwise."""
    errors = errors or [i / 100 for i in range(len(values))]
    return [trial(i, {path: value}, error) for i, (value, error) in enumerate(zip(values, errors, strict=True))]


def make(**more: Any) -> Project:
    return make_project({"name": "cats", "data": {"source": "app.csv", "label": "y"}} | more)


@pytest.mark.parametrize(
    ("trials", "rounds", "sampler", "sizes"),
    [
        (64, 2, "random", (32, 32)),
        (65, 2, "tpe", (33, 32)),
        (20, 3, "qmc", (7, 7, 6)),
        (64, 2, "grid", (64,)),
        (15, 2, "random", (15,)),
        (16, 2, "random", (8, 8)),
        (64, 1, "random", (64,)),
        (16, 100, "random", (1,) * 16),
        (1, 2, "tpe", (1,)),
    ],
)
def test_trials_are_shared_evenly_over_the_rounds(
    trials: int, rounds: int, sampler: str, sizes: tuple[int, ...]
) -> None:
    assert round_sizes(trials, rounds, sampler) == sizes


@given(st.integers(1, 10_000), st.integers(1, 100), st.sampled_from(["random", "tpe", "qmc", "grid"]))
def test_no_trial_is_lost_between_rounds(trials: int, rounds: int, sampler: str) -> None:
    sizes = round_sizes(trials, rounds, sampler)
    assert sum(sizes) == trials
    assert sorted(sizes, reverse=True) == list(sizes)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) > 0


def test_the_best_come_first_and_the_earlier_of_equals() -> None:
    some = [
        trial(0, {}, 0.2),
        trial(1, {}, 0.1, state="failed"),
        trial(2, {}, 0.1),
        trial(3, {}, 0.1, loss=0.3),
        trial(4, {}, 0.1, loss=0.2),
        trial(5, {}, 0.1),
        trial(6, {}, 0.05, state="running"),
    ]
    assert [each.number for each in ranked(some, "error", {})] == [4, 3, 2, 5, 0]
    scores = [Trial(i, "s", i, {}, "complete", {"f1": value}) for i, value in enumerate([0.5, float("nan"), 0.9])]
    assert [each.number for each in ranked(scores, "f1", {})] == [2, 0, 1]


def test_feasible_trials_come_first_then_the_least_violating() -> None:
    some = [
        trial(0, {}, 0.1, recall=0.5),
        trial(1, {}, 0.9, recall=0.95),
        trial(2, {}, 0.2, recall=0.9),
        trial(3, {}, 0.0),
    ]
    assert [each.number for each in ranked(some, "error", {"recall": ">= 0.95"})] == [1, 2, 0, 3]


def test_the_next_round_is_the_box_of_the_five_best_widened_by_a_tenth() -> None:
    best = [1e-3, 1e-2, 3e-3, 2e-3, 5e-3]
    box = next_space(RATE, RATE, trials_at(LR, best + [1e-4, 1.0] * 7), "error", {})[LR]
    assert isinstance(box, Log)
    assert box.log == pytest.approx((10**-3.4, 10**-1.6))


def test_a_fifth_of_many_trials_makes_the_box() -> None:
    values = [value_at(RATE[LR], 0.4 + i / 1000) for i in range(63)]
    box = next_space(RATE, RATE, trials_at(LR, values), "error", {})[LR]
    assert position(RATE[LR], value_at(box, 1.0)) == pytest.approx(0.412 + 0.1)
    # 62 trials: 12.4 are 12; 63: 12.6 are 13
    box = next_space(RATE, RATE, trials_at(LR, values[:62]), "error", {})[LR]
    assert position(RATE[LR], value_at(box, 1.0)) == pytest.approx(0.411 + 0.1)


def test_the_box_is_widened_by_the_width_of_the_last_round_and_may_leave_it() -> None:
    current: Space = {LR: Log(log=(1e-3, 1e-1))}
    box = next_space(RATE, current, trials_at(LR, [1e-3, 1e-2, 2e-3, 5e-3, 3e-3]), "error", {})[LR]
    assert isinstance(box, Log)
    assert box.log == pytest.approx((10**-3.2, 10**-1.8))
    box = next_space(RATE, current, trials_at(LR, [1e-4, 1.0, 2e-3, 5e-3, 3e-3]), "error", {})[LR]
    assert box == RATE[LR]  # cut off where the declared range ends


def test_beta_is_narrowed_on_one_minus_beta() -> None:
    space: Space = {"training.beta1": beta(0.9, 0.999)}
    box = next_space(space, space, trials_at("training.beta1", [0.99, 0.995, 0.98, 0.99, 0.99]), "error", {})
    low, high = (value_at(box["training.beta1"], u) for u in (0.0, 1.0))
    assert (np.log10(1 - low), np.log10(1 - high)) == pytest.approx((np.log10(0.02) + 0.2, np.log10(0.005) - 0.2))


def test_whole_numbers_keep_what_was_seen_and_choices_only_that() -> None:
    space: Space = {
        "model.width": Int(int=(16, 256)),
        "model.layers": Int(int=(1, 4)),
        "training.batch_size": Choice(choice=(32, 64, 128, 256)),
        "model.hidden": Choice(choice=([8], [8, 8], None)),
    }
    seen = [
        {"model.width": width, "model.layers": 2, "training.batch_size": size, "model.hidden": hidden}
        for width, size, hidden in [(64, 256, None), (60, 64, [8]), (64, 64, [8]), (90, 256, None), (70, 64, None)]
    ]
    box = next_space(space, space, [trial(i, each, i / 10) for i, each in enumerate(seen)], "error", {})
    assert box == {
        "model.width": Int(int=(36, 114)),
        "model.layers": Int(int=(2, 2)),
        "training.batch_size": Choice(choice=(64, 256)),
        "model.hidden": Choice(choice=([8], None)),
    }
    again = next_space(space, box, [trial(i, each, i / 10) for i, each in enumerate(seen)], "error", {})
    assert again["model.layers"] == Int(int=(2, 2))


def test_trials_that_miss_a_limit_do_not_shape_the_box_unless_all_do() -> None:
    low = [trial(i, {LR: 1e-3}, 0.1, recall=0.5 + i / 100) for i in range(6)]
    high = [trial(i, {LR: 0.1}, 0.5, recall=0.99) for i in range(6, 8)]
    box = next_space(RATE, RATE, low + high, "error", {"recall": ">= 0.95"})[LR]
    assert isinstance(box, Log)
    assert box.log == pytest.approx((10**-1.4, 10**-0.6))
    missing = [trial(i, {LR: 10**-i}, 0.1, recall=1 - i / 10) for i in range(6)]
    box = next_space({LR: Log(log=(1e-6, 1.0))}, RATE, missing, "error", {"recall": ">= 2"})[LR]
    assert isinstance(box, Log)
    assert box.log == pytest.approx((10**-4.4, 1.0))  # the five least violating


def test_without_a_finished_trial_the_space_stays() -> None:
    current: Space = {LR: Log(log=(1e-3, 1e-2))}
    assert next_space(RATE, current, [trial(0, {LR: 0.1}, state="failed")], "error", {}) == current


DIMENSIONS: st.SearchStrategy[Dimension] = st.sampled_from(
    [
        Log(log=(1e-4, 1.0)),
        beta(0.0, 0.999),
        Uniform(uniform=(-1.0, 0.5)),
        Int(int=(1, 4)),
        Int(int=(16, 256)),
        Choice(choice=("a", None, [1])),
    ]
)
PLACES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(DIMENSIONS, PLACES, PLACES)
def test_the_best_always_lie_in_the_next_space(dimension: Dimension, first: list[float], second: list[float]) -> None:
    declared: Space = {"key": dimension}
    one = trials_at("key", [value_at(dimension, u) for u in first])
    current = next_space(declared, declared, one, "error", {})
    two = [trial(100 + i, {"key": value_at(current["key"], u)}, i / 90) for i, u in enumerate(second)]
    box = next_space(declared, current, one + two, "error", {})
    for each in ranked(one + two, "error", {})[: max(5, int(0.2 * len(one + two) + 0.5))]:
        assert contains(box["key"], each.params["key"])
        assert each in in_range(box, [each])
    for u in (0.0, 0.3, 1.0):
        assert contains(dimension, value_at(box["key"], u))


def test_finished_trials_inside_are_carried_over() -> None:
    space: Space = {LR: Log(log=(1e-3, 1e-2)), "model.hidden": Choice(choice=([8], None))}
    some = [
        trial(0, {LR: 1e-3, "model.hidden": None}),
        trial(1, {LR: 2e-2, "model.hidden": None}),
        trial(2, {LR: 2e-3, "model.hidden": [8, 8]}),
        trial(3, {LR: 5e-3, "model.hidden": [8]}, state="failed"),
        trial(4, {LR: 1e-2, "model.hidden": [8]}),
    ]
    assert [each.number for each in in_range(space, some)] == [0, 4]


@pytest.mark.parametrize(
    ("path", "dimension", "value", "end", "widened"),
    [
        (LR, Log(log=(1e-4, 1e-1)), 0.08, "upper", Log(log=(1e-4, 1.0))),
        (LR, Log(log=(1e-4, 1e-1)), 1.3e-4, "lower", Log(log=(1e-5, 1e-1))),
        (LR, Log(log=(1e-4, 1e-1)), 0.05, None, None),
        ("training.beta1", beta(0.9, 0.999), 0.9988, "upper", beta(0.9, 0.9999)),
        ("training.beta1", beta(0.9, 0.999), 0.9, "lower", beta(0.0, 0.999)),
        ("training.beta1", beta(0.99, 0.999), 0.99, "lower", beta(0.9, 0.999)),
        ("training.beta1", beta(0.0, 0.999), 0.0, None, None),
        ("model.dropout", Uniform(uniform=(0.0, 0.5)), 0.49, "upper", Uniform(uniform=(0.0, 0.75))),
        ("model.dropout", Uniform(uniform=(0.0, 0.5)), 0.0, None, None),
        ("model.dropout", Uniform(uniform=(0.1, 0.5)), 0.1, "lower", Uniform(uniform=(0.0, 0.5))),
        ("model.dropout", Uniform(uniform=(0.0, 0.8)), 0.8, "upper", Uniform(uniform=(0.0, 0.9))),
        ("model.layers", Int(int=(1, 4)), 4, "upper", Int(int=(1, 8))),
        ("model.layers", Int(int=(1, 4)), 1, None, None),
        ("model.layers", Int(int=(1, 64)), 64, None, None),
        ("model.layers", Int(int=(1, 40)), 40, "upper", Int(int=(1, 64))),
        ("model.width", Int(int=(16, 256)), 20, "lower", Int(int=(8, 256))),
        ("model.width", Int(int=(16, 256)), 28, "lower", Int(int=(8, 256))),
        ("model.width", Int(int=(16, 256)), 29, None, None),
        ("training.l2", Log(log=(1e-6, 1e-1)), 0.1, "upper", Log(log=(1e-6, 1.0))),
        ("training.schedule.decay", Log(log=(1e-3, 1.0)), 1.0, "upper", Log(log=(1e-3, 10.0))),
        ("training.clip_norm", Uniform(uniform=(1.0, 5.0)), 1.0, "lower", Uniform(uniform=(0.5, 5.0))),
        ("training.batch_size", Choice(choice=(32, 64)), 64, None, None),
    ],
)  # fmt: skip
def test_a_best_value_at_an_end_is_named_with_a_wider_range(
    path: str, dimension: Dimension, value: Any, end: str | None, widened: Dimension | None
) -> None:
    project = make(training={"schedule": {"kind": "inverse_time"}})
    found = edges(project, {path: dimension}, {path: value})
    assert [(edge.path, edge.value, edge.end, edge.dimension, edge.widened) for edge in found] == (
        [(path, value, end, dimension, widened)] if end else []
    )
    assert not [problem for edge in found for problem in space_problems(project, {path: edge.widened})]


def test_every_edge_of_the_best_trial_is_found_and_the_declared_range_counts() -> None:
    space: Space = {**RATE, "model.width": Int(int=(16, 256)), "model.dropout": Uniform(uniform=(0.0, 0.5))}
    params = {LR: 0.9, "model.width": 256, "model.dropout": 0.2}
    assert [(edge.path, edge.end) for edge in edges(make(), space, params)] == [(LR, "upper"), ("model.width", "upper")]
