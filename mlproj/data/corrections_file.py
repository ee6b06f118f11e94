"""The file of corrected labels: `id, label, was, by, date`, one line per correction, in the order of the ids.

It lies beside project.yaml and is made for git: a correction is one line of a diff, with who made it and when. With
several labels a column `of` names the one that is meant. What the lines say of the data, `data.corrections` judges::

    rows = read_corrections(Path("corrections.csv"))
    write_corrections(Path("corrections.csv"), rows)
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from mlproj.errors import InvalidInput, Problem
from mlproj.records.whole import whole_file

COLUMNS = ("id", "label", "was", "by", "date")
OF = "of"
FILE = "corrections.csv"
MOST_SHOWN = 20
"""Problems shown of one file: one that was damaged by a spreadsheet may hold thousands."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})( |$)")
_HEADER = f"Its header is {','.join(COLUMNS)} (with several labels {OF} as well)."
_NOT_TEXT = {
    b"PK\x03\x04": "an Excel or zip file",
    b"PAR1": "a Parquet file",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


@dataclass(frozen=True)
class Correction:
    """One corrected label.

    Attributes:
        id: The example.
        label: What its label should be.
        was: What the data say.
        by: Who says so; may be empty.
        date: When, as 2026-03-01; may be empty.
        of: The label column that is meant; "" where there is one.
        line: Line in the file; 0 for a new one.
    """

    id: str
    label: str
    was: str
    by: str = ""
    date: str = ""
    of: str = ""
    line: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What it corrects."""
        return self.id, self.of


def read_corrections(path: Path, name: str = "") -> tuple[Correction, ...]:
    """The corrections in a file, in its order.

    Args:
        path: The file.
        name: What messages call it.

    Raises:
        InvalidInput: With everything that is wrong with the file itself, by line.
    """
    called = name or str(path)
    rows, problems = read_lines(path, called)
    if problems:
        raise InvalidInput(first_few(problems, called))
    return rows


def read_lines(path: Path, called: str) -> tuple[tuple[Correction, ...], list[Problem]]:
    """The lines of a file that can be understood, and what is wrong with the others.

    Args:
        path: The file.
        called: What messages call it.

    Raises:
        InvalidInput: When the file as a whole cannot be read.
    """
    header, *rows = _records(_text_of(path, called), called)
    names = [cell.strip() for cell in header[1]]
    if problems := list(_check_header(names, header[0], called)):
        raise InvalidInput(problems)
    found = []
    for line, cells in rows:
        if len(cells) != len(names):
            problems.append(_ragged(cells, len(names), called, line))
            continue
        known = dict(zip(names, (cell.strip() for cell in cells), strict=True))
        found.append(Correction(**known, line=line))
    problems += _check_rows(found, called)
    wrong = {problem.line for problem in problems}
    return tuple(row for row in found if row.line not in wrong), problems


def write_corrections(path: Path, corrections: Sequence[Correction]) -> None:
    """Writes corrections in the order of their ids, under another name first: nobody ever finds half a file."""
    names = (*COLUMNS, OF) if any(row.of for row in corrections) else COLUMNS
    with whole_file(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([getattr(row, name) for name in names] for row in in_order(corrections))


def in_order(corrections: Sequence[Correction]) -> list[Correction]:
    """The order in which corrections are written."""
    return sorted(corrections, key=lambda row: row.key)


def digest_of(corrections: Sequence[Correction]) -> str:
    """Short hash of what is corrected to what, whoever did it and when; "" without any.

    Example:
        >>> one = Correction("7", "cat", "dog", by="anna")
        >>> digest_of([one]) == digest_of([Correction("7", "cat", "dog", by="ben")]), digest_of([])
        (True, '')
    """
    if not corrections:
        return ""
    text = "\n".join(f"{row.id}\x1f{row.of}\x1f{row.label}" for row in in_order(corrections))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def first_few(problems: Sequence[Problem], file: str, *, uncounted: int = 0) -> list[Problem]:
    """The first problems of a file by line, and how many more there are; `uncounted` were never written down."""
    problems = sorted(problems, key=lambda problem: problem.line or 0)
    more = len(problems) + uncounted - MOST_SHOWN
    rest = [Problem("", f"and {more:,} more problem{'' if more == 1 else 's'}", "", file)] if more > 0 else []
    return [*problems[:MOST_SHOWN], *rest]


def _text_of(path: Path, called: str) -> str:
    def refuse(message: str, hint: str) -> InvalidInput:
        return InvalidInput([Problem("", message, hint, called)])

    restore = "Restore it (git checkout), or take `corrections` out of project.yaml."
    if not path.is_file():
        raise refuse("is a folder" if path.is_dir() else "does not exist", restore)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror or error}", "Make it readable.") from None
    kind = next((kind for start, kind in _NOT_TEXT.items() if content.startswith(start)), "")
    if kind or b"\0" in content:
        raise refuse(f"is {kind or 'no text'}, not CSV in UTF-8", "Save it as CSV in UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput([Problem("", "is not UTF-8", "Save it as CSV in UTF-8.", called, line)]) from None
    if not text.strip():
        raise refuse("is empty", f"{_HEADER} {restore}")
    return text


def _records(text: str, called: str) -> list[tuple[int, list[str]]]:
    """The lines that hold anything, each with the number of its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        hint = "Close every quote; a quote inside of quoted text is doubled."
        raise InvalidInput([Problem("", f"cannot be read as CSV: {error}", hint, called, start)]) from None
    return rows


def _check_header(names: Sequence[str], line: int, called: str) -> Iterator[Problem]:
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        yield Problem("", "is not separated by commas", "Save it with commas between the cells.", called, line)
        return
    if _CONFLICT.match(names[0]):
        yield _unmerged(called, line)
        return
    known = (*COLUMNS, OF)
    for name in COLUMNS:
        if name not in names:
            near = get_close_matches(name, [other for other in names if other not in known], n=1)
            hint = f"Is it `{near[0]}`? {_HEADER}" if near else _HEADER
            yield Problem("", f"has no column {name!r}", hint, called, line)
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            hint = "Keep one of them."
            yield Problem("", f"has the column {name!r} {names.count(name)} times", hint, called, line)
        if name not in known:
            hint = f"It would be lost when corrections are added. {_HEADER}"
            yield Problem("", f"has a column {name!r} that is not known", hint, called, line)


def _ragged(cells: Sequence[str], n: int, called: str, line: int) -> Problem:
    if _CONFLICT.match(cells[0]):
        return _unmerged(called, line)
    message = f"holds {len(cells)} cell{'' if len(cells) == 1 else 's'}, but the header names {n}"
    return Problem("", message, "Quote text that holds a comma; an empty cell keeps its comma.", called, line)


def _unmerged(called: str, line: int) -> Problem:
    hint = "Keep the lines that hold, delete the marks that git left, and commit."
    return Problem("", "holds a merge conflict of git", hint, called, line)


def _check_rows(rows: Sequence[Correction], called: str) -> Iterator[Problem]:
    first: dict[tuple[str, str], int] = {}
    for row in rows:
        for what in ("id", "label", "was"):
            if not getattr(row, what):
                yield Problem(what, "is empty", "Fill it in, or delete the line.", called, row.line)
        if row.label and row.label == row.was:
            message = f"{row.label!r} is what `was` says as well: nothing is corrected"
            yield Problem("label", message, "Write what it should be, or delete the line.", called, row.line)
        if row.id and row.key in first:
            message = f"{row.id!r} is corrected in line {first[row.key]} already"
            yield Problem("id", message, "Keep one of the lines.", called, row.line)
        first.setdefault(row.key, row.line)
        if row.date and not _is_day(row.date):
            hint = "Write it as 2026-03-01, or leave it empty."
            yield Problem("date", f"{row.date!r} is no date", hint, called, row.line)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DAY.fullmatch(text) is not None
