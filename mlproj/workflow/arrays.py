"""The data of a project for a loop of one's own: `project.data("train")`, and the test set stays sealed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InvalidInput, Problem, SealedSplit
from mlproj.records import SEEN_SPLITS
from mlproj.workflow.runs import load

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.spec.project import Project


def load_split(project: "Project | str | Path" = ".", split: str = "train", *, encoded: bool = False) -> Any:
    """The examples of a split: a table with the ids as index, or the arrays that a model sees.

    The splits are those that `mlproj train` uses: dealt and kept if this is the first time.

    Args:
        project: Project, project.yaml or folder.
        split: train, train_dev or dev.
        encoded: Whether to return arrays instead of the table.

    Returns:
        A DataFrame (N rows) of the raw features followed by the label columns, its index called `id`. Encoded: `(x, y)`
        with float32 inputs (N, F), fitted on train, and labels (N,): positions in the order of the classes, or
        values; for several labels (N, L), NaN where one is missing.

    Raises:
        SealedSplit: For test.
        InvalidInput: For any other name, or when spec or data are wrong.
    """
    if split == "test":
        raise SealedSplit(
            "The test set is sealed. Choose models on project.data('dev'); mlproj evaluate --split test --reason '…' "
            "opens it once, and counts the look."
        )
    project = load(project)
    dataset = open_dataset(project)
    if split not in dataset.parts:
        there = " and ".join(dataset.parts)
        known = "this project has no such split" if split in SEEN_SPLITS else "is no split"
        raise InvalidInput([Problem("split", f"{split!r} {known}", f"There are {there}; test is sealed.")])
    return _encoded(dataset, split) if encoded else _table(dataset, split)


def open_dataset(project: "Project") -> "Dataset":
    """The data of a project with the splits that training uses."""
    from mlproj.data import load_dataset
    from mlproj.track import store_for

    return load_dataset(project, store=store_for(project).splits)


def _encoded(dataset: "Dataset", split: str) -> tuple[Any, Any]:
    part = dataset.parts[split]  # type: ignore[index]  # known to be one of its names
    if dataset.target.several or dataset.target.kind == "regression":
        return part.x, part.y if dataset.target.several else part.y[:, 0]
    return part.x, part.y[:, 0].astype("int64")


def _table(dataset: "Dataset", split: str) -> Any:
    import pandas as pd

    part, target = dataset.parts[split], dataset.target  # type: ignore[index]  # known to be one of its names
    frame = part.frame.set_axis(pd.Index(part.ids, name="id"))
    for column, name in enumerate(target.labels):
        y = part.y[:, column]
        if target.kind == "regression" or target.several:
            frame[name] = y
        else:
            frame[name] = [target.classes[0][int(code)] for code in y]
    return frame
