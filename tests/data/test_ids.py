"""Ids outlive what happens to a file: order, growth, format; and say what is wrong with an id column."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.data.ids import canonical_text, content_hashes, hash_columns, name_rows
from mlproj.data.table import read_tables
from mlproj.errors import InvalidInput
from mlproj.spec.project import Origin, Project

CELL = st.one_of(st.none(), st.integers(-3, 3), st.floats(-2, 2), st.sampled_from(["a", "b", "", "1", "1.0", "x,y"]))
ROWS = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12)


def project_of(**data: Any) -> Project:
    return Project.model_validate({"name": "p", "data": {"source": "a.csv", "label": "y"} | data})


def frame_of(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series(list(cells), dtype=object) for name, cells in zip("abc", zip(*rows, strict=True), strict=True)}
    )


@settings(max_examples=40, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_shuffled_rows_and_columns_keep_their_ids(rows: list[tuple[Any, ...]], random: Any) -> None:
    frame = frame_of(rows)
    order, columns = random.sample(range(len(rows)), len(rows)), random.sample(list("abc"), 3)
    before, after = name_rows(project_of(), frame), name_rows(project_of(), frame.iloc[order][columns])
    assert sorted(before.ids) == sorted(after.ids)
    assert before.units[order].tolist() == after.units.tolist()


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS)
def test_appended_rows_rename_nobody(rows: list[tuple[Any, ...]], more: list[tuple[Any, ...]]) -> None:
    before, after = name_rows(project_of(), frame_of(rows)), name_rows(project_of(), frame_of(rows + more))
    assert after.ids[: len(rows)].tolist() == before.ids.tolist()
    assert len(set(after.ids.tolist())) == len(after.ids)


def test_equal_rows_are_numbered_and_share_a_unit() -> None:
    names = name_rows(project_of(), pd.DataFrame({"a": [1, 1.0, 1, 2]}))
    first = names.ids[0]
    assert names.ids[:3].tolist() == [first, f"{first}#2", f"{first}#3"]
    assert set(names.units[:3].tolist()) == {first}
    assert names.units[3] == names.ids[3]


def test_csv_and_parquet_of_the_same_table_give_the_same_ids(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, 2, 30], "real": [0.1, 1e-7, 2.0], "gaps": [1.0, None, 3.0],
            "single": np.array([0.1, 1 / 3, 5], dtype=np.float32),
            "truth": [True, False, True], "text": ["a", None, "ünï"], "code": ["007", "08", "x"],
            "day": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-02-29"]),
            "moment": pd.to_datetime(["2024-01-01 10:00:00", "2024-01-02 11:30:05", "2024-02-29 00:00:00"]),
            "y": [0, 1, 0],
        }
    )  # fmt: skip
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    ids = []
    for source in ("a.csv", "a.parquet"):
        project = project_of(source=source).located(Origin(tmp_path / "project.yaml"))
        ids.append(name_rows(project, read_tables(project).frame, labels=["y"]).ids.tolist())
    assert ids[0] == ids[1]


def test_ids_are_the_same_on_every_machine_and_version() -> None:
    frame = pd.DataFrame({"b": [0.1, 1e22, -0.0], "a": ["x", None, "TRUE"]})
    expected = [hashlib.sha256(row.encode()).hexdigest()[:16] for row in ("x\x1f0.1", "\x1f1e+22", "true\x1f0")]
    assert content_hashes(frame, ["a", "b"]).tolist() == expected


def test_a_cell_that_holds_the_separator_is_no_other_row() -> None:
    frame = pd.DataFrame({"a": ["x\x1fy", "x", "x\x1ey", "x\x1esy"], "b": ["z", "y\x1fz", "z", "z"]})
    assert len(set(content_hashes(frame, ["a", "b"]).tolist())) == 4


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1, 1.0, "1", "1.0", "1e0", "+1"], "1"),
        ([None, np.nan, "", "NA", pd.NA], ""),
        ([True, "True", "TRUE", "true"], "true"),
        (["2024-01-01", "2024-01-01 00:00:00", "2024-01-01T00:00:00.000", pd.Timestamp("2024-01-01")], "2024-01-01"),
        ([0.0, -0.0, "-0", "0.00"], "0"),
    ],
)
def test_cells_that_say_the_same_are_the_same(cells: list[Any], expected: str) -> None:
    assert {canonical_text(pd.Series([cell], dtype=object))[0].as_py() for cell in cells} == {expected}


def test_what_is_no_feature_does_not_name_a_row() -> None:
    project = Project.model_validate(
        {
            "name": "p",
            "data": {
                "source": "a.csv", "label": "y", "group": "user", "time": "day", "exclude": ["note"],
                "columns": {"junk": "ignore"}, "weight": {"column": "w"},
            },
            "splits": {"column": "fold"},
        }
    )  # fmt: skip
    names = ["y", "user", "day", "note", "junk", "w", "fold", "size", "Unnamed: 0", "age"]
    assert hash_columns(project, names, ["y"]) == ("age", "day", "size")
    assert hash_columns(project_of(include=["size"]), names, ["y"]) == ("size",)


def test_repeated_and_missing_ids_are_listed_with_their_rows() -> None:
    frame = pd.DataFrame({"uid": ["a", "b", "a", None, "b"]})
    with pytest.raises(InvalidInput) as caught:
        name_rows(project_of(id="uid"), frame, place=lambda row: f"a.csv row {row + 2}")
    text = str(caught.value)
    assert "1 rows have no 'uid': a.csv row 5" in text
    assert "2 ids of 'uid' occur more than once: 'a' in a.csv row 2, a.csv row 4; 'b' in a.csv row 3" in text
    assert "data.group" in text


def test_an_id_column_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"data\.id: the data have no column 'uld'\n.*Did you mean `uid`"):
        name_rows(project_of(id="uld"), pd.DataFrame({"uid": [1]}))


def test_ids_are_the_text_of_their_column() -> None:
    ids = name_rows(project_of(id="uid"), pd.DataFrame({"uid": ["007", "7", "7.50", "ü"]})).ids
    assert ids.tolist() == ["007", "7", "7.50", "ü"]
    assert name_rows(project_of(id="uid"), pd.DataFrame({"uid": [7.0, 2**53 + 1]})).ids.tolist()[0] == "7"
    assert name_rows(project_of(id="uid"), pd.DataFrame({"uid": [2**53, 2**53 + 1]})).ids[1] == str(2**53 + 1)


def test_a_row_without_a_group_is_a_unit_of_its_own() -> None:
    frame = pd.DataFrame({"user": ["u", None, "u", None], "a": [1, 2, 3, 4]})
    units = name_rows(project_of(group="user"), frame).units
    assert units[0] == units[2] == "u"
    assert len(set(units.tolist())) == 3


def test_an_empty_table_has_no_ids() -> None:
    assert name_rows(project_of(), pd.DataFrame({"a": pd.Series([], dtype=str)})).ids.shape == (0,)
