"""The pipe to the one process that keeps the runs.

Writing takes time, and importing MLflow, where that is needed, takes seconds; so a child process does it while the
driver reads data and trains. Requests and answers are JSON lines; `Channel.send` never waits, its future does. Two
threads keep the pipes moving, so that neither side can block the other.
"""

import atexit
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from mlproj.errors import TrackingError
from mlproj.track.store import Store
from mlproj.track.trouble import explain

_BOOT: Final = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from mlproj.track.server import main; main()"
_QUIET: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "PYTHONWARNINGS": "ignore",
}
_PATIENT: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}
"""Unless the user says otherwise: a server that is gone is given up after seconds, where MLflow tries for minutes."""
_PATIENCE_SECONDS: Final = 120.0
SIZE: Final = struct.Struct("!q")
"""What stands before a hello: its length in bytes."""


class AbstractChannel(ABC):
    """Carries requests to whoever speaks to MLflow, and brings back the answers."""

    @abstractmethod
    def send(self, op: str, **arguments: Any) -> "Future[Any]":
        """Sends a request and returns at once.

        Args:
            op: Name of a `Backend` method.
            arguments: What it takes, as JSON knows it.

        Returns:
            The answer to come; a `TrackingError` where it fails.
        """

    @abstractmethod
    def close(self, *, at_once: bool = False) -> None:
        """Lets all requests finish, or drops them with `at_once`, and ends the connection."""


class Channel(AbstractChannel):
    """A child process that prepares the store and carries out requests one after the other.

    A child whose session ended well waits for the next one of this process, which then need not start one; it
    ends with this process, or after some idle minutes.

    Args:
        store: Where the runs are kept.
        experiment: Name of the experiment.
        keep: File descriptors that the child holds until the session ends, such as a lock that covers what it still
            writes after the driver died.
    """

    def __init__(self, store: Store, experiment: str, *, keep: Sequence[int] = ()) -> None:
        self._label = store.label
        try:
            self._scratch = Path(tempfile.mkdtemp(prefix="mlproj-track-"))
            hello = {"root": str(store.root), "uri": store.uri, "is_default": store.is_default}
            content = json.dumps(hello | {"experiment": experiment, "scratch": str(self._scratch)}).encode("ascii")
            self._child = _greet(content, keep)
        except OSError as error:  # no room for temporary files or for a process
            raise TrackingError(explain(error, store)) from error
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._count = 0
        self._is_open, self._ended_well = True, False
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._threads = tuple(threading.Thread(target=loop, daemon=True) for loop in (self._write, self._read))
        for thread in self._threads:
            thread.start()

    def send(self, op: str, **arguments: Any) -> "Future[Any]":
        """Sends a request and returns at once."""
        answer: Future[Any] = Future()
        with self._lock:
            if not self._is_open:
                answer.set_exception(self._lost())
                return answer
            self._count += 1
            self._waiting[self._count] = answer
            self._outbox.put(_encode({"id": self._count, "op": op, "arguments": arguments}))
        return answer

    def close(self, *, at_once: bool = False) -> None:
        """Lets all requests finish, or drops them with `at_once`, and ends the session."""
        reader = self._threads[1]
        try:
            if not at_once:
                self._outbox.put(_encode({"op": "close"}))
                reader.join(_PATIENCE_SECONDS)
                if reader.is_alive():
                    raise TrackingError(
                        f"{self._label} did not answer within {_PATIENCE_SECONDS:.0f} s; gave up waiting."
                    )
        finally:  # after a second Ctrl-C too: no process stays behind with work to do
            if not self._ended_well:
                self._child.end()
            self._outbox.put(None)
            for thread in self._threads:
                thread.join()
            shutil.rmtree(self._scratch, ignore_errors=True)
            if self._ended_well:
                _park(self._child)

    def _write(self) -> None:
        while (line := self._outbox.get()) is not None:
            try:
                self._child.socket.sendall(line)
            except OSError:  # the child is gone; the reading thread tells those who wait
                return

    def _read(self) -> None:
        pipe = self._child.process.stdout
        assert pipe is not None
        for line in pipe:
            message = json.loads(line)
            if not message["id"]:
                self._ended_well = True
                break
            answer = self._waiting.pop(message["id"])
            if "error" in message:
                answer.set_exception(TrackingError(message["error"]))
            else:
                answer.set_result(message["result"])
        with self._lock:
            self._is_open = False
            waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            answer.set_exception(self._lost())

    def _lost(self) -> TrackingError:
        """Why there will be no answer: how the child ended and the last it said."""
        if self._ended_well:
            return TrackingError(f"The session with {self._label} is over.")
        code = self._child.process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        log = self._child.log
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:] if log.is_file() else []
        said = "\n".join(["Its last words:", *(f"  {line}" for line in lines)]) if lines else "It said nothing."
        return TrackingError(f"The process that keeps the runs in {self._label} {how}. {said}")


@dataclass
class _Child:
    """A child process: its end of the line, the folder of its log, and what it was started under."""

    process: "subprocess.Popen[bytes]"
    socket: socket.socket
    home: Path
    terms: tuple[Any, ...]

    @property
    def log(self) -> Path:
        """What it says beside its answers."""
        return self.home / "log.txt"

    def end(self) -> None:
        """Ends it and its session."""
        with suppress(OSError):  # no such group any more
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.socket.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        shutil.rmtree(self.home, ignore_errors=True)


_parked: list[_Child] = []
_parking = threading.Lock()


def _park(child: _Child) -> None:
    """Has a child wait for the next session; one of them is enough."""
    with _parking:
        if not _parked:
            _parked.append(child)
            return
    child.end()


@atexit.register
def end_parked() -> None:
    """Ends a child that waits for nobody any more."""
    with _parking:
        while _parked:
            _parked.pop().end()


def _greet(content: bytes, keep: Sequence[int]) -> _Child:
    """A child that has been told what its session is about: the one that waits, or a new one."""
    terms = (dict(os.environ), list(sys.path), Path.cwd())
    with _parking:
        waiting = _parked.pop() if _parked else None
    if waiting is not None:
        with suppress(OSError):  # it ended meanwhile
            if waiting.terms == terms and waiting.process.poll() is None:
                _say_hello(waiting, content, keep)
                return waiting
        waiting.end()
    child = _start(terms)
    _say_hello(child, content, keep)
    return child


def _start(terms: tuple[Any, ...]) -> _Child:
    home = Path(tempfile.mkdtemp(prefix="mlproj-tracker-"))
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = _spawn(home, theirs.fileno())
    except BaseException:
        ours.close()
        shutil.rmtree(home, ignore_errors=True)
        raise
    return _Child(process, ours, home, terms)


def _say_hello(child: _Child, content: bytes, keep: Sequence[int]) -> None:
    head = SIZE.pack(len(content))
    if keep:
        socket.send_fds(child.socket, [head], keep)
    else:
        child.socket.sendall(head)
    child.socket.sendall(content)


def _spawn(home: Path, requests: int) -> "subprocess.Popen[bytes]":
    """Starts the child, with the driver's import path, in a session of its own: Ctrl-C is for the driver alone."""
    path = [entry or str(Path.cwd()) for entry in sys.path]
    with (home / "log.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, json.dumps(path), str(home)],
            stdin=requests,
            stdout=subprocess.PIPE,
            stderr=output,
            env=_PATIENT | os.environ | _QUIET,
            start_new_session=True,
        )


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode("ascii") + b"\n"
