"""What each column is taken for, where project.yaml does not say it. N examples.

A guess is strict, because a wrong one is silent: `007` makes a column of codes, three words in a column of ten thousand
numbers are reported instead of turning it into categories, and texts that hardly ever repeat are left out unless they
are sentences, whose words are shared, or asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import CODE, count_distinct, kind_of, read_numbers, read_texts
from mlproj.data.columns import ROW_NUMBERS, Column, Role, Type, assign_roles, read_values
from mlproj.data.dates import suggest_formats
from mlproj.data.late import pa, pc, pd
from mlproj.data.threads import side_by_side
from mlproj.spec.data import ColumnType, DateFormat
from mlproj.spec.project import Project

MOSTLY = 0.9
"""Share of cells from which a guess treats the others as mistakes to report."""
_MANY = 20
"""Distinct texts up to which a column is a category however few rows it has."""
_MANY_SENTENCES = 100
"""Distinct sentences from which a column is text even where they repeat, as those of a form letter do."""
_SENTENCE = 5
"""Words per cell, on average, from which texts are sentences: names and addresses have fewer."""
_WORD = r"\S*\p{L}\S*"
_WORDS = frozenset({"true", "false", "yes", "no"})
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_OTHER_DATE = re.compile(
    r"(\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})( .*)?"
)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
Numbers = NDArray[np.float64]
Found = tuple[Column, Numbers | None]  # a column, with its values where all its cells are numbers


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
    return survey_columns([str(name) for name in frame.columns], frame.__getitem__, project, labels=labels)[0]


def survey_columns(
    names: Sequence[str],
    cells: Callable[[str], pd.Series[Any]],
    project: Project,
    *,
    labels: Sequence[str] | None = None,
    plain: Container[str] = (),
) -> tuple[tuple[Column, ...], dict[str, Numbers]]:
    """As `infer_columns`, with the numbers that had to be read, because reading them is most of the work.

    Args:
        names: The columns.
        cells: Gives the raw cells (N,) of a column.
        project: Declares roles and types.
        labels: Label columns; by default those of `data.label`.
        plain: Columns of plain numbers, which are not handed back.

    Returns:
        One entry per column, and the values (N,), NaN where missing, of the features whose cells are all numbers.
    """
    roles = assign_roles(project, names, project.data.labels if labels is None else labels)

    def describe(name: str) -> Found:
        wanted = name in project.data.include
        column, values = _describe(cells(name), project.data.columns.get(name), roles[name], wanted=wanted)
        return column, None if name in plain or roles[name] != "feature" else values

    found = side_by_side(describe, names)
    return tuple(column for column, _ in found), {c.name: values for c, values in found if values is not None}


def _describe(cells: pd.Series[Any], declared: ColumnType | None, role: Role, *, wanted: bool) -> Found:
    """What a column is declared to be, else guessed; `wanted` ones are never left out by a guess."""
    if declared is None:
        guess, numbers = _guess(cells)
        if guess.type == "ignore" and guess.unique and wanted:
            guess = replace(guess, type="category", note=guess.note.partition(";")[0].partition(": it is left")[0])
        return replace(guess, role=role), numbers
    kind: Type = "date" if isinstance(declared, DateFormat) else declared
    form = declared.date if isinstance(declared, DateFormat) else None
    try:
        column, numbers = _count(kind, cells, form)
    except ValueError:  # no date format; `check_cells` reports it
        column, numbers = Column(str(cells.name), kind, 0, len(cells), False, form), None
    return replace(column, guessed=False, role=role), numbers


def _count(kind: Type, cells: pd.Series[Any], form: str | None = None) -> Found:
    """A column of a known type with its counts."""
    name = str(cells.name)
    if kind in ("category", "text", "ignore"):
        texts = read_texts(cells)
        return Column(name, kind, texts.null_count, len(pc.unique(texts.drop_null())), True), None
    column = Column(name, kind, 0, 0, True, form)
    return _count_values(column, *read_values(cells, column))


def _count_values(column: Column, values: Numbers, bad: NDArray[np.bool_]) -> Found:
    present = ~np.isnan(values)
    missing = int((~present & ~bad).sum())
    unique = count_distinct(values[present])
    column = replace(column, missing=missing, unique=unique, infinite=int(np.isinf(values).sum()))
    return column, values if column.type == "number" and not bad.any() else None


def _guess(cells: pd.Series[Any]) -> Found:
    name = str(cells.name)
    if cells.isna().all():
        return Column(name, "ignore", len(cells), 0, True), None
    if name.startswith(ROW_NUMBERS):
        note = "has no name of its own and looks like row numbers: it is left out; name it in the file to use it"
        return replace(_count("ignore", cells)[0], note=note), None
    kind = kind_of(cells)
    if kind in {"number", "boolean", "date"}:
        return _count(kind, cells)
    return (_guess_clean_number(cells) if kind == "text" else None) or _guess_text(cells)


def _guess_clean_number(cells: pd.Series[Any]) -> Found | None:
    """The fast way for the most frequent case: every cell is a number and none is a code such as 007."""
    raw = pa.array(cells, type=pa.large_string(), from_pandas=True)
    try:
        values = np.asarray(pc.cast(raw, pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowInvalid:
        return None
    has_whole = bool((values == np.floor(values)).any())  # a code such as 007 reads as a whole number
    is_code = has_whole and pc.any(pc.match_substring_regex(raw, CODE)).as_py()
    if is_code or np.isnan(values).all():
        return None
    return _count_values(Column(str(cells.name), "number", 0, 0, True), values, np.zeros(len(values), np.bool_))


def _guess_text(cells: pd.Series[Any]) -> Found:
    """The guess for a column of texts: by its distinct texts, which are few where it is no number."""
    texts = read_texts(cells)
    counted = pc.value_counts(texts.drop_null())
    distinct = pd.Series(counted.field("values").to_pandas(), dtype="str")
    counts = counted.field("counts").to_numpy()
    if not len(distinct):
        return Column(str(cells.name), "ignore", len(cells), 0, True), None
    if distinct.str.lower().isin(_WORDS).all():
        return _count("boolean", cells)
    numbers, not_number = read_numbers(distinct)
    is_number = ~np.isnan(numbers)
    is_code = distinct.str.contains(CODE, regex=True).to_numpy() & is_number
    if is_number.any() and not is_code.any():
        share = counts[is_number].sum() / counts[is_number | not_number].sum()
        if share == 1 or (share >= MOSTLY and is_number.sum() > 10):
            return _count("number", cells)
    if _share_of(_ISO_DATE, distinct, counts) >= MOSTLY:
        return _count("date", cells)
    column = Column(str(cells.name), "category", texts.null_count, len(distinct), True)
    return _judge_category(column, distinct, counts, is_number & ~is_code), None


def _judge_category(
    column: Column, distinct: pd.Series[str], counts: NDArray[Any], is_number: NDArray[np.bool_]
) -> Column:
    """The column with a note on what it looks like: text where it holds sentences, left out when it hardly repeats."""
    n, name = int(counts.sum()), column.name
    if _share_of(_OTHER_DATE, distinct, counts) >= MOSTLY:
        cure = suggest_formats(name, distinct).rstrip(".") or f"Declare `columns: {{{name}: {{date: FORMAT}}}}`"
        column = replace(column, note=f"looks like dates in a format of its own: {cure[0].lower()}{cure[1:]}")
    elif _share_of(_DECIMAL_COMMA, distinct, counts) >= MOSTLY:
        column = replace(column, note="looks like numbers with a decimal comma: write them with a point")
    elif is_number.any() and counts[is_number].sum() >= n / 2 and len(distinct) > _MANY:
        odd = distinct[~is_number].iloc[0]
        note = f"is mostly numbers, but {odd!r} is none, so it is a category: empty such cells to make it a number"
        column = replace(column, note=note)
    if len(distinct) > max(_MANY, min(n / 2, _MANY_SENTENCES)) and not column.note and _is_prose(distinct, counts):
        return replace(column, type="text")
    if len(distinct) <= max(_MANY, n / 2):
        return column
    if column.note:
        return replace(column, type="ignore", note=f"{column.note}; until then it is left out")
    ask = f"declare `columns: {{{name}: category}}` to use it all the same, or `text` to use its words"
    reason = f"holds {len(distinct):,} different texts in {n:,} rows, like free text or an id"
    return replace(column, type="ignore", note=f"{reason}; it is left out ({ask})")


def _is_prose(distinct: pd.Series[str], counts: NDArray[Any]) -> bool:
    """Whether the cells hold sentences: several words on average, a word being a run with a letter in it."""
    texts = pa.array(distinct, type=pa.large_string(), from_pandas=True)
    n_words = pc.count_substring_regex(texts, _WORD).to_numpy()
    return bool((n_words * counts).sum() >= _SENTENCE * counts.sum())


def _share_of(pattern: re.Pattern[str], distinct: pd.Series[str], counts: NDArray[Any]) -> float:
    """Share of the cells that match a pattern; judged by the first few when those already rule it out."""
    if not distinct.head(20).map(lambda text: bool(pattern.fullmatch(text))).any():
        return 0.0
    found = distinct.str.fullmatch(pattern).to_numpy(np.bool_)
    return float(counts[found].sum() / counts.sum())
