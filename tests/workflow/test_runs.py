"""Listing, finding and choosing runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlproj.errors import RunNotFound
from mlproj.records import Run
from mlproj.track import MemoryTracker
from mlproj.workflow.runs import best_run, find_run, show_run


def run(number: int, *, dev: str = "d", kind: str = "train", status: str = "FINISHED", **metrics: float) -> Run:
    params = {"metric.optimize": "f1", "metric.satisfy.recall": ">= 0.9"}
    tags = {"mlproj.dev_hash": dev}
    values = {f"dev/{name}": value for name, value in metrics.items()}
    return Run(f"{number:032x}", f"run-{number}", kind, status, float(number), "completed", params, values, tags)


def test_best_is_the_best_feasible_run() -> None:
    runs = [run(3, f1=0.95, recall=0.5), run(2, f1=0.8, recall=0.95), run(1, f1=0.7, recall=0.99)]
    assert best_run(runs) == runs[1]


def test_with_none_feasible_best_violates_least() -> None:
    runs = [run(2, f1=0.9, recall=0.5), run(1, f1=0.1, recall=0.8)]
    assert best_run(runs) == runs[1]


def test_best_compares_runs_on_the_newest_dev_set_only() -> None:
    runs = [run(2, f1=0.5, recall=0.95), run(1, f1=0.9, recall=0.95, dev="other")]
    assert best_run(runs) == runs[0]


def test_best_is_never_a_diagnosis_or_an_unfinished_run() -> None:
    runs = [
        run(3, f1=1.0, recall=1.0, status="RUNNING"),
        run(2, f1=1.0, recall=1.0, kind="diagnosis"),
        run(1, f1=0.5, recall=1.0),
    ]
    assert best_run(runs) == runs[2]


def test_of_equals_the_older_run_is_best() -> None:
    runs = [run(2, f1=0.8, recall=0.95), run(1, f1=0.8, recall=0.95)]
    assert best_run(runs) == runs[1]


def test_best_never_compares_figures_of_different_metrics() -> None:
    by_error = [replace(entry, params={"metric.optimize": "error"}) for entry in (run(3, error=0.1), run(2, error=0.3))]
    assert best_run([*by_error, run(1, error=0.2, f1=0.9, recall=1.0)]) == by_error[0]


def test_latest_skips_diagnoses() -> None:
    tracker = MemoryTracker()
    first = tracker.start(kind="train", name="mine")
    tracker.finish(first)
    later = tracker.start(kind="diagnosis")
    tracker.finish(later)
    assert find_run(tracker, None).id == find_run(tracker, "latest").id == find_run(tracker, "mine").id == first


@pytest.mark.parametrize("selector", [None, "latest", "best"])
def test_without_runs_the_next_step_is_named(selector: str | None, tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="mlproj train"):
        find_run(MemoryTracker(), selector)


def test_a_predictions_file_is_no_run_of_the_store_until_it_is_recorded(home: Path) -> None:
    with pytest.raises(RunNotFound, match=r"keras.csv is a predictions file.*mlproj record keras.csv"):
        show_run(home, run="keras.csv")
