"""The child process that keeps the runs: reads requests, carries them out in order, answers each.

When the driver dies without a goodbye, its pipe ends; then the runs it left open are marked KILLED.
"""

import ctypes
import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, Final, NoReturn

from mlproj.track.api import warm_up
from mlproj.track.backend import Backend
from mlproj.track.channel import SIZE
from mlproj.track.direct import TOGETHER, can_serve
from mlproj.track.store import Store

_Request = Mapping[str, Any]
CLOSED: Final = '{"id": 0}\n'
"""What is said when a session has ended."""
_MOST: Final = 512
"""Requests that are answered together at most."""
_PATIENCE_SECONDS: Final = 300.0
"""Idle time after which it ends."""
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Serves one driver, session after session, until it dies or asks for nothing for a while.

    Each session is a fork: MLflow keeps connections and caches for as long as a process lives, and a store may be
    deleted and made anew between two sessions.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    home = Path(sys.argv[2])
    control, answers = _take_pipes()
    while hello := _next_hello(control):
        document, files = hello
        store = _store_of(document)
        if not can_serve(store):
            _import_all(is_server=store.is_server)
        pid = os.fork()
        if not pid:
            _run_session(document, control, answers)
        for file in files:
            os.close(file)
        _, status = os.waitpid(pid, 0)
        if status:
            _end_like(status)
        answers.write(CLOSED)
        answers.flush()
    shutil.rmtree(home, ignore_errors=True)
    os._exit(0)


def _take_pipes() -> tuple[socket.socket, IO[str]]:
    """The ways from and to the driver, moved aside so that nothing that is printed can get between the answers."""
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return socket.socket(fileno=requests), os.fdopen(answers, "w", encoding="ascii")


def _next_hello(control: socket.socket) -> tuple[Mapping[str, Any], list[int]] | None:
    """What a session begins with, and file descriptors to hold while it lasts; None when there will be none."""
    if not select.select([control], [], [], _PATIENCE_SECONDS)[0]:
        return None
    try:
        head, files, _, _ = socket.recv_fds(control, SIZE.size, 8, socket.MSG_WAITALL)
        if len(head) < SIZE.size:
            return None
        content = control.recv(SIZE.unpack(head)[0], socket.MSG_WAITALL)
        return json.loads(content), files
    except (OSError, ValueError):  # the driver died inside it
        return None


def _run_session(hello: Mapping[str, Any], control: socket.socket, answers: IO[str]) -> NoReturn:
    """Carries out the requests of one session, in a process of its own."""
    _die_with_parent()
    scratch = Path(hello["scratch"])
    requests = control.makefile("r", encoding="ascii")  # never closed: a thread still waits for more of it
    _serve(Backend(_store_of(hello), hello["experiment"], scratch), requests, answers)
    shutil.rmtree(scratch, ignore_errors=True)  # the driver does it too, where it lives
    # MLflow and SQLAlchemy, where they were needed, leave threads and pools whose teardown would only cost time.
    sys.stderr.flush()
    os._exit(0)


def _store_of(hello: Mapping[str, Any]) -> Store:
    return Store(Path(hello["root"]), hello["uri"], hello["is_default"])


def _die_with_parent() -> None:
    """On Linux a session ends with the process that it was forked from, so that killing the one kills both."""
    parent = os.getppid()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _end_like(status: int) -> NoReturn:
    """Ends as the session ended, so that the driver learns how."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(abs(code))


def _serve(backend: Backend, requests: IO[str], answers: IO[str]) -> None:
    inbox: SimpleQueue[_Request | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests, inbox), daemon=True).start()
    for batch in _batches(inbox):
        if batch[0]["op"] == "close":
            backend.close()
            return
        said = backend.carry_out_all([(request["op"], request["arguments"]) for request in batch])
        lines = [json.dumps({"id": request["id"], **one}) for request, one in zip(batch, said, strict=True)]
        with suppress(OSError):  # the driver died meanwhile; what it had sent is carried out all the same
            answers.write("\n".join(lines) + "\n")
            answers.flush()
    backend.abandon()


def _batches(inbox: "SimpleQueue[_Request | None]") -> Iterator[list[_Request]]:
    """Requests until the driver is gone; those that wait already and can be written together come together."""
    held: list[_Request | None] = []
    while (request := held.pop() if held else inbox.get()) is not None:
        batch = [request]
        while batch[-1]["op"] in TOGETHER and len(batch) < _MOST and not inbox.empty():
            following = inbox.get()
            if following is None or following["op"] not in TOGETHER:
                held.append(following)
                break
            batch.append(following)
        yield batch


def _import_all(*, is_server: bool) -> None:
    """Imports MLflow ahead of a session that will need it, which is cheap when an earlier one did.

    The collector is off: nothing that is imported is garbage, and a quarter of the time is saved.
    """
    gc.disable()
    warm_up(is_server=is_server)
    gc.collect()
    gc.freeze()
    gc.enable()


def _receive(requests: IO[str], inbox: "SimpleQueue[_Request | None]") -> None:
    for line in requests:
        if line.endswith("\n"):  # else the driver died inside the line
            inbox.put(json.loads(line))
    inbox.put(None)
