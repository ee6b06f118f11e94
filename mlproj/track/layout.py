"""Preparing `mlruns/`: a database made in one piece, under a lock, and paths that follow a moved folder.

MLflow creates and migrates its tables step by step: processes that open a fresh database at once kill each other, and
one that is killed leaves half a database. It also stores absolute paths, so that artifacts of a moved folder are lost
(https://github.com/mlflow/mlflow/issues/3144).
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from mlproj.track import schema
from mlproj.track.schema import BUSY_SECONDS
from mlproj.track.store import Store

_LOCATIONS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow stores absolute paths."""


def prepare(store: Store) -> None:
    """Makes the store ready to be opened: creates its SQLite file, or corrects its paths after a move.

    Args:
        store: The store; a server or another database prepares itself.
    """
    database = store.database
    if database is None:
        return
    if not store.exists():
        database.parent.mkdir(parents=True, exist_ok=True)
        with _locked(database):
            if not store.exists():  # another process may have made it meanwhile
                _create(database, store.artifacts)
    elif store.is_default and find_moved(database, store.artifacts):
        with _locked(database):
            follow_move(database, store.artifacts)


def location_of(store: Store, experiment: str) -> str | None:
    """Where files of an experiment's runs go, as MLflow keeps it; None where a server decides for itself.

    Args:
        store: The store.
        experiment: Name of the experiment.
    """
    if store.is_server:
        return None
    name = experiment if experiment.strip(". ") else f"_{experiment}"
    return (store.artifacts / name).as_uri()


def find_moved(database: Path, artifacts: Path) -> list[str]:
    """The former places of a moved or copied folder's artifacts, as stored in its database.

    Only what once was an `mlruns/artifacts` counts: an experiment that keeps its files elsewhere stays as it is.

    Args:
        database: The SQLite file.
        artifacts: Where the artifacts lie now.
    """
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)) as connection:
            rows = connection.execute("SELECT artifact_location FROM experiments").fetchall()
    except sqlite3.Error:  # whoever opens it for its content says what is wrong with it
        return []
    stored = {str(location).rpartition("/")[0] for (location,) in rows if location}
    return sorted(there for there in stored - {artifacts.as_uri()} if there.endswith("/mlruns/artifacts"))


def follow_move(database: Path, artifacts: Path) -> None:
    """Rewrites the artifact paths in a database whose folder was moved or copied.

    Args:
        database: The SQLite file.
        artifacts: Where the artifacts lie now.
    """
    here = artifacts.as_uri()
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection, connection:
        for there in find_moved(database, artifacts):
            _rewrite(connection, there, here)


def _rewrite(connection: sqlite3.Connection, there: str, here: str) -> None:
    known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, column in _LOCATIONS:
        if table in known:
            statement = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"  # noqa: S608  names from the list above
            connection.execute(statement, (here, len(there) + 1, len(there) + 1, f"{there}/"))


def _create(database: Path, artifacts: Path) -> None:
    """Makes the tables in a file beside, which is then renamed: all or nothing."""
    draft = database.with_name(f".{database.name}.new")
    for leftover in database.parent.glob(f"{draft.name}*"):  # of a process that was killed here
        leftover.unlink()
    make = schema.create if schema.is_installed() else let_mlflow_create
    make(draft, artifacts)
    with closing(sqlite3.connect(draft)) as connection:
        # Half the time per write, and readers do not wait for the writer; kept in the file.
        connection.execute("PRAGMA journal_mode = WAL")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(database)


def let_mlflow_create(database: Path, artifacts: Path) -> None:
    """Imports MLflow and has it make its tables in a new file.

    Args:
        database: The file.
        artifacts: Where files of runs go by default.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    make: Callable[[str, str], Any] = SqlAlchemyStore
    with _careless():
        store = make(f"sqlite:///{database}", artifacts.as_uri())
        store.engine.dispose()


@contextmanager
def _careless() -> Iterator[None]:
    """Lets SQLite not wait for the disk after each of MLflow's 70 migrations; a draft that is lost is made again."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def hurry(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hurry)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hurry)


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    with database.with_name(f".{database.name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
