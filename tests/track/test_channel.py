"""The child process: the driver stays light, and no way of dying loses or damages what was stored."""

import fcntl
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlproj.errors import InputError, TrackingError
from mlproj.searching import driver_lock
from mlproj.track.channel import AbstractChannel, Channel
from mlproj.track.client import MlflowTracker
from mlproj.track.reader import read_runs
from mlproj.track.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

Connect = Callable[[Store, str], AbstractChannel]
Locate = Callable[[Path], Store]
Drive = Callable[..., "subprocess.Popen[str]"]

PREAMBLE = """
import sys, time
from pathlib import Path
from mlproj.track import MlflowTracker, Store
from mlproj.track.store import sqlite_uri
root = Path(sys.argv[1]) / "mlruns"
store = Store(root, sqlite_uri(root / "mlflow.db"))
"""


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    """Runs a driver script in a process of its own, in a session of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(body: str, folder: Path) -> "subprocess.Popen[str]":
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
        command = [sys.executable, "-c", PREAMBLE + body, str(folder)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def status_of(store: Store, name: str, patience: float = 30.0, until: str | None = None) -> str | None:
    """Waits for a run to appear, or to have a status."""
    limit = time.monotonic() + patience
    status = None
    while time.monotonic() < limit:
        runs = read_runs(store.database, "cats") if store.database and store.exists() else None
        status = next((run["status"] for run in runs or [] if run["name"] == name), None)
        if status is not None and until in (None, status):
            return status
        time.sleep(0.05)
    return status


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def test_a_first_run_is_stored_while_the_driver_stays_light(drive: Drive, locate: Locate, tmp_path: Path) -> None:
    script = """
began = time.monotonic()
with MlflowTracker(store, "cats") as tracker:
    assert not root.exists()
    run_id = tracker.start(kind="train", name="first", params={"seed": 0})
    for step in range(5):
        tracker.log(run_id, {"dev/error": 0.1}, step=step)
    waited = time.monotonic() - began
    staging = Path(sys.argv[1]) / "staging"
    staging.mkdir()
    (staging / "project.yaml").write_text("name: cats")
    tracker.artifacts(run_id, staging)
    tracker.finish(run_id, tags={"mlproj.outcome": "completed"})
    assert tracker.run("latest").id == run_id
    assert tracker.fetch(run_id, "project.yaml").read_text() == "name: cats"
heavy = {"mlflow", "pandas", "torch", "sklearn", "sqlalchemy"} & set(sys.modules)
print(run_id, waited < 0.5, heavy or "light")
"""
    folder = tmp_path / "project"
    folder.mkdir()
    process = drive(script, folder)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, ""), errors
    run_id, is_quick, weight = output.split()
    assert (is_quick, weight) == ("True", "light")
    assert status_of(locate(folder), "first") == "FINISHED"
    assert sorted(path.name for path in (folder / "mlruns").iterdir()) == [".mlflow.db.lock", "artifacts", "mlflow.db"]
    assert len(run_id) == 32
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project"], "nothing stays in the temporary folder"


def test_what_never_starts_a_run_leaves_nothing_and_does_not_wait_for_mlflow(locate: Locate, tmp_path: Path) -> None:
    store = locate(tmp_path / "project")
    began = time.monotonic()
    with pytest.raises(ValueError, match="a failed check"), MlflowTracker(store, "cats"):
        raise ValueError("a failed check")
    assert time.monotonic() - began < 1.0
    assert not (tmp_path / "project").exists()


def test_reading_where_nothing_is_starts_no_process_and_creates_nothing(locate: Locate, tmp_path: Path) -> None:
    def refuse(store: Store, experiment: str) -> AbstractChannel:
        raise AssertionError(f"no need to open {store.uri} for {experiment}")

    with MlflowTracker(locate(tmp_path / "project"), "cats", writes=False, connect=refuse) as opened:
        assert opened.runs() == []
    assert not (tmp_path / "project").exists()


HANGING = """
with MlflowTracker(store, "cats") as tracker:
    run_id = tracker.start(kind="train", name="first")
    tracker.log(run_id, {f"dev/m{i}": 1.0 for i in range(1000)}, step=1)
    time.sleep(60)
"""


def test_kill_9_of_the_driver_leaves_a_sound_store_and_the_run_marked(drive: Drive, store: Store) -> None:
    process = drive(HANGING, store.root.parent)
    assert status_of(store, "first") == "RUNNING"
    process.kill()
    assert status_of(store, "first", until="KILLED") == "KILLED"
    assert store.database is not None
    with closing(sqlite3.connect(store.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_run_whose_driver_and_child_were_killed_is_marked_by_the_next_start(
    drive: Drive, store: Store, connect: Connect, client: "MlflowClient"
) -> None:
    process = drive(HANGING, store.root.parent)
    assert status_of(store, "first") == "RUNNING"
    (child,) = children_of(process.pid)
    os.kill(child, signal.SIGKILL)
    process.kill()
    process.wait()
    assert status_of(store, "first") == "RUNNING"
    with MlflowTracker(store, "cats", connect=connect) as opened:
        opened.finish(opened.start(kind="train", name="second"))
    assert status_of(store, "first") == "KILLED"
    assert [run.info.status for run in client.search_runs(["1"])] == ["FINISHED", "KILLED"]


def test_ctrl_c_is_for_the_driver_alone(drive: Drive, store: Store) -> None:
    script = """
with MlflowTracker(store, "cats") as tracker:
    run_id = tracker.start(kind="train", name="first")
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        tracker.log(run_id, {"dev/error": 0.5}, step=1)
        tracker.finish(run_id, tags={"mlproj.outcome": "interrupted"})
        print("saved")
"""
    process = drive(script, store.root.parent)
    assert status_of(store, "first") == "RUNNING"
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (output, errors) == ("saved\n", "")
    assert status_of(store, "first") == "FINISHED"


def test_drivers_that_open_a_fresh_store_at_once_do_not_hurt_each_other(
    drive: Drive, locate: Locate, tmp_path: Path
) -> None:
    script = """
with MlflowTracker(store, "cats") as tracker:
    tracker.finish(tracker.start(kind="train"))
"""
    processes = [drive(script, tmp_path / "project") for _ in range(3)]
    assert [process.communicate(timeout=90)[1] for process in processes] == [""] * 3
    store = locate(tmp_path / "project")
    assert store.database is not None
    assert [run["status"] for run in read_runs(store.database, "cats") or []] == ["FINISHED"] * 3


def test_a_child_that_dies_is_reported_with_how_it_ended(store: Store) -> None:
    with MlflowTracker(store, "cats") as opened:
        run_id = opened.start(kind="train")
        (child,) = [pid for pid in children_of(os.getpid()) if _is_tracking(pid)]
        os.kill(child, signal.SIGKILL)
        with pytest.raises(TrackingError, match="The process that keeps the runs in mlruns/ was ended by SIGKILL"):
            opened.finish(run_id)


def finished(store: Store, name: str, **options: Any) -> int:
    """Stores a run through a channel of its own; returns the process that did it."""
    channels: list[Channel] = []

    def open_channel(store: Store, experiment: str) -> Channel:
        channels.append(Channel(store, experiment, **options))
        return channels[-1]

    with MlflowTracker(store, "cats", connect=open_channel) as opened:
        opened.finish(opened.start(kind="train", name=name))
    return channels[0]._child.process.pid


def test_the_next_session_takes_the_same_process_and_a_store_of_its_own(locate: Locate, tmp_path: Path) -> None:
    first, second = locate(tmp_path / "one"), locate(tmp_path / "two")
    assert finished(first, "a") == finished(second, "b") == finished(first, "c")
    assert [status_of(first, "a"), status_of(first, "b", 0.1), status_of(first, "c")] == ["FINISHED", None, "FINISHED"]
    assert status_of(second, "b") == "FINISHED"


def test_a_store_that_was_deleted_between_two_sessions_is_made_anew(locate: Locate, tmp_path: Path) -> None:
    store = locate(tmp_path / "one")
    finished(store, "a")
    shutil.rmtree(store.root)
    finished(store, "b")
    assert status_of(store, "b") == "FINISHED"
    assert status_of(store, "a", 0.1) is None


def test_a_process_that_died_while_it_waited_or_was_started_under_other_terms_is_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = finished(store, "a")
    os.kill(first, signal.SIGKILL)
    assert os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT) is not None  # dead, and not yet asked after
    second = finished(store, "b")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "somebody")
    third = finished(store, "c")
    assert len({first, second, third}) == 3
    assert {status_of(store, name) for name in "abc"} == {"FINISHED"}


def test_a_lock_is_held_while_the_session_lasts_and_no_longer(store: Store, tmp_path: Path) -> None:
    finished(store, "warm")
    with (tmp_path / "lock").open("w") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        channel = Channel(store, "cats", keep=(ours.fileno(),))
        channel.send("search", query="", limit=1).result(timeout=60)
    with (tmp_path / "lock").open("w") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        channel.close()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_nothing_is_left_when_the_driver_ends(drive: Drive, store: Store, tmp_path: Path) -> None:
    script = """
import os
with MlflowTracker(store, "cats") as tracker:
    tracker.finish(tracker.start(kind="train", name="first"))
print(__import__("mlproj.track.channel").track.channel._parked[0].process.pid)
"""
    output, errors = drive(script, store.root.parent).communicate(timeout=90)
    assert errors == ""
    assert not Path(f"/proc/{output.strip()}").exists()
    assert not list(tmp_path.glob("mlproj-track*"))


def _is_tracking(pid: int) -> bool:
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and b"mlproj.track.server" in command.read_bytes()


def test_a_module_of_the_user_that_is_named_like_one_of_pythons_does_not_hurt(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("queue.py", "mlflow.py", "random.py"):
        (tmp_path / name).write_text("raise RuntimeError('not this one')")
    monkeypatch.chdir(tmp_path)
    channel = Channel(store, "cats")
    try:
        assert channel.send("search", query="", limit=1).result(timeout=30) == []
    finally:
        channel.close()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs the right to mount a small disk")
def test_a_full_disk_is_named_and_the_store_stays_sound(tmp_path: Path, connect: Connect, template: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small disk here")
    try:
        _fill(small, connect, template)
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def _fill(small: Path, connect: Connect, template: Path) -> None:
    root = small / "mlruns"
    root.mkdir()
    (root / "mlflow.db").write_bytes(template.read_bytes())
    store = Store(root, f"sqlite:///{root}/mlflow.db")
    staging = small.parent / "staging"
    staging.mkdir()
    (staging / "large.bin").write_bytes(os.urandom(4_000_000))
    with MlflowTracker(store, "cats", connect=connect) as opened:
        run_id = opened.start(kind="train", name="first")
        opened.artifacts(run_id, staging)
        with pytest.raises(TrackingError, match=r"No space left(.|\n)*Free some space"):
            opened.finish(run_id)
    for file in root.glob("artifacts/**/large.bin"):
        file.unlink()
    with MlflowTracker(store, "cats", connect=connect) as opened:
        opened.finish(opened.start(kind="train", name="second"))
        assert [run.name for run in opened.runs(statuses=["FINISHED"])] == ["second"]


def test_a_lock_is_held_until_the_records_of_a_killed_driver_are_written(drive: Drive, tmp_path: Path) -> None:
    body = """
from functools import partial
from mlproj.searching import driver_lock
from mlproj.track import Channel
with driver_lock(root) as lock, MlflowTracker(store, "cats", connect=partial(Channel, keep=(lock.fd,))) as tracker:
    tracker.start(kind="search", name="first")
    time.sleep(0.3)  # until the thread that writes to the pipe had its turn: what it never sent is lost with the driver
    print("started", flush=True)
    time.sleep(60)
"""
    process = drive(body, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.kill()
    process.wait()
    root = tmp_path / "mlruns"
    with pytest.raises(InputError, match="still being written"), driver_lock(root, patience=0.0):
        pass
    with driver_lock(root):
        (run,) = read_runs(root / "mlflow.db", "cats") or []
    assert run["status"] == "KILLED"


def test_a_server_that_stops_answering_is_given_up_in_time(tmp_path: Path) -> None:
    """Whoever listens here takes each connection and says nothing: MLflow's own patience would last for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        is_over = threading.Event()
        hanging_up = threading.Thread(target=_hang_up, args=(server, is_over))
        hanging_up.start()
        store = Store(tmp_path / "mlruns", f"http://127.0.0.1:{server.getsockname()[1]}", is_default=False)
        try:
            began = time.monotonic()
            with (
                pytest.raises(TrackingError, match=r"The server does not answer\. Is it running\?"),
                MlflowTracker(store, "cats") as opened,
            ):
                opened.start(kind="train")
            assert time.monotonic() - began < 60
        finally:
            is_over.set()
            hanging_up.join()


def _hang_up(server: socket.socket, is_over: threading.Event) -> None:
    while not is_over.is_set():
        with suppress(TimeoutError):
            server.accept()[0].close()
