"""Leak suspects: single features that nearly determine the label. N examples, K classes.

A feature that alone closes 95 % of the constant answer's error is more often a trace of the answer (a reason for
leaving, a result code, a row number in a sorted file) than a discovery. Each feature is judged on rows that its own
rule was not made from (two halves, each predicting the other), so that a column of ids, different in every row, is no
suspect; and a small table proves nothing, so the interval has to agree. In a text the single words are judged as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.bag import Bag
from mlproj.data.cells import read_texts
from mlproj.data.columns import Column, read_values
from mlproj.data.late import pa, pd
from mlproj.metrics.intervals import wilson

CLOSED = 0.95
"""Share of the constant answer's error that a suspect closes."""
AUC = 0.995
"""Area under the ROC curve from which a number is a suspect for a yes/no label."""
R2 = 0.995
"""Share of a quantity's variance from which a feature is a suspect."""
_MOST_ROWS = 20_000
_LEAST_ROWS, _LEAST_PER_CLASS = 50, 30
_BINS, _PER_BIN, _NEIGHBOURS = 64, 10, 8
_UNSURE = 0.1  # share of the constant answer's error that the upper limit of the suspect's error may reach
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Suspect:
    """A feature that nearly determines the label.

    Attributes:
        column: Its name.
        label: The label it determines.
        measure: What was measured: error, auc or r2.
        value: Its value by this feature alone.
        constant: Error of the constant answer (0.5 and 0 for auc and r2).
        word: The word that does it, in a column of text.
    """

    column: str
    label: str
    measure: str
    value: float
    constant: float
    word: str = ""


def find_suspects(
    frame: pd.DataFrame, columns: tuple[Column, ...], label: str, y: NDArray[np.float64], *, regression: bool
) -> list[Suspect]:
    """The features that nearly determine a label by themselves.

    Args:
        frame: Raw cells of the training rows (N rows).
        columns: What the columns are; only features are judged.
        label: Name of the label, for the answer.
        y: The label (N,): class numbers, or quantities; NaN where it is missing.
        regression: Whether it is a quantity.

    Example:
        >>> y = np.arange(200) % 2.0
        >>> frame = pd.DataFrame({"left": np.where(y == 1, "moved", ""), "age": np.arange(200) // 2 % 7})
        >>> columns = (Column("left", "category", 0, 2, True), Column("age", "number", 0, 7, True))
        >>> find_suspects(frame, columns, "cancelled", y, regression=False)
        [Suspect(column='left', label='cancelled', measure='error', value=0.0, constant=0.5, word='')]
    """
    rows = _sample(y)
    if len(rows) < _LEAST_ROWS or len(np.unique(y[rows])) < 2:
        return []
    half = np.random.default_rng(1).permutation(len(rows)) % 2 == 0  # not every other row: files have patterns
    found = []
    for column in columns:
        if not column.is_input or (column.unique < 2 and not column.missing):
            continue
        cells = frame[column.name].iloc[rows]
        word = ""
        if column.type in ("category", "text"):
            texts = read_texts(cells)
            codes = _codes(texts)
            suspect = _judge(codes, None, y[rows], half, regression=regression)
            if column.type == "text" and suspect is None and not regression:  # no yes/no explains a quantity
                word, suspect = _judge_words(texts, y[rows], half)
        else:
            values = read_values(cells, column)[0]
            suspect = _judge(_bin(values), values, y[rows], half, regression=regression)
        if suspect is not None:
            found.append(Suspect(column.name, label, *suspect, word))
    return found


def explain_alone(
    frame: pd.DataFrame, columns: tuple[Column, ...], y: NDArray[np.float64], *, regression: bool
) -> tuple[dict[str, float], int]:
    """How much of a label each feature explains by itself: share of its variance, cross-fitted as for `find_suspects`.

    For classes the variance is that of the yes/no of each class, summed (one minus the Brier score over that of the
    class shares). Each value is answered by the mean of the other half's rows with that value or in that bin of
    numbers, drawn towards the overall mean by one row's weight, so that a column of ids explains nothing.

    Args:
        frame: Raw cells of the training rows (N rows).
        columns: What the columns are; only features are judged, and texts only by their cells as a whole.
        y: The label (N,): class numbers, or quantities; NaN where it is missing.
        regression: Whether it is a quantity.

    Returns:
        Shares from 0 to 1 by column, none with too few rows, and the number of rows that were looked at.

    Example:
        >>> y = np.arange(200) % 2.0
        >>> frame = pd.DataFrame({"left": np.where(y == 1, "moved", ""), "age": np.arange(200) // 2 % 7})
        >>> columns = (Column("left", "category", 0, 2, True), Column("age", "number", 0, 7, True))
        >>> explain_alone(frame, columns, y, regression=False)[0]
        {'left': 0.99..., 'age': 0.0}
    """
    rows = _sample(y)
    if len(rows) < _LEAST_ROWS or len(np.unique(y[rows])) < 2:
        return {}, len(rows)
    half = np.random.default_rng(1).permutation(len(rows)) % 2 == 0
    truth = y[rows, None] if regression else np.eye(len(np.unique(y[rows])))[np.unique(y[rows], return_inverse=True)[1]]
    total = float(np.square(truth - truth.mean(axis=0)).sum())
    shares = {}
    for column in columns:
        if not column.is_input:
            continue
        cells = frame[column.name].iloc[rows]
        is_word = column.type in ("category", "text")
        codes = _codes(read_texts(cells)) if is_word else _bin(read_values(cells, column)[0])
        rest = 0.0
        for fit in (half, ~half):
            rest += float(np.square(truth[~fit] - _shrunk_means(codes, truth, fit)[~fit]).sum())
        shares[column.name] = max(0.0, 1 - rest / total)
    return shares, len(rows)


def _shrunk_means(codes: NDArray[np.int64], truth: Numbers, fit: Mask) -> Numbers:
    """Each row's mean of the truth (N, K) over the rows `fit` with the same code and one row of the overall mean."""
    n = np.bincount(codes[fit], minlength=int(codes.max()) + 1)
    total = np.column_stack([np.bincount(codes[fit], weights=each[fit], minlength=len(n)) for each in truth.T])
    return np.asarray(((total + truth[fit].mean(axis=0)) / (n + 1)[:, None])[codes], dtype=np.float64)


def _sample(y: Numbers) -> NDArray[np.int64]:
    """Positions of the rows with a label, of many a sample."""
    rows = np.flatnonzero(~np.isnan(y))
    return np.sort(np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False)) if len(rows) > _MOST_ROWS else rows


def _codes(texts: pa.Array) -> NDArray[np.int64]:
    """Different texts as numbers; missing is one of them."""
    return pd.factorize(pd.Series(texts.to_pylist(), dtype=object).fillna(""))[0].astype(np.int64)


def _judge_words(texts: pa.Array, y: Numbers, half: Mask) -> tuple[str, tuple[str, float, float] | None]:
    """The word whose presence says most about the class, and what it comes to where it is a suspect."""
    bag = Bag.fit(texts)
    if not bag.words:
        return "", None
    held = (bag.count(texts) > 0).astype(np.int64)
    classes = np.unique(y, return_inverse=True)[1]
    with_word = held.T @ np.eye(int(classes.max()) + 1, dtype=np.int64)[classes]  # words × classes
    right = with_word.max(axis=1) + (np.bincount(classes) - with_word).max(axis=1)
    best = int(right.argmax())
    codes = held[:, [best]].toarray()[:, 0]
    return bag.words[best], _judge(codes, None, y, half, regression=False)


def _judge(
    codes: NDArray[np.int64], values: Numbers | None, y: Numbers, half: Mask, *, regression: bool
) -> tuple[str, float, float] | None:
    """Measure, value and the constant answer's value where a feature is a suspect."""
    if regression:
        rules = [lambda fit: _by_code_mean(codes, y, fit)]
        if values is not None:
            rules += [lambda fit: _by_neighbours(values, y, fit), lambda fit: _by_line(values, y, fit)]
        r2 = max(_r2(y, _cross(half, rule)) for rule in rules)
        return ("r2", round(r2, 6), 0.0) if r2 >= R2 else None
    classes = np.unique(y, return_inverse=True)[1]
    counts = np.bincount(classes)
    constant = 1 - counts.max() / len(y)
    answers = _cross(half, lambda fit: _by_code_majority(codes, classes, fit))
    error = float((answers != classes).mean())
    if error <= (1 - CLOSED) * constant and wilson(error, len(y))[1] <= _UNSURE * constant:
        return "error", error, float(constant)
    if values is not None and len(counts) == 2 and counts.min() >= _LEAST_PER_CLASS:
        auc = _auc(values, classes)
        if auc >= AUC:
            return "auc", round(auc, 6), 0.5
    return None


def _bin(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers as bins: distinct values where they are few, else quantiles; missing is a bin of its own."""
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    n_bins = max(2, min(_BINS, len(values) // _PER_BIN))
    if len(distinct) > n_bins:
        edges = np.unique(np.quantile(distinct[np.isfinite(distinct)], np.arange(1, n_bins) / n_bins))
    else:
        edges = distinct[1:]
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right")).astype(np.int64)


def _cross(half: Mask, rule: Callable[[Mask], NDArray[Any]]) -> NDArray[Any]:
    """Answers (N,) for each half by a rule learned from the other one: `rule(fit)` learns from the rows `fit`."""
    return np.where(half, rule(~half), rule(half))


def _by_code_majority(codes: NDArray[np.int64], classes: NDArray[np.int64], fit: Mask) -> NDArray[np.int64]:
    """Each row's class by the majority among the rows `fit` with the same code."""
    n_classes = int(classes.max()) + 1
    majority = np.full(int(codes.max()) + 1, np.bincount(classes[fit], minlength=n_classes).argmax())
    pairs, counts = np.unique(codes[fit] * n_classes + classes[fit], return_counts=True)
    order = np.argsort(counts, kind="stable")  # the most frequent is written last
    majority[pairs[order] // n_classes] = pairs[order] % n_classes
    return majority[codes]


def _by_code_mean(codes: NDArray[np.int64], y: Numbers, fit: Mask) -> Numbers:
    """Each row's quantity by the mean of the rows `fit` with the same code."""
    n = np.bincount(codes[fit], minlength=int(codes.max()) + 1)
    total = np.bincount(codes[fit], weights=y[fit], minlength=len(n))
    return np.where(n > 0, total / np.maximum(n, 1), y[fit].mean())[codes]


def _by_neighbours(values: Numbers, y: Numbers, fit: Mask) -> Numbers:
    """Each row's quantity by the mean of the nearest rows of `fit`; missing counts as lowest."""
    filled = np.where(np.isnan(values), -np.inf, values)
    order = np.argsort(filled[fit], kind="stable")
    total = np.concatenate([[0.0], np.cumsum(y[fit][order])])
    middle = np.searchsorted(filled[fit][order], filled)
    low = np.clip(middle - _NEIGHBOURS // 2, 0, max(len(order) - _NEIGHBOURS, 0))
    high = np.minimum(low + _NEIGHBOURS, len(order))
    return (total[high] - total[low]) / (high - low)


def _by_line(values: Numbers, y: Numbers, fit: Mask) -> Numbers:
    """Each row's quantity by a straight line through the rows `fit`."""
    finite = np.isfinite(values)
    x, z = values[fit & finite], y[fit & finite]
    centre, spread = (x.mean(), x.var()) if len(x) else (0.0, 0.0)
    slope = ((x - centre) * (z - z.mean())).mean() / spread if spread > 0 else 0.0
    line = (z.mean() if len(z) else y[fit].mean()) + slope * (values - centre)
    return np.where(finite, line, y[fit].mean())


def _r2(y: NDArray[np.float64], answers: NDArray[np.float64]) -> float:
    total = float(np.square(y - y.mean()).sum())
    return 1 - float(np.square(y - answers).sum()) / total if total > 0 else 0.0


def _auc(values: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    """Area under the ROC curve of a number, in the direction that fits (Mann & Whitney's U, ties counted half)."""
    ranks = pd.Series(values).rank(na_option="top").to_numpy()
    n_positive = int(classes.sum())
    u = ranks[classes == 1].sum() - n_positive * (n_positive + 1) / 2
    auc = float(u / (n_positive * (len(classes) - n_positive)))
    return max(auc, 1 - auc)
