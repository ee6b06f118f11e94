"""Whole stories of `mlproj diagnose bias-variance --series`: a real store with trainings, a record and a new deal."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.records import Run
from mlproj.workflow.series import Listed, sort_out
from mlproj.workflow.train import Trained

RUNGS = ["train=1%:20000", "dev=10%:20000"]


@pytest.fixture(scope="module")
def home(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained project with a longer training that does better, its copy as a record, and a wide one."""
    folder = copytree(trained.project.root, tmp_path_factory.mktemp("series") / "flowers")
    longer = mlproj.train(folder, name="longer", set=["training.epochs=10", "training.learning_rate=0.01"])
    assert longer.run.folder is not None
    mlproj.record(folder, file=longer.run.folder / "predictions.parquet", name="kept", params={"own.depth": 3})
    mlproj.train(folder, name="wide", set=["training.epochs=10", "training.learning_rate=0.01", "model.hidden=[32]"])
    return folder


@pytest.fixture(scope="module")
def wide(home: Path) -> dict[str, Any]:
    """The document of the series up to the last training."""
    return mlproj.diagnose_bias_variance("wide", project=home, series=True).document()


def test_the_runs_stand_in_order_with_what_changed(wide: dict[str, Any]) -> None:
    runs = wide["series"]["runs"]
    assert [run["name"] for run in runs] == ["first", "longer", "kept", "wide"]
    assert [run["kind"] for run in runs] == ["train", "train", "record", "train"]
    assert runs[1]["changed"] == {"training.epochs": ["6", "10"], "training.learning_rate": ["0.001", "0.01"]}
    assert runs[2]["changed"] == {"own.depth": [None, "3"]}
    assert runs[1]["rungs"] == runs[2]["rungs"]  # the record holds the same answers
    assert not any(run["data_changed"] for run in runs)
    dev = next(step for step in runs[2]["steps"] if step["gap"] == "dev")
    assert (dev["value"], dev["p"]) == (0.0, 1.0)


def test_the_gap_that_closed_is_dated_to_the_training_that_closed_it(wide: dict[str, Any]) -> None:
    dev = next(change for change in wide["series"]["changes"] if change["gap"] == "dev")
    longer = next(run["id"] for run in wide["series"]["runs"] if run["name"] == "longer")
    assert (dev["direction"], dev["since"], dev["before"], dev["n"]) == ("shrank", longer, "first", 150)
    assert "rungs" in wide
    assert wide["verdict"]["state"]


def test_a_series_ends_with_the_run_that_is_asked_about_and_is_no_longer_than_asked(home: Path) -> None:
    asked = mlproj.diagnose_bias_variance("kept", project=home, series=True, last=2)
    assert asked.series is not None
    assert [entry.name for entry in asked.series.entries] == ["longer", "kept"]
    assert asked.series.hidden == 1
    assert "--last 3" in asked.text()


@pytest.mark.parametrize(
    ("tags", "kind", "outcome", "reason"),
    [
        ({"mlproj.dev_hash": "a"}, "train", "completed", None),
        ({"mlproj.dev_hash": "b"}, "train", "completed", "another dev set"),
        ({"mlproj.dev_hash": "a", "mlproj.data_hash": "other"}, "train", "completed", None),
        ({"mlproj.dev_hash": "a", "mlproj.corrections": '{"digest": "c"}'}, "train", "completed", "other corrections"),
        ({}, "record", "completed", "only a part of dev"),
        ({"mlproj.dev_hash": "a"}, "train", "diverged", "diverged"),
    ],
)
def test_what_stands_apart_and_why(tags: dict[str, str], kind: str, outcome: str, reason: str | None) -> None:
    newest = Run("2", "newest", "train", "FINISHED", 2.0, "completed", tags={"mlproj.dev_hash": "a"})
    other = Run("1", "other", kind, "FINISHED", 1.0, outcome, tags=tags)
    kept, apart = sort_out([Listed(other, other), Listed(newest, newest)], newest)
    assert [each.run.name for each in kept] == (["newest"] if reason else ["other", "newest"])
    assert [names for why, names in apart.items() if reason and reason in why] == ([["other"]] if reason else [])


def test_large_training_sets_are_not_paired(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr("mlproj.workflow.series.MOST_PAIRED", 1000)
    series = mlproj.diagnose_bias_variance("kept", project=home, series=True, last=2).series
    assert series is not None
    variance = next(change for change in series.changes if change.gap == "variance")
    assert "train (different examples" in variance.method
    assert "train_dev (paired" in variance.method


def test_runs_on_another_deal_are_set_apart(home: Path, tmp_path: Path) -> None:
    folder = copytree(home, tmp_path / "anew")
    mlproj.split(folder, redraw=True)
    mlproj.train(folder, name="anew")
    series = mlproj.diagnose_bias_variance(project=folder, series=True).series
    assert series is not None
    assert [entry.name for entry in series.entries] == ["anew"]
    assert list(series.apart.values()) == [("first", "longer", "kept", "wide")]
    assert "dealt anew" in next(iter(series.apart))


def test_markdown_picture_and_the_stored_run(home: Path, tmp_path: Path) -> None:
    out, drawn = tmp_path / "series.md", tmp_path / "series.png"
    line = [
        "--project",
        str(home),
        "diagnose",
        "bias-variance",
        "wide",
        "--series",
        "--markdown",
        str(out),
        "--picture",
        str(drawn),
    ]
    mlproj.diagnose_bias_variance(rung=RUNGS, markdown=out)  # what the command wrote may be written anew
    result = CliRunner().invoke(app, [*line, "--json"])
    assert result.exit_code == 0, result.output
    assert "| 4 | wide |" in out.read_text(encoding="utf-8")
    assert drawn.read_bytes().startswith(b"\x89PNG")
    newest = mlproj.runs(home).runs[0]
    assert newest.kind == "diagnosis"
    assert newest.folder is not None
    assert json.loads((newest.folder / "ladder.json").read_text())["series"] == json.loads(result.stdout)["series"]


def test_a_plain_ladder_is_written_as_markdown_but_never_over_another_file(tmp_path: Path) -> None:
    out = tmp_path / "ladder.md"
    mlproj.diagnose_bias_variance(rung=RUNGS, markdown=out)
    assert "| dev | 10.0 | 9.6 to 10.4 | 20,000 |" in out.read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(mlproj.InvalidInput, match="not written by this command"):
        mlproj.diagnose_bias_variance(rung=RUNGS, markdown=tmp_path / "README.md")
    with pytest.raises(mlproj.InvalidInput, match=r"does not end in \.md"):
        mlproj.diagnose_bias_variance(rung=RUNGS, markdown=tmp_path / "ladder.txt")
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_series_needs_stored_runs(home: Path) -> None:
    with pytest.raises(mlproj.InvalidInput, match=r"--series.*lies in no store"):
        mlproj.diagnose_bias_variance(rung=RUNGS, series=True)
    with pytest.raises(mlproj.InvalidInput, match="rungs by hand would stand for every run"):
        mlproj.diagnose_bias_variance("wide", project=home, series=True, rung=["train=0.1:50"])
    with pytest.raises(mlproj.InvalidInput, match="--last"):
        mlproj.diagnose_bias_variance("wide", project=home, series=True, last=0)
