"""Who goes on at a rung and who ends there: answers known by counting."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from mlproj.records import Answers, Fit, History, Outcome, Predictions
from mlproj.searching.halving import ETA, Referee, Rung, n_to_keep, rungs_of, standing
from mlproj.searching.importance import importance
from mlproj.searching.rounds import next_space
from mlproj.searching.trials import Judgement, Trial
from mlproj.spec.search import Log, Space

SPACE: Space = {"training.learning_rate": Log(log=(1e-4, 1.0))}


def errors(values: Mapping[int, float]) -> dict[int, dict[str, float]]:
    return {number: {"error": value, "loss": value} for number, value in values.items()}


def shown(values: Mapping[int, float]) -> dict[int, dict[str, float]]:
    """What an engine reports, by position."""
    return {place: {"train/loss": 9.0, "dev/error": value, "dev/loss": value} for place, value in values.items()}


def pruned(number: int, *rungs: float, rate: float = 0.01) -> Trial:
    seen = {level: {"error": value, "loss": value} for level, value in enumerate(rungs)}
    params = {"training.learning_rate": rate}
    return Trial(number, "cats/search-1/round-1", number, params, "pruned", metrics=seen[len(rungs) - 1], rungs=seen)


def stopped(error: float, epochs: int) -> Fit:
    """A training that ended by itself."""
    answers = Answers(np.zeros(1, np.int64), np.zeros(1, np.int64), ("no", "yes"))
    history = History({"dev/error": (error,) * epochs, "dev/loss": (error,) * epochs})
    predictions = Predictions(np.array(["a"]), np.array(["dev"]), {"": answers})
    metrics = {"dev": {"error": error, "loss": error}}
    return Fit({}, history, Outcome("early_stopped", ""), predictions, 1, None, metrics, {}, 1.0)


def test_rungs_are_shares_of_all_epochs() -> None:
    assert [rungs_of(n) for n in (1, 3, 4, 20, 27, 1000)] == [(), (), (1,), (2, 7), (1, 3, 9), (37, 111, 333)]
    assert all(0 < rung < epochs for epochs in range(4, 400) for rung in rungs_of(epochs))


def test_of_those_that_arrive_together_the_best_third_goes_on() -> None:
    arrived = errors({number: 0.1 * number for number in range(9)})
    assert Rung("error", {}).judge(arrived) == {3, 4, 5, 6, 7, 8}
    assert Rung("accuracy", {}).judge({n: {"accuracy": v["error"]} for n, v in arrived.items()}) == {0, 1, 2, 3, 4, 5}


def test_one_after_the_other_each_is_held_against_those_before_it() -> None:
    rung, ended = Rung("error", {}), list[int]()
    for number, error in enumerate((0.5, 0.4, 0.45, 0.3, 0.2, 0.25, 0.1)):
        ended += rung.judge(errors({number: error}))
    assert ended == [2]  # 0.45 was second of three; 0.25 was second of six
    assert rung.judge(errors({7: 0.24})) == {7}  # the best two of eight are 0.1 and 0.2


def test_below_three_nobody_is_ended() -> None:
    assert Rung("error", {}).judge(errors({0: 0.1, 1: 0.9})) == set()
    assert [n_to_keep(n) for n in range(1, ETA)] == list(range(1, ETA))


def test_a_limit_comes_before_the_metric_and_the_loss_breaks_ties() -> None:
    values = {
        0: {"error": 0.01, "recall": 0.5, "loss": 0.1},
        1: {"error": 0.30, "recall": 0.9, "loss": 0.7},
        2: {"error": 0.30, "recall": 0.9, "loss": 0.6},
    }
    assert Rung("error", {"recall": ">= 0.8"}).judge(values) == {0, 1}
    assert Rung("error", {}).judge(values) == {1, 2}


def test_latency_is_not_known_at_a_rung_and_counts_for_nothing() -> None:
    assert Rung("error", {"latency_ms": "<= 1"}).judge(errors({0: 0.3, 1: 0.1, 2: 0.2})) == {0, 2}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_outlives_nothing_that_is_one(bad: float) -> None:
    values = dict.fromkeys(range(8), bad) | {8: 0.9}
    assert Rung("error", {}).judge(errors(values)) == set(range(8))


def test_who_was_judged_stays_judged() -> None:
    rung, first = Rung("error", {}), errors({0: 0.1, 1: 0.2, 2: 0.3})
    assert rung.judge(first) == {1, 2}
    assert rung.judge(errors({0: 0.9, 1: 0.0})) == {1}  # trained again because a worker died
    assert rung.judge(errors({3: 0.05})) == set()


def test_of_equals_the_earlier_trial_goes_on() -> None:
    assert Rung("error", {}).judge(errors({4: 0.2, 3: 0.2, 5: 0.2})) == {4, 5}


def test_a_judgement_stands_though_trials_come_again_in_another_order() -> None:
    """One after the other 0.5, 0.4 and 0.3 would all be first; the other way round two of them would end."""
    written: list[Judgement] = []
    values, first = {0: 0.5, 1: 0.4, 2: 0.3, 3: 0.35}, Referee("error", {}, write=written.extend)
    for number in values:
        first.enter(number, 27)
    assert [first.on_rung(1, shown({place: values[place]})) for place in values] == [set(), set(), set(), {3}]
    assert [(each.number, each.level, each.is_dropped) for each in written] == [
        (0, 0, False), (1, 0, False), (2, 0, False), (3, 0, True),
    ]  # fmt: skip
    again, more = Referee("error", {}, judged=reversed(written), write=written.extend), len(written)
    for number in (3, 2, 1, 0, 4):
        again.enter(number, 27)
    assert [again.on_rung(1, shown({place: values[3 - place]})) for place in range(4)] == [{0}, set(), set(), set()]
    assert len(written) == more
    assert again.on_rung(1, shown({4: 0.33})) == {4}  # second of five


def test_what_arrives_together_is_written_down_together_and_before_anybody_hears_of_it() -> None:
    writes: list[list[int]] = []

    def write(judgements: Sequence[Judgement]) -> None:
        writes.append([each.number for each in judgements])
        raise OSError

    referee = Referee("error", {}, write=write)
    for number in range(3):
        referee.enter(number, 27)
    with pytest.raises(OSError):  # noqa: PT011
        referee.on_rung(1, shown({0: 0.1, 1: 0.2, 2: 0.3}))
    assert writes == [[0, 1, 2]]


def test_who_stopped_before_a_rung_is_a_rival_there() -> None:
    referee = Referee("error", {})
    for number in range(3):
        referee.enter(number, 27)
    for number, error in enumerate((0.1, 0.3)):  # after two epochs, before the rungs at 3 and 9
        trial = Trial(number, "s", number, {}, "running")
        assert set(referee.end(trial, stopped(error, epochs=2)).rungs) == {0, 1, 2}
    assert referee.on_rung(3, shown({2: 0.2})) == {2}


def test_positions_are_told_apart_from_numbers_and_levels_by_share() -> None:
    """The second round begins at trial 32; trainings of 6 and of 18 epochs meet after a third of their own."""
    referee = Referee("error", {})
    assert [referee.enter(32 + k, epochs) for k, epochs in enumerate((6, 18, 6))] == [(2,), (2, 6), (2,)]
    assert referee.on_rung(2, shown({0: 0.2, 1: 0.9, 2: 0.3})) == set()  # a ninth of 18, where it is alone
    assert referee.on_rung(6, shown({1: 0.25})) == {1}  # second of three after a third


def test_after_a_cut_the_same_rivals_are_remembered() -> None:
    known = [pruned(0, 0.2), pruned(1, 0.1, 0.1), pruned(2, 0.3)]
    fresh, resumed = Referee("error", {}), Referee("error", {}, known)
    for referee in (fresh, resumed):
        referee.enter(3, 27)
    assert fresh.on_rung(1, shown({0: 0.25})) == set()
    assert resumed.on_rung(1, shown({0: 0.25})) == {0}


def test_who_came_further_stands_higher_whatever_the_values_say() -> None:
    trials = [pruned(0, 0.1), pruned(1, 0.5, 0.4), pruned(2, 0.5, 0.3), pruned(3, 0.05)]
    assert [trial.number for trial in standing(trials, "error", {})] == [2, 1, 3, 0]


def test_the_next_round_looks_around_those_that_were_ended_last_too() -> None:
    complete = Trial(9, "s", 9, {"training.learning_rate": 0.01}, "complete", metrics={"error": 0.5})
    near = [pruned(n, 0.5, 0.4, rate=0.01 + 0.001 * n) for n in range(4)]
    far = [pruned(n, 0.01, rate=1e-4) for n in range(4, 8)]
    space = next_space(SPACE, SPACE, [complete, *near, *far], "error", {})["training.learning_rate"]
    assert isinstance(space, Log)
    assert space.log[0] > 1e-3


def test_the_next_round_is_not_a_box_around_the_few_that_finished_when_halving_ended_the_others() -> None:
    finished = [Trial(n, "s", n, {"training.learning_rate": 0.01}, "complete", metrics={"error": 0.1}) for n in (8, 9)]
    others = [pruned(n, 0.5, rate=rate) for n, rate in enumerate((1e-3, 0.1, 0.01))]
    space = next_space(SPACE, SPACE, [*finished, *others], "error", {})["training.learning_rate"]
    assert isinstance(space, Log)
    assert space.log[0] < 1e-3
    assert space.log[1] > 0.1


def test_what_mattered_is_told_from_the_order_of_all() -> None:
    """A rate far from 0.01 is ended at the first rung, with values that are better than those of the finished ones."""
    rates = [10 ** (-4 + 4 * k / 39) for k in range(40)]
    trials = []
    for number, rate in enumerate(rates):
        distance = abs(math.log10(rate) + 2)
        params = {"training.learning_rate": rate, "training.l2": [1e-4, 1e-2, 1e-3][number % 3]}
        done = Trial(number, "s", number, params, "complete", metrics={"error": 0.5 + distance / 10})
        early = Trial(number, "s", number, params, "pruned", rungs={1: {"error": 0.01 * distance}})
        trials.append(done if distance < 0.5 else early)
    space: Space = {**SPACE, "training.l2": Log(log=(1e-5, 1e-1))}
    assert importance(trials, space, "error")[1] == ("training.learning_rate",)
