"""Nothing of the test rows' features and labels reaches training, by any way."""

import gc
from typing import Any

import numpy as np
import pandas as pd

from mlproj.data import Dataset, load_dataset

MARK = "s3cret"


def poisoned(dataset: Dataset, frame: pd.DataFrame) -> pd.DataFrame:
    """The data with every feature and label cell of its test rows replaced by a mark or a telling number."""
    test = frame["uid"].isin(dataset.deal.ids[dataset.deal.split == "test"])
    assert test.sum() == dataset.deal.sizes["test"]
    return frame.assign(
        size=frame["size"].where(~test, 987654321.0), colour=frame["colour"].where(~test, f"{MARK} colour")
    )


def reachable(root: Any) -> list[Any]:
    """All objects that can be reached from one, modules and types aside."""
    seen: dict[int, Any] = {}
    todo = [root]
    while todo:
        one = todo.pop()
        if id(one) in seen or type(one).__name__ in (
            "module",
            "type",
            "function",
            "method",
            "builtin_function_or_method",
        ):
            continue
        seen[id(one)] = one
        todo += gc.get_referents(one)
        if isinstance(one, np.ndarray) and one.base is not None:
            todo.append(one.base)
        if hasattr(one, "__arrow_array__"):
            chunks = one.__arrow_array__()
            todo += [
                bytes(b) for chunk in getattr(chunks, "chunks", [chunks]) for b in chunk.buffers() if b is not None
            ]
    return list(seen.values())


def test_nothing_of_the_test_rows_can_be_reached_from_a_dataset(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers
    first = load_dataset(build({"a.csv": frame}, id="uid"))
    marked = poisoned(first, frame)
    dataset = load_dataset(build({"a.csv": marked}, id="uid"))
    assert dataset.deal.digest == first.deal.digest
    found = reachable(dataset)
    assert len(found) > 1000
    for one in found:
        if isinstance(one, str | bytes):
            assert MARK not in (one if isinstance(one, str) else one.decode("utf-8", "replace"))
            assert "987654321" not in (one if isinstance(one, str) else one.decode("utf-8", "replace"))
        elif isinstance(one, np.ndarray) and one.dtype.kind in "fiu":
            assert not (one == 987654321.0).any()
        elif isinstance(one, float):
            assert one != 987654321.0


def test_a_class_that_only_test_has_is_counted_and_not_named(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers
    project = build({"a.csv": frame}, id="uid", splits={"column": "fold"})
    frame["fold"] = ["test" if i % 5 == 0 else "dev" if i % 5 == 1 else "train" for i in range(120)]
    frame.loc[0, "y"] = MARK
    project = build({"a.csv": frame}, id="uid", splits={"column": "fold"})
    dataset = load_dataset(project)
    assert "1 class occurs in the test set only." in dataset.warnings
    assert not any(MARK in one for one in reachable(dataset) if isinstance(one, str))


def test_poisoned_test_rows_change_nothing_that_training_sees(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers
    first = load_dataset(build({"a.csv": frame}, id="uid"))
    second = load_dataset(build({"a.csv": poisoned(first, frame)}, id="uid"))
    assert first.encoder == second.encoder
    assert first.target == second.target
    assert first.columns == second.columns
    assert first.warnings == second.warnings
    assert (first.data_hash, first.dev_hash) == (second.data_hash, second.dev_hash)
    for name, part in first.parts.items():
        np.testing.assert_array_equal(part.x, second.parts[name].x)
        np.testing.assert_array_equal(part.y, second.parts[name].y)
