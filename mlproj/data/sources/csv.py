"""CSV files: every cell is read as text first, so that `007` stays a code and `1e-5` can become a number later."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.late import arrow_csv, pa
from mlproj.data.sources.base import AbstractSource, Reading, count_rows, find_file, need_columns, open_file, refuse
from mlproj.errors import InvalidInput

UNNAMED = "Unnamed: "
_BLOCK = 1 << 23
_HEAD = 1 << 20
_STREAMED, _LARGEST = 1 << 20, 1 << 28  # Arrow reads 32 of these ahead
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
LEADING_BLANK = re.compile(rb"(?:[ \t]*(?:\r\n|\n|\r))+")
_BLANK_LINES = (b"\n\n", b"\n\r\n", b"\r\r")


class CsvSource(AbstractSource):
    """Comma-separated text in UTF-8 with a header row, RFC 4180 quoting, optionally compressed with gzip."""

    forms = "`.csv` and `.csv.gz` files"
    suffixes = (".csv", ".csv.gz")

    def read(self, path: str, root: Path) -> Reading:
        """All cells as text; an empty cell is missing."""
        data = _read_bytes(path, find_file(path, root))
        blank = LEADING_BLANK.match(data)
        n_blank = len(blank[0].splitlines()) if blank else 0
        try:
            header = read_header(path, data)
            table = _parse(path, data, header, n_blank)
        except (UnicodeDecodeError, pa.ArrowInvalid) as error:
            raise _explain(path, data, error) from None
        if table.num_rows == 0:
            raise refuse(path, "has a header but no rows")
        rows = _number_rows(data, table.num_rows, n_blank)
        _check_quotes(path, data, table, rows)
        return Reading(table.to_pandas(), rows)

    def read_quickly(self, path: str, root: Path, may_be_plain: Callable[[str], bool]) -> Reading | None:
        """Plain numbers are parsed as such, by several threads; a file with quotation marks is none for it."""
        from mlproj.data.sources.plain_csv import read_plain

        return read_plain(path, find_file(path, root), may_be_plain)

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """Blocks of some megabytes; the rows keep the numbers that `read` gives them."""
        file = find_file(path, root)
        head = check_bytes(path, peek(path, file))
        blank = LEADING_BLANK.match(head)
        n_blank = len(blank[0].splitlines()) if blank else 0
        survey = _Survey.of(path, file)
        try:
            header = read_header(path, head)
            names = need_columns(path, header, columns)
            last: tuple[pa.Table, Reading] | None = None
            with closing(survey.number_rows(path, file, n_blank)) as numbers:
                for batch in _stream(path, file, header, names, n_blank, survey):
                    if last is not None:
                        yield last[1]
                    table = pa.Table.from_batches([batch])
                    rows = np.fromiter(numbers, np.int64, count=table.num_rows)
                    last = table, Reading(table.select(names).to_pandas(), rows)
        except (UnicodeDecodeError, pa.ArrowInvalid) as error:
            raise _explain(path, _read_bytes(path, file), error) from None
        if last is None:
            raise refuse(path, "has a header but no rows")
        if survey.has_open_quote:
            _check_last(path, last[0], last[1].rows)
        yield last[1]


@dataclass(frozen=True)
class _Survey:
    """What a pass over all bytes of a file tells, so that its batches are judged and numbered as the whole would be."""

    has_blank_lines: bool = False
    has_quotes: bool = False
    has_open_quote: bool = False

    @classmethod
    def of(cls, path: str, file: Path) -> _Survey:
        tail, has_blank, n_quotes = b"", False, 0
        with open_file(path, file) as stream:
            while chunk := stream.read(_BLOCK):
                _check_text(path, chunk)
                has_blank = has_blank or any(blank in tail + chunk for blank in _BLANK_LINES)
                n_quotes += chunk.count(b'"')
                tail = chunk[-2:]
        return cls(has_blank, n_quotes > 0, n_quotes % 2 == 1)

    def number_rows(self, path: str, file: Path, n_blank: int) -> Generator[int, None, None]:
        """Row numbers as `_number_rows` counts them: only a file with blank lines has to be read for them."""
        if not n_blank and not self.has_blank_lines:
            yield from itertools.count(2)
            return
        with open_file(path, file) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            yield from _numbers(csv.reader(text), n_blank)


def peek(path: str, file: Path) -> bytes:
    """The first lines of a file, whole."""
    with open_file(path, file) as stream:
        data = stream.read(_HEAD)
        while (more := stream.read(_HEAD)) and b"\n" not in data:
            data += more
    return data[: data.rfind(b"\n") + 1] if more and b"\n" in data else data


def _stream(
    path: str, file: Path, header: Sequence[str], names: Sequence[str], n_blank: int, survey: _Survey
) -> Iterator[pa.RecordBatch]:
    """Batches of texts with at least one row; all columns where the last row has to be looked at as a whole."""
    ragged: list[Any] = []
    n = 0
    for block in (_STREAMED, _LARGEST):
        skipped = n  # rows that were read before a block was found too small
        try:
            with open_file(path, file) as stream:
                options = parse_options(header, n_blank, block, has_quotes=survey.has_quotes, ragged=ragged)
                if not survey.has_open_quote:
                    options["convert_options"].include_columns = list(names)
                for batch in arrow_csv.open_csv(stream, **options):
                    if ragged:
                        break
                    fresh = batch.slice(min(skipped, batch.num_rows))
                    skipped -= batch.num_rows - fresh.num_rows
                    n += fresh.num_rows
                    if fresh.num_rows:
                        yield fresh
            break
        except pa.ArrowInvalid:  # a quoted cell may be longer than a block
            if block == _LARGEST:
                raise
            ragged.clear()
    if ragged:
        number = ragged[0].number - n_blank  # as in `_parse`
        with closing(survey.number_rows(path, file, n_blank)) as numbers:
            row = next(itertools.islice(numbers, number - 2, None))
        raise _ragged(path, header, ragged, [row], is_open=survey.has_open_quote)


def parse_options(
    header: Sequence[str], n_blank: int, block: int, *, has_quotes: bool, ragged: list[Any]
) -> dict[str, Any]:
    """How Arrow reads: all cells as text, in one thread (only then are ragged rows numbered, and it costs half)."""

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip"

    return {
        "read_options": arrow_csv.ReadOptions(
            use_threads=False, block_size=block, skip_rows=n_blank, column_names=header, skip_rows_after_names=1
        ),
        "parse_options": arrow_csv.ParseOptions(newlines_in_values=has_quotes, invalid_row_handler=note),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.large_string()), strings_can_be_null=True, null_values=[""]
        ),
    }


def _read_bytes(path: str, file: Path) -> bytes:
    with open_file(path, file) as stream:
        return check_bytes(path, stream.read())


def check_bytes(path: str, data: bytes) -> bytes:
    """The text without its byte order mark, known to be text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse(path, "is encoded in UTF-16", "Save it as UTF-8.")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data or data.isspace():
        raise refuse(path, "is empty; a header row and at least one row of values are needed")
    return _check_text(path, data)


def _check_text(path: str, data: bytes) -> bytes:
    if b"\0" in data:
        raise refuse(path, "holds zero bytes: it is no text file", "Export it as CSV in UTF-8.")
    return data


def _explain(path: str, data: bytes, error: Exception) -> InvalidInput:
    """Why the reader gave up: bytes that are no UTF-8, else what it says itself."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as bad:
        row = data.count(b"\n", 0, bad.start) + 1
        message = f"holds byte 0x{data[bad.start]:02x}, which is not UTF-8"
        return refuse(f"{path} row {row}", message, "Save the file as UTF-8.")
    if data.count(b'"') % 2 and data.partition(b"\n")[0].count(b'"') % 2:
        return _open_quote(path, 1)
    return refuse(path, f"cannot be read as CSV: {str(error).splitlines()[0][:200]}")


def _open_quote(path: str, row: int) -> InvalidInput:
    return refuse(f"{path} row {row}", "opens a quotation mark that is never closed", "Close it, or double it.")


def _records(data: bytes) -> Iterator[list[str]]:
    """The cells of each record; an empty list for a blank line."""
    return csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""))


def read_header(path: str, data: bytes) -> list[str]:
    """The names of the columns.

    Raises:
        InvalidInput: When there is no header, or a name occurs twice.
    """
    try:
        cells = next((record for record in _records(data) if "".join(record).strip()), [])
    except csv.Error:
        raise _open_quote(path, 1) from None
    names = [cell.strip() or f"{UNNAMED}{i}" for i, cell in enumerate(cells)]
    for sign, word in _OTHER_DELIMITERS.items():
        if len(names) == 1 and sign in names[0]:
            hint = f'`pandas.read_csv("{Path(path).name}", sep={sign!r}).to_csv(…, index=False)` rewrites it.'
            raise refuse(path, f"is separated by {word}, not by commas", hint)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        listed = ", ".join(map(repr, twice))
        raise refuse(path, f"names a column more than once: {listed}", "Give every column a name of its own.")
    if all(map(_NUMBER.fullmatch, names)) and names != [str(i) for i in range(len(names))]:
        shown = ",".join(names[:4]) + (",…" if len(names) > 4 else "")
        raise refuse(path, f"has no header row: its first row holds only numbers ({shown})", "Put column names on top.")
    return names


def _parse(path: str, data: bytes, header: list[str], n_blank: int) -> pa.Table:
    """The table of texts."""
    ragged: list[Any] = []

    def parse(block: int) -> pa.Table:
        options = parse_options(header, n_blank, block, has_quotes=b'"' in data, ragged=ragged)
        return arrow_csv.read_csv(pa.BufferReader(data), **options)

    try:
        table = parse(_BLOCK)
    except pa.ArrowInvalid:  # a quoted cell may be longer than a block: the second try reads the file as one
        ragged.clear()
        table = parse(min(len(data) + 1, 2**31 - 1))
    if ragged:
        numbers = [row.number - n_blank for row in ragged]  # the header is 1, blank lines within are not counted
        rows = _number_rows(data, max(numbers) - 1, n_blank)
        places = [int(rows[number - 2]) for number in numbers]
        raise _ragged(path, header, ragged, places, is_open=data.count(b'"') % 2 == 1)
    return table


def _ragged(path: str, header: Sequence[str], ragged: list[Any], places: list[int], *, is_open: bool) -> InvalidInput:
    """Rows with too many or too few cells."""
    message = f"has {_count(ragged[0].actual_columns)}, but the header names {_count(len(header), 'column')}"
    if places[1:]:
        more = ", ".join(map(str, places[1:4])) + (", …" if len(places) > 4 else "")
        message += f"; also {'rows' if places[2:] else 'row'} {more}"
    hint = "Text that holds a comma must stand in quotation marks."
    if is_open:
        hint = "A quotation mark in or before this row may be opened and never closed."
    return refuse(f"{path} row {places[0]}", message, hint)


def _count(n: int, noun: str = "cell") -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def _number_rows(data: bytes, n: int, n_blank: int) -> NDArray[np.int64]:
    """Row numbers of n records; the header is row 1 and blank lines count, as in a spreadsheet."""
    n_lines = data.count(b"\n") + (not data.endswith(b"\n"))
    is_plain = n_lines == n + 1  # else there are blank lines, or line breaks within quotation marks
    if not n_blank and (is_plain or not any(blank in data for blank in _BLANK_LINES)):
        return count_rows(n, first=2)
    return np.fromiter(itertools.islice(_numbers(_records(data), n_blank), n), np.int64, count=n)


def _numbers(records: Iterator[list[str]], n_blank: int) -> Iterator[int]:
    """Row numbers of the records after the header; past a cell too long for `csv`, blank lines are not counted."""
    number = n_blank + 1
    try:
        for number, record in enumerate(records, start=1):
            if number > n_blank + 1 and record:
                yield number
    except csv.Error:
        yield from itertools.count(number + 1)


def _check_quotes(path: str, data: bytes, table: pa.Table, rows: NDArray[np.int64]) -> None:
    """Finds a quotation mark that is never closed: it swallows the rest of the file without any other sign."""
    if data.count(b'"') % 2:
        _check_last(path, table, rows)


def _check_last(path: str, table: pa.Table, rows: NDArray[np.int64]) -> None:
    last = [str(column[-1].as_py() or "") for column in table.columns]
    if any("\n" in cell or "\r" in cell for cell in last):
        raise _open_quote(path, int(rows[-1]))
