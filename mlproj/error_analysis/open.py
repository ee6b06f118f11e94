"""The cells of a sheet as somebody saved it: CSV in whatever form a spreadsheet gives it, or an Excel file."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlproj.error_analysis.layout import AFTER, BEFORE, LAST, unguard
from mlproj.error_analysis.sheet import TAG
from mlproj.errors import InvalidInput, Problem

TEXTS = (".csv", ".tsv", ".txt")
"""Excel saves "Unicode text" as .txt."""
BOOKS = (".xlsx", ".xlsm")
_DAMAGED = (
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    SyntaxError,
    NotImplementedError,
    RuntimeError,
)
"""What openpyxl raises on damaged files, besides the errors of zip."""
_DELIMITERS = (",", ";", "\t", "|")
Grid = list[tuple[int, list[str]]]
"""Rows with their lines."""


@dataclass(frozen=True)
class Cells:
    """A sheet as text.

    Attributes:
        file: The file as its user named it.
        header: Column names, trimmed.
        rows: Cells, as many per row as there are names.
        lines: Line of each row, as a spreadsheet counts: the header is 1.
        notes: What was repaired.
        decimal_comma: Whether the delimiter says that 1,5 is one and a half; None where nothing says so.
    """

    file: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    notes: tuple[str, ...] = ()
    decimal_comma: bool | None = None


def open_sheet(path: Path) -> Cells:
    """The cells of a sheet.

    Args:
        path: A .csv or .xlsx file; the delimiter (comma, semicolon, tab), the encoding and a byte order mark are found.

    Raises:
        InvalidInput: When there is no such file, or it holds no sheet.
    """
    suffix = path.suffix.lower()
    if suffix not in TEXTS + BOOKS:
        found = f"ends in {path.suffix!r}" if path.suffix else "has no suffix"
        raise refuse(path, found, "Sheets are .csv or .xlsx files; save it as one of them.")
    if not path.is_file():
        beside = list(path.parent.glob("*")) if path.parent.is_dir() else []
        near = sorted(other.name for other in beside if other.suffix.lower() in TEXTS + BOOKS)
        hint = f"There are: {', '.join(near[:6])}." if near else ""
        raise refuse(path, "is a folder" if path.is_dir() else "does not exist", hint)
    try:
        return _read_text(path) if suffix in TEXTS else _square(path, _read_book(path))
    except OSError as error:
        raise refuse(path, f"cannot be read: {error.strerror or error}") from None


def refuse(path: Path | str, message: str, hint: str = "", *, line: int | None = None, where: str = "") -> InvalidInput:
    """The error of one sheet."""
    return InvalidInput([Problem(where, message, hint, str(path), line)])


def _square(path: Path, grid: Grid, notes: tuple[str, ...] = (), *, decimal_comma: bool | None = None) -> Cells:
    """Rows of equal length under a header; empty rows and empty columns at the right are dropped."""
    grid = [(line, cells) for line, cells in grid if any(cell.strip() for cell in cells)]
    if not grid:
        raise refuse(path, "is empty", "A sheet from `mlproj errors export` is needed.")
    if grid[0][1][0].startswith(_SCRAMBLED_MARK):
        grid = [(line, [_unscramble(cell) for cell in cells]) for line, cells in grid]
        notes = (*notes, f"{path} was opened as Windows-1252, but is UTF-8; its letters were put right")
    header = [unguard(cell).strip() for cell in grid[0][1]]
    while header and not header[-1]:
        header.pop()
    named = [name for name in header if name in {*BEFORE, *AFTER, *LAST} or name.startswith(TAG)]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise refuse(path, f"has the column {twice[0]!r} {named.count(twice[0])} times", "Keep one of them.", line=1)
    problems = [
        Problem("", f"holds {len(cells)} cells, but the header names {len(header)} columns", _RAGGED, str(path), line)
        for line, cells in grid[1:]
        if any(cell.strip() for cell in cells[len(header) :])
    ]
    if problems:
        raise InvalidInput(problems[:10])
    short = [line for line, cells in grid[1:] if len(cells) < len(header)]
    if short and path.suffix.lower() in TEXTS:
        rows_of = f"line {short[0]} holds" if len(short) == 1 else f"{len(short):,} lines hold"
        notes = (*notes, f"{path}: {rows_of} fewer cells than the header; what is missing counts as empty")
    rows = tuple(tuple(map(unguard, [*cells, *[""] * len(header)][: len(header)])) for _, cells in grid[1:])
    if not rows:
        raise refuse(path, "has a header but no rows", "A sheet from `mlproj errors export` is needed.")
    return Cells(str(path), tuple(header), rows, tuple(line for line, _ in grid[1:]), notes, decimal_comma)


_RAGGED = "Text that holds the delimiter must stand in quotation marks."


_SCRAMBLED_MARK = "ï»¿"
"""The byte order mark of a UTF-8 file that a spreadsheet took for Windows-1252."""


def _unscramble(text: str) -> str:
    """A text whose UTF-8 was read as Windows-1252; what was typed since stays as it is."""
    try:
        return b"".join(map(_byte, text)).decode("utf-8-sig")
    except UnicodeError:
        return text


def _byte(mark: str) -> bytes:
    """The byte that was read as a letter; five of them are none in Windows-1252: U+F1xx to LibreOffice."""
    if "\uf180" <= mark <= "\uf19f":
        return bytes([ord(mark) - 0xF100])
    return mark.encode("latin-1" if "\x80" <= mark < "\xa0" else "cp1252")


def _read_text(path: Path) -> Cells:
    data = path.read_bytes()
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise refuse(path, "is an Excel file, not CSV", "Rename it to .xlsx, or save it as CSV.")
    text, notes = _decode(path, data)
    if "\0" in text:
        raise refuse(path, "holds zero bytes: it is no text file", "Save it as CSV in UTF-8.")
    csv.field_size_limit(2**31 - 1)
    if text[:4].lower() == "sep=" and "\n" in text and text[4] in _DELIMITERS:  # a line that Excel writes and reads
        delimiter, text, first = text[4], text.split("\n", 1)[1], 2
    else:
        delimiter, first = _delimiter(text), 1
    rows: Grid = []
    try:
        for line, cells in enumerate(_records(text, delimiter), start=first):
            rows.append((line, cells))
    except csv.Error as error:
        hint = "A quotation mark may be opened and never closed."
        raise refuse(path, f"cannot be read as CSV ({error})", hint, line=first + len(rows)) from None
    return _square(path, rows, notes, decimal_comma={";": True, ",": False}.get(delimiter))


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _delimiter(text: str) -> str:
    """The one that finds a column `id` in the header, else the one that cuts it into most columns."""
    headers = {}
    for delimiter in _DELIMITERS:
        try:
            headers[delimiter] = next(
                (cells for cells in _records(text, delimiter) if any(map(_says_something, cells))), []
            )
        except csv.Error:
            headers[delimiter] = []
    return max(headers, key=lambda mark: ("id" in map(str.strip, headers[mark]), len(headers[mark])))


def _says_something(cell: str) -> bool:
    return bool(cell.strip("".join(_DELIMITERS) + " "))


def _decode(path: Path, data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text; what is no UTF-8 is read as Windows-1252, in which older spreadsheets save."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), ()
        except UnicodeDecodeError:
            raise refuse(path, "is neither UTF-8 nor UTF-16", "Save it as CSV in UTF-8.") from None
    try:
        return data.decode("utf-8-sig", errors="surrogatepass"), ()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), (f"{path} is not UTF-8; it was read as Windows-1252",)


def _read_book(path: Path) -> Grid:
    """The first worksheet that has a column `id`, else the first one."""
    import warnings
    import zipfile
    import zlib

    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # extensions of Excel that are not kept do not matter here
            book = load_workbook(path, data_only=True, read_only=True)  # read-only: empty formatted rows cost nothing
            pages = [_grid(sheet) for sheet in book.worksheets]
            chosen = next((at for at, page in enumerate(pages) if page and "id" in map(str.strip, page[0][1])), None)
            problems = [] if chosen is None else [*_merged(path, book, chosen), *_unvalued(path, pages[chosen], chosen)]
            book.close()
    except (zipfile.BadZipFile, zlib.error, *_DAMAGED) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        hint = "Save it anew as .xlsx, without a password."
        raise refuse(path, f"is no readable Excel file ({reason})", hint) from None
    if problems:
        raise InvalidInput(problems)
    return pages[chosen] if chosen is not None else next((page for page in pages if page), [])


def _merged(path: Path, book: Any, at: int) -> Iterator[Problem]:
    """Merged cells: only the first of them holds what all of them show, so that the others would count as empty."""
    import re
    import zipfile

    part = book.worksheets[at]._worksheet_path  # read-only sheets know no merged cells themselves
    with zipfile.ZipFile(path) as archive:
        found = re.findall(rb'<mergeCell ref="([A-Z0-9:]+)"', archive.read(part.lstrip("/")))
    if found:
        shown = ", ".join(name.decode() for name in found[:3]) + (", …" if len(found) > 3 else "")
        yield Problem("", f"holds merged cells ({shown})", "Unmerge them, and fill in each cell.", str(path))


def _unvalued(path: Path, page: Grid, at: int) -> Iterator[Problem]:
    """Formulas that no spreadsheet has computed yet: their cells would count as empty."""
    from openpyxl import load_workbook

    known = dict(page)
    book = load_workbook(path, read_only=True)
    sheet = book.worksheets[at]
    sheet.reset_dimensions()
    for line, row in enumerate(sheet.iter_rows(), start=1):
        cells = known.get(line, [])
        for place, cell in enumerate(row):
            if getattr(cell, "data_type", "") == "f" and not (place < len(cells) and cells[place]):
                message = f"holds a formula without a value: {cell.value}"
                yield Problem(
                    "", message, "Open and save it once in a spreadsheet, or write the value.", str(path), line
                )
    book.close()


def _grid(sheet: Any) -> Grid:
    """The rows of a worksheet in which anything stands."""
    sheet.reset_dimensions()  # what the file says of its size may be wrong
    rows = ((line, list(map(_text, row))) for line, row in enumerate(sheet.iter_rows(values_only=True), start=1))
    return [(line, cells) for line, cells in rows if any(cells)]


def _text(value: Any) -> str:
    """A cell as people read it: whole numbers without a point, truths as words, days without midnight."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00")
    return str(value)
