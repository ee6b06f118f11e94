"""A foreign predictions file inside a project: truth and splits are looked up by id, test rows are left aside. N rows.

The project's deal and labels are the authority. A file that brings a truth of its own, for examples that the project
does not know, stands for itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.records import Answers, Predictions
from mlproj.records.ids import explain_strangers, match_ids
from mlproj.workflow.arrays import open_dataset
from mlproj.workflow.spelling import in_our_classes

if TYPE_CHECKING:
    from mlproj.data import Dataset, Target
    from mlproj.records.columns import Columns
    from mlproj.spec.project import Project

_MOST_DIFFERING = 0.1
"""Share of labels that differ from which a file speaks of other examples; below, labels were corrected since."""


@dataclass(frozen=True)
class Foreign:
    """A predictions file, read inside a project.

    Attributes:
        predictions: Its answers, with the project's truth, splits, weights and groups where they were looked up.
        dataset: The project's data; None where the file stands for itself.
        left_aside: Rows of the sealed test set.
        notes: What differs from what the file says.
    """

    predictions: Predictions
    dataset: "Dataset | None" = None
    left_aside: int = 0
    notes: tuple[str, ...] = ()


def read_foreign(path: Path, project: "Project", *, metric: str | None = None, is_ours: bool = False) -> Foreign:
    """Reads a predictions file and fills in what it leaves open, from the project around it.

    Args:
        path: The file.
        project: The project.
        metric: Metric that will be asked for, where one is named.
        is_ours: Whether its rows have to be examples of the project.

    Raises:
        InvalidInput: When the file cannot be understood, or its rows are not the project's where they have to be.
    """
    from mlproj.records.loading import load_columns

    columns = load_columns(path)
    has_truth = any(name == "y_true" or name.startswith("y_true:") for name in columns.names)
    key = _id_column(columns, project)
    may_stand_alone = has_truth and not is_ours
    if key is None:
        if may_stand_alone:
            return _alone(columns, project, metric)
        hint = (
            "Write the ids beside the answers: they are the index of `project.data(...)` and in `mlproj split --out`."
        )
        raise InvalidInput([Problem("", "has no column id: its rows cannot be looked up", hint, str(path))])
    try:
        dataset = open_dataset(project, save=False)
    except InvalidInput:
        if may_stand_alone and "split" in columns:  # nothing of the project is needed
            return _alone(columns, project, metric)
        raise
    ids = columns.names_in(key, what="the example")
    columns.check()
    rows = match_ids(ids, dataset.deal.ids)
    if may_stand_alone and not (rows >= 0).any():
        return _alone(columns, project, metric)
    if problems := [*_strangers(ids, rows, dataset, key, path), *_repeated(rows, dataset, key, path)]:
        raise InvalidInput(problems)
    return _looked_up(columns, key, rows, dataset, path)


def coded_truth(predictions: Predictions, target: "Target", y: NDArray[Any], path: Path) -> dict[str, Answers]:
    """A file's answers in the project's classes, with the project's truth.

    Args:
        predictions: The file's content.
        target: The project's label.
        y: The truth of the file's rows, as `Target.encode` gives it (N, L).
        path: The file, for messages.

    Raises:
        InvalidInput: When the answers cannot be held against the label.
    """
    answers = in_our_classes(predictions, target, path)
    truth = target.decode(np.zeros((len(y), target.n_outputs)), y)
    return {name: replace(answers[name], y_true=known.y_true) for name, known in truth.items()}


def _id_column(columns: "Columns", project: "Project") -> str | None:
    """The column that names the examples: `id`, or what project.yaml calls it."""
    return next((name for name in ("id", project.data.id) if name is not None and name in columns), None)


def _alone(columns: "Columns", project: "Project", metric: str | None) -> Foreign:
    """The file as it stands; rows that it says are of a test set are left aside all the same."""
    from mlproj.records.files import understand

    predictions = understand(columns, metric=metric, task=project.task, positive=_positive(project))
    keep = predictions.split != "test"
    return Foreign(predictions.select(keep), None, int((~keep).sum()))


def _positive(project: "Project") -> str | None:
    return None if project.data.positive is None else str(project.data.positive)


def _strangers(
    ids: NDArray[Any], rows: NDArray[np.int64], dataset: "Dataset", key: str, path: Path
) -> Iterator[Problem]:
    """Ids that the project does not know; what a spreadsheet may have done to them is said."""
    strange = ids[rows < 0].tolist()
    if not strange:
        return
    shown = ", ".join(map(repr, strange[:3])) + (", …" if len(strange) > 3 else "")
    message = f"{len(strange):,} of {len(ids):,} ids are not in {dataset.project.name}'s data: {shown}"
    hint = explain_strangers(strange, dataset.deal.ids.tolist())
    hint = hint or "Keep the project's ids (`mlproj split --out FILE` lists them), or give y_true and split."
    yield Problem(f"column {key}", message, hint, str(path))


def _repeated(rows: NDArray[np.int64], dataset: "Dataset", key: str, path: Path) -> Iterator[Problem]:
    names, counts = np.unique(rows[rows >= 0], return_counts=True)
    twice = dataset.deal.ids[names[counts > 1]].tolist()
    if twice:
        shown = ", ".join(map(repr, twice[:3])) + (", …" if len(twice) > 3 else "")
        message = f"{len(twice):,} ids stand in several rows: {shown}"
        yield Problem(f"column {key}", message, "Keep one row per example.", str(path))


def _looked_up(columns: "Columns", key: str, rows: NDArray[np.int64], dataset: "Dataset", path: Path) -> Foreign:
    """The file's answers with the project's truth, splits, weights and groups."""
    from mlproj.records.files import understand

    project, deal = dataset.project, dataset.deal
    read = understand(columns, task=project.task, positive=_positive(project), id_column=key)
    read = replace(read, ids=deal.ids[rows], split=deal.split[rows])
    left_aside, without_split = int((read.split == "test").sum()), int((read.split == "").sum())
    read = read.select(deal.seen[rows])
    if not len(read):
        where = "the sealed test set" if left_aside else "examples that were left out"
        message = f"all its rows are of {where}"
        raise InvalidInput([Problem("", message, "Add answers on dev, and on train for the ladder.", str(path))])
    y, weight, group = rows_of(dataset, read.ids)
    labels = coded_truth(read, dataset.target, y, path)
    notes = _differing(read, labels, path)
    if without_split:
        notes.append(f"{without_split:,} rows have no label in the data, or lie in no split: they are left aside.")
    found = replace(
        read,
        labels=_with_threshold(labels, read.split, weight, columns, project),
        weight=read.weight if weight is None else weight,
        group=read.group if group is None else group,
    )
    return Foreign(found, dataset, left_aside, (*notes, *_note_threshold(labels, found)))


def rows_of(
    dataset: "Dataset", ids: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.float64] | None, NDArray[Any] | None]:
    """Truth (N, L), weights and groups (N,) of examples that may be seen; None without weights or groups.

    Args:
        dataset: The project's data.
        ids: Ids of the examples (N,).
    """
    parts = list(dataset.parts.values())
    place = {name: row for row, name in enumerate(np.concatenate([part.ids for part in parts]).tolist())}
    at = np.array([place[name] for name in ids.tolist()], dtype=np.int64)
    weights = [part.weight for part in parts if part.weight is not None]
    groups = [part.group for part in parts if part.group is not None]
    return (
        np.concatenate([part.y for part in parts])[at],
        np.concatenate(weights)[at] if weights else None,
        np.concatenate(groups)[at] if groups else None,
    )
