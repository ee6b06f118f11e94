"""A predictions file of another tool inside a project: what such tools write is understood, or named for what it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlproj
from mlproj.errors import InvalidInput
from mlproj.metrics import measure
from mlproj.workflow.lookup import Foreign, read_foreign

Change = Callable[[pd.DataFrame], pd.DataFrame]


def make(folder: Path, spec: str = "", label: str = "left") -> pd.DataFrame:
    """A project of 200 customers in `folder`; returns its table with ids and splits."""
    rng = np.random.default_rng(0)
    n = 200
    frame = pd.DataFrame({"code": [f"{i:05d}" for i in range(n)], "x": rng.normal(size=n), "shop": np.arange(n) // 2})
    frame["left"] = np.where(frame["x"] > 0.5, "yes", "no")
    frame["price"] = frame["x"] * 10
    frame["w"] = 1 + np.arange(n) % 2
    frame.to_csv(folder / "data.csv", index=False)
    others = ", ".join({"left", "price", "w"} - {label})
    text = f"name: shop\ndata: {{source: data.csv, label: {label}, id: code, exclude: [{others}]{spec}}}\n"
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    mlproj.split(folder, out=folder / "splits.csv")
    return pd.read_csv(folder / "splits.csv", dtype=str).merge(frame, left_on="id", right_on="code")


OWN = ["x", "w", "code", "left", "price", "shop", "split"]
"""Columns of the table that no other tool would write."""


def read(folder: Path, table: pd.DataFrame, *, decimal: str = ".") -> Foreign:
    """The file as another tool would write it; a decimal comma comes with semicolons and a byte order mark."""
    sep, encoding = (",", "utf-8") if decimal == "." else (";", "utf-8-sig")
    table.to_csv(folder / "keras.csv", index=False, sep=sep, decimal=decimal, encoding=encoding)
    return read_foreign(folder / "keras.csv", mlproj.load_project(folder))


def error_of(found: Foreign) -> float:
    return measure(["error"], found.predictions.labels)["error"]


def test_truth_split_and_order_come_from_the_project(tmp_path: Path) -> None:
    table = make(tmp_path)
    found = read(tmp_path, table.sample(frac=1, random_state=3).assign(y_pred=lambda f: f.left)[["id", "y_pred"]])
    assert error_of(found) == 0
    assert found.left_aside == (table["split"] == "test").sum()
    assert set(found.predictions.splits) == {"train", "dev"}


@pytest.mark.parametrize(
    "spell",
    [
        lambda left: left.str.upper(),
        lambda left: left.map({"yes": "1", "no": "0"}),
        lambda left: left.map({"yes": "1.0", "no": "0.0"}),
        lambda left: left.map({"yes": "True", "no": "False"}),
        lambda left: " " + left + " ",
    ],
)
def test_other_spellings_of_the_same_classes_are_understood(
    tmp_path: Path, spell: Callable[["pd.Series[str]"], "pd.Series[str]"]
) -> None:
    table = make(tmp_path)
    assert error_of(read(tmp_path, table.assign(y_pred=spell(table["left"]))[["id", "y_pred"]])) == 0


@pytest.mark.parametrize("column", ["p_yes", "p_1", "p_YES"])
def test_one_probability_is_enough(tmp_path: Path, column: str) -> None:
    table = make(tmp_path)
    found = read(tmp_path, table.assign(**{column: np.where(table.left == "yes", 0.9, 0.2)})[["id", column]])
    assert error_of(found) == 0
    assert found.predictions.answers.classes == ("no", "yes")


def test_a_lone_probability_of_a_class_without_an_opposite_word_means_the_other_class(tmp_path: Path) -> None:
    table = make(tmp_path).replace({"left": {"yes": "gone", "no": "stays"}})
    pd.read_csv(tmp_path / "data.csv", dtype=str).replace({"left": {"yes": "gone", "no": "stays"}}).to_csv(
        tmp_path / "data.csv", index=False
    )
    found = read(tmp_path, table.assign(p_gone=np.where(table.left == "gone", 0.9, 0.2))[["id", "p_gone"]])
    assert error_of(found) == 0


def test_what_a_spreadsheet_writes_is_read(tmp_path: Path) -> None:
    table = make(tmp_path)
    table["p_yes"] = np.where(table.left == "yes", 0.9, 0.2)
    found = read(tmp_path, table[["id", "p_yes"]], decimal=",")
    assert error_of(found) == 0


def test_the_projects_name_for_the_id_will_do_and_further_columns_are_carried(tmp_path: Path) -> None:
    table = make(tmp_path)
    found = read(tmp_path, table.assign(y_pred=table.left, camera="a7")[["code", "y_pred", "camera"]])
    assert error_of(found) == 0
    assert set(found.predictions.more) == {"camera"}


def test_weights_and_groups_of_the_project_count(tmp_path: Path) -> None:
    table = make(tmp_path, ", group: shop, weight: {column: w}")
    found = read(tmp_path, table.assign(y_pred="no", weight=1.0)[["id", "y_pred", "weight"]])
    weights = dict(zip(table["id"], table["w"], strict=True))
    assert found.predictions.weight is not None
    assert found.predictions.weight.tolist() == [weights[name] for name in found.predictions.ids.tolist()]
    assert found.predictions.group is not None


def test_numbers_are_held_against_numbers_whatever_they_look_like(tmp_path: Path) -> None:
    table = make(tmp_path, label="price")
    found = read(tmp_path, table.assign(y_pred=1)[["id", "y_pred"]])
    dev = found.predictions.part("dev").answers
    assert not dev.is_classification
    assert measure(["mae"], dev)["mae"] == pytest.approx(np.abs(dev.y_true - 1).mean())


def test_the_threshold_of_the_project_is_taken_where_only_probabilities_are_given(tmp_path: Path) -> None:
    table = make(tmp_path)
    with (tmp_path / "project.yaml").open("a", encoding="utf-8") as file:
        file.write("metric: {threshold: 0.15}\n")
    found = read(tmp_path, table.assign(p_yes=np.where(table.left == "yes", 0.2, 0.1))[["id", "p_yes"]])
    assert error_of(found) == 0
    assert found.notes == ("Probabilities are answered at threshold 0.15, as metric.threshold says.",)


def test_few_labels_that_differ_are_said_and_the_projects_count(tmp_path: Path) -> None:
    table = make(tmp_path)
    old = table["left"].where(np.arange(len(table)) > 2, "yes")
    old[0] = "no" if table["left"][0] == "yes" else "yes"
    table = table[table["split"] != "test"]
    found = read(tmp_path, table.assign(y_pred=table.left, y_true=old)[["id", "y_pred", "y_true"]])
    assert error_of(found) == 0
    assert all("differ from the project's, which count" in note for note in found.notes)


def test_a_file_about_something_else_stands_for_itself(tmp_path: Path) -> None:
    make(tmp_path)
    table = pd.DataFrame({"id": ["a", "b", "c"], "y_true": ["cat", "dog", "cat"], "y_pred": ["cat", "cat", "cat"]})
    found = read(tmp_path, table)
    assert found.dataset is None
    assert error_of(found) == pytest.approx(1 / 3)


def test_a_file_without_ids_is_never_matched_by_row_number(tmp_path: Path) -> None:
    table = make(tmp_path)
    found = read(tmp_path, table.assign(y_true=table.left, y_pred="no")[["y_true", "y_pred"]])
    assert found.dataset is None
    assert len(found.predictions) == len(table)


def test_a_whole_file_with_truth_and_splits_is_read_even_when_the_data_are_gone(tmp_path: Path) -> None:
    table = make(tmp_path)
    (tmp_path / "data.csv").unlink()
    found = read(tmp_path, table.assign(y_true=table.left, y_pred="no")[["id", "split", "y_true", "y_pred"]])
    assert found.dataset is None
    assert "test" not in found.predictions.splits


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f[["y_pred"]], "has no column id: its rows cannot be looked up\n.*index of `project.data"),
        (
            lambda f: f.assign(id=f.id.astype(int)),
            "ids are not in shop's data: .*\n  Leading zeros were lost: the data",
        ),
        (lambda f: f.assign(id=f.id.astype(int) * 1.0), "ids are not in shop's data: .*\n  Leading zeros were lost"),
        (lambda f: f.assign(id="k" + f.id), "column id: 200 of 200 ids are not in shop's data: 'k00"),
        (lambda f: pd.concat([f, f[f.split == "dev"].head(2)]), "column id: 2 ids stand in several rows: '0"),
        (lambda f: f.assign(y_pred="maybe"), "y_pred: answers maybe, but the classes are no, yes"),
        (lambda f: f.assign(y_pred="yess"), "answers yess, but .*\n  Did you mean `yes`"),
        (lambda f: f.assign(y_pred=np.arange(200) % 3), "answers 2, but the classes are no, yes"),
        (lambda f: f.drop(columns="y_pred").assign(**{"y_pred:left": "no"}), "holds y_pred:left\n  Call it y_pred"),
        (lambda f: f.assign(p_yes=4.2), "column p_yes, rows 2.*is no probability\n.*softmax or sigmoid"),
        (lambda f: f.assign(id=""), "column id, rows 2, 3, 4.*an empty cell names nothing"),
        (lambda f: f.assign(y_true=f.left.map({"yes": "no", "no": "yes"})), "160 of 160 rows differ from the .* label"),
        (lambda f: f[f.split == "test"], "all its rows are of the sealed test set\n  Add answers on dev"),
        (lambda f: f.drop(columns="y_pred"), "has no column y_pred or p_<class>"),
        (lambda f: f.head(0), "has no rows"),
        (lambda f: f.assign(y_pred=f.y_pred.where(f.index > 0)), "column y_pred, row 2: an empty cell is no answer"),
        (lambda f: f.assign(p_yes=0.9, p_no=0.9), "sum to 1.8"),
    ],
)
def test_what_does_not_fit_is_named_with_a_way_out(tmp_path: Path, change: Change, message: str) -> None:
    table = make(tmp_path)
    with pytest.raises(InvalidInput, match=message):
        read(tmp_path, change(table.assign(y_pred="no")).drop(columns=OWN, errors="ignore"))


def test_positions_are_not_guessed_for_classes_with_names(tmp_path: Path) -> None:
    table = make(tmp_path)
    text = pd.read_csv(tmp_path / "data.csv", dtype=str)
    text.assign(left=np.array(["rose", "lily", "iris"])[np.arange(200) % 3]).to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(InvalidInput, match=r"answers 0, 1, 2, but .* iris, lily, rose\n  Write the names instead of"):
        read(tmp_path, table.assign(y_pred=np.arange(200) % 3)[["id", "y_pred"]])


def test_a_number_of_a_class_and_a_class_of_a_number_are_refused(tmp_path: Path) -> None:
    table = make(tmp_path, label="price")
    with pytest.raises(InvalidInput, match=r"column y_pred, rows 2.*is no number"):
        read(tmp_path, table.assign(y_pred="cheap")[["id", "y_pred"]])
    with pytest.raises(InvalidInput, match="holds a probability, but the answers are numbers"):
        read(tmp_path, table.assign(p_yes=0.5)[["id", "p_yes"]])
