"""A table that is dealt without its features is dealt as the whole table is, whatever the deal looks at."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data import deal_project, load_dataset
from mlproj.data.slim import is_large
from mlproj.errors import InvalidInput
from mlproj.spec.load import make_project
from mlproj.spec.project import Project


def make(tmp_path: Path, changes: dict[str, Any], *, splits: dict[str, Any] | None = None) -> Project:
    rng = np.random.default_rng(1)
    n = 400
    frame = pd.DataFrame(
        {
            "uid": [f"u{i:03d}" for i in range(n)], "user": rng.integers(0, 90, n), "x": rng.normal(size=n).round(2),
            "when": pd.date_range("2024-01-01", periods=n, freq="6h").astype(str), "kind": rng.choice(["a", "b"], n),
            "fold": rng.choice(["train", "dev", "test", ""], n),
            "y": rng.choice(["no", "yes", ""], n, p=[0.6, 0.3, 0.1]),
        }
    )  # fmt: skip
    frame.loc[10:19, ["x", "when", "kind", "user", "uid"]] = frame.loc[
        0:9, ["x", "when", "kind", "user", "uid"]
    ].to_numpy()
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.sample(100, random_state=0).assign(uid=lambda f: "e" + f.uid).to_csv(tmp_path / "extra.csv", index=False)
    data = {"source": "t.csv", "label": "y", "exclude": ["uid", "fold"]} | changes
    content = {"name": "slim", "data": data} | ({"splits": splits} if splits else {})
    return make_project(content, tmp_path / "project.yaml")


CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "plain": ({}, None),
    "group": ({"group": "user"}, None),
    "time": ({"time": "when"}, None),
    "where": ({"source": {"path": "t.csv", "where": "kind == 'a'"}}, None),
    "extra": ({"extra": ["extra.csv"]}, None),
    "column": ({}, {"column": "fold"}),
    "sizes": ({}, {"dev": 50, "test": 30, "stratify": False}),
    "numbers": ({"label": "x", "exclude": ["fold"]}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_deal_is_the_one_that_training_makes(tmp_path: Path, case: str) -> None:
    changes, splits = CASES[case]
    project = make(tmp_path, changes, splits=splits)
    slim = deal_project(project, store=tmp_path / "slim")
    whole = load_dataset(project, store=tmp_path / "whole").deal
    assert slim.ids.tolist() == whole.ids.tolist()
    assert slim.split.tolist() == whole.split.tolist()
    assert slim.digest == whole.digest
    assert slim.sources == whole.sources


def test_training_goes_on_with_a_deal_that_was_made_without_features(tmp_path: Path) -> None:
    project = make(tmp_path, {})
    slim = deal_project(project, store=tmp_path / "slim")
    frame = pd.read_csv(tmp_path / "t.csv", dtype=str)
    frame.assign(more=range(len(frame))).sample(frac=1, random_state=3).to_csv(tmp_path / "t.csv", index=False)
    changed = make_project(project.model_dump(mode="json"), tmp_path / "project.yaml")
    again = load_dataset(changed, store=tmp_path / "slim").deal
    places = [
        {(i.partition("#")[0], s) for i, s in zip(deal.ids, deal.split, strict=True) if s} for deal in (again, slim)
    ]
    assert places[0] == places[1]
    assert deal_project(changed, store=tmp_path / "slim").digest == slim.digest


def test_repeated_and_missing_ids_are_refused_by_file_and_row(tmp_path: Path) -> None:
    project = make(tmp_path, {"id": "uid", "exclude": ["fold"]})
    with pytest.raises(
        InvalidInput, match=r"data.id: 10 ids of 'uid' occur more than once: 'u000' in t.csv row 2, t.csv row 12"
    ):
        deal_project(project, store=tmp_path / "slim")
    assert not (tmp_path / "slim").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "z"}, "data.label: there is no column 'z'"),
        ({"group": "person"}, "data.group.*'person'"),
        ({"source": {"path": "t.csv", "where": "kind == 'z'"}}, "keeps no row of t.csv"),
        ({"source": {"path": "t.csv", "where": "colour == 'z'"}}, "there is no column 'colour'"),
        ({"source": "u.csv"}, "data.source: u.csv: there is no such file"),
    ],
)
def test_what_cannot_be_dealt_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        deal_project(make(tmp_path, changes), store=tmp_path / "slim")


def test_size_decides_whether_features_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make(tmp_path, {})
    assert not is_large(project)
    monkeypatch.setattr("mlproj.data.slim.LARGE", 1000)
    assert is_large(project)


def typed(tmp_path: Path, name: str, n: int, seed: int, **types: str) -> None:
    rng = np.random.default_rng(seed)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**11, n), unit="us")
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n).astype(np.float32), "count": pd.array([*range(n - 1), None], "Int64"),
            "when": when, "ok": rng.random(n) < 0.5, "user": rng.integers(0, n // 4, n), "y": rng.integers(0, 2, n),
        }
    ).astype(types)  # fmt: skip
    frame.to_parquet(tmp_path / f"{name}.parquet", row_group_size=60)
    frame.to_feather(tmp_path / f"{name}.feather", chunksize=60)
    frame.to_csv(tmp_path / f"{name}.csv", index=False)
    np.savez(tmp_path / f"{name}.npz", x=frame["x"].to_numpy(), user=frame["user"].to_numpy(), y=frame["y"].to_numpy())


@pytest.mark.parametrize(
    "data",
    [
        {"source": "a.parquet", "label": "y"},
        {"source": "a.feather", "label": "y", "time": "when"},
        {"source": "a.parquet", "label": "y", "group": "user"},
        {"source": {"path": "a.parquet", "where": "when > '2024-01-01T06:00' and ok"}, "label": "y"},
        {"source": "a.parquet", "label": "y", "extra": ["b.parquet"]},
        {"source": "a.parquet", "label": "y", "extra": ["b.csv"]},
        {"source": ["a.csv", "b.feather"], "label": "y", "time": "when"},
        {"source": ["a.parquet", {"path": "b.csv", "where": "count > 20"}], "label": "ok", "exclude": ["y"]},
        {"source": "[ab].parquet", "label": "x"},
        {"source": "?.parquet", "label": "y", "extra": [{"path": "?.csv", "where": "ok == True"}]},
        {"source": "a.npz"},
    ],
)
def test_typed_columns_are_dealt_as_training_deals_them(tmp_path: Path, data: dict[str, Any]) -> None:
    typed(tmp_path, "a", 200, 1)
    typed(tmp_path, "b", 150, 2, x="float64")
    project = make_project({"name": "typed", "data": data}, tmp_path / "project.yaml")
    slim = deal_project(project, store=tmp_path / "slim")
    whole = load_dataset(project, store=tmp_path / "whole").deal
    assert slim.digest == whole.digest
    assert (slim.ids.tolist(), slim.split.tolist()) == (whole.ids.tolist(), whole.split.tolist())
    assert load_dataset(project, store=tmp_path / "slim").deal.digest == slim.digest


def test_a_where_is_judged_by_the_whole_column_not_by_a_batch(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": ["none"] * 80 + [str(i) for i in range(80)], "y": ["a", "b"] * 80})
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=80)
    data = {"source": {"path": "t.parquet", "where": "x > 3"}, "label": "y", "columns": {"x": "category"}}
    project = make_project({"name": "x", "data": data}, tmp_path / "project.yaml")
    assert len(deal_project(project, store=tmp_path / "slim").ids) == 76


def test_a_part_that_lacks_a_feature_is_refused_before_anything_is_dealt(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("user,when,y\n1,2024-01-01,no\n")
    with pytest.raises(InvalidInput, match=r"data.extra.0: b.csv has no columns 'uid', 'x', 'kind'"):
        deal_project(make(tmp_path, {"extra": ["b.csv"], "exclude": ["fold"]}), store=tmp_path / "slim")
    assert not (tmp_path / "slim").exists()


def test_a_function_is_called_once(tmp_path: Path) -> None:
    code = "import numpy as np\nn = []\ndef load():\n    n.append(1)\n    return np.arange(99.0), np.arange(99) % 2\n"
    (tmp_path / "counted_slim.py").write_text(code)
    project = make_project({"name": "x", "data": {"source": "python:counted_slim:load"}}, tmp_path / "project.yaml")
    deal_project(project, store=tmp_path / "slim")
    from sys import modules

    assert modules["counted_slim"].n == [1]
