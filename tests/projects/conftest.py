"""The worked projects, each copied to a folder of its own with its data generated."""

import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECTS = Path(__file__).resolve().parents[2] / "projects"
Prepare = Callable[[str], Path]


def generator(name: str) -> dict[str, Any]:
    """The names that a project's make_data.py defines."""
    return runpy.run_path(str(PROJECTS / name / "make_data.py"))


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Copies a project and generates its data where it has a generator; returns the folder."""

    def copy(name: str) -> Path:
        home = tmp_path / name
        home.mkdir()
        shutil.copy(PROJECTS / name / "project.yaml", home)
        if (PROJECTS / name / "make_data.py").exists():
            generator(name)["generate"](home)
        return home

    return copy
