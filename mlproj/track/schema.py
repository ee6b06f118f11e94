"""What MLflow's SQLite tables look like: enough to make and to fill them without importing MLflow.

`schema.sql` is what the MLflow of one set of migrations makes. Whether the installed MLflow has these very migrations
is seen from the names of its files; one that has others makes its tables itself.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Final

SCRIPT: Final = Path(__file__).with_name("schema.sql")
REVISION: Final = "dc11669786a5"
"""What alembic calls the last migration."""
MIGRATIONS: Final = "c6ea40ad31f12a1a65662656227a46548ededa8181e7bfde6819a03d063c5e94"
"""Digest of the names of all migrations."""
BUSY_SECONDS: Final = 20.0
"""How long to wait for others that write, as MLflow does."""
_FOLDER: Final = "store/db_migrations/versions"
_CHANGING: Final = (
    "MLFLOW_ENABLE_WORKSPACES",
    "MLFLOW_WORKSPACE",
    "MLFLOW_ACTIVE_MODEL_ID",
    "_MLFLOW_ACTIVE_MODEL_ID",
    "MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH",
)
"""Variables under which MLflow writes other rows, or refuses others."""


def is_installed() -> bool:
    """Whether the installed MLflow makes the tables of `schema.sql`, and fills them as it does by default."""
    return digest(migrations()) == MIGRATIONS and not any(os.environ.get(name) for name in _CHANGING)


def is_known(database: Path) -> bool:
    """Whether a database was made by such an MLflow, and can be read at all.

    Args:
        database: The SQLite file.
    """
    try:
        return read_revision(database) == REVISION
    except sqlite3.Error:  # whoever opens it for its content says what is wrong with it
        return False


def read_revision(database: Path) -> str | None:
    """What alembic wrote into a database; None when there is no row.

    Args:
        database: The SQLite file.

    Raises:
        sqlite3.Error: When it has no such table, or is no database.
    """
    with closing(connect(database)) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def connect(database: Path) -> sqlite3.Connection:
    """Opens a database that is there, with the settings that MLflow gives its connections; transactions are explicit.

    Args:
        database: The SQLite file.

    Raises:
        sqlite3.Error: When it cannot be opened.
    """
    address = f"{database.as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def create(database: Path, artifacts: Path) -> None:
    """Makes MLflow's tables and its first experiment in a new file.

    Args:
        database: The file, which must not exist.
        artifacts: Where files of runs go by default.

    Raises:
        sqlite3.Error: When it cannot be written.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # a draft that is lost is made again
        connection.executescript(SCRIPT.read_text(encoding="utf-8"))
        now = time.time_ns() // 1_000_000
        connection.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, "
            "last_update_time, workspace) VALUES (0, 'Default', ?, 'active', ?, ?, 'default')",
            (f"{artifacts.as_uri()}/0", now, now),
        )


def migrations() -> list[str]:
    """Names of the migrations that the installed MLflow has, in order of the alphabet."""
    found = find_spec("mlflow")
    if found is None or found.origin is None:
        return []
    return sorted(path.name for path in Path(found.origin).parent.joinpath(_FOLDER).glob("*.py"))


def digest(names: Iterable[str]) -> str:
    """What tells one set of migrations from another.

    Args:
        names: Their names.
    """
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
