"""NPZ files: named NumPy arrays. One-dimensional ones are columns, a matrix X becomes columns x0, X1 and so on."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data.late import pd
from mlproj.data.sources.base import AbstractSource, Reading, count_rows, find_file, open_file, refuse

LABEL = "y"


class NpzSource(AbstractSource):
    """An archive of arrays with one entry per example; an array `y` is the label unless another is named."""

    forms = "`.npz` files"
    suffixes = (".npz",)

    def read(self, path: str, root: Path) -> Reading:
        """The arrays as columns; nothing is unpickled."""
        arrays = _load(path, find_file(path, root))
        sizes = {name: len(values) for name, values in arrays.items()}
        if len(set(sizes.values())) > 1:
            shown = ", ".join(f"{name} {n:,}" for name, n in list(sizes.items())[:6])
            raise refuse(path, f"holds arrays of different lengths: {shown}", "Each needs one entry per example.")
        if not next(iter(sizes.values())):
            raise refuse(path, "has no rows")
        columns: dict[str, NDArray[Any]] = {}
        for name, values in arrays.items():
            stem = "x" if name == "X" else name  # as a function that returns (X, y) has them
            found = {name: values} if values.ndim == 1 else {f"{stem}{i}": values[:, i] for i in range(values.shape[1])}
            twice = set(found) & set(columns)
            if twice:
                raise refuse(path, f"makes the column {min(twice)!r} twice", "Rename one of its arrays.")
            columns |= found
        frame = pd.DataFrame({name: _cells(values) for name, values in columns.items()})
        return Reading(frame, count_rows(len(frame)), LABEL if LABEL in columns else None)


def _cells(values: NDArray[Any]) -> Any:
    return pd.Series(values.tolist(), dtype="str") if values.dtype.kind in "US" else values


def _load(path: str, file: Path) -> dict[str, NDArray[Any]]:
    arrays = {name: _standard(path, name, values) for name, values in _read_arrays(path, file).items()}
    if not arrays:
        raise refuse(path, "holds no array")
    if LABEL in arrays and arrays[LABEL].ndim == 2 and arrays[LABEL].shape[1] == 1:
        arrays[LABEL] = arrays[LABEL][:, 0]
    return arrays


def _read_arrays(path: str, file: Path) -> dict[str, NDArray[Any]]:
    with open_file(path, file) as stream:
        if stream.read(6) == b"\x93NUMPY":
            raise refuse(path, "is a single array, not an archive", "Save it with np.savez(FILE, X=X, y=y).")
        if not zipfile.is_zipfile(stream):
            raise refuse(path, "is no NPZ file, or not all of it", "Write it with np.savez(FILE, X=X, y=y).")
        stream.seek(0)
        try:
            with np.load(stream, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (ValueError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            if "allow_pickle" in str(error):
                hint = "Save texts as arrays of str: np.array(values, dtype=str)."
                raise refuse(path, "holds Python objects, which are never unpickled", hint) from None
            said = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
            raise refuse(path, f"is no readable NPZ file ({said})", "Copy or write it again.") from None


def _standard(path: str, name: str, values: Any) -> NDArray[Any]:
    """An array of a type that pandas works with."""
    if not isinstance(values, np.ndarray):
        raise refuse(path, f"holds {name!r}, which is no array", "Write it with np.savez(FILE, X=X, y=y).")
    if values.ndim not in (1, 2) or 0 in values.shape[1:]:
        hint = "Arrays of one entry, or one row, per example become columns; flatten others first."
        raise refuse(path, f"array {name!r} has the shape {values.shape}", hint)
    if values.dtype.kind not in "biufUSM":
        raise refuse(path, f"array {name!r} holds {values.dtype}", "Numbers, truths, texts and dates are read.")
    if values.dtype.kind == "S":
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            raise refuse(path, f"array {name!r} holds bytes that are no UTF-8", "Save texts as str.") from None
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        return values.astype(np.float32 if values.dtype.itemsize == 2 else np.float64)
    return values.astype(values.dtype.newbyteorder("="), copy=False)
