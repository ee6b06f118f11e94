"""A stored model answers for a file of any size; what cannot be right is refused, what cannot be read is reported."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from complaints import complaints
from flower_project import flowers
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner, Result

import mlproj
from mlproj.cli.app import app
from mlproj.data.sources import registry
from mlproj.data.sources.base import AbstractSource, Reading
from mlproj.errors import InputError, InvalidInput
from mlproj.pyfunc import _load_pyfunc
from mlproj.records.files import read_predictions
from mlproj.spec.data import DateFormat
from mlproj.workflow import rows_in
from mlproj.workflow.predict import MOST_REPORTED
from mlproj.workflow.train import Trained

OUT = Path("out.csv")


@pytest.fixture
def rows() -> pd.DataFrame:
    """Thirty new flowers without their kind."""
    return flowers(30, start=500, seed=9).drop(columns="kind")


def command(home: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["--project", str(home), "predict", *map(str, arguments)])


def expected(trained: Trained, frame: pd.DataFrame) -> pd.DataFrame:
    """What the stored model says when MLflow's loader is asked for the whole table at once."""
    assert trained.run.folder is not None
    return _load_pyfunc(str(trained.run.folder / "model" / "data")).predict(frame)


def small(folder: Path, frame: pd.DataFrame, *, label: Any, **more: Any) -> mlproj.Project:
    frame.to_csv(folder / "a.csv", index=False)
    document = {"name": "small", "data": {"source": "a.csv", "label": label}, "training": {"epochs": 3}, **more}
    (folder / "project.yaml").write_text(json.dumps(document), encoding="utf-8")
    return mlproj.load_project(folder)


def numbers(n: int = 300) -> pd.DataFrame:
    return pd.DataFrame({"x": np.random.default_rng(0).normal(size=n).round(6)})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_answers_are_those_of_the_stored_model_in_a_predictions_file(
    home: Path, trained: Trained, rows: pd.DataFrame, suffix: str
) -> None:
    rows.to_csv("new.csv", index=False)
    mlproj.predict("first", "new.csv", out=Path(f"out{suffix}"), project=home)
    found, truth = read_predictions(f"out{suffix}"), expected(trained, rows)
    assert found.ids.tolist() == [str(uid) for uid in rows["uid"]]
    answers = found.answers
    assert [answers.classes[code] for code in answers.y_pred] == truth["y_pred"].tolist()
    assert answers.p is not None
    p = pd.DataFrame(answers.p, columns=[f"p_{name}" for name in answers.classes])
    np.testing.assert_allclose(p[truth.columns[1:]], truth.iloc[:, 1:], atol=1e-6)


def test_parquet_and_csv_rows_have_the_same_answers(home: Path, rows: pd.DataFrame) -> None:
    rows.to_csv("new.csv", index=False)
    rows.to_parquet("new.parquet", index=False)
    for name in ("new.csv", "new.parquet"):
        mlproj.predict("latest", name, out=f"{name}.csv", project=home)
    assert Path("new.csv.csv").read_text() == Path("new.parquet.csv").read_text()


def test_without_the_id_column_the_row_number_of_the_file_serves_and_that_is_said(
    home: Path, rows: pd.DataFrame
) -> None:
    rows.drop(columns="uid").to_csv("new.csv", index=False)
    said = command(home, "first", "new.csv", "--out", OUT)
    assert pd.read_csv(OUT)["id"].tolist() == list(range(2, 32))
    assert "note: The file has no column 'uid', so the row number serves as id." in said.stdout


def test_further_columns_are_ignored_and_said_once(home: Path, trained: Trained, rows: pd.DataFrame) -> None:
    rows.assign(kind="rose", mood="blue").to_csv("new.csv", index=False)
    said = command(home, "first", "new.csv", "--out", OUT)
    assert said.stdout.count("The model does not use 2 columns of the file: kind, mood.") == 1
    assert said.stdout.startswith(f"first ({trained.run.id[:8]}, ")
    assert (pd.read_csv(OUT)["y_pred"] == expected(trained, rows)["y_pred"]).all()


def test_missing_cells_and_unseen_categories_are_ordinary(home: Path, trained: Trained, rows: pd.DataFrame) -> None:
    frame = rows.assign(colour="violet", x0=None).astype({"x0": float})
    frame.to_csv("new.csv", index=False)
    predicted = mlproj.predict("first", "new.csv", out=OUT, project=home)
    assert (predicted.tally.unanswered, predicted.tally.rows) == (0, 30)
    assert pd.read_csv(OUT)["y_pred"].tolist() == expected(trained, frame)["y_pred"].tolist()


def test_rows_that_cannot_be_read_keep_their_place_and_are_reported(
    home: Path, trained: Trained, rows: pd.DataFrame
) -> None:
    bad = rows.astype(object)
    bad.loc[3, "x1"], bad.loc[7, "x0"], bad.loc[7, "x1"] = "old", "n.a.!", "1,5"
    bad.to_csv("new.csv", index=False)
    said = command(home, "first", "new.csv", "--out", OUT)
    assert said.exit_code == 1
    assert "warning: 2 rows have no answer" in said.stdout
    assert "row 5, column 'x1': 'old' is no number" in said.stdout
    found = pd.read_csv(OUT)
    assert found["id"].tolist() == rows["uid"].tolist()
    assert found.index[found["y_pred"].isna()].tolist() == [3, 7]
    assert found.loc[3].iloc[1:].isna().all()
    good = rows.drop([3, 7])
    assert found["y_pred"].dropna().tolist() == expected(trained, good)["y_pred"].tolist()


def test_json_lists_the_first_unreadable_cells_and_counts_all(home: Path, rows: pd.DataFrame) -> None:
    many = pd.concat([rows.astype(object)] * 10, ignore_index=True)
    many.loc[20:219, "x2"] = "?!"
    many.to_csv("new.csv", index=False)
    said = command(home, "first", "new.csv", "--out", OUT, "--json")
    document = json.loads(said.stdout)
    assert (document["rows"], document["unanswered"], document["unreadable_cells"]) == (300, 200, 200)
    assert len(document["unreadable"]) == MOST_REPORTED
    assert document["unreadable"][0] == {"row": 22, "column": "x2", "value": "?!", "fault": "no number", "file": ""}
    assert sum(document["answers"][""].values()) == 100
    assert (said.exit_code, document["ok"]) == (1, False)


def test_the_threshold_of_the_run_decides(tmp_path: Path) -> None:
    frame = numbers().assign(y=lambda f: np.where(f["x"] > 1, "yes", "no"))
    project = small(tmp_path, frame, label="y", metric={"threshold": 0.1})
    mlproj.train(project)
    said = command(tmp_path, "latest", tmp_path / "a.csv", "--out", OUT)
    found = pd.read_csv(OUT)
    assert ((found["p_yes"] >= 0.1) == (found["y_pred"] == "yes")).all()
    assert 0 < (found["y_pred"] == "yes").sum() != (found["p_yes"] >= 0.5).sum()
    assert "threshold 0.1" in said.stdout


def test_several_labels_have_a_column_each(tmp_path: Path) -> None:
    frame = numbers().assign(cat=lambda f: np.where(f["x"] > 0, "yes", "no"), dog=lambda f: (f["x"] < 0).astype(int))
    mlproj.train(small(tmp_path, frame, label=["cat", "dog"]))
    predicted = mlproj.predict("latest", "a.csv", out=OUT)
    assert pd.read_csv(OUT).columns.tolist() == ["id", "y_pred:cat", "p:cat", "y_pred:dog", "p:dog"]
    assert set(predicted.tally.answers) == {"cat", "dog"}


def test_a_quantity_comes_in_its_own_unit(tmp_path: Path) -> None:
    frame = numbers().assign(price=lambda f: np.exp(7 + f["x"]))
    project = small(tmp_path, frame, label="price")
    mlproj.train(project.changed(data=project.data.model_copy(update={"label_scale": "log"})))
    mlproj.predict("latest", "a.csv", out=OUT)
    found = pd.read_csv(OUT)
    assert found.columns.tolist() == ["id", "y_pred"]
    assert 500 < found["y_pred"].median() < 2500


def test_a_cell_that_is_no_date_is_reported_and_later_dates_are_answered(tmp_path: Path) -> None:
    days = pd.Series(pd.date_range("2024-01-01", periods=300)).dt.strftime("%d/%m/%Y")
    project = small(tmp_path, pd.DataFrame({"day": days, "y": np.arange(300) % 2}), label="y")
    data = project.data.model_copy(update={"columns": {"day": DateFormat(date="%d/%m/%Y")}})
    trained = mlproj.train(project.changed(data=data))
    pd.DataFrame({"day": ["31/12/2031", "2024-01-01", "30/02/2024", ""]}).to_csv("new.csv", index=False)
    predicted = mlproj.predict(trained, "new.csv", out=OUT)
    assert [str(cell) for cell in predicted.tally.unreadable] == [
        "row 3, column 'day': '2024-01-01' is no date of the form '%d/%m/%Y'",
        "row 4, column 'day': '30/02/2024' is no date of the form '%d/%m/%Y'",
    ]
    assert pd.read_csv(OUT)["y_pred"].isna().tolist() == [False, True, True, False]


def test_a_text_model_is_as_good_as_scikit_learn_s_pipeline_and_far_better_than_the_constant_answer(
    tmp_path: Path,
) -> None:
    train, new = complaints(600, 1), complaints(2000, 2)
    trained = mlproj.train(small(tmp_path, train, label="angry", training={"epochs": 20}))
    new.to_csv("new.csv", index=False)
    mlproj.predict(trained, "new.csv", out=OUT)
    error = (pd.read_csv(OUT)["y_pred"] != new["angry"]).mean()
    oracle = make_pipeline(TfidfVectorizer(min_df=2), LogisticRegression(C=10)).fit(train["note"], train["angry"])
    assert error < (oracle.predict(new["note"]) != new["angry"]).mean() + 0.02
    assert error < 0.1  # one in twenty is chance; the constant answer has 0.48


class Batches(AbstractSource):
    """Ten files of five flowers, one batch each; the last may be broken."""

    forms = "`.many` files"
    read_columns: Sequence[str] | None = None

    def claims(self, path: str) -> bool:
        return path.endswith(".many")

    def read(self, path: str, root: Path) -> Reading:
        raise AssertionError("the table is larger than memory")

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        Batches.read_columns = columns
        for i in range(10):
            if i == 9 and path.startswith("broken"):
                raise InvalidInput([mlproj.Problem(f"{path} row 46", "has 3 cells, but the header names 7 columns")])
            frame = flowers(5, start=5 * i, seed=i)
            if path.startswith("wide"):
                frame = frame.assign(**{f"more{j}": 0 for j in range(10)})
            yield Reading(frame if columns is None else frame[list(columns)], np.arange(5) + 5 * i + 1)


@pytest.fixture
def in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry._load
    monkeypatch.setattr(registry, "_load", lambda point: Batches() if point.name == "csv" else found(point))


@pytest.mark.usefixtures("in_batches")
def test_a_table_that_comes_in_batches_is_answered_in_order(home: Path, trained: Trained) -> None:
    done: list[int] = []
    mlproj.predict("first", "x.many", out=OUT, project=home, on_rows=done.append)
    whole = pd.concat([flowers(5, start=5 * i, seed=i) for i in range(10)], ignore_index=True)
    assert done == list(range(5, 51, 5))
    assert pd.read_csv(OUT)["y_pred"].tolist() == expected(trained, whole)["y_pred"].tolist()
    assert pd.read_csv(OUT)["id"].tolist() == list(range(50))


@pytest.mark.usefixtures("in_batches")
def test_of_a_wide_table_only_the_needed_columns_are_read(home: Path) -> None:
    mlproj.predict("first", "wide.many", out=OUT, project=home)
    assert Batches.read_columns == ["x0", "x1", "x2", "x3", "x4", "colour", "uid"]
    assert len(pd.read_csv(OUT)) == 50


@pytest.mark.usefixtures("in_batches")
def test_a_file_that_breaks_off_later_leaves_the_earlier_answers_alone(home: Path) -> None:
    mlproj.predict("first", "x.many", out=OUT, project=home)
    before = OUT.read_bytes()
    said = command(home, "first", "broken.many", "--out", OUT)
    assert said.exit_code == 2
    assert "broken.many row 46: has 3 cells" in said.stderr
    assert OUT.read_bytes() == before
    assert [path.name for path in Path.cwd().iterdir()] == ["out.csv"]


def test_large_batches_are_answered_in_slices(
    home: Path, trained: Trained, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.to_csv("new.csv", index=False)
    monkeypatch.setattr(rows_in, "_CELLS_AT_ONCE", 7 * 7)  # seven rows of seven inputs
    done: list[int] = []
    mlproj.predict("first", "new.csv", out=OUT, project=home, on_rows=done.append)
    assert done == [7, 14, 21, 28, 30]
    assert pd.read_csv(OUT)["y_pred"].tolist() == expected(trained, rows)["y_pred"].tolist()


def drop(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=["x1", "colour"]).assign(color="red")


MALFORMED: dict[str, tuple[Callable[[pd.DataFrame], Any], list[str]]] = {
    "columns are missing": (
        drop, ["new.csv: column 'x1': is missing", "column 'colour': is missing", "Did you mean `color`?"],
    ),
    "a number column of words": (
        lambda f: f.assign(x1="high"), ["column 'x1': holds 'high', which is no number", "In training it was a number"],
    ),
    "two things at once": (
        lambda f: f.drop(columns="x0").assign(x4="low"), ["column 'x0': is missing", "column 'x4': holds 'low'"],
    ),
    "a column named twice": (
        lambda f: pd.concat([f, f[["x1"]]], axis=1), ["names a column more than once: 'x1'"],
    ),
    "no rows": (lambda f: f[:0], ["new.csv: has a header but no rows"]),
    "an empty file": (lambda _: "", ["new.csv: is empty"]),
    "semicolons": (lambda f: f.to_csv(sep=";", index=False), ["is separated by semicolons"]),
    "a ragged row": (lambda f: f[:2].to_csv(index=False) + "1,2\n", ["new.csv row 4: has 2 cells"]),
    "bytes that are no text": (lambda _: b"x0,x1\n\xff\xfe\n", ["not UTF-8"]),
    "a quotation mark that stays open": (lambda f: f[:2].to_csv(index=False) + '"a,1', ["quotation mark"]),
    "no header": (lambda f: f.to_csv(index=False, header=False), ["is missing, and the model needs it"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_file_that_is_not_what_the_model_needs_is_refused_before_anything_is_written(
    home: Path, rows: pd.DataFrame, name: str
) -> None:
    make, fragments = MALFORMED[name]
    content = make(rows)
    data = content.to_csv(index=False) if isinstance(content, pd.DataFrame) else content
    Path("new.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    said = command(home, "first", "new.csv", "--out", OUT)
    assert said.exit_code == 2
    assert all(fragment in said.stderr for fragment in fragments), said.stderr
    assert [path.name for path in Path.cwd().iterdir()] == ["new.csv"]


def test_a_typed_column_of_another_kind_is_refused_even_in_one_row(home: Path, rows: pd.DataFrame) -> None:
    rows[:1].assign(x1=pd.Timestamp("2024-01-31")).to_parquet("new.parquet")
    said = command(home, "first", "new.parquet", "--out", OUT)
    assert said.exit_code == 2
    assert "column 'x1': holds '2024-01-31" in said.stderr


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["first", "nwe.csv"], ["nwe.csv: there is no such file", "Did you mean `new.csv`?"]),
        (["first", "new.xlsx"], ["new.xlsx: is no data source that mlproj reads", "`.parquet`"]),
        (["first", "."], ["--out: out.csv is part of what is read"]),
        (["new.csv", "first"], ["new.csv is a file", "mlproj predict latest FILE --out FILE"]),
        (["nosuchrun", "new.csv"], ["nosuchrun"]),
        (["first", "new.csv", "--out", "out.xlsx"], ["--out: out.xlsx ends in .xlsx", "--out out.csv"]),
        (["first", "new.csv", "--out", "out"], ["--out: out has no suffix"]),
        (["first", "new.csv", "--out", "new.csv"], ["--out: new.csv is part of what is read"]),
        (["first", "new.csv", "--out", "link.csv"], ["--out: link.csv is part of what is read"]),
        (["first", "new.csv", "--out", "folder.csv"], ["--out: folder.csv is a folder", "folder.csv/answers.csv"]),
        (["first", "new.csv", "--out", "nowhere/out.csv"], ["the folder nowhere does not exist"]),
        (["first", "new.csv", "--out", "other.csv"], ["other.csv is there already and holds no answers", "is kept"]),
        (["first", "new.csv", "--out", "other.parquet"], ["other.parquet is there already"]),
        (["first", "new*.csv", "--out", "news.csv"], ["news.csv is part of what is read"]),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused_and_nothing_is_touched(
    home: Path, rows: pd.DataFrame, arguments: list[str], fragments: list[str]
) -> None:
    rows.to_csv("new.csv", index=False)
    rows.to_csv("other.csv", index=False)
    rows.to_parquet("other.parquet")
    Path("link.csv").symlink_to("new.csv")
    Path("folder.csv").mkdir()
    before = {path.name: path.read_bytes() for path in Path.cwd().iterdir() if path.is_file()}
    out = [] if "--out" in arguments else ["--out", str(OUT)]
    said = command(home, *arguments, *out)
    assert said.exit_code == 2
    assert all(fragment in said.stderr for fragment in fragments), said.stderr
    assert {path.name: path.read_bytes() for path in Path.cwd().iterdir() if path.is_file()} == before


def test_earlier_answers_are_replaced(home: Path, rows: pd.DataFrame) -> None:
    rows.to_csv("new.csv", index=False)
    mlproj.predict("first", "new.csv", out=OUT, project=home)
    rows[:3].to_csv("new.csv", index=False)
    mlproj.predict("first", "new.csv", out=OUT, project=home)
    assert len(pd.read_csv(OUT)) == 3


def test_a_diagnosis_and_a_run_without_its_model_are_refused(make_flowers: Callable[..., Path]) -> None:
    project = mlproj.load_project(make_flowers())
    trained = mlproj.train(project, name="mine")
    mlproj.diagnose_bias_variance("mine", project=project)
    with pytest.raises(InputError, match=r"holds no model \(diagnosis, completed\). Name a training that finished"):
        mlproj.predict("bias-variance of mine", project.root / "app.csv", out=OUT, project=project)
    assert trained.run.folder is not None
    weights = trained.run.folder / "model" / "data" / "weights.safetensors"
    weights.write_bytes(b"broken")
    with pytest.raises(InputError, match=r"The model of mine .* cannot be read \(SafetensorError"):
        mlproj.predict("mine", project.root / "app.csv", out=OUT, project=project)
    rest = weights.with_name("model.json")
    rest.write_text(json.dumps(json.loads(rest.read_text()) | {"format": 99}))
    with pytest.raises(InputError, match=r"newer than .*: upgrade mlproj"):
        mlproj.predict("mine", project.root / "app.csv", out=OUT, project=project)


def test_a_search_stands_for_its_best_trial(tmp_path: Path) -> None:
    frame = numbers(120).assign(y=lambda f: np.where(f["x"] > 0, "yes", "no"))
    project = small(tmp_path, frame, label="y", search={"space": {"training.learning_rate": {"log": [0.001, 0.1]}}})
    found = mlproj.search(project, trials=2, name="hunt")
    assert found.document()["best"]["run_id"] == mlproj.predict("hunt", "a.csv", out=OUT).run.id


PROBE = """
import sys
from mlproj.cli import main
sys.argv = ["mlproj", "--project", sys.argv[1], "predict", "first", "new.csv", "--out", "out.csv"]
try:
    main()
except SystemExit:
    pass
print("mlflow" in sys.modules, "sklearn" in sys.modules, "optuna" in sys.modules)
"""


def test_mlflow_is_not_imported_for_it(home: Path, rows: pd.DataFrame) -> None:
    rows.to_csv("new.csv", index=False)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(home)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False False False"
    assert OUT.exists()


def test_a_cell_in_a_folder_is_named_by_its_own_file(home: Path, rows: pd.DataFrame) -> None:
    Path("parts").mkdir()
    rows.head(10).to_csv("parts/a.csv", index=False)
    rows.tail(20).astype({"x0": object}).reset_index(drop=True).assign(
        x0=lambda f: f.x0.where(f.index != 3, "tall")
    ).to_csv("parts/b.csv", index=False)
    predicted = mlproj.predict("first", "parts", out=OUT, project=home)
    assert [str(cell) for cell in predicted.tally.unreadable] == ["parts/b.csv row 5, column 'x0': 'tall' is no number"]
