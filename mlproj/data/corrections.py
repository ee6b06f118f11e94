"""Corrected labels: a small file beside project.yaml that stands over the data, for train, dev and test alike.

`id, label, was, by, date`, one line per correction in the order of the ids, so that git shows who changed what. With
several labels a column `of` names the one that is meant. The data themselves are never touched, and the splits are
dealt by the labels as they stood, so that a correction moves no example::

    corrections = read_corrections(Path("corrections.csv"))
"""

import csv
import difflib
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlproj.data.cells import read_numbers, read_texts, read_truths, to_strings
from mlproj.data.table import Table
from mlproj.data.task import is_several
from mlproj.errors import InvalidInput, Problem
from mlproj.records import SPLITS, Texts
from mlproj.spec.project import Project

COLUMNS = ("id", "label", "was", "by", "date")
OF = "of"
FILE = "corrections.csv"
_SHOWN = 20


@dataclass(frozen=True)
class Correction:
    """One corrected label.

    Attributes:
        id: The example.
        label: What its label should be.
        was: What the data say.
        by: Who says so.
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


@dataclass(frozen=True)
class Corrected:
    """What corrections did to a table.

    Attributes:
        table: The table with the labels in place.
        changed: Corrections by split that hold any, test among them.
        digest: Short hash of the corrections; "" without any.
    """

    table: Table
    changed: Mapping[str, int]
    digest: str

    @property
    def text(self) -> str:
        """What was corrected, in words."""
        named = ((name, name.replace("_", "-")) for name in SPLITS)
        counts = [f"{spoken} {self.changed[name]:,}" for name, spoken in named if self.changed.get(name)]
        return f"Corrected labels: {', '.join(counts) or 'none'}."


def read_corrections(path: Path, name: str = "") -> list[Correction]:
    """The corrections in a file, in its order.

    Args:
        path: The file.
        name: What messages call it.

    Raises:
        InvalidInput: With everything that is wrong with the file itself, by line.
    """
    called = name or str(path)
    if not path.is_file():
        message = "is a folder" if path.is_dir() else "does not exist"
        hint = "Restore it (git checkout), or take `corrections` out of project.yaml."
        raise InvalidInput([Problem("", message, hint, called)])
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput([Problem("", "is not UTF-8", "Save it as UTF-8.", called)]) from None
    except OSError as error:
        raise InvalidInput([Problem("", f"cannot be read: {error.strerror or error}", "", called)]) from None
    if not text.strip():
        raise InvalidInput([Problem("", "is empty", f"Its header is {','.join(COLUMNS)}.", called)])
    header, *rows = _records(text, called)
    problems = [*_check_header(header, called)]
    if problems:
        raise InvalidInput(problems)
    found = []
    for line, cells in rows:
        if len(cells) != len(header[1]):
            message = f"holds {len(cells)} cells, but the header names {len(header[1])}"
            problems.append(Problem("", message, "Quote text that holds a comma.", called, line))
            continue
        known = dict(zip(header[1], (cell.strip() for cell in cells), strict=True))
        found.append(Correction(**{column: known.get(column, "") for column in (*COLUMNS, OF)}, line=line))
    problems += _check_rows(found, called)
    if problems:
        raise InvalidInput(problems[:_SHOWN])
    return found


def _records(text: str, called: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        rows.extend((reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells))
    except csv.Error as error:
        raise InvalidInput([Problem("", f"cannot be read as CSV ({error})", "", called, reader.line_num)]) from None
    return [(rows[0][0], [cell.strip() for cell in rows[0][1]]), *rows[1:]]


def _check_header(header: tuple[int, list[str]], called: str) -> Iterator[Problem]:
    names = header[1]
    for name in ("id", "label", "was"):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"Is it {near[0]!r}?" if near else f"Its header is {','.join(COLUMNS)}."
            if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
                hint = "It is separated by something else than commas: save it with commas."
            yield Problem("", f"has no column {name}", hint, called, header[0])
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield Problem(
                "", f"has the column {name!r} {names.count(name)} times", "Keep one of them.", called, header[0]
            )


def _check_rows(rows: Sequence[Correction], called: str) -> Iterator[Problem]:
    first: dict[tuple[str, str], int] = {}
    for row in rows:
        if not row.id or not row.label:
            what = "id" if not row.id else "label"
            yield Problem(what, "is empty", "Fill it in, or delete the line.", called, row.line)
        if row.key in first:
            message = f"{row.id!r} is corrected in line {first[row.key]} already"
            yield Problem("id", message, "Keep one of the lines.", called, row.line)
        first.setdefault(row.key, row.line)
        if row.date:
            try:
                date.fromisoformat(row.date)
            except ValueError:
                yield Problem("date", f"{row.date!r} is no date", "Write it as 2026-03-01.", called, row.line)


def write_corrections(path: Path, corrections: Sequence[Correction]) -> None:
    """Writes corrections in the order of their ids, under another name first: no half of a file is ever found."""
    several = any(row.of for row in corrections)
    names = (*COLUMNS, OF) if several else COLUMNS
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(
                [[getattr(row, name) for name in names] for row in sorted(corrections, key=lambda r: r.key)]
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def correct(project: Project, table: Table, ids: Texts, split: Texts) -> Corrected:
    """Puts corrected labels in place. N examples.

    Args:
        project: With `data.corrections`.
        table: All rows, with the labels as the data say.
        ids: Their ids (N,).
        split: Their splits (N,), "" where a row is left out.

    Raises:
        InvalidInput: With every correction that does not fit the data: an unknown id, a `was` that the data no longer
            say, a label that is none.
    """
    assert project.data.corrections is not None
    name = project.data.corrections
    rows = read_corrections(project.root / name, name)
    place = {text: position for position, text in enumerate(ids.tolist())}
    problems: list[Problem] = []
    cells = {label: to_strings(table.frame[label]) for label in table.labels}
    allowed = {label: _allowed(project, table.frame[label]) for label in table.labels}
    changed: dict[str, int] = {}
    for row in rows:
        label = _label_of(row, table.labels, name, problems)
        if label is None:
            continue
        position = place.get(row.id)
        if position is None:
            problems.append(_unknown(row, ids, name))
            continue
        here = split[position]
        found = _fit(project, row, cells[label].iloc[position], allowed[label], name, problems)
        if found is not None:
            cells[label].iloc[position] = found
            changed[str(here)] = changed.get(str(here), 0) + 1
    if problems:
        more = len(problems) - _SHOWN
        raise InvalidInput([*problems[:_SHOWN], *([Problem(name, f"and {more:,} more problems")] if more > 0 else [])])
    frame = pd.DataFrame({c: cells.get(c, table.frame[c]) for c in table.frame.columns}, index=table.frame.index)
    text = "\n".join(f"{row.id}\x1f{row.of}\x1f{row.label}" for row in sorted(rows, key=lambda row: row.key))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12] if rows else ""
    return Corrected(replace(table, frame=frame), changed, digest)


def _label_of(row: Correction, labels: Sequence[str], file: str, problems: list[Problem]) -> str | None:
    if row.of in labels or (not row.of and len(labels) == 1):
        return row.of or labels[0]
    message = f"{row.of!r} is no label" if row.of else "says not which label is meant"
    problems.append(Problem(OF, message, f"It is one of {', '.join(labels)}.", file, row.line))
    return None


def _unknown(row: Correction, ids: Texts, file: str) -> Problem:
    stripped = [text for text in ids.tolist() if text.lstrip("0") == row.id.lstrip("0")][:1] if row.id.isdigit() else []
    near = stripped or difflib.get_close_matches(row.id, ids[:20_000].tolist(), n=1)
    hint = f"Did you mean `{near[0]}`?" if near else "Delete the line if the example is gone."
    return Problem("id", f"{row.id!r} is not in the data", hint, file, row.line)


def _allowed(project: Project, cells: "pd.Series[Any]") -> tuple[str, ...] | None:
    """The classes of a label; None for numbers and for yes/no labels, which are judged by what they say."""
    if project.task == "regression" or is_several(project):
        return None
    return tuple(dict.fromkeys(text for text in read_texts(cells).to_pylist() if text))


def _fit(
    project: Project, row: Correction, cell: Any, allowed: tuple[str, ...] | None, file: str, problems: list[Problem]
) -> str | None:
    """The label to put in place; None where it stands there already, or after noting why it cannot."""
    now = None if cell is None or cell is pd.NA or cell != cell else str(cell)  # noqa: PLR0124 (NaN)
    if now is None:
        message = f"{row.id!r} has no label in the data, so there is none to correct"
        problems.append(Problem("was", message, "Give it a label there, or delete the line.", file, row.line))
        return None
    if allowed is not None and row.label not in allowed:
        near = difflib.get_close_matches(row.label, allowed, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"The classes are {', '.join(allowed[:8])}."
        problems.append(Problem("label", f"{row.label!r} is no class", hint, file, row.line))
        return None
    if allowed is None and not _reads(project, row.label):
        what = "no number" if project.task == "regression" else "neither yes nor no"
        problems.append(Problem("label", f"{row.label!r} is {what}", "Correct it.", file, row.line))
        return None
    if _same(project, now, row.label):
        return None  # the data themselves were mended
    if not _same(project, now, row.was):
        message = f"the data say {now!r} for {row.id!r}, not {row.was!r}: they changed since it was corrected"
        hint = "Look at the example again; then delete the line, or write what the data say into `was`."
        problems.append(Problem("was", message, hint, file, row.line))
        return None
    return row.label


def _reads(project: Project, text: str) -> bool:
    values, bad = _values(project, [text])
    return not bad[0] and bool(np.isfinite(values[0]))


def _same(project: Project, a: str, b: str) -> bool:
    if a == b or (project.task != "regression" and not is_several(project)):
        return a == b
    values, bad = _values(project, [a, b])
    return not bad.any() and bool(values[0] == values[1])


def _values(project: Project, texts: Sequence[str]) -> tuple[Any, Any]:
    cells = pd.Series(list(texts), dtype="str")
    return read_numbers(cells) if project.task == "regression" else read_truths(cells)
