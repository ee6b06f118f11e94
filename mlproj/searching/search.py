"""The search: rounds of trials from coarse to fine, then the finalists' seeds.

Each step is written down before the next begins, so that a search can be cut off anywhere and gone on with. The room
neither trains nor tracks: `Lab` does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from mlproj.errors import InvalidInput, MlprojError
from mlproj.metrics import rank_key
from mlproj.metrics.limits import Limits
from mlproj.records import Evaluate, Failure, Fit, Job
from mlproj.searching.draws import draw, grid_size
from mlproj.searching.rounds import in_range, next_space, ranked, round_sizes
from mlproj.searching.shield import shielded
from mlproj.searching.stopwatch import Stopwatch
from mlproj.searching.studies import Round, SearchStudy
from mlproj.searching.trials import Trial
from mlproj.spec.project import Project
from mlproj.spec.search import Search, Space
from mlproj.spec.vary import vary

Stopped = Literal["trials", "budget", "interrupted"]
Params = Mapping[str, Any]
N_FINALISTS = 5
HOPELESS = 8
"""Trials that fail before any succeeds until a search gives up."""


class Lab(Protocol):
    """What a search is handed: where to train, and where to record."""

    @property
    def evaluate(self) -> Evaluate:
        """Trains jobs."""
        ...

    def begin(self, trial: Trial, project: Project) -> str:
        """Opens a run for a trial; returns its id."""
        ...

    def record(self, trial: Trial, project: Project, fit: Fit, *, whole: bool) -> None:
        """Stores what came out and ends the run; `whole` stores predictions, checkpoint and model too."""
        ...

    def fail(self, trial: Trial, failure: Failure) -> None:
        """Ends the run of a trial that failed."""
        ...

    def drop(self, trial: Trial) -> None:
        """Ends the run of a trial that is cut off."""
        ...

    def found(self, trial: Trial) -> Mapping[str, float] | None:
        """The metrics on dev of a trial whose run was finished before the search was cut off; None for any other."""
        ...


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        done: Trainings that are done, failed ones counted in.
        total: Trainings that are planned, those of the finalists counted in.
        failed: Trials that failed.
        best: The best trial so far.
        seconds: Computing time so far.
        left: Seconds that are probably left.
    """

    done: int
    total: int
    failed: int
    best: Trial | None
    seconds: float
    left: float


@dataclass(frozen=True)
class Finalist:
    """One of the best trials, trained again with other seeds.

    Attributes:
        trial: The trial.
        metrics: Values on dev by metric, one mapping per seed.
    """

    trial: Trial
    metrics: tuple[Mapping[str, float], ...]

    def mean(self) -> dict[str, float]:
        """Mean of each metric over the seeds."""
        names = self.metrics[0] if self.metrics else {}
        return {name: sum(each[name] for each in self.metrics) / len(self.metrics) for name in names}


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        trials: All trials by number.
        spaces: The space of each round.
        best: The best by contract; after retraining with seeds the best by the mean. None when nothing finished.
        finalists: The best five trained again, best mean first; empty without `search.seeds`.
        stopped: Why it ended.
        seconds: Computing time.
        slept: Seconds that the machine slept meanwhile.
        study: Name of the Optuna study of the last round, which holds the best trial.
    """

    trials: tuple[Trial, ...]
    spaces: tuple[Space, ...]
    best: Trial | None
    finalists: tuple[Finalist, ...]
    stopped: Stopped
    seconds: float
    slept: float
    study: str

    @property
    def complete(self) -> tuple[Trial, ...]:
        """The trials that finished."""
        return tuple(trial for trial in self.trials if trial.state == "complete")


def sizes_of(spec: Search, space: Space) -> tuple[int, ...]:
    """Trials of each round; a grid has as many as it fills."""
    n = grid_size(space, spec.trials) if spec.sampler == "grid" else spec.trials
    return round_sizes(n, spec.rounds, spec.sampler)


def trials_of(study: SearchStudy) -> list[Trial]:
    """The trials of a search so far, over all rounds."""
    trials: list[Trial] = []
    position = 0
    while round_ := study.find_round(position):
        trials += round_.trials()
        position += 1
    return trials


class HopelessSearch(MlprojError):
    """Every trial failed."""


class Searching:
    """One search on its way.

    Args:
        study: Where it is written down.
        project: The project as the search began, with `search.space`.
        lab: Where to train, and where to record.
        stopwatch: Its computing time.
        on_trial: Called after each training.
    """

    def __init__(
        self,
        study: SearchStudy,
        project: Project,
        lab: Lab,
        *,
        stopwatch: Stopwatch,
        on_trial: Callable[[Progress], None] | None = None,
    ) -> None:
        assert project.search is not None
        assert project.search.space is not None
        self.study, self.project, self.lab, self.stopwatch = study, project, lab, stopwatch
        self.spec: Search = project.search
        self.space: Space = project.search.space
        self.sizes = sizes_of(self.spec, self.space)
        self.trials: dict[int, Trial] = {}
        self.cut: list[Trial] = []
        self.spaces: list[Space] = []
        self.finalists: tuple[Finalist, ...] = ()
        self._optimize, self._satisfy = str(project.metric.optimize), dict(project.metric.satisfy)
        self._on_trial = on_trial
        self._open: list[Trial] = []
        self._position = self._before = self._made = 0
        self._is_short = False
        self._study = study.name

    # ---------------------------------------------------------------- the story

    def run(self) -> Found:
        """Makes what is still to be made.

        Raises:
            HopelessSearch: When one trial after the other fails.
        """
        stopped: Stopped = "trials"
        try:
            for position in range(len(self.sizes)):
                self._round(position)
            if self.spec.seeds > 1 and self.complete:
                self._finals()
            stopped = "budget" if self._is_short else "trials"
        except KeyboardInterrupt:
            stopped = "interrupted"
        trials = tuple(self.trials[number] for number in sorted(self.trials))
        seconds, slept = self.stopwatch.seconds, self.stopwatch.slept
        return Found(trials, tuple(self.spaces), self.best, self.finalists, stopped, seconds, slept, self._study)

    def _round(self, position: int) -> None:
        """One round: its space, the trials that lie in it already, and those to be made."""
        self._position = position
        round_ = self.study.find_round(position) or self._open_round(position)
        self.spaces.append(round_.space)
        self._study = round_.name
        first = sum(self.sizes[:position])
        todo = self._settle(round_, self.trials, range(first, first + self.sizes[position]))
        self._work(round_, todo, self.trials, self._until(position, len(todo)), lambda _: self.project.seed)

    def _open_round(self, position: int) -> Round:
        space = self.space
        if position:
            space = next_space(self.space, self.spaces[-1], self.complete, self._optimize, self._satisfy)
        return self.study.open_round(position, space, in_range(space, self.complete))

    def _finals(self) -> None:
        """The best trials again, each with as many fresh seeds: the seed that made them best is not among them."""
        n, again = self.spec.seeds, dict[int, Trial]()
        numbers = self.study.finalists or [trial.number for trial in self._ranked()[:N_FINALISTS]]
        self.study.keep_finalists(numbers)
        round_ = self.study.find_round("seeds") or self.study.open_round("seeds", self.space, [])
        todo = self._settle(round_, again, range(len(numbers) * n))
        known = [(number, self.trials[numbers[number // n]].params) for number, _ in todo]
        self._position = len(self.sizes)
        until, seed = self._until(self._position, len(todo)), self.project.seed + 1
        self._work(round_, known, again, until, lambda at: seed + at % n)
        finalists = []
        for place, number in enumerate(numbers):
            made = [again[at] for at in range(place * n, place * n + n) if at in again]
            values = tuple(trial.metrics for trial in made if trial.state == "complete")
            finalists += [Finalist(self.trials[number], values)] if values else []
        finalists.sort(key=lambda each: (self._key(each.mean()), -each.trial.number), reverse=True)
        self.finalists = tuple(finalists)

    # ---------------------------------------------------------------- the work

    def _settle(self, round_: Round, into: dict[int, Trial], numbers: range) -> list[tuple[int, Params | None]]:
        """Brings back what was made before a cut; returns what is to be made, with the parameters it had begun with.

        What was running is told from its run where that was finished, else lost.
        """
        for trial in round_.trials():
            if trial.state == "running":
                metrics = self.lab.found(trial)
                if metrics is not None:
                    round_.tell(trial, metrics, trial.seconds)
                else:
                    round_.lose(trial, "the search was cut off")
        made = {trial.number: trial for trial in round_.trials() if trial.state in ("complete", "failed")}
        into |= made
        self._before += len(made)
        return round_.unfinished(numbers)

    def _work(
        self,
        round_: Round,
        todo: Sequence[tuple[int, Params | None]],
        into: dict[int, Trial],
        until: float | None,
        seed: Callable[[int], int],
    ) -> None:
        """Trains what is to be made, writing down each result as it comes."""
        asked: list[tuple[Trial, Project]] = []
        self._open.clear()
        try:
            with closing(self.lab.evaluate(self._jobs(round_, todo, into, asked, until, seed))) as results:
                for position, result in results:
                    with shielded():
                        trial = self._take(round_, *asked[position], result)
                        into[trial.number] = trial
                    self._report()
        except KeyboardInterrupt:
            with shielded():
                for trial in self._open:
                    round_.lose(trial, "the search was interrupted")
                    self.lab.drop(trial)
            raise

    def _jobs(
        self,
        round_: Round,
        todo: Sequence[tuple[int, Params | None]],
        into: dict[int, Trial],
        asked: list[tuple[Trial, Project]],
        until: float | None,
        seed: Callable[[int], int],
    ) -> Iterator[Job]:
        """The trainings of a round, each asked for when there is room for it."""
        for number, params in todo:
            if self._is_over(until):
                self._is_short = True
                return
            with shielded():
                trial = round_.ask(number, params if params is not None else self._draw(round_, number))
                try:
                    project = vary(self.project, trial.params).changed(search=None, seed=seed(number))
                except InvalidInput as error:  # values that do not go together
                    trial = round_.begun(trial, self.lab.begin(trial, self.project))
                    into[number] = self._failed(round_, trial, Failure(str(error)))
                    continue
                trial = round_.begun(trial, self.lab.begin(trial, project))
                asked.append((trial, project))
                self._open.append(trial)
            yield Job(project, project.seed, budget=self.stopwatch.left)

    def _draw(self, round_: Round, number: int) -> Params | None:
        """The parameters of a new trial; None where the sampler of the study has to choose, because it learns."""
        if self.spec.sampler == "tpe":
            return None
        first = sum(self.sizes[: self._position])
        n = self.sizes[self._position]
        return draw(self.spec.sampler, round_.space, seed=self.project.seed, study=round_.name, k=number - first, n=n)

    def _take(self, round_: Round, trial: Trial, project: Project, result: Fit | Failure) -> Trial:
        """Writes down a result: first its run, then the study."""
        self._open.remove(trial)
        self._made += 1
        if isinstance(result, Failure):
            return self._failed(round_, trial, result)
        metrics = dev_metrics(result)
        trial = replace(trial, metrics=metrics, seconds=result.seconds, state="complete")
        is_cut = result.outcome.kind == "interrupted"
        self.lab.record(trial, project, result, whole=self._is_worth(trial, is_cut))
        if is_cut:
            self.cut.append(trial)
            return round_.lose(trial, result.outcome.text)
        return round_.tell(trial, metrics, result.seconds)

    def _failed(self, round_: Round, trial: Trial, failure: Failure) -> Trial:
        self.lab.fail(trial, failure)
        trial = round_.fail(trial, failure.reason)
        failed = [each for each in (*self.trials.values(), trial) if each.state == "failed"]
        if len(failed) >= HOPELESS and not self.complete:
            raise HopelessSearch(
                f"The first {len(failed)} trials failed, the last of them so: {failure.reason}\n"
                "Mend that, and search again."
            )
        return trial

    # ---------------------------------------------------------------- judging

    @property
    def complete(self) -> list[Trial]:
        """The trials that finished."""
        return [trial for trial in self.trials.values() if trial.state == "complete"]

    @property
    def best(self) -> Trial | None:
        """The best so far; where nothing finished, the best of what the time budget cut off."""
        if self.finalists:
            return self.finalists[0].trial
        return next(iter(self._ranked() or ranked(self.cut, self._optimize, self._satisfy)), None)

    def _ranked(self) -> list[Trial]:
        return ranked(self.complete, self._optimize, self._satisfy)

    def _is_worth(self, trial: Trial, is_cut: bool) -> bool:
        """Whether a trial may turn out to be the best, so that its predictions, checkpoint and model are stored."""
        if self.spec.keep == "all":
            return True
        if is_cut and self.complete:
            return False
        rivals = self.cut if is_cut else self.complete
        n = N_FINALISTS if self.spec.seeds > 1 else 1
        return trial in ranked([*rivals, trial], self._optimize, self._satisfy)[:n]

    def _key(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return rank_key(metrics, self._optimize, self._satisfy, metrics.get("loss"))

    # ---------------------------------------------------------------- time

    def _until(self, position: int, n_todo: int) -> float | None:
        """When a round has to make room for the next ones; each gets time by its number of trainings."""
        later = sum(self.sizes[position + 1 :])
        if self.spec.seeds > 1 and position < len(self.sizes):
            later += N_FINALISTS * self.spec.seeds
        return self.stopwatch.share(n_todo, n_todo + later)

    def _is_over(self, until: float | None) -> bool:
        """Whether the time of a round is used up; a search that has nothing yet goes on to its first result."""
        has_result = bool(self.complete or self.cut or self._open)
        return until is not None and self.stopwatch.seconds >= until and has_result

    def _report(self) -> None:
        if self._on_trial is None:
            return
        done, total = self._before + self._made, sum(self.sizes)
        total += N_FINALISTS * self.spec.seeds if self.spec.seeds > 1 else 0
        seconds, budget = self.stopwatch.seconds, self.stopwatch.left
        left = seconds / self._made * (total - done)
        left = left if budget is None else min(left, budget)
        failed = sum(trial.state == "failed" for trial in self.trials.values())
        self._on_trial(Progress(done, total, failed, self.best, seconds, left))


def dev_metrics(fit: Fit) -> dict[str, float]:
    """What a trial is judged by: metrics on dev, measured resources, and the loss on dev, which breaks ties."""
    losses = fit.history.metrics.get("dev/loss", ())
    loss = {"loss": losses[fit.best_epoch - 1]} if 0 < fit.best_epoch <= len(losses) else {}
    return {**fit.metrics.get("dev", {}), **fit.resources, **loss}


def best_so_far(trials: Sequence[Trial], optimize: str, satisfy: Limits) -> Iterator[Trial]:
    """The best by contract after each finished trial, in the order of their numbers."""
    done: list[Trial] = []
    for trial in sorted(trials, key=lambda each: each.number):
        done = ranked([*done[:1], trial], optimize, satisfy)
        if done:
            yield done[0]
