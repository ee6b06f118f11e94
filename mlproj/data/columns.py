"""What each column is, a number, category, boolean or date, and what it serves for. N examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlproj.data.cells import read_days, read_numbers, read_texts, read_truths
from mlproj.spec.data import WeightColumn
from mlproj.spec.project import Project

Type = Literal["number", "category", "boolean", "date", "ignore"]
Role = Literal["feature", "label", "id", "group", "time", "weight", "split", "excluded"]

_SHOWN = 6


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


def assign_roles(project: Project, names: Sequence[str], labels: Sequence[str]) -> dict[str, Role]:
    """What each column serves for, by project.yaml alone.

    Example:
        >>> from mlproj.spec.data import Data
        >>> assign_roles(Project(name="p", data=Data(source="a.csv", id="uid")), ["uid", "age", "cat"], ["cat"])
        {'uid': 'id', 'age': 'feature', 'cat': 'label'}
    """
    data = project.data
    weight = data.weight.column if isinstance(data.weight, WeightColumn) else None
    only = set(data.include)
    roles: dict[str, Role] = {}
    for name in names:
        if name in data.exclude or (only and name not in only):
            roles[name] = "excluded"
        else:
            roles[name] = "feature"
    named: tuple[tuple[str | None, Role], ...] = (
        (weight, "weight"), (project.splits.column, "split"), (data.time, "time"), (data.group, "group"),
        (data.id, "id"), *((label, "label") for label in labels),
    )  # fmt: skip
    return roles | {name: role for name, role in named if name in roles}


def warn_columns(columns: Sequence[Column], n_rows: int) -> list[str]:
    """What a user should know about the features: missing, infinite, constant and doubtful columns.

    Args:
        columns: As inferred.
        n_rows: Rows they were inferred from.
    """
    features = [column for column in columns if column.role == "feature"]
    warnings = [f"Column {column.name!r} {column.note}." for column in features if column.note]
    filled = [column for column in features if column.unique and column.type != "ignore"]
    empty = [repr(column.name) for column in features if not column.unique]
    constant = [repr(column.name) for column in filled if column.unique == 1 and not column.missing]
    missing = [f"{column.name!r} {column.missing:,}" for column in filled if column.missing]
    infinite = [f"{column.name!r} {column.infinite:,}" for column in filled if column.infinite]
    if empty:
        warnings.append(f"Empty in every row, so left out: {_brief(empty)}.")
    if constant:
        warnings.append(f"Constant, so of no use to the model: {_brief(constant)}.")
    if missing:
        warnings.append(f"Missing cells among {n_rows:,} rows: {_brief(missing)}.")
    if infinite:
        warnings.append(f"Infinite cells, treated as missing: {_brief(infinite)}.")
    return warnings


def _brief(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f", … ({len(names)} columns)" if len(names) > _SHOWN else "")


def read_typed(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """A raw table with its columns in the types that they are taken for: float64, text, truths and moments in UTC.

    Args:
        frame: Raw cells.
        columns: Their types; columns of the table that are not among them stay as they are.
    """
    known = {column.name: column for column in columns}
    typed = {
        name: _typed(frame[name], known[str(name)]) if str(name) in known else frame[name] for name in frame.columns
    }
    return pd.DataFrame(typed, index=frame.index)


def read_values(cells: "pd.Series[Any]", column: Column) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A number, boolean or date column as float64 (NaN where missing), and the mask of unreadable cells."""
    match column.type:
        case "number":
            return read_numbers(cells)
        case "boolean":
            return read_truths(cells)
        case "date":
            return read_days(cells, column.format)
    raise ValueError(f"a column of type {column.type} has no numeric values")


def _typed(cells: "pd.Series[Any]", column: Column) -> "pd.Series[Any]":
    match column.type:
        case "number":
            return pd.Series(read_numbers(cells)[0], index=cells.index)
        case "boolean":
            return pd.Series(read_truths(cells)[0], index=cells.index).astype("boolean")
        case "date":
            days = read_days(cells, column.format)[0]
            return pd.Series(pd.to_datetime(np.round(days * 86_400e6), unit="us", utc=True), index=cells.index)
        case "category":
            return pd.Series(read_texts(cells).to_pandas(), dtype="str").set_axis(cells.index)
    return cells
