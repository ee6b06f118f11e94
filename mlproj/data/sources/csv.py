"""CSV files: every cell is read as text first, so that `007` stays a code and `1e-5` can become a number later."""

import csv
import gzip
import io
import itertools
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from mlproj.data.sources.base import AbstractSource, Reading, count_rows, find_file, need_columns, refuse
from mlproj.errors import InvalidInput

UNNAMED = "Unnamed: "
_BLOCK = 1 << 23
_HEAD = 1 << 20
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LEADING_BLANK = re.compile(rb"(?:[ \t]*(?:\r\n|\n|\r))+")
_BLANK_LINES = (b"\n\n", b"\n\r\n", b"\r\r")


class CsvSource(AbstractSource):
    """Comma-separated text in UTF-8 with a header row, RFC 4180 quoting, optionally compressed with gzip."""

    forms = "`.csv` and `.csv.gz` files"
    suffixes = (".csv", ".csv.gz")

    def read(self, path: str, root: Path) -> Reading:
        """All cells as text; an empty cell is missing."""
        data = _read_bytes(path, find_file(path, root))
        blank = _LEADING_BLANK.match(data)
        n_blank = len(blank[0].splitlines()) if blank else 0
        try:
            header = _read_header(path, data)
            table = _parse(path, data, header, n_blank)
        except (UnicodeDecodeError, pa.ArrowInvalid) as error:
            raise _explain(path, data, error) from None
        if table.num_rows == 0:
            raise refuse(path, "has a header but no rows")
        rows = _number_rows(data, table.num_rows, n_blank)
        _check_quotes(path, data, table, rows)
        return Reading(table.to_pandas(), rows)

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """Blocks of some megabytes; the rows keep the numbers that `read` gives them."""
        file = find_file(path, root)
        head = _check_bytes(path, _peek(path, file))
        blank = _LEADING_BLANK.match(head)
        n_blank = len(blank[0].splitlines()) if blank else 0
        try:
            header = _read_header(path, head)
        except UnicodeDecodeError as error:
            raise _explain(path, head, error) from None
        names = need_columns(path, header, columns)
        numbers = _number_stream(path, file, n_blank)
        n_rows = 0
        try:
            for batch in _stream(path, file, header, names, n_blank):
                if not batch.num_rows:
                    continue
                n_rows += batch.num_rows
                rows = np.fromiter(numbers, np.int64, count=batch.num_rows)
                yield Reading(pa.Table.from_batches([batch]).select(names).to_pandas(), rows)
        except pa.ArrowInvalid as error:
            raise _explain(path, _bad_bytes(path, file), error) from None
        if not n_rows:
            raise refuse(path, "has a header but no rows")


def _open(path: str, file: Path) -> IO[bytes]:
    return gzip.open(file, "rb") if path.lower().endswith(".gz") else file.open("rb")  # type: ignore[return-value]  # gzip's own class reads alike


def _peek(path: str, file: Path) -> bytes:
    """The first lines of a file, whole."""
    with _reading(path), _open(path, file) as stream:
        data = stream.read(_HEAD)
    return data[: data.rfind(b"\n") + 1] or data if len(data) == _HEAD else data


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Says what is wrong with a file that cannot be read."""
    try:
        yield
    except OSError as error:
        raise refuse(path, f"cannot be read ({error.strerror or error})") from None
    except (EOFError, zlib.error) as error:
        raise refuse(path, f"is no complete gzip file ({error})") from None


def _stream(
    path: str, file: Path, header: Sequence[str], names: Sequence[str], n_blank: int
) -> Iterator[pa.RecordBatch]:
    """Batches of texts, read in one thread."""
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip"

    with _reading(path), _open(path, file) as stream:
        reader = arrow_csv.open_csv(
            stream,
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=_BLOCK, skip_rows=n_blank, column_names=header, skip_rows_after_names=1
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.large_string()),
                include_columns=list(names),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        for batch in reader:
            if ragged:
                number = ragged[0].number
                place = path if number is None else f"{path} row {number}"
                found, named = _count(ragged[0].actual_columns), _count(len(header), "column")
                message = f"has {found}, but the header names {named}"
                raise refuse(place, message, "Text that holds a comma must stand in quotation marks.")
            yield batch


def _number_stream(path: str, file: Path, n_blank: int) -> Iterator[int]:
    """Row numbers as `_number_rows` counts them: only a file with blank lines has to be read for them."""
    tail, has_blank = b"", bool(n_blank)
    with _reading(path), _open(path, file) as stream:
        while not has_blank and (chunk := stream.read(_BLOCK)):
            has_blank = any(blank in tail + chunk for blank in _BLANK_LINES)
            tail = chunk[-2:]
    if not has_blank:
        yield from itertools.count(2)
        return
    with _reading(path), _open(path, file) as stream:
        records = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""))
        found = (number for number, record in enumerate(records, start=1) if not _is_blank(record))
        next(found, None)
        yield from found


def _bad_bytes(path: str, file: Path) -> bytes:
    """A file up to its first bytes that are no UTF-8, as `_explain` looks for them."""
    with _reading(path), _open(path, file) as stream:
        return stream.read()


def _read_bytes(path: str, file: Path) -> bytes:
    try:
        data = file.read_bytes()
        if path.lower().endswith(".gz"):
            data = gzip.decompress(data)
    except OSError as error:
        raise refuse(path, f"cannot be read ({error.strerror or error})") from None
    except (EOFError, zlib.error) as error:
        raise refuse(path, f"is no complete gzip file ({error})") from None
    return _check_bytes(path, data)


def _check_bytes(path: str, data: bytes) -> bytes:
    """The text without its byte order mark, known to be text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse(path, "is encoded in UTF-16", "Save it as UTF-8.")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data or data.isspace():
        raise refuse(path, "is empty; a header row and at least one row of values are needed")
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
    return refuse(path, f"cannot be read as CSV: {str(error).splitlines()[0][:200]}")


def _records(data: bytes) -> Iterator[list[str]]:
    """The cells of each record; an empty list for a blank line."""
    return csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""))


def _read_header(path: str, data: bytes) -> list[str]:
    try:
        cells = next((record for record in _records(data) if "".join(record).strip()), [])
    except csv.Error:
        raise refuse(
            f"{path} row 1", "opens a quotation mark that is never closed", "Close it, or double it."
        ) from None
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
    """The table of texts, read in one thread: only then are ragged rows numbered, and it costs half the work."""
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip"

    def parse(block: int) -> pa.Table:
        return arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=block, skip_rows=n_blank, column_names=header, skip_rows_after_names=1
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=b'"' in data, invalid_row_handler=note),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.large_string()), strings_can_be_null=True, null_values=[""]
            ),
        )

    try:
        table = parse(_BLOCK)
    except pa.ArrowInvalid:  # a quoted cell may be longer than a block: the second try reads the file as one
        ragged.clear()
        table = parse(min(len(data) + 1, 2**31 - 1))
    if ragged:
        raise _refuse_ragged(path, data, header, ragged, n_blank)
    return table


def _refuse_ragged(path: str, data: bytes, header: list[str], ragged: list[Any], n_blank: int) -> InvalidInput:
    numbers = [row.number - n_blank for row in ragged]  # the header is 1, blank lines within are not counted
    rows = _number_rows(data, max(numbers) - 1, n_blank)
    places = [int(rows[number - 2]) for number in numbers]
    message = f"has {_count(ragged[0].actual_columns)}, but the header names {_count(len(header), 'column')}"
    if places[1:]:
        more = ", ".join(map(str, places[1:4])) + (", …" if len(places) > 4 else "")
        message += f"; also {'rows' if places[2:] else 'row'} {more}"
    hint = "Text that holds a comma must stand in quotation marks."
    if data.count(b'"') % 2:
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
    try:
        numbers = [number for number, record in enumerate(_records(data), start=1) if not _is_blank(record)]
    except csv.Error:  # a cell longer than that reader takes: blank lines stay uncounted
        numbers = []
    return np.array(numbers[1 : n + 1], np.int64) if len(numbers) > n else count_rows(n, first=2)


def _is_blank(record: list[str]) -> bool:
    return not record or (len(record) == 1 and not record[0].strip())


def _check_quotes(path: str, data: bytes, table: pa.Table, rows: NDArray[np.int64]) -> None:
    """Finds a quotation mark that is never closed: it swallows the rest of the file without any other sign."""
    if data.count(b'"') % 2 == 0:
        return
    last = [str(column[-1].as_py() or "") for column in table.columns]
    if any("\n" in cell or "\r" in cell for cell in last):
        raise refuse(f"{path} row {rows[-1]}", "opens a quotation mark that is never closed", "Close it, or double it.")
