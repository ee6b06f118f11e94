"""A stored model answers for the raw table, in a process that only knows MLflow, with pickle forbidden."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data.columns import Column
from mlproj.data.encoder import Encoder
from mlproj.data.target import Target
from mlproj.errors import InvalidInput
from mlproj.pyfunc import _load_pyfunc
from mlproj.spec.data import Data
from mlproj.spec.project import Project
from mlproj.track import MlflowTracker, Store
from mlproj.track.model import Model, write_model
from mlproj.track.store import sqlite_uri

PROJECT = Project(name="cats", data=Data(source="app.csv", label="y"))
TRAIN = pd.DataFrame(
    {
        "age": ["31", "42", "", "7"],
        "zip": ["8001", "8001", "3012", "3012"],
        "city": ["Zürich", "Zürich", "Bern", "Bern"],
        "member": ["yes", "no", "yes", "no"],
        "joined": ["2024-01-31", "2025-06-01", "", "2023-12-24"],
    }
)
COLUMNS = [
    Column("age", "number", 1, 3, True),
    Column("zip", "category", 0, 2, True),
    Column("city", "category", 0, 2, True),
    Column("member", "boolean", 0, 2, True),
    Column("joined", "date", 1, 3, True),
]
ENCODER = Encoder.fit(TRAIN, COLUMNS)
BINARY = Target("binary", ("y",), (("no", "yes, very"),))


def make_model(target: Target, threshold: float | None = None) -> Model:
    """An untrained network: what is tested here is the way to its answers."""
    from mlproj.zoo import build

    network = build(PROJECT.model, n_features=len(ENCODER.names), n_outputs=target.n_outputs, seeds=[0])
    weights = {name: values[0].numpy() for name, values in network.state_dict().items()}
    return Model(PROJECT, ENCODER, target, weights, threshold)


def load(model: Model, folder: Path) -> Any:
    write_model(model, folder / "data")
    return _load_pyfunc(str(folder / "data"))


def test_the_threshold_decides_and_classes_have_their_names(tmp_path: Path) -> None:
    p = load(make_model(BINARY), tmp_path / "a").predict(TRAIN)["p_yes, very"].to_numpy()
    cut = float(np.sort(p)[1])
    answers = load(make_model(BINARY, threshold=cut), tmp_path / "b").predict(TRAIN)
    assert answers.columns.tolist() == ["y_pred", "p_no", "p_yes, very"]
    assert answers["y_pred"].tolist() == ["yes, very" if value >= cut else "no" for value in p]
    np.testing.assert_allclose(answers["p_no"] + answers["p_yes, very"], 1.0)


def test_several_classes_labels_and_quantities_have_the_columns_of_a_predictions_file(tmp_path: Path) -> None:
    many = Target("multiclass", ("y",), (("a", "b", "c"),))
    answers = load(make_model(many), tmp_path / "many").predict(TRAIN)
    assert answers.columns.tolist() == ["y_pred", "p_a", "p_b", "p_c"]
    best = answers[["p_a", "p_b", "p_c"]].to_numpy().argmax(axis=1)
    assert answers["y_pred"].tolist() == [("a", "b", "c")[k] for k in best]

    several = Target("binary", ("cat", "dog"), (("0", "1"), ("no", "yes")), several=True)
    answers = load(make_model(several), tmp_path / "several").predict(TRAIN)
    assert answers.columns.tolist() == ["y_pred:cat", "p:cat", "y_pred:dog", "p:dog"]
    assert answers["y_pred:dog"].tolist() == ["yes" if p >= 0.5 else "no" for p in answers["p:dog"]]

    price = Target("regression", ("price",), mean=100.0, std=10.0)
    answers = load(make_model(price), tmp_path / "price").predict(TRAIN)
    assert answers.columns.tolist() == ["y_pred"]
    assert answers["y_pred"].dtype == np.float64


def test_no_rows_give_no_answers(tmp_path: Path) -> None:
    answers = load(make_model(BINARY), tmp_path).predict(TRAIN.iloc[:0])
    assert answers.columns.tolist() == ["y_pred", "p_no", "p_yes, very"]
    assert len(answers) == 0


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="zip"):
        load(make_model(BINARY), tmp_path).predict(TRAIN.drop(columns="zip"))


USE = """
import json, sys, warnings
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(f"runs:/{sys.argv[2]}/model")
typed = pd.DataFrame({
    "note": ["further", "columns", "are ignored"],
    "city": ["Bern", None, "never seen"],
    "zip": [8001, None, 99999],
    "member": [True, False, True],
    "joined": pd.to_datetime(["2024-01-31", None, "2030-01-01"]),
    "age": [31, 42, 7],
}, index=[5, 3, 9])
texts = pd.DataFrame({
    "city": ["Bern", "", "never seen"], "zip": ["8001", "", "99999"], "member": ["yes", "no", "yes"],
    "joined": ["2024-01-31", "", "2030-01-01"], "age": ["31", "42", "7"],
})
records = [{"age": 31.0, "zip": "8001", "city": "Bern", "member": 1, "joined": "2024-01-31"}]
whole = pd.DataFrame({"age": [1, 2], "zip": [1, 0], "city": [1, 0], "member": [1, 0], "joined": ["2024-01-31", None]})
answers = [model.predict(rows) for rows in (typed, texts, pd.DataFrame(records), whole)]
print(json.dumps({
    "answers": [a.to_dict("list") for a in answers], "index": answers[0].index.tolist(),
    "inputs": model.metadata.get_input_schema().input_names(), "torch": "torch" in sys.modules,
    "required": model.metadata.get_input_schema().required_input_names(),
    "outputs": model.metadata.get_output_schema().input_names(),
    "files": sorted(model.metadata.flavors["python_function"]),
}))
"""


def test_a_fresh_process_loads_it_by_its_run_and_gives_it_any_raw_table(tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    store = Store(root, sqlite_uri(root / "mlflow.db"))
    (tmp_path / "staging").mkdir()
    with MlflowTracker(store, "cats") as tracker:
        run_id = tracker.start(kind="train")
        tracker.artifacts(run_id, tmp_path / "staging", model=make_model(BINARY, threshold=0.5))
        tracker.finish(run_id)
        folder = tracker.fetch(run_id, "model")
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".joblib")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", USE, store.uri, run_id], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    typed, texts, single, whole = said["answers"]
    assert typed == texts, "the same rows as typed cells and as text"
    assert single["p_no"][0] == pytest.approx(typed["p_no"][0], abs=1e-6)
    assert len(whole["y_pred"]) == 2
    expected = load(make_model(BINARY), tmp_path / "here").predict(TRAIN.iloc[[0]].assign(city="Bern"))
    assert expected["p_no"].iloc[0] == pytest.approx(typed["p_no"][0], abs=1e-6)
    assert said["index"] == [5, 3, 9]
    assert said["inputs"] == [column.name for column in COLUMNS]
    assert said["required"] == []
    assert said["outputs"] == list(typed)
