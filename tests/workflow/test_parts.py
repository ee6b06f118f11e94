"""Slices and tags of dev that every run reports."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reviews import make_sheet, row

import mlproj
from mlproj.records import Answers, Predictions
from mlproj.spec.project import Project
from mlproj.workflow.parts import keep_tags, losses_of, measure_slices, read_tags


def answers(wrong: list[int], n: int = 8) -> Predictions:
    y_pred = np.isin(np.arange(n), wrong).astype(np.int64)
    ids, split = np.arange(n).astype(np.str_), np.full(n, "dev")
    return Predictions(ids, split, {"": Answers(np.zeros(n, np.int64), y_pred, ("no", "yes"))})


@pytest.fixture
def project() -> Project:
    return Project.model_validate(
        {"name": "p", "data": {"source": "a.csv", "label": "y"}, "slices": {"dark": "light < 0.5", "none": "light > 9"}}
    )


def test_a_slice_is_measured_by_id_whatever_the_order_of_the_rows(project: Project) -> None:
    frame = pd.DataFrame({"light": [0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1]})
    ids = [str(i) for i in reversed(range(8))]
    dark, none = measure_slices(project, frame, ids, answers([0, 2, 1]))
    assert (dark["slice"], dark["n"], dark["error"], dark["rest"]) == ("dark", 4, 0.5, 0.25)
    assert (none["n"], none["error"], none["gap"]) == (0, None, None)


def test_tags_of_errors_are_kept_and_those_of_right_answers_are_not(tmp_path: Path) -> None:
    keep_tags(tmp_path, make_sheet([row(1, "dog"), row(2), row(3, "dog", stratum="correct")], tags=("dog", "cat")))
    assert read_tags(tmp_path) == {"dog": {"1"}}


def test_a_divided_tag_is_not_kept(tmp_path: Path) -> None:
    keep_tags(tmp_path, make_sheet([row(1, "dog", who="anna"), row(1, who="ben")], tags=("dog",)))
    assert read_tags(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tags": 3}', '{"tags": {"dog": 3}}', "null", "\udcff"])
def test_a_damaged_file_of_tags_is_passed_over(tmp_path: Path, text: str) -> None:
    keep_tags(tmp_path, make_sheet([row(1, "dog")], tags=("dog",)))
    (tmp_path / "sheets" / "a.tags.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    assert read_tags(tmp_path) == {"dog": {"1"}}


def test_a_later_reading_of_a_sheet_replaces_the_earlier(tmp_path: Path) -> None:
    for name in ("1", "2"):
        keep_tags(tmp_path, make_sheet([row(name, "dog")], tags=("dog",)))
    assert read_tags(tmp_path) == {"dog": {"2"}}
    (file,) = (tmp_path / "sheets").iterdir()
    assert json.loads(file.read_text(encoding="ascii"))["run"] == "r"


def test_the_loss_of_several_labels_is_their_mean() -> None:
    one, two = answers([0, 1]), answers([1, 2])
    both = Predictions(one.ids, one.split, {"a": one.answers, "b": two.answers})
    loss, is_rate, known = losses_of(both, None)
    assert loss.tolist() == [0.5, 1.0, 0.5, 0, 0, 0, 0, 0]
    assert not is_rate
    assert known.all()


SPEC = 'name: p\ndata: {source: t.csv, label: y, columns: {region: ignore}}\ntraining: {epochs: 2}\nslices: {a: "%s"}\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "region": rng.choice(["north", "south"], 200)})
    frame.assign(y=np.where(rng.random(200) < 0.4, "yes", "no")).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path


def test_a_slice_may_speak_of_the_label(home: Path) -> None:
    (home / "project.yaml").write_text(SPEC % "y == 'yes'")
    trained = mlproj.train(home)
    dev = trained.fit.predictions.part("dev")
    [found] = trained.parts["slices"]
    assert found["n"] == int((dev.answers.y_true == 1).sum())
    assert found["error"] == pytest.approx((dev.answers.y_pred != 1)[dev.answers.y_true == 1].mean())


def test_a_slice_of_an_ignored_column_is_refused_before_anything_starts(home: Path) -> None:
    (home / "project.yaml").write_text(SPEC % "region == 'south'")
    with pytest.raises(mlproj.InvalidInput, match=r"slices.a: `region == 'south'`: there is no column 'region'"):
        mlproj.train(home)
    assert not (home / "mlruns" / "splits").exists()


def test_a_slice_that_holds_nothing_is_warned_of(home: Path) -> None:
    (home / "project.yaml").write_text(SPEC % "x > 99")
    report = mlproj.check(home).report
    assert report is not None
    assert any("slices.a: `x > 99` is true for none of the 160 rows" in warning for warning in report.warnings)
