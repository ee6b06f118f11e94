"""Stores on disk: MLflow's tables take a second to make, so one database is made per session and copied."""

import shutil
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from mlproj.errors import TrackingError
from mlproj.track.backend import Backend
from mlproj.track.channel import AbstractChannel
from mlproj.track.client import MlflowTracker
from mlproj.track.layout import prepare
from mlproj.track.store import Store, sqlite_uri
from mlproj.track.tracker import AbstractTracker

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow
    import mlflow.pyfunc
    import mlflow.store.tracking.sqlalchemy_store


class ByApi(AbstractChannel):
    """The backend in this process, with everything done by MLflow: the same requests and answers without a child."""

    is_direct = False

    def __init__(self, store: Store, experiment: str) -> None:
        self.backend = Backend(store, experiment, store.root.parent / "scratch", is_direct=self.is_direct)

    def send(self, op: str, **arguments: Any) -> "Future[Any]":
        answer: Future[Any] = Future()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = self.backend.carry_out(op, arguments)
        if "error" in said:
            answer.set_exception(TrackingError(said["error"]))
        else:
            answer.set_result(said["result"])
        return answer

    def close(self, *, at_once: bool = False) -> None:
        del at_once  # nothing is ever waiting
        self.backend.close()


class ByTables(ByApi):
    """The same, with what can be done without MLflow done so, as the child does it."""

    is_direct = True


Connect = Callable[[Store, str], AbstractChannel]
Locate = Callable[[Path], Store]


def _locate(folder: Path) -> Store:
    root = folder / "mlruns"
    return Store(root, sqlite_uri(root / "mlflow.db"))


@pytest.fixture(scope="session")
def connect() -> Connect:
    """Connects a tracker with MLflow in this process."""
    return ByApi


@pytest.fixture(scope="session")
def connect_directly() -> Connect:
    """Connects it with the tables, and with MLflow for the rest."""
    return ByTables


@pytest.fixture(scope="session")
def locate() -> Locate:
    """The store of a project in a folder; nothing is created."""
    return _locate


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = _locate(tmp_path_factory.mktemp("template"))
    prepare(store)
    assert store.database is not None
    return store.database


@pytest.fixture
def new_store(template: Path) -> Callable[[Path], Store]:
    """Makes a store without runs in a folder."""

    def make(folder: Path) -> Store:
        store = _locate(folder)
        store.root.mkdir(parents=True)
        shutil.copy(template, store.root)
        return store

    return make


@pytest.fixture
def store(new_store: Callable[[Path], Store], tmp_path: Path) -> Store:
    return new_store(tmp_path / "project")


@pytest.fixture
def tracker(store: Store) -> Iterator[AbstractTracker]:
    with MlflowTracker(store, "cats", connect=ByTables) as opened:
        yield opened


@pytest.fixture
def client(store: Store) -> Iterator["mlflow.MlflowClient"]:
    """MLflow's own client on the same store: what everybody else sees."""
    opened = mlflow.MlflowClient(store.uri)
    yield opened
    opened._tracking_client.store.engine.dispose()
