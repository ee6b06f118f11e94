"""A model held to its contract: statuses, what would prove it, exit codes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import mlproj
from mlproj.cli.app import app
from mlproj.errors import InputError, InvalidInput
from mlproj.metrics.intervals import wilson
from mlproj.workflow.contract import parse_limits
from mlproj.workflow.train import Trained


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["check-metric", *map(str, arguments)])


@pytest.fixture
def churn() -> str:
    """100 of 1,000 are positive; 97 of them are found, with 20 false alarms."""
    truth = np.repeat(["no", "yes"], [900, 100])
    said = truth.copy()
    said[:20], said[-3:] = "yes", "no"
    pd.DataFrame({"y_true": truth, "y_pred": said, "weight": 1, "user": np.arange(1000)}).to_csv("churn.csv")
    return "churn.csv"


@pytest.mark.parametrize(
    ("limit", "status", "code"),
    [("recall>=0.9", "met", 0), ("recall >= 0.95", "unknown", 3), ("recall>=0.995", "violated", 3)],
)
def test_the_bad_end_of_the_interval_decides_and_the_exit_code_says_so(
    churn: str, limit: str, status: str, code: int
) -> None:
    result = command(churn, "--satisfy", limit, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["status"], document["contract"][0]["status"]) == (code, status, status)
    assert document["contract"][0]["low"] == pytest.approx(wilson(0.97, 100)[0])
    assert document["run"] == {"id": None, "name": "churn.csv", "chosen": "file"}


def test_what_is_unknown_says_how_many_more_positives_would_prove_it(churn: str) -> None:
    kept = mlproj.check_metric(churn, satisfy=["recall>=0.95", "precision>=0.8"])
    needed = kept.needed["recall"]
    assert needed.by is not None
    assert needed.of == "examples of 'yes'"
    assert wilson(0.97, 100 + needed.by)[0] >= 0.95 > wilson(0.97, 99 + needed.by)[0]
    assert kept.document()["contract"][0]["resolve"] == {"grow": "dev", "by": needed.by, "of": "examples of 'yes'"}
    assert kept.needed["precision"].of == "answers 'yes'"


def test_a_value_that_misses_its_limit_is_proved_by_no_number(churn: str) -> None:
    result = command(churn, "--satisfy", "recall>=0.975")
    assert result.exit_code == 3
    assert "the value itself misses it" in result.stdout


def test_a_value_that_lies_on_its_limit_is_said_to_touch_it(churn: str) -> None:
    result = command(churn, "--satisfy", "recall>=0.97")
    assert result.exit_code == 3
    assert "recall >=0.97: the value itself only touches it" in result.stdout


def test_groups_and_weights_count(churn: str) -> None:
    frame = pd.read_csv(churn)
    frame.assign(group=frame["user"] // 10).to_csv("grouped.csv", index=False)
    plain, grouped = (mlproj.check_metric(name, satisfy=["recall>=0.9"]).contract[0] for name in (churn, "grouped.csv"))
    assert plain.low is not None
    assert grouped.low is not None
    assert grouped.low < plain.low
    assert (plain.status, grouped.status) == ("met", "unknown")


def test_several_limits_are_as_good_as_the_worst(churn: str) -> None:
    limits = ["recall>=0.5", "recall_macro>=0.999", "error<=0.5"]
    assert mlproj.check_metric(churn, satisfy=limits).status == "violated"


def test_a_run_is_held_to_what_project_yaml_says_now(trained: Trained, home: Path) -> None:
    assert command("--project", home).exit_code == 0
    now = mlproj.load_project(home).changed(
        metric=trained.project.metric.model_copy(update={"satisfy": {"error": "<= 0.01"}})
    )
    kept = mlproj.check_metric("first", project=now)
    assert kept.status == "violated"
    assert kept.notes == (
        "Held to project.yaml as it is now; the run was trained for accuracy >= 0.5, latency_ms <= 1000.",
    )


def test_what_train_returned_is_held_to_its_contract(trained: Trained) -> None:
    kept = mlproj.check_metric(trained)
    assert [(p.metric, p.status) for p in kept.contract] == [(p.metric, p.status) for p in trained.contract]
    assert kept.head.startswith("first (")


def test_a_file_in_a_project_is_held_to_the_projects_limits(trained: Trained, home: Path) -> None:
    assert trained.run.folder is not None
    kept = mlproj.check_metric(trained.run.folder / "predictions.parquet", project=home)
    assert [p.status for p in kept.contract] == ["met", "unknown"]
    assert (
        "latency_ms is measured when mlproj trains"
        in command(trained.run.folder / "predictions.parquet", "--project", home).stdout
    )


def test_limits_are_read_as_in_project_yaml() -> None:
    assert parse_limits(["recall>=95%", " size_mb < 5 "]) == {"recall": ">=95%", "size_mb": "< 5"}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (["recall"], r"--satisfy: 'recall' is no limit(?s:.)*\"recall>=0.95\""),
        (["recall=0.9"], "'recall=0.9' is no limit"),
        (["recall>=high"], "'recall>=high' is no limit"),
        ([">=0.9"], "'>=0.9' is no limit"),
        ([""], "'' is no limit"),
        (["reccall>=0.9"], r"'reccall' in 'reccall>=0.9' is no metric(?s:.)*Did you mean `recall`"),
        (["recall>=0.9", "recall<=1"], r"recall is limited twice: >=0.9 and <=1(?s:.)*Keep one"),
        (["rmse<=3"], "is no number|rmse is a regression metric"),
        (["roc_auc>=0.9"], r"--satisfy: roc_auc: roc_auc is computed from probabilities(?s:.)*p_<class>"),
        (["x>1", "recall>"], r"(?s)'x' in 'x>1' is no metric.*'recall>' is no limit"),
        ([], r"churn.csv stands alone, and no limit is given(?s:.)*--satisfy \"recall>=0.95\""),
    ],
)
def test_limits_that_mean_nothing_are_refused_at_once(churn: str, limits: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        mlproj.check_metric(churn, satisfy=limits)


def test_a_project_without_limits_is_told_so(churn: str) -> None:
    Path("project.yaml").write_text("name: churn\ndata: {source: churn.csv, label: y_true}\n", encoding="utf-8")
    result = command(churn)
    assert result.exit_code == 2
    assert "metric.satisfy: names no limit" in result.stderr
    assert "satisfy: {recall" in result.stderr


def test_without_dev_rows_or_truth_there_is_nothing_to_hold() -> None:
    pd.DataFrame({"split": ["train"] * 3, "y_true": [0, 1, 1], "y_pred": [0, 1, 1]}).to_csv("train.csv", index=False)
    with pytest.raises(InputError, match=r"train.csv has no dev predictions \(train\)"):
        mlproj.check_metric("train.csv", satisfy=["error<=0.1"])
    pd.DataFrame({"y_pred": [0, 1, 1]}).to_csv("blind.csv", index=False)
    with pytest.raises(InvalidInput, match=r"blind.csv: y_true: its dev rows have no y_true"):
        mlproj.check_metric("blind.csv", satisfy=["error<=0.1"])
