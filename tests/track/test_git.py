"""The state of the code behind a run."""

import subprocess
from pathlib import Path

import pytest

from mlproj.track.git import LARGEST_FILE, GitState, capture_git


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "répo with space"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "project.yaml").write_text("name: cats\n")
    (folder / "data.csv").write_text("a,b\n" * 10)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


def test_a_clean_tree_has_a_commit_and_no_patch(repository: Path) -> None:
    state = capture_git(repository)
    assert state == GitState(git(repository, "rev-parse", "HEAD"), None)
    assert state.tags == {"mlflow.source.git.commit": state.commit}


def test_the_patch_restores_what_was_there(repository: Path, tmp_path: Path) -> None:
    (repository / "project.yaml").write_text("name: dogs\n")
    (repository / "new.py").write_text("secret = 1\n")
    patch = capture_git(repository).patch
    assert patch is not None
    assert "+name: dogs" in patch
    assert "# not tracked by git: new.py" in patch
    assert "secret" not in patch
    git(repository, "stash", "-q")
    (tmp_path / "dirty.patch").write_text(patch)
    git(repository, "apply", str(tmp_path / "dirty.patch"))
    assert (repository / "project.yaml").read_text() == "name: dogs\n"


def test_data_files_are_named_and_left_out(repository: Path) -> None:
    (repository / "data.csv").write_text("1,2\n" * LARGEST_FILE)
    (repository / "project.yaml").write_bytes(b"\0\1binary")
    patch = capture_git(repository).patch
    assert patch is not None
    assert len(patch) < 1000
    assert "# left out (large or binary): data.csv" in patch
    assert "# left out (large or binary): project.yaml" in patch


def test_a_deleted_large_file_is_left_out_too(repository: Path) -> None:
    (repository / "data.csv").write_text("1,2\n" * LARGEST_FILE)
    git(repository, "commit", "-qam", "two")
    (repository / "data.csv").unlink()
    patch = capture_git(repository).patch
    assert patch is not None
    assert len(patch) < 1000


def test_capturing_changes_nothing_in_the_repository(repository: Path) -> None:
    (repository / "new.py").write_text("x = 1\n")
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}
    capture_git(repository)
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_a_project_in_a_folder_of_the_repository_sees_changes_beside_it(repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / "project.yaml").write_text("name: dogs\n")
    patch = capture_git(repository / "sub").patch
    assert patch is not None
    assert "name: dogs" in patch


def test_without_repository_commit_or_git_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert capture_git(tmp_path) == GitState()
    git(tmp_path, "init", "-q")
    assert capture_git(tmp_path) == GitState()
    monkeypatch.setenv("PATH", "")
    assert capture_git(tmp_path) == GitState()
    assert capture_git(tmp_path / "missing") == GitState()
