"""Runs written together against the same runs written by MLflow itself: nobody can tell them apart."""

import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest

from mlproj.errors import TrackingError
from mlproj.track.backend import Backend
from mlproj.track.channel import Channel
from mlproj.track.client import MlflowTracker
from mlproj.track.store import Store

Request = tuple[str, dict[str, Any]]
NOW = 1_790_000_000_000
A, B = "a" * 32, "b" * 32


def start(run_id: str, **more: Any) -> Request:
    tags = {"mlflow.user": "ada", "mlproj.kind": "trial", "é": "x" * 8000}
    own = {"run_id": run_id, "earlier": None, "name": f"run {run_id[0]}", "params": {"model.width": "64"}, "tags": tags}
    return "start", own | {"at": NOW} | more


def finish(run_id: str, metrics: Sequence[tuple[str, float, int, int]] = (), **tags: str) -> Request:
    return "finish", {"run_id": run_id, "status": "FINISHED", "tags": tags, "metrics": metrics}


STORY: tuple[Sequence[Request], ...] = (
    [start(A), start(B, params={})],
    [
        ("log", {"run_id": A, "metrics": [("dev/error", 0.5, NOW, 2), ("dev/error", 0.4, NOW, 1), ("n", 1, NOW, 0)]}),
        (
            "log",
            {"run_id": B, "metrics": [("odd", math.nan, NOW, 0), ("far", math.inf, NOW, 0), ("low", -math.inf, 0, 0)]},
        ),
    ],
    [
        (
            "log",
            {"run_id": A, "metrics": [("dev/error", 0.9, NOW, 1), ("dev/error", 0.4, NOW, 1), ("n", 2, NOW + 1, 0)]},
        ),
        finish(
            A, [("n", 1.5, NOW + 1, 0), ("dev/error", 0.25, NOW, 3)], **{"mlproj.kind": "other", "mlproj.outcome": "ok"}
        ),
        finish(B, [("odd", 1.0, NOW, 0), ("far", 1.0, NOW - 1, 1)]),
    ],
)
"""Values out of order, twice, later in time, and no numbers; tags that are set anew."""


def seen(store: Store) -> dict[str, Any]:
    """All that MLflow's own client says of the runs, but for when they ended."""
    client = mlflow.MlflowClient(store.uri)
    experiment = client.get_experiment_by_name("cats")
    assert experiment is not None
    found = {}
    for run in client.search_runs([experiment.experiment_id], order_by=["attributes.run_id"]):
        info = {name: value for name, value in dict(run.info).items() if name not in ("end_time", "artifact_uri")}
        assert run.info.artifact_uri == f"{experiment.artifact_location}/{run.info.run_id}/artifacts"
        assert abs((run.info.end_time or 0) / 1000 - time.time()) < 60
        history = {
            name: [
                (repr(each.value), each.timestamp, each.step)
                for each in client.get_metric_history(run.info.run_id, name)
            ]
            for name in run.data.metrics
        }
        data = {name: repr(value) for name, value in run.data.metrics.items()}
        found[run.info.run_id] = (info, data, history, run.data.params, run.data.tags)
    client._tracking_client.store.engine.dispose()
    return found


def rows(store: Store) -> dict[str, list[Any]]:
    """The tables themselves."""
    assert store.database is not None
    columns = {
        "runs": "run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, "
        "deleted_time, source_version, lifecycle_stage, experiment_id",
        "tags": "run_uuid, key, value",
        "params": "run_uuid, key, value",
        "metrics": "run_uuid, key, value, timestamp, step, is_nan",
        "latest_metrics": "run_uuid, key, value, timestamp, step, is_nan",
    }
    with closing(sqlite3.connect(store.database)) as connection:
        return {
            table: connection.execute(f"SELECT {names} FROM {table} ORDER BY {names}").fetchall()
            for table, names in columns.items()
        }


def backend(store: Store) -> Backend:
    return Backend(store, "cats", store.root.parent / "scratch")


def test_mlflow_reads_the_same_of_runs_written_together(
    new_store: Callable[[Path], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, all_ = new_store(tmp_path / "one"), new_store(tmp_path / "all")
    alone, together = backend(one), backend(all_)
    monkeypatch.setattr(together, "carry_out", lambda *_: pytest.fail("one by one"))
    for batch in STORY:
        said = together.carry_out_all(batch)
        assert said == [alone.carry_out(op, own) for op, own in batch]
    assert len(seen(all_)) == 2
    assert seen(all_) == seen(one)
    assert rows(all_) == rows(one)


def test_they_are_written_without_mlflows_client(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    together = backend(store)
    together.carry_out_all([start(A)])  # finds the experiment
    monkeypatch.setattr(Backend, "carry_out", lambda *_: pytest.fail("one by one"))
    assert together.carry_out_all([start(B), finish(A), finish(B)]) == [{"result": B}, {"result": A}, {"result": B}]


def test_what_cannot_be_written_leaves_the_others_whole_and_says_why(store: Store) -> None:
    together = backend(store)
    said = together.carry_out_all([start(A), finish("c" * 32), finish(A)])
    assert (said[0], said[2]) == ({"result": A}, {"result": A})
    assert "c" * 32 in said[1]["error"]
    assert {run_id: info["status"] for run_id, (info, *_) in seen(store).items()} == {A: "FINISHED"}


def test_a_run_that_was_deleted_meanwhile_is_not_written_to(store: Store) -> None:
    together = backend(store)
    together.carry_out_all([start(A), start(B)])
    mlflow.MlflowClient(store.uri).delete_run(A)
    said = together.carry_out_all([finish(A), finish(B)])
    assert "must be in the 'active' state" in said[0]["error"]
    assert said[1] == {"result": B}


def test_a_run_of_which_something_could_not_be_stored_is_failed(store: Store) -> None:
    together = backend(store)
    together.carry_out_all([start(A), start(B)])
    assert "error" in together.carry_out("artifacts", {"run_id": A, "folder": "/nowhere", "model": None})
    together.carry_out_all([finish(A), finish(B)])
    assert {run_id: info["status"] for run_id, (info, *_) in seen(store).items()} == {A: "FAILED", B: "FINISHED"}


def test_a_hundred_runs_go_through_the_child_in_order(store: Store) -> None:
    with MlflowTracker(store, "cats", connect=Channel) as tracker:
        ids = [tracker.start(kind="trial", name=f"trial {i}", params={"i": i}) for i in range(100)]
        for i, run_id in enumerate(ids):
            for step in range(3):
                tracker.log(run_id, {"dev/error": i + step / 10}, step=step)
            tracker.finish(run_id, tags={"mlproj.outcome": "completed"}, wait=False)
        tracker.settle()
    runs = {run.id: run for run in MlflowTracker(store, "cats", writes=False).runs()}
    assert [runs[run_id].name for run_id in ids] == [f"trial {i}" for i in range(100)]
    assert [runs[run_id].metrics for run_id in ids] == [{"dev/error": i + 0.2} for i in range(100)]
    assert {(run.status, run.outcome) for run in runs.values()} == {("FINISHED", "completed")}


def test_trouble_with_one_of_many_is_raised_when_all_are_settled(store: Store, connect_together: Any) -> None:
    tracker = MlflowTracker(store, "cats", connect=connect_together)
    ids = [tracker.start(kind="trial") for _ in range(2)]
    mlflow.MlflowClient(store.uri).delete_run(ids[0])
    for run_id in ids:
        tracker.finish(run_id, wait=False)
    with pytest.raises(TrackingError, match="must be in the 'active' state"):
        tracker.settle()
    assert _status(tracker, ids[1]) == "FINISHED"
    tracker.close()


def _status(tracker: MlflowTracker, run_id: str) -> str:
    return next(run.status for run in tracker.runs() if run.id == run_id)
