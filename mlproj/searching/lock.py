"""One driver per project: a lock that the kernel lets go of when its holder dies.

The lock belongs to the open file, not to the process: a child that is handed the descriptor holds it too. So a driver
that is killed is followed by none until the child that writes its records down has finished.
"""

import errno
import fcntl
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlproj.errors import InputError, MlprojError

LOCK = "search.lock"
PATIENCE = 30.0
_OWNER = re.compile(r"process (\d+) on (\S+) since (\S+ \S+)\n")
_CANNOT_LOCK = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True)
class DriverLock:
    """A lock that is held.

    Attributes:
        fd: The descriptor; a child process that inherits it holds the lock until it ends.
    """

    fd: int


@dataclass(frozen=True)
class _Owner:
    process: int
    host: str
    since: str

    @property
    def is_gone(self) -> bool:
        """Whether its process has ended; what runs on another machine cannot be known to have."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


@contextmanager
def driver_lock(folder: Path, *, patience: float = PATIENCE) -> Iterator[DriverLock]:
    """Keeps other searches out of a project; the folder is made where it is missing.

    Where nothing but the lock has come into the folder by the end, both are removed.

    Args:
        folder: Where the project keeps its store.
        patience: Seconds to wait for the records of a search that was killed.

    Raises:
        InputError: When another search is running in this project.
        MlprojError: When the folder cannot be written, or its file system knows no locks.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "mlruns"
        >>> with driver_lock(folder):
        ...     [path.name for path in folder.iterdir()]
        ['search.lock']
        >>> folder.exists()
        False
    """
    fd = _acquire(folder, time.monotonic() + patience)
    try:
        os.ftruncate(fd, 0)
        since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
        os.pwrite(fd, f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode(), 0)
        yield DriverLock(fd)
    finally:
        # no owner any more: who finds the lock held now, by a child of ours, waits
        os.ftruncate(fd, 0)
        if _is_current(fd, folder / LOCK):
            _leave(folder)
        os.close(fd)


def _acquire(folder: Path, until: float) -> int:
    """A descriptor of the lock file that holds the lock."""
    while True:
        try:
            fd = _open(folder)
        except OSError as error:
            is_race = isinstance(error, FileNotFoundError | FileExistsError) and not folder.is_file()
            if is_race and time.monotonic() < until:
                continue  # another driver, leaving, removed the folder between two of our steps
            raise MlprojError(f"{folder} cannot be written: {error.strerror}.") from error
        try:
            if _is_locked(fd):
                if _is_current(fd, folder / LOCK):
                    return fd
            else:
                _wait(fd, folder, until)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _open(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _is_locked(fd: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _CANNOT_LOCK:
            raise MlprojError(
                f"The file system of {LOCK} knows no locks ({error.strerror}); keep the project on a local disk."
            ) from error
        raise
    return True


def _is_current(fd: int, path: Path) -> bool:
    """Whether the file that was locked still is the one that others would open."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _wait(fd: int, folder: Path, until: float) -> None:
    """Waits a moment for an owner that has died; refuses at once while it lives."""
    found = _OWNER.fullmatch(os.pread(fd, 1000, 0).decode(errors="replace"))
    owner = _Owner(int(found[1]), found[2], found[3]) if found else None
    if owner is not None and not owner.is_gone:
        host = "" if owner.host == socket.gethostname() else f" on {owner.host}"
        who = "this very process" if owner.process == os.getpid() and not host else f"process {owner.process}{host}"
        raise InputError(
            f"Another search is running in this project ({who}, since {owner.since}); wait until it ends, or end it "
            "first."
        )
    if time.monotonic() > until:
        raise InputError(
            f"The records of a search that was cut off are still being written in {folder}; try again in a minute."
        )
    time.sleep(0.05)


def _leave(folder: Path) -> None:
    """Removes the lock file and its folder when nothing else has come into it."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
            folder.rmdir()
