"""CSV, Parquet and scikit-learn's own data sets become tables of raw cells, or are refused with file and row."""

import gzip
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.data.sources import AbstractSource, find_source, read_source, registry
from mlproj.data.sources.arrow import to_pandas
from mlproj.data.sources.csv import CsvSource
from mlproj.data.sources.sklearn import BUNDLED
from mlproj.errors import InvalidInput


def read(folder: Path, content: str | bytes, name: str = "a.csv") -> pd.DataFrame:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_source(name, folder).frame


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_a_bundled_data_set_equals_what_scikit_learn_loads(name: str) -> None:
    from sklearn import datasets

    reading = read_source(f"sklearn:{name}", Path())
    options = {"scaled": False} if name == "diabetes" else {}
    oracle = getattr(datasets, f"load_{name}")(**options)
    assert [str(column) for column in oracle.feature_names] == list(reading.frame.columns[:-1])
    np.testing.assert_array_equal(reading.frame.drop(columns="target").to_numpy(), oracle.data)
    truth = oracle.target if name == "diabetes" else np.array(oracle.target_names).astype(str)[oracle.target]
    assert reading.label == "target"
    assert reading.frame["target"].tolist() == truth.tolist()


def test_reading_a_bundled_data_set_does_not_import_scikit_learn() -> None:
    code = (
        "import sys; from pathlib import Path; from mlproj.data.sources import read_source;"
        "read_source('sklearn:digits', Path()); sys.exit('sklearn' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=root).returncode == 0


def test_every_csv_cell_is_text_and_an_empty_one_is_missing(tmp_path: Path) -> None:
    frame = read(tmp_path, "zip,rate,note\n007,1e-5,\n ,2.50,NA\n")
    assert frame["zip"].tolist() == ["007", " "]
    assert frame["rate"].tolist() == ["1e-5", "2.50"]
    assert frame["note"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        (b"\xef\xbb\xbfa,b\n1,2\n", ["1"]),
        (b"a,b\r\n1,2\r\n", ["1"]),
        (b"a,b\r1,2\r", ["1"]),
        (b"a,b\n1,2", ["1"]),
        ("a,b\nÄé漢,2\n".encode(), ["Äé漢"]),
        (b'a,b\n"x, y",2\n"he said ""no""",3\n', ["x, y", 'he said "no"']),
        (b'a,b\n"line\nbreak",2\n', ["line\nbreak"]),
        (b"a,b\n5'10\",2\n", ["5'10\""]),
        (b" a ,b\n1,2\n", ["1"]),
    ],
    ids=[
        "bom",
        "crlf",
        "cr",
        "no last line break",
        "unicode",
        "quotes",
        "line break in a cell",
        "inch",
        "blank in header",
    ],
)
def test_csv_dialects_that_programs_write_are_read(tmp_path: Path, content: bytes, cells: list[str]) -> None:
    frame = read(tmp_path, content)
    assert list(frame.columns) == ["a", "b"]
    assert frame["a"].tolist() == cells


def test_a_gzipped_csv_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b"a,b\n1,2\n"), "a.csv.gz")["b"].tolist() == ["2"]


def test_a_cell_longer_than_a_block_is_read(tmp_path: Path) -> None:
    cell = "x\n" * 5_000_000
    assert read(tmp_path, f'a,b\n1,"{cell}"\n2,3\n')["b"].tolist() == [cell, "3"]


def test_columns_without_a_name_get_one(tmp_path: Path) -> None:
    assert list(read(tmp_path, ",b,\n0,1,\n").columns) == ["Unnamed: 0", "b", "Unnamed: 2"]


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n\n1,2\n"x\ny",3\n\n4,5\n')
    assert read_source("a.csv", tmp_path).rows.tolist() == [3, 4, 6]
    (tmp_path / "b.csv").write_text("a,b\n1,2\n3,4\n")
    assert read_source("b.csv", tmp_path).rows.tolist() == [2, 3]
    (tmp_path / "c.csv").write_text("\n \na,b\n1,2\n\n,\n")
    assert read_source("c.csv", tmp_path).rows.tolist() == [4, 6]


_CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1)


@given(rows=st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=20))
def test_what_pandas_writes_comes_back_cell_by_cell(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    frame = pd.DataFrame(rows, columns=["a", "b"], dtype="str")
    frame.to_csv(folder / "a.csv", index=False)
    pd.testing.assert_frame_equal(read_source("a.csv", folder).frame, frame)


BROKEN: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", ["is empty", "header row"]),
    "blank lines only": (b"\n \n\n", ["is empty"]),
    "a byte order mark and nothing else": (b"\xef\xbb\xbf", ["is empty"]),
    "header only": (b"a,b\n", ["has a header but no rows"]),
    "too few cells": (b"a,b\n1,2\n\n3\n", ["row 4", "1 cell,", "2 columns"]),
    "too few cells below blank lines": (b"\n \na,b\n1,2\n\n3\n", ["row 6", "1 cell,"]),
    "too many cells": (b"a,b\n1,2\n3,4,5\n6,7,8\n", ["row 3", "3 cells", "also row 4"]),
    "unclosed quotation mark": (b'a,b\n1,"2\n3,4\n5,6\n', ["row 2", "never closed"]),
    "unclosed quotation mark that joins columns": (b'a,b\n"1,2\n3,4\n', ["row 2", "never closed"]),
    "unclosed quotation mark in the header": (b'a,"b\n' + b"1,2\n" * 60_000, ["row 1", "never closed"]),
    "a column name twice": (b"a,b,a\n1,2,3\n", ["more than once", "'a'"]),
    "a column name twice but for blanks": (b"a, a\n1,2\n", ["more than once", "'a'"]),
    "no header": (b"5.1,3.5\n4.9,3.0\n", ["no header row", "5.1,3.5"]),
    "semicolons": (b"a;b\n1;2\n", ["semicolons", "sep=';'"]),
    "tabs": (b"a\tb\n1\t2\n", ["tabs"]),
    "latin-1": ("a,b\n1,2\nö,3\n".encode("latin-1"), ["row 3", "0xf6", "UTF-8"]),
    "latin-1 in the header": ("ö,b\n1,2\n".encode("latin-1"), ["row 1", "0xf6", "UTF-8"]),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), ["UTF-16", "UTF-8"]),
    "zero bytes": (b"a,b\n1,\0\n", ["zero bytes"]),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ["zero bytes"]),
}


@pytest.mark.parametrize(("content", "fragments"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_csv_is_refused_with_its_name_and_row(tmp_path: Path, content: bytes, fragments: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, content)
    assert all(fragment in str(caught.value) for fragment in ["a.csv", *fragments]), str(caught.value)


@pytest.mark.parametrize(
    ("path", "fragments"),
    [
        ("ap.csv", ["no such file", "Did you mean `app.csv`?"]),
        ("sub/app.csv", ["no such file", "no folder `sub`"]),
        ("zzz.parquet", ["no such file", "That folder holds: app.csv"]),
        ("folder.csv", ["is a folder"]),
        ("app.xlsx", ["no data source that mlproj reads", "`.csv`", "`.parquet`", "sklearn:NAME"]),
        ("sklearn:digit", ["'digit'", "Did you mean `digits`?"]),
        ("sklearn:", ["There are: breast_cancer"]),
        ("bad.parquet", ["no readable Parquet file"]),
        ("bad.csv.gz", ["cannot be read", "gzip"]),
        ("short.csv.gz", ["no complete gzip file"]),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_what_was_meant(
    tmp_path: Path, path: str, fragments: list[str]
) -> None:
    (tmp_path / "app.csv").write_text("a,b\n1,2\n")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"hello, world")
    (tmp_path / "bad.csv.gz").write_bytes(b"hello, world")
    (tmp_path / "short.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 99)[:-12])
    with pytest.raises(InvalidInput) as caught:
        read_source(path, tmp_path)
    assert all(fragment in str(caught.value) for fragment in [path, *fragments]), str(caught.value)


def test_parquet_keeps_types_and_missing_cells(tmp_path: Path) -> None:
    import datetime
    import decimal

    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "whole": pa.array([2**60 + 1, None], pa.int64()),
            "real": pa.array([0.1, None], pa.float64()),
            "truth": pa.array([True, None]),
            "text": pa.array(["a", None]),
            "day": pa.array([datetime.date(2024, 1, 31), None]),
            "price": pa.array([decimal.Decimal("1.50"), None]),
            "kind": pa.array(["x", None]).dictionary_encode(),
            "list": pa.array([[1, 2], None]),
            "nothing": pa.nulls(2),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    frame = read_source("a.parquet", tmp_path).frame
    assert frame.isna().iloc[1].all()
    first = frame.iloc[0]
    assert (first["whole"], first["real"], first["truth"], first["price"]) == (2**60 + 1, 0.1, True, 1.5)
    assert (first["text"], first["kind"], first["list"]) == ("a", "x", "[1, 2]")
    assert first["day"] == pd.Timestamp("2024-01-31")


def test_a_parquet_index_is_a_column_like_any_other(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}, index=pd.Index(["k"], name="key")).to_parquet(tmp_path / "a.parquet")
    assert read_source("a.parquet", tmp_path).frame["key"].tolist() == ["k"]


def test_an_empty_parquet_file_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": pd.Series([], dtype=float)}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InvalidInput, match="has no rows"):
        read_source("a.parquet", tmp_path)


def test_the_built_in_sources_are_the_entry_points_of_the_package() -> None:
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    points = declared["project"]["entry-points"]["mlproj.sources"]
    assert {point.name: point.value for point in registry.BUILT_IN} == points


def test_a_source_of_another_package_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("late", f"{CsvSource.__module__}:CsvSource", registry.GROUP)
    monkeypatch.setattr(registry, "BUILT_IN", registry.BUILT_IN[1:])
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.GROUP else [])
    registry._installed.cache_clear()
    source = find_source("a.csv")
    registry._installed.cache_clear()
    assert isinstance(source, AbstractSource)
    assert isinstance(source, CsvSource)


@pytest.mark.parametrize("width", ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"])
def test_whole_numbers_with_gaps_keep_their_type(width: str) -> None:
    table = pa.table({"n": pa.array([1, None], getattr(pa, width.lower())())})
    assert str(to_pandas(table)["n"].dtype) == width


def test_truths_with_gaps_stay_truths_and_fractions_have_nan() -> None:
    frame = to_pandas(pa.table({"b": [True, None], "x": [0.5, None], "whole": [1, 2]}))
    assert [str(kind) for kind in frame.dtypes] == ["boolean", "float64", "int64"]
