"""Feather, JSON lines, NPZ, folders, globs, functions: read as a whole, in batches, and refused when broken."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data import load_dataset
from mlproj.data.sources import find_source, read_source
from mlproj.errors import InvalidInput
from mlproj.spec.load import make_project

CODE = """
import numpy as np
import pandas as pd

TABLE = pd.DataFrame({"size": range(60), "kind": ["small", "big"] * 30})
NOTHING = 3

def load():
    return TABLE

def pair():
    return TABLE[["size"]], TABLE["kind"]

def arrays():
    return np.arange(120.0).reshape(60, 2), np.arange(60) % 2

class Pairs:
    def __len__(self):
        return 60
    def __getitem__(self, i):
        return np.array([i, i / 2]), i % 2

class Dicts(Pairs):
    def __getitem__(self, i):
        return {"size": i, "kind": "ab"[i % 2]}

def wrong():
    rate = 1
    return rate / 0

def needs(path):
    return TABLE

def text():
    return "a,b"

def nothing():
    return TABLE.head(0)

def uneven():
    return [[1], [2]], [1]

def cube():
    return np.zeros((2, 3, 4)), [0, 1]

def twice():
    return pd.concat([TABLE, TABLE], axis=1)

class Odd(Pairs):
    def __getitem__(self, i):
        return i
"""


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "code": [f"{i:04d}" for i in range(300)],
            "size": rng.normal(size=300).round(3),
            "count": rng.integers(0, 9, 300),
            "ok": rng.random(300) < 0.5,
            "kind": rng.choice(["small", "big"], 300),
        }
    )


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "t.csv": lambda f, p: f.to_csv(p, index=False),
    "t.csv.gz": lambda f, p: f.to_csv(p, index=False),
    "T.CSV": lambda f, p: f.to_csv(p, index=False),
    "t.parquet": lambda f, p: f.to_parquet(p, row_group_size=70),
    "t.feather": lambda f, p: f.to_feather(p, chunksize=70),
    "t.jsonl": lambda f, p: f.to_json(p, orient="records", lines=True),
    "t.jsonl.gz": lambda f, p: f.to_json(p, orient="records", lines=True),
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_table_gives_the_same_deal_in_every_format(frame: pd.DataFrame, tmp_path: Path, name: str) -> None:
    WRITERS[name](frame, tmp_path / name)
    WRITERS["t.csv"](frame, tmp_path / "plain.csv")
    deals = []
    for source in (name, "plain.csv"):
        data = {"source": str(tmp_path / source), "label": "kind", "columns": {"code": "category"}}
        dataset = load_dataset(make_project({"name": "x", "data": data}))
        deals.append({split: sorted(part.ids.tolist()) for split, part in dataset.parts.items()})
    assert deals[0] == deals[1]


@pytest.mark.parametrize("name", [*WRITERS, "many", "many/*.csv"])
def test_batches_joined_are_what_reading_the_whole_gives(frame: pd.DataFrame, tmp_path: Path, name: str) -> None:
    frame.loc[[3, 150], "size"] = np.nan
    (tmp_path / "many").mkdir()
    for i, part in enumerate(np.array_split(np.arange(300), 3)):
        frame.iloc[part].to_csv(tmp_path / "many" / f"{i}.csv", index=False)
    if name in WRITERS:
        WRITERS[name](frame, tmp_path / name)
    whole = read_source(name, tmp_path)
    parts = list(find_source(name).batches(name, tmp_path))
    pd.testing.assert_frame_equal(pd.concat([part.frame for part in parts], ignore_index=True), whole.frame)
    assert np.concatenate([part.rows for part in parts]).tolist() == whole.rows.tolist()


def test_batches_of_some_columns_hold_these_alone(frame: pd.DataFrame, tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        write(frame, tmp_path / name)
        [columns] = {
            tuple(part.frame.columns) for part in find_source(name).batches(name, tmp_path, columns=["kind", "code"])
        }
        assert set(columns) == {"code", "kind"}
        with pytest.raises(InvalidInput, match=r"has no column 'kid'[\s\S]*Did you mean `kind`"):
            list(find_source(name).batches(name, tmp_path, columns=["kid"]))


def test_blank_lines_are_counted_in_batches_too(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\n\na,b\n1,2\n\n3,4\n")
    whole = read_source("t.csv", tmp_path)
    [batch] = find_source("t.csv").batches("t.csv", tmp_path)
    assert batch.rows.tolist() == whole.rows.tolist()


def test_an_archive_of_arrays_becomes_columns_and_brings_its_label(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.arange(120.0).reshape(60, 2), age=np.arange(60), y=np.array(["a", "b"] * 30))
    reading = read_source("a.npz", tmp_path)
    assert list(reading.frame.columns) == ["x0", "x1", "age", "y"]
    assert reading.label == "y"
    assert load_dataset(make_project({"name": "x", "data": {"source": str(tmp_path / "a.npz")}})).target.classes == (
        ("a", "b"),
    )


@pytest.mark.parametrize(
    ("name", "columns", "label"),
    [
        ("load", ["size", "kind"], None),
        ("pair", ["size", "kind"], "kind"),
        ("arrays", ["x0", "x1", "y"], "y"),
        ("Pairs", ["x0", "x1", "y"], "y"),
        ("Dicts", ["size", "kind"], None),
    ],
)
def test_a_function_returns_the_table(tmp_path: Path, name: str, columns: list[str], label: str | None) -> None:
    (tmp_path / f"tables_{name}.py").write_text(CODE)
    reading = read_source(f"python:tables_{name}:{name}", tmp_path)
    assert (list(reading.frame.columns), reading.label, len(reading.frame)) == (columns, label, 60)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong", r"fails: broken_\d+.py line \d+: ZeroDivisionError: division by zero"),
        ("needs", "needs arguments: path"),
        ("text", "returned a str[\\s\\S]*Return a DataFrame"),
        ("nothing", "returned no rows"),
        ("uneven", "returned 2 rows of X and 1 of y"),
        ("cube", r"an X of the shape \(2, 3, 4\)"),
        ("twice", "returned the column 'size' more than once"),
        ("Odd", "holds an int per example"),
        ("NOTHING", "is an int, no function"),
        ("laod", r"has no 'laod'[\s\S]*Did you mean `broken_\d+:load`"),
    ],
)
def test_a_function_that_goes_wrong_is_named_by_its_own_line(tmp_path: Path, name: str, message: str) -> None:
    module = f"broken_{abs(hash(name)) % 10**8}"
    (tmp_path / f"{module}.py").write_text(CODE)
    with pytest.raises(InvalidInput, match=message):
        read_source(f"python:{module}:{name}", tmp_path)


def test_a_module_that_is_not_there_or_does_not_compile_is_said(tmp_path: Path) -> None:
    (tmp_path / "my_tables.py").write_text("def load(:\n")
    with pytest.raises(InvalidInput, match=r"importing my_tables fails: my_tables.py line 1: SyntaxError"):
        read_source("python:my_tables:load", tmp_path)
    with pytest.raises(InvalidInput, match=r"no module 'my_table'[\s\S]*Did you mean `my_tables:load`"):
        read_source("python:my_table:load", tmp_path)
    with pytest.raises(InvalidInput, match=r"'my_tables' names no function[\s\S]*package.module:name"):
        read_source("python:my_tables", tmp_path)


def test_the_import_path_is_as_before_afterwards(tmp_path: Path) -> None:
    import sys

    (tmp_path / "tables_path.py").write_text(CODE)
    before = list(sys.path)
    read_source("python:tables_path:load", tmp_path)
    assert sys.path == before


def test_messages_name_the_file_and_row_within_a_folder(frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    frame.head(150).to_csv(tmp_path / "parts" / "a.csv", index=False)
    text = frame.tail(150).astype({"size": object})
    text.iloc[4, 1] = "huge"
    text.to_csv(tmp_path / "parts" / "b.csv", index=False)
    (tmp_path / "parts" / ".hidden.csv").write_text("x\n1\n")
    (tmp_path / "parts" / "notes.txt").write_text("no data")
    data = {"source": str(tmp_path / "parts"), "label": "kind", "columns": {"size": "number"}}
    with pytest.raises(InvalidInput, match=r"b.csv row 6 holds 'huge', which is no number"):
        load_dataset(make_project({"name": "x", "data": data}))


def _zip_of_objects(path: Path) -> None:
    np.savez(path, a=np.array([{}, []], dtype=object))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.feather": (lambda p: p.write_bytes(b""), "is no readable Feather file"),
    "text.feather": (lambda p: p.write_text("a,b\n1,2\n"), "is no readable Feather file"),
    "norows.feather": (lambda p: pd.DataFrame({"a": []}).to_feather(p), "has no rows"),
    "norows.parquet": (lambda p: pd.DataFrame({"a": []}).to_parquet(p), "has no rows"),
    "empty.jsonl": (lambda p: p.write_text("\n\n"), "has no rows"),
    "array.jsonl": (lambda p: p.write_text("[1, 2]\n"), "row 1: holds a list, not an object"),
    "torn.jsonl": (lambda p: p.write_text('{"a": 1}\n{"a": \n'), "row 2: is no JSON"),
    "whole.jsonl": (
        lambda p: p.write_text(json.dumps([{"a": 1}], indent=1)),
        "row 1: is no JSON[\\s\\S]*one object per line",
    ),
    "latin.jsonl": (lambda p: p.write_bytes(b'{"a": "\xe4"}\n'), "row 1: is not UTF-8"),
    "torn.jsonl.gz": (lambda p: p.write_bytes(gzip.compress(b'{"a": 1}\n' * 99)[:-9]), "is no complete gzip file"),
    "plain.csv.gz": (lambda p: p.write_text("a,b\n1,2\n"), "cannot be read: it is no gzip file"),
    "text.npz": (lambda p: p.write_text("a"), "is no NPZ file"),
    "objects.npz": (_zip_of_objects, "never unpickled"),
    "uneven.npz": (lambda p: np.savez(p, a=np.arange(3), b=np.arange(4)), "arrays of different lengths: a 3, b 4"),
    "cube.npz": (lambda p: np.savez(p, a=np.zeros((2, 2, 2))), r"array 'a' has the shape \(2, 2, 2\)"),
    "complex.npz": (lambda p: np.savez(p, a=np.zeros(3, complex)), "holds complex128"),
    "none.npz": (np.savez, "holds no array"),
    "zero.npz": (lambda p: np.savez(p, a=np.zeros(0)), "has no rows"),
    "twice.npz": (lambda p: np.savez(p, X=np.zeros((2, 2)), x0=np.zeros(2)), "makes the column 'x0' twice"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_whole_and_in_batches(tmp_path: Path, name: str) -> None:
    write, message = BROKEN[name]
    write(tmp_path / name)
    with pytest.raises(InvalidInput, match=message):
        read_source(name, tmp_path)
    with pytest.raises(InvalidInput, match=message):
        list(find_source(name).batches(name, tmp_path))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nothing", "there is no such file or folder"),
        ("empty", "holds no file"),
        ("pictures", r"is a folder of pictures \(cat.jpg\); these are not read yet"),
        ("mixed", r"mixed/b.csv: has no column 'b', 'c', unlike mixed/a.csv|has no column"),
        ("texts", "holds no data file"),
        ("mixed/*.parquet", r"matches no file[\s\S]*a.csv"),
        ("noending", "kind cannot be told by its name"),
        ("a.xlsx", "is no data source that mlproj reads[\\s\\S]*`.feather` files"),
    ],
)
def test_a_folder_or_glob_that_gives_no_table_says_why(tmp_path: Path, path: str, message: str) -> None:
    for folder in ("empty", "pictures", "mixed", "texts"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pictures" / "cat.jpg").write_bytes(b"")
    (tmp_path / "mixed" / "a.csv").write_text("a,b,c\n1,2,3\n")
    (tmp_path / "mixed" / "b.csv").write_text("a,d\n1,2\n")
    (tmp_path / "texts" / "a.txt").write_text("x")
    (tmp_path / "noending").write_text("x")
    with pytest.raises(InvalidInput, match=message):
        read_source(path, tmp_path)


def _batches_equal_the_whole(path: str, root: Path) -> bool:
    whole, parts = read_source(path, root), list(find_source(path, root).batches(path, root))
    pd.testing.assert_frame_equal(pd.concat([part.frame for part in parts], ignore_index=True), whole.frame)
    assert {tuple(part.frame.dtypes) for part in parts} == {tuple(whole.frame.dtypes)}
    return np.concatenate([part.rows for part in parts]).tolist() == whole.rows.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "a\n1\n\n  \n2\n",
        "\n\na,b\n1,2\n\n3,4\n",
        "a,b\r1,2\r\r3,4\r",
        f'a,b\n1,x\n\n2,"{"z" * 200_000}"\n3,y\n',
        "a,b\n1,x\n2," + '"' + "z\n" * 1_500_000 + '"' + "\n3,y\n",
        "a,b\n" + "1,2\n" * 600_000,
    ],
    ids=["blank cells", "blank lines", "old line ends", "a long cell", "a cell longer than a block", "many blocks"],
)
def test_batches_of_odd_text_keep_cells_and_row_numbers(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert _batches_equal_the_whole("t.csv", tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "t.csv row 3: has 3 cells, but the header names 2 columns"),
        ("t.csv", b'a,b\n1,2\n3,"x\n5,6\n', "t.csv row 3: opens a quotation mark that is never closed"),
        ("t.csv", b"a,b\n" + b"1,2\n" * 300_000 + b"1,\0\n", "holds zero bytes"),
        ("t.csv", b"a,b\n1,2\n1,\xe4\n", "t.csv row 3: holds byte 0xe4, which is not UTF-8"),
        ("t.csv", gzip.compress(b"a\n1\n"), r"is compressed with gzip[\s\S]*Call it t.csv.gz"),
        ("t.jsonl", b'{"a": "\\ud800"}\n', "t.jsonl row 1: holds half a character"),
        ("t.jsonl", b"{}\n{}\n", r"has no columns[\s\S]*in each line"),
        ("t.npz", b"PK\x05\x06" + bytes(18), "holds no array"),
    ],
)
def test_what_breaks_a_file_is_named_whole_and_in_batches(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    for read in (read_source, lambda path, root: list(find_source(path).batches(path, root))):
        with pytest.raises(InvalidInput, match=message):
            read(name, tmp_path)


def test_nested_json_stays_json(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": [1, 2.5, null], "b": 1.50}\n')
    assert read_source("t.jsonl", tmp_path).frame.iloc[0].tolist() == ["[1, 2.5, null]", "1.50"]


def test_typed_files_of_a_folder_meet_in_one_type(tmp_path: Path) -> None:
    for i, a in enumerate((pd.array([1, 2], "int64"), pd.array([1, None], "Int64"))):
        pd.DataFrame(
            {"a": a, "n": [None, None], "when": pd.Series(["2024-01-01", None], dtype="datetime64[us]")}
        ).to_parquet(tmp_path / f"{i}.parquet")
    assert _batches_equal_the_whole("*.parquet", tmp_path)
    assert str(read_source("*.parquet", tmp_path).frame["a"].dtype) == "Int64"
    (tmp_path / "2.csv").write_text("a,n,when\nx,,2024-02-01\n")
    assert _batches_equal_the_whole("[0-9].*", tmp_path)


@pytest.mark.parametrize(
    ("path", "rows"), [("q/*.csv", 1), ("q/**", 2), ("q/**/*.csv", 2), ("s.parquet", 2), ("v1.2", 1), ("d[1].csv", 1)]
)
def test_hidden_files_stay_hidden_and_folders_may_be_called_like_files(tmp_path: Path, path: str, rows: int) -> None:
    for folder in ("q/sub", "q/.ipynb_checkpoints", "s.parquet", "v1.2"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("q/a.csv", "q/sub/b.csv", "q/.ipynb_checkpoints/a.csv", "q/.c.csv", "v1.2/a.csv", "d[1].csv"):
        (tmp_path / file).write_text("a\n1\n")
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "s.parquet" / "part-0.parquet")
    assert len(read_source(path, tmp_path).rows) == rows


def test_what_a_folder_leaves_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "a.csv").write_text("a\n1\n")
    (tmp_path / "q" / "notes.txt").write_text("")
    assert read_source("q", tmp_path).notes == ("q: 1 data file is read, 1 other file left out (notes.txt).",)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("q", r"holds data files in sub-folders too: sub/b.csv[\s\S]*q/\*.csv for its own"),
        ("q/**.csv", r"is no glob[\s\S]*Write `\*\*` between slashes"),
        ("qq", "Did you mean `q`"),
        ("q/[z]*.csv", r"matches no file[\s\S]*q holds: a.csv"),
    ],
)
def test_a_path_of_many_files_that_is_not_clear_is_refused(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "q" / "sub").mkdir(parents=True)
    for file in ("q/a.csv", "q/sub/b.csv"):
        (tmp_path / file).write_text("a\n1\n")
    with pytest.raises(InvalidInput, match=message):
        read_source(path, tmp_path)


def test_all_broken_files_of_a_folder_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "q").mkdir()
    for name, text in {"a": "a,b\n1,2\n", "b": "a,b\n1\n", "c": "", "d": "a,c\n1,2\n"}.items():
        (tmp_path / "q" / f"{name}.csv").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_source("q", tmp_path)
    assert [problem.where for problem in caught.value.problems] == ["q/b.csv row 2", "q/c.csv", "q/d.csv"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.array([b"\xff"])}, "array 'a' holds bytes that are no UTF-8"),
        ({"a": np.zeros((3, 0))}, r"array 'a' has the shape \(3, 0\)"),
        ({"a": np.array(3.0)}, r"array 'a' has the shape \(\)"),
        ({"a": np.zeros(2, "m8[s]")}, "array 'a' holds timedelta64"),
    ],
)
def test_arrays_that_are_no_columns_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InvalidInput, match=message):
        read_source("a.npz", tmp_path)


def test_arrays_of_other_machines_and_widths_become_plain_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(2, dtype=">f8"), b=np.arange(2, dtype="f2"), y=np.ones((2, 1)))
    reading = read_source("a.npz", tmp_path)
    assert (reading.frame.dtypes.astype(str).tolist(), reading.label) == (["float64", "float32", "float64"], "y")


ODD = """
import numpy as np, pandas as pd
def cat(): return pd.DataFrame({"a": [1], "y": pd.Categorical(["b"])})
def indexed(): return pd.DataFrame({"a": [1], "y": ["b"]}).set_index("y")
def arrow(): return pd.DataFrame({"a": [1]}).convert_dtypes(dtype_backend="pyarrow")
def prints(): print("HELLO"); return pd.DataFrame({"a": [1]})
def exits(): raise SystemExit(3)
def ragged(): return [[1, 2], [3]], [0, 1]
def images(): return pd.DataFrame({"a": [np.zeros(3)]})
def turned(): return pd.DataFrame({"a": [1j]})
def same(): return pd.DataFrame([[1, 2]], columns=[1, "1"])
"""


@pytest.mark.parametrize(
    ("name", "types"),
    [("cat", ["int64", "str"]), ("indexed", ["str", "int64"]), ("arrow", ["int64"]), ("prints", ["int64"])],
)
def test_frames_of_odd_types_become_plain_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, types: list[str]
) -> None:
    (tmp_path / "odd_tables.py").write_text(ODD)
    assert read_source(f"python:odd_tables:{name}", tmp_path).frame.dtypes.astype(str).tolist() == types
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("odd_tables:exits", "fails: odd_tables.py line 7: SystemExit: 3"),
        ("odd_tables:ragged", "returned rows of X that are not equally long"),
        ("odd_tables:images", "returned an array in each cell of column 'a'"),
        ("odd_tables:turned", "returned complex numbers in column 'a'"),
        ("odd_tables:same", "returned the column '1' more than once"),
        ("odd_tables.py:cat", r"is no name of a module[\s\S]*Write it as odd_tables:cat"),
        ("./odd_tables.py:cat", r"is no name of a module[\s\S]*Write it as odd_tables:cat"),
    ],
)
def test_what_a_function_cannot_mean_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "odd_tables.py").write_text(ODD)
    with pytest.raises(InvalidInput, match=message):
        read_source(f"python:{name}", tmp_path)


def test_two_projects_may_call_their_modules_alike(tmp_path: Path) -> None:
    for n in (1, 2):
        (tmp_path / str(n)).mkdir()
        code = f"import pandas as pd\ndef load(): return pd.DataFrame({{'a': [{n}]}})\n"
        (tmp_path / str(n) / "twin_tables.py").write_text(code)
    frames = [read_source("python:twin_tables:load", tmp_path / str(n)).frame for n in (1, 2)]
    assert [frame["a"].tolist() for frame in frames] == [[1], [2]]
