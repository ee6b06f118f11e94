"""Searches in Optuna: what its own client reads, and what is left after a crash between any two records."""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.search_space import intersection_search_space
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from mlproj.searching.draws import draw
from mlproj.searching.round import Round
from mlproj.searching.rounds import ranked
from mlproj.searching.storage import explained, open_storage
from mlproj.searching.studies import SearchStudy, begin_study, latest_study
from mlproj.searching.trials import Judgement, Trial
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Uniform

SPACE: dict[str, Dimension] = {
    "training.learning_rate": Log(log=(1e-4, 1.0)),
    "training.beta1": OneMinusLog(one_minus_log=(0.9, 0.999)),
    "model.width": Int(int=(16, 128)),
    "model.dropout": Uniform(uniform=(0.0, 0.5)),
    "model.hidden": Choice(choice=([64, 32], None, True, "a", 0.5)),
}
PARAMS = {
    "training.learning_rate": 0.01,
    "training.beta1": 0.99,
    "model.width": 64,
    "model.dropout": 0.25,
    "model.hidden": [64, 32],
}
GOAL: dict[str, Any] = {"optimize": "error", "satisfy": {"recall": ">= 0.9", "latency_ms": "< 20"}, "seed": 0}
GOOD = {"error": 0.1, "recall": 0.95, "latency_ms": 5.0, "loss": 0.3}
RESULT = {"metrics": GOOD, "seconds": 1.5, "epochs": 0, "rungs": {}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power failure is played here, so nothing has to reach the disk at once."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "optuna.journal"


@pytest.fixture(params=["journal", "database"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStorage]:
    """Each kind of storage."""
    url = f"sqlite:///{tmp_path}/studies.db" if request.param == "database" else None
    storage = open_storage(tmp_path / "optuna.journal", url)
    yield storage
    storage.remove_session()


@pytest.fixture
def study(journal: Path) -> SearchStudy:
    return begin_study(open_storage(journal), "cats", {}, **GOAL)


def optunas(journal: Path, name: str) -> optuna.Study:
    """A study as Optuna's own client opens it."""
    with explained():
        return optuna.load_study(study_name=name, storage=JournalStorage(JournalFileBackend(str(journal))))


def some(round_: Round, number: int) -> Mapping[str, Any]:
    return draw("random", round_.space, seed=0, study=round_.name, k=number, n=0)


# ---------------------------------------------------------------- searches


def test_searches_are_numbered_and_the_newest_is_found(storage: BaseStorage) -> None:
    assert latest_study(storage, "cats") is None
    names = [
        begin_study(storage, project, {"n": 1}, **GOAL).name for project in ("cats", "cats", "cat", "cats.", "cats")
    ]
    assert names == ["cats/search-1", "cats/search-2", "cat/search-1", "cats./search-1", "cats/search-3"]
    found = latest_study(storage, "cats")
    assert found is not None
    assert (found.name, dict(found.plan), found.ended) == ("cats/search-3", {"n": 1}, None)
    assert latest_study(storage, "ca") is None


def test_what_a_search_is_outlives_its_process(storage: BaseStorage) -> None:
    plan = {"project": "name: é\n" * 20, "sizes": [3, 2], "none": None}
    study = begin_study(storage, "cats", plan, **GOAL)
    study.update_plan(run_id="abc")
    study.update_plan(name="x", none=1)
    study.end("budget")
    found = latest_study(storage, "cats")
    assert found is not None
    assert found.plan == {**plan, "run_id": "abc", "name": "x", "none": 1}
    assert found.ended == "budget"
    found.end(None)
    assert study.ended is None


def test_a_search_that_was_cut_off_before_it_began_is_begun_by_the_next(storage: BaseStorage) -> None:
    with explained():
        optuna.create_study(study_name="cats/search-1/round-1", storage=storage)
    assert latest_study(storage, "cats") is None
    assert begin_study(storage, "cats", {}, **GOAL).name == "cats/search-1"
    with explained():
        optuna.create_study(study_name="cats/search-2/round-1", storage=storage)
    assert begin_study(storage, "cats", {}, **{**GOAL, "optimize": "accuracy"}).name == "cats/search-3"


@pytest.mark.parametrize(
    ("metric", "way"), [("error", "MINIMIZE"), ("rmse", "MINIMIZE"), ("f1", "MAXIMIZE"), ("r2", "MAXIMIZE")]
)
def test_losses_are_minimised_and_scores_maximised(journal: Path, metric: str, way: str) -> None:
    begin_study(open_storage(journal), "cats", {}, **{**GOAL, "optimize": metric}).open_round(0, SPACE)
    assert optunas(journal, "cats/search-1/round-1").direction.name == way


# ---------------------------------------------------------------- trials


def test_a_trial_is_in_optuna_what_it_is_here(journal: Path, study: SearchStudy) -> None:
    round_ = study.open_round(0, SPACE)
    asked = round_.ask(7, PARAMS)
    assert (asked.number, asked.index, asked.state, asked.params) == (7, 0, "running", PARAMS)
    assert optunas(journal, round_.name).trials[0].state == TrialState.RUNNING
    trial = round_.tell(round_.begun(asked, "run7"), GOOD, 1.5)
    expected = Trial(7, "cats/search-1/round-1", 0, PARAMS, "complete", GOOD, "run7", "", 1.5)
    assert trial == expected
    assert round_.trials() == [expected]
    frozen = optunas(journal, round_.name).trials[0]
    assert frozen.params == {
        "training.learning_rate": 0.01,
        "1-training.beta1": pytest.approx(0.01),
        "model.width": 64,
        "model.dropout": 0.25,
        "model.hidden": "[64, 32]",
    }
    assert (frozen.value, frozen.constraints) == (0.1, {"recall": 0.0, "latency_ms": 0.0})
    assert frozen.user_attrs == {"number": 7, "run_id": "run7", "result": RESULT}


def test_a_trial_that_was_ended_early_is_pruned_in_optuna_with_its_value_there(
    journal: Path, study: SearchStudy
) -> None:
    round_ = study.open_round(0, SPACE)
    rungs = {1: GOOD | {"error": 0.4}, 2: GOOD | {"error": 0.3}}
    told = round_.tell(replace(round_.ask(0, PARAMS), state="pruned", epochs=7, rungs=rungs), GOOD, 1.0)
    assert round_.trials() == [told]
    assert (told.state, told.epochs, told.rungs, told.metrics) == ("pruned", 7, rungs, GOOD)
    assert round_.unfinished([0]) == []
    frozen = optunas(journal, round_.name).trials[0]
    assert (frozen.state, frozen.value, frozen.intermediate_values) == (TrialState.PRUNED, 0.3, {7: 0.3})
    assert told.last_seen == rungs[2]


def test_a_pruned_trial_without_a_number_is_pruned_all_the_same(journal: Path, study: SearchStudy) -> None:
    round_ = study.open_round(0, SPACE)
    nothing = {"error": math.nan}
    told = round_.tell(replace(round_.ask(0, PARAMS), state="pruned", epochs=2, rungs={1: nothing}), nothing, 1.0)
    assert (told.state, optunas(journal, round_.name).trials[0].value) == ("pruned", None)
    study.open_round(1, SPACE, [told])
    assert study.find_round(1) is not None


def test_a_pruned_trial_is_carried_over_with_its_value(journal: Path, study: SearchStudy) -> None:
    round_ = study.open_round(0, SPACE)
    rungs = {1: GOOD | {"error": 0.3}}
    told = round_.tell(replace(round_.ask(0, PARAMS), state="pruned", epochs=7, rungs=rungs), GOOD, 1.0)
    second = study.open_round(1, SPACE, [told])
    first, theirs = (optunas(journal, name).trials[0] for name in (round_.name, second.name))
    assert (theirs.state, theirs.value, theirs.intermediate_values) == (TrialState.PRUNED, 0.3, {7: 0.3})
    assert (first.state, first.value, first.intermediate_values) == (theirs.state, 0.3, theirs.intermediate_values)


def test_judgements_outlive_the_process_in_all_kinds_of_storage(storage: BaseStorage) -> None:
    study = begin_study(storage, "cats", {}, **GOAL)
    round_, other = study.open_round(0, SPACE), study.open_round(1, SPACE)
    together = [
        Judgement(0, 1, {"error": 0.1}, is_dropped=False),
        Judgement(1, 1, {"error": math.inf}, is_dropped=True),
    ]
    later = [Judgement(0, 2, {"error": 0.05}, is_dropped=False)]
    for judgements in (together, later):
        round_.note(judgements)
    found = study.find_round(0)
    assert found is not None
    assert sorted(found.judged(), key=lambda each: (each.level, each.number)) == [*together, *later]
    assert other.judged() == []


def test_those_judged_together_are_one_record(journal: Path, study: SearchStudy) -> None:
    round_ = study.open_round(0, SPACE)
    before = journal.read_bytes().count(b"\n")
    round_.note([Judgement(number, 1, {"error": 0.1}, is_dropped=False) for number in range(64)])
    assert journal.read_bytes().count(b"\n") == before + 1


def suggested(*clusters: tuple[float, float, bool]) -> list[float]:
    """Rates that TPE draws after trials of a few (rate, error, whether they were ended early)."""
    ranges = {"training.learning_rate": SPACE["training.learning_rate"]}
    round_ = begin_study(optuna.storages.InMemoryStorage(), "cats", {}, **GOAL).open_round(0, ranges)
    for number in range(24):
        rate, error, is_early = clusters[number % len(clusters)]
        trial, metrics = (
            round_.ask(number, {"training.learning_rate": rate * (1 + 0.01 * number)}),
            GOOD | {"error": error},
        )
        early = replace(trial, state="pruned", epochs=2, rungs={1: metrics})
        round_.tell(early if is_early else trial, metrics, 1.0)
    asked = (round_.lose(round_.ask(number), "it would drive the next ones away") for number in range(24, 32))
    return [trial.params["training.learning_rate"] for trial in asked]


def test_tpe_learns_from_pruned_trials_as_from_others() -> None:
    assert suggested((0.5, 0.1, True), (0.01, 0.5, True)) == suggested((0.5, 0.1, False), (0.01, 0.5, False))


def test_tpe_holds_no_value_after_few_epochs_against_a_finished_one() -> None:
    """However small the error of a pruned trial, it counts as more than that of every complete one."""
    finished = (0.01, 0.5, False)
    assert suggested((0.5, 0.1, True), finished) == suggested((0.5, 0.9, False), finished)
    assert suggested((0.5, 0.1, True), finished) != suggested((0.5, 0.1, False), finished)


def test_all_kinds_of_storage_keep_trials(storage: BaseStorage) -> None:
    round_ = begin_study(storage, "cats", {}, **GOAL).open_round(0, SPACE)
    told = round_.tell(round_.begun(round_.ask(0, PARAMS), "a"), GOOD, 1.0)
    failed = round_.fail(round_.ask(1, PARAMS), "TypeError: no")
    lost = round_.lose(round_.begun(round_.ask(2, {**PARAMS, "model.hidden": None}), "c"), "cut off")
    assert [trial.state for trial in (told, failed, lost)] == ["complete", "failed", "lost"]
    found = latest_study(storage, "cats")
    assert found is not None
    again = found.find_round(0)
    assert again is not None
    assert again.space == SPACE
    assert again.trials() == [told, failed, lost]
    assert (failed.reason, lost.reason, lost.run_id) == ("TypeError: no", "cut off", "c")
    assert again.ask(3).state == "running"


def test_a_trial_keeps_its_parameters_to_the_last_digit(study: SearchStudy) -> None:
    space = SPACE | {"training.beta1": OneMinusLog(one_minus_log=(0.0, 0.999))}
    round_ = study.open_round(0, space)
    for number in range(40):
        trial = round_.ask(number, some(round_, number))
        again = round_.ask(100 + number, trial.params)
        assert again.params == trial.params
    for end in (0, 1):
        edge = {"training.learning_rate": (1e-4, 1.0)[end], "training.beta1": (0.0, 0.999)[end]}
        assert round_.ask(99, PARAMS | edge).params == PARAMS | edge


def test_violations_are_constraints_of_optuna(journal: Path, study: SearchStudy) -> None:
    round_ = study.open_round(0, SPACE)
    cases = [
        {"error": 0.1, "recall": 0.9, "latency_ms": 20.0},  # a strict limit that is only touched
        {"error": 0.1, "recall": 0.45, "latency_ms": 19.9},
        {"error": 0.1, "recall": math.nan},
    ]
    for number, metrics in enumerate(cases):
        round_.tell(round_.ask(number, PARAMS), metrics, 1.0)
    constraints = [trial.constraints for trial in optunas(journal, round_.name).trials]
    assert constraints[0]["recall"] == 0
    assert constraints[0]["latency_ms"] > 0
    assert constraints[1] == {"recall": 0.5, "latency_ms": 0.0}
    assert constraints[2] == {"recall": 1e9, "latency_ms": 1.0}


def test_optunas_best_trial_is_ours(journal: Path, study: SearchStudy, seed: int) -> None:
    round_ = study.open_round(0, SPACE)
    for number in range(20):
        u = draw(
            "random", {"e": Uniform(uniform=(0, 1)), "r": Uniform(uniform=(0.8, 1))}, seed=seed, study="", k=number, n=0
        )
        round_.tell(
            round_.ask(number, some(round_, number)), {"error": u["e"], "recall": u["r"], "latency_ms": 1.0}, 1.0
        )
    best = ranked(round_.trials(), GOAL["optimize"], GOAL["satisfy"])[0]
    assert optunas(journal, round_.name).best_trial.number == best.index


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_trial_whose_metric_is_no_number_has_failed(journal: Path, study: SearchStudy, value: float) -> None:
    round_ = study.open_round(0, SPACE)
    trial = round_.tell(round_.ask(0, PARAMS), {**GOOD, "error": value}, 1.0)
    assert (trial.state, trial.reason) == ("failed", f"error on dev is {value}")
    assert optunas(journal, round_.name).trials[0].state == TrialState.FAIL
    assert round_.unfinished([0]) == []


def test_other_metrics_may_be_no_numbers(study: SearchStudy) -> None:
    round_ = study.open_round(0, SPACE)
    round_.tell(round_.ask(0, PARAMS), {**GOOD, "loss": math.inf, "latency_ms": -math.inf, "recall": math.nan}, 1.0)
    metrics = round_.trials()[0].metrics
    assert (metrics["loss"], metrics["latency_ms"]) == (math.inf, -math.inf)
    assert math.isnan(metrics["recall"])


def test_what_was_cut_off_is_made_again_with_the_same_parameters(study: SearchStudy) -> None:
    round_ = study.open_round(0, SPACE)
    tried = [round_.ask(number, some(round_, number)) for number in range(4)]
    round_.tell(tried[0], GOOD, 1.0)
    round_.fail(tried[1], "no")
    round_.lose(tried[2], "cut off")
    assert round_.unfinished(range(6)) == [(2, tried[2].params), (3, tried[3].params), (4, None), (5, None)]
    again = round_.ask(2, tried[2].params)
    assert (again.index, again.key) == (4, "cats/search-1/round-1/4")
    round_.tell(again, GOOD, 1.0)
    assert [number for number, _ in round_.unfinished(range(6))] == [3, 4, 5]
    assert [trial.index for trial in round_.trials()] == [0, 1, 4, 3]


def test_a_trial_that_was_half_told_is_told_again_or_lost(journal: Path, study: SearchStudy) -> None:
    round_ = study.open_round(0, SPACE)
    for number in range(2):
        round_.ask(number, PARAMS)
        handle = optuna.Trial(round_._study, number)
        handle.set_user_attr("result", {"metrics": {}, "seconds": 0.0})
        handle.set_constraint("recall", 0.0)
        handle.set_user_attr("lost", "half lost")
    told = round_.tell(round_.trials()[0], GOOD, 2.0)
    assert (told.state, told.metrics, told.reason) == ("complete", GOOD, "")
    assert round_.lose(round_.trials()[1], "again").reason == "again"
    assert optunas(journal, round_.name).trials[0].constraints == {"recall": 0.0, "latency_ms": 0.0}


def test_trials_that_others_added_are_left_alone(journal: Path, study: SearchStudy) -> None:
    round_ = study.open_round(0, SPACE)
    theirs = optunas(journal, round_.name)
    theirs.enqueue_trial({"x": 1})
    theirs.tell(theirs.ask(), 0.0)
    theirs.enqueue_trial({"x": 1})
    ours = round_.ask(0, PARAMS)
    assert round_.trials() == [ours]
    assert round_.ask(1).number == 1


# ---------------------------------------------------------------- rounds


def narrow() -> dict[str, Dimension]:
    return SPACE | {
        "model.width": Int(int=(30, 30)),
        "model.hidden": Choice(choice=(None, True)),
        "training.learning_rate": Log(log=(0.001, 0.1)),
    }


def filled(study: SearchStudy, n: int = 12, first: int = 0, space: Mapping[str, Dimension] | None = None) -> Round:
    round_ = study.open_round(0, SPACE)
    for number in range(first, first + n):
        params = {**some(round_, number), "model.width": 30, "model.hidden": (None, True)[number % 2]}
        params["training.learning_rate"] = 10 ** -(1 + 2 * number / 20)
        metrics = {**GOOD, "error": number / 20, "recall": 0.8 + number / 20}
        round_.tell(round_.begun(round_.ask(number, params), f"run{number}"), metrics, 1.0)
    return round_


def test_a_round_brings_trials_along_in_its_own_ranges(journal: Path, study: SearchStudy) -> None:
    known = filled(study).trials()
    second = study.open_round(1, narrow(), known)
    assert (second.name, second.trials(), second.unfinished([12])) == ("cats/search-1/round-2", [], [(12, None)])
    first, theirs = optunas(journal, "cats/search-1/round-1"), optunas(journal, second.name)
    assert [t.user_attrs["from"] for t in theirs.trials] == list(range(12))
    assert [(t.value, t.constraints) for t in theirs.trials] == [(t.value, t.constraints) for t in first.trials]
    assert [t.params for t in theirs.trials] == [t.params for t in first.trials]
    assert theirs.best_trial.user_attrs["from"] == ranked(known, "error", GOAL["satisfy"])[0].number
    distributions = intersection_search_space(theirs.trials)
    assert distributions["training.learning_rate"] == optuna.distributions.FloatDistribution(0.001, 0.1, log=True)
    assert distributions["model.hidden"] == optuna.distributions.CategoricalDistribution(("null", "true"))
    assert set(distributions) == set(theirs.trials[0].params)


def test_a_round_that_was_cut_off_while_it_was_opened_is_completed(journal: Path, study: SearchStudy) -> None:
    known = filled(study).trials()
    before = journal.read_bytes().count(b"\n")
    study.open_round(1, narrow(), known)
    lines = journal.read_bytes().splitlines(keepends=True)
    for n in range(before, len(lines)):
        journal.write_bytes(b"".join(lines[:n]))
        again = latest_study(open_storage(journal), "cats")
        assert again is not None
        second = again.find_round(1) or again.open_round(1, narrow(), known)
        assert second.space == narrow()
        assert [t.user_attrs["from"] for t in optunas(journal, second.name).trials] == list(range(12))


def test_the_seeds_of_the_finalists_are_a_round_of_their_own(study: SearchStudy) -> None:
    assert study.find_round("seeds") is None
    round_ = study.open_round("seeds", SPACE)
    first, second = round_.ask(0, PARAMS), round_.ask(1, PARAMS)
    assert (first.params, first.key) == (second.params, "cats/search-1/seeds/0")
    found = study.find_round("seeds")
    assert found is not None
    assert found.trials() == [first, second]


# ---------------------------------------------------------------- TPE


def test_tpe_depends_on_seed_study_number_and_results_alone(tmp_path: Path) -> None:
    def ask(folder: str, seed: int, number: int, n: int, name: str = "cats") -> Mapping[str, Any]:
        path = tmp_path / folder
        study = latest_study(open_storage(path), name) or begin_study(
            open_storage(path), name, {}, **{**GOAL, "seed": seed}
        )
        if study.find_round(0) is None:
            filled(study, n)
        round_ = study.find_round(0)
        assert round_ is not None
        return round_.ask(number).params

    for n in (3, 12):  # before and after it begins to learn
        one = ask(f"a{n}", 0, 50, n)
        assert ask(f"b{n}", 0, 50, n) == one
        assert ask(f"c{n}", 0, 51, n) != one
        assert ask(f"d{n}", 1, 50, n) != one
        assert ask(f"e{n}", 0, 50, n, "dogs") != one


def test_tpe_samples_all_hyperparameters_of_a_second_round_jointly(
    study: SearchStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = study.open_round(1, narrow(), filled(study).trials())
    spaces: list[set[str]] = []
    usual = optuna.samplers.TPESampler.sample_relative

    def spy(self: optuna.samplers.TPESampler, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
        spaces.append(set(search_space))
        return usual(self, study, trial, search_space)

    monkeypatch.setattr(optuna.samplers.TPESampler, "sample_relative", spy)
    trial = second.ask(12)
    # all but the one that has a single value left
    assert spaces == [{"training.learning_rate", "1-training.beta1", "model.dropout", "model.hidden"}]
    assert trial.params["model.width"] == 30
    assert 0.001 <= trial.params["training.learning_rate"] <= 0.1


def test_tpe_gathers_where_the_metric_is_good_and_the_limits_are_met(study: SearchStudy) -> None:
    space = {"training.learning_rate": SPACE["training.learning_rate"], "model.width": SPACE["model.width"]}
    round_ = study.open_round(0, space)
    for number in range(60):
        trial = round_.ask(number)
        off = abs(math.log10(trial.params["training.learning_rate"]) + 2)
        metrics = {"error": off, "recall": 1 - trial.params["model.width"] / 640, "latency_ms": 1.0}
        round_.tell(trial, metrics, 1.0)
    late = [trial for trial in round_.trials() if trial.number >= 20]
    assert sum(trial.metrics["error"] < 0.5 for trial in late) >= 17  # by chance 10 of 40, with a deviation of 2.7
    assert sum(trial.params["model.width"] <= 64 for trial in late) >= 24  # by chance 17 of 40, with one of 3.1


def test_tpe_knows_what_is_running(study: SearchStudy) -> None:
    filled(study, 12)
    round_ = study.find_round(0)
    assert round_ is not None
    params = [round_.ask(20 + i).params for i in range(4)]
    assert len({tuple(map(repr, each.values())) for each in params}) == 4


# ---------------------------------------------------------------- crashes


def search(storage: BaseStorage, finished: dict[str, Mapping[str, float]], *, remembers: bool) -> list[Trial]:
    """A search of two rounds as a driver makes it, that goes on where it finds itself.

    Args:
        storage: Where the studies are.
        finished: Metrics by the key of the trial: what a run store would hold.
        remembers: Whether what was finished there is told from it, or made again.
    """
    study = latest_study(storage, "cats") or begin_study(storage, "cats", {}, **GOAL)
    trials: dict[int, Trial] = {}
    for position in range(2):
        round_ = study.find_round(position)
        if round_ is None:
            round_ = study.open_round(
                position,
                SPACE if position == 0 else {**SPACE, "model.width": Int(int=(16, 200))},
                list(trials.values()),
            )
        for trial in round_.trials():
            if trial.state == "running" and remembers and trial.key in finished:
                round_.tell(trial, finished[trial.key], 1.0)
            elif trial.state == "running":
                round_.lose(trial, "cut off")
        for number, params in round_.unfinished(range(3 * position, 3 * position + 3)):
            trial = round_.begun(round_.ask(number, params or some(round_, number)), f"run{number}")
            if number == 1:
                round_.fail(trial, "no")
                continue
            finished[trial.key] = {**GOOD, "error": trial.params["model.dropout"]}
            round_.tell(trial, finished[trial.key], 1.0)
        trials |= {trial.number: trial for trial in round_.trials() if trial.state == "complete"}
    study.end("trials")
    return [trials[number] for number in sorted(trials)]


@pytest.mark.parametrize("remembers", [False, True])
def test_a_search_cut_off_between_any_two_records_ends_like_one_that_was_not(
    tmp_path: Path, *, remembers: bool
) -> None:
    path, finished = tmp_path / "optuna.journal", dict[str, Mapping[str, float]]()
    whole = [
        (trial.number, trial.params, trial.metrics) for trial in search(open_storage(path), finished, remembers=True)
    ]
    lines = path.read_bytes().splitlines(keepends=True)
    for n in range(len(lines)):
        path.write_bytes(b"".join(lines[:n]))
        made = search(open_storage(path), dict(finished), remembers=remembers)
        assert [(trial.number, trial.params, trial.metrics) for trial in made] == whole
        completed = [
            t
            for r in (1, 2)
            for t in optunas(path, f"cats/search-1/round-{r}").trials
            if t.state == TrialState.COMPLETE
        ]
        assert sorted(t.user_attrs["number"] for t in completed if "number" in t.user_attrs) == [0, 2, 3, 4, 5]
        assert [t.user_attrs["from"] for t in completed if "from" in t.user_attrs] == [0, 2]
