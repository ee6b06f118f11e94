"""Reading sheets back: what reviewers wrote, and everything that is wrong with it, by file and line.

sheet = read_sheets([Path("errors-anna.xlsx"), Path("errors-ben.csv")], find=shelf.find)
"""

import difflib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from mlproj.error_analysis.layout import AFTER, BEFORE, LAST
from mlproj.error_analysis.open import Cells, open_sheet, refuse
from mlproj.error_analysis.recover import TRUTHS, Names
from mlproj.error_analysis.sheet import LABEL_OK, TAG, Example, Manifest, Row, Sheet
from mlproj.errors import InvalidInput, Problem

Find = Callable[[str, Sequence[str]], Manifest | None]
"""Finds the manifest of a sheet by its token ("" where the column is gone) and the ids in it."""
_YES = frozenset({"1", "x", "yes", "true", "1.0", "1,0"})
_NO = frozenset({"", "0", "no", "false", "0.0", "0,0"})
_FORMULA_ERRORS = ("#NAME?", "#VALUE!", "#REF!", "#DIV/0!", "#N/A", "#NUM!", "#NULL!", "Err:")
_MOST_SHOWN = 20


@dataclass
class _Reader:
    """What is known while the files are read."""

    manifest: Manifest
    tags: tuple[str, ...]
    ids: Names
    classes: Names
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    seen: dict[tuple[str, str], str] = field(default_factory=dict)
    reviewers: dict[str, str] = field(default_factory=dict)


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
    opened = _open_all(paths)
    manifests = _manifests(opened, find)
    tags, notes = _tags(manifests[0], opened)
    reader = _Reader(manifests[0], tags, Names(manifests[0].examples), Names(manifests[0].classes), notes=[*notes])
    stems = [Path(cells.file).stem for cells in opened]
    for cells, stem in zip(opened, stems, strict=True):
        unsigned = "" if len(opened) == 1 else stem if stems.count(stem) == 1 else cells.file
        _read(reader, cells, unsigned=unsigned)
    _raise(reader.problems)
    return Sheet(reader.manifest, tuple(reader.rows), reader.tags, tuple(reader.notes))


def _raise(problems: Sequence[Problem]) -> None:
    """All problems at once by file and line, the first of them if there are very many."""
    problems = sorted(problems, key=lambda problem: (problem.file, problem.line or 0))
    more = len(problems) - _MOST_SHOWN
    if problems:
        raise InvalidInput(
            [*problems[:_MOST_SHOWN], *([Problem("", f"and {more:,} more problems")] if more > 0 else [])]
        )


def _open_all(paths: Sequence[Path]) -> list[Cells]:
    """The cells of all files, with the problems of all that cannot be read."""
    opened: list[Cells] = []
    problems: list[Problem] = []
    for path in dict.fromkeys(paths):
        if paths.count(path) > 1:
            problems.append(Problem("", f"is named {paths.count(path)} times", "Name each sheet once.", str(path)))
        try:
            opened.append(open_sheet(path))
        except InvalidInput as error:
            problems.extend(error.problems)
    if not paths:
        problems.append(Problem("", "no sheet was named", "Name one, or one per reviewer."))
    _raise([*problems, *(problem for cells in opened for problem in _check_columns(cells))])
    return opened


def _manifests(opened: Sequence[Cells], find: Find) -> list[Manifest]:
    found: list[Manifest] = []
    problems: list[Problem] = []
    for cells in opened:
        try:
            found.append(_manifest_of(cells, find))
        except InvalidInput as error:
            problems.extend(error.problems)
    _raise(problems)
    if len({manifest.sheet for manifest in found}) > 1:
        named = ", ".join(f"{cells.file} is {m.sheet}" for cells, m in zip(opened, found, strict=True))
        raise refuse("", f"the files are of different exports: {named}", "Read those of one export together.")
    return found


def _check_columns(cells: Cells) -> Iterator[Problem]:
    if "id" not in cells.header:
        near = difflib.get_close_matches("id", [name.lower() for name in cells.header], n=1)
        meant = next((name for name in cells.header if near and name.lower() == near[0]), None)
        hint = f"Is it {meant!r}?" if meant else f"Its columns are {', '.join(cells.header[:8])}."
        hint = f"{hint} Keep the columns that `mlproj errors export` wrote."
        yield Problem("", "has no column id", hint, cells.file, 1)
    own = {*BEFORE, *AFTER, *LAST}
    for name in cells.header:
        meant = name.lower().replace(" ", "_")
        if name not in own and meant in own and meant not in cells.header:
            yield Problem(f"column {name}", f"is not {meant!r}", f"Did you mean `{meant}`?", cells.file, 1)
        if name.lower().startswith(TAG) and (not name.startswith(TAG) or not name.removeprefix(TAG).strip()):
            hint = "Write tag:NAME, for example tag:blurry."
            yield Problem(f"column {name}", "is no tag", hint, cells.file, 1)
    if not any(name in AFTER or name.startswith(TAG) for name in cells.header):
        hint = "It has none of note, label_ok, corrected_label and tag:NAME."
        yield Problem("", "has no column that a reviewer could have filled in", hint, cells.file, 1)


def _tags(manifest: Manifest, opened: Sequence[Cells]) -> tuple[tuple[str, ...], list[str]]:
    """The tags that the sheets ask for: a column that is gone asks nobody, so its tag is not counted as never seen."""
    asked = {
        cells.file: [name.removeprefix(TAG).strip() for name in cells.header if name.startswith(TAG)]
        for cells in opened
    }
    every = list(dict.fromkeys([*manifest.tags, *(tag for tags in asked.values() for tag in tags)]))
    problems: list[Problem] = []
    notes: list[str] = []
    kept: list[str] = []
    for tag in every:
        without = [cells for cells in opened if tag not in asked[cells.file]]
        bare = [cells for cells in without if tag in cells.header and tag in manifest.tags]
        problems += [
            Problem(f"column {tag}", f"is not {TAG + tag!r}", f"Did you mean `{TAG}{tag}`?", cells.file, 1)
            for cells in bare
        ]
        if not without:
            kept.append(tag)
        elif len(without) == len(opened):
            notes.append(f"the column {TAG}{tag} is gone: nothing is said of {tag}")
        elif tag in manifest.tags:
            hint = "The other sheets have it: put it back, or take it out of all."
            gone = [cells.file for cells in without if cells not in bare]
            problems += [Problem("", f"has no column {TAG}{tag}", hint, file, 1) for file in gone]
        else:
            kept.append(tag)
            named = ", ".join(cells.file for cells in without)
            notes.append(f"{TAG}{tag} is no column of {named}: rows looked at there count as not having it")
    _raise(problems)
    return tuple(kept), notes


def _manifest_of(cells: Cells, find: Find) -> Manifest:
    place = cells.header.index("sheet") if "sheet" in cells.header else None
    tokens = sorted({row[place].strip() for row in cells.rows} - {""}) if place is not None else []
    if len(tokens) > 1:
        lines = [
            next(n for row, n in zip(cells.rows, cells.lines, strict=True) if row[place or 0].strip() == t)
            for t in tokens
        ]
        named = ", ".join(f"{token} (line {line})" for token, line in list(zip(tokens, lines, strict=True))[:4])
        raise refuse(cells.file, f"mixes rows of several exports: {named}", "Keep the rows of one export in a file.")
    ids = [row[cells.header.index("id")] for row in cells.rows]
    manifest = find(tokens[0] if tokens else "", ids)
    if manifest is None:
        known = f"the export {tokens[0]!r}" if tokens else "an export with these ids"
        hint = "Run this in the project that exported it, or name the predictions: --predictions FILE"
        raise refuse(cells.file, f"nothing is known of {known}", hint)
    return manifest


def _read(reader: _Reader, cells: Cells, *, unsigned: str) -> None:
    reader.notes.extend(cells.notes)
    if "sheet" not in cells.header:
        reader.notes.append(f"{cells.file} has no column sheet: by its ids it is taken for {reader.manifest.sheet}")
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
    place, mended = cells.header.index("id"), []
    found: list[str | None] = []
    for row, line in zip(cells.rows, cells.lines, strict=True):
        text = row[place]
        candidates = reader.ids.find(text)
        if len(candidates) == 1:
            found.append(candidates[0])
            if candidates[0].strip() != text.strip():
                mended.append((line, text, candidates[0]))
            continue
        found.append(None)
        reader.problems.append(_unknown_id(reader.manifest, cells.file, line, text.strip(), candidates))
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
        return Problem("column id", f"{text!r} was changed by a spreadsheet", hint, file, line)
    near = difflib.get_close_matches(text, list(manifest.examples), n=1)
    hint = f"Did you mean `{near[0]}`?" if near else "Only rows that were exported can come back."
    return Problem("column id", f"{text!r} is not in the export {manifest.sheet}", hint, file, line)


def _read_row(reader: _Reader, cells: Cells, row: Mapping[str, str], line: int, name: str, unsigned: str) -> Row:
    example = reader.manifest.examples[name]
    tags = {column.removeprefix(TAG).strip(): text for column, text in row.items() if column.startswith(TAG)}
    held = frozenset(tag for tag, text in tags.items() if _read_tag(reader, cells.file, line, tag, text))
    label_ok = _read_label_ok(reader, cells.file, line, row.get("label_ok", "").strip().lower())
    corrected = _read_corrected(reader, cells, line, row.get("corrected_label", "").strip(), label_ok, example)
    _check_unchanged(reader, cells, row, line, example)
    note = row.get("note", "").strip()
    if note.startswith(_FORMULA_ERRORS):
        reader.notes.append(f"{cells.file} line {line}: the note reads {note!r}: a spreadsheet took it for a formula")
    signed = row.get("reviewer", "").strip() or unsigned
    return Row(
        example,
        reader.manifest.strata[example.stratum].weight,
        note,
        cast(Literal["ok", "wrong", "ambiguous", ""], label_ok),
        corrected,
        held,
        reader.reviewers.setdefault(signed.casefold(), signed),
        bool(note or label_ok or corrected or any(text.strip() for text in tags.values())),
        cells.file,
        line,
    )


def _read_tag(reader: _Reader, file: str, line: int, tag: str, text: str) -> bool:
    word = text.strip().lower()
    word = TRUTHS.get(word, word)
    if word not in _YES and word not in _NO:
        hint = "Write 1, x, yes or true where it holds, 0 or nothing where it does not."
        reader.problems.append(Problem(f"column {TAG}{tag}", f"{text.strip()!r} is neither", hint, file, line))
    return word in _YES


def _read_label_ok(reader: _Reader, file: str, line: int, word: str) -> str:
    if not word or word in LABEL_OK:
        return word
    near = difflib.get_close_matches(word, LABEL_OK, n=1)
    hint = f"Did you mean `{near[0]}`?" if near else "Write ok, wrong or ambiguous, or leave it empty."
    reader.problems.append(Problem("column label_ok", f"{word!r} is no such word", hint, file, line))
    return ""


def _read_corrected(reader: _Reader, cells: Cells, line: int, text: str, label_ok: str, example: Example) -> str:
    """The corrected label in the spelling of the project; "" where there is none, or none that can be understood."""
    if not text:
        return ""
    is_class = reader.manifest.task == "classification"
    found, message, hint = _as_class(reader, text) if is_class else _as_number(text, cells.decimal_comma)
    if found and label_ok == "ok" and not _same(reader, found, example.y_true):
        message = f"says {found!r}, but label_ok says that {example.y_true!r} is ok"
        hint = "Write wrong in label_ok, or empty this cell."
    elif found and label_ok == "wrong" and _same(reader, found, example.y_true):
        message = f"says {found!r}, which is the label that label_ok calls wrong"
        hint = "Write what it should be, or ok in label_ok."
    if message:
        reader.problems.append(Problem("column corrected_label", message, hint, cells.file, line))
    return found


def _as_class(reader: _Reader, text: str) -> tuple[str, str, str]:
    """A class, else what is wrong with it and what to do."""
    found, classes = reader.classes.find(text), reader.manifest.classes
    if len(found) == 1:
        return found[0], "", ""
    if found:
        return "", f"{text!r} may be {' or '.join(map(repr, found[:3]))}", "Write it as the project does."
    near = difflib.get_close_matches(text, classes, n=1)
    allowed = ", ".join(classes[:8]) + (", …" if len(classes) > 8 else "")
    return "", f"{text!r} is no class", f"Did you mean `{near[0]}`?" if near else f"Write one of {allowed}."


def _as_number(text: str, decimal_comma: bool | None) -> tuple[str, str, str]:
    """A number, else what is wrong with it and what to do; 250,000 may be a quarter of a million, or 250 exactly."""
    before, comma, after = text.partition(",")
    if comma and not decimal_comma and len(after) == 3 and after.isdecimal() and before.lstrip("+-").strip("0"):
        return "", f"{text!r} may be {before}{after} or {before}.{after}", "Write it without a comma."
    try:
        number = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        return "", f"{text!r} is no number", "Write a number, such as 12.5."
    return repr(number), "", ""


def _check_unchanged(reader: _Reader, cells: Cells, row: Mapping[str, str], line: int, example: Example) -> None:
    """Truth and answer must be those that were exported: what reviewers change belongs into `corrected_label`."""
    for column, value in (("y_true", example.y_true), ("y_pred", example.y_pred)):
        text = row.get(column, value).strip()
        if text and not _same(reader, text, value):
            message = f"says {text!r}, but {value!r} was exported for {example.id!r}"
            hint = "Restore it; a corrected label belongs into the column corrected_label."
            hint = hint if column == "y_true" else "Restore it."
            reader.problems.append(Problem(f"column {column}", message, hint, cells.file, line))


def _same(reader: _Reader, text: str, value: str) -> bool:
    """Whether a cell says what was exported, changed at most as spreadsheets change names and round numbers."""
    if reader.manifest.task == "classification":
        return text == value or value in reader.classes.find(text)
    try:
        return math.isclose(float(text.replace(",", ".")), float(value), rel_tol=1e-5)
    except ValueError:
        return False
