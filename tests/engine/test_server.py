"""The process that workers are forked from is used again where it would do the same."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.engine.server import end_waiting, give_back, take_server


@pytest.fixture(autouse=True)
def _none_waiting() -> Iterator[None]:
    end_waiting()
    yield
    end_waiting()


def test_a_server_that_was_started_elsewhere_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = take_server()
    give_back(first)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")  # a module of the user's own may read files beside it
    second = take_server()
    assert second is not first
    assert first._process.poll() is not None
    give_back(second)
    assert take_server() is second
    second.close()


def test_a_server_that_is_given_back_again_and_again_costs_one_thread() -> None:
    before = set(threading.enumerate())
    for _ in range(5):
        give_back(take_server())
    timers = [
        thread for thread in threading.enumerate() if isinstance(thread, threading.Timer) and thread not in before
    ]
    new = [timer for timer in timers if not timer.finished.is_set()]
    assert len(new) == 1
    end_waiting()
    assert new[0].finished.is_set()
