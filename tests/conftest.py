"""What every test stands on: a clean environment, one thread, and seeds that are handed in."""

import os
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mlproj.workflow.train import Trained

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's machine reaches a test; files go to a new folder."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_NAME", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)


def _seeds() -> list[int]:
    text = os.environ.get("MLPROJ_SEEDS", "42")
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


@pytest.fixture(params=_seeds())
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of a random test: 42, or each of ``MLPROJ_SEEDS=0-99``."""
    return int(request.param)


@pytest.fixture
def make_flowers(tmp_path: Path) -> Callable[..., Path]:
    """Writes the flower project into a new folder, with a spec of its own where one is given."""
    from flower_project import SPEC, write_flowers

    def make(spec: str = SPEC) -> Path:
        return write_flowers(tmp_path / "flowers", spec)

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> "Trained":
    """A flower project that was trained once; tests read it and add runs, but change nothing."""
    from flower_project import write_flowers

    import mlproj

    return mlproj.train(write_flowers(tmp_path_factory.mktemp("shared") / "flowers"), name="first")


@pytest.fixture
def copy_of_trained(trained: "Trained", tmp_path: Path) -> Path:
    """A copy of the trained project with its runs, which a test may change."""
    return copytree(trained.project.root, tmp_path / "copy")


@pytest.fixture
def home(trained: "Trained") -> Path:
    """Folder of the trained project."""
    return trained.project.root
