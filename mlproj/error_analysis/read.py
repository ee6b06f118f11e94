"""Reading sheets back: what reviewers wrote, and everything that is wrong with it, by file and line.

sheet = read_sheets([Path("errors-anna.xlsx"), Path("errors-ben.csv")], find=shelf.find)
"""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from mlproj.error_analysis.layout import AFTER, BEFORE, LAST
from mlproj.error_analysis.open import Cells, open_sheet, refuse
from mlproj.error_analysis.sheet import LABEL_OK, TAG, Example, Manifest, Row, Sheet
from mlproj.errors import InvalidInput, Problem

Find = Callable[[str, Sequence[str]], Manifest | None]
"""Finds the manifest of a sheet by its token ("" where the column is gone) and the ids in it."""
_YES = frozenset({"1", "x", "yes", "true", "1.0"})
_NO = frozenset({"", "0", "no", "false", "0.0"})
_ROUNDED = re.compile(r"\d([.,]\d+)?[eE]\+?\d+")
_MOST_SHOWN = 20


@dataclass
class _Reader:
    """What is known while the files are read."""

    manifest: Manifest
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    tags: dict[str, None] = field(default_factory=dict)
    seen: dict[tuple[str, str], str] = field(default_factory=dict)


def read_sheets(paths: Sequence[Path], find: Find) -> Sheet:
    """Reads the sheets of one export together.

    Args:
        paths: The files, one or one per reviewer.
        find: Finds the manifest of a sheet.

    Returns:
        The rows of all files.

    Raises:
        InvalidInput: With everything in them that cannot be understood, by file and line.
    """
    opened = [open_sheet(path) for path in paths]
    problems = [problem for cells in opened for problem in _check_columns(cells)]
    if problems:
        raise InvalidInput(problems)
    manifests = [_manifest_of(cells, find) for cells in opened]
    if len({manifest.sheet for manifest in manifests}) > 1:
        named = ", ".join(f"{cells.file} is {m.sheet}" for cells, m in zip(opened, manifests, strict=True))
        raise refuse("", f"the files are of different exports: {named}", "Summarise those of one export together.")
    reader = _Reader(manifests[0], tags=dict.fromkeys(manifests[0].tags))
    for cells in opened:
        _read(reader, cells, unsigned=Path(cells.file).stem if len(opened) > 1 else "")
    if reader.problems:
        more = len(reader.problems) - _MOST_SHOWN
        last = [Problem("", f"and {more:,} more problems")] if more > 0 else []
        raise InvalidInput([*reader.problems[:_MOST_SHOWN], *last])
    return Sheet(reader.manifest, tuple(reader.rows), tuple(reader.tags), tuple(reader.notes))


def _check_columns(cells: Cells) -> Iterator[Problem]:
    if "id" not in cells.header:
        near = difflib.get_close_matches("id", [name.lower() for name in cells.header], n=1)
        hint = f"Is it {near[0]!r}?" if near else f"Its columns are {', '.join(cells.header[:8])}."
        yield Problem(
            "", "has no column id", f"{hint} Keep the columns that `mlproj errors export` wrote.", cells.file, 1
        )
    own = {*BEFORE, *AFTER, *LAST}
    for name in cells.header:
        if (
            name not in own
            and name.lower().replace(" ", "_") in own
            and name.lower().replace(" ", "_") not in cells.header
        ):
            meant = name.lower().replace(" ", "_")
            yield Problem(f"column {name}", f"is not {meant!r}", f"Did you mean `{meant}`?", cells.file, 1)
        if name.lower().startswith(TAG) and (not name.startswith(TAG) or not name.removeprefix(TAG).strip()):
            hint = "Write tag:NAME, for example tag:blurry."
            yield Problem(f"column {name}", "is no tag", hint, cells.file, 1)
    if not any(name in AFTER or name.startswith(TAG) for name in cells.header):
        hint = "It has none of note, label_ok, corrected_label and tag:NAME."
        yield Problem("", "has no column that a reviewer could have filled in", hint, cells.file, 1)


def _manifest_of(cells: Cells, find: Find) -> Manifest:
    place = cells.header.index("sheet") if "sheet" in cells.header else None
    tokens = sorted({row[place].strip() for row in cells.rows} - {""}) if place is not None else []
    if len(tokens) > 1:
        hint = "Keep the rows of one export in a file."
        raise refuse(cells.file, f"mixes rows of several exports: {', '.join(tokens[:4])}", hint)
    ids = [row[cells.header.index("id")].strip() for row in cells.rows]
    manifest = find(tokens[0] if tokens else "", ids)
    if manifest is None:
        known = f"the export {tokens[0]!r}" if tokens else "an export with these ids"
        hint = "Run this in the project that exported it, or name the predictions: --predictions FILE"
        raise refuse(cells.file, f"nothing is known of {known}", hint)
    return manifest


def _read(reader: _Reader, cells: Cells, *, unsigned: str) -> None:
    reader.notes.extend(cells.notes)
    tags = [name.removeprefix(TAG).strip() for name in cells.header if name.startswith(TAG)]
    for tag in tags:
        reader.tags.setdefault(tag)
    ids = _match_ids(reader, cells)
    for cell_row, line, name in zip(cells.rows, cells.lines, ids, strict=True):
        if name is not None:
            row = _read_row(reader, cells, dict(zip(cells.header, cell_row, strict=True)), line, name, unsigned)
            _note_repeat(reader, row)
            reader.rows.append(row)


def _note_repeat(reader: _Reader, row: Row) -> None:
    key, place = (row.id, row.reviewer), f"{row.file} line {row.line}"
    if key in reader.seen:
        signed = f" by {row.reviewer}" if row.reviewer else ""
        message = f"{row.id!r}{signed} stands in {reader.seen[key]} already"
        hint = "Keep one of the rows, or sign them with different names in `reviewer`."
        reader.problems.append(Problem("column id", message, hint, row.file, row.line))
    reader.seen.setdefault(key, place)


def _match_ids(reader: _Reader, cells: Cells) -> list[str | None]:
    """The examples' ids; those that a spreadsheet spoiled are found again where only one can be meant."""
    known = reader.manifest.examples
    spoiled: dict[str, list[str]] = {}
    for name in known:
        for form in _spoiled_forms(name):
            spoiled.setdefault(form, []).append(name)
    place, mended = cells.header.index("id"), []
    found: list[str | None] = []
    for row, line in zip(cells.rows, cells.lines, strict=True):
        text = row[place].strip()
        candidates = [text] if text in known else spoiled.get(text, []) or spoiled.get(text.replace(",", "."), [])
        if len(candidates) == 1:
            found.append(candidates[0])
            if candidates[0] != text:
                mended.append((line, text, candidates[0]))
            continue
        found.append(None)
        reader.problems.append(_unknown_id(reader.manifest, cells.file, line, text, candidates))
    if mended:
        line, text, name = mended[0]
        more = f" and {len(mended) - 1} more" if len(mended) > 1 else ""
        reader.notes.append(f"{cells.file}: a spreadsheet changed ids: line {line} reads {text!r} for {name!r}{more}")
    return found


def _unknown_id(manifest: Manifest, file: str, line: int, text: str, candidates: Sequence[str]) -> Problem:
    if not text:
        return Problem("column id", "is empty", "Each row needs the id that was exported.", file, line)
    if candidates:
        hint = f"It may be {' or '.join(map(repr, candidates[:3]))}: paste the id anew, formatted as text."
        return Problem("column id", f"{text!r} was rounded by a spreadsheet", hint, file, line)
    near = difflib.get_close_matches(text, list(manifest.examples), n=1)
    hint = f"Did you mean `{near[0]}`?" if near else "Only examples that were exported can be summarised."
    return Problem("column id", f"{text!r} is not in the export {manifest.sheet}", hint, file, line)


def _spoiled_forms(name: str) -> Iterator[str]:
    """How a spreadsheet may show an id: without leading zeros, as a float, rounded to 15 digits or fewer."""
    stripped = name.lstrip("0") or "0"
    if name.isdigit() and name.isascii():
        if stripped != name:
            yield stripped
        yield f"{stripped}.0"
        if len(stripped) > 11:
            value = int(name)
            for digits in range(1, 16):
                yield from dict.fromkeys((f"{value:.{digits}E}", f"{value:.{digits}e}", f"{value:.{digits}G}"))
            yield f"{float(name)!r}"
            yield str(int(float(f"{value:.14e}")))
    if name.upper() != name or name.lower() != name:
        for word in ("true", "false"):
            if name.lower() == word and name != word:
                yield from (word, word.upper())


def _read_row(reader: _Reader, cells: Cells, row: dict[str, str], line: int, name: str, unsigned: str) -> Row:
    example = reader.manifest.examples[name]
    tags = {column.removeprefix(TAG).strip(): text for column, text in row.items() if column.startswith(TAG)}
    held = frozenset(tag for tag, text in tags.items() if _read_tag(reader, cells.file, line, tag, text))
    label_ok = row.get("label_ok", "").strip().lower()
    if label_ok and label_ok not in LABEL_OK:
        near = difflib.get_close_matches(label_ok, LABEL_OK, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "Write ok, wrong or ambiguous, or leave it empty."
        reader.problems.append(Problem("column label_ok", f"{label_ok!r} is no such word", hint, cells.file, line))
        label_ok = ""
    corrected = _read_corrected(reader, cells.file, line, row.get("corrected_label", "").strip(), label_ok, example)
    _check_unchanged(reader, cells, row, line, example)
    note = row.get("note", "").strip()
    return Row(
        example,
        reader.manifest.strata[example.stratum].weight,
        note,
        cast(Literal["ok", "wrong", "ambiguous", ""], label_ok),
        corrected,
        held,
        row.get("reviewer", "").strip() or unsigned,
        bool(note or label_ok or corrected or any(text.strip() for text in tags.values())),
        cells.file,
        line,
    )


def _read_tag(reader: _Reader, file: str, line: int, tag: str, text: str) -> bool:
    word = text.strip().lower()
    if word not in _YES and word not in _NO:
        hint = "Write 1, x, yes or true where it holds, 0 or nothing where it does not."
        reader.problems.append(Problem(f"column {TAG}{tag}", f"{text.strip()!r} is neither", hint, file, line))
    return word in _YES


def _read_corrected(reader: _Reader, file: str, line: int, text: str, label_ok: str, example: Example) -> str:
    """The corrected label in the spelling of the project."""
    if not text:
        return ""
    where, manifest = "column corrected_label", reader.manifest
    if manifest.task == "regression":
        try:
            return repr(float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text))
        except ValueError:
            reader.problems.append(Problem(where, f"{text!r} is no number", "Write a number.", file, line))
            return ""
    classes = {name.casefold(): name for name in manifest.classes} | {name: name for name in manifest.classes}
    found = classes.get(text) or classes.get(text.casefold()) or classes.get(text.removesuffix(".0"))
    if found is None:
        near = difflib.get_close_matches(text, manifest.classes, n=1)
        allowed = ", ".join(manifest.classes[:8]) + (", …" if len(manifest.classes) > 8 else "")
        hint = f"Did you mean `{near[0]}`?" if near else f"Write one of {allowed}."
        reader.problems.append(Problem(where, f"{text!r} is no class", hint, file, line))
        return ""
    if label_ok == "ok" and found != example.y_true:
        message = f"says {found!r}, but label_ok says that {example.y_true!r} is ok"
        reader.problems.append(Problem(where, message, "Write wrong in label_ok, or empty this cell.", file, line))
    if label_ok == "wrong" and found == example.y_true:
        message = f"says {found!r}, which is the label that label_ok calls wrong"
        reader.problems.append(Problem(where, message, "Write what it should be, or ok in label_ok.", file, line))
    return found


def _check_unchanged(reader: _Reader, cells: Cells, row: dict[str, str], line: int, example: Example) -> None:
    """Truth and answer must be those that were exported: what reviewers change belongs into `corrected_label`."""
    for column, value in (("y_true", example.y_true), ("y_pred", example.y_pred)):
        text = row.get(column, value).strip()
        if text and not _same(text, value):
            message = f"says {text!r}, but {value!r} was exported for {example.id!r}"
            hint = (
                "Restore it; a corrected label belongs into the column corrected_label."
                if column == "y_true"
                else "Restore it."
            )
            reader.problems.append(Problem(f"column {column}", message, hint, cells.file, line))


def _same(text: str, value: str) -> bool:
    if text.casefold() == value.casefold():
        return True
    try:
        return float(text.replace(",", ".")) == float(value) or abs(
            float(text.replace(",", ".")) - float(value)
        ) <= 1e-6 * abs(float(value))
    except ValueError:
        return False
