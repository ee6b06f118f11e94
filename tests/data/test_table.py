"""Parts of the data become one table: same columns, known origins, rows that can be named."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data.table import read_tables
from mlproj.errors import InvalidInput
from mlproj.spec.load import make_project

APP = "a,b,y\n1,x,yes\n2,y,no\n3,x,yes\n"
WEB = "b,y,a\nz,no,9\nx,yes,8\n"


def test_parts_are_joined_in_order_with_their_columns_aligned(build: Any) -> None:
    table = read_tables(build({"app.csv": APP, "web.csv": WEB}, source="app.csv", extra=("web.csv",)))
    assert table.frame["a"].tolist() == ["1", "2", "3", "9", "8"]
    assert table.is_target.tolist() == [True, True, True, False, False]
    assert [table.place(row) for row in (0, 3)] == ["app.csv row 2", "web.csv row 2"]
    assert table.labels == ("y",)


def test_where_keeps_rows_and_their_numbers(build: Any) -> None:
    parts = ({"path": "app.csv", "where": "b == 'x'"},)
    table = read_tables(build({"app.csv": APP}, source=parts))
    assert table.frame["a"].tolist() == ["1", "3"]
    assert table.place(1) == "app.csv row 4"


def test_one_file_may_serve_twice(build: Any) -> None:
    parts = {"source": {"path": "app.csv", "where": "b == 'x'"}, "extra": ({"path": "app.csv", "where": "b != 'x'"},)}
    table = read_tables(build({"app.csv": APP}, **parts))
    assert table.frame["a"].tolist() == ["1", "3", "2"]
    assert table.source.tolist() == [0, 0, 1]


def test_a_column_typed_in_one_part_and_text_in_another_becomes_text(build: Any) -> None:
    typed = pd.DataFrame({"a": [7.0, 0.5], "b": ["x", None], "y": ["no", "no"]})
    table = read_tables(build({"app.csv": APP, "web.parquet": typed}, source="app.csv", extra=("web.parquet",)))
    assert table.frame["a"].tolist() == ["1", "2", "3", "7", "0.5"]
    assert table.frame["b"].isna().tolist() == [False] * 4 + [True]


def test_parquet_parts_keep_their_type(build: Any) -> None:
    one, two = (pd.DataFrame({"a": values, "y": ["no", "yes"]}) for values in ([1, 2], [0.5, None]))
    table = read_tables(build({"a.parquet": one, "b.parquet": two}, source=("a.parquet", "b.parquet")))
    assert table.frame["a"].dtype == np.float64


def test_a_column_that_is_no_feature_may_be_missing_in_a_part(build: Any) -> None:
    files = {"app.csv": "a,user,why,y\n1,u,w,yes\n2,v,w,no\n", "web.csv": "a,y\n3,no\n"}
    table = read_tables(build(files, source="app.csv", extra=("web.csv",), group="user", exclude=("why",)))
    assert table.frame["user"].isna().tolist() == [False, False, True]
    table = read_tables(build(files, source="app.csv", extra=("web.csv",), include=("a",)))
    assert table.frame.shape == (3, 4)


def test_the_files_of_dev_and_test_are_parts_of_their_own(build: Any) -> None:
    table = read_tables(build({"app.csv": APP, "dev.csv": WEB}, source="app.csv", splits={"dev": "dev.csv"}))
    assert [origin.role for origin in table.origins] == ["target", "dev"]
    assert table.is_target.all()


@pytest.mark.parametrize(
    ("files", "keys", "fragments"),
    [
        (
            {"app.csv": "a,b,y\n1,2,no\n", "web.csv": "a,B,y\n1,2,no\n"},
            {"extra": ("web.csv",)},
            ["data.extra.0", "web.csv has no column 'b'", "'B'", "data.source", "app.csv has no column 'B'"],
        ),
        (
            {"app.csv": "a,y\n1,no\n", "web.csv": "a\n1\n"},
            {"extra": ("web.csv",), "exclude": ("y",)},
            ["web.csv has no column 'y'"],
        ),
        (
            {"app.csv": "a,uid,y\n1,1,no\n", "web.csv": "a,y\n1,no\n"},
            {"extra": ("web.csv",), "id": "uid"},
            ["web.csv has no column 'uid'"],
        ),
        ({"app.csv": APP}, {"extra": ("webb.csv", "more.csv")}, ["data.extra.0: webb.csv", "data.extra.1: more.csv"]),
        (
            {"app.csv": APP},
            {"source": ({"path": "app.csv", "where": "origin == 'phone'"},)},
            ["data.source.0.where", "no column 'origin'", "There are: a, b, y"],
        ),
        ({"app.csv": APP}, {"source": {"path": "app.csv", "where": "a > 5"}}, ["`a > 5` keeps no row of app.csv"]),
        ({"app.csv": APP}, {"source": {"path": "app.csv", "where": "b > 5"}}, ["'b'", "holds no numbers"]),
        ({"app.csv": APP}, {"label": None}, ["data.label", "which column", "Columns: a, b, y"]),
        ({"app.csv": APP}, {"splits": {"dev": "dev.csv"}}, ["splits.dev", "dev.csv", "no such file"]),
        ({"app.csv": "a,b\n1\n"}, {}, ["project.yaml:3", "data.source", "app.csv row 2", "1 cell"]),
    ],
)
def test_parts_that_do_not_fit_are_refused(build: Any, files: Any, keys: Any, fragments: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_tables(build(files, **({"source": "app.csv"} | keys)))
    assert all(fragment in str(caught.value) for fragment in fragments), str(caught.value)


def test_selected_rows_share_no_memory_with_the_others(build: Any) -> None:
    table = read_tables(build({"app.csv": APP.replace("2,y", "2,secret")}))
    chosen = table.select(np.array([True, False, True]))
    assert chosen.rows.tolist() == [2, 4]
    buffers = [
        buffer for chunk in chosen.frame["b"].array.__arrow_array__().chunks for buffer in chunk.buffers() if buffer
    ]
    assert not any(b"secret" in bytes(buffer) for buffer in buffers)


def test_a_relative_path_starts_from_the_projects_folder(build: Any, tmp_path: Path) -> None:
    assert len(read_tables(build({"sub/app.csv": APP}))) == 3
    assert len(read_tables(build({"app.csv": APP}, source=str(tmp_path / "app.csv")))) == 3


def test_parts_of_one_file_are_told_apart_by_their_rows(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("a,origin,y\n1,phone,yes\n2,web,no\n3,web,yes\n", encoding="utf-8")
    source, extra = ({"path": "all.csv", "where": f"origin == '{name}'"} for name in ("phone", "web"))
    project = make_project(
        {"name": "p", "data": {"source": source, "extra": [extra], "label": "y"}}, tmp_path / "project.yaml"
    )
    assert read_tables(project).part_names == ["all.csv where origin == 'phone'", "all.csv where origin == 'web'"]
    alone = make_project({"name": "p", "data": {"source": source, "label": "y"}}, tmp_path / "project.yaml")
    assert read_tables(alone).part_names == ["all.csv"]
