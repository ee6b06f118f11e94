"""The time axis of a project: its `data.time` column as numbers that can be compared and cut. N examples.

Dates count as days since 1970 (UTC where they say nothing else); a column of numbers (a year, a step) stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import MICROSECONDS_PER_DAY, is_missing, read_days, read_numbers
from mlproj.data.late import pd
from mlproj.data.words import Place, some_of
from mlproj.errors import InvalidInput
from mlproj.spec.data import DateFormat
from mlproj.spec.project import Project

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+]\d\d:?\d\d)?)?)?)?")
_FORMATS = (None, "%Y/%m/%d", "%d.%m.%Y", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S")  # None: ISO 8601
_DAYS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
    "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d %b %y", "%d-%b-%y",
)  # fmt: skip
_HOURS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_SAMPLE = 50


@dataclass(frozen=True)
class Timeline:
    """When each example happened.

    Attributes:
        times: Days since 1970, or the column's own numbers (N,); NaN where it is missing.
        is_date: Whether they are dates.
    """

    times: NDArray[np.float64]
    is_date: bool

    def read(self, text: str) -> float:
        """The value of a cut-off as it is written in project.yaml.

        Example:
            >>> Timeline(np.zeros(0), is_date=True).read("1970-01-02")
            1.0
        """
        return float(read_days(pd.Series([text], dtype="str"))[0][0]) if self.is_date else float(text)

    def text(self, value: float) -> str:
        """A cut-off as it would be written in project.yaml.

        Example:
            >>> Timeline(np.zeros(0), is_date=True).text(1.5)
            '1970-01-02 12:00:00'
        """
        if not self.is_date:
            return f"{value:.15g}"
        moment = pd.Timestamp(round(value * MICROSECONDS_PER_DAY), unit="us")
        return moment.isoformat(sep=" ").removesuffix(" 00:00:00")


def is_date(text: str) -> bool:
    """Whether a text is a date (2024, 2024-03, 2024-03-01, with a time of day if needed) and not the name of a file.

    Example:
        >>> is_date("2024-01-31"), is_date("dev.csv"), is_date("2024-02-31")
        (True, False, False)
    """
    if not _DATE.fullmatch(text.strip()):
        return False
    return not np.isnan(read_days(pd.Series([text], dtype="str"))[0][0])


def find_formats(cells: pd.Series[Any]) -> list[str]:
    """The usual formats in which every cell is a date; several where day and month cannot be told apart.

    Example:
        >>> find_formats(pd.Series(["31/01/2024", "01/02/2024"])), find_formats(pd.Series(["01/02/2024"]))
        (['%d/%m/%Y'], ['%d/%m/%Y', '%m/%d/%Y'])
    """
    distinct = pd.Series(cells.unique())
    fitting = [day + hour for day in _DAYS for hour in _HOURS]
    for part in (distinct.head(_SAMPLE), distinct):  # a few cells rule out nearly all formats
        fitting = [form for form in fitting if not read_days(part, form)[1].any()]
    return fitting


def suggest_formats(name: str, cells: pd.Series[Any]) -> str:
    """The declaration that makes all cells of a column dates; empty when none of the usual formats does."""
    forms = find_formats(cells)
    if not read_days(cells)[1].any():
        return f"All its cells are dates in ISO 8601 form: declare `columns: {{{name}: date}}`."
    declared = " or ".join(f'`columns: {{{name}: {{date: "{form}"}}}}`' for form in forms[:2])
    which = " (both read every cell: only you know which one is meant)" if len(forms) > 1 else ""
    return f"Declare {declared}{which}." if forms else ""


def read_timeline(project: Project, frame: pd.DataFrame, needed: NDArray[np.bool_], place: Place) -> Timeline | None:
    """The time of each row; None without `data.time`.

    Args:
        project: Names the column (`data.time`) and, in `data.columns`, its format.
        frame: All rows and columns.
        needed: Rows (N,) that cannot do without a time.
        place: Names the row at a position, for messages.

    Raises:
        InvalidInput: When cells cannot be read as dates or numbers, or needed ones are empty.
    """
    name = project.data.time
    if name is None:
        return None
    cells = frame[name]
    kind = project.data.columns.get(name)
    problems = []
    try:
        values, bad, is_dates = _parse(cells, kind)
    except ValueError as error:  # directives that do not go together, such as %U without a day
        form = kind.date if isinstance(kind, DateFormat) else ""
        raise InvalidInput([project.problem(f"data.columns.{name}", f"{form!r} is no date format: {error}")]) from None
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        what = f"no date of the form {kind.date!r}" if isinstance(kind, DateFormat) else "no date or number"
        message = f"{bad.sum():,} cells of {name!r} are {what}, first {str(cells.iloc[row])!r} in {place(row)}"
        hint = f'Write dates as 2024-01-31, or give their format: `columns: {{{name}: {{date: "%d/%m/%Y"}}}}`.'
        hint = suggest_formats(name, cells) or hint
        problems.append(project.problem("data.time", message, hint))
    absent = np.flatnonzero(is_missing(cells) & needed)
    if len(absent):
        rows = some_of(map(place, absent.tolist()))
        message = f"{len(absent):,} rows have no {name!r}, so they are neither before nor after the others: {rows}"
        problems.append(project.problem("data.time", message, "Fill them in, or leave those rows out with `where`."))
    if problems:
        raise InvalidInput(problems)
    return Timeline(values, is_dates)


def _parse(cells: pd.Series, kind: object) -> tuple[NDArray[np.float64], NDArray[np.bool_], bool]:
    """Values, the mask of unreadable cells, and whether they are dates."""
    if isinstance(kind, DateFormat):
        return *read_days(cells, kind.date), True
    if kind != "date":
        values, bad = read_numbers(cells)
        if not bad.any():
            return values, bad, False
    days, bad = read_days(cells)
    for form in _FORMATS[1:]:
        if not bad.any():
            break
        other, other_bad = read_days(cells, form)
        if other_bad.sum() < bad.sum():
            days, bad = other, other_bad
    return days, bad, True
