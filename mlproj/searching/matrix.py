"""What every trial answered on every dev example, so that later questions need no retraining. T trials, N examples.

While a search runs each trial leaves one small file; at the end they become `dev_predictions.npz`, which plain NumPy
reads: `number`, `run_id` and `pruned` (whether it was ended early) (T,), `id` (N,), `weight` and `group` (N,) where
there are any, and for each label `y_true` (N,), `y_pred` (T, N), `classes` (K,) and `p`; with several labels their
names follow, as in `y_true:car`. Answers are positions in `classes`, -1 where the truth is missing; in a regression
they are values, NaN where it is missing. `p` is the probability of the second of two classes (T, N) or of each of K
(T, N, K); beyond 50 million it is left out::

    matrix = load_matrix(Path("dev_predictions.npz"))
    matrix.answers(41).y_pred
"""

import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.records import Answers, Predictions
from mlproj.records.whole import whole_file

MOST_PROBABILITIES = 50_000_000
"""Probabilities that a matrix holds at most; beyond that it keeps the answers alone."""
_EXAMPLES = "examples.npz"
_STAMP = "stamp"


@dataclass(frozen=True)
class Matrix:
    """The answers of the trials of a search on dev.

    Attributes:
        arrays: The arrays of the file by name; they stay compact until a trial is asked for.
    """

    arrays: Mapping[str, NDArray[Any]]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the trials, ascending."""
        return tuple(self.arrays["number"].tolist())

    @property
    def run_ids(self) -> dict[int, str]:
        """Runs of the trials by number."""
        return dict(zip(self.numbers, self.arrays["run_id"].tolist(), strict=True))

    @property
    def pruned(self) -> frozenset[int]:
        """Numbers of the trials that were ended early: these are the answers of half-trained models."""
        marks = self.arrays.get("pruned")  # files of older versions have none
        return frozenset() if marks is None else frozenset(self.arrays["number"][marks].tolist())

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels; a single label is called ""."""
        return tuple(name.partition(":")[2] for name in self.arrays if name.split(":")[0] == "y_true")

    def __contains__(self, number: object) -> bool:
        return number in self.numbers

    def answers(self, number: int, label: str = "") -> Answers:
        """The answers of one trial.

        Args:
            number: Its number.
            label: Name of the label.

        Raises:
            KeyError: When the matrix has no such trial or label.
        """
        if number not in self:
            raise KeyError(f"the matrix has no answers of trial {number}")
        row = self.numbers.index(number)
        classes = tuple(self.arrays[_name("classes", label)].tolist())
        kind = np.int64 if classes else np.float64
        truth, answers = self.arrays[_name("y_true", label)], self.arrays[_name("y_pred", label)][row]
        stack = self.arrays.get(_name("p", label))
        p = None if stack is None else stack[row].astype(np.float64)
        if p is not None and p.ndim == 1:
            p = np.stack([1 - p, p], axis=-1)
        return Answers(truth.astype(kind), answers.astype(kind), classes, p)

    def predictions(self, number: int) -> Predictions:
        """The predictions of one trial on dev.

        Args:
            number: Its number.

        Raises:
            KeyError: When the matrix has no such trial.
        """
        ids, labels = self.arrays["id"], {label: self.answers(number, label) for label in self.labels}
        split = np.full(len(ids), "dev")
        return Predictions(ids, split, labels, self.arrays.get("weight"), self.arrays.get("group"))


def write_row(folder: Path, number: int, part: Predictions) -> None:
    """Keeps what one trial answered; the file is whole or not there, whenever the program dies.

    Args:
        folder: Where the rows of this search lie; it is made when missing.
        number: Number of the trial; a row that it already has is replaced.
        part: Its predictions on dev.

    Raises:
        ValueError: When other trials of this search were examined on other examples.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shared = _shared_arrays(part)
    stamp = 0
    for array in shared.values():
        stamp = zlib.crc32(array.tobytes(), stamp)
    if not (folder / _EXAMPLES).exists():
        _write(folder / _EXAMPLES, shared | {_STAMP: np.array(stamp)})
    with np.load(folder / _EXAMPLES) as kept:
        if int(kept[_STAMP]) != stamp:
            raise ValueError(f"the answers in {folder} are to other dev examples than those of trial {number}")
    _write(folder / _file_of(number), _own_arrays(part))


def read_rows(folder: Path, run_ids: Mapping[int, str], *, pruned: Collection[int] = ()) -> Matrix:
    """Puts together what trials left.

    Args:
        folder: Where the rows of the search lie.
        run_ids: Run of each trial by number; trials whose row is missing or damaged, and rows of other trials, are left
            out.
        pruned: Numbers of those that were ended early.

    Raises:
        KeyError: When none of the trials left a row.
    """
    numbers = [number for number in sorted(run_ids) if _is_whole(folder / _file_of(number))]
    if not numbers or not _is_whole(folder / _EXAMPLES):
        raise KeyError(f"none of the trials left its answers in {folder}")
    arrays = {"number": np.array(numbers), "run_id": np.array([run_ids[number] for number in numbers])}
    arrays["pruned"] = np.array([number in pruned for number in numbers], dtype=np.bool_)
    with np.load(folder / _EXAMPLES) as kept:
        arrays |= {name: kept[name] for name in kept.files if name != _STAMP}
    stacks = _allocate(folder / _file_of(numbers[0]), len(numbers))
    for place, number in enumerate(numbers):
        with np.load(folder / _file_of(number)) as row:
            for name, stack in stacks.items():
                stack[place] = row[name]
    return Matrix(arrays | stacks)


def write_matrix(path: Path, folder: Path, run_ids: Mapping[int, str], *, pruned: Collection[int] = ()) -> Matrix:
    """Writes the rows of a search as one file.

    Args:
        path: Where to write, `dev_predictions.npz`.
        folder: Where the rows lie.
        run_ids: Run of each trial by number.
        pruned: Numbers of those that were ended early.

    Returns:
        What was written.

    Raises:
        KeyError: When none of the trials left a row.
    """
    matrix = read_rows(folder, run_ids, pruned=pruned)
    _write(path, matrix.arrays)
    return matrix


def load_matrix(path: Path) -> Matrix:
    """Reads `dev_predictions.npz`.

    Args:
        path: The file.
    """
    with np.load(path) as kept:
        return Matrix({name: kept[name] for name in kept.files})


def _is_whole(path: Path) -> bool:
    """Whether a file is there and was written to its end."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def _file_of(number: int) -> str:
    return f"trial-{number:06d}.npz"


def _name(role: str, label: str) -> str:
    return f"{role}:{label}" if label else role


def _shared_arrays(part: Predictions) -> dict[str, NDArray[Any]]:
    """What is the same for all trials: ids, weights, groups, truth and classes."""
    columns = {"id": part.ids, "weight": part.weight, "group": part.group}
    arrays: dict[str, NDArray[Any]] = {name: column for name, column in columns.items() if column is not None}
    for label, answers in part.labels.items():
        arrays[_name("y_true", label)] = _compact(answers.y_true, answers.classes)
        arrays[_name("classes", label)] = np.array(answers.classes, dtype=np.str_)
    return arrays


def _own_arrays(part: Predictions) -> dict[str, NDArray[Any]]:
    """What one trial answered."""
    arrays = {}
    for label, answers in part.labels.items():
        arrays[_name("y_pred", label)] = _compact(answers.y_pred, answers.classes)
        if answers.p is not None:
            # of two classes only one is kept, and in four bytes 1 − 1e-9 would be 1: a log loss of 21 would become 36
            is_binary = answers.p.shape[1] == 2
            arrays[_name("p", label)] = answers.p[:, 1] if is_binary else answers.p.astype(np.float32)
    return arrays


def _compact(values: NDArray[Any], classes: tuple[str, ...]) -> NDArray[Any]:
    """Positions in the classes in two bytes where they fit, else in four; other numbers as they are."""
    if not classes:
        return values.astype(np.float64, copy=False)
    return values.astype(np.int16 if len(classes) < 2**15 else np.int32)


def _allocate(file: Path, n_trials: int) -> dict[str, NDArray[Any]]:
    """Empty arrays for all trials, shaped like one of them; without probabilities where those would be too many."""
    with np.load(file) as row:
        examples = {name: row[name] for name in row.files}
    n_probabilities = sum(values.size for name, values in examples.items() if name.split(":")[0] == "p")
    keep = n_trials * n_probabilities <= MOST_PROBABILITIES
    return {
        name: np.empty((n_trials, *values.shape), values.dtype)
        for name, values in examples.items()
        if keep or name.split(":")[0] != "p"
    }


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with whole_file(path) as place, place.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
