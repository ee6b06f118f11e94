"""Whole stories of `mlproj diagnose features`."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.pyfunc import ProjectModel
from mlproj.track.model import read_model_data
from mlproj.workflow.diagnose_features import FeatureDiagnosis
from mlproj.workflow.train import Trained

SPEC = """\
name: planted
data: {source: rows.csv, label: left, id: uid}
splits: {column: fold}
model: {kind: mlp, hidden: [16]}
training: {epochs: 12}
"""


def planted(n: int = 1500) -> pd.DataFrame:
    """Columns that matter, twins, one that misleads on dev, one that says nothing, one that knows the answer."""
    rng = np.random.default_rng(3)
    fold = np.where(np.arange(n) % 3, "train", "dev")
    age, income = rng.normal(size=n), rng.normal(size=n)
    left = (2.5 * age + 1.5 * income + rng.logistic(size=n)) > 0
    mood = np.where(left, 1.0, -1.0) * np.where(fold == "dev", -0.6, 0.8) + rng.normal(size=n)
    return pd.DataFrame(
        {
            "uid": [f"u{k}" for k in range(n)], "fold": fold, "age": age,
            "born": 2000 - 10 * age + rng.normal(size=n) * 0.3,
            "income": income, "mood": mood, "noise": rng.normal(size=n),
            "reason": np.where(left, rng.choice(["price", "moved"], n), ""), "left": np.where(left, "yes", "no"),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    planted().to_csv(folder / "rows.csv", index=False)
    (folder / "project.yaml").write_text(SPEC, encoding="utf-8")
    mlproj.train(folder, name="leaky")
    mlproj.train(folder, name="honest", set=["data.exclude=[reason]"])
    return folder


@pytest.fixture(scope="module")
def honest(home: Path) -> FeatureDiagnosis:
    """The diagnosis of the training without the leak; a run of the store from then on."""
    return mlproj.diagnose_features("honest", project=home)


def importances(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {" + ".join(each["columns"]): each for each in document["importances"]}


def test_the_planted_leak_is_found_and_its_command_runs(home: Path) -> None:
    diagnosis = mlproj.diagnose_features("leaky", project=home)
    suspects = [each for each in diagnosis.document()["suspects"] if each["strong"]]
    assert [each["column"] for each in suspects] == ["reason"]
    assert importances(diagnosis.document())["reason"]["state"] == "matters"
    words = shlex.split(diagnosis.next)
    assert diagnosis.next == suspects[0]["command"]
    assert "data.exclude=[reason]" in words
    result = CliRunner().invoke(app, [*words[1:], "--set", "training.epochs=1"])
    assert result.exit_code == 0, result.output
    assert mlproj.runs(home).runs[0].params["data.exclude"] == '["reason"]'


def test_twins_matter_together_what_misleads_hurts_and_noise_is_not_claimed(honest: FeatureDiagnosis) -> None:
    found = importances(honest.document())
    assert set(found) == {"age + born", "income", "mood", "noise"}
    assert {name: each["state"] for name, each in found.items()} == {
        "age + born": "matters", "income": "matters", "mood": "hurts", "noise": "unclear",
    }  # fmt: skip
    alone = [member["value"] for member in found["age + born"]["members"]]
    assert max(alone) < found["age + born"]["value"]
    assert honest.document()["hurts"] == [["mood"]]
    assert "data.exclude=[reason,mood]" in honest.next
    assert not [each for each in honest.report.suspects if each.strong]


def test_values_agree_with_scikit_learn_on_the_same_model(home: Path, honest: FeatureDiagnosis) -> None:
    inspection = pytest.importorskip("sklearn.inspection")
    run = next(run for run in mlproj.runs(home).runs if run.name == "honest")
    assert run.folder is not None
    model = ProjectModel(read_model_data(run.folder / "model" / "data"))
    dev = planted()[lambda frame: frame["fold"] == "dev"]

    class Fitted:
        def fit(self) -> None:
            """What scikit-learn asks an estimator to have."""

    def error(_: object, frame: pd.DataFrame, y: pd.Series) -> float:
        return -float((model.predict(frame)["y_pred"].to_numpy() != y.to_numpy()).mean())

    names = [column.name for column in model.columns]
    theirs = inspection.permutation_importance(
        Fitted(), dev[names], dev["left"], scoring=error, n_repeats=10, random_state=0
    )
    rows = honest.document()["importances"]
    ours = importances({"importances": [*rows, *(member for row in rows for member in row["members"])]})
    assert ours.pop("age + born")["state"] == "matters"
    assert set(ours) == set(names)
    for k, name in enumerate(names):
        noise = theirs.importances[k].std(ddof=1) * np.sqrt(2 / 10)
        assert ours[name]["value"] == pytest.approx(theirs.importances_mean[k], abs=4 * noise + 1e-9), name


def test_the_report_is_a_run_of_its_own_that_runs_shows(home: Path, honest: FeatureDiagnosis) -> None:
    newest = next(run for run in mlproj.runs(home).runs if run.name == "features of honest")
    assert (newest.kind, newest.tags["mlproj.diagnosis"]) == ("diagnosis", "features")
    from mlproj.workflow.runs import show_run

    assert show_run(home, run=newest.id).text == honest.text()
    result = CliRunner().invoke(app, ["--project", str(home), "diagnose", "features", "honest", "--json"])
    assert json.loads(result.stdout)["importances"] == honest.document()["importances"]


def test_groups_by_hand_and_another_metric(home: Path) -> None:
    document = mlproj.diagnose_features(
        "honest", project=home, groups=["age,income"], metric="log_loss", repeats=3
    ).document()
    assert set(importances(document)) == {"age + income", "born", "mood", "noise"}
    assert (document["metric"], document["correlation"]) == ("log_loss", None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": ["agee,income"]}, "no column 'agee'"),
        ({"groups": ["age", "age,income"]}, "two places"),
        ({"repeats": 0}, "--repeats"),
        ({"correlation": 0.0}, "--correlation"),
        ({"metric": "rmse"}, "rmse"),
    ],
)
def test_what_cannot_be_meant_is_said(home: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(mlproj.InvalidInput, match=message):
        mlproj.diagnose_features("honest", project=home, **options)


def test_a_predictions_file_holds_no_model() -> None:
    with pytest.raises(mlproj.InvalidInput, match=r"keras\.csv is a predictions file"):
        mlproj.diagnose_features("keras.csv")


def test_several_classes_two_distributions_and_a_score(trained: Trained) -> None:
    document = mlproj.diagnose_features(trained, metric="f1_macro", repeats=4).document()
    found = importances(document)
    assert document["scale"] == "1 - f1_macro"
    assert [name for name, each in found.items() if each["state"] == "matters"][:3]
    assert set(list(found)[:3]) == {"x0", "x1", "x2"}  # the three that tell the kinds apart
    assert found["colour"]["state"] == "unclear"


def test_a_quantity_with_texts_and_missing_cells(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    n = 400
    word = rng.choice(["sunny", "rainy"], n)
    size = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    price = 3 * np.nan_to_num(size) + 2 * (word == "sunny") + rng.normal(size=n) * 0.3
    note = [f"a {w} place {rng.choice(['north', 'south', 'west'])} {rng.choice(['old', 'new', 'bare'])}" for w in word]
    pd.DataFrame({"size": size, "note": note, "dust": rng.normal(size=n), "price": price}).to_csv(
        "homes.csv", index=False
    )
    spec = "name: homes\ndata: {source: homes.csv, label: price, columns: {note: text}}\ntraining: {epochs: 30}\n"
    Path("project.yaml").write_text(spec, encoding="utf-8")
    mlproj.train(tmp_path)
    document = mlproj.diagnose_features(project=tmp_path).document()
    states = {name: each["state"] for name, each in importances(document).items()}
    assert document["metric"] == "rmse"
    assert (states["size"], states["note"]) == ("matters", "matters")
    assert states["dust"] != "matters"
