"""Searches as Optuna keeps them: one study per round, so that Optuna's own tools open them.

A search `NAME/search-1` is the studies `NAME/search-1/round-1`, `…/round-2` and, where the finalists are trained again,
`…/seeds`. Each step is one record, so that a crash between any two of them leaves nothing half done: a trial comes into
being with its number and its parameters, and what a search is stands in one attribute of its first round.

>>> from mlproj.spec.search import Int
>>> study = begin_study(optuna.storages.InMemoryStorage(), "cats", {}, optimize="error", satisfy={}, seed=0)
>>> round_ = study.open_round(0, {"model.width": Int(int=(16, 64))})
>>> trial = round_.ask(0, {"model.width": 32})
>>> round_.tell(trial, {"error": 0.1}, seconds=2.0).state, round_.unfinished(range(2))
('complete', [(1, None)])
"""

import hashlib
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from mlproj.metrics.limits import violation
from mlproj.searching.scales import distribution, from_stored, stored_name, to_stored
from mlproj.searching.storage import explained, together
from mlproj.searching.trials import Trial
from mlproj.searching.trials import TrialState as State
from mlproj.spec.goal import LOSSES
from mlproj.spec.search import Space, TaggedDimension

Position = int | Literal["seeds"]
"""A round, counted from 0, or the retraining of the finalists."""
_FAR = 1e9
"""Stands for an infinite violation, which JSON does not know."""
_SPACE: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, TaggedDimension])


class Round:
    """One round of a search: a study of Optuna.

    Attributes:
        name: Name of the study.
        space: What it draws from.
    """

    def __init__(self, storage: BaseStorage, study: optuna.Study, terms: Mapping[str, Any]) -> None:
        self.name = study.study_name
        self._study, self._storage, self._study_id = study, storage, storage.get_study_id_from_name(self.name)
        self._optimize, self._satisfy, self._seed = terms["optimize"], terms["satisfy"], terms["seed"]
        opened = study.user_attrs["round"]
        self.space: Space = _SPACE.validate_python(opened["space"])
        self.carried: tuple[int, ...] = tuple(opened["carried"])
        self._distributions = {stored_name(path, each): distribution(each) for path, each in self.space.items()}

    @contextmanager
    def together(self) -> Iterator[None]:
        """Lets what a block writes reach the disk together at its end."""
        with explained(), together(self._storage):
            yield

    @explained()
    def trials(self) -> list[Trial]:
        """The round's own trials by number: of each the last attempt. Those carried over are not among them."""
        latest = {}
        for frozen in self._study.get_trials(deepcopy=False):
            if "number" in frozen.user_attrs and frozen.state != TrialState.WAITING:
                latest[frozen.user_attrs["number"]] = self._decoded(frozen)
        return [latest[number] for number in sorted(latest)]

    def unfinished(self, numbers: Collection[int]) -> list[tuple[int, Mapping[str, Any] | None]]:
        """Which trials are still to be made.

        Args:
            numbers: All that the round should have.

        Returns:
            Their numbers, with the parameters of those that were begun before.
        """
        found = {trial.number: trial for trial in self.trials()}
        return [
            (number, found[number].params if number in found else None)
            for number in numbers
            if number not in found or found[number].state in ("running", "lost")
        ]

    @explained()
    def ask(self, number: int, params: Mapping[str, Any] | None = None) -> Trial:
        """Begins a trial.

        Args:
            number: Its number over all rounds.
            params: Values by path; chosen by TPE from what the round knows when None.

        Returns:
            The trial, with its parameters as Optuna holds them.
        """
        # with its parameters from the start, not asked for one by one: a crash leaves a whole trial or none
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=self._suggested(number) if params is None else self._stored(params),
            distributions=self._distributions,
            user_attrs={"number": number},
        )
        return self._decoded(self._storage.get_trial(self._storage.create_new_trial(self._study_id, template)))

    @explained()
    def begun(self, trial: Trial, run_id: str) -> Trial:
        """Notes the run of a trial."""
        self._handle(trial).set_user_attr("run_id", run_id)
        return replace(trial, run_id=run_id)

    def tell(self, trial: Trial, metrics: Mapping[str, float], seconds: float) -> Trial:
        """Ends a trial that was trained.

        Args:
            trial: The trial.
            metrics: Values on dev by metric: the optimised and the satisficed ones, and `loss`.
            seconds: How long it trained.

        Returns:
            The trial: complete, or pruned where it comes as such; it has failed where the optimised metric of a
            complete one is no number.
        """
        value, is_pruned = metrics.get(self._optimize, math.nan), trial.state == "pruned"
        if not math.isfinite(value) and not is_pruned:
            return self.fail(trial, f"{self._optimize} on dev is {value}")
        with explained():
            handle = self._handle(trial)
            # what was seen at the rungs comes along: one record more per rung would cost more than it tells
            course = {
                "epochs": trial.epochs,
                "rungs": {str(level): _as_json(values) for level, values in trial.rungs.items()},
            }
            handle.set_user_attr("result", {"metrics": _as_json(metrics), "seconds": float(seconds)} | course)
            for name, violated in self._violations(metrics).items():
                if name not in handle.constraints:
                    handle.set_constraint(name, violated)
            if not is_pruned:
                return self._decoded(self._study.tell(handle, value))
            for epoch, last in self._last_seen(trial).items():
                handle.report(last, step=epoch)
            return self._decoded(self._study.tell(handle, state=TrialState.PRUNED))

    def fail(self, trial: Trial, reason: str) -> Trial:
        """Ends a trial that failed and would fail again."""
        return self._ended(trial, "reason", reason)

    def lose(self, trial: Trial, reason: str) -> Trial:
        """Ends a trial that was cut off; it is made again."""
        return self._ended(trial, "lost", reason)

    @explained()
    def carry(self, trials: Sequence[Trial]) -> None:
        """Adds trials of earlier rounds, for Optuna to learn from; those that are there already are left alone."""
        there = {frozen.user_attrs.get("from") for frozen in self._study.get_trials(deepcopy=False)}
        self._study.add_trials(
            optuna.trial.create_trial(
                params=self._stored(trial.params),
                distributions=self._distributions,
                **self._outcome(trial),
                constraints=self._violations(trial.metrics),
                user_attrs={"from": trial.number, "run_id": trial.run_id},
            )
            for trial in trials
            if trial.number not in there
        )

    def _outcome(self, trial: Trial) -> dict[str, Any]:
        """How a trial ended, as `create_trial` takes it."""
        if trial.state != "pruned":
            return {"value": trial.metrics[self._optimize]}
        seen = self._last_seen(trial)
        value = next((value for value in seen.values() if math.isfinite(value)), None)
        return {"state": TrialState.PRUNED, "value": value, "intermediate_values": seen}

    def _last_seen(self, trial: Trial) -> dict[int, float]:
        """Where a pruned trial ended: the epoch, and its value then.

        TPE orders pruned trials by that epoch, the later the better, then by the value, and all of them after the
        complete ones. So a value is held against those after as many epochs alone.
        """
        return {trial.epochs: trial.last_seen.get(self._optimize, math.nan)}

    def _suggested(self, number: int) -> dict[str, Any]:
        """Parameters by TPE, as Optuna holds them; drawn in memory, before anything is written."""
        digest = hashlib.sha256(f"{self._seed}/{self.name}/{number}".encode()).digest()
        sampler = optuna.samplers.TPESampler(seed=int.from_bytes(digest[:4]))
        sketch = optuna.create_study(direction=self._study.direction, sampler=sampler)
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        sketch.add_trials(self._study.get_trials(deepcopy=False, states=states))
        return sketch.ask(self._distributions).params

    def _stored(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {stored_name(path, each): to_stored(each, params[path]) for path, each in self.space.items()}

    def _violations(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Optuna's constraints, above 0 where a limit is missed; what was not measured misses by 100 %."""
        return {
            name: min(violation(metrics[name], limit), _FAR) if name in metrics else 1.0
            for name, limit in self._satisfy.items()
        }

    def _handle(self, trial: Trial) -> optuna.Trial:
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, trial.index)
        return optuna.Trial(self._study, trial_id)

    @explained()
    def _ended(self, trial: Trial, key: str, reason: str) -> Trial:
        handle = self._handle(trial)
        handle.set_user_attr(key, reason)
        return self._decoded(self._study.tell(handle, state=TrialState.FAIL))

    def _decoded(self, frozen: FrozenTrial) -> Trial:
        notes, result = frozen.user_attrs, frozen.user_attrs.get("result", {})
        states: dict[TrialState, State] = {
            TrialState.RUNNING: "running", TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned",
        }  # fmt: skip
        return Trial(
            number=notes["number"],
            study=self.name,
            index=frozen.number,
            params={
                path: from_stored(each, frozen.params[stored_name(path, each)]) for path, each in self.space.items()
            },
            state=states.get(frozen.state, "lost" if "lost" in notes else "failed"),
            metrics=_from_json(result.get("metrics", {})),
            run_id=notes.get("run_id"),
            reason=notes.get("lost", notes.get("reason", "")) if frozen.state == TrialState.FAIL else "",
            seconds=result.get("seconds", 0.0),
            epochs=result.get("epochs", 0),
            rungs={int(level): _from_json(values) for level, values in result.get("rungs", {}).items()},
        )


class SearchStudy:
    """One search: its plan, its rounds, and how it ended.

    Attributes:
        name: `NAME/search-1`, `NAME/search-2`, …
    """

    def __init__(self, storage: BaseStorage, name: str) -> None:
        self.name = name
        self._storage = storage
        self._first = optuna.load_study(study_name=f"{name}/round-1", storage=storage)
        self._terms: dict[str, Any] = self._first.user_attrs["mlproj"]

    @property
    def plan(self) -> Mapping[str, Any]:
        """What it set out to do, as JSON values."""
        return self._terms["plan"]

    @explained()
    def update_plan(self, **changes: Any) -> None:
        """Sets parts of the plan."""
        self._terms = {**self._terms, "plan": {**self.plan, **changes}}
        self._first.set_user_attr("mlproj", self._terms)

    @property
    def ended(self) -> str | None:
        """Why it ended; None while it is not over."""
        return self._note("ended")

    @explained()
    def end(self, stopped: str | None) -> None:
        """Notes why it ended; None when it goes on."""
        self._first.set_user_attr("ended", stopped)

    def open_round(self, position: Position, space: Space, carried: Sequence[Trial] = ()) -> Round:
        """Begins a round.

        Args:
            position: Which.
            space: What it draws from.
            carried: Trained trials of earlier rounds that lie in the space.
        """
        with explained():
            study = optuna.create_study(
                study_name=self._name_of(position),
                storage=self._storage,
                direction=self._first.direction,
                load_if_exists=True,
            )
            ranges = {path: each.model_dump(mode="json") for path, each in space.items()}
            study.set_user_attr("round", {"space": ranges, "carried": [trial.number for trial in carried]})
            round_ = Round(self._storage, study, self._terms)
        round_.carry(carried)
        return round_

    def find_round(self, position: Position) -> Round | None:
        """A round that was begun, with all that is carried over into it; None for one that was not."""
        round_ = self._load(position)
        if round_ is not None and round_.carried and isinstance(position, int):
            earlier = [each for each in map(self._load, range(position)) if each is not None]
            known = {trial.number: trial for each in earlier for trial in each.trials()}
            round_.carry([known[number] for number in round_.carried])
        return round_

    @explained()
    def _load(self, position: Position) -> Round | None:
        try:
            study = optuna.load_study(study_name=self._name_of(position), storage=self._storage)
        except KeyError:
            return None
        return Round(self._storage, study, self._terms) if "round" in study.user_attrs else None

    def _name_of(self, position: Position) -> str:
        return f"{self.name}/{position}" if isinstance(position, str) else f"{self.name}/round-{position + 1}"

    @explained()
    def _note(self, key: str) -> Any:
        return self._first.user_attrs.get(key)


@explained()
def latest_study(storage: BaseStorage, project_name: str) -> SearchStudy | None:
    """The newest search of a project; None when there is none.

    Args:
        storage: Where the studies are.
        project_name: Its `name`.
    """
    newest = _newest(storage, project_name)
    return SearchStudy(storage, f"{project_name}/search-{newest}") if newest else None


@explained()
def begin_study(
    storage: BaseStorage,
    project_name: str,
    plan: Mapping[str, Any],
    *,
    optimize: str,
    satisfy: Mapping[Any, str],
    seed: int,
) -> SearchStudy:
    """Begins a search, numbered after those that the project had.

    Args:
        storage: Where the studies are.
        project_name: Its `name`.
        plan: What the search sets out to do, as JSON values.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
        seed: Seed of TPE.
    """
    direction = StudyDirection.MINIMIZE if optimize in LOSSES else StudyDirection.MAXIMIZE
    number = _newest(storage, project_name)
    while True:
        number += 1
        name = f"{project_name}/search-{number}"
        study = optuna.create_study(
            study_name=f"{name}/round-1", storage=storage, direction=direction, load_if_exists=True
        )
        # one that is there already was cut off before it had a plan: it is ours, unless it looks the other way
        if study.direction == direction and not study.get_trials(deepcopy=False):
            break
    terms = {"optimize": optimize, "satisfy": dict(satisfy), "seed": seed, "plan": dict(plan)}
    study.set_user_attr("mlproj", terms)
    return SearchStudy(storage, name)


def _newest(storage: BaseStorage, project_name: str) -> int:
    """Number of a project's newest search; 0 when it has none."""
    first = re.compile(re.escape(project_name) + r"/search-(\d+)/round-1")
    studies = [study for study in storage.get_all_studies() if "mlproj" in study.user_attrs]
    return max((int(found[1]) for study in studies if (found := first.fullmatch(study.study_name))), default=0)


def _as_json(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Values that JSON knows: `nan`, `inf` and `-inf` become words, which `float` reads back."""
    return {name: float(value) if math.isfinite(value) else str(float(value)) for name, value in metrics.items()}


def _from_json(values: Mapping[str, float | str]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
