"""The pipe to the one process that speaks to MLflow.

Importing MLflow takes seconds, so a child process does it while the driver reads data and trains. Requests and answers
are JSON lines; `Channel.send` never waits, its future does. Two threads keep the pipes moving, so that neither side
can block the other.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
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
    """A child process that imports MLflow, prepares the store and carries out requests one after the other.

    Args:
        store: Where the runs are kept.
        experiment: Name of the experiment.
        keep: File descriptors that the child holds until it ends, such as a lock that covers what it still writes
            after the driver died.
    """

    def __init__(self, store: Store, experiment: str, *, keep: Sequence[int] = ()) -> None:
        self._label = store.label
        try:
            self._scratch = Path(tempfile.mkdtemp(prefix="mlproj-track-"))
            self._log = self._scratch / "log.txt"
            self._process = _spawn(self._log, keep)
        except OSError as error:  # no room for temporary files or for a process
            raise TrackingError(explain(error, store)) from error
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._count = 0
        self._is_open = True
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        hello = {"root": str(store.root), "uri": store.uri, "is_default": store.is_default, "experiment": experiment}
        self._outbox.put(_encode(hello | {"scratch": str(self._scratch)}))
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
        """Lets all requests finish, or drops them with `at_once`, and ends the process."""
        if at_once:
            self._process.kill()
        else:
            self._outbox.put(_encode({"op": "close"}))
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise TrackingError(
                f"{self._label} did not answer within {_PATIENCE_SECONDS:.0f} s; gave up waiting."
            ) from None
        finally:  # after a second Ctrl-C too: no process stays behind
            self._process.kill()
            self._process.wait()
            self._outbox.put(None)
            for thread in self._threads:
                thread.join()
            for pipe in (self._process.stdin, self._process.stdout):
                _close(pipe)
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        while (line := self._outbox.get()) is not None:
            try:
                pipe.write(line)
                pipe.flush()
            except OSError:  # the child is gone; the reading thread tells those who wait
                return

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        for line in pipe:
            message = json.loads(line)
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
        code = self._process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:] if self._log.is_file() else []
        said = "\n".join(["Its last words:", *(f"  {line}" for line in lines)]) if lines else "It said nothing."
        return TrackingError(f"The process that keeps the runs in {self._label} {how}. {said}")


def _spawn(log: Path, keep: Sequence[int]) -> "subprocess.Popen[bytes]":
    """Starts the child, with the driver's import path, in a session of its own: Ctrl-C is for the driver alone."""
    path = [entry or str(Path.cwd()) for entry in sys.path]
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, json.dumps(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=_PATIENT | os.environ | _QUIET,
            start_new_session=True,
            pass_fds=keep,
        )


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode("ascii") + b"\n"


def _close(pipe: Any) -> None:
    with suppress(OSError):  # unsent bytes of a pipe whose reader is gone
        pipe.close()
