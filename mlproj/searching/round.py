"""One round of a search as Optuna keeps it: a study whose trials come into being with their number and parameters."""

import hashlib
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from mlproj.metrics.limits import violation
from mlproj.searching.scales import distribution, from_stored, stored_name, to_stored
from mlproj.searching.shield import shielded
from mlproj.searching.storage import explained, together
from mlproj.searching.trials import Judgement, Trial
from mlproj.searching.trials import TrialState as State
from mlproj.spec.search import Space, TaggedDimension

_FAR = 1e9
"""Stands for an infinite violation, which JSON does not know."""
_JUDGED = "judged-"
"""Begins the attributes of a study that hold what was decided at rungs."""
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
            # what was seen at the rungs comes along in the same record
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

    def note(self, judgements: Sequence[Judgement]) -> None:
        """Writes down what was decided at rungs, in one record of its own.

        Args:
            judgements: Those that were made together. A trial is judged once at each rung, so the first names them all.
        """
        first = judgements[0]
        content = [{**vars(each), "values": _as_json(each.values)} for each in judgements]
        with shielded(), explained():
            self._study.set_user_attr(f"{_JUDGED}{first.level}-{first.number}", content)

    @explained()
    def judged(self) -> list[Judgement]:
        """What was decided at rungs so far, also of trials that are to be made again."""
        return [
            Judgement(**{**each, "values": _from_json(each["values"])})
            for key, content in self._study.user_attrs.items()
            if key.startswith(_JUDGED)
            for each in content
        ]

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


def _as_json(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Values that JSON knows: `nan`, `inf` and `-inf` become words, which `float` reads back."""
    return {name: float(value) if math.isfinite(value) else str(float(value)) for name, value in metrics.items()}


def _from_json(values: Mapping[str, float | str]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
