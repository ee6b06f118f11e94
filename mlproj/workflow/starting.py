"""How a training starts: from which spec, under which name, in which run."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Run
from mlproj.spec.model import Python
from mlproj.spec.project import Project
from mlproj.spec.render import flatten, spec_hash
from mlproj.workflow.record import NOTHING, data_tags
from mlproj.workflow.runs import find_model, load, open_tracker, spec_of, stored_spec

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.track import AbstractTracker, GitState, Store

LONGEST_NAME = 100
"""Characters that a run's name may have."""


@dataclass(frozen=True)
class Start:
    """What every kind of training is asked for.

    Attributes:
        project: A project, a project.yaml or a folder holding one.
        set: Changes such as ``training.learning_rate=0.01``.
        like: Run whose resolved spec is the starting point instead of project.yaml.
        name: Name of the run.
    """

    project: Project | str | Path = "."
    set: Sequence[str] = ()
    like: str | None = None
    name: str | None = None

    def open(self, stack: ExitStack) -> tuple[Project, "Store", "AbstractTracker"]:
        """The spec to train, the store, and its tracker, which is closed with the stack.

        Raises:
            InvalidInput: When name or spec are wrong.
            RunNotFound: When no run answers to `like`.
        """
        check_name(self.name)
        project = load(self.project, set=() if self.like else self.set)
        store, tracker = open_tracker(project)
        stack.enter_context(tracker)
        if self.like:
            found = find_model(tracker, self.like)
            project = spec_of(found, stored_spec(tracker, found), project, set=self.set)
        return project.changed(search=None), store, tracker  # what a search may try is no part of one training

    def command(self, home: Project, *words: str) -> str:
        """The command that asks for the same training.

        Args:
            home: The project as it lies there.
            words: What else is asked for.
        """
        given = [word for change in self.set for word in ("--set", change)]
        named = (("--like", self.like), ("--name", self.name))
        given += [word for option, value in named if value for word in (option, value)]
        return join(home, "train", *given, *words)


def check_name(name: str | None) -> None:
    """Whether a run may be called so: the name has to lead back to the run on a command line and in a table.

    Args:
        name: Name of a run to be; None lets mlproj choose one.

    Raises:
        InvalidInput: When it may not.

    Example:
        >>> check_name("wide net")
        >>> check_name("latest")
        Traceback (most recent call last):
        mlproj.errors.InvalidInput: --name: 'latest' always means another run...
    """
    if name is None:
        return
    if name in ("latest", "best"):
        wrong = "always means another run"
    elif name.lower().endswith((".csv", ".parquet")):
        wrong = "reads like a predictions file"
    elif name.startswith("-"):
        wrong = "reads like an option"
    elif not name.isprintable() or not name.strip() or len(name) > LONGEST_NAME:
        wrong = f"is no name of 1 to {LONGEST_NAME} printable characters"
    else:
        return
    shown = repr(name if len(name) <= LONGEST_NAME else name[:20] + "…")
    raise InvalidInput([Problem("--name", f"{shown} {wrong}", "Choose another name, such as wide-net.")])


def check_kind(seeds: int | None, ensemble: int | None) -> None:
    """Whether it is clear what kind of training is meant.

    Raises:
        InvalidInput: When options contradict each other.
    """
    if ensemble is not None and seeds is not None:
        hint = "An ensemble without a search is of so many seeds by itself: leave --seeds out."
        raise InvalidInput([Problem("--ensemble", "makes one model of several, --seeds keeps them apart", hint)])


def begin_run(
    tracker: "AbstractTracker",
    project: Project,
    dataset: "Dataset",
    git: "GitState",
    name: str,
    more: Mapping[str, str] = NOTHING,
) -> Run:
    """Opens the run of a training.

    Args:
        tracker: Where.
        project: The resolved spec.
        dataset: What is trained on.
        git: State of the project's git work tree.
        name: Name of the run.
        more: Further tags.
    """
    started = time.time()
    params = flatten(project)
    tags = {"mlproj.spec_hash": spec_hash(project)} | data_tags(dataset) | dict(git.tags) | dict(more)
    run_id = tracker.start(kind="train", name=name, params=params, tags=tags)
    return Run(run_id, name, "train", "RUNNING", started, None, params, {}, tags)


def model_name(project: Project) -> str:
    """A short name for what is trained, to begin run names with.

    Example:
        >>> from mlproj.spec.data import Data
        >>> model_name(Project(name="cats", data=Data(source="app.csv", label="is_cat")))
        'mlp-64-64'
    """
    if isinstance(project.model, Python):
        return project.model.factory.rpartition(":")[2]
    sizes = getattr(project.model, "sizes", ())
    return "-".join([project.model.kind, *map(str, sizes[:4])])
