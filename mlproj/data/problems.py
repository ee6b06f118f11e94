"""What cannot mean what was written: column names that are not there, and cells that are not of their type."""

from collections.abc import Container, Iterator, Sequence

import pandas as pd

from mlproj.data.columns import Column, read_values
from mlproj.data.sources.base import suggest
from mlproj.data.table import Table
from mlproj.errors import Problem
from mlproj.spec.data import WeightColumn, WeightRule
from mlproj.spec.project import Project
from mlproj.spec.where import columns_of, parse_where

_WORDS = {
    "number": "no number",
    "boolean": "neither true nor false",
    "date": "no date in ISO 8601 form",
}


def check_names(project: Project, names: Sequence[str], labels: Sequence[str]) -> list[Problem]:
    """Columns that project.yaml names and the data do not have, and columns that are named for two things.

    Args:
        project: As declared.
        names: The columns there are.
        labels: Label columns.
    """
    problems = [
        project.problem(key, f"the data have no column {name!r}", _hint(name, names))
        for key, name in _named_columns(project)
        if name not in names
    ]
    return problems + _check_roles(project, labels)


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
        if column.role != "feature" or column.type not in _WORDS or column.name in clean:
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
        what = f"no date of the form {column.format!r}" if column.format else _WORDS[column.type]
        message = table.name_cells(cells, bad, what)
        if column.guessed:
            message += f", but nearly all its cells are {column.type}s"
        problems.append(project.problem(key, message, _cure(column)))
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
        left = ", ".join(f"{column.name!r} ({column.role}, {column.type})" for column in columns[:8])
        hint = f"Columns are: {left}{', …' if len(columns) > 8 else ''}."
        problems.append(project.problem("data", "no column is left as a feature", hint))
    return problems


def _named_columns(project: Project) -> Iterator[tuple[str, str]]:
    """Each key that names a column, with the name."""
    data = project.data
    if isinstance(data.label, tuple):
        yield from ((f"data.label.{i}", name) for i, name in enumerate(data.label))
    single = {
        "data.label": data.label if isinstance(data.label, str) else None,
        "data.id": data.id,
        "data.group": data.group,
        "data.time": data.time,
        "data.weight.column": data.weight.column if isinstance(data.weight, WeightColumn) else None,
        "splits.column": project.splits.column,
    }
    yield from ((key, name) for key, name in single.items() if name is not None)
    for key in ("exclude", "include"):
        yield from ((f"data.{key}.{i}", name) for i, name in enumerate(getattr(data, key)))
    yield from ((f"data.columns.{name}", name) for name in data.columns)
    if isinstance(data.weight, WeightRule):
        yield from (("data.weight.where", name) for name in dict.fromkeys(columns_of(parse_where(data.weight.where))))


def _hint(name: str, names: Sequence[str]) -> str:
    hint = suggest(name, list(names))
    numbers = pd.to_numeric(pd.Series(list(names), dtype="str"), errors="coerce")
    return f"{hint} Does the file have a header row?" if numbers.notna().mean() > 0.5 else hint


def _check_roles(project: Project, labels: Sequence[str]) -> list[Problem]:
    """Columns that are to be two things at once."""
    data = project.data
    others = [
        ("data.id", data.id),
        ("data.group", data.group),
        ("data.time", data.time),
        ("data.weight.column", data.weight.column if isinstance(data.weight, WeightColumn) else None),
        ("splits.column", project.splits.column),
        *((f"data.include.{i}", name) for i, name in enumerate(data.include)),
        *((f"data.columns.{name}", name) for name, kind in data.columns.items() if kind == "ignore"),
    ]
    problems = [
        project.problem(key, f"{name!r} is the label; it cannot be this as well")
        for key, name in others
        if name in labels
    ]
    both = [name for name in data.include if name in data.exclude or data.columns.get(name) == "ignore"]
    problems += [
        project.problem("data.include", f"{name!r} is included, and excluded or ignored as well", "Choose one.")
        for name in both
    ]
    twice = sorted({name for name in labels if list(labels).count(name) > 1})
    problems += [project.problem("data.label", f"{name!r} is named more than once") for name in twice]
    return problems


def _cure(column: Column) -> str:
    if not column.guessed:
        return "Correct or empty such cells, or declare another type."
    name = column.name
    return f"Correct or empty such cells, or declare `columns: {{{name}: category}}` or `columns: {{{name}: ignore}}`."
