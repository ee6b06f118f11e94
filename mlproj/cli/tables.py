"""Tables for people: columns padded with spaces, which fit the terminal where its width is known."""

import os
import sys
from collections.abc import Sequence
from typing import Final

_GAP: Final = 2
_LONGEST: Final = 14
"""Characters that a cell of words keeps where the table would be wider than the terminal."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Columns under a header, padded with spaces.

    Args:
        header: Column titles.
        rows: Cells as text.
        right: Positions of the columns that are aligned to the right (numbers).

    Example:
        >>> print(table(("split", "n"), [("train", "6,500"), ("dev", "500")], right=(1,)))
        split      n
        train  6,500
        dev      500
    """
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def fitted(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    words: Sequence[int] = (),
    lesser: Sequence[int] = (),
    keep: int = 1,
) -> str:
    """A table no wider than the terminal: long words cut, lesser columns left out, then columns below the others.

    Figures are never cut. Where no width is known, in a pipe, the table is whole.

    Args:
        header: Column titles.
        rows: Cells as text.
        right: Positions of the columns that are aligned to the right (numbers).
        words: Positions of the columns whose long cells may be cut.
        lesser: Positions of the columns that may be left out, the first to go first.
        keep: Columns at the left that are repeated where others go below.
    """
    width, shown = terminal_width(), list(range(len(header)))
    if width is None:
        return table(header, rows, right=right)
    lines = [tuple(header), *(tuple(row) for row in rows)]
    if _width(lines, shown) > width:
        lines[1:] = [tuple(_cut(cell) if k in words else cell for k, cell in enumerate(line)) for line in lines[1:]]
    for column in lesser:
        if _width(lines, shown) > width:
            shown.remove(column)
    blocks = [shown[:keep]]
    for column in shown[keep:]:
        if len(blocks[-1]) > keep and _width(lines, [*blocks[-1], column]) > width:
            blocks.append(shown[:keep])
        blocks[-1] = [*blocks[-1], column]
    return "\n\n".join(_part(lines, block, right) for block in blocks)


def _part(lines: Sequence[Sequence[str]], block: Sequence[int], right: Sequence[int]) -> str:
    """Some of the columns as a table."""
    first, *others = [[line[column] for column in block] for line in lines]
    return table(first, others, right=[k for k, column in enumerate(block) if column in right])


def _width(lines: Sequence[Sequence[str]], block: Sequence[int]) -> int:
    return sum(max(len(line[column]) for line in lines) + _GAP for column in block) - _GAP


def _cut(cell: str) -> str:
    return cell if len(cell) <= _LONGEST else f"{cell[: _LONGEST - 1]}…"


def terminal_width() -> int | None:
    """Columns of the terminal that results are printed on: COLUMNS, or what the terminal says; None off it."""
    if (said := os.environ.get("COLUMNS", "")).isdecimal() and int(said) > 0:
        return int(said)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):  # a pipe, a file, or a stream without a descriptor
        return None
