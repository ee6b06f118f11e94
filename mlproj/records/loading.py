"""Opens a predictions file, CSV or Parquet, as `Columns`; says what is wrong with the file as a whole."""

import csv
import difflib
from collections import Counter
from collections.abc import Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from mlproj.errors import InvalidInput, Problem
from mlproj.records.columns import Columns

SUFFIXES = (".csv", ".parquet")
"""What a predictions file may be called."""
SCHEMA_KEY = b"mlproj.labels"
"""Where `write_predictions` leaves the classes in a Parquet file, so that one without examples is not forgotten."""
_MAGIC = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"PK\x03\x04": "an Excel or zip file",
    b"PAR1": "a Parquet file",
}


def load_columns(path: Path) -> Columns:
    """Opens a predictions file (CSV or Parquet by its suffix).

    Raises:
        InvalidInput: When it is missing, empty, or not what its suffix says.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise _refusal(
            path,
            f"ends in {suffix}" if suffix else "has no suffix",
            "Predictions are read from .csv and .parquet files.",
        )
    if not path.is_file():
        raise _refusal(path, "is a folder" if path.is_dir() else "does not exist", _suggest(path))
    try:
        return _read_csv(path) if suffix == ".csv" else _read_parquet(path)
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error.strerror or error}") from None


def _read_parquet(path: Path) -> Columns:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # opened as one file, so that neither its folder's name nor its neighbours become part of the table
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except pa.ArrowException as error:
        raise _refusal(path, f"is no readable Parquet file ({_first_line(error)})") from None
    schema = (table.schema.metadata or {}).get(SCHEMA_KEY, b"").decode("utf-8")
    return _columns(path, table.column_names, table.columns, first_row=1, schema=schema)


def _read_csv(path: Path) -> Columns:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    data = path.read_bytes()
    names, delimiter = _header(path, data)
    ragged: list[Any] = []

    def skip(row: Any) -> str:
        ragged.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            BytesIO(data),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=max(1 << 24, 2 * data.find(b"\n"))),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowException as error:
        hint = "Save it as UTF-8." if "UTF8" in str(error) else ""
        raise _refusal(path, f"is no readable CSV file ({_first_line(error)})", hint) from None
    if ragged:
        raise InvalidInput(_ragged_problem(path, row, len(names)) for row in ragged[:10])
    return _columns(path, names, table.columns, first_row=2, comma=delimiter == ";")


def _header(path: Path, data: bytes) -> tuple[list[str], str]:
    """Column names and the delimiter of a CSV file."""
    kind = next((name for magic, name in _MAGIC.items() if data.startswith(magic)), None)
    if kind:
        raise _refusal(path, f"is {kind}, not a CSV file in UTF-8", "Save it as CSV (UTF-8).")
    if b"\0" in data:
        raise _refusal(path, "holds zero bytes: it is no text file", "Save it as CSV (UTF-8).")
    if not data.strip():
        raise _refusal(path, "is empty", "A header row and one row per example are needed.")
    text = data[: 1 << 20].decode("utf-8-sig", errors="replace").lstrip("\r\n")
    line = text.splitlines()[0]
    delimiter = next((mark for mark in (",", ";", "\t") if mark in line), ",")
    return next(csv.reader(StringIO(text), delimiter=delimiter)), delimiter


def _ragged_problem(path: Path, row: Any, expected: int) -> Problem:
    where = "" if row.number is None else f"row {row.number}"
    message = f"{row.actual_columns} cells instead of {expected}: {row.text[:60]!r}"
    return Problem(where, message, "Quote cells that hold the delimiter.", str(path))


def _columns(
    path: Path, names: Sequence[str], arrays: Sequence[Any], *, first_row: int, comma: bool = False, schema: str = ""
) -> Columns:
    trimmed = [name.strip() for name in names]
    twice = [name for name, count in Counter(trimmed).items() if count > 1]
    if twice:
        raise _refusal(path, f"has the column {twice[0]!r} {trimmed.count(twice[0])} times", "Keep one of them.")
    if not arrays or len(arrays[0]) == 0:
        raise _refusal(path, "has no rows", "One row per example is needed.")
    return Columns(
        str(path), dict(zip(trimmed, arrays, strict=True)), first_row=first_row, decimal_comma=comma, schema=schema
    )


def _suggest(path: Path) -> str:
    names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, [name for name in names if name.endswith(SUFFIXES)], n=1)
    return f"Did you mean `{path.parent / near[0]}`?" if near else ""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _refusal(path: Path, message: str, hint: str = "") -> InvalidInput:
    return InvalidInput([Problem("", message, hint, str(path))])
