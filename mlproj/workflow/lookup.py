"""A foreign predictions file inside a project: truth and splits are looked up by id, test rows are left aside. N rows.

The project's deal and labels are the authority. A file that brings a truth of its own, for examples that the project
does not know, stands for itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.records import Answers, Predictions
from mlproj.records.ids import explain_strangers, match_ids
from mlproj.workflow.arrays import open_dataset
from mlproj.workflow.spelling import in_our_classes, spell_like

if TYPE_CHECKING:
    from mlproj.data import Dataset, Sealed, Target
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


def read_foreign(
    path: Path, project: "Project", *, metric: str | None = None, is_ours: bool = False, only_test: bool = False
) -> Foreign:
    """Reads a predictions file and fills in what it leaves open, from the project around it.

    Args:
        path: The file.
        project: The project.
        metric: Metric that will be asked for, where one is named.
        is_ours: Whether its rows have to be examples of the project.
        only_test: Whether it may hold rows of the sealed test set alone, which are left aside.

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
    return _looked_up(columns, key, rows, dataset, path, only_test=only_test)


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


def _looked_up(
    columns: "Columns", key: str, rows: NDArray[np.int64], dataset: "Dataset", path: Path, *, only_test: bool = False
) -> Foreign:
    """The file's answers with the project's truth, splits, weights and groups."""
    from mlproj.records.files import understand

    project, deal = dataset.project, dataset.deal
    read = understand(columns, task=project.task, positive=_positive(project), id_column=key)
    read = replace(read, ids=deal.ids[rows], split=deal.split[rows])
    left_aside, without_split = int((read.split == "test").sum()), int((read.split == "").sum())
    read = read.select(deal.seen[rows])
    if not len(read) and only_test and left_aside:
        return Foreign(read, dataset, left_aside)
    if not len(read):
        where = "the sealed test set" if left_aside else "examples that were left out"
        message = f"all its rows are of {where}"
        raise InvalidInput([Problem("", message, "Add answers on dev, and on train for the ladder.", str(path))])
    y, weight, group = rows_of(dataset, read.ids)
    labels = coded_truth(read, dataset.target, y, path)
    notes = _differing(read, labels, path)
    if without_split:
        notes.append(f"{without_split:,} rows have no label in the data, or lie in no split: they are left aside.")
    weight, group = read.weight if weight is None else weight, read.group if group is None else group
    found = replace(read, labels=labels, weight=weight, group=group)
    if not any(name == "y_pred" or name.startswith("y_pred:") for name in columns.names):
        found, note = at_threshold(found, project)
        notes += note
    return Foreign(found, dataset, left_aside, tuple(notes))


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


def read_sealed(path: Path, project: "Project", dataset: "Dataset", target: "Target", sealed: "Sealed") -> Predictions:
    """The test rows of a predictions file, with the project's truth; whoever calls this counts the look.

    Probabilities alone are answered as on dev: at the threshold that the file's own dev rows choose.

    Args:
        path: The file.
        project: The project.
        dataset: Its data, without the test set.
        target: Its label, able to name every class of the test set.
        sealed: The test set.

    Raises:
        InvalidInput: When the file cannot be understood, or some test row is not answered, as a figure on a chosen part
            would say nothing.
    """
    from mlproj.records.files import understand
    from mlproj.records.loading import load_columns

    columns = load_columns(path)
    key = _id_column(columns, project)
    if key is None:
        hint = "Write the ids beside the answers: `mlproj split --out FILE` lists them."
        raise InvalidInput([Problem("", "has no column id: its rows cannot be looked up", hint, str(path))])
    ids = columns.names_in(key, what="the example")
    columns.check()
    rows = match_ids(ids, dataset.deal.ids)
    if problems := [*_strangers(ids, rows, dataset, key, path), *_repeated(rows, dataset, key, path)]:
        raise InvalidInput(problems)
    read = understand(columns, task=project.task, positive=_positive(project), id_column=key)
    place = {name: at for at, name in enumerate(dataset.deal.ids[rows].tolist())}
    absent = [name for name in sealed.ids.tolist() if name not in place]
    if absent:
        missing = "all" if len(absent) == len(sealed) else f"{len(absent):,}"
        message = f"answers for {missing} of the {len(sealed):,} test examples are missing, first {absent[0]!r}"
        hint = "Answer every test id that `mlproj split --out FILE` lists: a figure on a part of them says little."
        raise InvalidInput([Problem(f"column {key}", message, hint, str(path))])
    part = read.select(np.array([place[name] for name in sealed.ids.tolist()]))
    labels = coded_truth(part, target, target.encode(sealed.labels), path)
    found = Predictions(sealed.ids, np.full(len(sealed), "test"), labels, sealed.weight, sealed.group)
    if any(name == "y_pred" or name.startswith("y_pred:") for name in columns.names):
        return found
    seen = _looked_up(columns, key, rows, dataset, path).predictions if dataset.deal.seen[rows].any() else found
    return answered_at(found, threshold_for(seen, project)[0])


def at_threshold(predictions: Predictions, project: "Project") -> tuple[Predictions, list[str]]:
    """Probabilities without answers, answered at the threshold that a training of the project would take.

    Args:
        predictions: Probabilities with truth and splits.
        project: With `metric.threshold`, and with its metric.

    Returns:
        The predictions, and what there is to say about the threshold: nothing where it is 0.5.
    """
    threshold, how = threshold_for(predictions, project)
    if threshold == 0.5:
        return predictions, []
    return answered_at(predictions, threshold), [f"Probabilities are answered at threshold {threshold:.3g}, {how}."]


def threshold_for(predictions: Predictions, project: "Project") -> tuple[float, str]:
    """The threshold that a training would take, and where it comes from; 0.5 where there is nothing to choose."""
    from mlproj.metrics import choose_threshold, needs_threshold

    metric, labels = project.metric, predictions.labels
    if any(len(answers.classes) != 2 or answers.p is None for answers in labels.values()):
        return 0.5, ""
    threshold, how = (0.5, "") if metric.threshold == "auto" else (float(metric.threshold), "as metric.threshold says")
    dev = predictions.part("dev")
    is_chosen = metric.threshold == "auto" and len(labels) == 1 and needs_threshold(metric.optimize, metric.satisfy)
    if is_chosen and any(answers.known.any() for answers in dev.labels.values()):
        p = dev.answers.p
        assert p is not None
        optimize = metric.optimize or "error"
        threshold = choose_threshold(p[:, 1], dev.answers.y_true, dev.weight, optimize, metric.satisfy)
        how = "chosen on dev"
    return threshold, how


def answered_at(predictions: Predictions, threshold: float) -> Predictions:
    """The answers of yes/no labels at a threshold, from their probabilities."""
    if threshold == 0.5:
        return predictions
    labels = {name: replace(a, y_pred=_cut(a.p, threshold)) for name, a in predictions.labels.items()}
    return replace(predictions, labels=labels)


def _cut(p: NDArray[np.float64] | None, threshold: float) -> NDArray[np.int64]:
    assert p is not None
    return (p[:, 1] >= threshold).astype(np.int64)


def _differing(given: Predictions, labels: Mapping[str, Answers], path: Path) -> list[str]:
    """Truths that are not the project's: few were corrected since, many mean that the file speaks of other examples.

    Raises:
        InvalidInput: When many differ.
    """
    notes, problems = [], []
    for label, ours in labels.items():
        theirs = given.labels[label]
        both = theirs.known & ours.known
        differs = both & ~_agree(theirs, ours)
        if not differs.any():
            continue
        row, n = int(differs.argmax()), int(differs.sum())
        where = f"y_true:{label}" if label else "y_true"
        first = f"{str(given.ids[row])!r} is {_spell(theirs, row)!r} there and {_spell(ours, row)!r} in the data"
        if n > _MOST_DIFFERING * both.sum():
            message = f"{n:,} of {int(both.sum()):,} rows differ from the project's label: {first}"
            hint = "Are these the project's ids? Without y_true it is looked up."
            problems.append(Problem(f"column {where}", message, hint, str(path)))
        else:
            notes.append(f"{n:,} labels in {where} differ from the project's, which count: {first}.")
    if problems:
        raise InvalidInput(problems)
    return notes


def _agree(theirs: Answers, ours: Answers) -> NDArray[np.bool_]:
    """Where two truths (N,) are the same; those that are missing are to be masked by the caller."""
    if not ours.is_classification:
        return np.isclose(theirs.y_true, ours.y_true, rtol=1e-6, atol=1e-12)
    meant = spell_like(theirs.classes, ours.classes)
    codes = np.array([-2 if name is None else ours.classes.index(name) for name in meant], dtype=np.int64)
    return np.asarray(codes[theirs.y_true] == ours.y_true)


def _spell(answers: Answers, row: int) -> str:
    value = answers.y_true[row]
    return answers.classes[int(value)] if answers.is_classification else f"{float(value):.6g}"
