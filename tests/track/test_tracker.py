"""The tracker's promises, kept by every tracker; the MLflow one is also read back with MLflow's own client."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlproj.errors import RunNotFound, TrackingError
from mlproj.track.channel import AbstractChannel
from mlproj.track.client import MlflowTracker
from mlproj.track.memory import MemoryTracker
from mlproj.track.reader import read_history
from mlproj.track.store import Store
from mlproj.track.tracker import AbstractTracker

if TYPE_CHECKING:
    from mlflow import MlflowClient

Open = Callable[[], AbstractTracker]
Connect = Callable[[Store, str], AbstractChannel]


@pytest.fixture(params=["memory", "mlflow", "tables"])
def open_tracker(request: pytest.FixtureRequest, connect: Connect, connect_directly: Connect) -> Open:
    """Opens a tracker of each kind; `tables` writes as the child does, `mlflow` by MLflow's client alone."""
    if request.param == "memory":
        return MemoryTracker
    store: Store = request.getfixturevalue("store")
    return lambda: MlflowTracker(store, "cats", connect=connect if request.param == "mlflow" else connect_directly)


@pytest.fixture
def any_tracker(open_tracker: Open) -> Iterator[AbstractTracker]:
    with open_tracker() as opened:
        yield opened


def test_a_run_comes_back_as_it_was_written(any_tracker: AbstractTracker) -> None:
    run_id = any_tracker.start(kind="train", name="first", params={"seed": 0, "model.kind": "mlp"}, tags={"a": "b"})
    for step in range(3):
        any_tracker.log(run_id, {"dev/error": 0.5 - step / 10, "train/error": 0.0}, step=step)
    any_tracker.finish(run_id, tags={"mlproj.outcome": "early_stopped"})
    run = any_tracker.run("first")
    assert (run.id, run.name, run.kind, run.status, run.outcome) == (
        run_id,
        "first",
        "train",
        "FINISHED",
        "early_stopped",
    )
    assert run.params == {"seed": "0", "model.kind": "mlp"}
    assert run.metrics == {"dev/error": 0.3, "train/error": 0.0}
    assert run.tags["a"] == "b"


def test_the_course_of_a_run_comes_back_step_by_step(any_tracker: AbstractTracker) -> None:
    run_id = any_tracker.start(kind="train", name="first")
    for step in (2, 1, 3):
        any_tracker.log(run_id, {"dev/error": 1 / step, "train/loss": math.inf}, step=step)
    any_tracker.finish(run_id)
    assert any_tracker.history(run_id).metrics == {"dev/error": (1.0, 1 / 2, 1 / 3), "train/loss": (math.inf,) * 3}
    with pytest.raises(TrackingError, match="There is no run 0000"):
        any_tracker.history("0000")


def test_an_ended_run_can_be_opened_again_with_what_it_holds(any_tracker: AbstractTracker) -> None:
    run_id = any_tracker.start(kind="search", name="first", params={"seed": 0}, tags={"a": "b"})
    any_tracker.log(run_id, {"dev/error": 0.5}, step=1)
    any_tracker.finish(run_id, status="KILLED")
    assert any_tracker.start(kind="search", name="first", tags={"a": "c"}, run_id=run_id) == run_id
    any_tracker.log(run_id, {"dev/error": 0.25}, step=2)
    any_tracker.finish(run_id, tags={"mlproj.outcome": "completed"})
    (run,) = any_tracker.runs(kinds=("search",))
    assert (run.id, run.status, run.outcome, run.params["seed"], run.tags["a"]) == (
        run_id,
        "FINISHED",
        "completed",
        "0",
        "c",
    )
    assert run.metrics == {"dev/error": 0.25}


def test_a_run_without_a_name_gets_one_of_its_own(any_tracker: AbstractTracker) -> None:
    first, second = (any_tracker.start(kind="train") for _ in range(2))
    names = {run.id: run.name for run in any_tracker.runs()}
    assert len({names[first], names[second], ""}) == 3


def test_runs_come_newest_first_and_can_be_narrowed(any_tracker: AbstractTracker) -> None:
    kinds = ("train", "diagnosis", "train", "search")
    ids = [any_tracker.start(kind=kind, name=f"run {i}") for i, kind in enumerate(kinds)]
    for run_id in ids[:3]:
        any_tracker.finish(run_id)
    assert [run.id for run in any_tracker.runs()] == ids[::-1]
    assert [run.id for run in any_tracker.runs(("train", "search"))] == [ids[3], ids[2], ids[0]]
    assert [run.id for run in any_tracker.runs(statuses=["RUNNING"])] == [ids[3]]
    assert [run.id for run in any_tracker.runs(limit=2)] == [ids[3], ids[2]]
    assert any_tracker.run("latest").id == ids[2]
    assert any_tracker.run(ids[1][:12]).id == ids[1]


def test_files_come_back_and_a_missing_one_is_named(any_tracker: AbstractTracker, tmp_path: Path) -> None:
    run_id = any_tracker.start(kind="train", name="first")
    staging = tmp_path / "staging"
    (staging / "sub").mkdir(parents=True)
    (staging / "project.yaml").write_text("name: cats\n")
    (staging / "sub" / "é.txt").write_text("deep")
    any_tracker.artifacts(run_id, staging)
    any_tracker.finish(run_id)
    assert any_tracker.fetch(run_id, "project.yaml").read_text() == "name: cats\n"
    assert (any_tracker.fetch(run_id) / "sub" / "é.txt").read_text() == "deep"
    with pytest.raises(TrackingError, match=r"has no predictions.parquet(.|\n)*there is: project.yaml, sub"):
        any_tracker.fetch(run_id, "predictions.parquet")
    with pytest.raises(TrackingError, match="There is no run nowhere"):
        any_tracker.fetch("nowhere")


def test_runs_that_nobody_waits_for_are_there_once_all_are_settled(any_tracker: AbstractTracker) -> None:
    ids = [any_tracker.start(kind="trial", name=f"run {i}") for i in range(5)]
    for i, run_id in enumerate(ids):
        any_tracker.log(run_id, {"dev/error": i / 10}, step=1)
        any_tracker.finish(run_id, tags={"mlproj.outcome": "completed"}, wait=False)
    any_tracker.settle()
    runs = {run.id: run for run in any_tracker.runs(statuses=["FINISHED"])}
    assert [runs[run_id].metrics["dev/error"] for run_id in ids] == [0.0, 0.1, 0.2, 0.3, 0.4]
    any_tracker.settle()
    with pytest.raises(TrackingError, match="is not open"):
        any_tracker.log(ids[0], {"dev/error": 0.0})


def test_an_empty_folder_is_no_trouble(any_tracker: AbstractTracker, tmp_path: Path) -> None:
    run_id = any_tracker.start(kind="train")
    (tmp_path / "empty").mkdir()
    any_tracker.artifacts(run_id, tmp_path / "empty")
    any_tracker.finish(run_id)


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED"), (None, "FAILED")])
def test_what_is_not_finished_when_the_block_ends_is_marked(
    open_tracker: Open, error: type[BaseException] | None, status: str
) -> None:
    opened = open_tracker()
    run_id = opened.start(kind="train", name="first")
    opened.log(run_id, {"dev/error": 0.5}, step=1)
    opened.close(error)
    reader = opened if isinstance(opened, MemoryTracker) else open_tracker()
    run = reader.run("first")
    assert (run.status, run.outcome, run.metrics) == (status, None, {"dev/error": 0.5})
    reader.close()


def test_an_exception_in_the_block_passes_through(open_tracker: Open) -> None:
    with pytest.raises(RunNotFound), open_tracker() as opened:
        opened.run("missing")


def test_a_finished_or_unknown_run_takes_nothing_more(any_tracker: AbstractTracker) -> None:
    run_id = any_tracker.start(kind="train")
    any_tracker.finish(run_id)
    with pytest.raises(TrackingError, match="is not open"):
        any_tracker.log(run_id, {"dev/error": 0.5})
    with pytest.raises(TrackingError, match="is not open"):
        any_tracker.finish("nowhere")


def test_no_number_is_lost(any_tracker: AbstractTracker) -> None:
    run_id = any_tracker.start(kind="train", name="odd")
    odd = {"nan": float("nan"), "inf": float("inf"), "minus inf": -float("inf"), "huge": 1.7e308, "tiny": 5e-324}
    any_tracker.log(run_id, odd, step=1)
    any_tracker.finish(run_id)
    metrics = any_tracker.run("odd").metrics
    assert math.isnan(metrics["nan"])
    assert {name: metrics[name] for name in odd if name != "nan"} == {k: v for k, v in odd.items() if k != "nan"}


def test_two_thousand_metrics_and_long_or_odd_parameters_are_kept(any_tracker: AbstractTracker) -> None:
    params = {f"p{i}": i for i in range(150)} | {"long": "x" * 9000, "data.columns.price, net @ €": "number"}
    run_id = any_tracker.start(kind="train", name="big", params=params, tags={"t": "y" * 9000})
    for step in range(500):
        any_tracker.log(run_id, {f"dev/m{i}": float(step) for i in range(4)}, step=step)
    any_tracker.log(run_id, {"dev/recall of 'a, b'": 0.25}, step=0)
    any_tracker.finish(run_id)
    run = any_tracker.run("big")
    assert run.metrics["dev/m3"] == 499.0
    assert [value for name, value in run.metrics.items() if "recall" in name] == [0.25]
    assert len(run.params) == 152
    assert run.params["long"].endswith("… (9,000 characters)")
    assert run.tags["t"].endswith("… (9,000 characters)")


@pytest.mark.parametrize(
    "name", ["quotes ' and \"", "per%cent_", "ünï © 猫", "a/b: c", " ", "x" * 300, "-- ; DROP TABLE"]
)
def test_any_name_is_found_again(any_tracker: AbstractTracker, name: str) -> None:
    run_id = any_tracker.start(kind="train", name=name)
    any_tracker.start(kind="train", name="another")
    assert any_tracker.run(name).id == run_id


def test_an_unknown_run_is_answered_with_a_guess(any_tracker: AbstractTracker) -> None:
    any_tracker.start(kind="train", name="quiet-otter-417")
    with pytest.raises(RunNotFound, match="Did you mean 'quiet-otter-417'"):
        any_tracker.run("quiet-oter-417")


# ----------------------------------------------------------------------- as MLflow sees it


def test_mlflow_sees_names_parameters_history_tags_and_files(
    tracker: AbstractTracker, client: "MlflowClient", tmp_path: Path
) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "project.yaml").write_text("name: cats\n")
    run_id = tracker.start(kind="train", name="first", params={"seed": 0}, tags={"mlproj.spec_hash": "abc"})
    for step in range(1, 4):
        tracker.log(run_id, {"dev/error": 1 / step}, step=step)
    tracker.artifacts(run_id, tmp_path / "staging")
    tracker.finish(run_id, tags={"mlproj.outcome": "diverged"})
    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert run.info.end_time >= run.info.start_time
    assert run.data.params == {"seed": "0"}
    tags = {name: run.data.tags[name] for name in ("mlproj.kind", "mlproj.outcome", "mlproj.spec_hash")}
    assert tags == {"mlproj.kind": "train", "mlproj.outcome": "diverged", "mlproj.spec_hash": "abc"}
    assert [(m.step, m.value) for m in client.get_metric_history(run_id, "dev/error")] == [
        (1, 1.0),
        (2, 0.5),
        (3, 1 / 3),
    ]
    assert [entry.path for entry in client.list_artifacts(run_id)] == ["project.yaml"]
    experiment = client.get_experiment_by_name("cats")
    assert experiment is not None
    assert experiment.artifact_location == (tmp_path / "project/mlruns/artifacts/cats").as_uri()


@pytest.mark.parametrize("name", ["..", ".", "...", "#1 100%", "naïve 猫", "a?b&c", "Default", "0", "'quoted\""])
def test_any_project_name_makes_an_experiment_with_files_inside_mlruns(
    store: Store, connect: Connect, name: str, tmp_path: Path
) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "a.txt").write_text("a")
    with MlflowTracker(store, name, connect=connect) as opened:
        run_id = opened.start(kind="train", name="first")
        opened.artifacts(run_id, tmp_path / "staging")
        opened.finish(run_id)
        assert opened.run("first").id == run_id
        path = opened.fetch(run_id, "a.txt")
    assert path.is_relative_to(store.artifacts)
    assert path.read_text() == "a"


def test_reading_the_file_and_asking_mlflow_give_the_same_runs(store: Store, connect: Connect) -> None:
    with MlflowTracker(store, "cats", connect=connect) as opened:
        for i in range(5):
            run_id = opened.start(kind="train", name=f"run {i}", params={"a": i})
            opened.log(run_id, {"dev/error": i / 10, "dev/nan": float("nan"), "dev/inf": float("inf")}, step=i)
            opened.log(run_id, {"dev/error": 0.9}, step=0)
            opened.finish(run_id)
        asked = connect(store, "cats").send("search", query="", limit=None).result()
        assert isinstance(opened, MlflowTracker)
        read = opened._read()
    assert json.dumps(read, sort_keys=True) == json.dumps(asked, sort_keys=True)


def test_reading_the_file_and_asking_mlflow_give_the_same_course(store: Store, connect: Connect) -> None:
    with MlflowTracker(store, "cats", connect=connect) as opened:
        run_id = opened.start(kind="train", name="first")
        for step in (1, 2, 3):
            opened.log(run_id, {"dev/error": step / 10, "dev/nan": math.nan, "dev/inf": math.inf}, step=step)
        opened.finish(run_id)
        asked = connect(store, "cats").send("history", run_id=run_id).result()
    assert store.database is not None
    read = read_history(store.database, run_id)
    assert json.dumps(read) == json.dumps(asked)


def test_a_database_elsewhere_holds_the_runs_and_the_files_stay_with_the_project(
    connect: Connect, tmp_path: Path, template: Path
) -> None:
    shutil.copy(template, tmp_path / "shared.db")
    store = Store(tmp_path / "project/mlruns", f"sqlite:///{tmp_path}/shared.db", is_default=False)
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "a.txt").write_text("a")
    with MlflowTracker(store, "cats", connect=connect) as opened:
        run_id = opened.start(kind="train", name="first")
        opened.artifacts(run_id, tmp_path / "staging")
        opened.finish(run_id)
        assert opened.run("first").id == run_id
        assert opened.fetch(run_id, "a.txt").is_relative_to(store.artifacts)
    assert [path.name for path in store.root.iterdir()] == ["artifacts"]


def test_a_deleted_run_is_gone(tracker: AbstractTracker, client: "MlflowClient") -> None:
    run_id = tracker.start(kind="train", name="first")
    tracker.finish(run_id)
    client.delete_run(run_id)
    assert tracker.runs() == []


def test_a_deleted_experiment_is_explained(store: Store, connect: Connect, client: "MlflowClient") -> None:
    client.delete_experiment(client.create_experiment("cats"))
    with MlflowTracker(store, "cats", connect=connect) as opened:
        assert opened.runs() == []
        run_id = opened.start(kind="train")
        with pytest.raises(
            TrackingError, match=r"'cats' was deleted(.|\n)*mlflow experiments restore --experiment-id 1"
        ):
            opened.finish(run_id)


def test_trouble_while_running_is_raised_at_the_next_call(store: Store, connect: Connect, tmp_path: Path) -> None:
    with MlflowTracker(store, "cats", connect=connect) as opened:
        run_id = opened.start(kind="train")
        assert store.database is not None
        store.database.write_bytes(b"no database at all" * 1000)
        opened.log(run_id, {f"m{i}": 1.0 for i in range(1500)})
        with pytest.raises(TrackingError, match="The run store mlruns/ failed"):
            opened.artifacts(run_id, tmp_path)


def test_a_run_of_which_something_could_not_be_stored_is_failed(
    store: Store, connect: Connect, client: "MlflowClient", tmp_path: Path
) -> None:
    with MlflowTracker(store, "cats", connect=connect) as opened:
        run_id = opened.start(kind="train")
        opened.artifacts(run_id, tmp_path / "missing")
        with pytest.raises(TrackingError, match="missing"):
            opened.finish(run_id, status="FINISHED")
    assert client.get_run(run_id).info.status == "FAILED"


def test_a_run_whose_driver_died_is_marked_at_the_next_start(
    store: Store, connect: Connect, client: "MlflowClient"
) -> None:
    experiment = client.create_experiment("cats")
    dead = client.create_run(experiment, tags={"mlproj.driver": "|".join((*_here(), "999999999", "1"))})
    foreign = client.create_run(experiment, tags={"mlproj.driver": "elsewhere|x|y|1|1"})
    with MlflowTracker(store, "cats", connect=connect) as opened:
        opened.finish(opened.start(kind="train"))
    assert client.get_run(dead.info.run_id).info.status == "KILLED"
    assert client.get_run(foreign.info.run_id).info.status == "RUNNING"


def _here() -> list[str]:
    from mlproj.track.driver import describe_driver

    return describe_driver().split("|")[:3]
