"""The loop of a search on a problem whose answer is known: a laboratory that trains nothing but a formula."""

import math
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mlproj.errors import TrackingError
from mlproj.records import Answers, Failure, Fit, History, Job, OnRung, Outcome, OutcomeKind, Predictions
from mlproj.searching import HopelessSearch, Progress, Searching, Stopwatch, begin_study, latest_study, open_storage
from mlproj.searching.found import Found
from mlproj.searching.scales import contains
from mlproj.searching.search import trials_of
from mlproj.searching.shield import shielded
from mlproj.searching.studies import SearchStudy
from mlproj.searching.trials import Trial
from mlproj.spec.load import make_project
from mlproj.spec.project import Project

OPTIMUM = 0.01


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Formula:
    """Trains by formula: the error is the distance of log10 of the learning rate from that of 0.01."""

    clock: Clock = field(default_factory=Clock)
    seconds: float = 1.0
    workers: int = 1
    fails: Callable[[Job], bool] = lambda _: False
    stop_after: int | None = None
    begun: list[Trial] = field(default_factory=list)
    recorded: dict[str, bool] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    known: dict[str, Mapping[str, float]] = field(default_factory=dict)
    ahead: int = 1
    more: bool = False

    settled: list[int] = field(default_factory=list)
    forgotten: list[tuple[Job, int]] = field(default_factory=list)

    def settle(self) -> None:
        """Notes how many were recorded by then."""
        self.settled.append(len(self.recorded))

    def evaluate(
        self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
    ) -> Generator[tuple[int, Fit | Failure]]:
        for position, job in enumerate(jobs):
            if self.stop_after is not None and len(self.recorded) >= self.stop_after:
                raise KeyboardInterrupt
            is_cut = job.budget is not None and job.budget < self.seconds
            self.clock.now += min(self.seconds, job.budget) if job.budget is not None else self.seconds
            yield position, Failure("the formula failed") if self.fails(job) else fit_of(job, is_cut)

    def begin(self, trial: Trial, project: Project) -> str:
        self.begun.append(trial)
        return f"run-{len(self.begun)}"

    def record(self, trial: Trial, fit: Fit, *, whole: bool) -> None:
        assert trial.run_id is not None
        self.recorded[trial.run_id] = whole

    def forget(self, job: Job) -> None:
        self.forgotten.append((job, self.settled[-1] if self.settled else 0))

    def fail(self, trial: Trial, failure: Failure) -> None:
        self.failed.append(failure.reason)

    def drop(self, trial: Trial) -> None:
        self.dropped.append(trial.key)

    def found(self, trial: Trial) -> Trial | None:
        metrics = self.known.get(trial.key)
        return None if metrics is None else replace(trial, state="complete", metrics=metrics)

    def epochs(self, trial: Trial) -> int:
        return 0


def fit_of(job: Job, is_cut: bool) -> Fit:
    error = abs(math.log10(job.project.training.learning_rate / OPTIMUM)) + 0.001 * (job.seed % 7)
    answers = Answers(np.zeros(1, np.int64), np.zeros(1, np.int64), ("no", "yes"))
    outcome = Outcome("interrupted", "stopped by its time budget") if is_cut else Outcome("completed", "all epochs")
    predictions = Predictions(np.array(["a"]), np.array(["dev"]), {"": answers})
    history = History({"dev/loss": (error + 1,)})
    return Fit({}, history, outcome, predictions, 1, None, {"dev": {"error": error}}, {"latency_ms": 1.0}, 1.0)


def project_of(*, trials: int = 32, rounds: int = 2, seeds: int = 1, sampler: str = "random") -> Project:
    space = {"training.learning_rate": {"log": [1e-4, 1.0]}, "training.beta1": {"one_minus_log": [0.9, 0.999]}}
    search = {"trials": trials, "rounds": rounds, "seeds": seeds, "sampler": sampler, "space": space}
    return make_project(
        {"name": "cats", "data": {"source": "sklearn:iris"}, "metric": {"optimize": "error"}, "search": search}
    )


def without_halving(project: Project) -> Project:
    assert project.search is not None
    return project.changed(search=project.search.model_copy(update={"halving": "none"}))


def run(folder: Path, project: Project, lab: Formula, **options: float) -> Found:
    storage = open_storage(folder / "optuna.journal")
    study = latest_study(storage, "cats") or begin_study(storage, "cats", {}, optimize="error", satisfy={}, seed=0)
    stopwatch = Stopwatch(options.get("budget"), monotonic=lab.clock, wall=lab.clock)
    return Searching(study, project, lab, stopwatch=stopwatch).run()


def told(found: Found) -> list[tuple[object, ...]]:
    """What a search found, without what differs from run to run."""
    trials = [(trial.number, trial.params, trial.metrics) for trial in found.trials]
    return [*trials, *((finalist.trial.number, finalist.metrics) for finalist in found.finalists)]


def test_the_second_round_looks_closer_and_finds_better(tmp_path: Path) -> None:
    found = run(tmp_path, project_of(trials=64), Formula())
    first, second = ([t.metrics["error"] for t in found.trials if f"round-{n}" in t.study] for n in (1, 2))
    assert (len(first), len(second)) == (32, 32)
    assert np.median(second) < 0.7 * np.median(first)
    assert found.best is not None
    assert found.best.metrics["error"] == min(first + second)
    assert [trial.number for trial in found.trials] == list(range(64))


def test_trials_that_lie_in_the_box_are_carried_into_the_next_round(tmp_path: Path) -> None:
    found = run(tmp_path, project_of(trials=64), Formula())
    second = _study(tmp_path).find_round(1)
    assert second is not None
    inside = [
        trial.number
        for trial in found.trials[:32]
        if all(contains(second.space[path], value) for path, value in trial.params.items())
    ]
    assert 5 <= len(inside) < 32
    assert sorted(second.carried) == inside
    assert found.best is not None
    assert found.best.study == second.name or found.best.number in inside


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe", "grid"])
@pytest.mark.parametrize("cut", [1, 9, 20])
def test_an_interrupted_search_goes_on_to_the_same_result(tmp_path: Path, sampler: str, cut: int) -> None:
    project = project_of(trials=24, sampler=sampler, seeds=2)
    whole = run(tmp_path / "whole", project, Formula())
    first = run(tmp_path / "cut", project, Formula(stop_after=cut))
    assert first.stopped == "interrupted"
    assert len(first.complete) == cut
    again = run(tmp_path / "cut", project, Formula())
    assert told(again) == told(whole)
    assert again.stopped == whole.stopped == "trials"


def test_a_budget_is_dealt_over_the_rounds_and_the_finals(tmp_path: Path) -> None:
    lab = Formula(seconds=1.0)
    found = run(tmp_path, project_of(trials=60, rounds=3, seeds=4), lab, budget=40)
    made = [sum(f"round-{n}" in trial.study for trial in found.complete) for n in (1, 2, 3)]
    assert made == [10, 10, 10]  # 40 s for 20 + 20 + 20 trials and 5 × 4 trainings of the finalists
    assert [len(finalist.metrics) for finalist in found.finalists] == [2] * 5
    assert found.stopped == "budget"
    assert found.seconds == 40


def test_after_a_budget_the_missing_trials_are_made(tmp_path: Path) -> None:
    project = project_of(trials=20)
    first = run(tmp_path, project, Formula(), budget=6)
    assert (first.stopped, len(first.complete)) == ("budget", 6)
    again = run(tmp_path, project, Formula())
    assert (again.stopped, [trial.number for trial in again.complete]) == ("trials", list(range(20)))


def test_a_budget_shorter_than_a_trial_leaves_what_the_trial_had(tmp_path: Path) -> None:
    lab = Formula(seconds=100)
    found = run(tmp_path, project_of(), lab, budget=5)
    assert (found.stopped, len(found.complete)) == ("budget", 0)
    assert found.best is not None
    assert lab.recorded == {"run-1": True}
    assert [trial.state for trial in trials_of(_study(tmp_path))] == ["lost"]


def test_trials_that_the_budget_cuts_at_the_very_end_are_made_when_it_goes_on(tmp_path: Path) -> None:
    lab = Formula(seconds=10)
    found = run(tmp_path, project_of(trials=2, rounds=1), lab, budget=15)
    assert (found.stopped, len(found.complete)) == ("budget", 1)
    again = run(tmp_path, project_of(trials=2, rounds=1), Formula())
    assert (again.stopped, len(again.complete)) == ("trials", 2)


class Quickening(Formula):
    """Its first five trainings take longer than the others."""

    def begin(self, trial: Trial, project: Project) -> str:
        self.seconds = 4.0 if len(self.begun) < 5 else 1.0
        return super().begin(trial, project)


def test_time_that_is_left_over_goes_to_the_trials_that_were_left_out(tmp_path: Path) -> None:
    found = run(tmp_path, project_of(trials=20), Quickening(), budget=40)
    assert (found.stopped, len(found.complete), found.seconds) == ("trials", 20, 35)


def test_finalists_are_chosen_again_when_more_trials_are_known(tmp_path: Path) -> None:
    project = project_of(trials=20, rounds=1, seeds=2)
    first = run(tmp_path, project, Formula(), budget=8)
    again = run(tmp_path, project, Formula())
    whole = run(tmp_path / "whole", project, Formula())
    assert first.stopped == "budget"
    assert [finalist.trial.number for finalist in again.finalists] == [f.trial.number for f in whole.finalists]
    assert again.best is not None
    assert again.best == again.finalists[0].trial
    assert {len(finalist.metrics) for finalist in again.finalists} == {2}


def test_one_lucky_seed_does_not_win(tmp_path: Path) -> None:
    """Finalists are compared over the seeds that all of them were trained with."""
    project = project_of(trials=20, rounds=1, seeds=3)
    best = run(tmp_path / "whole", project_of(trials=20, rounds=1), Formula()).best
    assert best is not None
    fails = lambda job: job.seed == 2 and job.project.training.learning_rate != best.params["training.learning_rate"]  # noqa: E731
    found = run(tmp_path, project, Formula(fails=fails))
    assert {len(finalist.metrics) for finalist in found.finalists} == {2}


class Broken(Formula):
    """Trains models whose error is no number."""

    def evaluate(
        self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
    ) -> Generator[tuple[int, Fit | Failure]]:
        for position, job in enumerate(jobs):
            yield position, replace(fit_of(job, is_cut=False), metrics={"dev": {"error": math.nan}})


def test_values_that_are_no_number_end_in_no_hope_too(tmp_path: Path) -> None:
    lab = Broken()
    with pytest.raises(HopelessSearch, match="error on dev is nan"):
        run(tmp_path, project_of(), lab)
    assert len(lab.begun) == 8


def test_a_short_search_in_which_everything_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(HopelessSearch, match="The only trial failed: the formula failed"):
        run(tmp_path, project_of(trials=1), Formula(fails=lambda _: True))


def test_sleep_is_not_computing_time() -> None:
    monotonic, wall = Clock(), Clock()
    stopwatch = Stopwatch(100, monotonic=monotonic, wall=wall)
    monotonic.now, wall.now = 10.0, 3610.0
    assert (stopwatch.seconds, stopwatch.slept, stopwatch.left) == (10.0, 3600.0, 90.0)
    wall.now = 10.5
    assert stopwatch.slept == 0.0


def test_what_was_running_is_told_from_its_run_or_made_again_with_its_values(tmp_path: Path) -> None:
    project = project_of(trials=4, rounds=1)
    whole = run(tmp_path / "whole", project, Formula())
    study = begin_study(open_storage(tmp_path / "optuna.journal"), "cats", {}, optimize="error", satisfy={}, seed=0)
    assert project.search is not None
    assert project.search.space is not None
    round_ = study.open_round(0, project.search.space, [])
    finished = round_.begun(round_.ask(0, whole.trials[0].params), "old-run")
    round_.begun(round_.ask(1, {"training.learning_rate": 0.5, "training.beta1": 0.95}), "cut-run")
    lab = Formula(known={finished.key: {"error": 0.125}})
    found = run(tmp_path, project, lab)
    assert [trial.number for trial in lab.begun] == [1, 2, 3]
    assert lab.dropped == []
    assert found.trials[0].metrics == {"error": 0.125}
    assert found.trials[0].run_id == "old-run"
    assert found.trials[1].params == {"training.learning_rate": 0.5, "training.beta1": 0.95}
    assert [trial.params for trial in found.trials[2:]] == [trial.params for trial in whole.trials[2:]]


def test_only_what_may_be_the_best_is_stored_whole(tmp_path: Path) -> None:
    lab = Formula()
    found = run(tmp_path, project_of(), lab)
    best = np.minimum.accumulate([trial.metrics["error"] for trial in found.complete])
    records = [t.run_id for t, low in zip(found.complete, best, strict=True) if t.metrics["error"] == low]
    assert {run_id for run_id, whole in lab.recorded.items() if whole} == set(records)


def test_with_seeds_whatever_may_be_a_finalist_is_stored_whole(tmp_path: Path) -> None:
    lab = Formula()
    found = run(tmp_path, project_of(rounds=1, seeds=2), lab)
    errors = [trial.metrics["error"] for trial in found.complete]
    among_five = {t.run_id for k, t in enumerate(found.complete) if t.metrics["error"] in sorted(errors[: k + 1])[:5]}
    assert {run_id for run_id, whole in lab.recorded.items() if whole} == among_five
    assert 5 < len(among_five) < 32
    assert {finalist.trial.run_id for finalist in found.finalists} <= among_five
    assert {f.trial.metrics["error"] for f in found.finalists} == set(sorted(errors)[:5])


class Crews(Formula):
    """Brings eight results at a time."""

    def evaluate(
        self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
    ) -> Generator[tuple[int, Fit | Failure]]:
        for position, result in super().evaluate(jobs):
            self.more = position % 8 != 7
            yield position, result


def test_results_that_come_together_are_written_down_together(tmp_path: Path) -> None:
    lab = Crews(ahead=64, fails=lambda job: job.project.training.learning_rate > 0.5)
    found = run(tmp_path, project_of(trials=32, rounds=1), lab)
    alone = run(tmp_path / "alone", project_of(trials=32, rounds=1), Formula(fails=lab.fails))
    assert told(found) == told(alone)
    assert len(lab.settled) == 4
    assert lab.recorded[found.best.run_id if found.best and found.best.run_id else ""]
    assert sum(lab.recorded.values()) <= 4
    assert lab.failed


def test_nothing_is_told_before_its_run_is_safe(tmp_path: Path) -> None:
    class Unsafe(Crews):
        def settle(self) -> None:
            if len(self.recorded) > 8:
                raise TrackingError("the store is gone")

    with pytest.raises(TrackingError, match="the store is gone"):
        run(tmp_path, project_of(trials=32, rounds=1), Unsafe(ahead=64))
    study = latest_study(open_storage(tmp_path / "optuna.journal"), "cats")
    assert study is not None
    states = [trial.state for trial in trials_of(study)]
    assert states == ["complete"] * 8 + ["lost"] * 8


def test_what_was_kept_of_a_training_goes_once_its_result_is_safe(tmp_path: Path) -> None:
    lab = Crews(ahead=64)
    run(tmp_path, project_of(trials=32, rounds=1), lab)
    assert [safe for _, safe in lab.forgotten] == [8] * 8 + [16] * 8 + [24] * 8 + [32] * 8
    assert len({(job.project.training.learning_rate, job.seed) for job, _ in lab.forgotten}) == 32


def test_what_was_kept_of_a_training_that_the_budget_cut_off_stays(tmp_path: Path) -> None:
    lab = Formula()
    found = run(tmp_path, project_of(trials=32, rounds=1), lab, budget=4.5)
    assert (found.stopped, len(lab.recorded), len(lab.forgotten)) == ("budget", 5, 4)


@pytest.mark.parametrize("cut", [3, 8, 20])
def test_results_that_came_before_ctrl_c_are_kept(tmp_path: Path, cut: int) -> None:
    class Cut(Crews):
        def evaluate(
            self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
        ) -> Generator[tuple[int, Fit | Failure]]:
            for position, result in super().evaluate(jobs):
                if position == cut:
                    raise KeyboardInterrupt
                yield position, result

    found = run(tmp_path, project_of(trials=32, rounds=1), Cut(ahead=64))
    assert (found.stopped, len(found.trials)) == ("interrupted", cut)
    rest = run(tmp_path, project_of(trials=32, rounds=1), Crews())
    assert told(rest) == told(run(tmp_path / "whole", project_of(trials=32, rounds=1), Formula()))


def test_failures_are_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    lab = Formula(fails=lambda job: job.project.training.learning_rate > 0.1)
    found = run(tmp_path, project_of(), lab)
    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert failed
    assert len(failed) + len(found.complete) == 32
    assert {trial.reason for trial in failed} == {"the formula failed"}
    assert all(trial.params["training.learning_rate"] > 0.1 for trial in failed)


def test_a_search_without_hope_ends(tmp_path: Path) -> None:
    lab = Formula(fails=lambda _: True)
    with pytest.raises(HopelessSearch, match="The first 8 trials failed, the last of them so: the formula failed"):
        run(tmp_path, project_of(), lab)
    assert len(lab.failed) == 8


def test_progress_counts_up_and_time_left_goes_down(tmp_path: Path) -> None:
    project, lab, heard = project_of(trials=16, seeds=2), Formula(), list[Progress]()
    study = begin_study(open_storage(tmp_path / "journal"), "cats", {}, optimize="error", satisfy={}, seed=0)
    stopwatch = Stopwatch(monotonic=lab.clock, wall=lab.clock)
    Searching(study, project, lab, stopwatch=stopwatch, on_trial=heard.append).run()
    assert [each.done for each in heard] == list(range(1, 27))
    assert {each.total for each in heard} == {26}
    assert [each.left for each in heard] == [26.0 - done for done in range(1, 27)]


@dataclass
class Rungs(Formula):
    """Trains crews epoch by epoch: the error at a rung is that at the end, and somewhat more."""

    crew: int = 8
    epochs_made: dict[int, int] = field(default_factory=dict)

    def epochs(self, trial: Trial) -> int:
        return 27

    def evaluate(
        self, jobs: Iterable[Job], *, on_epoch: OnRung | None = None, rungs: Collection[int] = ()
    ) -> Generator[tuple[int, Fit | Failure]]:
        seen: dict[int, dict[int, Mapping[str, float]]] = {}
        queue = enumerate(jobs)
        while crew := dict(islice(queue, self.crew)):
            for epoch in range(1, 28):
                reached = {place: job for place, job in crew.items() if job.rungs and epoch in job.rungs}
                if on_epoch and reached:
                    board = seen.setdefault(epoch, {})
                    board |= {place: {"dev/error": self._error(job) + 1 / epoch} for place, job in reached.items()}
                    for place in sorted(on_epoch(epoch, board) & crew.keys()):
                        yield from self._end(place, crew.pop(place), epoch)
            for place, job in crew.items():
                yield from self._end(place, job, 27)

    def _error(self, job: Job) -> float:
        return fit_of(job, is_cut=False).metrics["dev"]["error"]

    def _end(self, place: int, job: Job, epochs: int) -> Iterator[tuple[int, Fit | Failure]]:
        if self.stop_after is not None and len(self.recorded) >= self.stop_after:
            raise KeyboardInterrupt
        kind: OutcomeKind = "completed" if epochs == 27 else "pruned"
        errors = tuple(self._error(job) + 1 / epoch for epoch in range(1, epochs + 1))
        history = History({"dev/loss": (self._error(job) + 1,) * epochs, "dev/error": errors})
        fit = replace(fit_of(job, is_cut=False), outcome=Outcome(kind, ""), history=history)
        yield place, Failure("the formula failed") if epochs == 27 and self.fails(job) else fit


@pytest.mark.parametrize("crew", [1, 8, 16])
def test_halving_ends_most_trials_early_and_finds_the_best_of_them(tmp_path: Path, crew: int) -> None:
    project = project_of(trials=32)
    lab = Rungs(crew=crew)
    found, whole = run(tmp_path / "auto", project, lab), run(tmp_path / "none", without_halving(project), Rungs())
    assert len(whole.complete) == 32
    assert len(found.pruned) >= 20
    assert len(found.complete) + len(found.pruned) == 32
    first, all_first = ([t for t in each.trials if "round-1" in t.study] for each in (found, whole))
    best = min(all_first, key=lambda trial: trial.metrics["error"])
    assert first[best.number].metrics == best.metrics  # errors keep their order, so the best survives every rung
    assert found.best in found.complete
    assert not any(lab.recorded[trial.run_id or ""] for trial in found.pruned)


def test_trials_too_few_or_too_short_for_halving_just_run(tmp_path: Path) -> None:
    few = run(tmp_path / "few", project_of(trials=2), Rungs())
    lab = Rungs()
    lab.epochs = lambda _: 3  # type: ignore[method-assign, assignment]
    short = run(tmp_path / "short", project_of(trials=16), lab)
    assert (len(few.complete), len(short.complete)) == (2, 16)


@pytest.mark.parametrize("cut", [3, 9, 14, 20])
def test_a_search_with_halving_goes_on_with_the_rivals_it_had(tmp_path: Path, cut: int) -> None:
    project = project_of(trials=24, seeds=2)
    whole = run(tmp_path / "whole", project, Rungs(crew=1))
    run(tmp_path / "cut", project, Rungs(crew=1, stop_after=cut))
    lab = Rungs(crew=1)
    again = run(tmp_path / "cut", project, lab)
    assert told(again) == told(whole)
    assert [trial.state for trial in again.trials] == [trial.state for trial in whole.trials]
    assert len(lab.begun) == 24 + len(whole.finalists) * 2 - cut


def test_the_first_round_has_no_say_over_the_second(tmp_path: Path) -> None:
    """One after the other, the first two of a round have no rivals, though the best of the first round did better."""
    found = run(tmp_path, project_of(trials=24), Rungs(crew=1))
    best = found.best
    assert best is not None
    assert best.number < 12 or best.number > 13
    assert {trial.state for trial in found.trials[12:14]} == {"complete"}
    assert {trial.state for trial in found.trials[14:]} == {"complete", "pruned"}


def test_finalists_are_trained_to_the_end(tmp_path: Path) -> None:
    run(tmp_path, project_of(trials=24, seeds=3), Rungs())
    seeds = _study(tmp_path).find_round("seeds")
    assert seeds is not None
    assert {trial.state for trial in seeds.trials()} == {"complete"}


def test_where_all_survivors_fail_the_best_of_the_others_are_trained_to_the_end(tmp_path: Path) -> None:
    """Rates close to the best one survive, and fail in their last epoch."""
    fails = lambda job: abs(math.log10(job.project.training.learning_rate / OPTIMUM)) < 0.5  # noqa: E731
    found = run(tmp_path, project_of(trials=9, rounds=1), Rungs(crew=9, fails=fails))
    assert len(found.complete) == 1
    assert found.best == found.complete[0]
    assert all(trial.state == "failed" for trial in found.trials if trial.metrics == {})
    closest = [abs(math.log10(t.params["training.learning_rate"] / OPTIMUM)) for t in (found.best, *found.pruned)]
    assert closest[0] == min(closest) >= 0.5


def test_finalists_that_halving_left_too_few_of_are_filled_up(tmp_path: Path) -> None:
    """The best of those that were ended early are trained to the end: their errors keep their order at the rungs."""
    alone = run(tmp_path / "alone", project_of(trials=9, rounds=1), Rungs(crew=9))
    lab = Rungs(crew=9)
    found = run(tmp_path / "seeds", project_of(trials=9, rounds=1, seeds=2), lab)
    assert len(alone.complete) == 1
    assert len(found.complete) == len(found.finalists) == 5
    place = lambda trial: abs(math.log10(trial.params["training.learning_rate"] / OPTIMUM))  # noqa: E731
    assert {trial.number for trial in found.complete} == {t.number for t in sorted(alone.trials, key=place)[:5]}
    assert all(lab.recorded[trial.run_id or ""] for trial in found.complete)
    assert [len(lab.begun), len(found.trials), found.made] == [9 + 4 + 10, 9, 9 + 4 + 10]


def test_where_one_that_fills_up_fails_the_next_does(tmp_path: Path) -> None:
    fails = lambda job: 0.2 < abs(math.log10(job.project.training.learning_rate / OPTIMUM)) < 1  # noqa: E731
    found = run(tmp_path, project_of(trials=16, rounds=1, seeds=2), Rungs(crew=16, fails=fails))
    assert any(trial.state == "failed" for trial in found.trials)
    assert len(found.finalists) == 5


@pytest.mark.parametrize("cut", [10, 12, 14])
def test_a_search_that_was_cut_off_while_it_filled_up_goes_on(tmp_path: Path, cut: int) -> None:
    project = project_of(trials=9, rounds=1, seeds=2)
    whole = run(tmp_path / "whole", project, Rungs(crew=9))
    first = run(tmp_path / "cut", project, Rungs(crew=9, stop_after=cut))
    assert first.stopped == "interrupted"
    assert told(run(tmp_path / "cut", project, Rungs(crew=9))) == told(whole)


def test_filling_up_leaves_the_finalists_their_share_of_a_budget(tmp_path: Path) -> None:
    @dataclass
    class Slow(Rungs):
        def _end(self, place: int, job: Job, epochs: int) -> Iterator[tuple[int, Fit | Failure]]:
            self.clock.now += epochs / 27
            yield from super()._end(place, job, epochs)

    project = project_of(trials=9, rounds=1, seeds=4)
    found = run(tmp_path, project, Slow(crew=1), budget=10)
    assert (found.stopped, len(found.complete), len(found.pruned)) == ("budget", 4, 2)
    assert [len(finalist.metrics) for finalist in found.finalists] == [1] * 4


def test_ctrl_c_waits_for_what_belongs_together() -> None:
    import signal

    done = []
    with pytest.raises(KeyboardInterrupt):  # noqa: SIM117, PT012
        with shielded():
            signal.raise_signal(signal.SIGINT)
            done.append("whole")
    assert done == ["whole"]


def _study(folder: Path) -> SearchStudy:
    study = latest_study(open_storage(folder / "optuna.journal"), "cats")
    assert study is not None
    return study


RATES = [0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001]


def finite(n_rates: int, n_betas: int, *, trials: int, sampler: str = "random") -> Project:
    betas = [0.9, 0.95, 0.98, 0.99, 0.999]
    space = {"training.learning_rate": {"choice": RATES[:n_rates]}, "training.beta1": {"choice": betas[:n_betas]}}
    search = {"trials": trials, "sampler": sampler, "space": space}
    return make_project({"name": "cats", "data": {"source": "sklearn:iris"}, "search": search})


def tried(found: Found) -> list[tuple[object, ...]]:
    return [tuple(trial.params.values()) for trial in found.trials]


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe", "grid"])
def test_a_space_of_few_combinations_is_tried_once_over(tmp_path: Path, sampler: str) -> None:
    found = run(tmp_path, finite(2, 1, trials=40, sampler=sampler), Formula())
    assert sorted(tried(found)) == [(0.1, 0.9), (0.3, 0.9)]
    assert found.stopped == "trials"
    assert tried(run(tmp_path, finite(2, 1, trials=40, sampler=sampler), Formula())) == tried(found)


def test_no_round_repeats_what_an_earlier_one_has_tried(tmp_path: Path) -> None:
    project = finite(8, 5, trials=32)
    found = run(tmp_path / "whole", project, Formula())
    assert (len(found.spaces), len(set(tried(found)))) == (2, 32)
    run(tmp_path / "cut", project, Formula(stop_after=20))
    assert told(run(tmp_path / "cut", project, Formula())) == told(found)
