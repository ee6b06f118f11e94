"""Cells as values: one column of raw cells, in whatever form it arrives, read as text, numbers, truths or days.

A raw table holds text (from CSV), typed columns (from Parquet) or a mixture of Python objects (from a user's own
frame). Everything that asks what a cell means asks here, so that `7`, `"7"` and `7.0` mean the same at training time
and later. N examples; each reader returns its N values and a mask (N,) of the cells that are present but unreadable.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.data.late import pa, pc, pd
from mlproj.records import Texts

Bad = NDArray[np.bool_]
Kind = Literal["text", "number", "boolean", "date", "object"]

MISSING_TEXTS = (
    "", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null",
)  # fmt: skip
"""Texts that stand for a missing cell in every column, besides an empty one."""
MISSING_VALUES = (*MISSING_TEXTS, "None", "?", "-1.#IND", "1.#IND", "-1.#QNAN", "1.#QNAN")
"""Texts that stand for a missing number, truth or date; as categories `None` and `?` are words like any other."""
TRUE_TEXTS = ("1", "true", "yes", "t", "y")
FALSE_TEXTS = ("0", "false", "no", "f", "n")
CODE = r"^\s*[+-]?0[0-9]"
"""A cell that is a code rather than a number, such as 007."""
_NUMBER = r"^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf|infinity))$"
_WHOLE = r"^([+-]?(?:0|[1-9][0-9]*))\.0+$"
MICROSECONDS_PER_DAY = 86_400e6


def kind_of(column: pd.Series[Any]) -> Kind:
    """What a raw column is made of, by its dtype alone.

    Example:
        >>> kind_of(pd.Series([1.5, 2.0]))
        'number'
    """
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    return "text" if isinstance(dtype, pd.StringDtype) else "object"


def read_texts(column: pd.Series[Any]) -> pa.Array:
    """Cells as an Arrow array of N texts, trimmed, whole numbers without a decimal point; null where missing.

    Example:
        >>> read_texts(pd.Series([3.0, None, 2.5])).to_pylist()
        ['3', None, '2.5']
    """
    raw = _raw_texts(column)
    if kind_of(column) in ("text", "object"):
        raw = _without_point(pc.utf8_trim_whitespace(raw))
    return _blank(raw, MISSING_TEXTS)


def read_numbers(column: pd.Series[Any]) -> tuple[NDArray[np.float64], Bad]:
    """Cells as float64, NaN where missing, infinities as they stand, and the mask of cells that are no numbers.

    Example:
        >>> values, bad = read_numbers(pd.Series(["1e-5", " 7 ", "NA", "seven"]))
        >>> values.tolist(), bad.tolist()
        ([1e-05, 7.0, nan, nan], [False, False, False, True])
    """
    n = len(column)
    kind = kind_of(column)
    if kind in ("number", "boolean"):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(n, dtype=np.bool_)
    if kind == "date":
        return np.full(n, np.nan), column.notna().to_numpy()
    raw = _raw_texts(column)
    try:
        return _floats(raw), np.zeros(n, dtype=np.bool_)
    except pa.ArrowInvalid:
        texts = _blank(pc.utf8_trim_whitespace(raw), MISSING_VALUES)
    good = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), False)
    bad = pc.and_(pc.is_valid(texts), pc.invert(good))
    return _floats(pc.if_else(good, texts, pa.scalar(None, texts.type))), to_mask(bad)


def read_truths(column: pd.Series[Any]) -> tuple[NDArray[np.float64], Bad]:
    """Cells as 1 (1, true, yes, t, y in any case) or 0 (0, false, no, f, n), NaN where missing, and the mask of others.

    Example:
        >>> read_truths(pd.Series(["Yes", "no", None]))[0].tolist()
        [1.0, 0.0, nan]
    """
    if kind_of(column) == "boolean":
        return read_numbers(column)
    texts = _blank(read_texts(column), MISSING_VALUES)
    lower = pc.utf8_lower(texts)
    true = to_mask(pc.is_in(lower, value_set=pa.array(TRUE_TEXTS, lower.type)))
    false = to_mask(pc.is_in(lower, value_set=pa.array(FALSE_TEXTS, lower.type)))
    values = np.where(true, 1.0, np.where(false, 0.0, np.nan))
    return values, to_mask(pc.is_valid(texts)) & ~true & ~false


def read_days(column: pd.Series[Any], date_format: str | None = None) -> tuple[NDArray[np.float64], Bad]:
    """Cells as days since 1970-01-01 in UTC, with the time of day as a fraction; NaN where missing.

    Args:
        column: Raw cells (N,).
        date_format: `strptime` format; ISO 8601 without one.

    Raises:
        ValueError: When `date_format` is no format.

    Example:
        >>> read_days(pd.Series(["1970-01-02", "1970-01-01T12:00"]))[0].tolist()
        [1.0, 0.5]
    """
    if kind_of(column) == "object" and (is_moment := column.map(lambda cell: isinstance(cell, date))).any():
        days, bad = read_days(column.mask(is_moment, None), date_format)  # a moment needs no format
        texts = column[is_moment].map(lambda moment: moment.isoformat() if moment is not pd.NaT else "").astype("str")
        days[is_moment], bad[is_moment] = read_days(texts)
        return days, bad
    if kind_of(column) == "date":
        moments = pd.to_datetime(column, utc=True)
        present = column.notna().to_numpy()
    else:
        texts = _blank(read_texts(column), MISSING_VALUES)
        present = to_mask(pc.is_valid(texts))
        moments = pd.to_datetime(texts.to_pandas(), format=date_format or "ISO8601", errors="coerce", utc=True)
    read = moments.notna().to_numpy()
    microseconds = moments.astype("datetime64[us, UTC]").astype("int64").to_numpy()
    return np.where(read, microseconds / MICROSECONDS_PER_DAY, np.nan), present & ~read


def to_text(value: object) -> str | None:
    """One cell as text: None where missing, whole numbers without a decimal point.

    Example:
        >>> to_text(3.0), to_text(True), to_text(None)
        ('3', 'True', None)
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return None
        whole = np.isfinite(value) and float(value).is_integer() and abs(float(value)) < 2**53
        return str(int(value)) if whole else str(value)
    return value.isoformat() if isinstance(value, pd.Timestamp) else str(value)


def measure_spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of finite values, with 1 for a deviation that is nothing but rounding.

    The bound on rounding, 10 ε |mean|, keeps a column of one repeated value from being blown up, as in scikit-learn's
    StandardScaler. Values whose squares would leave float64 are scaled first.

    Example:
        >>> measure_spread(np.array([1.0, 3.0])), measure_spread(np.array([0.1, 0.1, 0.1]))[1]
        ((2.0, 1.0), 1.0)
    """
    if not len(values):
        return 0.0, 1.0
    largest = float(np.abs(values).max())
    scale = 1.0 if largest == 0 or 1e-150 < largest < 1e150 else largest
    scaled = values / scale
    mean, std = float(scaled.mean()), float(scaled.std())
    varies = std > 10 * np.finfo(np.float64).eps * abs(mean) and std * scale > 0  # the product may be too small to hold
    return mean * scale, std * scale if varies else 1.0


def count_distinct(values: NDArray[np.float64]) -> int:
    """How many different numbers there are; sorting many finds out several times faster than hashing them.

    Example:
        >>> count_distinct(np.array([0.0, -0.0, np.inf, 2.0, 2.0]))
        3
    """
    ordered = np.sort(values)
    return len(ordered) and 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def are_distinct(texts: Texts) -> bool:
    """Whether no two texts (N,) can be equal, by a number made of each; False is no proof of the contrary.

    Example:
        >>> are_distinct(np.array(["a", "b"])), are_distinct(np.array(["a", "b", "a"]))
        (True, False)
    """
    if not len(texts):
        return True
    letters = np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), -1)
    number = np.zeros(len(texts), np.uint64)
    for at in range(letters.shape[1]):  # the polynomial of FNV-1a's prime; it wraps around
        number = number * np.uint64(0x100000001B3) + letters[:, at]
    number.sort()
    return not (number[1:] == number[:-1]).any()


def is_missing(column: pd.Series[Any]) -> Bad:
    """Mask (N,) of the cells that are missing, empty or one of the texts that stand for it."""
    if kind_of(column) in ("number", "boolean", "date"):
        return column.isna().to_numpy()
    return to_mask(pc.is_null(read_texts(column)))


def to_mask(values: pa.Array) -> Bad:
    """Arrow truths without missing ones as a NumPy mask (N,)."""
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)


def to_strings(column: pd.Series[Any]) -> pd.Series[Any]:
    """A raw column as text cells, missing where they are missing."""
    return pd.Series(read_texts(column).to_pandas(), dtype="str").set_axis(column.index)


def find_texts(texts: pa.Array, known: Sequence[str]) -> NDArray[np.int64]:
    """Position of each text (N,) among the known ones, −1 where it is none of them.

    Example:
        >>> find_texts(pa.array(["b", None, "x"]), ["a", "b"]).tolist()
        [1, -1, -1]
    """
    found = pc.index_in(texts, value_set=pa.array(known, texts.type))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)


def _raw_texts(column: pd.Series[Any]) -> pa.Array:
    """Cells as large Arrow strings, as they stand; null where missing."""
    match kind_of(column):
        case "text":
            cells = pa.array(column, type=pa.large_string(), from_pandas=True)
        case "boolean":
            cells = pa.array(["False", "True"], pa.large_string()).take(
                pa.array(column.astype("boolean").astype("Int8"), from_pandas=True)
            )
        case "number":
            cells = _without_point(pc.cast(pa.array(column, from_pandas=True), pa.large_string()))
        case "date":
            moments = pa.array(pd.to_datetime(column, utc=True).dt.tz_localize(None), from_pandas=True)
            cells = pc.cast(pc.strftime(moments, "%Y-%m-%dT%H:%M:%S"), pa.large_string())
            cells = pc.replace_substring_regex(cells, r"\.0+$|(\.\d*[1-9])0+$", r"\1")
        case "object":
            cells = pa.array([to_text(value) for value in column.to_numpy(dtype=object)], pa.large_string())
    return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells


def _without_point(texts: pa.Array) -> pa.Array:
    if not pc.any(pc.ends_with(texts, ".0")).as_py():
        return texts
    return pc.replace_substring_regex(texts, _WHOLE, r"\1")


def _blank(texts: pa.Array, missing: tuple[str, ...]) -> pa.Array:
    found = pc.is_in(texts, value_set=pa.array(missing, texts.type))
    return pc.if_else(found, pa.scalar(None, texts.type), texts) if pc.any(found).as_py() else texts


def _floats(texts: pa.Array) -> NDArray[np.float64]:
    return np.asarray(pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
