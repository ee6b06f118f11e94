"""Whole stories of `mlproj train`, through the real store."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flower_project import SPEC, flowers

import mlproj
from mlproj.errors import InvalidInput
from mlproj.records.files import read_predictions
from mlproj.spec.load import load_project
from mlproj.workflow.train import Trained


def test_a_run_holds_all_that_later_questions_need(trained: Trained) -> None:
    assert trained.run.folder is not None
    names = {path.name for path in trained.run.folder.iterdir()}
    assert {
        "project.yaml", "splits.json", "predictions.parquet", "checkpoint.safetensors", "confusion_matrix.csv",
        "per_class.csv", "model",
    } <= names  # fmt: skip
    assert trained.run.outcome in ("completed", "early_stopped")


def test_the_document_names_every_split_but_test(trained: Trained) -> None:
    document = json.loads(json.dumps(trained.document(), allow_nan=False))
    assert list(document["metrics"]) == ["train", "train_dev", "dev"]
    assert {"error", "f1_macro", "accuracy"} <= set(document["metrics"]["dev"])
    assert [(p["metric"], p["status"]) for p in document["contract"]] == [("accuracy", "met"), ("latency_ms", "met")]


def test_stored_predictions_are_the_fits_own_and_hold_no_test_row(trained: Trained) -> None:
    assert trained.run.folder is not None
    stored = read_predictions(trained.run.folder / "predictions.parquet")
    assert stored.splits == ("train", "train_dev", "dev")
    assert {name: int((stored.split == name).sum()) for name in stored.splits} == {
        "train": 1350,
        "train_dev": 150,
        "dev": 150,
    }
    np.testing.assert_array_equal(stored.answers.y_pred, trained.fit.predictions.answers.y_pred)


def test_the_resolved_spec_trains_to_the_same_numbers(trained: Trained, home: Path) -> None:
    again = mlproj.train(home, like="first", name="twin")
    assert again.project == trained.project
    np.testing.assert_array_equal(again.fit.predictions.answers.p, trained.fit.predictions.answers.p)


def test_poisoned_test_rows_change_nothing(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers()
    honest = mlproj.train(home)
    mlproj.split(home, out=Path("splits.csv"))
    ids = pd.read_csv("splits.csv", dtype=str)
    frame = pd.read_csv(home / "app.csv")
    is_test = frame["uid"].astype(str).isin(set(ids.loc[ids["split"] == "test", "id"]))
    assert is_test.sum() == 150
    frame.loc[is_test, ["x0", "x1", "x2", "x3", "x4"]] = 1e6
    frame.loc[is_test, "colour"] = "poison"
    frame.to_csv(home / "app.csv", index=False)
    poisoned = mlproj.train(home)
    assert poisoned.run.tags["mlproj.data_hash"] == honest.run.tags["mlproj.data_hash"]
    np.testing.assert_array_equal(poisoned.fit.predictions.answers.p, honest.fit.predictions.answers.p)


def test_set_and_name_reach_the_run(home: Path) -> None:
    run = mlproj.train(home, set=["model.hidden=8,4", "training.learning_rate=1e-2"], name="small")
    assert (run.run.name, run.run.params["model.hidden"], run.run.params["training.learning_rate"]) == (
        "small",
        "[8, 4]",
        "0.01",
    )


def test_wrong_input_leaves_nothing_behind(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers(SPEC.replace("label: kind", "label: knid"))
    with pytest.raises(mlproj.InvalidInput, match="kind"):
        mlproj.train(home)
    assert not (home / "mlruns").exists()


def test_what_training_refuses_leaves_nothing_behind_either(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers(SPEC.replace("epochs: 6", "epochs: 6, class_weight: {tulip: 3}"))
    with pytest.raises(mlproj.InvalidInput, match="class_weight"):
        mlproj.train(home)
    assert not (home / "mlruns").exists()


def test_a_metric_that_is_undefined_on_dev_becomes_null_in_json(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers(SPEC.replace('accuracy: ">= 0.5"', 'accuracy: ">= 0.5", roc_auc: ">= 0.5"'))
    frame = pd.read_csv(home / "app.csv")
    frame["kind"] = "rose"  # the target has one class: a ranking of classes means nothing there
    frame.to_csv(home / "app.csv", index=False)
    document = mlproj.train(home).document()
    promise = next(row for row in document["contract"] if row["metric"] == "roc_auc")
    assert (promise["value"], promise["status"]) == (None, "unknown")
    json.dumps(document, allow_nan=False)


def test_a_diverged_run_ends_with_advice_and_can_be_read(make_flowers: Callable[..., Path]) -> None:
    spec = SPEC.replace("kind: mlp, hidden: [16]", "kind: linear").replace(
        "epochs: 6", "epochs: 6, optimizer: sgd, learning_rate: 1e38"
    )
    diverged = mlproj.train(make_flowers(spec))
    assert diverged.fit.outcome.kind == "diverged"
    assert "training.learning_rate" in diverged.fit.outcome.text
    assert "--set training.learning_rate=0.1 --name" in diverged.next
    assert mlproj.diagnose_bias_variance(diverged.run, project=diverged.project.root).ladder.rung("dev") is not None


def test_ctrl_c_leaves_a_usable_run(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers(SPEC.replace("epochs: 6", "epochs: 100000, early_stopping: null"))
    process = subprocess.Popen(
        [sys.executable, "-m", "mlproj", "--project", str(home), "train", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert process.stderr is not None
    process.stderr.readline()  # the first line says that training begins
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    document = json.loads(output)
    assert document["outcome"] == "interrupted"
    shown = mlproj.runs(home).runs[0]
    assert (shown.status, shown.outcome) == ("FINISHED", "interrupted")
    assert mlproj.diagnose_bias_variance(project=home).ladder.rung("dev") is not None


def test_mlflows_own_client_reads_the_run(trained: Trained, home: Path) -> None:
    script = f"""
import mlflow, json, pandas as pd
mlflow.set_tracking_uri("sqlite:///{home}/mlruns/mlflow.db")
run = mlflow.get_run({trained.run.id!r})
history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "dev/error")
model = mlflow.pyfunc.load_model(f"runs:/{{run.info.run_id}}/model")
frame = pd.read_csv({str(home / "app.csv")!r}).head(20).drop(columns="kind")
frame.loc[0, "x0"] = None
frame.loc[1, "colour"] = "green"
out = model.predict(frame)
data = run.data
seen = [run.info.status, data.tags["mlproj.kind"], data.params["training.optimizer"], len(history)]
print(json.dumps([*seen, list(out.columns), len(out)]))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    status, kind, optimizer, epochs, columns, n = json.loads(done.stdout.splitlines()[-1])
    assert (status, kind, optimizer, n) == ("FINISHED", "train", "adam", 20)
    assert epochs >= trained.fit.history.epochs
    assert columns == ["y_pred", "p_iris", "p_lily", "p_rose"]


def test_the_last_figures_in_the_store_are_those_of_the_kept_weights(home: Path) -> None:
    fit = mlproj.train(home, set=["training.learning_rate=0.3", "training.epochs=12"], name="restless").fit
    stored = next(run for run in mlproj.runs(home).runs if run.name == "restless").metrics
    assert fit.best_epoch < fit.history.epochs
    for name in ("train/loss", "dev/loss", "dev/error"):
        assert stored[name] == pytest.approx(fit.history.metrics[name][fit.best_epoch - 1])


def test_regression_with_a_log_target_answers_in_the_original_unit(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 3))
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "price": np.exp(10 + x @ [0.5, -0.3, 0.2])})
    frame.to_csv("houses.csv", index=False)
    Path("project.yaml").write_text(
        "name: houses\ndata: {source: houses.csv, label: price, label_scale: log}\nmodel: {kind: linear}\n"
        "training: {learning_rate: 0.05, epochs: 60}\n"
    )
    fit = mlproj.train().fit
    assert fit.metrics["dev"]["rmse"] < 0.1 * frame["price"].std()
    assert load_project().task is None


def test_several_labels_with_missing_ones_are_masked(tmp_path: Path) -> None:
    frame = flowers(500, seed=5)
    frame["is_iris"] = np.where(frame["kind"] == "iris", "yes", "no")
    frame["is_rose"] = np.where(frame["kind"] == "rose", "1", "0")
    frame.loc[frame.index % 3 == 0, "is_rose"] = None
    frame.drop(columns=["kind", "uid"]).to_csv("two.csv", index=False)
    Path("project.yaml").write_text(
        "name: two\ndata: {source: two.csv, label: [is_iris, is_rose]}\ntraining: {epochs: 20}\n"
    )
    trained = mlproj.train()
    assert set(trained.fit.predictions.labels) == {"is_iris", "is_rose"}
    assert trained.fit.metrics["dev"]["error"] < 0.1
    assert mlproj.diagnose_bias_variance(trained.run, project=".").ladder.rung("dev") is not None


@pytest.mark.parametrize("name", ["", " ", "latest", "best", "keras.csv", "-v", "two\nlines", "x" * 101])
def test_a_name_that_would_not_lead_back_to_the_run_is_refused(home: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="--name"):
        mlproj.train(home, name=name)


PROBE = "import sys, mlproj; mlproj.train(sys.argv[1]); print([n for n in ('pandas', 'sklearn') if n in sys.modules])"


def test_a_training_on_data_that_were_read_before_imports_no_pandas(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers()
    time.sleep(2)  # files are younger than the clock can tell apart before
    for said in ("['pandas']", "[]"):
        done = subprocess.run([sys.executable, "-c", PROBE, str(home)], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == said
