"""Whole stories of the human level: columns, files, experts, two distributions, and what can be wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flower_project import SPEC, flowers
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.errors import InvalidInput

FIGURE = "human_level: {error: 0.02, n: 400, on: training}\n"
ONE_TABLE = """\
name: flowers
data: {source: app.csv, label: kind, id: uid}
splits: {dev: 100, test: 100}
human_level: {annotators: [anna, ben]}
model: {kind: linear}
training: {epochs: 3}
"""


def mistaken(labels: "pd.Series[Any]", rate: float, seed: int) -> "pd.Series[Any]":
    """The same labels, some of them exchanged for the next kind."""
    following = {"iris": "rose", "rose": "lily", "lily": "iris"}
    wrong = np.random.default_rng(seed).random(len(labels)) < rate
    return labels.where(~wrong, labels.map(following))


@pytest.fixture
def one_table(tmp_path: Path) -> Path:
    """One distribution, two annotators in columns, the label one more person's."""
    frame = flowers(600)
    truth = frame["kind"]
    people = {name: mistaken(truth, 0.05, seed) for seed, name in enumerate(["kind", "anna", "ben"], 1)}
    frame.assign(**people).to_csv(tmp_path / "app.csv", index=False)
    (tmp_path / "project.yaml").write_text(ONE_TABLE, encoding="utf-8")
    return tmp_path


def answer(home: Path, *, error: float = 0.1) -> Path:
    """Answers of some model on the examples of a project, wrong at a rate."""
    mlproj.split(home, out=home / "splits.csv")
    tables = [pd.read_csv(path) for path in sorted(home.glob("???.csv"))]
    frame = pd.read_csv(home / "splits.csv").merge(pd.concat(tables), left_on="id", right_on="uid")
    file = home / "answers.csv"
    pd.DataFrame({"id": frame["id"], "y_pred": mistaken(frame["kind"], error, 9)}).to_csv(file, index=False)
    return file


def with_labels(home: Path, level: str, rates: dict[str, float]) -> None:
    """A file of labels by two people on all examples of the flower project, and the spec that names it."""
    rows = []
    for name, rate in rates.items():
        frame = pd.read_csv(home / f"{name}.csv")
        for seed, (who, times) in enumerate({"anna": 1.0, "ben": 2.0}.items()):
            label = mistaken(frame["kind"], rate * times, seed)
            rows.append(pd.DataFrame({"id": frame["uid"], "annotator": who, "label": label}))
    pd.concat(rows).to_csv(home / "labels.csv", index=False)
    spec = (home / "project.yaml").read_text(encoding="utf-8")
    (home / "project.yaml").write_text(spec.replace(FIGURE, f"human_level: {level}\n"), encoding="utf-8")


def test_columns_of_annotators_tell_the_human_level_and_are_no_features(one_table: Path) -> None:
    checked = mlproj.check(one_table)
    assert not checked.problems
    assert checked.report is not None
    assert any("labels of anna, ben on 500 examples outside of test" in note for note in checked.report.notes)
    assert [c.role for c in checked.report.columns if c.name in ("anna", "ben")] == ["annotator", "annotator"]
    assert not {"anna", "ben"} & set(mlproj.load_split(one_table, "train").columns)
    spec = one_table / "project.yaml"
    spec.write_text(ONE_TABLE.replace("human_level: {annotators: [anna, ben]}\n", ""))
    mlproj.train(one_table, name="too-early")
    spec.write_text(ONE_TABLE)
    told = mlproj.diagnose_bias_variance(project=one_table).text()
    assert "anna, ben were features of too-early" in " ".join(told.split())
    mlproj.train(one_table)
    diagnosis = mlproj.diagnose_bias_variance(project=one_table)
    assert "were features of" not in " ".join(diagnosis.text().split())
    human = diagnosis.document()["rungs"][0]
    assert human["n"] == 500  # the sealed test set is not looked at
    assert human["source"].startswith("3 labels per item; bracket ")
    assert human["bracket"]["low"] < 0.05 < human["bracket"]["high"]  # the rate of mistakes
    said = diagnosis.document()["human"]["both"]
    assert (said["label_is"], said["label_is_declared"], said["people"]) == ("single", False, ["anna", "ben"])
    assert said["label_noise"]["rate"]["value"] == pytest.approx(0.05, abs=0.015)
    assert said["agreement"]["value"] == pytest.approx(0.85, abs=0.06)
    assert "bracket" in diagnosis.text().splitlines()[1]
    json.dumps(diagnosis.document(), allow_nan=False)
    mlproj.errors_export(project=one_table, n=5, out=one_table / "sheet.csv")
    assert {"anna", "ben"} <= set(pd.read_csv(one_table / "sheet.csv").columns)


def test_each_run_of_a_series_has_the_same_people_to_compare_with(one_table: Path) -> None:
    for epochs in (1, 3):
        mlproj.train(one_table, set=[f"training.epochs={epochs}"])
    series = mlproj.diagnose_bias_variance(project=one_table, series=True).series
    assert series is not None
    people = [entry.ladder.rung("human") for entry in series.entries]
    assert len(people) == 2
    assert people[0] is not None
    assert people[0] == people[1]
    assert people[0].low is not None


def test_annotators_may_be_named_later_without_renaming_examples(one_table: Path) -> None:
    spec = one_table / "project.yaml"
    spec.write_text(ONE_TABLE.replace("human_level: {annotators: [anna, ben]}\n", "").replace(", id: uid", ""))
    mlproj.split(one_table, out=one_table / "before.csv")
    assert "anna" in mlproj.load_split(one_table, "train").columns
    spec.write_text(ONE_TABLE.replace(", id: uid", ""))
    mlproj.split(one_table, out=one_table / "after.csv")
    assert "anna" not in mlproj.load_split(one_table, "train").columns
    pd.testing.assert_frame_equal(pd.read_csv(one_table / "before.csv"), pd.read_csv(one_table / "after.csv"))


def test_a_file_of_labels_gives_both_distributions_a_human_level_and_fills_the_table(
    make_flowers: Callable[..., Path],
) -> None:
    home = make_flowers()
    with_labels(home, "{annotators: labels.csv, label_is: gold}", {"app": 0.09, "web": 0.03})
    diagnosis = mlproj.diagnose_bias_variance(answer(home), project=home)
    document = diagnosis.document()
    human = document["rungs"][0]
    assert (human["distribution"], human["source"]) == ("training", "the best of 2: anna")
    assert human["error"] == pytest.approx(0.04, abs=0.012)  # a fifth of what is trained on is from the app
    table = {row["row"]: row for row in document["table"]["rows"]}
    assert table["human"]["target"]["error"] == pytest.approx(0.09, abs=0.025)
    assert table["human"]["target"]["n"] == 450  # all of the app but test
    deal = pd.read_csv(home / "splits.csv")
    assert table["trained_on"]["target"]["n"] == ((deal["split"] == "train") & (deal["id"] >= 10**6)).sum()
    assert not document["table"]["missing"]
    text = diagnosis.text()
    assert "target − training" in text
    assert "People, too, err more on the target" in text
    assert "Labels of 150 examples of the sealed test set" in text


def test_the_cell_of_target_examples_that_were_trained_on_is_their_error(home: Path) -> None:
    diagnosis = mlproj.diagnose_bias_variance("first", project=home, metric="error")
    predictions = diagnosis.subject.predictions
    assert predictions is not None
    train = predictions.part("train")
    of_app = np.array([int(name) >= 10**6 for name in train.ids.tolist()])
    wrong = train.answers.y_pred != train.answers.y_true
    cells = diagnosis.document()["table"]["rows"][1]
    assert (cells["target"]["n"], cells["target"]["error"]) == (of_app.sum(), pytest.approx(wrong[of_app].mean()))
    assert cells["training"]["error"] == pytest.approx(wrong.mean())


def test_experts_and_two_figures_by_hand(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers()
    spec = (home / "project.yaml").read_text(encoding="utf-8")
    experts = (
        "human_level: {experts: [{by: one, n: 5000, error: 0.01}, {by: team, n: 5000, error: 0.005}], on: training}\n"
    )
    (home / "project.yaml").write_text(spec.replace(FIGURE, experts), encoding="utf-8")
    file = answer(home)
    rung = mlproj.diagnose_bias_variance(file, project=home).ladder.rung("human")
    assert rung is not None
    assert (rung.source, rung.distribution) == ("the best of 2: team", "training")
    assert rung.error == pytest.approx(0.005, abs=2e-4)
    both = "human_level: [{error: 0.03, n: 300, on: target}, {error: 0.01, n: 500, on: training}]\n"
    (home / "project.yaml").write_text(spec.replace(FIGURE, both), encoding="utf-8")
    document = mlproj.diagnose_bias_variance(file, project=home).document()
    assert document["rungs"][0]["error"] == 0.01
    assert document["table"]["rows"][0]["target"]["error"] == 0.03


def test_a_consensus_of_the_annotators_gives_no_human_level(one_table: Path) -> None:
    frame = pd.read_csv(one_table / "app.csv")
    people = {name: mistaken(frame["kind"], 0.1, seed) for seed, name in enumerate(["anna", "ben", "cara"], 1)}
    votes = pd.DataFrame(people)
    frame.assign(**people, kind=votes.mode(axis=1)[0]).to_csv(one_table / "app.csv", index=False)
    (one_table / "project.yaml").write_text(ONE_TABLE.replace("ben]", "ben, cara]"), encoding="utf-8")
    diagnosis = mlproj.diagnose_bias_variance(answer(one_table), project=one_table)
    assert diagnosis.ladder.rung("human") is None
    assert diagnosis.document()["human"]["both"]["label_is"] == "consensus"
    assert "the majority of these people" in diagnosis.text()


@pytest.fixture
def keras() -> Path:
    """A predictions file that brings the labels of two people."""
    rng = np.random.default_rng(3)
    p = rng.beta(0.15, 0.15, 500)
    labels = {name: np.where(rng.random(500) < p, "cat", "dog") for name in ("y_true", "anna", "ben")}
    split = np.where(np.arange(500) < 300, "train", "dev")
    answers = np.where(p > 0.5, "cat", "dog")
    pd.DataFrame({"id": np.arange(500), "split": split, "y_pred": answers, **labels}).to_csv("keras.csv", index=False)
    return Path("keras.csv")


def test_a_predictions_file_brings_annotators_of_its_own(keras: Path) -> None:
    ran = CliRunner().invoke(app, ["diagnose", "bias-variance", str(keras), "--annotators", "anna,ben", "--json"])
    assert ran.exit_code == 0, ran.output
    document = json.loads(ran.stdout)
    assert document["rungs"][0]["source"].startswith("3 labels per item")
    as_gold = mlproj.diagnose_bias_variance(keras, annotators="anna,ben", label_is="gold").document()
    assert as_gold["human"]["both"]["kind"] == "experts"
    pd.read_csv(keras).melt("id", ["anna", "ben"], "annotator", "label").to_csv("labels.csv", index=False)
    of_file = mlproj.diagnose_bias_variance(keras, annotators="labels.csv").document()
    assert of_file["rungs"][0] == document["rungs"][0]


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"annotators": "anna,bne"}, r"--annotators: there is no column 'bne'\n.*Did you mean `ben`"),
        ({"annotators": "y_true"}, "'y_true' is the label"),
        ({"annotators": "anna,anna"}, "'anna' is named twice"),
        ({"annotators": ","}, "names no column"),
        ({"annotators": "split"}, "there is no column 'split'"),
        ({"annotators": "none.csv"}, r"none.csv does not exist\n.*id, annotator and label"),
        ({"annotators": "anna", "human": "0.1"}, "a human level is given as well"),
        ({"annotators": "anna", "label_is": "golden"}, "'golden' is none of gold, single, consensus"),
        ({"label_is": "gold"}, "goes with --annotators"),
    ],
)
def test_what_is_wrong_with_the_options_is_said(keras: Path, options: dict[str, Any], fragment: str) -> None:
    with pytest.raises(InvalidInput, match=fragment):
        mlproj.diagnose_bias_variance(keras, **options)


def test_a_label_of_several_has_no_annotators(keras: Path) -> None:
    with pytest.raises(InvalidInput, match="--label names one of several"):
        mlproj.diagnose_bias_variance(keras, annotators="anna", label="p")


def test_labels_that_never_differ_raise_a_doubt(keras: Path) -> None:
    frame = pd.read_csv(keras)
    frame.assign(anna=frame["y_true"], ben=frame["y_true"]).to_csv(keras, index=False)
    assert "were they copied?" in mlproj.diagnose_bias_variance(keras, annotators="anna,ben").text()


def test_rungs_by_hand_have_nobody_who_labelled_them() -> None:
    with pytest.raises(InvalidInput, match="there are no examples"):
        mlproj.diagnose_bias_variance(rung=["train=1%", "dev=2%"], annotators="a")


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (
            lambda d: d.rename(columns={"annotator": "annotater"}),
            "has no column 'annotator'\n.*Did you mean `annotater`",
        ),
        (lambda d: d.assign(label="tulip"), r"column label: holds 'tulip', but the classes are"),
        (lambda d: d.assign(label=d.label.replace("rose", "rosé")), r"holds 'rosé'.*\n.*Did you mean `rose`"),
        (lambda d: pd.concat([d, d.head(2)]), "labelled '.*' 2 times, and 1 more such"),
        (lambda d: d.assign(id="x" + d.id.astype(str)), "ids are not in the data: 'x"),
        (lambda d: d.assign(label=""), "all its labels are empty"),
        (lambda d: d.assign(annotator=d.annotator.where(d.index > 0)), "column annotator, row 2"),
    ],
)
def test_what_is_wrong_with_a_file_of_labels_is_said(
    make_flowers: Callable[..., Path], change: Callable[[pd.DataFrame], pd.DataFrame], fragment: str
) -> None:
    home = make_flowers()
    with_labels(home, "{annotators: labels.csv}", {"app": 0.05, "web": 0.05})
    change(pd.read_csv(home / "labels.csv").reset_index(drop=True)).to_csv(home / "labels.csv", index=False)
    text = "\n".join(str(problem) for problem in mlproj.check(home).problems)
    import re

    assert re.search(fragment, text), text


def test_labels_of_the_sealed_test_set_alone_are_of_no_use(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers()
    with_labels(home, "{annotators: labels.csv}", {"app": 0.05, "web": 0.05})
    mlproj.split(home, out=home / "splits.csv")
    ids = pd.read_csv(home / "splits.csv")
    sealed = set(ids[ids["split"] == "test"]["id"])
    labels = pd.read_csv(home / "labels.csv")
    labels[labels["id"].isin(sealed)].to_csv(home / "labels.csv", index=False)
    assert "all its labels are of the sealed test set" in str(mlproj.check(home).problems[0])


def test_several_labels_have_no_annotators(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "p": rng.integers(0, 2, 200), "q": rng.integers(0, 2, 200)})
    frame.assign(anna=frame["p"]).to_csv(tmp_path / "a.csv", index=False)
    spec = "name: t\ndata: {source: a.csv, label: [p, q]}\nhuman_level: {annotators: [anna]}\n"
    (tmp_path / "project.yaml").write_text(spec, encoding="utf-8")
    assert "labels of people speak of one label, and there are 2" in str(mlproj.check(tmp_path).problems[0])


def test_spec_of_the_support_is_what_is_replaced() -> None:
    assert FIGURE in SPEC
