"""What each column is, a number, category, boolean, date or text, and what it serves for. N examples."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import read_days, read_numbers, read_truths
from mlproj.data.late import pd
from mlproj.data.sources.csv import UNNAMED
from mlproj.data.words import some_of, suggest
from mlproj.errors import Problem
from mlproj.spec.data import WeightColumn, WeightRule
from mlproj.spec.project import Project
from mlproj.spec.where import columns_of, parse_where

Type = Literal["number", "category", "boolean", "date", "text", "ignore"]
Role = Literal["feature", "label", "id", "group", "time", "weight", "split", "annotator", "excluded"]
_FAULTS = {
    "number": "no number",
    "boolean": "neither true nor false",
    "date": "no date in ISO 8601 form",
}
ROW_NUMBERS = (UNNAMED, "__index_level_")
"""How a column of row numbers begins that a writer left without a name."""
_ROLE_OF_KEY: dict[str, Role] = {  # of several for one column the last holds
    "data.weight.column": "weight", "splits.column": "split", "data.time": "time", "data.group": "group",
    "data.id": "id",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column of the table and what it is taken for.

    Attributes:
        name: As in the data.
        type: How its cells are read; `ignore` leaves it out.
        missing: Rows without a value.
        unique: Different values among the others.
        guessed: Whether the type was guessed rather than declared in `data.columns`.
        format: `strptime` format of a date; None for ISO 8601.
        role: What it serves for.
        infinite: Infinite numbers among the cells; they count as missing for the model.
        note: What a user should know about the guess; empty when nothing is remarkable.
    """

    name: str
    type: Type
    missing: int
    unique: int
    guessed: bool
    format: str | None = None
    role: Role = "feature"
    infinite: int = 0
    note: str = ""

    @property
    def is_input(self) -> bool:
        """Whether the model sees it: a feature that is not ignored and has a value in some row."""
        return self.role == "feature" and self.type != "ignore" and self.unique > 0

    @property
    def is_numeric(self) -> bool:
        """Whether its cells are read as values, so that some may be unreadable."""
        return self.type in _FAULTS

    @property
    def fault(self) -> str:
        """What an unreadable cell of it is.

        Example:
            >>> Column("age", "number", 0, 2, True).fault
            'no number'
        """
        return f"no date of the form {self.format!r}" if self.format else _FAULTS[self.type]


def assign_roles(project: Project, names: Sequence[str], labels: Sequence[str]) -> dict[str, Role]:
    """What each column serves for, by project.yaml alone.

    Example:
        >>> from mlproj.spec.data import Data
        >>> assign_roles(Project(name="p", data=Data(source="a.csv", id="uid")), ["uid", "age", "cat"], ["cat"])
        {'uid': 'id', 'age': 'feature', 'cat': 'label'}
    """
    data = project.data
    roles: dict[str, Role] = {
        name: "excluded" if name in data.exclude or (data.include and name not in data.include) else "feature"
        for name in names
    }
    roles |= dict.fromkeys((name for name in project.annotator_columns if name in roles), "annotator")
    keyed = dict(named_columns(project))
    for key, role in _ROLE_OF_KEY.items():
        if (name := keyed.get(key, "")) in roles:
            roles[name] = role
    return roles | dict.fromkeys((label for label in labels if label in roles), "label")


def ignored_columns(project: Project) -> set[str]:
    """Columns that project.yaml declares to be `ignore`: they are nowhere, not even shown."""
    return {name for name, kind in project.data.columns.items() if kind == "ignore"}


def named_columns(project: Project) -> Iterator[tuple[str, str]]:
    """Each key of a project that names a column, with the name."""
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
    is_list = isinstance(project.human_level, tuple)
    for place, level in enumerate(project.human_level if isinstance(project.human_level, tuple) else project.humans):
        key = f"human_level.{place}.annotators" if is_list else "human_level.annotators"
        yield from ((f"{key}.{i}", name) for i, name in enumerate(level.columns))
    if isinstance(data.weight, WeightRule):
        yield from (("data.weight.where", name) for name in dict.fromkeys(columns_of(parse_where(data.weight.where))))


def find_absent(project: Project, names: Sequence[str] | pd.Index, keys: Container[str] | None = None) -> list[Problem]:
    """Columns that project.yaml names and the data do not have.

    Args:
        project: As declared.
        names: The columns there are.
        keys: Dotted paths to look at; all of them by default.
    """
    known = [str(name) for name in names]
    numbers = pd.to_numeric(pd.Series(known, dtype="str"), errors="coerce")
    ask = " Does the file have a header row?" if numbers.notna().mean() > 0.5 else ""
    return [
        project.problem(key, f"the data have no column {name!r}", suggest(name, known) + ask)
        for key, name in named_columns(project)
        if name not in known and (keys is None or key in keys)
    ]


def warn_columns(columns: Sequence[Column], n_rows: int) -> list[str]:
    """What a user should know about the features, inferred from `n_rows`: missing, infinite, constant and doubtful."""
    features = [column for column in columns if column.role == "feature"]
    warnings = [f"Column {column.name!r} {column.note}." for column in features if column.note]
    filled = [column for column in features if column.unique and column.type != "ignore"]
    empty = [repr(column.name) for column in features if not column.unique]
    constant = [repr(column.name) for column in filled if column.unique == 1 and not column.missing]
    missing = [f"{column.name!r} {column.missing:,}" for column in filled if column.missing]
    infinite = [f"{column.name!r} {column.infinite:,}" for column in filled if column.infinite]
    found = (
        ("Empty in every row, so left out", empty),
        ("Constant, so of no use to the model", constant),
        (f"Missing cells among {n_rows:,} rows", missing),
        ("Infinite cells, treated as missing", infinite),
    )
    return warnings + [f"{what}: {some_of(names, 6, f', … ({len(names)} columns)')}." for what, names in found if names]


def read_values(cells: pd.Series[Any], column: Column) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A number, boolean or date column as float64 (NaN where missing), and the mask of unreadable cells."""
    match column.type:
        case "number":
            return read_numbers(cells)
        case "boolean":
            return read_truths(cells)
        case "date":
            return read_days(cells, column.format)
    raise ValueError(f"a column of type {column.type} has no numeric values")
