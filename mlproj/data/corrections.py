"""Corrected labels put in place: they stand over the data, for train, dev and test alike. N examples.

The data themselves are never touched, and the splits are dealt by the labels as the data say them: a colleague who
deals from the same data with or without the corrections gets the same splits, so a correction moves no example.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np

from mlproj.data.cells import kind_of, read_numbers, read_texts, read_truths, to_text
from mlproj.data.corrections_file import MOST_SHOWN, OF, Correction, digest_of, first_few, read_lines
from mlproj.data.late import pd
from mlproj.data.table import Table
from mlproj.data.task import is_several, list_classes, read_known
from mlproj.errors import InvalidInput, Problem
from mlproj.records import SPLITS, Texts
from mlproj.records.columns import canonical
from mlproj.spec.project import Project

_SEARCHED = 20_000
"""Ids among which a misspelt one is looked for: more would take seconds."""
_ROUNDING = 1e-6
"""Numbers that differ by less, relatively, are the same: single precision keeps 7 digits, a spreadsheet 15."""


@dataclass(frozen=True)
class Corrected:
    """What corrections did to a table.

    Attributes:
        table: The table with the labels in place.
        changed: Corrected labels by split; all splits that hold examples, test among them.
        digest: Short hash of the corrections outside of test, by which nothing is trained or compared; "" without any.
        idle: Corrections that change nothing, because the data say the same by now.
    """

    table: Table
    changed: Mapping[str, int]
    digest: str
    idle: int = 0

    @property
    def text(self) -> str:
        """What was corrected, in words."""
        counts = ", ".join(f"{name.replace('_', '-')} {n:,}" for name, n in self.changed.items())
        idle = f" {self.idle:,} of the file change nothing: the data say the same by now." if self.idle else ""
        return f"Corrected labels: {counts}.{idle}"


Lines = tuple[tuple[Correction, ...], list[Problem]]
"""Lines of a file that can be understood, and what is wrong with the others."""


def read_of(project: Project) -> Lines:
    """The corrections that a project names, and what is wrong with further lines; none where it names no file.

    Raises:
        InvalidInput: When the file as a whole cannot be read.
    """
    name = project.data.corrections
    if name is None:
        return (), []
    path = project.root / name
    if not path.exists():
        hint = "Restore it (git checkout). If there never was one, leave the key out: `mlproj errors apply` adds both."
        raise InvalidInput([project.problem("data.corrections", f"{name} does not exist", hint)])
    return read_lines(path, name)


def correct(project: Project, table: Table, ids: Texts, split: Texts, lines: Lines) -> Corrected:
    """Puts corrected labels in place.

    Args:
        project: With the task filled in.
        table: All rows, with the labels as the data say them.
        ids: Their ids (N,).
        split: Their splits (N,), "" where a row is left out.
        lines: What `read_of` found.

    Raises:
        InvalidInput: With every line that cannot be understood, and every correction that does not fit the data: an
            unknown id, a `was` that the data no longer say, a label that is none.
    """
    rows, wrong = lines
    judge = _Judge(project, table, ids)
    found: dict[str, dict[int, str]] = {label: {} for label in table.labels}
    idle, used = 0, []
    for row in rows:
        place = judge.place(row)
        if place is None:
            continue
        used += [row] if split[place.row] != "test" else []
        if place.label == place.now:
            idle += 1
        else:
            found[place.column][place.row] = place.label
    if wrong or judge.problems:
        raise InvalidInput(first_few([*wrong, *judge.problems], judge.file, uncounted=judge.uncounted))
    touched = [split[row] for places in found.values() for row in places]
    changed = {str(name): touched.count(name) for name in SPLITS if (split == name).any()}
    cells = {name: _replaced(table.frame[name], places) for name, places in found.items() if places}
    frame = table.frame.assign(**cells) if cells else table.frame
    return Corrected(replace(table, frame=frame), changed, digest_of(used), idle)


def _replaced(cells: pd.Series[Any], labels: Mapping[int, str]) -> pd.Series[Any]:
    """A label column with some cells replaced, the others exactly as they were."""
    rows = list(labels)
    if kind_of(cells) == "number":
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan).copy()
        values[rows] = [float(text) for text in labels.values()]
        return pd.Series(values, index=cells.index, name=cells.name)
    texts = np.array(read_texts(cells).to_pylist(), dtype=object)
    texts[rows] = list(labels.values())
    return pd.Series(texts, index=cells.index, name=cells.name, dtype="str")


@dataclass(frozen=True)
class _Place:
    """Where a correction belongs, what stands there, and what should, both as the column spells it."""

    column: str
    row: int
    now: str
    label: str


@dataclass
class _Judge:
    """Holds corrections against the data, and keeps what is wrong with them."""

    project: Project
    table: Table
    ids: Texts
    problems: list[Problem] = field(default_factory=list)
    uncounted: int = 0

    @property
    def file(self) -> str:
        """What messages call the file."""
        return str(self.project.data.corrections)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each id."""
        return {text: row for row, text in enumerate(self.ids.tolist())}

    @cached_property
    def columns(self) -> dict[str, _Column]:
        """The label columns."""
        return {name: _Column.of(self.project, self.table.frame[name]) for name in self.table.labels}

    def place(self, correction: Correction) -> _Place | None:
        """Where a correction belongs; None after noting why it belongs nowhere."""
        found = self._find(correction)
        if isinstance(found, _Place):
            return found
        if len(self.problems) < MOST_SHOWN:  # a hint takes time, and nobody reads a thousand
            what, message, hint = found
            hint = self._near(correction.id) if what == "id" else hint
            self.problems.append(Problem(what, message, hint, self.file, correction.line or None))
        else:
            self.uncounted += 1
        return None

    def _find(self, correction: Correction) -> _Place | tuple[str, str, str]:
        """Where a correction belongs, or which of its cells is wrong, what is wrong, and what to do."""
        name = correction.of or (self.table.labels[0] if len(self.table.labels) == 1 else "")
        if name not in self.columns:
            message = f"{name!r} is no label" if name else "is empty, but there are several labels"
            return OF, message, f"Write one of {', '.join(self.table.labels)}."
        column, row = self.columns[name], self.rows.get(correction.id)
        if row is None:
            return "id", f"{correction.id!r} is not in the data", ""
        now, label = column.now(row), column.read(correction.label)
        if now is None:
            message = f"{correction.id!r} has no label in the data, so there is none to correct"
            return "was", message, "Give it a label there, or delete the line."
        if label is None:
            return "label", *column.strange(correction.label)
        if label != now and not column.is_same(now, correction.was):
            at = self.table.place(row)
            message = f"the data say {now!r} for {correction.id!r} ({at}), not {correction.was!r}"
            hint = f"They changed since. Look at it again; then write {now!r} into `was`, or delete the line."
            return "was", message, hint
        return _Place(name, row, now, label)

    def _near(self, name: str) -> str:
        """What an unknown id may have been."""
        stripped = name.lstrip("0").removesuffix(".0")
        if stripped.isdigit():
            same = [text for text in self.rows if text.lstrip("0") == stripped]
            if same:
                zeros = " Spreadsheets drop leading zeros: format the column as text." if same[0] != stripped else ""
                return f"Did you mean `{same[0]}`?{zeros}"
        if name.replace(".", "").replace(",", "").upper().replace("E+", "").isdigit() and "E" in name.upper():
            return "A spreadsheet rounded it: format the column as text, and paste the id anew."
        near = get_close_matches(name, self.ids[:_SEARCHED].tolist(), n=1)
        return f"Did you mean `{near[0]}`?" if near else "Delete the line if the example is gone."


@dataclass(frozen=True)
class _Column:
    """A label column and how it spells its labels.

    Attributes:
        kind: number, truth (of several yes/no labels) or class.
        texts: Its cells (N,) as text, None where the label is missing.
        classes: Its classes by what they are compared by; for truths the usual spelling of no and yes.
        above: What a number must exceed.
    """

    kind: str
    texts: Sequence[str | None]
    classes: Mapping[str, str] = field(default_factory=dict)
    above: float = -math.inf

    @classmethod
    def of(cls, project: Project, cells: pd.Series[Any]) -> _Column:
        """The column of these cells."""
        known = ~np.isnan(read_truths(cells)[0]) if is_several(project) else read_known(cells)
        texts = [text if ok else None for text, ok in zip(read_texts(cells).to_pylist(), known.tolist(), strict=True)]
        if project.task == "regression":
            return cls("number", texts, above=0.0 if project.data.label_scale == "log" else -math.inf)
        names = dict.fromkeys(text for text in texts if text is not None)
        if is_several(project):
            return cls("truth", texts, {str(_truth(name)): name for name in reversed(names)})
        return cls("class", texts, {canonical(name): name for name in names} | {name: name for name in names})

    def now(self, row: int) -> str | None:
        """What the data say; None for a missing label."""
        text = self.texts[row]
        return None if text is None else self.read(text) or text

    def read(self, text: str) -> str | None:
        """A label as this column spells it; None for what is no label."""
        if self.kind == "number":
            value, bad = _number(text)
            return None if bad or not math.isfinite(value) or value <= self.above else to_text(value)
        if self.kind == "truth":
            truth = _truth(text)
            return None if math.isnan(truth) else self.classes.get(str(truth), text)
        return self.classes.get(text) or self.classes.get(canonical(text))

    def is_same(self, now: str, text: str) -> bool:
        """Whether a text means what the data say."""
        read = self.read(text)
        if self.kind == "number" and read is not None:
            return math.isclose(float(now), float(read), rel_tol=_ROUNDING)
        return read == now

    def strange(self, text: str) -> tuple[str, str]:
        """What to say of a text that is no label here, and the next step."""
        if self.kind == "number":
            low = " above 0 (label_scale is log)" if self.above == 0 else ""
            return f"{text!r} is no number{low}", "Write a number such as 12.5."
        if self.kind == "truth":
            return f"{text!r} is neither yes nor no", "Write yes or no, as 1/0, yes/no or true/false."
        names = list(dict.fromkeys(self.classes.values()))
        folded = {name.casefold(): name for name in reversed(names)}
        near = [folded[name] for name in get_close_matches(text.casefold(), list(folded), n=1)]
        hint = f"Did you mean `{near[0]}`?" if near else f"The classes are {list_classes(sorted(names))}."
        return f"{text!r} is none of the classes in the data", hint


def _number(text: str) -> tuple[float, bool]:
    values, bad = read_numbers(pd.Series([text], dtype="str"))
    return float(values[0]), bool(bad[0])


def _truth(text: str) -> float:
    return float(read_truths(pd.Series([text], dtype="str"))[0][0])
