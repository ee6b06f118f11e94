"""The process that workers are forked from.

Importing torch takes seconds, forking a process that has done so milliseconds. The server is a fresh process of its
own that imports what training needs and does nothing else: it runs no line of the user's script, so that a script needs
no `if __name__ == "__main__"`, and holds no thread and no device that a fork would break.

Driver and server share a socket. A request is (serial, pid): pid 0 forks a worker and hands it the file descriptors
that come along, any other pid ends that worker; the answer is (serial, pid or exit code). When the driver is gone, the
socket ends, and with it the server.
"""

import atexit
import faulthandler
import gc
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from mlproj.errors import MlprojError

_BOOT: Final = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from mlproj.engine.server import main; main()"
_MESSAGE: Final = struct.Struct("!qq")
_IDLE_SECONDS: Final = 300.0


class ServerError(MlprojError):
    """Workers can no longer be started."""


def _terms() -> tuple[dict[str, str], list[str], str]:
    """What a process takes over from the one that starts it: environment, import path, working directory."""
    try:
        place = str(Path.cwd())
    except OSError:  # it was removed
        place = ""
    return dict(os.environ), list(sys.path), place


class ForkServer:
    """The driver's side: starts the server, and through it workers."""

    def __init__(self) -> None:
        self._terms = _terms()
        self._socket, theirs = socket.socketpair()
        self._serials = itertools.count(1)
        path = json.dumps([entry or str(Path.cwd()) for entry in sys.path])
        said = subprocess.DEVNULL if sys.__stderr__ is None else 2  # standard output is for the driver's own document
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _BOOT, path],
                    stdin=theirs.fileno(),
                    stdout=said,
                    stderr=said,
                    env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # NumPy would start threads that a fork loses
                    start_new_session=True,  # Ctrl-C is for the driver alone
                )
            except OSError as error:
                self._socket.close()
                raise ServerError(f"No process could be started for the workers: {error.strerror}.") from error

    @property
    def is_fit(self) -> bool:
        """Whether it lives, and was started under the conditions of now."""
        return self._process.poll() is None and self._terms == _terms()

    def fork(self, *files: int) -> int:
        """Starts a worker and returns its process id.

        Args:
            files: File descriptors for it, in the order in which `work` takes them.

        Raises:
            ServerError: When that is not possible.
        """
        pid = self._ask(0, files)
        if pid is None:
            raise ServerError("The process that workers are started from has ended; see what it wrote above.")
        if pid < 0:
            raise ServerError(f"No worker could be started: {os.strerror(-pid)}. Try fewer `--workers`.")
        return pid

    def end(self, pid: int) -> int | None:
        """Ends a worker if it still runs, and returns its exit code.

        Returns:
            The exit code; minus the signal that ended it; or None when the server has ended too.
        """
        return self._ask(pid, ())

    def close(self) -> None:
        """Ends the server; may be called twice."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, pid: int, files: tuple[int, ...]) -> int | None:
        serial = next(self._serials)
        try:
            socket.send_fds(self._socket, [_MESSAGE.pack(serial, pid)], files)
            while answer := self._socket.recv(_MESSAGE.size, socket.MSG_WAITALL):
                answered, value = _MESSAGE.unpack(answer)
                if answered == serial:  # not that of a request that Ctrl-C broke off
                    return int(value)
        except OSError:  # the server is gone
            pass
        return None


_waiting: list[ForkServer] = []
_waits = threading.Lock()
_timers: list[threading.Timer] = []
"""That of the waiting server, if it has one."""


def start_server() -> None:
    """Starts a server that waits for whoever comes first, so that it imports while the driver does other things."""
    with _waits:
        if not any(server.is_fit for server in _waiting):
            _waiting.append(ForkServer())


def take_server() -> ForkServer:
    """The waiting server, or a new one."""
    with _waits:
        while _waiting:
            server = _waiting.pop()
            _stop_timer()
            if server.is_fit:
                return server
            server.close()
    return ForkServer()


def give_back(server: ForkServer) -> None:
    """Has a server whose workers have ended wait for the next pool of this process, some minutes at most."""
    with _waits:
        if server.is_fit and not _waiting:
            _waiting.append(server)
            timer = threading.Timer(_IDLE_SECONDS, _end_if_waiting, [server])
            timer.daemon = True
            _timers.append(timer)
            timer.start()
            return
    server.close()


def _stop_timer() -> None:
    while _timers:
        _timers.pop().cancel()


def _end_if_waiting(server: ForkServer) -> None:
    with _waits:
        if server not in _waiting:
            return
        _waiting.remove(server)
    server.close()


@atexit.register
def end_waiting() -> None:
    """Ends a server that nobody has taken."""
    with _waits:
        _stop_timer()
        while _waiting:
            _waiting.pop().close()


def main() -> None:
    """The server, and in each fork of it a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()  # a worker that crashes in compiled code says where
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    from mlproj.engine.worker import work

    gc.collect()
    gc.freeze()  # so that no collection in a worker touches, and thereby copies, the pages it shares with the server
    files = _serve(control)
    if files:
        work(*files)


def _serve(control: socket.socket) -> list[int]:
    """Carries out requests until the driver is gone.

    Returns:
        In a worker: its file descriptors. In the server, at its end: nothing.
    """
    while True:
        request, files, _, _ = socket.recv_fds(control, _MESSAGE.size, 2)
        if len(request) < _MESSAGE.size:
            return []
        serial, pid = _MESSAGE.unpack(request)
        answer = _end(pid) if pid else _fork()
        if not pid and not answer:
            control.close()
            return files
        for file in files:
            os.close(file)
        with suppress(OSError):  # the driver is gone; the next request says so
            control.send(_MESSAGE.pack(serial, answer))


def _fork() -> int:
    try:
        return os.fork()
    except OSError as error:
        return -(error.errno or 1)


def _end(pid: int) -> int:
    os.kill(pid, signal.SIGKILL)  # no other process can have this id before it is waited for
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
