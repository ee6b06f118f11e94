"""The raw columns of a predictions file, read as texts or numbers, with every unreadable cell noted. N rows.

`Columns.text` and `Columns.numbers` read a column and note what is wrong with it; `Columns.check` raises everything
that was noted in one go.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem
from mlproj.records.predictions import Texts

MISSING = frozenset({"", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "NULL", "null"})
"""Texts that stand for a missing cell."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_SHOWN = 3
"""Rows named per column; one file may hold a million unreadable cells."""


class Columns:
    """Columns of a predictions file and the problems found in them so far.

    Attributes:
        file: The file as its user named it.
        names: Column names, trimmed.
        schema: What `write_predictions` left in a Parquet file beside the columns.
        problems: Everything that is wrong so far.
    """

    def __init__(
        self, file: str, columns: dict[str, Any], *, first_row: int, decimal_comma: bool = False, schema: str = ""
    ) -> None:
        self.file = file
        self.names = tuple(columns)
        self.schema = schema
        self.problems: list[Problem] = []
        self._columns = columns
        self._first_row = first_row
        self._decimal_comma = decimal_comma

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def is_numeric(self, name: str) -> bool:
        """Whether every known cell of a column is a number."""
        import pyarrow as pa

        column = self._columns[name]
        if pa.types.is_boolean(column.type) or pa.types.is_temporal(column.type):
            return False
        try:
            column.cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return all(self._is_number(text) for text in self.text(name)[0])
        return True

    def text(self, name: str) -> tuple[list[str], NDArray[np.int64]]:
        """Distinct texts of a column and, for each row, the position of its own; −1 where the cell is missing.

        Numbers come out without a needless point (``1.0`` as ``1``), so that they match texts that say the same.
        """
        import pyarrow as pa

        column = self._columns[name]
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        chunk = column.unify_dictionaries().combine_chunks()
        chunk = chunk.chunk(0) if isinstance(chunk, pa.ChunkedArray) else chunk
        values = ["" if value is None else _as_text(value) for value in chunk.dictionary.to_pylist()]
        codes = np.asarray(chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        return _merge(values, codes)

    def names_in(self, name: str, *, what: str) -> Texts:
        """A column of names such as ids, as text (N,); missing cells are noted.

        Args:
            name: Column.
            what: What it names, for messages: "the example".
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        column = pc.utf8_trim_whitespace(self._columns[name].cast(pa.string()))
        missing = column.is_null().to_numpy() | pc.equal(column, "").fill_null(fill_value=True).to_numpy()
        self.note(name, np.flatnonzero(missing), f"names nothing; {name} names {what} in every row")
        return np.asarray(column.fill_null("").to_numpy()).astype(np.str_)

    def numbers(self, name: str, *, what: str, hint: str = "", missing: bool = False) -> NDArray[np.float64]:
        """A column as float64 (N,), NaN where it is missing; cells that are no numbers are noted.

        Args:
            name: Column.
            what: What its numbers are, for messages: "a probability".
            hint: The next step in messages.
            missing: Whether cells may be missing.
        """
        import pyarrow as pa

        column = self._columns[name]
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        try:
            values = np.asarray(column.cast(pa.float64()).fill_null(np.nan).to_numpy(), dtype=np.float64)
            unreadable = np.zeros(len(values), dtype=np.bool_)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            values, unreadable = self._slow_numbers(name)
        self.note(name, np.flatnonzero(unreadable), f"is no number; {name} holds {what}", hint)
        bad = (np.isinf(values) if missing else ~np.isfinite(values)) & ~unreadable
        self.note(name, np.flatnonzero(bad), f"is no finite number; {name} holds {what} in every row", hint)
        return values

    def values(self, name: str) -> NDArray[Any]:
        """A column as it stands: numbers as numbers, everything else as Python objects."""
        return np.asarray(self._columns[name].to_numpy())

    def note(self, name: str, rows: NDArray[Any], message: str, hint: str = "") -> None:
        """Notes a problem of the cells at `rows` (positions); the first few are named."""
        if len(rows) == 0:
            return
        more = f" (and {len(rows) - _SHOWN:,} more rows)" if len(rows) > _SHOWN else ""
        cells = self._columns[name].take([int(row) for row in rows[:_SHOWN]]).to_pylist()
        shown = ", ".join(dict.fromkeys("an empty cell" if cell is None else repr(cell) for cell in cells))
        places = ", ".join(str(row + self._first_row) for row in rows[:_SHOWN])
        where = f"column {name}, row{'s' if len(rows) > 1 else ''} {places}{more}"
        if any(problem.where == where for problem in self.problems):  # a column may be read twice, as text and numbers
            return
        self.problems.append(Problem(where, f"{shown} {message}", hint, self.file))

    def refuse(self, where: str, message: str, hint: str = "") -> None:
        """Notes a problem of the file or of a whole column."""
        self.problems.append(Problem(where, message, hint, self.file))

    def check(self) -> None:
        """Raises what was noted, if anything.

        Raises:
            InvalidInput: With every problem.
        """
        if self.problems:
            raise InvalidInput(self.problems)

    def _is_number(self, text: str) -> bool:
        return bool(_NUMBER.fullmatch(text.replace(",", ".", 1) if self._decimal_comma else text))

    def _slow_numbers(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Values (N,) of a column of texts, and which of them (N,) are no numbers."""
        texts, codes = self.text(name)
        spelled = [text.replace(",", ".", 1) if self._decimal_comma else text for text in texts]
        table = [float(text) if _NUMBER.fullmatch(text) else np.nan for text in spelled]
        values = np.array([*table, np.nan])[codes]  # code −1, a missing cell, reads the appended NaN
        return values, np.isnan(values) & (codes >= 0)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _merge(values: list[str], codes: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """Trims texts, joins those that mean the same and turns missing ones into −1."""
    positions: dict[str, int] = {}
    spelled: list[str] = []
    moved = []
    for value in values:
        text = value.strip()
        key = canonical(text)
        if text in MISSING:
            moved.append(-1)
            continue
        if key not in positions:
            positions[key] = len(spelled)
            spelled.append(key if key != text and _NUMBER.fullmatch(key) else text)
        moved.append(positions[key])
    return spelled, np.append(np.array(moved, dtype=np.int64), -1)[codes]


def canonical(text: str) -> str:
    """One spelling for texts that mean the same class: ``1.0`` is ``1``, ``True`` is ``true``.

    Example:
        >>> canonical("1.0"), canonical("True"), canonical("01")
        ('1', 'true', '01')
    """
    whole = re.fullmatch(r"\+?(-?(?:0|[1-9]\d*))\.0*", text)
    if whole:
        return whole.group(1)
    return text.lower() if text.lower() in ("true", "false") else text
