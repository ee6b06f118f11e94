"""Rows that a `where` expression keeps: its tree evaluated on raw columns, never as code. N examples.

Comparisons follow what a cell says: `age > 30` compares numbers even where the column is text, and `zip == '01234'`
compares text. A missing cell makes a comparison neither true nor false, as in SQL, and a row is kept only where the
whole is true; `x == None` asks for the missing cells themselves.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import is_missing, kind_of, read_days, read_numbers, read_texts, read_truths, to_mask, to_text
from mlproj.data.late import pc, pd
from mlproj.data.words import suggest
from mlproj.spec.where import And, Column, Compare, Expression, Literal_, Not, Or, parse_where

Mask = NDArray[np.bool_]
_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TEXT_SIGNS = {"==": "equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
"""Functions of Arrow."""
_NEGATED = {"!=": "==", "not in": "in"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")


@dataclass(frozen=True)
class _Answer:
    """Three-valued: where the expression is true and where it is false; elsewhere a missing cell leaves it open."""

    true: Mask
    false: Mask

    def and_(self, other: _Answer) -> _Answer:
        return _Answer(self.true & other.true, self.false | other.false)

    def or_(self, other: _Answer) -> _Answer:
        return _Answer(self.true | other.true, self.false & other.false)

    def not_(self) -> _Answer:
        return _Answer(self.false, self.true)


def evaluate_where(expression: str | Expression, frame: pd.DataFrame) -> Mask:
    """Mask (N,) of the rows for which an expression is true.

    Args:
        expression: As written, or parsed by `parse_where`.
        frame: Raw cells.

    Raises:
        ValueError: When a column is not there or cannot be compared in that way; the text says why.

    Example:
        >>> evaluate_where("age > 30 and not vip", pd.DataFrame({"age": ["31", "7", ""], "vip": ["no", "no", "no"]}))
        array([ True, False, False])
    """
    tree = parse_where(expression) if isinstance(expression, str) else expression
    return _evaluate(tree, frame).true


def _evaluate(tree: Expression, frame: pd.DataFrame) -> _Answer:
    match tree:
        case And(parts=parts):
            return reduce(_Answer.and_, [_evaluate(part, frame) for part in parts])
        case Or(parts=parts):
            return reduce(_Answer.or_, [_evaluate(part, frame) for part in parts])
        case Not(part=part):
            return _evaluate(part, frame).not_()
        case Column(name=name):
            return _truth(name, _column(name, frame))
        case Compare(column=name, operator=sign, value=value):
            return _compare(name, _column(name, frame), sign, value)


def _column(name: str, frame: pd.DataFrame) -> pd.Series[Any]:
    if name not in frame.columns:
        raise ValueError(f"there is no column {name!r}. {suggest(name, frame.columns)}")
    return frame[name]


def _truth(name: str, column: pd.Series[Any]) -> _Answer:
    values, bad = read_truths(column)
    if bad.any():
        found = to_text(column.iloc[int(bad.argmax())])
        raise ValueError(
            f"column {name!r} is not true or false by itself (it holds {found!r}); compare it with a value"
        )
    return _Answer(values == 1, values == 0)


def _compare(name: str, column: pd.Series[Any], sign: str, value: Literal_ | tuple[Literal_, ...]) -> _Answer:
    if sign in _NEGATED:
        return _compare(name, column, _NEGATED[sign], value).not_()
    if isinstance(value, tuple):
        no = np.zeros(len(column), np.bool_)
        return reduce(_Answer.or_, [_compare(name, column, "==", item) for item in value], _Answer(no, ~no))
    if value is None:
        missing = is_missing(column)
        return _Answer(missing, ~missing)
    if isinstance(value, str):
        return _compare_text(column, sign, value)
    return _compare_number(name, column, sign, value)


def _compare_number(name: str, column: pd.Series[Any], sign: str, value: float | bool) -> _Answer:
    """Against a number or a truth; cells that are neither are unequal to it and have no order."""
    values, bad = read_truths(column) if isinstance(value, bool) else read_numbers(column)
    if bad.any() and np.isnan(values).all():
        found = to_text(column.iloc[int(bad.argmax())])
        kind = "truths" if isinstance(value, bool) else "numbers"
        raise ValueError(f"column {name!r} holds no {kind} to compare with {value!r}, but for example {found!r}")
    answer = _order(values, sign, value)
    return _Answer(answer.true, answer.false | bad) if sign == "==" else answer


def _compare_text(column: pd.Series[Any], sign: str, value: str) -> _Answer:
    """Against a text: as dates or numbers where the column and the text are such, else letter by letter."""
    as_column = pd.Series([value], dtype="str")
    number, not_number = read_numbers(as_column)
    if kind_of(column) in ("number", "boolean") and not not_number[0]:
        return _order(read_numbers(column)[0], sign, float(number[0]))
    if _DATE.fullmatch(value):
        day, not_day = read_days(as_column)
        days, bad = read_days(column)
        if not not_day[0] and not bad.any():
            return _order(days, sign, float(day[0]))
    if sign != "==" and not not_number[0]:
        numbers, bad = read_numbers(column)
        if not bad.any():
            return _order(numbers, sign, float(number[0]))
    literal = read_texts(as_column).to_pylist()[0]  # as a cell would be read, so that `'7.0'` meets 7
    if literal is None and sign == "==":
        missing = is_missing(column)
        return _Answer(missing, ~missing)
    cells = read_texts(column)
    true = to_mask(pc.fill_null(getattr(pc, _TEXT_SIGNS[sign])(cells, literal or value), False))
    return _Answer(true, to_mask(pc.is_valid(cells)) & ~true)


def _order(values: NDArray[np.float64], sign: str, value: float) -> _Answer:
    present = ~np.isnan(values)
    true = present & _SIGNS[sign](values, value)
    return _Answer(true, present & ~true)
