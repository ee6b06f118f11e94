"""What stands where in a sheet: its columns, and cells that no spreadsheet may run or spoil."""

import re
from collections.abc import Iterable

from mlproj.error_analysis.sheet import TAG

BEFORE = ("id", "y_true", "y_pred", "p_pred", "loss", "stratum", "weight")
"""Columns in front of the data's own."""
AFTER = ("note", "label_ok", "corrected_label")
"""Columns that reviewers fill in, before the tags."""
LAST = ("reviewer", "sheet")
RENAMED = "data:"
_RUN = ("=", "+", "-", "@", "\t", "\r")
"""Cells that begin so are formulas to a spreadsheet (CWE-1236)."""
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def column_names(originals: Iterable[str], tags: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """How the data's columns are called in the sheet, and all columns in order.

    Args:
        originals: The data's columns.
        tags: The tags.

    Example:
        >>> column_names(["age", "note"], ["dark"])[0]
        {'age': 'age', 'note': 'data:note'}
    """
    own = {*BEFORE, *AFTER, *LAST}
    plain = {name: name.strip() for name in originals}  # readers trim the header
    renamed = {
        name: f"{RENAMED}{short}" if short in own or short.lower().startswith((TAG, RENAMED)) else name
        for name, short in plain.items()
    }
    return renamed, [*BEFORE, *renamed.values(), *AFTER, *(f"{TAG}{tag}" for tag in tags), *LAST]


def guard(text: str) -> str:
    """A cell that no spreadsheet runs: what would be a formula begins with an apostrophe. Numbers stay numbers.

    Example:
        >>> guard("=1+1"), guard("-3.5"), guard("it's")
        ("'=1+1", '-3.5', "it's")
    """
    return f"'{text}" if text.startswith("'") or (text.startswith(_RUN) and not _NUMBER.fullmatch(text)) else text


def unguard(text: str) -> str:
    """What `guard` was given.

    Example:
        >>> unguard("'=1+1"), unguard("'tis")
        ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(("'", *_RUN)) else text
