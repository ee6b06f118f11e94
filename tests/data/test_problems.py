"""Everything that is wrong with the data is said at once, with key, file, row, value and the next step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

Change = Callable[[pd.DataFrame], Any]


def put(**columns: Any) -> Change:
    """Adds or replaces whole columns."""
    return lambda frame: frame.assign(**columns)


def spoil(**columns: Any) -> Change:
    """Replaces cells: {column: {row: value}}."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object)
        for name, cells in columns.items():
            for row, value in cells.items():
                frame.loc[row, name] = value
        return frame

    return change


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


QUANTITY = np.arange(120) / 7
NAMES = [f"n{i}" for i in range(120)]
PROBLEMS: dict[str, tuple[Change, dict[str, Any], list[str]]] = {
    "unknown label": (same, {"label": "kind"}, ["project.yaml:4: data.label", "no column 'kind'", "are: uid"]),
    "mistyped label": (same, {"label": "Y"}, ["data.label", "'Y'", "Did you mean `y`?"]),
    "no header": ((lambda _: "5.1,rose\n4.9,lily\n" * 20), {}, ["no column 'y'"]),
    "numbers for a header": ((lambda _: "1,2,3,rose\n4,5,6,lily\n" * 20), {}, ["no column 'y'", "header row?"]),
    "empty label": (put(y=""), {}, ["data.label", "'y'", "empty in every row"]),
    "one class": (put(y="rose"), {}, ["data.label", "'rose' in every labelled row", "two classes"]),
    "label like an id": (put(y=NAMES), {}, ["120 different values", "no classes"]),
    "regression on text": (same, {"task": "regression"}, ["task", "contradicts", "'y'", "a.csv row 2: '"]),
    "regression on truths": (
        put(y=[True, False] * 60), {"task": "regression"}, ["task: regression contradicts", "text"],
    ),
    "classification of a quantity": (
        put(y=QUANTITY), {"task": "classification"}, ["task", "120 different numbers", "task: regression"],
    ),
    "a word among numbers to predict": (
        spoil(y=dict(enumerate(QUANTITY)) | {7: "tall"}), {}, ["data.label", "a.csv row 9 holds 'tall'", "no number"],
    ),
    "an infinite quantity": (spoil(y=dict(enumerate(QUANTITY)) | {7: np.inf}), {}, ["a.csv row 9", "infinite"]),
    "a quantity below 0 on a log scale": (
        put(y=QUANTITY - 1), {"label_scale": "log"},
        ["data.label_scale", "a.csv row 2 holds '-1.0'", "and 5 more"],
    ),
    "a constant quantity": (put(y=2.5), {"task": "regression"}, ["2.5 in every row", "nothing to learn"]),
    "a log scale for classes": (same, {"label_scale": "log"}, ["data.label_scale", "classification"]),
    "a positive class that is none": (same, {"positive": "tulip"}, ["data.positive", "'lily' and 'rose'"]),
    "a positive class of three": (
        spoil(y={0: "iris", 1: "iris", 2: "iris"}), {"positive": "rose"}, ["data.positive", "two classes", "has 3"],
    ),
    "a positive quantity": (put(y=QUANTITY), {"positive": "1"}, ["data.positive", "regression"]),
    "a yes/no label that says maybe": (
        put(a="yes", b=["maybe", *["no"] * 119]), {"label": ("a", "b")},
        ["data.label.1", "'b'", "a.csv row 2 holds 'maybe'", "neither yes nor no"],
    ),
    "an empty one of several labels": (
        put(a=["yes", "no"] * 60, b=""), {"label": ("a", "b")}, ["data.label.1", "'b'", "empty in every"],
    ),
    "regression on several labels": (
        put(a=["1", "0"] * 60), {"label": ("a",), "task": "regression"}, ["task", "several yes/no labels"],
    ),
    "the same label twice": (same, {"label": ("y", "y")}, ["data.label", "'y' is named more than once"]),
    "unknown id": (same, {"id": "uuid"}, ["data.id", "no column 'uuid'", "Did you mean `uid`?"]),
    "repeated ids": (spoil(uid={5: "u0"}), {}, ["data.id", "'u0'", "a.csv row 2", "a.csv row 7"]),
    "missing ids": (spoil(uid={5: ""}), {}, ["data.id", "a.csv row 7"]),
    "unknown group": (same, {"group": "usr"}, ["data.group", "no column 'usr'"]),
    "unknown excluded column": (same, {"exclude": ("sise",)}, ["data.exclude.0", "Did you mean `size`?"]),
    "unknown included column": (same, {"include": ("sise",)}, ["data.include.0", "Did you mean `size`?"]),
    "unknown typed column": (same, {"columns": {"sise": "number"}}, ["data.columns.sise", "Did you mean `size`?"]),
    "unknown weight": (same, {"weight": {"column": "w"}}, ["data.weight.column", "no column 'w'"]),
    "unknown column in a weight rule": (
        same, {"weight": {"where": "sise > 1", "value": 2.0}}, ["data.weight.where", "Did you mean `size`?"],
    ),
    "a negative weight": (
        put(w=[-1, *[1] * 119]), {"weight": {"column": "w"}}, ["a.csv row 2 holds '-1'", "below 0"],
    ),
    "a missing weight": (
        put(w=[np.nan, *[1] * 119]), {"weight": {"column": "w"}}, ["a.csv row 2", "no weight"],
    ),
    "weights of 0": (put(w=0), {"weight": {"column": "w"}}, ["data.weight.column", "0 in every row"]),
    "label included": (same, {"include": ("y", "size")}, ["data.include.0", "'y' is the label"]),
    "included and excluded": (same, {"include": ("size",), "exclude": ("size",)}, ["'size'", "Choose one"]),
    "included though constant": (put(size=1), {"include": ("size",)}, ["data.include.0", "constant"]),
    "included though empty": (put(size=""), {"include": ("size",)}, ["data.include.0", "empty in every"]),
    "no feature": (same, {"exclude": ("size", "colour")}, ["no column is left as a feature"]),
    "a word in a declared number": (
        spoil(size={3: "big", 9: "tall"}), {"columns": {"size": "number"}},
        ["data.columns.size", "a.csv row 5 holds 'big'", "no number", "also a.csv row 11"],
    ),
    "a word in a guessed number": (
        spoil(size={3: "big"}), {}, ["data.columns.size", "a.csv row 5 holds 'big'", "{size: category}"],
    ),
    "a word in a declared truth": (same, {"columns": {"colour": "boolean"}}, ["neither true nor false", "row 2"]),
    "a day that does not exist": (
        put(day="2024-02-30"), {"columns": {"day": "date"}}, ["'2024-02-30'", "ISO 8601"],
    ),
    "a day in another form": (
        put(day="2024-02-03"), {"columns": {"day": {"date": "%d/%m/%Y"}}}, ["'%d/%m/%Y'", "'2024-02-03'"],
    ),
    "a date format that is none": (
        put(day="2024-02-03"), {"columns": {"day": {"date": "%Q"}}}, ["'%Q' is no date format"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "keys", "fragments"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_data_that_cannot_mean_what_was_written_are_refused(
    build: Any, change: Any, keys: dict[str, Any], fragments: list[str], flowers: pd.DataFrame, refusal: Any
) -> None:
    data = change(flowers)
    named = {} if isinstance(data, str) else {"id": "uid"}
    text = refusal(build({"a.csv": data}, **(named | keys)))
    assert all(fragment in text for fragment in fragments), text


def test_a_wrong_cell_is_found_in_every_split(build: Any, flowers: pd.DataFrame, refusal: Any) -> None:
    for row in range(0, 120, 7):
        assert f"a.csv row {row + 2} holds 'big'" in refusal(
            build({"a.csv": spoil(size={row: "big"})(flowers)}, id="uid")
        )


def test_all_problems_come_in_one_answer(build: Any, flowers: pd.DataFrame, refusal: Any) -> None:
    frame = spoil(size={3: "big"}, uid={5: "u0"})(flowers).assign(w=[-1, *[1] * 119])
    keys = {
        "id": "uid",
        "columns": {"size": "number", "sise": "number"},
        "positive": "tulip",
        "weight": {"column": "w"},
    }
    text = refusal(build({"a.csv": frame}, **keys))
    for key in ("data.columns.size", "data.columns.sise", "data.positive", "data.weight.column", "data.id"):
        assert f"{key}: " in text, text
    assert text.count("data.id: ") == 1


def test_every_broken_file_is_named_at_once(build: Any, refusal: Any) -> None:
    text = refusal(build({"a.csv": "a,y\n1\n", "b.csv": ""}, source=("a.csv", "b.csv"), extra=("c.csv",)))
    assert all(name in text for name in ("a.csv row 2", "b.csv", "c.csv"))
