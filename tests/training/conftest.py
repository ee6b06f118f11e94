"""Small projects whose data lie in a CSV made on the spot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data import Dataset, load_dataset
from mlproj.spec.data import Splits
from mlproj.spec.project import Origin, Project

MakeProject = Callable[..., tuple[Project, Dataset]]
HALF = {"dev": 0.4, "test": 0.1}


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """A function (frame, **sections of project.yaml) -> (project, dataset); the label is the column `y`."""

    def make(frame: pd.DataFrame, **sections: Any) -> tuple[Project, Dataset]:
        frame.to_csv(tmp_path / "data.csv", index=False)
        sections.setdefault("splits", HALF)
        data = {"source": "data.csv", "label": "y"} | sections.pop("data", {})
        project = Project.model_validate({"name": "small", "data": data} | sections)
        project = project.located(Origin(tmp_path / "project.yaml"))
        return project, load_dataset(project)

    return make


@pytest.fixture
def blobs() -> pd.DataFrame:
    """Three classes, slightly overlapping."""
    return make_blobs(3)


@pytest.fixture
def pairs() -> pd.DataFrame:
    """A yes/no label, one in four yes, slightly overlapping."""
    frame = make_blobs(4)
    return frame.assign(y=np.where(frame.y == "a", "yes", "no"))


@pytest.fixture
def line() -> pd.DataFrame:
    """A quantity that is linear in three features, plus noise."""
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(120, 3))
    return pd.DataFrame(x, columns=["u", "v", "w"]).assign(
        y=50 + x @ [10.0, -5.0, 2.0] + numbers.normal(0, 1, size=120)
    )


def make_blobs(n_classes: int, n: int = 160) -> pd.DataFrame:
    """Points around the corners of a square, named a, b, c, d."""
    numbers = np.random.default_rng(1)
    code = np.arange(n) % n_classes
    corners = np.array([[0, 0], [2, 0], [0, 2], [2, 2]])
    points = corners[code] + numbers.normal(0, 0.7, size=(n, 2))
    return pd.DataFrame(points, columns=["left", "right"]).assign(y=np.array(list("abcd"))[code])


def no_splits() -> dict[str, Any]:
    """Everything is training data."""
    return Splits(dev=0, test=0).model_dump()
