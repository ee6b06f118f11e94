"""The search: rounds of trials from coarse to fine, then the finalists' seeds.

Each step is written down before the next begins, so that a search can be cut off anywhere and gone on with. The room
neither trains nor tracks: `Lab` does.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

from mlproj.errors import MlprojError
from mlproj.metrics import rank_key
from mlproj.records import Fit
from mlproj.searching.draws import combination_of, draw, grid_size, n_combinations
from mlproj.searching.found import N_FINALISTS, Finalist, Found, Progress, Stopped
from mlproj.searching.halving import Referee, standing
from mlproj.searching.round import Round
from mlproj.searching.rounds import in_range, next_space, ranked, round_sizes
from mlproj.searching.stopwatch import Stopwatch
from mlproj.searching.studies import SearchStudy
from mlproj.searching.trials import DONE, Trial
from mlproj.searching.work import Lab, Params, Stage, Work, is_cut
from mlproj.spec.project import Project
from mlproj.spec.search import Search, Space

HOPELESS = 8
"""Trials that fail before any succeeds until a search gives up."""


def sizes_of(spec: Search, space: Space) -> tuple[int, ...]:
    """Trials of each round; a grid has as many as it fills, and no space more than it has combinations."""
    if is_exhausted(spec, space):
        return (n_combinations(space),)
    n = grid_size(space, spec.trials) if spec.sampler == "grid" else spec.trials
    return round_sizes(n, spec.rounds, spec.sampler)


def is_exhausted(spec: Search, space: Space) -> bool:
    """Whether a search tries all that there is, each combination once, whatever its sampler."""
    return n_combinations(space) <= spec.trials


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
        self.retrained: dict[int, Trial] = {}
        self.finalists: tuple[Finalist, ...] = ()
        self._rounds: list[Round] = []
        self._optimize, self._satisfy = str(project.metric.optimize), dict(project.metric.satisfy)
        self._on_trial = on_trial
        self._work = Work(project, lab, self)
        self._made = 0
        self._work.is_short = False

    # ---------------------------------------------------------------- the story

    def run(self) -> Found:
        """Makes what is still to be made.

        Raises:
            HopelessSearch: When one trial after the other fails.
        """
        stopped: Stopped = "trials"
        try:
            while True:
                self._pass()
                if not self._work.is_short or self.stopwatch.left == 0:
                    break
            stopped = "budget" if self._work.is_short else "trials"
        except KeyboardInterrupt:
            stopped = "interrupted"
            self._rank_finalists()
        return Found(
            trials=tuple(self.trials[number] for number in sorted(self.trials)),
            spaces=tuple(round_.space for round_ in self._rounds),
            best=self.best,
            finalists=self.finalists,
            stopped=stopped,
            made=self._made,
            seconds=self.stopwatch.seconds,
            slept=self.stopwatch.slept,
            study=self._rounds[-1].name if self._rounds else self.study.name,
        )

    def _pass(self) -> None:
        """All rounds and the finals, each within its share of the time; a further pass takes up what was left out."""
        self._work.is_short = False
        self._rounds.clear()
        for position in range(len(self.sizes)):
            self._work.do(self._round(position))
        self._bring_home()
        if not self.complete and not self._work.cut and self.trials:
            self._give_up(list(self.trials.values()))
        if self.spec.seeds > 1 and self.complete:
            self._work.do(self._finals())
            self._rank_finalists()

    def _round(self, position: int) -> Stage:
        """One round: its space, and the trials to be made."""
        round_ = self.study.find_round(position) or self._open_round(position)
        self._rounds.append(round_)
        todo = self._settle(round_, self.trials, self._numbers(position))
        first, n = self._numbers(position).start, self.sizes[position]
        taken = self._taken(round_)
        params = {
            number: self._draw(round_, number - first, n, taken) if begun_with is None else begun_with
            for number, begun_with in todo
        }
        until = self._until(len(todo), position + 1)
        referee = None
        if self.spec.halving == "auto":
            known = [trial for trial in self.trials.values() if trial.study == round_.name]
            referee = Referee(self._optimize, self._satisfy, known, judged=round_.judged(), write=round_.note)
        return Stage(round_, list(params), params, lambda _: self.project.seed, self.trials, until, referee)

    def _numbers(self, position: int) -> range:
        first = sum(self.sizes[:position])
        return range(first, first + self.sizes[position])

    def _open_round(self, position: int) -> Round:
        space = self.space
        if position:
            trained = [*self.complete, *self._pruned]
            space = next_space(self.space, self._rounds[-1].space, trained, self._optimize, self._satisfy)
            known = len(in_range(space, list(self.trials.values())))
            if n_combinations(space) - known < self.sizes[position]:  # too little is left there that is new
                space = self.space
        return self.study.open_round(position, space, in_range(space, list(self.trials.values())))

    def _draw(self, round_: Round, k: int, n: int, taken: frozenset[int]) -> Params | None:
        """The parameters of a new trial; None where the sampler of the study has to choose, because it learns."""
        sampler = "random" if is_exhausted(self.spec, self.space) else self.spec.sampler
        if sampler == "tpe":
            return None
        return draw(sampler, round_.space, seed=self.project.seed, study=round_.name, k=k, n=n, taken=taken)

    def _taken(self, round_: Round) -> frozenset[int]:
        """The combinations that earlier rounds have tried, where a round has a number of them."""
        if n_combinations(round_.space) == sys.maxsize:
            return frozenset()
        carried = [self.trials[number].params for number in round_.carried if number in self.trials]
        return frozenset(combination_of(round_.space, params) for params in carried)

    def _finals(self) -> Stage:
        """The best trials again, each with as many fresh seeds: the seed that made them best is not among them.

        Seed by seed, so that an early end leaves all of them with equally many.
        """
        n = self.spec.seeds
        best = self._ranked()[:N_FINALISTS]
        round_ = self.study.find_round("seeds") or self.study.open_round("seeds", self.space, [])
        numbers = [trial.number * n + seed for seed in range(n) for trial in best]
        todo = self._settle(round_, self.retrained, numbers)
        params = {number: self.trials[number // n].params for number, _ in todo}
        seed = self.project.seed + 1
        until = self.stopwatch.share(1, 1)
        return Stage(round_, list(params), params, lambda number: seed + number % n, self.retrained, until)

    def _bring_home(self) -> None:
        """Trains the best of those that were ended early to the end, where too few finished.

        That is where everybody was ended in favour of trials that then failed, and where the finalists would be fewer
        than five.
        """
        n = N_FINALISTS if self.spec.seeds > 1 else 1
        while len(self.complete) < n and not self._work.cut and self._pruned:
            until = self._until(n - len(self.complete), len(self.sizes)) if self.complete else None
            best = standing(self._pruned, self._optimize, self._satisfy)[: n - len(self.complete)]
            for round_ in self._rounds:
                params = {trial.number: trial.params for trial in best if trial.study == round_.name}
                stage = Stage(round_, list(params), params, lambda _: self.project.seed, self.trials, until)
                self._work.do(stage)
            if until is not None and self.stopwatch.seconds >= until:
                return

    def _rank_finalists(self) -> None:
        """Ranks by the mean over the seeds that all finalists were trained with; without any by the search itself."""
        n, made = self.spec.seeds, dict[int, dict[int, Trial]]()
        for number, trial in self.retrained.items():
            if trial.state == "complete":
                made.setdefault(number // n, {})[number % n] = trial
        finalists = [trial for trial in self._ranked()[:N_FINALISTS] if trial.number in made]
        common = set(range(n)).intersection(*(made[trial.number] for trial in finalists)) if finalists else set()
        found = [
            Finalist(each, tuple(made[each.number][seed].metrics for seed in sorted(common))) for each in finalists
        ]
        if common:
            found.sort(key=lambda each: (self._key(each.mean()), -each.trial.number), reverse=True)
            self.finalists = tuple(found)

    # ---------------------------------------------------------------- the work

    def _settle(self, round_: Round, made: dict[int, Trial], numbers: Sequence[int]) -> list[tuple[int, Params | None]]:
        """Brings back what was made before a cut; returns what is to be made, with the parameters it had begun with.

        What was running is told from its run where that was finished, else lost.
        """
        for trial in round_.trials():
            if trial.state == "running":
                done = self.lab.found(trial)
                if done is not None:
                    round_.tell(done, done.metrics, done.seconds)
                else:
                    round_.lose(trial, "the search was cut off")
        made |= {trial.number: trial for trial in round_.trials() if trial.state in DONE}
        return round_.unfinished(numbers)

    # ---------------------------------------------------------------- what the work asks and tells

    @property
    def time_left(self) -> float | None:
        """Seconds that trainings may still compute; None without a budget."""
        return self.stopwatch.left

    def is_over(self, stage: Stage) -> bool:
        """Whether the time of a stage is used up; a search that has nothing yet goes on to its first result.

        Not where a training had to be ended long after its time, for the next would take as long.
        """
        has_result = bool(self.complete or self._work.cut or self._work.open or self._work.is_short)
        return stage.until is not None and self.stopwatch.seconds >= stage.until and has_result

    def may_win(self, stage: Stage, fits: Sequence[tuple[Trial, Fit]]) -> set[int]:
        """Which of some trials may turn out to be the best, so that predictions, checkpoint and model are stored."""
        if stage.made is not self.trials:  # a finalist's model is its trial's
            return set()
        n = N_FINALISTS if self.spec.seeds > 1 else 1
        finished = [*self.complete, *(trial for trial, fit in fits if not is_cut(fit))]
        rivals = finished or [*self._work.cut, *(trial for trial, _ in fits)]
        return {trial.number for trial in ranked(rivals, self._optimize, self._satisfy)[:n]}

    def trained(self, n: int) -> None:
        """Counts trainings that have ended."""
        self._made += n

    def told(self, trial: Trial, *, was_trained: bool) -> None:
        """Hears of a trial that is written down.

        Raises:
            HopelessSearch: When one trial after the other fails.
        """
        if trial.state == "failed":
            self._check_hope()
        if was_trained:
            self._report()

    def _check_hope(self) -> None:
        failed = [trial for trial in self.trials.values() if trial.state == "failed"]
        if len(failed) >= HOPELESS and not self.complete and not self._pruned:
            self._give_up(failed)

    def _give_up(self, failed: Sequence[Trial]) -> None:
        raise HopelessSearch(
            f"The first {len(failed)} trials failed, the last of them so: {failed[-1].reason}\n"
            "Mend that, and search again."
            if len(failed) > 1
            else f"The only trial failed: {failed[-1].reason}\nMend that, and search again."
        )

    # ---------------------------------------------------------------- judging

    @property
    def complete(self) -> list[Trial]:
        """The trials that finished."""
        return [trial for trial in self.trials.values() if trial.state == "complete"]

    @property
    def _pruned(self) -> list[Trial]:
        """The trials that were ended early."""
        return [trial for trial in self.trials.values() if trial.state == "pruned"]

    @property
    def best(self) -> Trial | None:
        """The best so far; where nothing finished, the best of what the time budget cut off."""
        if self.finalists:
            return self.finalists[0].trial
        return next(iter(self._ranked() or ranked(self._work.cut, self._optimize, self._satisfy)), None)

    def _ranked(self) -> list[Trial]:
        return ranked(self.complete, self._optimize, self._satisfy)

    def _key(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return rank_key(metrics, self._optimize, self._satisfy, metrics.get("loss"))

    # ---------------------------------------------------------------- time

    def _until(self, n_todo: int, position: int) -> float | None:
        """When a round has to make room for those from `position` on and the finals; time goes by trainings to make."""
        later = sum(self._n_missing(after) for after in range(position, len(self.sizes)))
        if self.spec.seeds > 1:
            later += max(0, N_FINALISTS * self.spec.seeds - len(self.retrained))
        return self.stopwatch.share(n_todo, n_todo + later)

    def _n_missing(self, position: int) -> int:
        round_, numbers = self.study.find_round(position), self._numbers(position)
        return len(numbers) if round_ is None else len(round_.unfinished(numbers))

    def _report(self) -> None:
        if self._on_trial is None:
            return
        done, total = len(self.trials) + len(self.retrained), sum(self.sizes)
        total += min(N_FINALISTS, total) * self.spec.seeds if self.spec.seeds > 1 else 0
        seconds, budget = self.stopwatch.seconds, self.stopwatch.left
        left = seconds / self._made * max(0, total - done)
        left = left if budget is None else min(left, budget)
        failed = sum(trial.state == "failed" for trial in self.trials.values())
        self._on_trial(Progress(done, total, failed, self.best, seconds, left))
