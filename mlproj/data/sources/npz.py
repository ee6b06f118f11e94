"""NPZ files: named NumPy arrays. One-dimensional ones are columns, a matrix X becomes columns X0, X1 and so on."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlproj.data.sources.base import AbstractSource, Reading, count_rows, find_file, refuse

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
            found = {name: values} if values.ndim == 1 else {f"{name}{i}": values[:, i] for i in range(values.shape[1])}
            twice = set(found) & set(columns)
            if twice:
                raise refuse(path, f"makes the column {min(twice)!r} twice", "Rename one of its arrays.")
            columns |= found
        frame = pd.DataFrame({name: _cells(values) for name, values in columns.items()})
        return Reading(frame, count_rows(len(frame)), LABEL if LABEL in columns else None)


def _cells(values: NDArray[Any]) -> Any:
    return pd.Series(values.tolist(), dtype="str") if values.dtype.kind in "US" else values


def _load(path: str, file: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            if not hasattr(archive, "files"):
                raise refuse(path, "is a single array, not an archive", "Save it with np.savez(FILE, X=X, y=y).")
            arrays = {name: archive[name] for name in archive.files}
    except ValueError as error:
        if "allow_pickle" in str(error) or "pickled" in str(error):
            hint = "Save texts as arrays of str: np.array(values, dtype=str)."
            raise refuse(path, "holds Python objects, which are never unpickled", hint) from None
        raise refuse(path, f"is no readable NPZ file ({error})") from None
    except (OSError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise refuse(
            path, f"is no readable NPZ file ({str(error).splitlines()[0][:100] or type(error).__name__})"
        ) from None
    if not arrays:
        raise refuse(path, "holds no array")
    for name, values in arrays.items():
        if values.ndim not in (1, 2):
            hint = "Arrays of one entry, or one row, per example become columns; flatten others first."
            raise refuse(path, f"array {name!r} has the shape {values.shape}", hint)
        if values.dtype.kind not in "biufUSM":
            raise refuse(path, f"array {name!r} holds {values.dtype}", "Numbers, truths, texts and dates are read.")
    return {
        name: np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values for name, values in arrays.items()
    }
