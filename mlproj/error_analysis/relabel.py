"""What reviewers agree that a label should be: only that is corrected.

A summary may count a majority; a label that is overwritten for good needs everybody who said something of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mlproj.error_analysis.merge import Conflict, word_of
from mlproj.error_analysis.sheet import Row, Sheet


@dataclass(frozen=True)
class Relabel:
    """A label that is wrong, and what it should be.

    Attributes:
        id: The example.
        label: What its label should be.
        was: What the sheet shows.
        by: Who says so; "" where nobody signed.
        file: The sheet in which it stands first.
        line: Its line there.
    """

    id: str
    label: str
    was: str
    by: str
    file: str
    line: int


@dataclass(frozen=True)
class Relabels:
    """What a sheet says of labels.

    Attributes:
        agreed: Labels to correct, in the order of the sheet.
        confirmed: Examples whose label everybody calls ok, with the label that the sheet shows.
        conflicts: Examples on whose label reviewers disagree.
        ambiguous: Labels that nobody can say.
        unnamed: Labels that are wrong, but nobody says what they should be.
    """

    agreed: tuple[Relabel, ...]
    confirmed: tuple[tuple[str, str], ...]
    conflicts: tuple[Conflict, ...]
    ambiguous: int
    unnamed: int


def relabels(sheet: Sheet) -> Relabels:
    """What the reviewers of a sheet say of labels, where they agree and where not."""
    by_id: dict[str, list[Row]] = {}
    for row in sheet.reviewed:
        if word_of(row):
            by_id.setdefault(row.id, []).append(row)
    agreed, confirmed, conflicts = [], [], []
    ambiguous = unnamed = 0
    for name, rows in by_id.items():
        words = {word_of(row) for row in rows}
        labels = {row.corrected_label for row in rows if word_of(row) == "wrong" and row.corrected_label}
        shown = rows[0].example.y_true
        if len(words) > 1 or len(labels) > 1:
            said = tuple((row.reviewer, _said(row), f"{row.file}:{row.line}") for row in rows)
            conflicts.append(Conflict(name, "label", said))
        elif words == {"ambiguous"}:
            ambiguous += 1
        elif words == {"ok"}:
            confirmed.append((name, shown))
        elif labels and labels != {shown}:
            agreed.append(_relabel(rows, labels.pop(), shown))
        else:
            unnamed += 1
    return Relabels(tuple(agreed), tuple(confirmed), tuple(conflicts), ambiguous, unnamed)


def _said(row: Row) -> str:
    return f"wrong, {row.corrected_label}" if word_of(row) == "wrong" and row.corrected_label else word_of(row)


def _relabel(rows: Sequence[Row], label: str, shown: str) -> Relabel:
    first = next(row for row in rows if row.corrected_label == label)
    by = ", ".join(dict.fromkeys(row.reviewer for row in rows if row.reviewer))
    return Relabel(first.id, label, shown, by, first.file, first.line)
