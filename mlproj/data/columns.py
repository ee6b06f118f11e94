"""What each column is: number, category, boolean or date; declared in project.yaml or guessed from its cells.

A guess is strict, because a wrong one is silent: `007` makes a column of codes, three different words in a column of
ten thousand numbers are reported instead of turning it into categories, and free text is left out unless asked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlproj.data.cells import kind_of, read_days, read_numbers, read_texts, read_truths
from mlproj.data.sources.csv import UNNAMED
from mlproj.spec.data import ColumnType, DateFormat, WeightColumn
from mlproj.spec.project import Project

Type = Literal["number", "category", "boolean", "date", "ignore"]
Role = Literal["feature", "label", "id", "group", "time", "weight", "split", "excluded"]

MOSTLY = 0.9
"""Share of cells from which a guess treats the others as mistakes to report."""
_MANY = 20
"""Distinct texts up to which a column is a category however few rows it has."""
_SHOWN = 6
_WORDS = frozenset({"true", "false", "yes", "no"})
_CODE = r"^\s*[+-]?0[0-9]"
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_OTHER_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}( .*)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


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


def infer_columns(frame: pd.DataFrame, project: Project, *, labels: Sequence[str] | None = None) -> tuple[Column, ...]:
    """What each column of a table is.

    Args:
        frame: Raw cells of the rows that may be seen.
        project: Declares roles and, in `data.columns`, types.
        labels: Label columns; by default those of `data.label`.

    Returns:
        One entry per column, in the order of the table.

    Example:
        >>> from mlproj.spec.data import Data
        >>> project = Project(name="p", data=Data(source="a.csv", label="cat"))
        >>> frame = pd.DataFrame({"age": ["7", ""], "zip": ["01", "02"], "cat": ["yes", "no"]})
        >>> [(column.name, column.type, column.role) for column in infer_columns(frame, project)]
        [('age', 'number', 'feature'), ('zip', 'category', 'feature'), ('cat', 'boolean', 'label')]
    """
    names = [str(name) for name in frame.columns]
    roles = assign_roles(project, names, project.data.labels if labels is None else labels)
    return tuple(
        _describe(name, frame[name], project.data.columns.get(name), roles[name], wanted=name in project.data.include)
        for name in names
    )


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


def _describe(name: str, cells: "pd.Series[Any]", declared: ColumnType | None, role: Role, *, wanted: bool) -> Column:
    """What a column is declared to be, else guessed; `wanted` ones are never left out by a guess."""
    if declared is None:
        guess = _guess(name, cells)
        if guess.type == "ignore" and guess.unique and wanted:
            guess = replace(guess, type="category", note=guess.note.partition(";")[0].partition(": it is left")[0])
        return replace(guess, role=role)
    kind: Type = "date" if isinstance(declared, DateFormat) else declared
    form = declared.date if isinstance(declared, DateFormat) else None
    return replace(_count(name, kind, cells, form), guessed=False, role=role)


def _count(name: str, kind: Type, cells: "pd.Series[Any]", form: str | None = None) -> Column:
    """A column of a known type with its counts."""
    if kind in ("category", "ignore"):
        texts = read_texts(cells)
        return Column(name, kind, texts.null_count, len(pc.unique(texts.drop_null())), True)
    column = Column(name, kind, 0, 0, True, form)
    values, bad = read_values(cells, column)
    present = ~np.isnan(values)
    infinite = int(np.isinf(values).sum())
    missing = int((~present & ~bad).sum())
    return replace(column, missing=missing, unique=len(pd.unique(values[present])), infinite=infinite)


def _guess(name: str, cells: "pd.Series[Any]") -> Column:
    if cells.isna().all():
        return Column(name, "ignore", len(cells), 0, True)
    if name.startswith((UNNAMED, "__index_level_")):
        note = "has no name of its own and looks like row numbers: it is left out; name it in the file to use it"
        return replace(_count(name, "ignore", cells), note=note)
    match kind_of(cells):
        case "number":
            return _count(name, "number", cells)
        case "boolean":
            return _count(name, "boolean", cells)
        case "date":
            return _count(name, "date", cells)
    return _guess_text(name, cells)


def _guess_text(name: str, cells: "pd.Series[Any]") -> Column:
    """The guess for a column of texts: by its distinct texts, which are few where it is no number."""
    if kind_of(cells) == "text":
        column = _as_clean_number(name, cells)
        if column is not None:
            return column
    texts = read_texts(cells)
    counted = pc.value_counts(texts.drop_null())
    distinct = pd.Series(counted.field("values").to_pandas(), dtype="str")
    counts = counted.field("counts").to_numpy()
    if not len(distinct):
        return Column(name, "ignore", len(cells), 0, True)
    if distinct.str.lower().isin(_WORDS).all():
        return _count(name, "boolean", cells)
    numbers, not_number = read_numbers(distinct)
    is_number = ~np.isnan(numbers)
    is_code = distinct.str.contains(_CODE, regex=True).to_numpy() & is_number
    if is_number.any() and not is_code.any():
        share = counts[is_number].sum() / counts[is_number | not_number].sum()
        if share == 1 or (share >= MOSTLY and is_number.sum() > 10):
            return _count(name, "number", cells)
    if _share_of(_ISO_DATE, distinct, counts) >= MOSTLY:
        return _count(name, "date", cells)
    return _guess_category(name, distinct, counts, texts, is_number & ~is_code)


def _as_clean_number(name: str, cells: "pd.Series[Any]") -> Column | None:
    """The fast way for the most frequent case: every cell is a number and none is a code such as 007."""
    raw = pa.array(cells, type=pa.large_string(), from_pandas=True)
    try:
        values = np.asarray(pc.cast(raw, pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowInvalid:
        return None
    present = ~np.isnan(values)
    if not present.any() or pc.any(pc.match_substring_regex(raw, _CODE)).as_py():
        return None
    infinite = int(np.isinf(values).sum())
    return Column(name, "number", int((~present).sum()), len(pd.unique(values[present])), True, infinite=infinite)


def _guess_category(
    name: str, distinct: "pd.Series[str]", counts: NDArray[Any], texts: pa.Array, is_number: NDArray[np.bool_]
) -> Column:
    n = int(counts.sum())
    column = Column(name, "category", texts.null_count, len(distinct), True)
    ask = f"declare `columns: {{{name}: category}}` to use it all the same"
    if _share_of(_OTHER_DATE, distinct, counts) >= MOSTLY:
        note = f"looks like dates in a format of its own: declare `columns: {{{name}: {{date: FORMAT}}}}`"
        column = replace(column, note=note)
    elif _share_of(_DECIMAL_COMMA, distinct, counts) >= MOSTLY:
        column = replace(column, note="looks like numbers with a decimal comma: write them with a point")
    elif is_number.any() and counts[is_number].sum() >= n / 2 and len(distinct) > _MANY:
        odd = distinct[~is_number].iloc[0]
        note = f"is mostly numbers, but {odd!r} is none, so it is a category: empty such cells to make it a number"
        column = replace(column, note=note)
    if len(distinct) <= _MANY or len(distinct) <= n / 2:
        return column
    reason = column.note or f"holds {len(distinct):,} different texts in {n:,} rows, like free text or an id"
    return replace(column, type="ignore", note=f"{reason}; it is left out ({ask})")


def _share_of(pattern: re.Pattern[str], distinct: "pd.Series[str]", counts: NDArray[Any]) -> float:
    """Share of the cells that match a pattern; judged by the first few when those already rule it out."""
    if not distinct.head(20).map(lambda text: bool(pattern.fullmatch(text))).any():
        return 0.0
    found = distinct.str.fullmatch(pattern).to_numpy(np.bool_)
    return float(counts[found].sum() / counts.sum())
