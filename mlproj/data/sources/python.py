"""`python:package.module:function`: a function of the user's own returns the table; the only source that runs code."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlproj.data.sources.base import AbstractSource, Reading, count_rows, refuse
from mlproj.errors import InvalidInput
from mlproj.spec.code import describe, load_object, on_path

PREFIX = "python:"
LABEL = "y"
_RETURNS = "Return a DataFrame, (X, y), or a data set with __len__ and __getitem__."


class PythonSource(AbstractSource):
    """What a function returns: a DataFrame, `(X, y)`, or a map-style data set of `(features, label)` pairs."""

    forms = "`python:package.module:function`"

    def claims(self, path: str) -> bool:
        """Whether the path begins with `python:`."""
        return path.startswith(PREFIX)

    def read(self, path: str, root: Path) -> Reading:
        """Calls the function, with the project's folder on the import path."""
        found = load_object(path.removeprefix(PREFIX), root, where=path)
        if not callable(found):
            raise refuse(path, f"is a {type(found).__name__}, no function", _RETURNS)
        _check_signature(path, found)
        with on_path(root):
            try:
                made = found()
                frame, label = _to_frame(path, made)
            except InvalidInput:
                raise
            except Exception as error:  # noqa: BLE001 (whatever the user's function raises)
                raise refuse(path, f"fails: {describe(error, root)}", "Call it in Python to see more.") from None
        if len(frame) == 0 or frame.shape[1] == 0:
            raise refuse(path, "returned no rows" if frame.shape[1] else "returned no columns")
        twice = [str(name) for name in frame.columns[frame.columns.duplicated()]]
        if twice:
            raise refuse(path, f"returned the column {twice[0]!r} more than once")
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)
        return Reading(frame, count_rows(len(frame)), label)


def _check_signature(path: str, function: Any) -> None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return  # some compiled functions have none to look at
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if needed:
        raise refuse(path, f"needs arguments: {', '.join(needed)}", "It is called without any: give them defaults.")


def _to_frame(path: str, made: Any) -> tuple[pd.DataFrame, str | None]:
    if isinstance(made, pd.DataFrame):
        return made, None
    if isinstance(made, tuple) and len(made) == 2:
        return _join(path, made[0], made[1])
    is_plain = isinstance(made, str | bytes | Mapping | Sequence) or hasattr(made, "dtype")
    if hasattr(made, "__len__") and hasattr(made, "__getitem__") and not is_plain:
        return _from_pairs(path, made)
    raise refuse(path, f"returned a {type(made).__name__}", _RETURNS)


def _join(path: str, x: Any, y: Any) -> tuple[pd.DataFrame, str | None]:
    """(X, y) as one table; a label without a name of its own is called `y`."""
    frame = x.copy() if isinstance(x, pd.DataFrame) else _matrix(path, x)
    name = getattr(y, "name", None)
    label = str(name) if name is not None and not isinstance(y, np.ndarray) else LABEL
    values = _plain(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise refuse(path, f"returned a y of the shape {values.shape}", "One label per example is needed.")
    if len(values) != len(frame):
        raise refuse(path, f"returned {len(frame):,} rows of X and {len(values):,} of y", "They belong together.")
    if label in frame.columns:
        raise refuse(path, f"returned an X that has the label's column {label!r}", "Leave it out of X.")
    frame[label] = values
    return frame, label


def _matrix(path: str, x: Any) -> pd.DataFrame:
    values = _plain(x)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise refuse(path, f"returned an X of the shape {values.shape}", "One row of numbers per example is needed.")
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])


def _plain(values: Any) -> Any:
    """A tensor, series or list as a NumPy array."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values)


def _from_pairs(path: str, made: Any) -> tuple[pd.DataFrame, str | None]:
    """A map-style data set: `(features, label)` pairs, the features an array or a mapping; or mappings alone."""
    items = [made[i] for i in range(len(made))]
    if not items:
        raise refuse(path, "returned no rows")
    if isinstance(items[0], Mapping):
        return pd.DataFrame.from_records([{str(k): _scalar(v) for k, v in item.items()} for item in items]), None
    if not isinstance(items[0], tuple | list) or len(items[0]) != 2:
        raise refuse(path, f"holds a {type(items[0]).__name__} per example", "Each needs to be (features, label).")
    features, labels = zip(*items, strict=True)
    if isinstance(features[0], Mapping):
        x: Any = pd.DataFrame.from_records([{str(k): _scalar(v) for k, v in item.items()} for item in features])
    else:
        rows = [_plain(item).reshape(-1) for item in features]
        if len({len(row) for row in rows}) > 1:
            raise refuse(path, "holds examples of different sizes", "Each needs as many numbers as the first.")
        x = np.stack(rows)
    return _join(path, x, np.array([_scalar(label) for label in labels]))


def _scalar(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) != 0 and np.ndim(value) == 0 else value
