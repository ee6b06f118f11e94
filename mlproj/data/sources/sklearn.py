"""The data sets that scikit-learn ships, read from its folder: importing it would take longer than training on them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlproj.data.late import pd
from mlproj.data.sources.base import AbstractSource, Reading, count_rows, refuse
from mlproj.data.words import suggest

PREFIX = "sklearn:"
LABEL = "target"
_MEASURES = ("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points",
             "symmetry", "fractal dimension")  # fmt: skip


@dataclass(frozen=True)
class _Bundled:
    """One data set: its file, the names of its features and of its classes (none for numbers)."""

    file: str
    features: tuple[str, ...]
    classes: tuple[str, ...] = ()
    target_file: str | None = None
    header: bool = True


BUNDLED = {
    "breast_cancer": _Bundled(
        "breast_cancer.csv",
        (*(f"mean {name}" for name in _MEASURES), *(f"{name} error" for name in _MEASURES),
         *(f"worst {name}" for name in _MEASURES)),
        ("malignant", "benign"),
    ),
    "diabetes": _Bundled(
        "diabetes_data_raw.csv.gz",
        ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
        target_file="diabetes_target.csv.gz",
        header=False,
    ),
    "digits": _Bundled(
        "digits.csv.gz",
        tuple(f"pixel_{row}_{column}" for row, column in product(range(8), repeat=2)),
        tuple(map(str, range(10))),
        header=False,
    ),
    "iris": _Bundled(
        "iris.csv",
        ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
        ("setosa", "versicolor", "virginica"),
    ),
    "wine": _Bundled(
        "wine_data.csv",
        ("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
         "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines",
         "proline"),
        ("class_0", "class_1", "class_2"),
    ),
}  # fmt: skip


class SklearnSource(AbstractSource):
    """`sklearn:NAME`: the data sets that come with scikit-learn; they bring a label column called `target`."""

    forms = "`sklearn:NAME`"

    def claims(self, path: str) -> bool:
        """Whether the path begins with `sklearn:`."""
        return path.startswith(PREFIX)

    def read(self, path: str, root: Path) -> Reading:  # noqa: ARG002 (these files lie in scikit-learn's own folder)
        """Features as numbers, classes as text, with the names that scikit-learn gives them."""
        bundled, (file, *others) = _find(path), find_bundled(path)
        values = _read_numbers(file, skip=1 if bundled.header else 0)
        for other in others:
            values = np.column_stack([values, _read_numbers(other)])
        frame = pd.DataFrame(values[:, :-1], columns=list(bundled.features))
        frame[LABEL] = _name_classes(values[:, -1], bundled.classes) if bundled.classes else values[:, -1]
        return Reading(frame, count_rows(len(frame)), LABEL)


def _name_classes(codes: NDArray[np.float64], classes: tuple[str, ...]) -> pd.Series[str]:
    return pd.Series(np.array(classes)[codes.astype(np.int64)], dtype="str")


def find_bundled(path: str) -> list[Path]:
    """The files of a bundled data set, that of the features first; scikit-learn is found, not imported.

    Args:
        path: `sklearn:NAME`.

    Raises:
        InvalidInput: When there is no such data set, or the installed scikit-learn does not hold it.
    """
    bundled, spec = _find(path), find_spec("sklearn")
    folders = [Path(folder) / "datasets" / "data" for folder in (spec.submodule_search_locations or [] if spec else [])]
    names = [bundled.file, *([bundled.target_file] if bundled.target_file else [])]
    files = [next((folder / name for folder in folders if (folder / name).exists()), None) for name in names]
    if None in files:
        message = f"the installed scikit-learn holds no file {names[files.index(None)]}"
        raise refuse(path, message, "Install scikit-learn 1.8 or later.")
    return [file for file in files if file]


def _find(path: str) -> _Bundled:
    name = path.removeprefix(PREFIX)
    if name not in BUNDLED:
        hint = suggest(name, list(BUNDLED))
        raise refuse(path, f"{name!r} is no data set that scikit-learn ships for one label", hint)
    return BUNDLED[name]


def _read_numbers(file: Path, skip: int = 0) -> NDArray[np.float64]:
    delimiter = " " if file.name.startswith("diabetes") else ","
    return pd.read_csv(file, sep=delimiter, header=None, skiprows=skip, dtype=np.float64).to_numpy()
