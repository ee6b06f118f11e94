"""Whole stories of `mlproj diagnose mismatch`: runs, files, new data."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flower_project import SPEC, flowers
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.diagnose import ladder_of
from mlproj.error_analysis.sample import eyeball
from mlproj.errors import InvalidInput
from mlproj.records.files import read_predictions
from mlproj.spec.load import load_project
from mlproj.workflow.mismatch import Comparison, require_both
from mlproj.workflow.subject import Subject
from mlproj.workflow.train import Trained


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flowers of an app that measures one input badly, learned from the web alone; two slices, and groups."""
    from flower_project import write_flowers

    spec = SPEC.replace("optimize: f1_macro", "optimize: error").replace("dev: 150, test: 150", "dev: 280, test: 280")
    spec = (
        spec.replace("train_dev: 150", "train_dev: 280")
        + "slices: {red: \"colour == 'red'\", iris: \"kind == 'iris'\"}\n"
    )
    home = write_flowers(tmp_path_factory.mktemp("shifted") / "flowers", spec)
    frame = pd.read_csv(home / "app.csv")
    frame["x0"] -= 4
    frame.to_csv(home / "app.csv", index=False)
    mlproj.train(home, name="first", set=["training.epochs=30"])
    return home


@pytest.fixture(scope="module")
def compared(shifted: Path) -> Comparison:
    return mlproj.diagnose_mismatch(project=shifted)


def test_a_planted_shift_is_named_with_its_feature_and_stored(compared: Comparison, shifted: Path) -> None:
    found, document = compared.found, compared.document()
    json.dumps(document, allow_nan=False)
    assert found.gap is not None
    assert found.gap.state == "matters"
    assert found.is_flagged
    assert found.effects[0].feature == "x0"
    assert [by.name for by in found.parts] == ["class", "slice red", "slice iris"]
    assert all(by.split.mix.value + by.split.within.value == pytest.approx(found.gap.size) for by in found.parts)
    assert [source.name for source in found.sources] == ["web.csv"]
    assert found.sources[0].is_far
    assert compared.next.endswith("errors export first --out errors.xlsx")
    newest = mlproj.runs(shifted).runs[0]
    assert (newest.kind, newest.tags["mlproj.of"]) == ("diagnosis", document["run"]["id"])
    assert newest.tags["mlproj.action"] == found.action.name


def test_the_gap_is_that_of_the_ladder(compared: Comparison) -> None:
    assert compared.subject is not None
    assert compared.subject.predictions is not None
    ladder = ladder_of(compared.subject.predictions, distributions_differ=True)
    [rung] = [gap for gap in ladder.gaps if gap.name == "data_mismatch"]
    gap = compared.found.gap
    assert gap is not None
    assert (gap.size, gap.low, gap.high) == pytest.approx((rung.size, rung.low, rung.high))
    assert gap.min_gap == ladder.verdict.min_gap


def test_dev_examples_that_are_shown_are_of_the_half_that_may_be_looked_at(compared: Comparison) -> None:
    assert len(compared.found.only_second) == 8
    assert eyeball(np.array([shown.id for shown in compared.found.only_second])).all()


def test_the_command_prints_one_document_and_says_what_is_wrong() -> None:
    predictions(100, 0).to_csv("keras.csv", index=False)
    result = CliRunner().invoke(app, ["diagnose", "mismatch", "keras.csv", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["sets"] == ["train-dev", "dev"]
    Path("keras.csv").write_text("split,y_true,y_pred\ndev,1,1\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["diagnose", "mismatch", "keras.csv"])
    assert result.exit_code == 2
    assert "Add rows whose split is train_dev" in result.output


def test_new_data_without_labels_are_held_against_dev(trained: Trained, home: Path) -> None:
    frame = flowers(300, shift=2.0, start=9 * 10**6, seed=5).drop(columns="kind")
    frame.to_csv("new.csv", index=False)
    compared = mlproj.diagnose_mismatch(trained, against="new.csv")
    found = compared.found
    assert (found.names, found.gap, found.shift) == (("dev", "new.csv"), None, None)
    assert found.action.name == "collect"
    assert {row.answer for row in found.answers} == {"iris", "rose", "lily"}
    assert sum(row.second for row in found.answers) == pytest.approx(1)
    assert found.only_second[0].id.startswith("9000")
    assert "against new.csv, 300 rows" in compared.head
    assert compared.next.endswith("predict first new.csv --out answers.csv")
    same = flowers(300, shift=0.6, start=9 * 10**6, seed=6).drop(columns="kind")
    same.to_json("same.jsonl", orient="records", lines=True)
    assert mlproj.diagnose_mismatch(trained, against="same.jsonl").found.action.name == "nothing"


def test_new_data_need_no_run(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers()
    flowers(200, shift=3, start=9 * 10**6, seed=5).to_csv("new.csv", index=False)
    compared = mlproj.diagnose_mismatch(project=home, against="new.csv")
    assert compared.found.inputs_differ
    assert compared.found.answers == ()
    assert any("holds the label kind" in note for note in compared.found.notes)
    assert any("no trained run yet" in note for note in compared.found.notes)
    assert not (home / "mlruns").exists()


def test_what_new_data_lack_is_said_at_once(trained: Trained, home: Path) -> None:
    frame = (
        flowers(60, start=9 * 10**6).drop(columns=["kind", "x1"]).assign(x2="much", x3=lambda f: f["x3"].astype(str))
    )
    frame.loc[0, "x3"] = "?!"
    frame.to_csv("new.csv", index=False)
    with pytest.raises(InvalidInput) as caught:
        mlproj.diagnose_mismatch(trained, against="new.csv")
    assert {problem.where for problem in caught.value.problems} == {"column 'x1'", "column 'x2'"}
    frame.assign(x1=0.0, x2=0.0).to_csv("odd.csv", index=False)
    notes = mlproj.diagnose_mismatch(trained, against="odd.csv").found.notes
    assert any("1 cells of 'x3' in odd.csv are no number, such as '?!'" in note for note in notes)
    with pytest.raises(InvalidInput, match="there is no such file"):
        mlproj.diagnose_mismatch(trained, against="nowhere.csv")


def predictions(n: int, seed: int, **columns: np.ndarray) -> pd.DataFrame:
    """A predictions file: half train-dev, half dev with 20 points more errors."""
    rng = np.random.default_rng(seed)
    split = np.repeat(["train_dev", "dev"], n // 2)
    y = rng.integers(0, 2, n)
    wrong = rng.random(n) < np.where(split == "dev", 0.3, 0.1)
    frame = pd.DataFrame({"id": [f"e{i}" for i in range(n)], "split": split, "y_true": y, "y_pred": y ^ wrong})
    return frame.assign(**columns)


def test_predictions_alone_have_a_gap_and_its_parts() -> None:
    predictions(800, 0).to_csv("keras.csv", index=False)
    compared = mlproj.diagnose_mismatch("keras.csv")
    assert compared.found.gap is not None
    assert compared.found.gap.state == "matters"
    assert [by.name for by in compared.found.parts] == ["class"]
    assert (compared.found.separation, compared.found.shift) == (None, None)
    assert any("without features" in note for note in compared.found.notes)
    assert compared.next == "mlproj errors export keras.csv --out errors.xlsx"


def test_further_columns_of_a_predictions_file_are_features() -> None:
    rng = np.random.default_rng(0)
    light = rng.normal(size=800) + np.repeat([0.0, 1.0], 400)
    note = np.array([f"a note that differs {i}" for i in range(800)])
    place = rng.choice(["in", "out"], 800)
    predictions(800, 0, light=light, place=place, note=note).to_csv("keras.csv", index=False)
    found = mlproj.diagnose_mismatch("keras.csv").found
    assert found.is_flagged
    assert {effect.feature for effect in found.effects} == {"light", "place"}
    assert found.effects[0].feature == "light"
    assert found.shift is not None
    assert any("are no features: note" in text for text in found.notes)
    pd.DataFrame({"light": rng.normal(size=300) + 3, "place": rng.choice(["in", "out"], 300)}).to_csv(
        "new.csv", index=False
    )
    new = mlproj.diagnose_mismatch("keras.csv", against="new.csv").found
    assert new.inputs_differ
    pd.DataFrame({"other": [1]}).to_csv("else.csv", index=False)
    with pytest.raises(InvalidInput, match="share no feature"):
        mlproj.diagnose_mismatch("keras.csv", against="else.csv")


def test_numbers_are_split_by_fifths_and_several_labels_each_by_its_own() -> None:
    rng = np.random.default_rng(0)
    split = np.repeat(["train_dev", "dev"], 300)
    y = rng.normal(size=600)
    noise = rng.normal(size=600) * np.where(split == "dev", 2.0, 1.0)
    pd.DataFrame({"split": split, "y_true": y, "y_pred": y + noise}).to_csv("prices.csv", index=False)
    numbers = mlproj.diagnose_mismatch("prices.csv", metric="rmse").found
    assert numbers.gap is not None
    assert numbers.gap.metric == "rmse"
    assert (numbers.parts[0].name, numbers.parts[0].metric, len(numbers.parts[0].split.rows)) == ("value", "mse", 5)
    truth = {f"y_true:{name}": rng.integers(0, 2, 600) for name in ("cat", "dog")}
    answers = {f"y_pred:{name}": truth[f"y_true:{name}"] ^ (rng.random(600) < 0.2) for name in ("cat", "dog")}
    pd.DataFrame({"split": split, **truth, **answers}).to_csv("tags.csv", index=False)
    assert [by.name for by in mlproj.diagnose_mismatch("tags.csv").found.parts] == ["cat", "dog"]
    assert [by.name for by in mlproj.diagnose_mismatch("tags.csv", label="dog").found.parts] == ["dog"]


@pytest.mark.parametrize(
    ("differ", "said"),
    [
        (True, r"one holds no labelled train-dev.*(?s:.*)split --redraw --set splits\.train_dev=15 && mlproj train"),
        (False, r"one distribution here.*(?s:.*)mlproj diagnose mismatch --against FILE"),
    ],
)
def test_what_is_missing_and_how_to_make_it(differ: bool, said: str) -> None:
    frame = predictions(60, 0)
    frame["split"] = np.repeat(["dev", "train"], [0, 60])
    pd.concat([frame, predictions(60, 1).query("split == 'dev'").assign(id=range(30))]).to_csv("one.csv", index=False)
    run = read_predictions("one.csv")
    Path("project.yaml").write_text("name: i\ndata: {source: 'sklearn:iris'}\n", encoding="utf-8")
    subject = Subject("head", "one", "latest", run, load_project("."), None, {"distributions_differ": differ})
    with pytest.raises(InvalidInput, match=said):
        require_both(subject, run)


def test_odd_files_end_with_a_message() -> None:
    Path("empty.csv").write_text("split,y_true,y_pred\ntrain_dev,1,1\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="no labelled dev"):
        mlproj.diagnose_mismatch("empty.csv")
    Path("tiny.csv").write_text(
        "split,y_true,y_pred,x\ntrain_dev,1,1,\ntrain_dev,1,1,2\ndev,1,1,3\ndev,1,0,4\n", encoding="utf-8"
    )
    tiny = mlproj.diagnose_mismatch("tiny.csv")
    assert tiny.found.action.name == "grow"
    assert "Not tested" in tiny.text()
    with pytest.raises(InvalidInput, match="--min-gap"):
        mlproj.diagnose_mismatch("tiny.csv", min_gap=float("nan"))
    with pytest.raises(InvalidInput, match="cannot stand beside --against"):
        mlproj.diagnose_mismatch("tiny.csv", against="tiny.csv", metric="error")
    with pytest.raises(InvalidInput, match="there is no project"):
        mlproj.diagnose_mismatch(against="tiny.csv")
