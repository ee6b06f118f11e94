"""Whole stories of `mlproj diagnose bias-variance`: runs, files and rungs."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flower_project import SPEC

import mlproj
from mlproj.errors import InputError, InvalidInput
from mlproj.workflow.train import Trained

RUNGS = ["human=0", "train=1%:20000", "train_dev=9%:20000", "dev=10%:20000"]


def test_a_run_has_the_whole_ladder_with_a_sealed_test(trained: Trained) -> None:
    document = mlproj.diagnose_bias_variance(trained.run, project=trained.project).document()
    assert [rung["name"] for rung in document["rungs"]] == ["human", "train", "train_dev", "dev", "test"]
    test = document["rungs"][-1]
    assert (test["error"], test["sealed"], test["n"]) == (None, True, 150)
    assert {"run", "metric", "scale", "gaps", "verdict", "constant", "remedies", "next"} <= set(document)
    json.dumps(document, allow_nan=False)


def test_a_planted_shift_is_seen_as_data_mismatch(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers(SPEC.replace("dev: 150, test: 150", "dev: 295, test: 295"))  # leaves ten app rows for train
    frame = pd.read_csv(home / "app.csv")
    noise = np.random.default_rng(7).normal(scale=2.5, size=(len(frame), 5))  # the app measures badly
    frame[[f"x{i}" for i in range(5)]] += noise
    frame.to_csv(home / "app.csv", index=False)
    mlproj.train(home, set=["training.epochs=30"])
    diagnosis = mlproj.diagnose_bias_variance(project=home)
    assert diagnosis.ladder.verdict.named == "data_mismatch", diagnosis.text()


def test_the_diagnosis_is_a_run_of_its_own_with_a_picture(trained: Trained, home: Path) -> None:
    mlproj.diagnose_bias_variance("first", project=home)
    newest = mlproj.runs(home).runs[0]
    assert (newest.kind, newest.tags["mlproj.of"]) == ("diagnosis", trained.run.id)
    assert newest.folder is None or (newest.folder / "ladder.png").stat().st_size > 1000


def test_without_a_name_the_newest_training_is_meant_never_a_diagnosis(trained: Trained, home: Path) -> None:
    mlproj.diagnose_bias_variance("first", project=home)
    assert mlproj.diagnose_bias_variance(project=home).subject.run is not None
    assert mlproj.diagnose_bias_variance(project=home).document()["run"]["chosen"] == "latest"


def test_rungs_by_hand_need_no_project() -> None:
    diagnosis = mlproj.diagnose_bias_variance(rung=RUNGS)
    assert diagnosis.ladder.verdict.named == "variance"
    assert not list(Path.cwd().iterdir())


def test_a_predictions_file_gives_the_same_ladder_as_its_run(trained: Trained, home: Path) -> None:
    assert trained.run.folder is not None
    of_run = mlproj.diagnose_bias_variance("first", project=home).ladder
    of_file = mlproj.diagnose_bias_variance(trained.run.folder / "predictions.parquet", project=home).ladder
    assert [(r.name, r.error) for r in of_run.rungs if not r.sealed] == [(r.name, r.error) for r in of_file.rungs]
    assert of_run.gaps == of_file.gaps


def test_truth_and_split_of_a_foreign_file_are_looked_up_and_test_rows_left_aside(trained: Trained, home: Path) -> None:
    deal = Path("splits.csv")
    mlproj.split(home, out=deal)
    ids = pd.read_csv(deal, dtype=str)
    everything = pd.concat([pd.read_csv(home / "app.csv"), pd.read_csv(home / "web.csv")]).astype({"uid": str})
    frame = ids.merge(everything, left_on="id", right_on="uid")
    answer = frame["kind"].where(np.arange(len(frame)) % 10 > 0, "rose")
    pd.DataFrame({"id": frame["id"], "y_pred": answer}).to_csv("foreign.csv", index=False)
    ladder = mlproj.diagnose_bias_variance("foreign.csv", project=home).ladder
    wrong = answer != frame["kind"]
    for name in ("train", "train_dev", "dev"):
        rung = ladder.rung(name)
        assert rung is not None
        assert rung.error == pytest.approx(wrong[frame["split"] == name].mean())
    test = ladder.rung("test")
    assert test is None or test.sealed


def test_ids_of_strangers_are_refused_with_a_way_out(home: Path) -> None:
    pd.DataFrame({"id": ["a", "b"], "y_pred": ["rose", "lily"]}).to_csv("strange.csv", index=False)
    with pytest.raises(mlproj.InvalidInput, match=r"(?s)2 of 2 ids.*mlproj split"):
        mlproj.diagnose_bias_variance("strange.csv", project=home)


def test_the_picture_goes_where_it_is_asked_for(tmp_path: Path) -> None:
    mlproj.diagnose_bias_variance(rung=RUNGS, picture=tmp_path / "ladder.png")
    assert (tmp_path / "ladder.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(mlproj.InvalidInput, match=r"--picture.*\.png"):
        mlproj.diagnose_bias_variance(rung=RUNGS, picture=tmp_path / "ladder.jpg")


def test_the_human_level_of_today_counts_for_runs_of_yesterday(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers()
    mlproj.train(home)
    spec = (home / "project.yaml").read_text()
    (home / "project.yaml").write_text(spec.replace("error: 0.02, n: 400", "error: 0.01, n: 900"))
    rung = mlproj.diagnose_bias_variance(project=home).ladder.rung("human")
    assert rung is not None
    assert (rung.error, rung.n) == (0.01, 900)


def test_a_human_level_that_only_the_run_was_given_counts_too(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers(SPEC.replace("human_level: {error: 0.02, n: 400, on: training}\n", ""))
    assert "human_level" not in (home / "project.yaml").read_text()
    mlproj.train(home, set=["human_level=0.03"])
    rung = mlproj.diagnose_bias_variance(project=home).ladder.rung("human")
    assert rung is not None
    assert rung.error == 0.03


def test_what_train_returned_is_diagnosed_wherever_one_stands(trained: Trained, tmp_path: Path) -> None:
    document = mlproj.diagnose_bias_variance(trained).document()
    assert document["run"]["id"] == trained.run.id
    assert document["rungs"][0]["name"] == "human"


def test_a_file_that_lacks_truth_is_named() -> None:
    Path("keras.csv").write_text("y_pred\nyes\nno\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"keras.csv: y_true: its dev rows have no y_true"):
        mlproj.diagnose_bias_variance("keras.csv")


@pytest.mark.parametrize("gap", [float("inf"), float("nan"), -0.1])
def test_a_gap_worth_closing_is_a_finite_number(gap: float) -> None:
    with pytest.raises(InvalidInput, match="--min-gap"):
        mlproj.diagnose_bias_variance(rung=RUNGS, min_gap=gap)


def test_a_picture_needs_a_folder() -> None:
    with pytest.raises(InvalidInput, match="--picture: the folder nowhere does not exist"):
        mlproj.diagnose_bias_variance(rung=RUNGS, picture=Path("nowhere/ladder.png"))


def test_without_a_dev_set_the_next_command_works_and_the_ladder_says_what_is_missing(tmp_path: Path) -> None:
    Path("project.yaml").write_text(
        "name: all\ndata: {source: 'sklearn:iris'}\nsplits: {dev: 0}\ntraining: {epochs: 2}\n", encoding="utf-8"
    )
    trained = mlproj.train(name="all")
    assert trained.next == "mlproj runs all"
    with pytest.raises(InputError, match="all was trained without a dev set"):
        mlproj.diagnose_bias_variance("all")
    assert mlproj.diagnose_bias_variance("all", rung=["dev=5%:100"]).ladder.gaps


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["rosa", "lys"], "answers lys, rosa, but the classes are iris, lily, rose"),
        (["0.1", "0.7"], "answers 0.1, 0.7"),
    ],
)
def test_answers_that_cannot_mean_the_projects_classes_are_refused(
    trained: Trained, home: Path, column: list[str], words: str
) -> None:
    mlproj.split(home, out=Path("ids.csv"))
    pd.read_csv("ids.csv", dtype=str)[["id"]].head(2).assign(y_pred=column).to_csv("foreign.csv", index=False)
    with pytest.raises(InvalidInput, match=words):
        mlproj.diagnose_bias_variance("foreign.csv", project=home)


def test_true_of_a_file_is_true_of_the_data() -> None:
    frame = pd.DataFrame({"key": [f"k{i}" for i in range(40)], "a": range(40), "y": [i % 3 > 0 for i in range(40)]})
    frame.to_csv("data.csv", index=False)
    Path("project.yaml").write_text("name: t\ndata: {source: data.csv, label: y, id: key}\n", encoding="utf-8")
    answers = frame.rename(columns={"key": "id"})[["id"]].assign(y_pred=frame["y"])
    answers.to_csv("foreign.csv", index=False)
    dev = mlproj.diagnose_bias_variance("foreign.csv").ladder.rung("dev")
    assert dev is not None
    assert dev.error == 0


def test_a_gap_in_points_is_not_taken_for_a_fraction() -> None:
    with pytest.raises(InvalidInput, match=r"2 points are 0\.02"):
        mlproj.diagnose_bias_variance(rung=["train=0.01:500", "dev=0.05:500"], min_gap=2)


def test_a_picture_may_be_named_as_text_but_must_be_a_place_to_write_to(tmp_path: Path) -> None:
    mlproj.diagnose_bias_variance(rung="dev=0.05:500", picture=str(tmp_path / "ladder.png"))
    assert (tmp_path / "ladder.png").stat().st_size > 1000
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InvalidInput, match="is a folder"):
        mlproj.diagnose_bias_variance(rung=["dev=0.05:500"], picture=tmp_path / "folder.png")
    with pytest.raises(InvalidInput, match="cannot be written"):
        mlproj.diagnose_bias_variance(rung=["dev=0.05:500"], picture="/proc/ladder.png")


def test_a_model_no_better_than_the_constant_answer_is_said_to_be(tmp_path: Path) -> None:
    rows = [f"{'train' if k % 2 else 'dev'},{int(k % 10 == 0)},{int(k % 8 == 3)}" for k in range(400)]
    file = tmp_path / "idle.csv"
    file.write_text("\n".join(["split,y_true,y_pred", *rows]))
    notes = mlproj.diagnose_bias_variance(file).ladder.notes
    assert "not better than the constant answer" in notes[0]
