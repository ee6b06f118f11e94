"""One driver per project, also when one dies, leaves, or its child goes on writing."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlproj.errors import InputError, MlprojError
from mlproj.searching.lock import LOCK, driver_lock

HOLDER = """
import fcntl, os, socket, subprocess, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
os.write(fd, f"process {os.getpid()} on {socket.gethostname()} since 2026-01-02 03:04:05\\n".encode())
if sys.argv[2] == "dies":
    subprocess.Popen(["sleep", sys.argv[3]], pass_fds=[fd], stdout=subprocess.DEVNULL)
print("held", flush=True)
if sys.argv[2] == "lives":
    time.sleep(float(sys.argv[3]))
"""


@contextmanager
def holder(folder: Path, kind: str, seconds: float) -> Iterator[int]:
    """Another process that holds the lock, or that died while its child holds it."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", HOLDER, str(folder / LOCK), kind, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        if kind == "dies":
            process.wait()
        yield process.pid
        process.kill()


def test_a_second_search_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    with holder(tmp_path / "mlruns", "lives", 30) as pid:
        began = time.monotonic()
        with (
            pytest.raises(InputError, match=rf"Another search .*\(process {pid}, since 2026-01-02 03:04:05\); wait"),
            driver_lock(tmp_path / "mlruns"),
        ):
            pass
        assert time.monotonic() - began < 1


def test_a_search_is_refused_while_this_very_process_makes_another(tmp_path: Path) -> None:
    with driver_lock(tmp_path), pytest.raises(InputError, match="this very process"), driver_lock(tmp_path):
        pass


def test_a_search_waits_for_the_child_of_one_that_was_killed(tmp_path: Path) -> None:
    with holder(tmp_path, "dies", 0.5):
        began = time.monotonic()
        with driver_lock(tmp_path):
            assert time.monotonic() - began > 0.2
            assert f"process {os.getpid()} on" in (tmp_path / LOCK).read_text()


def test_a_search_does_not_wait_for_ever(tmp_path: Path) -> None:
    with (
        holder(tmp_path, "dies", 1),
        pytest.raises(InputError, match=r"still being written in .*; try again in a minute"),
        driver_lock(tmp_path, patience=0.1),
    ):
        pass


def test_a_lock_that_is_held_from_another_machine_is_respected(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("process 1 on elsewhere since 2026-01-02 03:04:05\n")
        file.flush()
        with pytest.raises(InputError, match=r"process 1 on elsewhere, since"), driver_lock(tmp_path):
            pass


def test_a_lock_whose_owner_is_not_yet_written_down_is_waited_for(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        threading.Timer(0.3, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        with driver_lock(tmp_path):
            pass


def test_what_a_dead_search_left_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("process 999999999 on somewhere since 2026-01-02 03:04:05, and more than that" * 9)
    with driver_lock(tmp_path):
        assert (tmp_path / LOCK).read_text().count("\n") == 1


def test_the_folder_is_removed_only_when_nothing_came_into_it(tmp_path: Path) -> None:
    with driver_lock(tmp_path / "a" / "mlruns"):
        pass
    assert not (tmp_path / "a" / "mlruns").exists()
    with driver_lock(tmp_path / "b"):
        (tmp_path / "b" / "optuna.journal").touch()
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["optuna.journal", LOCK]


def test_an_error_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), driver_lock(tmp_path):
        _ = 1 / 0
    with driver_lock(tmp_path):
        pass


def test_a_child_that_is_handed_the_descriptor_holds_the_lock_on(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with driver_lock(tmp_path) as lock:
        child = subprocess.Popen(["sleep", "30"], pass_fds=[lock.fd])
    with pytest.raises(InputError, match="still being written"), driver_lock(tmp_path, patience=0.1):
        pass
    child.kill()
    child.wait()
    with driver_lock(tmp_path):
        pass


def test_two_never_hold_the_lock_at_once_though_each_removes_the_folder(tmp_path: Path) -> None:
    folder, inside, most, times = tmp_path / "mlruns", [0], [0], [0]

    def search() -> None:
        until = time.monotonic() + 10
        for _ in range(15):
            while time.monotonic() < until:
                try:
                    with driver_lock(folder):
                        inside[0] += 1
                        most[0] = max(most[0], inside[0])
                        time.sleep(0.001)
                        times[0] += 1
                        inside[0] -= 1
                    break
                except InputError:
                    time.sleep(0.0005)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most[0], times[0]) == (1, 60)
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MlprojError, match=r"file/mlruns cannot be written: Not a directory"):
        driver_lock(tmp_path / "file" / "mlruns").__enter__()
