"""Train-dev and dev as a mismatch is judged by: predictions, features, slices, and the sources of training data."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.mismatch import Feature, Side
from mlproj.errors import InvalidInput
from mlproj.records import Predictions, SplitName
from mlproj.workflow.subject import Subject

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.spec.project import Project

TITLES: Mapping[SplitName, str] = {"train_dev": "train-dev", "dev": "dev"}
_MOST_SOURCES = 5


def gather_sides(
    subject: Subject, first: Predictions, second: Predictions
) -> tuple[tuple[Side, Side], list[Side], list[str]]:
    """Both sets with their features, sources of training data, and what there is to say about either.

    Args:
        subject: The run or file.
        first: Its labelled predictions on train-dev.
        second: Those on dev.
    """
    if subject.project is not None:
        from mlproj.workflow.arrays import open_dataset

        try:
            dataset = open_dataset(subject.project, save=False)
        except InvalidInput as error:
            said = str(error).splitlines()[0]
            return _plain_sides(first, second), [], [f"The data cannot be read, so inputs are not compared: {said}"]
        sides = [_side_of_data(dataset, split, part) for split, part in zip(TITLES, (first, second), strict=True)]
        if all(len(side.ids) for side in sides):
            notes = [
                f"{len(part) - len(side.ids):,} examples of {side.name} are no longer in the data: left out from 2 on."
                for side, part in zip(sides, (first, second), strict=True)
                if len(side.ids) < len(part)
            ]
            return (sides[0], sides[1]), _sources(dataset), notes
    return _sides_of_file(first, second)


def _plain_sides(first: Predictions, second: Predictions) -> tuple[Side, Side]:
    return (
        Side(TITLES["train_dev"], first.ids, group=first.group, predictions=first),
        Side(TITLES["dev"], second.ids, group=second.group, predictions=second),
    )


def _sides_of_file(first: Predictions, second: Predictions) -> tuple[tuple[Side, Side], list[Side], list[str]]:
    """Both sets of a predictions file, with its further columns as features."""
    sides = _plain_sides(first, second)
    if not first.more:
        note = (
            "The predictions come without features, so inputs are not compared: add columns to the file, or use ids of "
            "the project."
        )
        return sides, [], [note]
    together, left = more_features(first, second)
    n = len(first)
    found = [
        replace(side, features=[feature.select(rows) for feature in together])
        for side, rows in zip(sides, (np.arange(n), np.arange(n, n + len(second))), strict=True)
    ]
    shown = ", ".join(left[:6]) + (", …" if len(left) > 6 else "")
    notes = [f"Columns whose texts differ from row to row are no features: {shown}."] if left else []
    return (found[0], found[1]), [], notes


def more_features(*parts: Predictions) -> tuple[list[Feature], list[str]]:
    """The further columns of predictions as features of all their examples, and the columns that are none."""
    import pandas as pd

    from mlproj.workflow.mismatch_inputs import guess_features

    columns = {name: np.concatenate([part.more[name] for part in parts]) for name in parts[0].more}
    return guess_features(pd.DataFrame(columns))


def _side_of_data(dataset: "Dataset", split: SplitName, predictions: Predictions) -> Side:
    """A split of the data beside the answers for it; examples that the data do not hold are left out."""
    from mlproj.workflow.mismatch_inputs import features_of, rows_of_part

    empty = Side(TITLES[split], predictions.ids[:0])
    if split not in dataset.parts:
        return empty
    part = dataset.parts[split]
    rows = rows_of_part(part, predictions.ids)
    kept = rows >= 0
    if not kept.any():
        return empty
    rows, own = rows[kept], predictions.select(kept)
    return Side(
        TITLES[split],
        own.ids,
        features_of(dataset, part.frame.iloc[rows].reset_index(drop=True)),
        own.group,
        own,
        _slices(dataset, split, rows),
        may_show(dataset.project, own) if split == "dev" else None,
    )


def may_show(project: "Project", dev: Predictions) -> NDArray[np.bool_]:
    """The half of dev that may be looked at (N,); all of dev where that half is empty.

    Args:
        project: The project, whose `error_analysis.eyeball` says which half.
        dev: Ids and groups of dev.
    """
    from mlproj.error_analysis.sample import eyeball

    half = eyeball(dev.ids, dev.group, seed=project.error_analysis.eyeball)
    return half if half.any() else np.ones(len(dev), dtype=np.bool_)


def _slices(dataset: "Dataset", split: SplitName, rows: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Which examples lie in each slice of the project; a slice that cannot be evaluated here is left out."""
    from mlproj.data.where import evaluate_where
    from mlproj.workflow.parts import slice_frame

    if not dataset.project.slices:
        return {}
    frame = slice_frame(dataset, split)
    found = {}
    for name, condition in dataset.project.slices.items():
        try:
            found[name] = evaluate_where(condition, frame)[rows]
        except ValueError:
            continue
    return found


def _sources(dataset: "Dataset") -> list[Side]:
    """The sources of `data.extra` by their train rows, the largest first."""
    from mlproj.data.table import parts_of
    from mlproj.diagnose.mismatch.judge import MOST_ROWS
    from mlproj.workflow.mismatch_inputs import features_of

    origins = [origin for _, origin in parts_of(dataset.project)]
    train = dataset.parts["train"]
    counts = np.bincount(train.source, minlength=len(origins))
    extras = [k for k, origin in enumerate(origins) if origin.role == "training" and counts[k]]
    found = []
    for k in sorted(extras, key=lambda k: -counts[k])[:_MOST_SOURCES]:
        rows = np.flatnonzero(train.source == k)
        if len(rows) > MOST_ROWS:
            rows = np.sort(np.random.default_rng(k).choice(rows, MOST_ROWS, replace=False))
        origin = origins[k]
        twice = [other.path for other in origins].count(origin.path) > 1
        name = f"{origin.path} where {origin.where}" if origin.where and twice else origin.path
        features = features_of(dataset, train.frame.iloc[rows].reset_index(drop=True))
        found.append(Side(name, train.ids[rows], features, None if train.group is None else train.group[rows]))
    return found
