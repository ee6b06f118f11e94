"""Preparing `mlruns/`."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mlproj.track.channel import AbstractChannel
from mlproj.track.client import MlflowTracker
from mlproj.track.layout import find_moved, follow_move, prepare
from mlproj.track.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

Connect = Callable[[Store, str], AbstractChannel]
Locate = Callable[[Path], Store]


def test_the_database_is_made_in_one_piece_in_wal_mode_with_its_artifacts_beside_it(template: Path) -> None:
    with closing(sqlite3.connect(template)) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        location = connection.execute("SELECT artifact_location FROM experiments").fetchone()[0]
    assert mode == "wal"
    assert location == (template.parent / "artifacts/0").as_uri()
    assert sorted(path.name for path in template.parent.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


def test_leftovers_of_a_killed_first_start_are_swept_away(locate: Locate, tmp_path: Path) -> None:
    store = locate(tmp_path)
    store.root.mkdir()
    for name in (".mlflow.db.new", ".mlflow.db.new-journal", ".mlflow.db.new-wal"):
        (store.root / name).write_bytes(b"half a database")
    prepare(store)
    assert sorted(path.name for path in store.root.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


def test_a_moved_folder_keeps_its_files(store: Store, connect: Connect, locate: Locate, tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "a.txt").write_text("a")
    with MlflowTracker(store, "cats", connect=connect) as opened:
        run_id = opened.start(kind="train", name="first")
        opened.artifacts(run_id, tmp_path / "staging")
        opened.finish(run_id)
    shutil.move(tmp_path / "project", tmp_path / "new place 100%_")
    moved = locate(tmp_path / "new place 100%_")
    with MlflowTracker(moved, "cats", connect=connect, writes=False) as opened:
        assert opened.fetch(run_id, "a.txt").read_text() == "a"
    with MlflowTracker(moved, "cats", connect=connect) as opened:
        second = opened.start(kind="train")
        opened.artifacts(second, tmp_path / "staging")
        opened.finish(second)
        assert opened.fetch(second, "a.txt").is_relative_to(moved.root)


def test_mlflow_itself_finds_the_files_of_a_moved_folder(
    store: Store, connect: Connect, locate: Locate, tmp_path: Path
) -> None:
    import mlflow

    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "a.txt").write_text("a")
    with MlflowTracker(store, "cats", connect=connect) as opened:
        run_id = opened.start(kind="train")
        opened.artifacts(run_id, tmp_path / "staging")
        opened.finish(run_id)
    shutil.move(tmp_path / "project", tmp_path / "moved")
    moved = locate(tmp_path / "moved")
    prepare(moved)
    client = mlflow.MlflowClient(moved.uri)
    assert [entry.path for entry in client.list_artifacts(run_id)] == ["a.txt"]
    client._tracking_client.store.engine.dispose()


def test_an_experiment_that_keeps_its_files_elsewhere_stays(store: Store, client: "MlflowClient") -> None:
    elsewhere = client.create_experiment("elsewhere", artifact_location="s3://bucket/mlruns/x")
    assert store.database is not None
    follow_move(store.database, store.artifacts)
    assert client.get_experiment(elsewhere).artifact_location == "s3://bucket/mlruns/x"


def test_what_did_not_move_is_not_written_to(store: Store) -> None:
    assert store.database is not None
    assert len(find_moved(store.database, store.artifacts)) == 1, "the copied template"
    prepare(store)
    assert find_moved(store.database, store.artifacts) == []
