"""The child process that speaks to MLflow: reads requests, carries them out in order, answers each.

When the driver dies without a goodbye, its pipe ends; then the runs it left open are marked KILLED.
"""

import gc
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, Final

from mlproj.track.backend import Backend
from mlproj.track.bulk import OPERATIONS as TOGETHER
from mlproj.track.store import Store

_Request = Mapping[str, Any]
_MOST: Final = 512
"""Requests that are answered together at most."""


def main() -> None:
    """Serves one driver until it says goodbye or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = _take_pipes()
    hello = json.loads(requests.readline() or "{}")
    if hello:
        store = Store(Path(hello["root"]), hello["uri"], hello["is_default"])
        scratch = Path(hello["scratch"])
        _serve(Backend(store, hello["experiment"], scratch), requests, answers)
        shutil.rmtree(scratch, ignore_errors=True)  # the driver does it too, where it lives
    # MLflow and SQLAlchemy leave threads and pools behind whose teardown would only cost time.
    sys.stderr.flush()
    os._exit(0)


def _take_pipes() -> tuple[IO[str], IO[str]]:
    """The pipes to the driver, moved aside so that nothing that is printed can get between the answers."""
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return os.fdopen(requests, encoding="ascii"), os.fdopen(answers, "w", encoding="ascii")


def _serve(backend: Backend, requests: IO[str], answers: IO[str]) -> None:
    inbox: SimpleQueue[_Request | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests, inbox), daemon=True).start()
    _import_all(backend)
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


def _import_all(backend: Backend) -> None:
    """Imports MLflow with the collector off: nothing that it imports is garbage, and a quarter of the time is saved."""
    gc.disable()
    backend.warm_up()
    gc.freeze()
    gc.enable()


def _receive(requests: IO[str], inbox: "SimpleQueue[_Request | None]") -> None:
    for line in requests:
        if line.endswith("\n"):  # else the driver died inside the line
            inbox.put(json.loads(line))
    inbox.put(None)
