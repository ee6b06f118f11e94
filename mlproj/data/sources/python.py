"""`python:package.module:function`: a function of the user's own returns the table; the only source that runs code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mlproj.data.late import pa, pd
from mlproj.data.sources.arrow import to_pandas
from mlproj.data.sources.base import AbstractSource, Reading, count_rows, refuse
from mlproj.errors import InvalidInput
from mlproj.spec.code import describe, load_object, on_path

PREFIX = "python:"
LABEL = "y"
Made = TypeVar("Made")
_RETURNS = "Return a DataFrame, (X, y), or a data set with __len__ and __getitem__."


class PythonSource(AbstractSource):
    """What a function returns: a DataFrame, `(X, y)`, or a map-style data set of `(features, label)` pairs."""

    forms = "`python:package.module:function`"

    def claims(self, path: str) -> bool:
        """Whether the path begins with `python:`."""
        return path.startswith(PREFIX)

    def read(self, path: str, root: Path) -> Reading:
        """Calls the function, with the project's folder on the import path."""
        frame, label = _call(path, root, lambda made: _to_frame(path, made))
        if len(frame) == 0 or frame.shape[1] == 0:
            raise refuse(path, "returned no columns" if frame.shape[1] == 0 else "returned no rows", _RETURNS)
        if any(name is not None for name in frame.index.names):  # an index with a name is a column, as in Parquet
            frame = frame.reset_index(names=[str(name) for name in frame.index.names])
        names = [str(name) for name in frame.columns]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise refuse(path, f"returned the column {twice[0]!r} more than once", "Give every column its own name.")
        columns = {name: _standard(path, frame.iloc[:, i].reset_index(drop=True)) for i, name in enumerate(names)}
        return Reading(pd.DataFrame(columns), count_rows(len(frame)), label)


def _standard(path: str, column: pd.Series[Any]) -> pd.Series[Any]:
    """A column as text or a standard pandas type: no categories, nothing sparse, no Arrow types."""
    dtype = column.dtype
    if pd.api.types.is_complex_dtype(dtype):
        raise refuse(path, f"returned complex numbers in column {str(column.name)!r}", "Return real ones.")
    if pd.api.types.is_object_dtype(dtype) and any(
        np.ndim(cell) and not isinstance(cell, list | tuple) for cell in column
    ):
        hint = "Give each of its numbers a column of its own."
        raise refuse(path, f"returned an array in each cell of column {str(column.name)!r}", hint)
    if dtype in (np.float16, np.longdouble):
        return column.astype(np.float32 if dtype == np.float16 else np.float64)
    if isinstance(dtype, pd.SparseDtype):
        return pd.Series(np.asarray(column), name=column.name)
    odd = (pd.CategoricalDtype, pd.PeriodDtype, pd.IntervalDtype, pd.ArrowDtype)
    if not isinstance(dtype, odd) and dtype.kind != "m":
        return column
    array = pa.array(column.array, from_pandas=True)
    chunks = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    return to_pandas(pa.table({"": chunks}))[""]


def open_examples(path: str, root: Path) -> Any | None:
    """The map-style data set that a `python:` function returns; None where it returns a table or `(X, y)`.

    Args:
        path: As written in project.yaml.
        root: The project's folder.

    Raises:
        InvalidInput: When the function cannot be called.
    """
    return _call(path, root, lambda made: made if _is_map_style(made) else None)


def _call(path: str, root: Path, use: Callable[[Any], Made]) -> Made:
    """What is made of what the function returns, with the project's folder on the import path."""
    found = load_object(path.removeprefix(PREFIX), root, where=path)
    if not callable(found):
        raise refuse(path, f"is {_a(found)}, no function", _RETURNS)
    _check_signature(path, found)
    with on_path(root):
        try:
            return use(found())
        except InvalidInput:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever the user's function raises)
            raise refuse(path, f"fails: {describe(error, root)}", "Call it in Python to see more.") from None


def _check_signature(path: str, function: Any) -> None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return  # some compiled functions have none to look at
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if needed:
        raise refuse(path, f"needs arguments: {', '.join(needed)}", "It is called without any: give them defaults.")


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _to_frame(path: str, made: Any) -> tuple[pd.DataFrame, str | None]:
    if isinstance(made, pd.DataFrame):
        return made, None
    if isinstance(made, tuple) and len(made) == 2:
        return _join(path, made[0], made[1])
    if _is_map_style(made):
        return _from_pairs(path, made)
    raise refuse(path, f"returned {_a(made)}", _RETURNS)


def _is_map_style(made: Any) -> bool:
    is_plain = isinstance(made, str | bytes | Mapping | Sequence | pd.DataFrame) or hasattr(made, "dtype")
    return hasattr(made, "__len__") and hasattr(made, "__getitem__") and not is_plain


def _join(path: str, x: Any, y: Any) -> tuple[pd.DataFrame, str | None]:
    """(X, y) as one table; a label without a name of its own is called `y`."""
    frame = x.reset_index(drop=True) if isinstance(x, pd.DataFrame) else _matrix(path, x)
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    label = LABEL
    if isinstance(y, pd.Series):
        label, values = str(LABEL if y.name is None else y.name), y.reset_index(drop=True)
    else:
        values = _plain(path, "y", y)
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise refuse(path, f"returned a y of the shape {values.shape}", "One label per example is needed.")
    if len(values) != len(frame):
        raise refuse(path, f"returned {len(frame):,} rows of X and {len(values):,} of y", "They belong together.")
    if label in map(str, frame.columns):
        raise refuse(path, f"returned an X that has the label's column {label!r}", "Leave it out of X.")
    return frame.assign(**{label: values}), label


def _matrix(path: str, x: Any) -> pd.DataFrame:
    if isinstance(x, Mapping):
        return pd.DataFrame(dict(x))
    values = _plain(path, "X", x)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2:
        raise refuse(path, f"returned an X of the shape {values.shape}", "One row of numbers per example is needed.")
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])


def _plain(path: str, what: str, values: Any) -> Any:
    """A tensor, series or list as a NumPy array of a type that pandas works with."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        array = np.asarray(values)
    except ValueError:
        raise refuse(path, f"returned rows of {what} that are not equally long", "Each needs as many.") from None
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _from_pairs(path: str, made: Any) -> tuple[pd.DataFrame, str | None]:
    """A map-style data set: `(features, label)` pairs, the features an array or a mapping; or mappings alone."""
    items = [made[i] for i in range(len(made))]
    if not items:
        raise refuse(path, "returned no rows")
    if isinstance(items[0], Mapping):
        return pd.DataFrame.from_records([{str(k): _scalar(v) for k, v in item.items()} for item in items]), None
    if not isinstance(items[0], tuple | list) or len(items[0]) != 2:
        raise refuse(path, f"holds {_a(items[0])} per example", "Each needs to be (features, label).")
    features, labels = zip(*items, strict=True)
    if isinstance(features[0], Mapping):
        x: Any = pd.DataFrame.from_records([{str(k): _scalar(v) for k, v in item.items()} for item in features])
    else:
        rows = [_plain(path, "X", item).reshape(-1) for item in features]
        if len({len(row) for row in rows}) > 1:
            raise refuse(path, "holds examples of different sizes", "Each needs as many numbers as the first.")
        x = np.stack(rows)
    return _join(path, x, [_scalar(label) for label in labels])


def _scalar(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) != 0 and np.ndim(value) == 0 else value
