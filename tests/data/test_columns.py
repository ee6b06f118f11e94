"""Columns are taken for what they are, by declaration or by a strict guess."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.data.columns import Column, assign_roles, warn_columns
from mlproj.data.guess import infer_columns
from mlproj.spec.data import Data, WeightRule
from mlproj.spec.project import Project


def infer(cells: Any, dtype: Any = "str", **data: Any) -> Column:
    project = Project(name="p", data=Data(source="a.csv", label="y", **data))
    return infer_columns(pd.DataFrame({"x": pd.Series(cells, dtype=dtype)}), project)[0]


MANY = [str(i / 7) for i in range(200)]
WORDS = [f"word {i} and more" for i in range(200)]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "-3e-5", " 4 "], "number"),
        (["1", "", "NA", "3"], "number"),
        (["1", "?", "None", "3"], "number"),
        (["1e-5"], "number"),
        (["0", "0.5", "-0.25"], "number"),
        (["007", "042", "120"], "category"),
        (["01234", "abc"], "category"),
        (["red", "blue", "red"], "category"),
        (["1", "2", "3", "4", "K"], "category"),
        (["yes", "no", "Yes"], "boolean"),
        (["TRUE", "false", ""], "boolean"),
        (["0", "1"], "number"),
        (["yes", "no", "maybe"], "category"),
        (["2024-01-31", "2023-12-01"], "date"),
        (["2024-01-31T12:30:00Z", "2024-01-31 12:30"], "date"),
        (["31/01/2024", "01/02/2024"], "category"),
        (["", "", ""], "ignore"),
        (["NA", "nan", ""], "ignore"),
        (["1,5", "2,25"], "category"),
        ([*MANY, "oops"], "number"),
        (WORDS, "ignore"),
        (WORDS * 3, "category"),
        (WORDS[:20], "category"),
    ],
)
def test_a_column_of_texts_is_guessed(cells: list[str], kind: str) -> None:
    column = infer(cells)
    assert (column.type, column.guessed) == (kind, True)


@pytest.mark.parametrize(
    ("cells", "dtype", "kind"),
    [
        ([1, 2, None], "Int64", "number"),
        ([0.5, np.inf], "float32", "number"),
        ([True, None], "boolean", "boolean"),
        (["2024-01-31", None], "datetime64[us]", "date"),
        ([1, "x", None], object, "category"),
        ([1, "2", None], object, "number"),
        ([None, None], object, "ignore"),
    ],
)
def test_a_typed_column_keeps_its_type(cells: Any, dtype: Any, kind: str) -> None:
    assert infer(cells, dtype).type == kind


def test_a_column_is_counted() -> None:
    column = infer(["1", "2", "2.0", "", "inf", "NA"])
    assert (column.missing, column.unique, column.infinite) == (2, 3, 1)
    column = infer(["a", "b", "b", "", None])
    assert (column.missing, column.unique) == (2, 2)


def test_a_declared_type_wins() -> None:
    assert infer(["1", "2"], columns={"x": "category"}).type == "category"
    column = infer(["31/01/2024"], columns={"x": {"date": "%d/%m/%Y"}})
    assert (column.type, column.format, column.guessed, column.unique) == ("date", "%d/%m/%Y", False, 1)
    assert infer(WORDS, columns={"x": "category"}).type == "category"


def test_a_column_that_include_names_is_not_left_out_by_a_guess() -> None:
    assert infer(WORDS, include=("x",)).type == "category"


@pytest.mark.parametrize(
    ("cells", "fragments"),
    [
        (WORDS, ["200 different texts in 200 rows", "left out", "columns: {x: category}"]),
        (["31/01/2024", "01/02/2024"], ["dates", 'declare `columns: {x: {date: "%d/%m/%Y"}}`']),
        (["01/02/2024", "03/04/2024"], ['"%d/%m/%Y"', 'or `columns: {x: {date: "%m/%d/%Y"}}`', "only you know"]),
        (["3 Mar 2024", "24 Dec 2023"], ['{date: "%d %b %Y"}']),
        (["March 3, 2024 10:15 PM", "May 4, 2023 01:00 AM"], ['{date: "%B %d, %Y %I:%M %p"}']),
        (["31/01/2024", "2024/02/01", "1.2.2024"], ["dates", "{x: {date: FORMAT}}"]),
        (["1,5", "2,25"], ["decimal comma"]),
        ([*MANY, *["unknown"] * 60], ["mostly numbers", "'unknown'", "empty such cells"]),
    ],
)
def test_a_doubtful_guess_says_so_and_what_to_do(cells: list[str], fragments: list[str]) -> None:
    (warning,) = warn_columns([infer(cells)], len(cells))
    assert all(fragment in warning for fragment in ["Column 'x'", *fragments]), warning


def test_warnings_count_missing_infinite_constant_and_empty_columns() -> None:
    project = Project(name="p", data=Data(source="a.csv", label="y"))
    frame = pd.DataFrame(
        {"a": ["1", "1"], "b": ["", "2"], "c": ["inf", "3"], "d": ["", ""], "y": ["", "x"]}, dtype="str"
    )
    assert warn_columns(infer_columns(frame, project), 2) == [
        "Empty in every row, so left out: 'd'.",
        "Constant, so of no use to the model: 'a'.",
        "Missing cells among 2 rows: 'b' 1.",
        "Infinite cells, treated as missing: 'c' 1.",
    ]


def test_roles_follow_from_the_declaration() -> None:
    keys: dict[str, Any] = {"id": "i", "group": "g", "time": "t", "weight": {"column": "w"}}
    data = Data(source="a.csv", label="y", exclude=("e",), include=("f",), **keys)
    project = Project(name="p", data=data)
    names = ["y", "i", "g", "t", "w", "e", "f", "other"]
    roles = assign_roles(project, names, ["y"])
    assert [roles[name] for name in names] == [
        "label", "id", "group", "time", "weight", "excluded", "feature", "excluded",
    ]  # fmt: skip


def test_rule_weights_leave_their_columns_features() -> None:
    data = Data(source="a.csv", label="y", weight=WeightRule(where="kind == 'adult'", value=10.0))
    assert assign_roles(Project(name="p", data=data), ["kind"], ["y"]) == {"kind": "feature"}


@given(st.lists(st.text(max_size=8), max_size=30))
def test_any_column_of_texts_gets_a_type_and_true_counts(cells: list[str]) -> None:
    column = infer(cells)
    assert 0 <= column.missing <= len(cells)
    assert column.unique <= len(cells) - column.missing
