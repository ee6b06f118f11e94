"""A foreign predictions file inside a project: truth and splits are looked up by id, test rows are left aside."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.records import Answers, Predictions, Texts
from mlproj.records.columns import canonical

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.data.target import Target
    from mlproj.spec.project import Project


def with_project(predictions: Predictions, project: "Project", path: Path) -> Predictions:
    """Fills in what a foreign file leaves open, from the project that it is used in.

    Args:
        predictions: The file's content.
        project: The project around it.
        path: The file, for messages.

    Returns:
        The predictions with truth and split, without the rows of the sealed test set.

    Raises:
        InvalidInput: When truth is missing and the ids are not those of the project.
    """
    has_truth = all(answers.known.any() for answers in predictions.labels.values())
    if has_truth and predictions.splits != ("dev",):  # a file without splits is read as all dev
        return _without_test(predictions)
    from mlproj.data import load_dataset
    from mlproj.track import store_for

    dataset = load_dataset(project, store=store_for(project).splits, save=False)
    split = _splits_of(predictions, dataset)
    strange = np.flatnonzero(split == "")
    if has_truth and len(strange) == len(split):
        return predictions  # ids of its own: the file stands for itself
    if len(strange):
        raise InvalidInput([_strangers(predictions, strange, project, dataset, path)])
    seen = _without_test(replace(predictions, split=split))
    return seen if has_truth else _with_truth(seen, dataset, path)


def hold_against(predictions: Predictions, project: "Project", dataset: "Dataset", path: Path) -> Predictions:
    """A foreign file with the project's own truth and splits, to be kept in its store.

    Args:
        predictions: The file's content.
        project: The project.
        dataset: Its data.
        path: The file, for messages.

    Returns:
        The predictions without the rows of the sealed test set.

    Raises:
        InvalidInput: When ids are unknown or repeated, or a truth in the file is not the project's.
    """
    problems = list(_repeated(predictions, path))
    split = _splits_of(predictions, dataset)
    strange = np.flatnonzero(split == "")
    if len(strange):
        problems.append(_strangers(predictions, strange, project, dataset, path))
    if problems:
        raise InvalidInput(problems)
    seen = _without_test(replace(predictions, split=split))
    if not len(seen):
        raise InvalidInput([Problem("", "all its rows are of the sealed test set", "Add answers on dev.", str(path))])
    found = _with_truth(seen, dataset, path)
    if differing := list(_differing(seen, found, path)):
        raise InvalidInput(differing)
    return found


def _repeated(predictions: Predictions, path: Path) -> Iterator[Problem]:
    names, counts = np.unique(predictions.ids, return_counts=True)
    if (counts > 1).any():
        first = str(names[counts > 1][0])
        message = f"{int((counts > 1).sum()):,} ids stand in several rows, first {first!r}"
        yield Problem("column id", message, "Keep one row per example.", str(path))


def _splits_of(predictions: Predictions, dataset: "Dataset") -> Texts:
    """Split of each row as the project dealt it (N,), "" for ids that it does not know."""
    dealt = dict(zip(dataset.deal.ids.tolist(), dataset.deal.split.tolist(), strict=True))
    return np.array([dealt.get(name, "") for name in predictions.ids.tolist()], dtype=np.str_)


def _strangers(
    predictions: Predictions, strange: NDArray[Any], project: "Project", dataset: "Dataset", path: Path
) -> Problem:
    """Ids that the project does not know; what a spreadsheet may have done to them is said."""
    first = str(predictions.ids[strange[0]])
    message = f"{len(strange):,} of {len(predictions):,} ids are not in {project.name}'s data, first {first!r}"
    known = {name.lstrip("0"): name for name in dataset.deal.ids.tolist() if name.startswith("0")}
    if first.lstrip("0") in known:
        hint = f"Leading zeros were lost: the data say {known[first.lstrip('0')]!r}. Keep ids as text."
    else:
        hint = "Keep the project's ids (`mlproj split --out FILE` lists them), or give y_true and split."
    return Problem("column id", message, hint, str(path))


def _differing(given: Predictions, found: Predictions, path: Path) -> Iterator[Problem]:
    """Truths in the file that are not the project's."""
    for label, theirs in given.labels.items():
        ours = found.labels[label]
        both = theirs.known & ours.known
        if ours.is_classification:
            spelled = np.array([canonical(name) for name in theirs.classes], dtype=object)[theirs.y_true]
            differs = both & (
                spelled != np.array([canonical(name) for name in ours.classes], dtype=object)[ours.y_true]
            )
        else:
            differs = both & ~np.isclose(theirs.y_true, ours.y_true, rtol=1e-6, atol=0)
        if differs.any():
            row = int(differs.argmax())
            said, meant = (_spell(each, row) for each in (theirs, ours))
            where = f"column y_true:{label}" if label else "column y_true"
            first = f"{found.ids[row]}: {said!r}, not {meant!r}"
            message = f"{int(differs.sum()):,} rows differ from the project's label, first {first}"
            hint = "Leave y_true out: it is looked up. Or correct the data (`data.corrections`)."
            yield Problem(where, message, hint, str(path))


def _spell(answers: Answers, row: int) -> str:
    value = answers.y_true[row]
    return answers.classes[int(value)] if answers.is_classification else f"{float(value):.6g}"


def _without_test(predictions: Predictions) -> Predictions:
    return predictions.select(predictions.split != "test")


def _with_truth(predictions: Predictions, dataset: "Dataset", path: Path) -> Predictions:
    """Truth from the data, in the coding of the file's own classes."""
    ids = np.concatenate([part.ids for part in dataset.parts.values()])
    row = {name: position for position, name in enumerate(ids.tolist())}
    positions = np.array([row[name] for name in predictions.ids.tolist()], dtype=np.int64)
    y = np.concatenate([part.y for part in dataset.parts.values()])[positions]
    return replace(predictions, labels=coded_truth(predictions, dataset.target, y, path))


def coded_truth(predictions: Predictions, target: "Target", y: NDArray[Any], path: Path) -> dict[str, Answers]:
    """A file's answers with the project's truth, in the coding of the file's own classes.

    Args:
        predictions: The file's content.
        target: The project's label.
        y: The truth of the file's rows, as `Target.encode` gives it (N, L).
        path: The file, for messages.

    Raises:
        InvalidInput: When the answers cannot be held against the label.
    """
    names = target.names
    predictions = _spelled_alike(predictions, target, names)
    if problems := list(_strange_answers(predictions, target, names, path)):
        raise InvalidInput(problems)
    labels = {}
    for column, name in enumerate(names):
        answers = predictions.labels[name]
        if answers.is_classification:
            answers = widened(answers, target.classes[column])
        labels[name] = replace(answers, y_true=_coded(y[:, column], target, column, answers))
    return labels


def _spelled_alike(predictions: Predictions, target: "Target", names: Sequence[str]) -> Predictions:
    """The predictions with classes spelled as the project spells them: `true` of a file is `True` of the data."""
    labels = dict(predictions.labels)
    for name, classes in zip(names, target.classes, strict=False):  # numbers have no classes
        if name in labels:
            ours = {canonical(own): own for own in classes}
            labels[name] = replace(labels[name], classes=tuple(ours.get(canonical(c), c) for c in labels[name].classes))
    return replace(predictions, labels=labels)


def _strange_answers(predictions: Predictions, target: "Target", names: Sequence[str], path: Path) -> Iterator[Problem]:
    """What keeps a file's answers from being held against the project's label: no column, another kind, no class."""
    for column, name in enumerate(names):
        where = f"y_pred:{name}" if name else "y_pred"
        if name not in predictions.labels:
            there = ", ".join(f"y_pred:{label}" if label else "y_pred" for label in predictions.labels)
            yield Problem(where, f"the label has no answers; the file holds {there}", "Add the column.", str(path))
            continue
        answers, is_number = predictions.labels[name], target.kind == "regression"
        if answers.is_classification == is_number:
            held, meant = ("classes", "a number") if is_number else ("numbers", "a class")
            hint = "Give predicted numbers." if is_number else "Give classes in y_pred, or probabilities in p_<class>."
            yield Problem(where, f"holds {held}, but the project's label is {meant}", hint, str(path))
        elif answers.is_classification and not set(answers.classes) & set(target.classes[column]):
            theirs, ours = (", ".join(classes[:10]) for classes in (answers.classes, target.classes[column]))
            yield Problem(where, f"answers {theirs}, but the classes are {ours}", "Spell them alike.", str(path))


def widened(answers: Answers, classes: Sequence[str]) -> Answers:
    """The answers, able to name every class of the project: one that the file never answered is still a truth."""
    more = tuple(name for name in classes if name not in answers.classes)
    p = answers.p
    if p is not None and more:
        p = np.hstack([p, np.zeros((len(p), len(more)))])
    return replace(answers, classes=(*answers.classes, *more), p=p)


def _coded(y: NDArray[Any], target: "Target", column: int, answers: Answers) -> NDArray[Any]:
    """Truth of one label as positions in the classes of `answers`, or as numbers; -1 or NaN where it is missing."""
    if not answers.is_classification:
        return y.astype(np.float64)
    codes = np.array([answers.classes.index(name) for name in target.classes[column]], dtype=np.int64)
    return np.where(np.isnan(y.astype(np.float64)), -1, codes[np.nan_to_num(y).astype(np.int64)])
