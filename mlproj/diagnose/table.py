"""The general table: human, trained-on and held-out error, on the training and on the target distribution.

The ladder walks through three of its cells and dev. Read across, it says how much harder the target is, for people and
for the model; read down, it is a ladder on each distribution.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

from mlproj.diagnose.words import Numbers
from mlproj.records import Ladder, Rung

ROWS = {"human": "human", "trained_on": "trained on", "held_out": "held out"}
"""Rows with their titles."""
COLUMNS = ("training", "target")
_PLACES = {"train": ("trained_on", "training"), "train_dev": ("held_out", "training"), "dev": ("held_out", "target")}
_FEWEST = 4
"""Cells that must be known before the table says more than the ladder."""


def general_table(
    ladder: Ladder, *, human_on_target: Rung | None = None, trained_on_target: Rung | None = None
) -> dict[str, Any] | None:
    """The table as JSON knows it; None where there is one distribution, and so one column.

    Args:
        ladder: The ladder.
        human_on_target: Human level on the target distribution, where that of the ladder is another.
        trained_on_target: Error on examples of the target distribution that were trained on.

    Returns:
        ``{"rows": [{"row", "training": cell, "target": cell}], "missing": [{"row", "column", "how"}], "says_more"}``; a
        cell is ``{"error", "low", "high", "n", "method"}`` or null. `says_more` is whether it holds a cell that is no
        rung of the ladder.
    """
    if not any(gap.name in ("data_mismatch", "variance_or_data_mismatch") for gap in ladder.gaps):
        return None
    cells: dict[tuple[str, str], Rung] = {}
    for rung in ladder.rungs:
        if rung.error is None:
            continue
        if rung.name == "human":
            cells |= {("human", column): rung for column in COLUMNS if rung.distribution in (None, column)}
        elif rung.name in _PLACES:
            cells[_PLACES[rung.name]] = rung
    own = set(cells)
    if human_on_target is not None:
        cells["human", "target"] = human_on_target
    if trained_on_target is not None:
        cells["trained_on", "target"] = trained_on_target
    rows = [{"row": row, **{column: _cell(cells.get((row, column))) for column in COLUMNS}} for row in ROWS]
    missing = [
        {"row": row, "column": column, "how": _how(row, column)}
        for row in ROWS
        for column in COLUMNS
        if (row, column) not in cells
    ]
    says_more = len(cells) >= _FEWEST and bool(set(cells) - own or human_on_target is not None)
    return {"rows": rows, "missing": missing, "says_more": says_more}


def _how(row: str, column: str) -> str:
    """What would fill a cell."""
    if row == "human":
        return f"let people label some examples of the {column} distribution, and say so: on: {column}"
    if row == "held_out":
        return "hold examples out of the " + ("training distribution" if column == "training" else "target for dev")
    return "train on some examples of the target distribution: what is left of them after dev and test is trained on"


def _cell(rung: Rung | None) -> dict[str, Any] | None:
    if rung is None:
        return None
    return {"error": rung.error, "low": rung.low, "high": rung.high, "n": rung.n, "method": rung.method}


def table_rows(table: Mapping[str, Any], numbers: Numbers) -> list[list[str]]:
    """The table's cells as text, with a heading and the difference of each row."""
    unit = " %" if numbers.is_rate else ""
    rows = [[f"error{unit}" if numbers.is_rate else "loss", "training", "", "target", "", "target − training"]]
    for row in table["rows"]:
        cells = [row[column] for column in COLUMNS]
        shown = [part for cell in cells for part in _show(cell, numbers)]
        both = all(cell is not None for cell in cells)
        apart = numbers.bare(cells[1]["error"] - cells[0]["error"], sign=True) if both else ""
        rows.append([ROWS[row["row"]], *shown, apart])
    return rows


def _show(cell: Mapping[str, Any] | None, numbers: Numbers) -> tuple[str, str]:
    if cell is None:
        return "?", ""
    if cell["low"] == cell["high"] == cell["error"]:
        return numbers.bare(cell["error"]), "constant"
    return numbers.bare(cell["error"]), f"[{numbers.bare(cell['low'])}, {numbers.bare(cell['high'])}]"


def missing_lines(table: Mapping[str, Any], width: int) -> list[str]:
    """A line for each cell that is not there, with what would fill it."""
    lines = []
    for gap in table["missing"]:
        text = f"? {ROWS[gap['row']]}, {gap['column']}: {gap['how']}."
        lines.append(textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
        if gap.get("command"):
            lines.append(f"    {gap['command']}")
    return lines
