"""Which models an ensemble is made of: the best trials of a search, or seeds of a spec."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Job, Run
from mlproj.spec.project import Project
from mlproj.spec.vary import vary
from mlproj.workflow.record import TRIED
from mlproj.workflow.runs import contract_of, find_trained, load, spec_of, stored_spec
from mlproj.workflow.starting import Start
from mlproj.workflow.train_seeds import check_range

if TYPE_CHECKING:
    from mlproj.track import AbstractTracker

_CUT_OFF = ("pruned", "interrupted", "diverged")


@dataclass(frozen=True)
class Member:
    """A model of an ensemble, to be trained.

    Attributes:
        project: Its spec.
        seed: Its seed.
        trial: The run of the trial that it is; None for one of several seeds.
    """

    project: Project
    seed: int
    trial: Run | None = None

    @property
    def name(self) -> str:
        """What it is called in words."""
        return self.trial.name if self.trial else f"seed {self.seed}"


@dataclass(frozen=True)
class Choice:
    """Which models an ensemble is made of.

    Attributes:
        members: The models, the best first.
        words: What they are: ``the best 5 of 64 trials of search-1``.
        candidates: From how many they were chosen by their figures on dev; 0 where nobody chose.
        changes: Settings by which they differ from what was chosen.
    """

    members: Sequence[Member]
    words: str
    candidates: int = 0
    changes: tuple[str, ...] = ()

    @property
    def jobs(self) -> list[Job]:
        """Their trainings."""
        return [Job(member.project, member.seed) for member in self.members]


def choose(tracker: "AbstractTracker", start: Start, project: Project, k: int) -> Choice:
    """The models that an ensemble is made of.

    Args:
        tracker: Where runs are read.
        start: What was asked for.
        project: The spec of it; of a search that of its best trial.
        k: How many.

    Raises:
        InvalidInput: When there are not so many.
    """
    found = find_trained(tracker, start.like) if start.like else None
    if found is None or found.kind != "search":
        check_range(project, k)
        first = project.seed
        members = [Member(project, seed) for seed in range(first, first + k)]
        return Choice(members, f"the seeds {first} to {first + k - 1} of {start.like or 'project.yaml'}")
    trials, n_early = ranked_trials(tracker, found), count_ended_early(tracker, found)
    if len(trials) < k:
        raise InvalidInput([_too_few(found, project, k, len(trials), n_early)])
    home = load(start.project)
    searched = spec_of(found, stored_spec(tracker, found), home)
    members = []
    for trial in trials[:k]:
        own = _spec_of(tracker, trial, searched, home, start.set)
        members.append(Member(own, own.seed, trial))
    of = f"{len(trials)} trials of {found.name}"
    if n_early:
        of = f"the {of} that finished ({n_early} were ended early)"
    return Choice(members, f"the best {k} of {of}", len(trials), tuple(start.set))


def _too_few(search: Run, project: Project, k: int, n: int, n_early: int) -> Problem:
    """Says that a search has not so many models, and how to come by them."""
    fewer = f"Ask for {n} at most, or " if n >= 2 else ""
    if n_early:
        again = join(project, "search", "--like", search.name, "--set", "search.halving=none")
        hint = f"{fewer}search so that every trial finishes: {again}"
    else:
        hint = f"{fewer}make more trials: {join(project, 'search', '--like', search.name, '--trials', str(2 * k))}"
    early = f" ({n_early} were ended early)" if n_early else ""
    message = f"{k} models are more than the {n} finished trials of {search.name}{early}"
    return Problem("--ensemble", message, hint[0].upper() + hint[1:])


def _spec_of(
    tracker: "AbstractTracker", trial: Run, searched: Project, home: Project, changes: Sequence[str]
) -> Project:
    """The spec that a trial was trained with, and changes to it.

    It is made as the search made it, from the values that were tried: a search stores project.yaml for few trials, and
    the parameters of a run are text that has lost what is null and which of several mappings a value came from.
    """
    tried = _tried(trial)
    if tried is None:  # of a search before those were kept, or too long for a tag
        return spec_of(trial, stored_spec(tracker, trial), home, set=changes).changed(search=None)
    return load(vary(searched, tried).changed(search=None), set=changes)


def _tried(trial: Run) -> Mapping[str, Any] | None:
    """The values that a trial tried, by path; None where its run does not hold them."""
    try:
        tried: Mapping[str, Any] = json.loads(trial.tags[TRIED])
    except (KeyError, ValueError):
        return None
    return tried


def ranked_trials(tracker: "AbstractTracker", search: Run) -> list[Run]:
    """The finished trials of a search, its finalists first; their further seeds are none of them.

    The finalists stand in the order of the search, which may rest on several seeds; the others go by its contract.
    """
    from mlproj.metrics import rank_key

    metric, satisfy = contract_of(search)
    insight = json.loads(tracker.fetch(search.id, "search.json").read_text(encoding="utf-8"))
    place = {row["run_id"]: -at for at, row in enumerate(insight["finalists"])}
    last = -len(place)
    found = []
    for run in _trials(tracker, search):
        if run.outcome not in _CUT_OFF:
            on_dev = {key.removeprefix("dev/"): value for key, value in run.metrics.items() if key.startswith("dev/")}
            key = rank_key(on_dev, metric, satisfy, on_dev.get("loss"))
            found.append(((place.get(run.id, last), key, -_number(run)), run))
    return [run for _, run in sorted(found, key=lambda entry: entry[0], reverse=True)]


def count_ended_early(tracker: "AbstractTracker", search: Run) -> int:
    """How many trials of a search were ended early and not trained to the end after all."""
    runs = _trials(tracker, search)
    finished = {_number(run) for run in runs if run.outcome not in _CUT_OFF}
    return len({_number(run) for run in runs if run.outcome == "pruned"} - finished)


def _trials(tracker: "AbstractTracker", search: Run) -> list[Run]:
    """The runs of a search's trials that came to an end."""
    runs = tracker.runs(kinds=("trial",), statuses=("FINISHED",))
    return [run for run in runs if run.tags.get("mlflow.parentRunId") == search.id and "mlproj.seed" not in run.tags]


def _number(run: Run) -> int:
    return int(run.tags.get("mlproj.number", "0"))
