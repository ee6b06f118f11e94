"""Where Optuna keeps the studies: a journal file that outlives a crash at any byte, or a database."""

import errno
import json
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from mlproj.errors import MlprojError

STALE = 2.0
"""Seconds after which a lock on the journal is that of a killed process; one in use lasts milliseconds."""
_OURS = "/./"
"""Makes the path that our lock points to differ from other clients', though it leads to the same file."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def open_storage(journal: Path, url: str | None = None, *, say: Callable[[str], None] | None = None) -> BaseStorage:
    """Opens the store of the studies and creates it where it is missing; a torn journal is repaired first.

    Only the holder of the `driver_lock` may open it.

    Args:
        journal: File of the studies when there is no URL.
        url: Database to use in place of the journal.
        say: Told in one line what was repaired.

    Returns:
        A storage for `optuna.load_study` and `optuna.create_study`.

    Raises:
        InvalidInput: When the URL leads to no database that could be used.
        MlprojError: When the journal is damaged, or cannot be read or written.
    """
    if url is not None:
        from mlproj.searching.database import open_database

        return open_database(url)
    # absolute: a lock is a link to the journal's path, and Optuna spins for ever on a link that leads nowhere
    journal = journal.absolute()
    with explained():
        journal.parent.mkdir(parents=True, exist_ok=True)
        _break_stale_lock(Path(f"{journal}.lock"))
        cut = repair(journal)
        if cut and say is not None:
            say(f"The last record of {journal.name} was torn when its writer died; its {cut} bytes were removed.")
        _check(journal)
        return JournalStorage(_Journal(journal))


def repair(journal: Path) -> int:
    """Cuts what follows the last whole line of a journal, under Optuna's own lock.

    Optuna would glue its next record to a torn one, and lose both.

    Returns:
        Bytes cut; 0 for a whole or a missing journal.
    """
    if not journal.exists():
        return 0
    with _locked(journal), journal.open("r+b") as file:
        return _cut(file.fileno())


@contextmanager
def explained() -> Iterator[None]:
    """Turns what Optuna's storages raise into errors that say what to do, and keeps its log lines to itself.

    Raises:
        MlprojError: When the store could not be read or written.
    """
    verbosity = optuna.logging.get_verbosity()
    is_loud = verbosity < optuna.logging.ERROR
    if is_loud:  # setting it empties the cache of every logger, which shows where thousands of calls are nested
        optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise MlprojError(
                "The disk is full: the search could not write down how far it is. Make room, then go on with "
                "`mlproj search --resume`; what was finished is kept."
            ) from error
        raise MlprojError(f"The studies of the search cannot be read or written: {error}.") from error
    except StorageInternalError as error:
        reason = str(getattr(error.__cause__, "orig", None) or error.__cause__ or error).strip().splitlines()[0]
        raise MlprojError(
            f"The database of `search.storage` failed: {reason}. When it answers again, go on with "
            "`mlproj search --resume`; what was finished is kept."
        ) from error
    finally:
        if is_loud:
            optuna.logging.set_verbosity(verbosity)


@contextmanager
def together(storage: BaseStorage) -> Iterator[None]:
    """Lets what a block writes reach the disk together at its end: all of a journal's records, with one wait for it.

    Args:
        storage: A journal; any other is left as it is.
    """
    backend = getattr(storage, "_backend", None)
    if not isinstance(backend, _Journal):
        yield
        return
    with backend.together():
        yield


class _Journal(JournalFileBackend):
    """Optuna's journal file, but a record that could not be written whole leaves no part of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._held: list[dict[str, Any]] | None = None
        self._n_written: int | None = None
        self._broken: OSError | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Holds records back until the end of a block; nobody else writes meanwhile."""
        with _locked(self._path):
            self._held, self._n_written = [], None
            try:
                yield
            finally:
                held, self._held = self._held, None
                if held:
                    self._append(held)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Adds records, each one line."""
        if self._held is not None:
            self._held += json.loads(json.dumps(logs))  # as they will be read
            return
        with _locked(self._path):
            self._append(logs)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Records from a number on, those that are held back among them."""
        if self._held is None:
            yield from super().read_logs(log_number_from)
            return
        if self._n_written is None:
            written = list(super().read_logs(log_number_from))
            self._n_written = log_number_from + len(written)
            yield from written
        yield from self._held[max(0, log_number_from - self._n_written) :]

    def _append(self, logs: list[dict[str, Any]]) -> None:
        """Adds records under the lock; after one failure nothing more, for Optuna already counts on what was held."""
        if self._broken is not None:
            raise self._broken
        rest = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        try:
            _cut(fd)
            whole = os.fstat(fd).st_size
            try:
                while rest:
                    rest = rest[os.write(fd, rest) :]
                os.fsync(fd)
            except BaseException as error:
                if len(logs) > 1 and isinstance(error, OSError):
                    self._broken = error
                os.ftruncate(fd, whole)
                raise
        finally:
            os.close(fd)


def _cut(fd: int) -> int:
    """Removes what follows the last line of a file that ends; returns how many bytes that were."""
    size = whole = os.fstat(fd).st_size
    while whole and os.pread(fd, 1, whole - 1) != b"\n":
        whole -= 1
    if whole < size:
        os.ftruncate(fd, whole)
        os.fsync(fd)
    return size - whole


@contextmanager
def _locked(journal: Path) -> Iterator[None]:
    """Holds the lock that every client of Optuna takes by default before it writes to a journal."""
    lock = JournalFileSymlinkLock(f"{journal.parent}{_OURS}{journal.name}")
    lock.acquire()
    try:
        yield
    finally:
        # gone when it was held for so long that somebody broke it
        with suppress(RuntimeError):
            lock.release()


def _break_stale_lock(lock: Path) -> None:
    """Removes the lock of a process that was killed: a driver's at once, another's when it stays the same.

    There is no other driver, and other clients hold it for milliseconds. In a folder that was moved it leads nowhere.
    """
    first, until = _identity(lock), time.monotonic() + STALE
    while first is not None and _identity(lock) == first:
        if _OURS in first[0] or time.monotonic() > until:
            lock.unlink(missing_ok=True)
            return
        time.sleep(0.01)


def _identity(link: Path) -> tuple[str, int] | None:
    """Where a lock points to and when it was taken; None when there is none."""
    try:
        return os.readlink(link), link.lstat().st_mtime_ns  # noqa: PTH115 - pathlib would tidy our mark away
    except OSError:
        return None


def _check(journal: Path) -> None:
    """Refuses a journal with a line that is no record; Optuna reads past one at the end and fails at the next write."""
    for number, line in enumerate(journal.read_bytes().splitlines() if journal.exists() else (), start=1):
        try:
            json.loads(line)["op_code"]
        except (ValueError, KeyError, TypeError) as error:
            raise MlprojError(
                f"{journal} is damaged: line {number} is no record. Delete that line, or move the file away to begin "
                "anew; the runs are not affected."
            ) from error
