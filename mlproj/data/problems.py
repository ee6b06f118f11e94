"""What cannot mean what was written: columns that are two things at once, and cells that are not of their type."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from mlproj.data.columns import Column, ignored_columns, named_columns, read_values
from mlproj.data.dates import suggest_formats
from mlproj.data.late import pd
from mlproj.data.table import Table
from mlproj.data.where import evaluate_where
from mlproj.data.words import some_of
from mlproj.errors import InvalidInput, Problem
from mlproj.spec.project import Project

Made = TypeVar("Made")


@dataclass(frozen=True)
class Remarks:
    """What there is to say about the data: gathered, not raised, so that one answer names it all.

    Attributes:
        problems: Everything that is wrong.
        warnings: What a user should know.
        notes: What was found out, such as the task.
    """

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def attempt(self, make: Callable[[], Made]) -> Made | None:
        """What `make` returns; None after gathering the problems that stopped it."""
        try:
            return make()
        except InvalidInput as error:
            self.problems.extend(error.problems)
            return None


def check_slices(project: Project, frame: pd.DataFrame, remarks: Remarks) -> None:
    """Slices that cannot be read from the data (a column that is not there, or not comparable so), and empty ones."""
    seen = frame[[name for name in frame.columns if name not in ignored_columns(project)]]
    for name, condition in project.slices.items():
        try:
            n = int(evaluate_where(condition, seen).sum())
        except ValueError as error:
            remarks.problems.append(project.problem(f"slices.{name}", f"`{condition}`: {error}"))
            continue
        if n == 0:
            remarks.warnings.append(f"slices.{name}: `{condition}` is true for none of the {len(seen):,} rows.")


def check_roles(project: Project, labels: Sequence[str]) -> list[Problem]:
    """Columns that project.yaml names for two things at once; `labels` are the label columns."""
    data, ignored = project.data, ignored_columns(project)
    no_label = ignored | {name for name, kind in data.columns.items() if kind == "text"}
    harmless = ("data.label", "data.exclude", "data.weight.where")  # an excluded label is a label all the same
    problems = [
        project.problem(key, f"{name!r} is the label; it cannot be this as well")
        for key, name in named_columns(project)
        if name in labels and not key.startswith(harmless) and (name in no_label or "columns." not in key)
    ]
    both = [name for name in data.include if name in data.exclude or name in ignored]
    problems += [
        project.problem("data.include", f"{name!r} is included, and excluded or ignored as well", "Choose one.")
        for name in both
    ]
    twice = sorted({name for name in labels if list(labels).count(name) > 1})
    problems += [project.problem("data.label", f"{name!r} is named more than once") for name in twice]
    return problems


def check_cells(
    project: Project, table: Table, columns: Sequence[Column], *, clean: Container[str] = ()
) -> list[Problem]:
    """Cells that are not of the type that their column is declared or guessed to have.

    Args:
        project: As declared.
        table: All rows.
        columns: What the columns are.
        clean: Columns that are known to be sound and are not read again.
    """
    problems = []
    for column in columns:
        if column.role != "feature" or not column.is_numeric or column.name in clean:
            continue
        cells = table.frame[column.name]
        key = f"data.columns.{column.name}"
        try:
            _, bad = read_values(cells, column)
        except ValueError as error:
            hint = 'Formats are written in `strptime` letters, for example "%d/%m/%Y".'
            problems.append(project.problem(key, f"{column.format!r} is no date format: {error}", hint))
            continue
        if not bad.any():
            continue
        message = table.name_cells(cells, bad, column.fault)
        if column.guessed:
            message += f", but nearly all its cells are {column.type}s"
        advice = suggest_formats(column.name, cells) if column.type == "date" else ""
        problems.append(project.problem(key, message, advice or _cure(column)))
    return problems


def check_features(project: Project, columns: Sequence[Column]) -> list[Problem]:
    """Features that `include` asks for and that say nothing, or no feature at all."""
    problems = []
    for i, name in enumerate(project.data.include):
        column = next((column for column in columns if column.name == name), None)
        if column is None or column.role != "feature":
            continue
        if column.unique == 0:
            problems.append(project.problem(f"data.include.{i}", f"column {name!r} is empty in every row"))
        elif column.unique == 1 and not column.missing:
            problems.append(project.problem(f"data.include.{i}", f"column {name!r} is constant"))
    if not any(column.is_input for column in columns):
        left = (f"{column.name!r} ({column.role}, {column.type})" for column in columns)
        hint = f"Columns are: {some_of(left, 8)}."
        problems.append(project.problem("data", "no column is left as a feature", hint))
    return problems


def _cure(column: Column) -> str:
    if not column.guessed:
        return "Correct or empty such cells, or declare another type."
    name = column.name
    return f"Correct or empty such cells, or declare `columns: {{{name}: category}}` or `columns: {{{name}: ignore}}`."
