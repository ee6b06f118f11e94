"""`project.data(...)`: the data for a loop of one's own, in the splits that training uses."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlproj
from mlproj.data import load_dataset
from mlproj.errors import InvalidInput, SealedSplit
from mlproj.spec.data import Data
from mlproj.spec.project import Project
from mlproj.workflow.train import Trained


@pytest.fixture
def project(home: Path) -> Project:
    return mlproj.load_project(home)


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """A project with a column of every kind, an id, an excluded and an ignored column."""
    n = 120
    frame = pd.DataFrame(
        {
            "key": [f"{i:04d}" for i in range(n)],
            "age": [f"{i}.5" if i % 7 else "" for i in range(n)],
            "member": ["yes", "no"] * (n // 2),
            "since": pd.date_range("2020-01-01", periods=n).astype(str),
            "zip": [f"0{i % 5}" for i in range(n)],
            "reason": "secret",
            "mail": "a@b",
            "left": np.arange(n) % 2,
        }
    )
    frame.to_csv(tmp_path / "shop.csv", index=False)
    (tmp_path / "project.yaml").write_text(
        "name: shop\ndata: {source: shop.csv, label: left, id: key, columns: {zip: category, mail: ignore}, "
        "exclude: [reason]}\n",
        encoding="utf-8",
    )
    return mlproj.load_project(tmp_path)


def test_a_table_has_the_ids_and_labels_that_training_uses(trained: Trained, project: Project) -> None:
    for split in ("train", "train_dev", "dev"):
        table, part = project.data(split), trained.fit.predictions.part(split)
        assert table.index.tolist() == part.ids.tolist()
        assert table["kind"].tolist() == [part.answers.classes[code] for code in part.answers.y_true]


def test_columns_come_as_what_they_are_and_only_features_and_the_label(shop: Project) -> None:
    table = shop.data("train")
    assert table.columns.tolist() == ["age", "member", "since", "zip", "left"]
    kinds = {name: table[name].dtype.kind for name in ("age", "member", "since", "left")}
    assert kinds == {"age": "f", "member": "b", "since": "M", "left": "i"}
    row = table.loc["0021"] if "0021" in table.index else table.iloc[0]
    assert row["zip"].startswith("0")
    assert (row["since"] - pd.Timestamp("2020-01-01")).days == int(str(row.name))


def test_missing_cells_stay_missing(shop: Project) -> None:
    table = shop.data("train")
    assert table.index[table["age"].isna()].astype(int).to_numpy() % 7 == pytest.approx(0)


def test_encoded_arrays_are_what_the_model_sees(trained: Trained, project: Project) -> None:
    x, y = project.data("train", encoded=True)
    assert (x.dtype, x.shape[0]) == (np.float32, len(trained.fit.predictions.part("train")))
    assert y.tolist() == trained.fit.predictions.part("train").answers.y_true.tolist()
    assert np.allclose(x[:, :5].mean(axis=0), 0, atol=1e-4)


def test_the_first_call_deals_the_splits_for_good(shop: Project) -> None:
    ids = shop.data("dev").index.tolist()
    assert ids == load_dataset(shop, store=shop.root / "mlruns" / "splits").parts["dev"].ids.tolist()
    assert list((shop.root / "mlruns" / "splits").iterdir())


def test_the_test_set_is_sealed_before_anything_is_read(tmp_path: Path) -> None:
    project = Project(name="nowhere", data=Data(source="missing.csv", label="y"))
    with pytest.raises(SealedSplit, match=r"sealed.*project\.data\('dev'\).*mlproj evaluate --split test"):
        project.data("test")
    assert issubclass(SealedSplit, mlproj.InputError)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("valid", r"split: 'valid' is no split\n  Did you mean 'dev'\? Name train, train_dev or dev"),
        ("trian", r"'trian' is no split\n  Did you mean 'train'"),
        ("everything", r"'everything' is no split\n  Name train, train_dev or dev"),
        ("train_dev", r"split: shop has no train_dev\n  It has train and dev; test is sealed"),
    ],
)
def test_other_names_are_refused_with_the_list(shop: Project, split: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        shop.data(split)


def test_every_copy_of_a_project_loads_its_own_data(shop: Project) -> None:
    fewer = shop.data.model_copy(update={"exclude": ("reason", "zip")})
    for copied in (shop.changed(data=fewer), shop.model_copy(update={"data": fewer})):
        assert "zip" not in copied.data("train").columns
    for same in (copy.deepcopy(shop), pickle.loads(pickle.dumps(shop)), shop.located(shop._origin)):
        assert same.data("dev").index.tolist() == shop.data("dev").index.tolist()


def test_the_project_behind_the_data_makes_no_difference_to_them(shop: Project) -> None:
    alone = Data(**shop.data.model_dump())
    assert alone == shop.data
    assert repr(alone) == repr(shop.data)
    assert alone.model_dump_json() == shop.data.model_dump_json()
    assert mlproj.load_project(shop.root) == shop == shop.changed()


def test_data_without_a_project_say_what_to_call() -> None:
    with pytest.raises(TypeError, match=r"belong to no project yet; call .*project\.data\('train'\)"):
        Data(source="a.csv", label="y")("train")


def test_labels_keep_their_names_and_kinds(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": range(60), "yes": [True, False, False] * 20, "price": np.arange(60) * 1.5})
    frame.to_csv(tmp_path / "d.csv", index=False)
    asked = {"yes": "bool", "price": "float64"}
    for label, dtype in asked.items():
        project = Project(name="p", data=Data(source=str(tmp_path / "d.csv"), label=label))
        assert str(project.data("dev")[label].dtype) == dtype


def test_a_data_set_of_the_users_own_comes_as_a_subset_with_ids(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "class Own:\n"
        "    def __len__(self): return 60\n"
        "    def __getitem__(self, i): return [float(i), i % 7.0], i % 2\n"
        "def make(): return Own()\n"
    )
    (tmp_path / "project.yaml").write_text("name: own\ndata: {source: 'python:own:make'}\n")
    project = mlproj.load_project(tmp_path)
    subset, (_, y) = project.data("dev"), project.data("dev", encoded=True)
    assert [label for _, label in subset] == y.tolist()
    assert subset.ids.tolist() == load_dataset(project, store=tmp_path / "mlruns" / "splits").parts["dev"].ids.tolist()


def test_text_cells_are_kept_as_they_stand(tmp_path: Path) -> None:
    notes = [f"a note of {i} words, Ünïcode" for i in range(60)]
    pd.DataFrame({"note": notes, "y": [0, 1] * 30}).to_csv(tmp_path / "d.csv", index=False)
    data = Data(source=str(tmp_path / "d.csv"), label="y", columns={"note": "text"})
    assert set(Project(name="p", data=data).data("train")["note"]) <= set(notes)
