"""Notes on corrected labels, and the alarm of the half of dev that is looked at."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlproj
from mlproj.error_analysis import Manifest
from mlproj.error_analysis.sample import eyeball
from mlproj.records import Answers, Predictions, Run
from mlproj.records.files import read_predictions, write_predictions
from mlproj.workflow.labels import alarm, corrections_of, note_one_sided, note_pair

N = 2000
IDS = np.arange(N).astype(np.str_)


def run(name: str, started: float, **tags: object) -> Run:
    kept = {"mlproj.corrections": json.dumps(tags)} if tags else {}
    return Run(name, name, "train", "FINISHED", started, tags=kept)


def manifest(**more: object) -> Manifest:
    drawn = Manifest(
        "sheet-x", "r", "first", "dev", "errors", "eyeball", "classification", "", ("no", "yes"), N, 0.1, {}
    )  # fmt: skip
    return dataclasses.replace(drawn, **more)  # type: ignore[arg-type]  # fields by name


def predictions(wrong: np.ndarray, truth: int = 0) -> Predictions:
    y_true = np.full(N, truth, np.int64)
    return Predictions(
        IDS, np.full(N, "dev"), {"": Answers(y_true, np.where(wrong, 1 - y_true, y_true), ("no", "yes"))}
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"dev": 1}, "1 label of dev was corrected, but none of test, train-dev and train"),
        ({"dev": 9, "test": 1, "train": 2}, "9 labels of dev were corrected, but none of train-dev:"),
        ({"dev": 9, "test": 1, "train": 2, "train_dev": 1}, None),
        ({"train": 5}, None),
        ({}, None),
    ],
)
def test_a_correction_of_dev_alone_is_flagged(counts: dict[str, int], words: str | None) -> None:
    said = note_one_sided(counts, {"train": 9, "train_dev": 9, "dev": 9, "test": 9})
    assert said is None if words is None else said is not None and said.startswith(words)


def test_a_split_that_is_not_there_cannot_be_forgotten() -> None:
    assert note_one_sided({"dev": 1, "train": 1}, {"train": 9, "dev": 9}) is None


def test_runs_by_different_labels_are_told_apart() -> None:
    old, new, newer = run("old", 1.0), run("new", 2.0, dev=3, digest="a"), run("newer", 3.0, dev=4, digest="b")
    assert note_pair(new, old) == "Labels were corrected between old and new: their figures are by different labels."
    assert note_pair(new, newer) is not None
    assert note_pair(new, new) is note_pair(old, old) is note_pair(None, new) is None


def test_a_tag_that_somebody_else_wrote_is_no_correction() -> None:
    for text in ("soon", "[1]", ""):
        assert corrections_of(dataclasses.replace(run("x", 0.0), tags={"mlproj.corrections": text})) == {}


def test_the_alarm_names_sheet_size_and_the_next_half() -> None:
    rng = np.random.default_rng(0)
    wrong, seen = rng.random(N) < 0.2, eyeball(IDS)
    said = alarm(manifest(), predictions(wrong), predictions(wrong & ~(seen & (rng.random(N) < 0.6))))
    assert said is not None
    assert "Since sheet-x the half of dev that was looked at improved by 1" in said
    assert said.endswith("Draw another half: `error_analysis: {eyeball: 1}`.")


def test_the_alarm_follows_the_half_that_the_sheet_was_drawn_from() -> None:
    rng = np.random.default_rng(0)
    wrong, seen = rng.random(N) < 0.2, eyeball(IDS, seed=3)
    then, now = predictions(wrong), predictions(wrong & ~(seen & (rng.random(N) < 0.6)))
    said = alarm(manifest(eyeball_seed=3), then, now)
    assert said is not None
    assert "eyeball: 4" in said
    assert alarm(manifest(), then, now) is None


def test_both_runs_are_judged_by_the_labels_of_now() -> None:
    wrong = np.random.default_rng(0).random(N) < 0.2
    relabelled = predictions(wrong)
    truth = np.where(wrong & eyeball(IDS), 1, 0)  # the labels of the half that was looked at were mended, no model
    answers = dataclasses.replace(relabelled.answers, y_true=truth)
    assert alarm(manifest(), relabelled, dataclasses.replace(relabelled, labels={"": answers})) is None


def test_there_is_no_alarm_without_examples_in_common_or_with_few() -> None:
    some, others = predictions(np.ones(N, np.bool_)), predictions(np.zeros(N, np.bool_))
    assert alarm(manifest(), some, dataclasses.replace(others, ids=np.char.add("x", IDS))) is None
    few = np.arange(N) < 15
    assert alarm(manifest(), some.select(few), others.select(few)) is None


def test_the_next_sheet_says_that_the_half_is_overfitted(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home, tmp_path / "flowers")
    monkeypatch.chdir(tmp_path / "flowers")
    mlproj.errors_export("first", out=Path("one.csv"), n=5)
    assert not any("overfitted" in note for note in mlproj.errors_export("first", out=Path("two.csv"), n=5).notes)
    second = mlproj.train(name="second", set=["training.epochs=1"])
    assert second.run.folder is not None
    file = second.run.folder / "predictions.parquet"
    write_predictions(_learned_by_heart(read_predictions(file)), file)
    notes = mlproj.errors_export("second", out=Path("three.csv"), n=5).notes
    assert any("`error_analysis: {eyeball: 1}`" in note for note in notes)
    with Path("project.yaml").open("a", encoding="utf-8") as spec:
        spec.write("error_analysis: {eyeball: 1}\n")
    assert not any("overfitted" in note for note in mlproj.errors_export("second", out=Path("four.csv"), n=5).notes)
    assert len(pd.read_csv("four.csv")) > 0


def _learned_by_heart(found: Predictions) -> Predictions:
    """All right on the eyeball half of dev, all wrong on the other."""
    answers, seen = found.answers, eyeball(found.ids)
    pred = np.where(seen, answers.y_true, (answers.y_true + 1) % 3)
    return dataclasses.replace(found, labels={"": dataclasses.replace(answers, y_pred=pred, p=None)})
