"""Columns that look like the labels of several people: as features they would tell the model what it is to find out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mlproj.data.cells import read_texts
from mlproj.data.columns import Column
from mlproj.data.late import pc, pd
from mlproj.records.columns import canonical

_WHO = "annotator|rater|labell?er|coder|reviewer|reader|grader|judge|expert|radiologist|pathologist"


def find_annotators(frame: pd.DataFrame, columns: Sequence[Column], label: str) -> tuple[str, ...]:
    """Features that hold nothing but values of the label and are called like it, or like people, with a number.

    Args:
        frame: Raw cells of the rows that may be seen, with the label.
        columns: What the columns are.
        label: The label column.

    Example:
        >>> frame = pd.DataFrame({"rater_1": ["cat", "dog"], "pet": ["dog", "cat"], "kind": ["cat", "dog"]})
        >>> make = lambda name: Column(name, "category", 0, 2, True)
        >>> find_annotators(frame, [make("rater_1"), make("pet")], "kind")
        ('rater_1',)
    """
    called = re.compile(rf"({_WHO}|{re.escape(label)})[ _.-]?(\d+|[a-z]|by[ _.-]\w+)", re.IGNORECASE)
    named = [
        column
        for column in columns
        if column.role == "feature" and column.unique and column.name != label and called.fullmatch(column.name)
    ]
    if not named:
        return ()
    values = _values(frame[label])
    return tuple(column.name for column in named if _values(frame[column.name]) <= values)


def _values(cells: pd.Series[Any]) -> set[str]:
    return {canonical(text) for text in pc.unique(read_texts(cells).drop_null()).to_pylist()}
