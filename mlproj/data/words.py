"""Wording that messages share: some of many names, the name that was meant, the place of a row."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import islice

Place = Callable[[int], str]
"""Names the row at a position: `app.csv row 17`."""


def some_of(items: Iterable[object], most: int = 5, rest: str = ", …") -> str:
    """The first few of many things.

    Args:
        items: What to list.
        most: How many are shown.
        rest: What stands for the others.

    Example:
        >>> some_of(["a", "b", "c"], 2), some_of(["a", "b"], 2)
        ('a, b, …', 'a, b')
    """
    texts = [str(item) for item in islice(items, most + 1)]
    return ", ".join(texts[:most]) + (rest if len(texts) > most else "")


def suggest(name: str, known: Iterable[object]) -> str:
    """*Did you mean*, or the list of what there is.

    Example:
        >>> suggest("colr", ["colour", "age"])
        'Did you mean `colour`?'
        >>> suggest("x", ["colour", "age"])
        'There are: colour, age.'
    """
    names = [str(entry) for entry in known]
    lowered = {entry.lower(): entry for entry in reversed(names)}
    close = get_close_matches(name.lower(), list(lowered), n=1)
    if close:
        return f"Did you mean `{lowered[close[0]]}`?"
    return f"There are: {some_of(names, 12, f', … ({len(names)} in all)')}." if names else ""


def row_place(position: int) -> str:
    """The usual name of a row in messages."""
    return f"row {position + 1}"
