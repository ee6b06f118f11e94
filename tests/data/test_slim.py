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
