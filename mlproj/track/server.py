"""The child process that speaks to MLflow: reads requests, carries them out in order, answers each.

When the driver dies without a goodbye, its pipe ends; then the runs it left open are marked KILLED.
"""

import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from mlproj.track.backend import Backend
from mlproj.track.store import Store
from mlproj.track.trouble import explain

_OPERATIONS = frozenset({"start", "log", "artifacts", "finish", "search", "fetch", "files"})


def main() -> None:
    """Serves one driver until it says goodbye or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = _take_pipes()
    hello = json.loads(requests.readline() or "{}")
    if hello:
        store = Store(Path(hello["root"]), hello["uri"], hello["is_default"])
        _serve(Backend(store, hello["experiment"], Path(hello["scratch"])), requests, answers)
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
    inbox: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests, inbox), daemon=True).start()
    _import_all(backend)
    while (request := _next(inbox, backend)) is not None:
        if request["op"] == "close":
            backend.close()
            return
        answers.write(json.dumps({"id": request["id"], **_carry_out(backend, request)}) + "\n")
        answers.flush()
    backend.abandon()


def _import_all(backend: Backend) -> None:
    """Imports MLflow with the collector off: nothing that it imports is garbage, and a quarter of the time is saved."""
    gc.disable()
    backend.warm_up()
    gc.freeze()
    gc.enable()


def _receive(requests: IO[str], inbox: "SimpleQueue[Mapping[str, Any] | None]") -> None:
    for line in requests:
        if line.endswith("\n"):  # else the driver died inside the line
            inbox.put(json.loads(line))
    inbox.put(None)


def _next(inbox: "SimpleQueue[Mapping[str, Any] | None]", backend: Backend) -> Mapping[str, Any] | None:
    """The next request; while there is none, what will be needed at the end of a run is imported."""
    try:
        return inbox.get_nowait()
    except Empty:
        backend.use_pause()
        return inbox.get()


def _carry_out(backend: Backend, request: Mapping[str, Any]) -> dict[str, Any]:
    assert request["op"] in _OPERATIONS
    try:
        return {"result": getattr(backend, request["op"])(**request["arguments"])}
    except Exception as error:  # noqa: BLE001  the process boundary: whatever goes wrong is the driver's to know
        return {"error": explain(error, backend.store)}
