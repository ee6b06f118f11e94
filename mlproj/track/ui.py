"""MLflow's UI for the runs of one project, on 127.0.0.1 only: it has no passwords."""

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mlproj.errors import InvalidInput, Problem, RunNotFound, TrackingError
from mlproj.track.layout import prepare
from mlproj.track.store import Store, without_password

HOST: Final = "127.0.0.1"
PORT: Final = 5000
READY_SECONDS: Final = 90.0
STOP_SECONDS: Final = 1.5
_PAGE: Final = "#/experiments?workflowType=machine_learning"  # the other half of the UI is about chat traces
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(store: Store, *, port: int | None = None, say: Callable[[str], None]) -> None:
    """Serves the UI until Ctrl-C or a termination signal, and says where it is.

    One worker and no job runners: ready in seconds, two processes, both gone at the end.

    Args:
        store: The runs to show. Of a tracking server only the address is said, for it has a UI of its own.
        port: Port to listen on; None means 5000, or the next free one.
        say: What to do with each line for the user.

    Raises:
        RunNotFound: When there are no runs yet.
        InvalidInput: When the port cannot be used.
        TrackingError: When the server does not start.
    """
    if store.is_server:
        say(f"The runs are on a server with a UI of its own: {without_password(store.uri)}")
        return
    if not store.exists():
        raise RunNotFound(f"There is nothing to show yet: {store.label} has no runs. Train one first: mlproj train")
    chosen = pick_port(port)
    if port is None and chosen != PORT:
        say(f"Port {PORT} is taken; using {chosen}.")
    prepare(store)
    with tempfile.TemporaryDirectory(prefix="mlproj-ui-") as scratch, _listening() as ended:
        log = Path(scratch) / "log.txt"
        process = _spawn(store, chosen, log)
        try:
            if _wait_until_ready(process, chosen, ended, log):
                say(f"MLflow shows the runs at http://{HOST}:{chosen}/{_PAGE} (Ctrl-C stops it)")
                _wait_until_ended(process, ended, log)
        finally:
            _stop(process)


def pick_port(port: int | None) -> int:
    """The port to listen on.

    Args:
        port: The one asked for; None means 5000, or the next free one.

    Raises:
        InvalidInput: When the one asked for is out of range, taken, or not allowed.
    """
    if port is None:
        return next((free for free in range(PORT, PORT + 50) if _refusal(free) is None), 0) or _any_port()
    refusal = _refusal(port) if 0 < port < 65536 else "is no port; ports are numbers from 1 to 65535"
    if refusal:
        hint = "Choose another, or leave --port out to get the next free one from 5000."
        raise InvalidInput([Problem("--port", f"{port} {refusal}", hint)])
    return port


def _refusal(port: int) -> str | None:
    """Why a port cannot be listened on; None when it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            return "is taken by another program" if taken else f"cannot be used ({os.strerror(error.errno or 0)})"
    return None


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _spawn(store: Store, port: int, log: Path) -> "subprocess.Popen[bytes]":
    """Starts the server in a session of its own, so that it and its workers can be ended together."""
    settings = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "PYTHONSAFEPATH": "1",  # a types.py in the user's folder is none of the server's business
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_BACKEND_STORE_URI": store.uri,  # not an argument: it may hold a password
        "MLFLOW_ARTIFACTS_DESTINATION": store.artifacts.as_uri(),
    }
    inherited = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=inherited | settings,
            start_new_session=True,
        )


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, ended: threading.Event, log: Path) -> bool:
    """Waits until the server answers; False when the user ended it before."""
    limit = time.monotonic() + READY_SECONDS
    while not ended.wait(0.1):
        if process.poll() is not None:
            raise TrackingError(f"MLflow's server ended while starting.{_last_words(log)}")
        if _answers(port):
            return True
        if time.monotonic() > limit:
            raise TrackingError(f"MLflow's server did not answer within {READY_SECONDS:.0f} s.{_last_words(log)}")
    return False


def _wait_until_ended(process: "subprocess.Popen[bytes]", ended: threading.Event, log: Path) -> None:
    while not ended.wait(0.5):
        if process.poll() is not None:
            raise TrackingError(f"MLflow's server ended by itself.{_last_words(log)}")


def _answers(port: int) -> bool:
    import urllib.request

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{HOST}:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def _listening() -> Iterator[threading.Event]:
    """An event that is set by Ctrl-C, a termination signal or a closed terminal."""
    ended = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield ended
        return
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in _ENDING}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends the server and everything it started."""
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        limit = time.monotonic() + patience
        while time.monotonic() < limit and _lives(process):
            time.sleep(0.02)
    process.wait()


def _lives(process: "subprocess.Popen[bytes]") -> bool:
    """Whether any process of the group is left."""
    process.poll()  # collects the leader, which would count as alive for ever
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
    return "\n".join([" Its last words:", *(f"  {line}" for line in lines)]) if lines else ""
