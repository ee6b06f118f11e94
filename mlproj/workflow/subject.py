"""What a question is about: a run of the store or a predictions file, and the project around it.

Every command that takes a RUN finds it here, so that a predictions file of any framework is a run everywhere:

    with Subjects() as subjects:
        subject = subjects.find("keras.csv", project=None)
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.advise import commands
from mlproj.errors import InputError
from mlproj.records import Predictions, Run

if TYPE_CHECKING:
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker

MODEL_KINDS = ("train", "search", "trial", "record")
"""Kinds of runs that hold a model's answers; a search stands for its best trial."""


@dataclass(frozen=True)
class Subject:
    """What a command speaks of.

    Attributes:
        head: First line: run or file, split sizes, store.
        selector: How the command line names it; empty for rungs given by hand.
        chosen: How the run was found: a selector, `file` or `rungs`.
        predictions: Per-example predictions; None for rungs given by hand.
        project: The project it belongs to, if any.
        run: The run in the store with its folder, if any.
        splits: What the run's splits.json says: sizes, distributions_differ.
        notes: What differs from what a file says.
    """

    head: str
    selector: str
    chosen: str
    predictions: Predictions | None = None
    project: "Project | None" = None
    run: Run | None = None
    splits: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_foreign(self) -> bool:
        """Whether the model was trained elsewhere: the project's spec says nothing about it."""
        return self.chosen == "file" or (self.run is not None and self.run.kind == "record")

    @property
    def spoken(self) -> str:
        """What a sentence calls it: a run with short id and when, a file by its path."""
        from mlproj.workflow.runs import speak

        return speak(self.run) if self.run else self.selector


class Subjects:
    """Finds what is meant; the store is opened when the first run of it is asked for, and closed at the end.

    Attributes:
        tracker: The store's tracker, once it is open.
        note: What the first line adds when the store is not `mlruns/`.
    """

    def __init__(self) -> None:
        self.tracker: AbstractTracker | None = None
        self.note = ""

    def __enter__(self) -> "Subjects":
        return self

    def __exit__(self, *error: Any) -> None:
        if self.tracker is not None:
            self.tracker.__exit__(*error)

    def open(self, project: "Project", *, must_exist: bool = True) -> "AbstractTracker":
        """The tracker of a project's store.

        Args:
            project: The project.
            must_exist: Whether there must be runs in it already.

        Raises:
            RunNotFound: When the project has no runs yet.
        """
        from mlproj.workflow.runs import open_tracker, store_note

        if self.tracker is None:
            store, self.tracker = open_tracker(project, must_exist=must_exist)
            self.note = store_note(store)
            self.tracker.__enter__()
        return self.tracker

    def find(
        self,
        run: Run | str | Path | None,
        project: "Project | str | Path | None" = None,
        *,
        metric: str | None = None,
        only_test: bool = False,
    ) -> Subject:
        """What a RUN means: a predictions file, or a run of the project's store.

        Args:
            run: Run id, unique prefix, name, `latest`, `best`, a predictions file or a `Run`; None means the newest
                finished training.
            project: Project, project.yaml or folder; the current folder's by default.
            metric: Metric that will be asked for: it tells whether a file's numbers are classes.
            only_test: Whether a file may hold rows of the sealed test set alone.

        Raises:
            RunNotFound: When no run answers.
            InvalidInput: When the file cannot be read.
        """
        if is_file(run):
            return self._file(Path(str(run)), nearby(project), metric, only_test=only_test)
        assert not isinstance(run, Path)
        return self._stored(run, project)

    def _file(self, path: Path, project: "Project | None", metric: str | None, *, only_test: bool) -> Subject:
        if project is None:
            from mlproj.records.files import read_predictions

            predictions = read_predictions(path, metric=metric)
            head = " · ".join([str(path), *_count_splits(predictions)])
            return Subject(head, str(path), "file", predictions, None, None, {"distributions_differ": False})
        from mlproj.workflow.lookup import read_foreign

        found = read_foreign(path, project, metric=metric, only_test=only_test)
        aside = [f"{found.left_aside:,} test rows left aside"] if found.left_aside else []
        head = " · ".join([str(path), *_count_splits(found.predictions), *aside])
        splits = {"distributions_differ": bool(project.data.extra or project.data.time)}
        return Subject(head, str(path), "file", found.predictions, project, None, splits, found.notes)

    def _stored(self, run: Run | str | None, project: "Project | str | Path | None") -> Subject:
        from mlproj.records.files import read_predictions
        from mlproj.workflow.runs import find_run, load, model_of, speak, spec_of, split_sizes, stored_spec

        home = load(project if project is not None else ".")
        tracker = self.open(home)
        found = model_of(tracker, tracker.run(run.id) if isinstance(run, Run) else find_run(tracker, run))
        if found.kind not in MODEL_KINDS:
            raise InputError(
                f"{speak(found)} is of kind {found.kind}, which holds no model. Name a training: mlproj runs"
            )
        stored_spec(tracker, found)  # says why it holds none
        folder = tracker.fetch(found.id, "")
        if not (folder / "predictions.parquet").is_file():
            state = f"its status is {found.status}"
            raise InputError(f"{speak(found)} has no predictions ({state}). Name another: mlproj runs")
        splits = json.loads((folder / "splits.json").read_text(encoding="utf-8"))
        spec = spec_of(found, folder / "project.yaml", home)
        if home.human_level is not None:  # it may have been measured after the training
            spec = spec.changed(human_level=home.human_level)
        return Subject(
            " · ".join([speak(found), *split_sizes(splits["sizes"])]) + self.note,
            found.name,
            run if isinstance(run, str) else "latest" if run is None else found.id,
            read_predictions(folder / "predictions.parquet"),
            spec,
            replace(found, folder=folder),
            splits,
        )


def is_file(run: object) -> bool:
    """Whether a RUN is a predictions file: a path, or a text with the suffix of one.

    Example:
        >>> is_file("keras.csv"), is_file("latest"), is_file(None)
        (True, False, False)
    """
    return isinstance(run, Path) or (isinstance(run, str) and commands.is_file(run))


def nearby(project: "Project | str | Path | None") -> "Project | None":
    """The project around a predictions file: the one asked for, or the current folder's if there is one."""
    from mlproj.spec.load import load_project

    if project is None:
        return load_project(".") if Path("project.yaml").is_file() else None
    return load_project(project) if isinstance(project, str | Path) else project


def _count_splits(predictions: Predictions) -> Sequence[str]:
    return [f"{s.replace('_', '-')} {int((predictions.split == s).sum()):,}" for s in predictions.splits]


def as_run(
    run: Any, project: "Project | str | Path | None"
) -> "tuple[Run | str | Path | None, Project | str | Path | None]":
    """A RUN as `find` takes it: of what `train` or `search` returned, the run and the project that it belongs to.

    Args:
        run: A RUN, or a result with the attributes `run` and `project`.
        project: The project asked for, if any; it wins.
    """
    if run is None or isinstance(run, Run | str | Path):
        return run, project
    from mlproj.spec.project import Project

    if isinstance(run, Project):  # as `train(project)` takes it
        return None, run if project is None else project
    return run.run, run.project if project is None else project


def limits_of(subject: Subject, home: "Project | None") -> dict[str, str]:
    """The limits that a subject is held to: those that project.yaml names now, else those it was trained for."""
    for project in (home, subject.project):
        if project is not None and project.metric.satisfy:
            return {str(name): limit for name, limit in project.metric.satisfy.items()}
    return {}


def metric_of(subject: Subject, home: "Project | None") -> str:
    """The metric that a subject is judged by: the one that project.yaml optimises now, else its own."""
    for project in (home, subject.project):
        if project is not None and project.metric.optimize:
            return project.metric.optimize
    assert subject.predictions is not None
    return "error" if next(iter(subject.predictions.labels.values())).is_classification else "rmse"
