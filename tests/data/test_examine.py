"""`check` on whole projects: what it says, what it keeps to itself, and that it writes nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlproj.data.dataset import load_dataset
from mlproj.data.examine import CheckReport, examine
from mlproj.data.sizes import half_width
from mlproj.spec.goal import HumanLevel, MetricSpec
from mlproj.spec.project import Project

Build = Callable[..., Project]


def people(n: int = 600, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    frame = pd.DataFrame({"uid": [f"p{seed}_{i}" for i in range(n)], "x": x.round(4), "z": rng.normal(size=n).round(4)})
    return frame.assign(colour=rng.choice(["red", "blue"], n), y=np.where(x + rng.normal(size=n) > 0.8, "yes", "no"))


def codes(report: CheckReport) -> set[str]:
    return {finding.code for finding in report.findings}


def test_a_healthy_project_gets_no_warning_and_nothing_is_written(build: Build, tmp_path: Path) -> None:
    project = build({"a.csv": people(1000)}, id="uid")
    before = sorted(path.name for path in tmp_path.iterdir())
    report = examine(project, tmp_path / "mlruns" / "splits")
    assert report.ok
    assert report.warnings == ()
    assert {name: row["n"] for name, row in report.splits.items()} == {"train": 600, "dev": 200, "test": 200}
    assert report.splits["dev"]["from"] == {"a.csv": 200}
    assert any("The constant answer (no) has error" in note for note in report.notes)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_splits_are_those_that_training_uses(build: Build, tmp_path: Path) -> None:
    project, store = build({"a.csv": people()}, id="uid"), tmp_path / "splits"
    looked = examine(project, store)
    dealt = load_dataset(project, store=store).deal
    assert {name: row["n"] for name, row in looked.splits.items()} == dealt.sizes
    assert examine(project, store).splits == looked.splits


def test_half_widths_are_stated_at_the_human_the_constant_or_the_usual_error(build: Build) -> None:
    project = build({"a.csv": people()}, id="uid")
    row = examine(project).splits["dev"]
    assert (row["at"], row["half_width"]) == (0.1, half_width(120, 0.1))
    human = project.changed(human_level=HumanLevel(error=0.02))
    assert examine(human).splits["dev"]["at"] == 0.02
    rare = people().assign(y=np.where(np.arange(600) % 25, "no", "yes"))
    assert examine(build({"a.csv": rare}, id="uid")).splits["dev"]["at"] == pytest.approx(0.04, abs=0.01)


def test_planted_trouble_is_found(build: Build) -> None:
    frame = people()
    frame.loc[500:, ["x", "z", "colour", "y"]] = frame.loc[:99, ["x", "z", "colour", "y"]].to_numpy()
    frame["why"] = pd.Series("signed", index=frame.index).where(frame["y"] == "yes")
    report = examine(build({"a.csv": frame}, id="uid"))
    assert {"duplicates", "leak_suspect"} <= codes(report)
    assert any("Column 'why' alone nearly determines 'y'" in warning for warning in report.warnings)
    assert report.ok


def test_pooled_sources_are_warned_of_and_extra_is_not(build: Build) -> None:
    files = {"app.csv": people(100, 1), "web.csv": people(2000, 2)}
    pooled = examine(build(files, source=("app.csv", "web.csv"), id="uid"))
    assert "pooled_distributions" in codes(pooled)
    apart = examine(build(files, source="app.csv", extra=("web.csv",), id="uid"))
    assert "pooled_distributions" not in codes(apart)
    assert apart.splits["dev"]["from"] == {"app.csv": 20}
    assert set(apart.splits) == {"train", "train_dev", "dev", "test"}
    assert any(note.startswith("y by source: app.csv: ") and "; web.csv: " in note for note in apart.notes)


def test_what_proves_each_promise_is_said(build: Build) -> None:
    metric = MetricSpec(optimize="f1", satisfy={"recall": ">= 0.95", "error": "<= 0.4", "latency_ms": "<= 20"})
    report = examine(build({"a.csv": people()}, id="uid").changed(metric=metric))
    assert any("it takes at least 73, all right: grow dev" in warning for warning in report.warnings)
    assert any(note.startswith("error <= 0.4 with 120 examples on dev: at most ") for note in report.notes)
    assert not any("latency" in text for text in (*report.warnings, *report.notes))


def test_metrics_that_do_not_suit_the_label_are_problems(build: Build) -> None:
    frame = people().assign(y=np.array(["a", "b", "c"])[np.arange(600) % 3])
    metric = MetricSpec(optimize="f1", satisfy={"r2": ">= 0.5"})
    report = examine(build({"a.csv": frame}, id="uid").changed(metric=metric))
    assert [problem.where for problem in report.problems] == ["metric.optimize", "metric.satisfy.r2"]
    assert "f1_macro" in report.problems[0].hint
    two = people().assign(y=np.array(["cat", "dog"])[np.arange(600) % 2])
    report = examine(build({"a.csv": two}, id="uid").changed(metric=MetricSpec(optimize="recall")))
    assert str(report.problems[0]).startswith("project.yaml:2: data.positive: recall speaks of the positive class")


def test_problems_are_collected_and_what_can_be_said_is_said(build: Build) -> None:
    report = examine(build({"a.csv": people()}, id="uld", splits={"dev": 5000.0}))
    assert not report.ok
    assert [problem.where for problem in report.problems] == ["data.id"]
    report = examine(build({"a.csv": people()}, id="uid", splits={"dev": 5000.0}))
    assert [problem.where for problem in report.problems] == ["splits.dev"]
    assert report.columns
    report = examine(build({"a.csv": people()}, source="nowhere.csv"))
    assert "nowhere.csv" in str(report.problems[0])


def test_the_labels_and_features_of_test_rows_change_nothing_that_is_said(build: Build, tmp_path: Path) -> None:
    frame, store = people(), tmp_path / "splits"
    project = build({"a.csv": frame}, id="uid")
    deal = load_dataset(project, store=store).deal
    first = examine(project, store)
    test = deal.split == "test"
    frame.loc[test, "y"] = frame.loc[test, "y"].map({"yes": "no", "no": "yes"})
    frame.loc[test, "x"] += 1000
    second = examine(build({"a.csv": frame}, id="uid"), store)
    assert (first.columns, first.splits, first.warnings, first.notes) == (
        second.columns,
        second.splits,
        second.warnings,
        second.notes,
    )


def test_several_labels_and_quantities_are_judged_too(build: Build) -> None:
    frame = people().assign(a=np.arange(600) % 2, b=["1", "0", ""] * 200).drop(columns="y")
    report = examine(build({"a.csv": frame}, id="uid", label=("a", "b")))
    assert report.ok
    assert any(note.startswith("a by source") for note in report.notes)
    amount = people().assign(
        y=lambda table: table["x"] * 3 + table["z"], copy=lambda table: table["x"] * 3 + table["z"]
    )
    report = examine(build({"a.csv": amount}, id="uid", task="regression"))
    assert report.ok
    assert codes(report) == {"leak_suspect", "constant_answer"}
    assert "half_width" not in report.splits["dev"]


def test_a_missing_train_dev_is_mentioned_where_it_would_help(build: Build) -> None:
    files = {"app.csv": people(300, 1), "web.csv": people(300, 2)}
    report = examine(build(files, source="app.csv", extra=("web.csv",), id="uid", splits={"train_dev": 0.0}))
    assert "no_train_dev" in codes(report)
    assert "no_dev" in codes(examine(build(files, source="app.csv", id="uid", splits={"dev": 0.0})))
