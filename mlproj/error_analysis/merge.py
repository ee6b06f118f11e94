"""Several reviewers of one example become one opinion, and what they disagree on is listed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlproj.error_analysis.sheet import Example, Row, Sheet

LABEL = "label_ok"


@dataclass(frozen=True)
class Opinion:
    """What was said of one example.

    Attributes:
        example: The example.
        tags: 1 where the tag holds, 0 where it does not, ½ where as many say so as say otherwise.
        label_ok: ok, wrong, ambiguous, or "" where nothing was said or there is no majority.
        wrong: 1 where the label is wrong, 0 where it is not, ½ where as many say so as say otherwise.
        corrected: The corrected label; "" without one, or without a majority.
        n_reviewers: How many looked.
    """

    example: Example
    tags: Mapping[str, float]
    label_ok: str
    wrong: float
    corrected: str
    n_reviewers: int


@dataclass(frozen=True)
class Conflict:
    """Reviewers who say different things of one example.

    Attributes:
        id: The example.
        what: A tag, `label_ok` or `corrected_label`.
        said: What each one said, with the place where it stands.
    """

    id: str
    what: str
    said: tuple[tuple[str, str, str], ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id,
            "what": self.what,
            "said": [{"reviewer": who, "value": value, "at": place} for who, value, place in self.said],
        }


def merge(sheet: Sheet) -> tuple[list[Opinion], list[Conflict]]:
    """One opinion per example that somebody looked at: the majority's; in a tie a tag, or a wrong label, counts half.

    Of a label those speak who wrote something into `label_ok`; of a tag everybody who looked.

    Returns:
        Opinions in the order of the sheet, and every disagreement.
    """
    by_id: dict[str, list[Row]] = {}
    for row in sheet.reviewed:
        by_id.setdefault(row.id, []).append(row)
    conflicts: list[Conflict] = []
    opinions = []
    for rows in by_id.values():
        conflicts += _conflicts(rows, sheet.tags)
        tags = {tag: _vote(tag in row.tags for row in rows) for tag in sheet.tags}
        words = [word for row in rows if (word := word_of(row))]
        wrong = _vote(word == "wrong" for word in words) if words else 0.0
        corrected = _majority([row.corrected_label for row in rows if row.corrected_label])
        opinions.append(Opinion(rows[0].example, tags, _majority(words), wrong, corrected, len(rows)))
    return opinions, conflicts


def word_of(row: Row) -> str:
    """What a row says of the label: ok, wrong or ambiguous; a corrected label alone says wrong as well."""
    return row.label_ok or ("wrong" if row.corrected_label not in ("", row.example.y_true) else "")


def _vote(votes: Iterable[bool]) -> float:
    counted = Counter(votes)
    return 0.5 if counted[True] == counted[False] else float(counted[True] > counted[False])


def _majority(words: Sequence[str]) -> str:
    """The word that more than half say, or ""."""
    if not words:
        return ""
    word, count = Counter(words).most_common(1)[0]
    return word if 2 * count > len(words) else ""


def _conflicts(rows: Sequence[Row], tags: Sequence[str]) -> list[Conflict]:
    if len(rows) < 2:
        return []
    said: list[tuple[str, list[tuple[Row, str]]]] = [
        (tag, [(row, "1" if tag in row.tags else "0") for row in rows]) for tag in tags
    ]
    said += [(LABEL, [(row, word) for row in rows if (word := word_of(row))])]
    said += [("corrected_label", [(row, row.corrected_label) for row in rows if row.corrected_label])]
    return [
        Conflict(rows[0].id, what, tuple((row.reviewer, value, f"{row.file}:{row.line}") for row, value in values))
        for what, values in said
        if len({value for _, value in values}) > 1
    ]
