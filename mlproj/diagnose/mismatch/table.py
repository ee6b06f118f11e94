"""What the examples of two sets are made of: features by name, and the numbers that a classifier sees. N examples.

Everything here is learned from both sets together and never from which example lies in which, so that a permutation
test on the result stays exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.intervals import Floats
from mlproj.records import Texts

MAX_CATEGORIES = 30
"""Categories of one feature that get a column of their own; the others share one."""
MISSING, OTHER = "(missing)", "(other)"


@dataclass(frozen=True)
class Feature:
    """One feature of N examples.

    Attributes:
        name: What it is called.
        values: Numbers as float64 with NaN where missing, or texts with "" where missing (N,).
        inputs: What a classifier sees in place of the values, such as the words of a text (N, W); None for the values.
        input_names: What these are called (W).
        is_date: Whether the numbers are days since 1970-01-01.
    """

    name: str
    values: NDArray[Any]
    inputs: Floats | None = None
    input_names: tuple[str, ...] = ()
    is_date: bool = False

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers; else they are categories."""
        return self.values.dtype.kind == "f"

    def select(self, rows: NDArray[Any]) -> "Feature":
        """The feature at `rows` (a mask or positions)."""
        inputs = None if self.inputs is None else self.inputs[rows]
        return replace(self, values=self.values[rows], inputs=inputs)

    def show(self, value: Any) -> str:
        """One value as text.

        Example:
            >>> Feature("age", np.array([1.0])).show(0.123456), Feature("day", np.array([1.0]), is_date=True).show(1.0)
            ('0.1235', '1970-01-02')
        """
        if not self.is_number:
            return str(value)
        if np.isnan(value):
            return ""
        return str(np.datetime64(int(np.floor(value)), "D")) if self.is_date else f"{float(value):.4g}"


Features = Sequence[Feature]


def join(a: Features, b: Features) -> list[Feature]:
    """The features that two sets share, of both together: first the examples of `a`, then those of `b`.

    A feature that is a number on one side and text on the other is text on both.

    Example:
        >>> one, two = Feature("age", np.array([1.0])), Feature("age", np.array([2.0, 3.0]))
        >>> join([one], [two])[0].values.tolist()
        [1.0, 2.0, 3.0]
    """
    other = {feature.name: feature for feature in b}
    return [_join(feature, other[feature.name]) for feature in a if feature.name in other]


def _join(a: Feature, b: Feature) -> Feature:
    left, right = (a.values, b.values) if a.is_number == b.is_number else (_as_text(a), _as_text(b))
    inputs = None
    if a.inputs is not None and b.inputs is not None and a.inputs.shape[1] == b.inputs.shape[1]:
        inputs = np.concatenate([a.inputs, b.inputs])
    return replace(a, values=np.concatenate([left, right]), inputs=inputs)


def _as_text(feature: Feature) -> NDArray[Any]:
    if not feature.is_number:
        return feature.values
    return np.array(["" if np.isnan(v) else f"{v:.12g}" for v in feature.values.astype(np.float64).tolist()])


@dataclass(frozen=True)
class Design:
    """The numbers that a classifier sees.

    Attributes:
        x: Standardised numbers, one-hot categories, marks of missing cells (N, D); always finite.
        blocks: Columns of each feature, by name.
    """

    x: Floats
    blocks: Mapping[str, slice]


def design(features: Features) -> Design:
    """Encodes features; one that never varies has no column.

    Args:
        features: Features of the same N examples.

    Example:
        >>> design([Feature("age", np.array([1.0, 3.0]))]).x.tolist()
        [[-1.0], [1.0]]
    """
    parts: list[Floats] = []
    blocks: dict[str, slice] = {}
    start = 0
    for feature in features:
        columns = _encode(feature)
        if not columns.shape[1]:
            continue
        blocks[feature.name] = slice(start, start + columns.shape[1])
        start += columns.shape[1]
        parts.append(columns)
    n = len(features[0].values) if features else 0
    return Design(np.hstack(parts) if parts else np.zeros((n, 0)), blocks)


def _encode(feature: Feature) -> Floats:
    if feature.inputs is not None:
        return _varying(np.column_stack([_standardise(column) for column in feature.inputs.T]))
    if feature.is_number:
        values = feature.values.astype(np.float64)
        gone = ~np.isfinite(values)
        known = values[~gone]
        filled = np.where(gone, known.mean() if len(known) else 0.0, values)
        return _varying(np.column_stack([_standardise(filled), _standardise(gone.astype(np.float64))]))
    return _varying(np.column_stack([_standardise((cut_rare(feature.values) == name).astype(np.float64))
                                     for name in np.unique(cut_rare(feature.values))]))  # fmt: skip


def _standardise(column: Floats) -> Floats:
    spread = float(column.std())
    # a column of one repeated value differs from its mean by rounding alone
    if not spread > 1e-12 * (1 + abs(float(column.mean()))):
        return np.zeros_like(column)
    return np.asarray((column - column.mean()) / spread, dtype=np.float64)


def _varying(columns: Floats) -> Floats:
    return np.asarray(columns[:, np.any(columns != 0, axis=0)], dtype=np.float64)


def cut_rare(values: NDArray[Any], most: int = MAX_CATEGORIES) -> Texts:
    """Categories (N,) with the missing named and all but the most frequent in one bucket.

    Example:
        >>> cut_rare(np.array(["a", "a", "b", ""]), most=2).tolist()
        ['a', 'a', '(other)', '(missing)']
    """
    texts = np.where(values.astype(np.str_) == "", MISSING, values.astype(np.str_))
    names, codes, counts = np.unique(texts, return_inverse=True, return_counts=True)
    if len(names) <= most:
        return np.asarray(texts, dtype=np.str_)
    kept = np.zeros(len(names), dtype=np.bool_)
    kept[np.argsort(-counts, kind="stable")[: most - 1]] = True
    kept[names == MISSING] = True
    return np.asarray(np.where(kept[codes], texts, OTHER), dtype=np.str_)
