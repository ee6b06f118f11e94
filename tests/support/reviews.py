"""Sheets by hand: a number of errors with tags and words on their labels, without a file."""

from collections.abc import Iterable, Mapping
from typing import Literal

from mlproj.error_analysis import Example, Manifest, Row, Sheet, Stratum

Word = Literal["ok", "wrong", "ambiguous", ""]


def make_sheet(
    rows: Iterable[Row],
    *,
    n: int = 1000,
    error: float = 0.1,
    tags: tuple[str, ...] = (),
    strata: Mapping[str, int] | None = None,
    design: Literal["errors", "suspects", "labels"] = "errors",
    half: Literal["eyeball", "all"] = "all",
    metric: str = "error",
) -> Sheet:
    """A sheet; `strata` holds populations, by default ten times what was drawn."""
    rows = tuple(rows)
    drawn = {name: len({row.id for row in rows if row.example.stratum == name}) for name in ("error", "correct")}
    drawn |= {
        row.example.stratum: len({r.id for r in rows if r.example.stratum == row.example.stratum}) for row in rows
    }
    population = strata or {name: 10 * count for name, count in drawn.items()}
    manifest = Manifest(
        "sheet-x", "r", "first", "dev", design, half, "classification" if metric == "error" else "regression", "",
        ("no", "yes") if metric == "error" else (), n, error,
        {name: Stratum(count, drawn.get(name, 0)) for name, count in population.items()},
        {row.id: row.example for row in rows}, tags, metric,
    )  # fmt: skip
    return Sheet(manifest, rows, tags)


def row(
    name: object,
    *tags: str,
    label: Word = "",
    corrected: str = "",
    who: str = "",
    stratum: str = "error",
    loss: float = 1.0,
    weight: float = 1.0,
) -> Row:
    """A row that somebody looked at."""
    example = Example(str(name), "no", "no" if stratum == "correct" else "yes", loss, stratum, weight)
    return Row(example, 1.0, "", label, corrected, frozenset(tags), who, True, f"{who or 'sheet'}.csv", 2)


def tagged(n: int, counts: Mapping[str, int]) -> list[Row]:
    """n errors, of which the first few have each tag."""
    return [row(i, *(tag for tag, count in counts.items() if i < count)) for i in range(n)]
