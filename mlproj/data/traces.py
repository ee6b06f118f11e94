"""Traces of the answer in a table: every sign by which a column may know the label before the model does. N rows.

A column that determines the label alone is what `mlproj check` warns of as well (`leaks.find_suspects`). The other
signs are weaker and only worth a look: a column whose missing cells tell the label, that follows the order of rows
which are sorted by the label, a date by which the label can be told, a column that bears the label's name, an id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.cells import is_missing, read_texts
from mlproj.data.columns import Column, read_values
from mlproj.data.late import pd
from mlproj.data.leaks import explain_alone, find_suspects
from mlproj.records import LeakSuspect

TELLS = 0.25
"""Share of the label's variance from which a sign is worth a look."""
_FOLLOWS = 0.95
"""Rank correlation with the row number from which a column follows the order of the rows."""
_LEAST_ROWS = 50
_LEAST_CELLS = 10
_UNIQUE = 0.95
_LONGEST_SHARED = 4
_PLAIN = {"yes", "no", "true", "false", "none", "other"}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
Numbers = NDArray[np.float64]


def find_traces(
    frame: pd.DataFrame,
    columns: tuple[Column, ...],
    label: str,
    y: Numbers,
    *,
    classes: tuple[str, ...] = (),
    alone: Mapping[str, float] | None = None,
) -> list[LeakSuspect]:
    """Columns that may hold a trace of a label.

    Args:
        frame: Raw cells of the training rows in the order of the source (N rows).
        columns: What the columns are; only features are judged.
        label: Name of the label.
        y: The label (N,): class numbers, or quantities; NaN where it is missing.
        classes: Names of the classes; none for a quantity.
        alone: What each column explains by itself, where that is known already.

    Example:
        >>> y = np.repeat([0.0, 1.0], 100)
        >>> frame = pd.DataFrame({"row": np.arange(200), "reason": np.where(y == 1, "moved", None)})
        >>> columns = (Column("row", "number", 0, 200, True), Column("reason", "category", 100, 1, True))
        >>> for each in find_traces(frame, columns, "left", y, classes=("no", "yes")):
        ...     print(each.column, each.kind, each.strong)
        row determines True
        reason determines True
        reason missing False
        row order False
        row id False
    """
    known = ~np.isnan(y)
    frame, y = frame[known], y[known]
    regression = not classes
    if alone is None:
        alone, _ = explain_alone(frame, columns, y, regression=regression)
    found = list(_determining(frame, columns, label, y, regression=regression))
    if len(y) < _LEAST_ROWS or np.ptp(y) == 0:
        return found
    features = [column for column in columns if column.is_input]
    found += _missing(frame, features, label, y, classes)
    found += _ordered(frame, features, label, y, regression=regression)
    found += _dated(features, label, alone, len(y))
    found += _named(features, label, classes, alone, len(y))
    found += _ids(frame, features)
    return found


def _determining(
    frame: pd.DataFrame, columns: tuple[Column, ...], label: str, y: Numbers, *, regression: bool
) -> Iterator[LeakSuspect]:
    for found in find_suspects(frame, columns, label, y, regression=regression):
        figure, how = {
            "error": (f"an error of {_percent(found.value)} where the constant answer has {_percent(found.constant)}",
                      "error of the majority by value or bin"),
            "auc": (f"an area under the ROC curve of {found.value:.4f}", "area under the ROC curve"),
            "r2": (f"an R² of {found.value:.4f}", "R² of means, neighbours or a line"),
        }[found.measure]  # fmt: skip
        what = f"its word {found.word!r}" if found.word else "it"
        evidence = f"{what} alone predicts {label!r} with {figure} on train"
        split = "" if found.measure == "auc" else ", cross-fitted in two halves of train"
        yield LeakSuspect(found.column, "determines", evidence, found.value, len(y), how + split, strong=True)


def _missing(
    frame: pd.DataFrame, columns: list[Column], label: str, y: Numbers, classes: tuple[str, ...]
) -> Iterator[LeakSuspect]:
    """Columns by whose missing cells the label can be told."""
    for column in columns:
        gone = is_missing(frame[column.name])
        if min(int(gone.sum()), int((~gone).sum())) < _LEAST_CELLS:
            continue
        share = _explained(gone.astype(np.int64), y, regression=not classes)
        if share < TELLS:
            continue
        if classes:
            most = [
                int(np.bincount(y[side].astype(np.int64), minlength=len(classes)).argmax()) for side in (gone, ~gone)
            ]
            shares = [float((y[side] == k).mean()) for side, k in zip((gone, ~gone), most, strict=True)]
            said = [f"{_percent(s)} {classes[k]!r}" for s, k in zip(shares, most, strict=True)]
        else:
            said = [f"{label} is {y[side].mean():.4g} on average" for side in (gone, ~gone)]
        evidence = f"where it is missing: {said[0]}; where it is filled: {said[1]} ({int(gone.sum()):,} cells missing)"
        method = "share of the label's variance between missing and filled cells of train"
        yield LeakSuspect(column.name, "missing", evidence, share, len(y), method)


def _ordered(
    frame: pd.DataFrame, columns: list[Column], label: str, y: Numbers, *, regression: bool
) -> Iterator[LeakSuspect]:
    """Numbers and dates that follow the order of the rows, where the rows are sorted by the label."""
    place = np.arange(len(y), dtype=np.float64)
    row = Column("row", "number", 0, len(y), True)
    told = explain_alone(pd.DataFrame({"row": place}), (row,), y, regression=regression)[0].get("row", 0.0)
    if told < TELLS:
        return
    for column in (column for column in columns if column.is_numeric):
        values = pd.Series(read_values(frame[column.name], column)[0])
        if values.nunique() < _LEAST_CELLS or abs(values.rank().corr(pd.Series(place))) < _FOLLOWS:
            continue
        evidence = (
            f"it follows the order of the rows, and these are sorted by {label!r} "
            f"(the row number explains {_percent(told)} of it)"
        )
        method = "share of the label's variance explained by the row number, cross-fitted in two halves of train"
        yield LeakSuspect(column.name, "order", evidence, told, len(y), method)


def _dated(columns: list[Column], label: str, alone: Mapping[str, float], n: int) -> Iterator[LeakSuspect]:
    for column in columns:
        share = alone.get(column.name, 0.0)
        if column.type == "date" and share >= TELLS:
            evidence = (
                f"the time alone explains {_percent(share)} of {label!r}: splits dealt at random share each period"
            )
            yield LeakSuspect(column.name, "time", evidence, share, n, _ALONE, key="data.time")


def _named(
    columns: list[Column], label: str, classes: tuple[str, ...], alone: Mapping[str, float], n: int
) -> Iterator[LeakSuspect]:
    names = [name for name in (label, *classes) if len(name) >= _LONGEST_SHARED and name.lower() not in _PLAIN]
    for column in columns:
        share = alone.get(column.name, 0.0)
        shared = next((name for name in names if _words(name) <= _words(column.name)), None)
        if shared is not None and share >= TELLS:
            evidence = f"it bears the name {shared!r} and alone explains {_percent(share)} of {label!r}"
            yield LeakSuspect(column.name, "name", evidence, share, n, _ALONE)


def _ids(frame: pd.DataFrame, columns: list[Column]) -> Iterator[LeakSuspect]:
    """Columns that have another value in nearly every row: whole numbers or short texts."""
    for column in columns:
        if column.type not in ("number", "category"):
            continue
        cells = frame[column.name]
        if column.type == "number":
            values: NDArray[Any] = read_values(cells, column)[0]
            values = values[np.isfinite(values)]
            if np.any(values != np.floor(values)):
                continue
        else:
            values = np.array(read_texts(cells).drop_null().to_pylist(), dtype=object)
        different = len(pd.unique(values))
        if len(values) >= max(_LEAST_ROWS, _UNIQUE * len(cells)) and different >= _UNIQUE * len(values):
            evidence = (
                f"{different:,} different values in {len(values):,} rows: it names examples rather than describes them"
            )
            yield LeakSuspect(column.name, "id", evidence, different / len(values), len(values), "counted on train")


_ALONE = "share of the label's variance explained by this column alone, cross-fitted in two halves of train"


def _words(name: str) -> set[str]:
    """The words of a name.

    Example:
        >>> sorted(_words("hasLeft_reason2"))
        ['2', 'has', 'left', 'reason']
    """
    return {word.lower() for word in _WORDS.findall(name)}


def _explained(codes: NDArray[np.int64], y: Numbers, *, regression: bool) -> float:
    """Share of the label's variance between groups of rows; for classes that of their yes/no, summed."""
    truth = y[:, None] if regression else np.eye(int(y.max()) + 1)[y.astype(np.int64)]
    centred = truth - truth.mean(axis=0)
    means = np.column_stack([np.bincount(codes, weights=each) for each in centred.T]) / np.bincount(codes)[:, None]
    total = float(np.square(centred).sum())
    return float(np.square(means[codes]).sum()) / total if total > 0 else 0.0


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
