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

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from mlproj.searching.round import Round
from mlproj.searching.storage import explained
from mlproj.searching.trials import Trial
from mlproj.spec.goal import LOSSES
from mlproj.spec.search import Space

Position = int | Literal["seeds"]
"""A round, counted from 0, or the retraining of the finalists."""


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
