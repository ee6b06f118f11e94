"""A small data set, and jobs on it that take milliseconds."""

from collections.abc import Callable
from typing import Any

import pytest

from mlproj.data import Dataset, load_dataset
from mlproj.records import Job
from mlproj.spec.project import Project

MakeJob = Callable[..., Job]
PROJECT = Project.model_validate({"name": "iris", "data": {"source": "sklearn:iris"}})


@pytest.fixture(scope="package")
def dataset() -> Dataset:
    return load_dataset(PROJECT)


@pytest.fixture
def make_job() -> MakeJob:
    """A function (seed, *, rows, budget, **sections of project.yaml) -> a job."""

    def make(seed: int = 0, *, rows: Any = None, budget: float | None = None, **sections: Any) -> Job:
        sections.setdefault("training", {"epochs": 3})
        project = Project.model_validate({"name": "iris", "data": {"source": "sklearn:iris"}} | sections)
        return Job(project, seed, rows, budget)

    return make
