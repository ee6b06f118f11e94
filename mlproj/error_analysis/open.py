"""The cells of a sheet as somebody saved it: CSV in whatever form a spreadsheet gives it, or an Excel file."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlproj.error_analysis.layout import unguard
from mlproj.error_analysis.write import SUFFIXES
from mlproj.errors import InvalidInput, Problem

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Cells:
    """A sheet as text.

    Attributes:
        file: The file as its user named it.
        header: Column names, trimmed.
        rows: Cells, as many per row as there are names.
        lines: Line of each row, as a spreadsheet counts: the header is 1.
        notes: What was repaired.
    """

    file: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    notes: tuple[str, ...] = ()


def open_sheet(path: Path) -> Cells:
    """The cells of a sheet.

    Args:
        path: A .csv or .xlsx file; the delimiter (comma, semicolon, tab), the encoding and a byte order mark are found.

    Raises:
        InvalidInput: When there is no such file, or it holds no sheet.
    """
    if path.suffix.lower() not in SUFFIXES:
        found = f"ends in {path.suffix!r}" if path.suffix else "has no suffix"
        raise refuse(path, found, "Sheets are .csv or .xlsx files; save it as one of them.")
    if not path.is_file():
        near = (
            sorted(p.name for p in path.parent.glob("*") if p.suffix.lower() in SUFFIXES)
            if path.parent.is_dir()
            else []
        )
        hint = f"There are: {', '.join(near[:6])}." if near else ""
        raise refuse(path, "is a folder" if path.is_dir() else "does not exist", hint)
    try:
        grid, notes = _read_csv(path) if path.suffix.lower() == ".csv" else (_read_xlsx(path), ())
    except OSError as error:
        raise refuse(path, f"cannot be read: {error.strerror or error}") from None
    return _square(path, grid, notes)


def refuse(path: Path | str, message: str, hint: str = "", *, line: int | None = None, where: str = "") -> InvalidInput:
    """The error of one sheet."""
    return InvalidInput([Problem(where, message, hint, str(path), line)])


def _square(path: Path, grid: list[tuple[int, list[str]]], notes: tuple[str, ...]) -> Cells:
    """Rows of equal length under a header; empty rows and empty columns at the right are dropped."""
    grid = [(line, cells) for line, cells in grid if any(cell.strip() for cell in cells)]
    if not grid:
        raise refuse(path, "is empty", "A sheet from `mlproj errors export` is needed.")
    header = [unguard(cell).strip() for cell in grid[0][1]]
    while header and not header[-1]:
        header.pop()
    named = [name for name in header if name]
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
    rows = tuple(tuple(map(unguard, [*cells, *[""] * len(header)][: len(header)])) for _, cells in grid[1:])
    if not rows:
        raise refuse(path, "has a header but no rows", "A sheet from `mlproj errors export` is needed.")
    return Cells(str(path), tuple(header), rows, tuple(line for line, _ in grid[1:]), notes)


_RAGGED = "Text that holds the delimiter must stand in quotation marks."


def _read_csv(path: Path) -> tuple[list[tuple[int, list[str]]], tuple[str, ...]]:
    data = path.read_bytes()
    if data.startswith(b"PK\x03\x04"):
        raise refuse(path, "is an Excel file, not CSV", "Rename it to .xlsx.")
    text, notes = _decode(path, data)
    if "\0" in text:
        raise refuse(path, "holds zero bytes: it is no text file", "Save it as CSV in UTF-8.")
    if text.lower().startswith("sep=") and "\n" in text:  # a line that Excel writes and reads
        delimiter, text, first = text[4:5], text.split("\n", 1)[1], 2
    else:
        head = text.lstrip("\r\n").partition("\n")[0]
        delimiter, first = max(_DELIMITERS, key=head.count), 1
    rows = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    csv.field_size_limit(2**31 - 1)
    try:
        for line, cells in enumerate(reader, start=first):
            rows.append((line, cells))
    except csv.Error as error:
        hint = "A quotation mark may be opened and never closed."
        raise refuse(path, f"cannot be read as CSV ({error})", hint, line=first + len(rows)) from None
    return rows, notes


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


def _read_xlsx(path: Path) -> list[tuple[int, list[str]]]:
    """The first worksheet that has a column `id`, else the first one."""
    import warnings
    import zipfile

    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # extensions of Excel that are not kept do not matter here
            book = load_workbook(path, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, SyntaxError) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise refuse(path, f"is no readable Excel file ({reason})", "Save it anew as .xlsx.") from None
    pages = [[[_text(cell.value) for cell in row] for row in sheet.iter_rows()] for sheet in book.worksheets]
    filled = [page for page in pages if any(any(row) for row in page)]
    chosen = next((page for page in filled if "id" in [c.strip() for c in next(r for r in page if any(r))]), None)
    return list(enumerate(chosen or (filled[0] if filled else []), start=1))


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
