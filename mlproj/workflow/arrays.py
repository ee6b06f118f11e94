"""The data of a project for a loop of one's own: `project.data("train")`, and the test set stays sealed. N examples."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InvalidInput, Problem, SealedSplit
from mlproj.records import SEEN_SPLITS, SplitName
from mlproj.workflow.runs import load

if TYPE_CHECKING:
    import pandas as pd

    from mlproj.data import Column, Dataset, Part
    from mlproj.spec.project import Project

_OTHER_NAMES = {"training": "train", "val": "dev", "valid": "dev", "validation": "dev", "eval": "dev"}


def load_split(project: "Project | str | Path" = ".", split: str = "train", *, encoded: bool = False) -> Any:
    """The examples of a split: a table with the ids as index, or the arrays that a model sees.

    The splits are those that `mlproj train` uses: dealt and kept if this is the first time.

    Args:
        project: Project, project.yaml or folder.
        split: train, train_dev or dev.
        encoded: Whether to return arrays instead of the table.

    Returns:
        A DataFrame (N rows), its index the ids: the features as the project reads them (numbers, booleans, dates, and
        texts as they stand), then the label columns. Where the source is a data set of the user's own, a `Subset` of
        it with the attribute `ids`. Encoded: `(x, y)` with float32 inputs (N, F), fitted on train,
        and labels (N,): positions in the order of the classes, or values; for several labels (N, L), NaN where one is
        missing.

    Raises:
        SealedSplit: For test.
        InvalidInput: For any other name, or when spec or data are wrong.
    """
    wanted = _check_name(split)
    project = load(project)
    dataset = open_dataset(project)
    if wanted not in dataset.parts:
        message = f"{project.name} has no {wanted}"
        raise InvalidInput([Problem("split", message, f"It has {' and '.join(dataset.parts)}; test is sealed.")])
    part = dataset.parts[wanted]
    if encoded:
        return _encoded(dataset, part)
    examples = _examples(project, dataset, part)
    return _table(dataset, part) if examples is None else examples


def open_dataset(project: "Project", *, save: bool = True) -> "Dataset":
    """The data of a project with the splits that training uses.

    Args:
        project: The project.
        save: Whether a deal that is new is stored.
    """
    from mlproj.data import load_dataset
    from mlproj.track import store_for

    return load_dataset(project, store=store_for(project).splits, save=save)


def _check_name(split: str) -> SplitName:
    """The split that may be seen, before any data are read or dealt."""
    if split == "test":
        raise SealedSplit(
            "The test set is sealed. Choose models on project.data('dev'); "
            "mlproj evaluate --split test --reason '…' opens it, and counts the look."
        )
    if split in SEEN_SPLITS:
        return split
    near = _OTHER_NAMES.get(str(split)) or next(iter(difflib.get_close_matches(str(split), SEEN_SPLITS, n=1)), "")
    hint = f"Did you mean {near!r}? " if near else ""
    raise InvalidInput([Problem("split", f"{split!r} is no split", f"{hint}Name train, train_dev or dev.")])


def _encoded(dataset: "Dataset", part: "Part") -> tuple[NDArray[np.float32], NDArray[Any]]:
    return part.x, part.y if dataset.target.several else part.y[:, 0]


def _examples(project: "Project", dataset: "Dataset", part: "Part") -> Any | None:
    """The split of a map-style data set that a `python:` source returns; None for any other source."""
    sources = (*project.data.sources, *project.data.extras)
    if len(sources) != 1 or sources[0].where is not None or not sources[0].path.startswith("python:"):
        return None
    from mlproj.data.sources.python import open_examples

    made = open_examples(sources[0].path, project.root)
    if made is None:
        return None
    if dataset.corrections.get(part.name):
        message = (
            f"{dataset.corrections[part.name]:,} labels of {part.name} are corrected, which {made!r} does not know"
        )
        raise InvalidInput([project.problem("data.corrections", message, "Use project.data(…, encoded=True).")])
    from torch.utils.data import Subset

    examples = Subset(made, np.flatnonzero(dataset.deal.split == part.name).tolist())
    examples.ids = part.ids  # type: ignore[attr-defined]  # what torch's own class does not carry
    return examples


def _table(dataset: "Dataset", part: "Part") -> "pd.DataFrame":
    import pandas as pd

    columns: dict[str, Any] = {
        column.name: _values(part.frame[column.name], column)
        for column in dataset.columns
        if column.role == "feature" and column.type != "ignore"
    }
    for position, name in enumerate(dataset.target.labels):
        columns[name] = _labels(dataset, position, part.y[:, position])
    return pd.DataFrame(columns, index=pd.Index(part.ids.astype(object), name="id"))


def _values(cells: "pd.Series[Any]", column: "Column") -> Any:
    """The cells (N,) as what the column is: float64, truths, moments, or texts as they stand."""
    import pandas as pd

    from mlproj.data.cells import MICROSECONDS_PER_DAY
    from mlproj.data.columns import read_values

    if column.type not in ("number", "boolean", "date"):
        return cells.to_numpy()
    values = read_values(cells, column)[0]
    if column.type == "boolean":
        return values.astype(np.bool_) if not np.isnan(values).any() else pd.array(values).astype("boolean")
    if column.type == "date":
        whole = pd.array(np.round(values * MICROSECONDS_PER_DAY), dtype="Int64")
        return pd.to_datetime(whole, unit="us")
    return values


def _labels(dataset: "Dataset", position: int, y: NDArray[Any]) -> NDArray[Any]:
    """One label column (N,): values, or classes by name; names that are whole numbers or truths come as such."""
    target = dataset.target
    if target.kind == "regression" or target.several:
        return y.astype(np.float64)
    classes = target.classes[position]
    names: NDArray[Any] = np.array(classes, dtype=object)
    if all(name.isdecimal() and str(int(name)) == name for name in classes):
        names = np.array([int(name) for name in classes])
    elif {name.lower() for name in classes} <= {"false", "true"}:
        names = np.array([name.lower() == "true" for name in classes])
    return names[y.astype(np.int64)]
