"""What a label asks for: classification or regression, and what stands in the way of learning it. N examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import kind_of, read_numbers, read_texts, read_truths, to_mask, to_text
from mlproj.data.guess import MOSTLY
from mlproj.data.late import pa, pc, pd
from mlproj.data.problems import Remarks
from mlproj.data.table import MAX_SHOWN, Table
from mlproj.data.words import some_of
from mlproj.errors import InvalidInput, Problem
from mlproj.spec.project import Project

Task = Literal["classification", "regression"]

MAX_CLASSES_OF_NUMBERS = 20
"""Different whole numbers up to which a label of numbers is guessed to be classes."""
POSITIVE_WORDS = frozenset({"1", "true", "yes"})
_REPEATS = 5


@dataclass(frozen=True)
class Labels:
    """The label columns as read.

    Attributes:
        task: Classification or regression.
        known: Mask (N,) of the examples that have a label (with several: at least one of them).
        n_classes: Number of classes of a single label; 0 for numbers and for several labels.
    """

    task: Task
    known: NDArray[np.bool_]
    n_classes: int = 0


def is_several(project: Project) -> bool:
    """Whether the label is a list of yes/no columns."""
    return isinstance(project.data.label, tuple)


def read_labels(project: Project, table: Table, remarks: Remarks) -> Labels:
    """Finds out the task, and everything that is wrong with the labels of all rows.

    Args:
        project: With the task where it is declared.
        table: All rows; its label columns must exist.
        remarks: Takes what is wrong with them, and what a user should know.
    """
    if is_several(project):
        return _read_several(project, table, remarks)
    cells = table.frame[table.labels[0]]
    known = read_known(cells)
    declared = project.data.columns.get(table.labels[0])
    task, reason = infer_task(cells[known], is_category=declared == "category", is_number=declared == "number")
    if project.task is None and known.any():
        remarks.notes.append(f"Task: {task}, because label {cells.name!r} {reason}.")
    task = project.task or task
    _warn_unlabelled(known, "no label", remarks)
    problems = _check_spec(project, task)
    classes = pc.unique(read_texts(cells[known])).to_pylist() if task == "classification" else []
    if not known.any():
        problems.append(project.problem("data.label", f"column {cells.name!r} is empty in every row"))
    elif task == "regression":
        problems += _check_numbers(project, table, cells, known)
    else:
        problems += _check_classes(project, cells, known, classes)
    remarks.problems.extend(problems)
    if classes and not problems:
        remarks.attempt(lambda: order_classes(project, classes))
    return Labels(task, known, len(classes))


def infer_task(cells: pd.Series[Any], *, is_category: bool = False, is_number: bool = False) -> tuple[Task, str]:
    """The task that a label asks for, and why.

    Text, truths and few whole numbers that repeat are classes; other numbers are a quantity.

    Args:
        cells: Labels of the labelled rows.
        is_category: Whether the column is declared a category, which settles it.
        is_number: Whether it is declared a number, likewise.

    Example:
        >>> infer_task(pd.Series([0, 1] * 10))[0], infer_task(pd.Series(range(100)))[0]
        ('classification', 'regression')
    """
    if is_category:
        return "classification", "is declared a category"
    if is_number:
        return "regression", "is declared a number"
    if kind_of(cells) == "boolean":
        return "classification", "is true or false"
    values, bad = read_numbers(cells)
    numbers = values[~np.isnan(values)]
    distinct = np.unique(numbers)
    if bad.any() and not (bad.mean() <= 1 - MOSTLY and len(distinct) > MAX_CLASSES_OF_NUMBERS):
        return "classification", "holds text"
    whole = bool(np.all(np.isfinite(distinct)) and np.all(distinct == np.round(distinct)))
    few = len(distinct) <= 2 or (len(distinct) <= MAX_CLASSES_OF_NUMBERS and len(distinct) * _REPEATS <= len(numbers))
    if whole and few:
        return "classification", f"holds only {len(distinct)} different whole numbers"
    return "regression", f"holds {len(distinct):,} different numbers"


def read_known(cells: pd.Series[Any]) -> NDArray[np.bool_]:
    """Mask (N,) of the rows that have a label; in a column of numbers or truths, `None` and `?` are missing too."""
    texts = read_texts(cells)
    known = to_mask(pc.is_valid(texts))
    distinct = pd.Series(pc.unique(texts.drop_null()).to_pandas(), dtype="str")
    for read in (read_numbers, read_truths):
        values, bad = read(distinct)
        absent = np.isnan(values)
        if not bad.any() and not absent.all():
            return known & ~to_mask(pc.is_in(texts, value_set=pa.array(distinct[absent].tolist(), texts.type)))
    return known


def order_classes(project: Project, names: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The classes of a single label in their order, and whether the positive one is known.

    Numbers are sorted as numbers, else as text; of two classes the positive one stands second.

    Args:
        project: With `data.positive`.
        names: Class names.

    Raises:
        InvalidInput: When `data.positive` is not one of two classes.

    Example:
        >>> from mlproj.spec.data import Data
        >>> order_classes(Project(name="p", data=Data(source="a.csv")), ["yes", "no"])
        (('no', 'yes'), True)
    """
    numbers, bad = read_numbers(pd.Series(list(names), dtype="str"))
    is_number = len(names) > 0 and not bad.any() and not np.isnan(numbers).any()
    classes = tuple(sorted(names, key=float if is_number else str))
    wanted = to_text(project.data.positive)
    if len(classes) != 2:
        if wanted is not None:
            message = f"is for a label with two classes; this one has {len(classes)}: {list_classes(classes)}"
            raise InvalidInput([project.problem("data.positive", message, "Leave it out.")])
        return classes, False
    if wanted is None:
        positive = [name for name in classes if name.lower() in POSITIVE_WORDS]
    else:
        alike = [name for name in classes if name.lower() == wanted.lower()]
        positive = [name for name in classes if name == wanted] or alike
        if not positive:
            message = f"{wanted!r} is not among the classes; they are {list_classes(classes)}"
            raise InvalidInput([project.problem("data.positive", message, f"Write one of {list_classes(classes)}.")])
    if len(positive) != 1:
        return classes, False
    return tuple(name for name in classes if name != positive[0]) + (positive[0],), True


def list_classes(classes: Sequence[str]) -> str:
    """The classes as a sentence names them: 'a', 'b' and 'c'; of many, the first six."""
    parts = [*map(repr, classes[:6]), *([f"{len(classes) - 6} more"] if len(classes) > 6 else [])]
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _check_spec(project: Project, task: Task) -> list[Problem]:
    problems = []
    if task == "regression" and project.data.positive is not None:
        problems.append(project.problem("data.positive", "is for a label with two classes, but the task is regression"))
    if task == "classification" and project.data.label_scale == "log":
        problems.append(project.problem("data.label_scale", "log is for regression, but the task is classification"))
    return problems


def _check_numbers(project: Project, table: Table, cells: pd.Series[Any], known: NDArray[np.bool_]) -> list[Problem]:
    values, bad = read_numbers(cells)
    is_truth = kind_of(cells) == "boolean"
    if is_truth or bad.mean() > 0.5:
        row = int(bad.argmax())
        found = "is true or false" if is_truth else f"holds text ({table.place(row)}: {str(cells.iloc[row])!r})"
        hint = "Use `task: classification`, or leave `task` out."
        return [project.problem("task", f"regression contradicts label {cells.name!r}, which {found}", hint)]
    infinite = np.isinf(values)
    correct, linear = "Correct or empty such cells.", "A log scale needs labels above 0; use `label_scale: linear`."
    low = (values <= 0) & (project.data.label_scale == "log")
    problems = [
        project.problem(key, table.name_cells(cells, mask, what), hint)
        for key, mask, what, hint in (
            ("data.label", bad, "no number", correct),
            ("data.label", infinite, "infinite", correct),
            ("data.label_scale", low, "not above 0", linear),
        )
        if mask.any()
    ]
    finite = values[known & ~infinite]
    if not problems and len(np.unique(finite)) == 1:
        message = f"{cells.name!r} is {finite[0]:g} in every row: nothing to learn"
        problems.append(project.problem("data.label", message))
    return problems


def _check_classes(
    project: Project, cells: pd.Series[Any], known: NDArray[np.bool_], classes: Sequence[str]
) -> list[Problem]:
    n, name = int(known.sum()), cells.name
    if len(classes) == 1:
        message = f"{name!r} is {classes[0]!r} in every labelled row; at least two classes are needed"
        return [project.problem("data.label", message)]
    if len(classes) <= MAX_CLASSES_OF_NUMBERS:
        return []
    values, bad = read_numbers(cells)
    is_declared = project.data.columns.get(str(name)) == "category"
    whole = bool(np.all(values[known] == np.round(values[known])))
    if not bad.any() and not is_declared and (not whole or len(classes) > n / 2):
        count = f"{len(classes):,} different numbers in {n:,} rows"
        message = f"classification contradicts label {name!r}, which holds {count}"
        return [project.problem("task", message, "Use `task: regression`.")]
    if len(classes) > n / 2:
        shown = ", ".join(map(repr, classes[:MAX_SHOWN]))
        message = f"{name!r} holds {len(classes):,} different values in {n:,} rows ({shown}, …): these are no classes"
        return [project.problem("data.label", message, "Name the column that is to be predicted.")]
    return []


def warn_classes(cells: pd.Series[Any]) -> list[str]:
    """Classes with so few examples that they cannot be in every split, and classes that look like one."""
    counted = {str(row["values"]): row["counts"] for row in pc.value_counts(read_texts(cells).drop_null()).to_pylist()}
    warnings = []
    rare = sorted((count, name) for name, count in counted.items() if count < MAX_SHOWN)
    if rare:
        shown = some_of((f"{name!r} has {count}" for count, name in rare), MAX_SHOWN)
        warnings.append(f"Some classes are too rare for train, dev and test alike: {shown}.")
    folded: dict[str, list[str]] = {}
    for name in sorted(counted):
        folded.setdefault(name.casefold(), []).append(name)
    alike = [" and ".join(map(repr, names)) for names in folded.values() if len(names) > 1]
    if alike:
        warnings.append(f"Some classes differ in upper and lower case only: {'; '.join(alike[:MAX_SHOWN])}.")
    return warnings


def _read_several(project: Project, table: Table, remarks: Remarks) -> Labels:
    problems = _check_spec(project, "classification")
    known = np.zeros(len(table), np.bool_)
    if project.task == "regression":
        message = "regression contradicts `data.label`, a list of several yes/no labels"
        problems.append(project.problem("task", message, "Use `task: classification`, or name one label."))
    for i, name in enumerate(table.labels):
        cells = table.frame[name]
        values, bad = read_truths(cells)
        present = ~np.isnan(values)
        known |= present
        if bad.any():
            hint = "Several labels hold 1/0, yes/no or true/false each; an empty cell is a missing label."
            message = table.name_cells(cells, bad, "neither yes nor no")
            problems.append(project.problem(f"data.label.{i}", message, hint))
        elif not present.any():
            problems.append(project.problem(f"data.label.{i}", f"column {name!r} is empty in every row"))
        elif len(np.unique(values[present])) == 1:
            word = "yes" if values[present][0] == 1 else "no"
            remarks.warnings.append(f"Label {name!r} is {word} wherever it is known: nothing can be learned about it.")
    if project.data.positive is not None and not problems:
        hint = "Leave it out: 1, yes and true are the positive class of each."
        message = "is for one label with two classes, not for several labels"
        problems.append(project.problem("data.positive", message, hint))
    remarks.problems.extend(problems)
    _warn_unlabelled(known, "none of the labels", remarks)
    return Labels("classification", known)


def _warn_unlabelled(known: NDArray[np.bool_], what: str, remarks: Remarks) -> None:
    n = len(known) - int(known.sum())
    if n and known.any():
        have = "row has" if n == 1 else "rows have"
        remarks.warnings.append(f"{n:,} of {len(known):,} {have} {what}: left out.")
