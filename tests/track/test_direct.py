"""Runs written straight into the tables against the same runs written by MLflow itself: nobody can tell them apart."""

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.tracking._tracking_service import utils

from mlproj.errors import TrackingError
from mlproj.track.api import Api
from mlproj.track.backend import Backend
from mlproj.track.channel import Channel
from mlproj.track.client import MlflowTracker
from mlproj.track.driver import TAG, describe_driver
from mlproj.track.store import Store
from mlproj.track.wrap import ModelFiles

Request = tuple[str, dict[str, Any]]
NOW = 1_790_000_000_000
A, B, C = "a" * 32, "b" * 32, "c" * 32


def start(run_id: str, **more: Any) -> Request:
    tags = {"mlflow.user": "ada", "mlproj.kind": "trial", "é": "x" * 8000}
    own = {
        "run_id": run_id,
        "earlier": None,
        "name": f"run {run_id[:1]}",
        "params": {"model.width": "64"},
        "tags": tags,
    }
    return "start", own | {"at": NOW} | more


def finish(run_id: str, metrics: Sequence[tuple[str, float, int, int]] = (), **tags: str) -> Request:
    return "finish", {"run_id": run_id, "status": "FINISHED", "tags": tags, "metrics": metrics}


STORY: tuple[Sequence[Request], ...] = (
    [start(A), start(B, params={})],
    [
        (
            "log",
            {
                "run_id": A,
                "metrics": [
                    ("dev/error", 0.5, NOW, 2),
                    ("dev/error", 0.4, NOW, 1),
                    ("n", 1, NOW, 0),
                    ("zero", 0.0, NOW, 0),
                ],
            },
        ),
        (
            "log",
            {"run_id": B, "metrics": [("odd", math.nan, NOW, 0), ("far", math.inf, NOW, 0), ("low", -math.inf, 0, 0)]},
        ),
    ],
    [
        (
            "log",
            {
                "run_id": A,
                "metrics": [
                    ("dev/error", 0.9, NOW, 1),
                    ("dev/error", 0.4, NOW, 1),
                    ("n", 2, NOW + 1, 0),
                    ("zero", math.nan, NOW, 0),
                ],
            },
        ),
        finish(
            A, [("n", 1.5, NOW + 1, 0), ("dev/error", 0.25, NOW, 3)], **{"mlproj.kind": "other", "mlproj.outcome": "ok"}
        ),
        finish(B, [("odd", 1.0, NOW, 0), ("far", 1.0, NOW - 1, 1)]),
    ],
    [start("", earlier=A, params={"model.width": "128"}), finish(B), start("", earlier=B), finish(A)],
)
"""Values out of order, twice, later in time, and no numbers; tags that are set anew; runs that go on, one ends."""


def seen(store: Store) -> dict[str, Any]:
    """All that MLflow's own client says of the runs, but for when they ended."""
    client = mlflow.MlflowClient(store.uri)
    experiment = client.get_experiment_by_name("cats")
    assert experiment is not None
    found = {}
    for run in client.search_runs([experiment.experiment_id], order_by=["attributes.run_id"]):
        info = {name: value for name, value in dict(run.info).items() if name not in ("end_time", "artifact_uri")}
        assert run.info.artifact_uri == f"{experiment.artifact_location}/{run.info.run_id}/artifacts"
        assert run.info.end_time is None or abs(run.info.end_time / 1000 - time.time()) < 60
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


def statuses(store: Store) -> dict[str, str]:
    """How MLflow says that the runs are."""
    return {run_id: info["status"] for run_id, (info, *_) in seen(store).items()}


def rows(store: Store) -> dict[str, list[Any]]:
    """Every table, but only whether there is a time where it must differ, and with the store's own place left out."""
    assert store.database is not None
    unlike = {"runs": ("end_time",), "experiments": ("creation_time", "last_update_time")}
    found = {}
    with closing(sqlite3.connect(store.database)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info('{table}')")]
            names = ", ".join(f'"{name}" IS NULL' if name in unlike.get(table, ()) else f'"{name}"' for name in columns)
            content = connection.execute(f"SELECT {names} FROM {table} ORDER BY {names}").fetchall()
            found[table] = [tuple(str(cell).replace(store.root.as_uri(), "") for cell in row) for row in content]
    return found


def backend(store: Store, *, is_direct: bool = True) -> Backend:
    return Backend(store, "cats", store.root.parent / "scratch", is_direct=is_direct)


@pytest.fixture
def no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks MLflow for anything fails."""
    monkeypatch.setattr(Api, "carry_out", lambda _, op, own: pytest.fail(f"MLflow was asked to {op} {own}"))


def tell(backend: Backend, folder: Path) -> list[Any]:
    """The whole story, with files and a model; what was answered."""
    said = [backend.carry_out_all(batch) for batch in STORY]
    staging, model = folder / "staging", folder / "model"
    for file in (staging / "sub" / "é.txt", model / "model.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("deep")
    (staging / "none").mkdir(exist_ok=True)
    files = ModelFiles(model, {'é, "': "text", "b": "number"}, {"y_pred": "string", "p_no": "double"})
    said.append([backend.carry_out("artifacts", {"run_id": B, "folder": str(staging), "model": files.to_json()})])
    backend.close()
    return said


@pytest.fixture
def both(
    new_store: Callable[[Path], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[tuple[Store, list[Any]], tuple[Store, list[Any]]]:
    """Two stores and what was said when they were made: one by MLflow's client, one without it."""
    alone, together = new_store(tmp_path / "alone"), new_store(tmp_path / "together")
    utils._artifact_repos_cache.clear()  # it goes by ids of runs, which are the same in all these stores
    first = tell(backend(alone, is_direct=False), tmp_path)
    monkeypatch.setattr(Api, "carry_out", lambda *_: pytest.fail("MLflow was asked"))
    return (alone, first), (together, tell(backend(together), tmp_path))


def test_mlflow_reads_the_same_of_runs_written_without_it(both: Any) -> None:
    (alone, first), (together, second) = both
    assert first == second
    assert len(seen(together)) == 2
    assert [info["status"] for info, *_ in seen(together).values()] == ["FINISHED", "RUNNING"]
    assert seen(together) == seen(alone)


def test_every_table_holds_the_same(both: Any) -> None:
    (alone, _), (together, _) = both
    assert len(rows(alone)) > 40
    assert rows(together) == rows(alone)


def test_the_same_files_lie_in_the_same_places(both: Any) -> None:
    (alone, _), (together, _) = both
    found = [{path.relative_to(store.root): path for path in store.artifacts.rglob("*")} for store in (alone, together)]
    assert found[0].keys() == found[1].keys()
    assert len(found[0]) == 13
    for name, path in found[0].items():
        assert path.is_dir() or name.name == "MLmodel" or path.read_bytes() == found[1][name].read_bytes()
    client = mlflow.MlflowClient(together.uri)
    assert [entry.path for entry in client.list_artifacts(B)] == ["model", "none", "sub"]
    client._tracking_client.store.engine.dispose()


@pytest.mark.usefixtures("no_mlflow")
def test_a_new_store_is_made_and_filled_without_mlflow(locate: Callable[[Path], Store], tmp_path: Path) -> None:
    store = locate(tmp_path)
    one = backend(store)
    assert one.carry_out_all([start(A), finish(A)]) == [{"result": A}, {"result": A}]
    one.close()
    assert [info["status"] for info, *_ in seen(store).values()] == ["FINISHED"]


def test_what_cannot_be_written_leaves_the_others_whole_and_says_why(store: Store) -> None:
    together = backend(store)
    said = together.carry_out_all([start(A), finish("c" * 32), finish(A)])
    assert (said[0], said[2]) == ({"result": A}, {"result": A})
    assert "c" * 32 in said[1]["error"]
    assert statuses(store) == {A: "FINISHED"}


REFUSED: tuple[Request, ...] = (
    start(C, params={"a,b": "1"}),
    start(C, params={"a": "x" * 6001}),
    ("log", {"run_id": A, "metrics": [("a,b", 1.0, NOW, 0)]}),
    ("log", {"run_id": A, "metrics": [("../a", 1.0, NOW, 0)]}),
    ("log", {"run_id": A, "metrics": [("a" * 251, 1.0, NOW, 0)]}),
    ("log", {"run_id": A, "metrics": [("a", 1.0, -1, 0)]}),
    ("log", {"run_id": C, "metrics": [("a", 1.0, NOW, 0)]}),
    start(A),
    start("", earlier=C),
    finish(A, (), **{"a,b": "1"}),
    finish(A, a="x" * 8001),
    ("artifacts", {"run_id": A, "folder": "/nowhere", "model": None}),
    ("artifacts", {"run_id": C, "folder": "/", "model": None}),
)


@pytest.mark.parametrize("request_", REFUSED, ids=range(len(REFUSED)))
def test_what_mlflow_refuses_is_refused_in_its_words(
    new_store: Callable[[Path], Store], tmp_path: Path, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    said = []
    for is_direct in (False, True):
        one = backend(new_store(tmp_path / str(is_direct)), is_direct=is_direct)
        one.carry_out_all([start(A)])
        said.append(one.carry_out(*request_))
        one.close()
    assert "error" in said[0]
    assert said[0] == said[1]


def test_a_name_that_comes_as_a_tag_renames_the_run_as_mlflow_does(
    new_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    found = []
    for is_direct in (False, True):
        store = new_store(tmp_path / str(is_direct))
        one = backend(store, is_direct=is_direct)
        one.carry_out_all([start(A), finish(A, (), **{"mlflow.runName": "other"})])
        one.close()
        found.append(rows(store))
    assert found[0] == found[1]
    assert "other" in str(found[1]["runs"])


@pytest.mark.parametrize(
    "location",
    ["mlflow-artifacts:/a/x", "s3://bucket/x?region=y", "file:/a/b c", "file:///a/b%20c/", "file:///a;b/c", "/a/b c"],
)
def test_an_experiment_of_another_place_keeps_its_files_there(
    new_store: Callable[[Path], Store], tmp_path: Path, location: str
) -> None:
    found = []
    for is_direct in (False, True):
        store = new_store(tmp_path / str(is_direct))
        assert store.database is not None
        with closing(sqlite3.connect(store.database)) as connection, connection:
            connection.execute(
                "INSERT INTO experiments (name, artifact_location, lifecycle_stage) VALUES ('cats', ?, 'active')",
                (location,),
            )
        one = backend(store, is_direct=is_direct)
        assert one.carry_out_all([start(A), finish(A)]) == [{"result": A}] * 2
        one.close()
        found.append(rows(store)["runs"])
    assert found[0] == found[1]


@pytest.mark.parametrize("is_direct", [False, True])
def test_runs_of_a_dead_driver_are_killed_and_those_of_others_left(store: Store, is_direct: bool) -> None:
    dead, elsewhere = f"{describe_driver()}0", "elsewhere|boot|space|17|1"
    first = backend(store)
    first.carry_out_all(
        [start(run_id, tags={TAG: driver}) for run_id, driver in zip((A, B, C), (dead, elsewhere, dead), strict=True)]
    )
    first.carry_out_all([finish(C)])
    first.close()
    other = Backend(store, "dogs", store.root.parent / "scratch", is_direct=is_direct)
    other.carry_out_all([start("d" * 32)])
    other.close()
    assert set(statuses(store).values()) == {"RUNNING", "FINISHED"}, "the experiment is another one"
    second = backend(store, is_direct=is_direct)
    second.carry_out_all([start("e" * 32)])
    second.close()
    assert statuses(store) == {A: "KILLED", B: "RUNNING", C: "FINISHED", "e" * 32: "RUNNING"}


def test_mlflow_and_we_write_at_the_same_time(store: Store, client: "mlflow.MlflowClient") -> None:
    ours = backend(store)
    ours.carry_out_all([start(A)])
    theirs = client.create_run("1").info.run_id
    batches = [[("n", float(i), NOW + i, i)] for i in range(100)]

    def write() -> None:
        for ((name, value, at, step),) in batches:
            client.log_metric(theirs, name, value, timestamp=at, step=step)

    other = threading.Thread(target=write)
    other.start()
    said = [ours.carry_out("log", {"run_id": A, "metrics": batch}) for batch in batches]
    other.join()
    ours.close()
    assert said == [{"result": None}] * 100
    both = [[each.value for each in client.get_metric_history(run_id, "n")] for run_id in (A, theirs)]
    assert both == [[float(i) for i in range(100)]] * 2


def test_a_deleted_experiment_is_named_with_its_way_back(store: Store, client: "mlflow.MlflowClient") -> None:
    client.delete_experiment(client.create_experiment("cats"))
    assert "mlflow experiments restore --experiment-id 1" in backend(store).carry_out(*start(A))["error"]


def test_a_database_that_is_held_too_long_is_named_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one = backend(store)
    one.carry_out_all([start(A)])
    assert one._direct is not None
    assert one._direct._connection is not None
    for pragma, as_mlflow_has_it in (("busy_timeout", 20_000), ("foreign_keys", 1), ("synchronous", 2)):
        assert one._direct._connection.execute(f"PRAGMA {pragma}").fetchone() == (as_mlflow_has_it,)
    one._direct._connection.execute("PRAGMA busy_timeout = 10")
    monkeypatch.setattr(Api, "carry_out", lambda *_: pytest.fail("MLflow was asked"))
    assert store.database is not None
    with closing(sqlite3.connect(store.database)) as other:
        other.execute("BEGIN IMMEDIATE")
        (said,) = one.carry_out_all([("log", {"run_id": A, "metrics": []})])
        other.rollback()
    assert "database is locked" in said["error"]
    assert "Another process has held" in said["error"]
    assert one.carry_out_all([finish(A)]) == [{"result": A}]
    assert statuses(store) == {A: "FAILED"}
    one.close()


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
    assert statuses(store) == {A: "FAILED", B: "FINISHED"}


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


def test_trouble_with_one_of_many_is_raised_when_all_are_settled(store: Store, connect_directly: Any) -> None:
    tracker = MlflowTracker(store, "cats", connect=connect_directly)
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
