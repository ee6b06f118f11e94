"""The tables that are made without MLflow are those that MLflow makes."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mlproj.track import schema
from mlproj.track.api import Api
from mlproj.track.backend import Backend
from mlproj.track.direct import can_serve
from mlproj.track.layout import let_mlflow_create, prepare
from mlproj.track.store import Store

HINT = "MLflow has other migrations: run `python tests/track/write_schema.py`, put what it prints into schema.py"


def content(database: Path, place: Path) -> dict[str, Any]:
    """All that stands in a database, but for its place and for when it was made."""
    with closing(sqlite3.connect(database)) as connection:
        made = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
        found: dict[str, Any] = {name: (kind, table, _clauses(sql or "")) for kind, name, table, sql in made}
        for table in [name for kind, name, _, _ in made if kind == "table"]:
            found[f"columns of {table}"] = connection.execute(f"PRAGMA table_info('{table}')").fetchall()
            rows = connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            found[f"rows of {table}"] = [
                tuple(str(cell).replace(place.as_uri(), "") for cell in row if not _is_time(cell)) for row in rows
            ]
        for pragma in ("page_size", "encoding", "auto_vacuum", "user_version", "application_id"):
            found[pragma] = connection.execute(f"PRAGMA {pragma}").fetchone()
    return found


def _clauses(sql: str) -> list[str]:
    """The lines of a statement in order of the alphabet: alembic keeps constraints in a set."""
    return sorted(line.strip(" ,\t") for line in sql.splitlines())


def _is_time(cell: object) -> bool:
    return isinstance(cell, int) and cell > 1_700_000_000_000


def test_the_installed_mlflow_is_the_one_whose_tables_are_known() -> None:
    assert schema.digest(schema.migrations()) == schema.MIGRATIONS, HINT
    assert schema.is_installed()


def test_tables_and_first_rows_are_those_that_mlflow_makes(tmp_path: Path) -> None:
    for name, make in (("ours", schema.create), ("theirs", let_mlflow_create)):
        (tmp_path / name).mkdir()
        make(tmp_path / name / "mlflow.db", tmp_path / name / "artifacts")
    ours, theirs = (content(tmp_path / name / "mlflow.db", tmp_path / name) for name in ("ours", "theirs"))
    assert len(ours) > 200
    assert ours == theirs, HINT
    assert schema.read_revision(tmp_path / "theirs" / "mlflow.db") == schema.REVISION


def test_an_mlflow_with_other_migrations_makes_its_tables_itself(
    locate: Callable[[Path], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", "another")
    monkeypatch.setattr(schema, "SCRIPT", Path("/nowhere"))
    store = locate(tmp_path)
    assert not can_serve(store)
    prepare(store)
    assert store.database is not None
    assert schema.is_known(store.database)


def test_another_revision_another_database_and_settings_that_change_rows_are_mlflows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert can_serve(store)
    assert not can_serve(Store(store.root, "http://127.0.0.1:5000", is_default=False))
    assert not can_serve(Store(store.root, "postgresql://host/db", is_default=False))
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_ACTIVE_MODEL_ID", "m-1")
        assert not can_serve(store)
    assert store.database is not None
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    assert not can_serve(store)
    store.database.write_bytes(b"no database at all" * 100)
    assert not can_serve(store)


def test_what_mlflow_says_about_another_revision_is_what_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.database is not None
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    backend = Backend(store, "cats", store.root.parent / "scratch")
    own: dict[str, Any] = {"run_id": "a" * 32, "earlier": None, "name": "first", "params": {}, "tags": {}, "at": 1}
    assert "mlflow db upgrade" in backend.carry_out("start", own)["error"]
    monkeypatch.setattr(Api, "carry_out", lambda *_: "MLflow")
    assert backend.carry_out("start", own) == {"result": "MLflow"}


def test_the_child_that_needs_no_mlflow_imports_little() -> None:
    heavy = "{'mlflow', 'sqlalchemy', 'numpy', 'pandas', 'torch', 'pydantic', 'yaml', 'mlproj.spec'}"
    program = f"import sys, mlproj.track.server; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
