"""Raw rows as the numbers that a model takes. N examples, F inputs.

Everything here is learned from the train rows and stored with the run as JSON, so that a model takes the raw table:

* a number is standardised with mean and standard deviation of train (the method's x ← (x − μ)/σ);
* a category becomes one input per category seen at least twice in train, the 100 most frequent at most; the rest of
  train, and whatever is new later, falls into the bucket `(other)`;
* a text becomes one input per word, up to 1,000 of the words that two train texts share (see `bag`);
* a boolean becomes 0 or 1, a date standardised days and, where they vary, its place in year, week and day on a circle.

A missing cell becomes the mean of train, no category and no words, and sets an input of its own where train had missing
cells too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.bag import Bag
from mlproj.data.cells import find_texts, measure_spread, read_texts, to_mask, to_text
from mlproj.data.columns import Column, Type, read_values
from mlproj.data.late import pa, pc, pd
from mlproj.data.words import suggest
from mlproj.errors import InvalidInput, Problem

MAX_CATEGORIES = 100
"""Categories of one column that get an input of their own."""
MAX_STANDARD = 1e6
"""Largest distance from the mean of train, in standard deviations, that a model is shown; no train row reaches it."""
OTHER, MISSING = "(other)", "(missing)"
_VERSION, _READABLE = 2, (1, 2)  # 2: columns of text
_YEAR, _WEEK, _DAY = 365.2425, 7.0, 1.0
_CYCLES = {"year": _YEAR, "week": _WEEK, "day": _DAY}
Inputs = NDArray[np.float32]


@dataclass(frozen=True)
class ColumnEncoder:
    """How one raw column becomes inputs; plain data.

    Attributes:
        name: Raw column.
        type: number, category, boolean, date or text.
        format: `strptime` format of a date.
        mean: Mean of train (of days for a date).
        std: Standard deviation of train; 1 where it does not vary, and for a boolean.
        missing: Whether train had missing cells, which get an input.
        categories: Categories with an input of their own.
        other: Whether train had further ones, which get an input together.
        cycles: Parts of a date that vary in train: year, week, day, each with the mean of its sine and cosine.
        bag: Words of a text with an input of their own.
    """

    name: str
    type: Type
    format: str | None = None
    mean: float = 0.0
    std: float = 1.0
    missing: bool = False
    categories: tuple[str, ...] = ()
    other: bool = False
    cycles: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    bag: Bag | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of its inputs."""
        if self.type == "category":
            buckets = [OTHER] * self.other + [MISSING] * self.missing
            return tuple(f"{self.name}={category}" for category in (*self.categories, *buckets))
        missing = [f"{self.name}={MISSING}"] * self.missing
        if self.bag is not None:
            return (*(f"{self.name}: {word}" for word in self.bag.words), *missing)
        waves = [f"{self.name} {cycle} {wave}" for cycle in self.cycles for wave in ("sine", "cosine")]
        return (self.name, *waves, *missing)

    @property
    def column(self) -> Column:
        """The raw column as it is to be read."""
        return Column(self.name, self.type, 0, 0, False, self.format)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ColumnEncoder:
        """The column that `asdict` wrote."""
        bag = document.get("bag")
        read = {
            "categories": tuple(document["categories"]),
            "cycles": {name: tuple(means) for name, means in document["cycles"].items()},
            "bag": Bag.from_json(bag) if bag else None,
        }
        return cls(**{**document, **read})


@dataclass(frozen=True)
class Encoder:
    """How raw rows become inputs.

    Attributes:
        columns: The raw columns that it needs, in the order of the table.
    """

    columns: tuple[ColumnEncoder, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, columns: Sequence[Column]) -> Encoder:
        """Learns means, standard deviations, categories and words.

        Args:
            frame: Raw train rows and no others.
            columns: What the columns are; only features that are not ignored are encoded.

        Example:
            >>> frame = pd.DataFrame({"age": ["1", "3"]})
            >>> encoder = Encoder.fit(frame, [Column("age", "number", 0, 2, True)])
            >>> encoder.encode(pd.DataFrame({"age": [2, 5]})).tolist()
            [[0.0], [3.0]]
        """
        return cls(tuple(_fit(frame[column.name], column) for column in columns if column.is_input))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the F inputs."""
        return tuple(name for part in self.columns for name in part.inputs)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of inputs that each raw column became, in order."""
        return {part.name: len(part.inputs) for part in self.columns}

    def encode(self, frame: pd.DataFrame) -> Inputs:
        """The inputs of raw rows.

        Cells may be text, numbers, truths or dates, whatever train held; further columns are ignored.

        Args:
            frame: Raw rows.

        Returns:
            Inputs (N, F); always finite.

        Raises:
            InvalidInput: When columns are missing, or cells cannot be read as what the column was in training.
        """
        self.check(frame)
        x = np.zeros((len(frame), len(self.names)), dtype=np.float32)
        problems: list[Problem] = []
        start = 0
        for part in self.columns:
            stop = start + len(part.inputs)
            problems += encode_column(part, frame[part.name], x[:, start:stop])
            start = stop
        if problems:
            raise InvalidInput(problems)
        return x

    def to_json(self) -> dict[str, Any]:
        """The encoder as plain data."""
        return {"version": _VERSION, "columns": [asdict(part) for part in self.columns]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Encoder:
        """The encoder that `to_json` wrote.

        Raises:
            InvalidInput: When a later version of mlproj wrote it.
        """
        if document.get("version") not in _READABLE:
            found = document.get("version")
            raise InvalidInput([Problem("encoder", f"was written in version {found!r}; this mlproj reads {_VERSION}")])
        return cls(tuple(map(ColumnEncoder.from_json, document["columns"])))

    def find_unreadable(self, frame: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
        """Masks (N,) of the cells that are not what their column was in training, by column; only where there are some.

        Args:
            frame: Raw rows (N) with all columns.
        """
        columns = [part.column for part in self.columns if part.column.is_numeric]
        masks = {column.name: read_values(frame[column.name], column)[1] for column in columns}
        return {name: bad for name, bad in masks.items() if bad.any()}

    def check(self, frame: pd.DataFrame) -> None:
        """Makes sure that every column is there, once.

        Raises:
            InvalidInput: Naming each one that is not.
        """
        names = [str(name) for name in frame.columns]
        absent = [part.name for part in self.columns if part.name not in names]
        if absent:
            raise InvalidInput([Problem(f"column {name!r}", "is missing", suggest(name, names)) for name in absent])
        twice = sorted({part.name for part in self.columns if names.count(part.name) > 1})
        if twice:
            raise InvalidInput([Problem(f"column {name!r}", "occurs more than once") for name in twice])


def warn_encoder(encoder: Encoder, columns: Iterable[Column]) -> list[str]:
    """What a user should know about the inputs: categories without one of their own, texts that share no word."""
    unique = {column.name: column.unique for column in columns}
    strange = [part.name for part in encoder.columns if part.bag and not part.bag.words]
    return [
        f"No two train rows share a word in column {name!r}, so the model learns nothing from its words."
        for name in strange
    ] + [
        f"Column {part.name!r} has {unique[part.name]:,} categories: the {len(part.categories)} most frequent get an "
        f"input each, the others one together."
        for part in encoder.columns
        if len(part.categories) == MAX_CATEGORIES and part.other
    ]


def _fit(cells: pd.Series[Any], column: Column) -> ColumnEncoder:
    if column.type == "category":
        return _fit_category(cells, column)
    if column.type == "text":
        texts = read_texts(cells)
        return ColumnEncoder(column.name, "text", missing=texts.null_count > 0, bag=Bag.fit(texts))
    values, _ = read_values(cells, column)
    known = values[np.isfinite(values)]
    missing = len(known) < len(values)
    if column.type == "boolean":
        return ColumnEncoder(column.name, "boolean", mean=float(known.mean()) if len(known) else 0.0, missing=missing)
    mean, std = measure_spread(known)
    if column.type == "number":
        return ColumnEncoder(column.name, "number", mean=mean, std=std, missing=missing)
    cycles = {name: _mean_waves(known, period) for name, period in _CYCLES.items() if _varies(known, period)}
    return ColumnEncoder(column.name, "date", column.format, mean, std, missing, cycles=cycles)


def _fit_category(cells: pd.Series[Any], column: Column) -> ColumnEncoder:
    """The categories in train: those seen once teach nothing about themselves and go into the bucket of the others."""
    texts = read_texts(cells)
    counted = pc.value_counts(texts.drop_null()).to_pylist()
    ranked = sorted((-row["counts"], row["values"]) for row in counted)
    kept = [name for count, name in ranked[:MAX_CATEGORIES] if count < -1]
    return ColumnEncoder(
        column.name,
        "category",
        missing=texts.null_count > 0,
        categories=tuple(sorted(kept)),
        other=len(kept) < len(ranked),
    )


def _varies(days: NDArray[np.float64], period: float) -> bool:
    """Whether dates lie at different places of a cycle; a year counts only when they span more than a month."""
    if len(days) < 2:
        return False
    if period == _YEAR:
        return bool(np.ptp(days) > 31)
    places = np.floor(days) % _WEEK if period == _WEEK else days % _DAY
    return bool(np.ptp(places) > 1e-9)


def _waves(days: NDArray[np.float64], period: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    days = np.floor(days) if period == _WEEK else days
    angle = 2 * np.pi * (days % period) / period
    return np.sin(angle), np.cos(angle)


def _mean_waves(days: NDArray[np.float64], period: float) -> tuple[float, float]:
    sine, cosine = _waves(days, period)
    return float(sine.mean()), float(cosine.mean())


def encode_column(part: ColumnEncoder, cells: pd.Series[Any], x: NDArray[np.float32]) -> list[Problem]:
    """Fills the inputs `x` of one column; what cannot be read is returned as a problem."""
    if part.type == "category":
        _encode_category(part, read_texts(cells), x)
        return []
    if part.bag is not None:
        _encode_text(part, part.bag, read_texts(cells), x)
        return []
    values, bad = read_values(cells, part.column)
    if bad.any():
        row = int(bad.argmax())
        found = to_text(cells.iloc[row])
        count = f" ({int(bad.sum()):,} such rows)" if bad.sum() > 1 else ""
        return [Problem(f"column {part.name!r}", f"row {row + 1} holds {found!r}, which is {part.column.fault}{count}")]
    gone = ~np.isfinite(values)
    known = np.where(gone, part.mean, values)
    center = 0.0 if part.type == "boolean" else part.mean
    with np.errstate(over="ignore"):  # two numbers near the ends of float64 may differ by more than it holds
        x[:, 0] = np.clip((known - center) / part.std, -MAX_STANDARD, MAX_STANDARD)
    for i, (cycle, means) in enumerate(part.cycles.items()):
        for j, wave in enumerate(_waves(known, _CYCLES[cycle])):
            x[:, 1 + 2 * i + j] = np.where(gone, means[j], wave)
    if part.missing:
        x[:, -1] = gone
    return []


def _encode_category(part: ColumnEncoder, texts: pa.Array, x: NDArray[np.float32]) -> None:
    codes = find_texts(texts, part.categories)
    known = np.flatnonzero(codes >= 0)
    x[known, codes[known]] = 1.0
    gone = to_mask(pc.is_null(texts))
    if part.missing:
        x[gone, -1] = 1.0
    if part.other:
        x[(codes < 0) & ~gone, len(part.categories)] = 1.0


def _encode_text(part: ColumnEncoder, bag: Bag, texts: pa.Array, x: NDArray[np.float32]) -> None:
    if bag.words:
        weights = bag.weigh(texts).tocoo()
        x[weights.row, weights.col] = weights.data
    if part.missing:
        x[:, -1] = to_mask(pc.is_null(texts))
