"""Writes `mlproj/track/schema.sql` anew: the tables as the installed MLflow makes them, and what tells them apart.

python tests/track/write_schema.py
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from mlproj.track import schema
from mlproj.track.layout import let_mlflow_create

HEADER = """\
-- The tables of an MLflow store in SQLite, as MLflow {version} makes them in {count} migrations (Apache License 2.0).
-- Written by tests/track/write_schema.py; tests/track/test_schema.py compares them with those that MLflow makes.
"""


def dump(database: Path) -> Iterator[str]:
    """The statements that make the tables and what MLflow keeps in them from the start."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DELETE FROM experiments")  # the one that there is at first depends on place and time
        yield from connection.iterdump()


def main() -> None:
    """Writes the file and prints the constants for `schema.py`."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "mlflow.db"
        let_mlflow_create(database, Path(folder) / "artifacts")
        statements = list(dump(database))
        revision = schema.read_revision(database)
    names = schema.migrations()
    head = HEADER.format(version=version("mlflow"), count=len(names))
    schema.SCRIPT.write_text(head + "\n".join(statements) + "\n", encoding="utf-8")
    print(f'REVISION: Final = "{revision}"\nMIGRATIONS: Final = "{schema.digest(names)}"')  # noqa: T201  it is a program


if __name__ == "__main__":
    main()
