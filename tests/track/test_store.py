"""Where runs are kept."""

from pathlib import Path

import pytest

from mlproj.errors import InvalidInput
from mlproj.spec.data import Data
from mlproj.spec.project import Origin, Project
from mlproj.track.store import file_path, sqlite_file, store_for


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(name="cats", data=Data(source="app.csv", label="y")).located(Origin(tmp_path / "project.yaml"))


def test_runs_go_beside_project_yaml_and_asking_creates_nothing(project: Project, tmp_path: Path) -> None:
    store = store_for(project)
    assert store.uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert store.is_default
    assert not store.exists()
    assert not store.root.exists()
    assert (store.artifacts, store.splits) == (tmp_path / "mlruns/artifacts", tmp_path / "mlruns/splits")
    assert store.label == "mlruns/"


def test_a_relative_project_gets_an_absolute_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = Project(name="cats", data=Data(source="app.csv")).located(Origin(Path("project.yaml")))
    assert store_for(project).root == tmp_path / "mlruns"


def test_the_users_server_is_honoured_and_named_without_its_password(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@runs.example:8443/x")
    store = store_for(project)
    assert store.uri == "https://me:secret@runs.example:8443/x"
    assert store.is_server
    assert not store.is_default
    assert store.label == "https://runs.example:8443/x (MLFLOW_TRACKING_URI)"
    assert store.splits == tmp_path / "mlruns/splits", "the deal stays beside project.yaml"


def test_a_folder_that_no_database_address_can_name_is_refused(tmp_path: Path) -> None:
    project = Project(name="cats", data=Data(source="app.csv")).located(Origin(tmp_path / "what?" / "project.yaml"))
    with pytest.raises(InvalidInput, match="Rename the folder"):
        store_for(project)


def test_an_empty_variable_counts_as_unset(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "  ")
    assert store_for(project).is_default


def test_a_relative_database_is_taken_from_where_the_user_stands(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///runs.db")
    assert store_for(project).database == tmp_path / "elsewhere/runs.db"


def test_the_default_named_by_the_variable_is_still_the_default(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    assert store_for(project).is_default


@pytest.mark.parametrize("uri", ["./mlruns", "file:///data/mlruns", "/data/mlruns"])
def test_a_folder_is_refused_with_what_to_do(project: Project, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(InvalidInput, match=r"MLFLOW_TRACKING_URI: '.*' is a folder(.|\n)*Unset MLFLOW_TRACKING_URI"):
        store_for(project)


def test_a_postgres_database_is_neither_file_nor_server(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg://me:pw@db/runs")
    store = store_for(project)
    assert store.database is None
    assert not store.is_server
    assert store.exists()
    assert "pw" not in store.label


def test_paths_with_spaces_and_percent_signs_survive(tmp_path: Path) -> None:
    odd = tmp_path / "my 100%25 cats #1 é"
    assert file_path(odd.as_uri()) == odd
    assert sqlite_file(f"sqlite:///{odd}/mlflow.db") == odd / "mlflow.db"
    assert file_path("s3://bucket/x") is None
