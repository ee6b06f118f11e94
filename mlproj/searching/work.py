"""The work of a search: trials are begun as there is room for them, and what comes of them is written down in batches.

A stage is a part of the work. Of everything that has come first the runs are stored and then, once those are safe, the
study is told, so that a search can be cut off anywhere and gone on with.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from mlproj.errors import InvalidInput, MlprojError
from mlproj.records import Evaluate, Failure, Fit, Job
from mlproj.searching.halving import Referee, ended
from mlproj.searching.round import Round
from mlproj.searching.shield import shielded
from mlproj.searching.trials import Trial
from mlproj.spec.project import Project
from mlproj.spec.vary import vary

Params = Mapping[str, Any]
_AHEAD = 16
"""Trials that are asked for at a time at most, where many are trained side by side."""
_MOST = 256
"""Results that are written down together at most."""


class Lab(Protocol):
    """What a search is handed: where to train, and where to record."""

    @property
    def evaluate(self) -> Evaluate:
        """Trains jobs."""
        ...

    def begin(self, trial: Trial, project: Project) -> str:
        """Opens a run for a trial; returns its id."""
        ...

    @property
    def ahead(self) -> int:
        """How many jobs are taken at a time where they train side by side; 1 where each trains alone."""
        ...

    @property
    def more(self) -> bool:
        """Whether another result of `evaluate` is there already, so that what came can be written down with it."""
        ...

    def record(self, trial: Trial, fit: Fit, *, whole: bool) -> None:
        """Stores what came out and ends the run; `whole` stores predictions, checkpoint and model too.

        It is safe once `settle` was called.
        """
        ...

    def settle(self) -> None:
        """Waits until all that was recorded is safely stored."""
        ...

    def forget(self, job: Job) -> None:
        """Lets go of what was kept of a training under way: what came of it is written down."""
        ...

    def fail(self, trial: Trial, failure: Failure) -> None:
        """Ends the run of a trial that failed."""
        ...

    def drop(self, trial: Trial) -> None:
        """Ends the run of a trial that is cut off."""
        ...

    def found(self, trial: Trial) -> Trial | None:
        """A trial whose run was finished before the search was cut off, as the run tells it; None for any other."""
        ...

    def epochs(self, trial: Trial) -> int:
        """Epochs that a trial, whose run is open, is to make; 0 where nobody knows."""
        ...


@dataclass(frozen=True)
class Stage:
    """A part of the work: a round, or the finals.

    Attributes:
        round_: The study it is written down in.
        numbers: What is to be made, in this order.
        params: Parameters by number; None where they are still to be drawn.
        seeds: Seed by number.
        made: Where its trials are kept.
        until: Computing time, in seconds, at which it makes room for what comes after; None without a budget.
        referee: Who ends trainings early; None where all run to their end.
    """

    round_: Round
    numbers: Sequence[int]
    params: Mapping[int, Params | None]
    seeds: Callable[[int], int]
    made: dict[int, Trial]
    until: float | None
    referee: Referee | None = None


class Owner(Protocol):
    """Whose work it is: the search, which judges and keeps the time."""

    @property
    def time_left(self) -> float | None:
        """Seconds that trainings may still compute; None without a budget."""
        ...

    def is_over(self, stage: Stage) -> bool:
        """Whether the time of a stage is used up."""
        ...

    def may_win(self, stage: Stage, fits: Sequence[tuple[Trial, Fit]]) -> set[int]:
        """Which of some trials, by number, may turn out to be the best, so that they are stored whole."""
        ...

    def trained(self, n: int) -> None:
        """Hears how many trainings have ended together, before it hears of each."""
        ...

    def told(self, trial: Trial, *, was_trained: bool) -> None:
        """Hears of each trial once it is written down; one whose values do not go together was not trained.

        Raises:
            HopelessSearch: When one trial after the other fails.
        """
        ...


class Work:
    """Makes the trainings of one stage after the other.

    Args:
        project: The project as the search began; each trial varies it.
        lab: Where to train, and where to record.
        owner: Whose work it is.

    Attributes:
        open: Trials that train now.
        cut: Trials that the time budget cut off.
        is_short: Whether the budget left something out.
    """

    def __init__(self, project: Project, lab: Lab, owner: Owner) -> None:
        assert project.search is not None
        self._project, self._lab, self._owner = project, lab, owner
        self._learns, self._keeps_all = project.search.sampler == "tpe", project.search.keep == "all"
        self.open: list[Trial] = []
        self.cut: list[Trial] = []
        self.is_short = False
        self._arrived: list[tuple[Trial, Job, Fit | Failure]] = []

    def do(self, stage: Stage) -> None:
        """Trains what is to be made, writing down each result as it comes.

        Raises:
            KeyboardInterrupt: When Ctrl-C ended it; what had come by then is written down.
        """
        asked: list[tuple[Trial, Job]] = []
        self.open.clear()
        self._arrived.clear()
        try:
            on_rung = stage.referee.on_rung if stage.referee else None
            with closing(self._lab.evaluate(self._jobs(stage, asked), on_epoch=on_rung)) as results:
                for position, result in results:
                    self._arrived.append((*asked[position], result))
                    if not self._lab.more or len(self._arrived) >= _MOST:
                        self._write_down(stage)
                self._write_down(stage)
        except BaseException as error:
            with shielded(), suppress(MlprojError):  # what cannot be written down now is settled when it goes on
                if isinstance(error, KeyboardInterrupt):
                    self._write_down(stage)
                for trial in self.open:
                    stage.round_.lose(trial, "the search was interrupted")
                    self._lab.drop(trial)
            raise

    # ---------------------------------------------------------------- beginning

    def _jobs(self, stage: Stage, asked: list[tuple[Trial, Job]]) -> Iterator[Job]:
        """The trainings of a stage, each asked for when there is room for it; a few ahead where many are taken."""
        ahead = 1 if self._learns or stage.until is not None else min(self._lab.ahead, _AHEAD)
        for start in range(0, len(stage.numbers), ahead):
            if self._owner.is_over(stage):
                self.is_short = True
                return
            if self._learns:  # from all that is known
                self._write_down(stage)
            with shielded(), stage.round_.together():
                begun = [self._begin(stage, number) for number in stage.numbers[start : start + ahead]]
            for project, trial in begun:
                if isinstance(project, Failure):  # values that do not go together
                    self._fail(stage, trial, project)
                    continue
                rungs = stage.referee.enter(trial.number, self._lab.epochs(trial)) if stage.referee else None
                job = Job(project, project.seed, budget=self._owner.time_left, rungs=rungs)
                asked.append((trial, job))
                yield job

    def _begin(self, stage: Stage, number: int) -> tuple[Project | Failure, Trial]:
        """A trial with its run, and what is to be trained, or why it cannot be."""
        trial = stage.round_.ask(number, stage.params[number])
        made: Project | Failure
        try:
            made = vary(self._project, trial.params).changed(search=None, seed=stage.seeds(number))
        except InvalidInput as error:
            made = Failure(str(error))
        project = self._project if isinstance(made, Failure) else made
        trial = stage.round_.begun(trial, self._lab.begin(trial, project))
        if not isinstance(made, Failure):
            self.open.append(trial)
        return made, trial

    # ---------------------------------------------------------------- writing down

    def _write_down(self, stage: Stage) -> None:
        """Writes down the results that have come: first their runs, and once those are safe, the study."""
        arrived, self._arrived = self._arrived, []
        if not arrived:
            return
        with shielded():
            done = [(_done(stage, trial, result), result) for trial, _, result in arrived]
            self._record(stage, done)
            with stage.round_.together():
                told = [self._tell(stage, trial, result) for trial, result in done]
            self.open = [trial for trial in self.open if trial.number not in {each.number for each in told}]
            for trial, (_, job, _) in zip(told, arrived, strict=True):
                if trial.state != "lost":
                    self._lab.forget(job)
        self._owner.trained(len(told))
        known = {trial.number: trial for trial in told if trial.state != "lost"}
        try:
            for trial in told:
                if trial.number in known:
                    stage.made[trial.number] = trial
                self._owner.told(trial, was_trained=True)
        finally:  # whoever hears of one may interrupt; the others are written down all the same
            stage.made.update(known)

    def _record(self, stage: Stage, done: Sequence[tuple[Trial, Fit | Failure]]) -> None:
        """Stores the runs: those that may win first and whole, so that a crash leaves no best without its model."""
        fits = [(trial, result) for trial, result in done if isinstance(result, Fit)]
        winners = self._owner.may_win(stage, [each for each in fits if each[0].state == "complete"])
        for trial, fit in sorted(fits, key=lambda each: each[0].number not in winners):
            self._lab.record(trial, fit, whole=self._keeps_all or trial.number in winners)
        for trial, result in done:
            if isinstance(result, Failure):
                self._lab.fail(trial, result)
        self._lab.settle()

    def _tell(self, stage: Stage, trial: Trial, result: Fit | Failure) -> Trial:
        """Writes down in the study what came of a trial."""
        if isinstance(result, Failure):
            self.is_short |= result.is_late
            settle = stage.round_.lose if result.is_late else stage.round_.fail
            return settle(trial, result.reason)
        if not is_cut(result):
            return stage.round_.tell(trial, trial.metrics, trial.seconds)
        self.is_short = True
        self.cut.append(trial)
        return stage.round_.lose(trial, result.outcome.text)

    def _fail(self, stage: Stage, trial: Trial, failure: Failure) -> None:
        """Writes down a trial that could not be begun."""
        with shielded():
            self._lab.fail(trial, failure)
            stage.made[trial.number] = stage.round_.fail(trial, failure.reason)
            self._owner.told(stage.made[trial.number], was_trained=False)


def _done(stage: Stage, trial: Trial, result: Fit | Failure) -> Trial:
    """A trial with what came of it."""
    if isinstance(result, Failure):
        return trial
    return stage.referee.end(trial, result) if stage.referee else ended(trial, result)


def is_cut(fit: Fit) -> bool:
    """Whether a training was cut off by the time budget."""
    return fit.outcome.kind == "interrupted"
