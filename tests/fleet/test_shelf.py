"""Trainings under way are kept, so that a crash costs seconds of work and changes no number."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fulldisk import full_disk

import mlproj
from mlproj.data import Dataset, load_dataset
from mlproj.fleet import Shelf, train_crew
from mlproj.records import Fit, Job
from mlproj.spec.project import Project

IRIS = {"name": "iris", "data": {"source": "sklearn:iris"}}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset(Project.model_validate(IRIS))


@pytest.fixture
def shelf(tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setenv("MLPROJ_SNAPSHOT_SECONDS", "0")
    return Shelf(tmp_path / "kept", dataset.data_hash)


def jobs_of(n: int = 4, **model: Any) -> dict[int, Job]:
    training = {"epochs": 8, "batch_size": 16, "early_stopping": None}
    made = Project.model_validate(IRIS | {"training": training, "model": {"kind": "mlp", "width": 8, **model}})
    rates = [0.001 * (at + 1) for at in range(n)]
    changed = [made.changed(training=made.training.model_copy(update={"learning_rate": rate})) for rate in rates]
    return {10 + at: Job(project, at) for at, project in enumerate(changed)}


class Crash(Exception):
    """What ends a crew in the middle."""


def run(
    jobs: Mapping[int, Job], dataset: Dataset, shelf: Shelf | None, crash: int | None = None
) -> tuple[Any, list[int]]:
    """Results by position, and the epochs that were trained rather than gone on from."""
    trained: list[int] = []
    before = {position: shelf.epochs(jobs).get(position, 0) if shelf else 0 for position in jobs}

    def hear(epoch: int, _epochs: int, values: Mapping[int, Mapping[str, float]]) -> dict[int, Any]:
        trained.extend(epoch for position in values if epoch > before[position])
        if epoch == crash:
            raise Crash
        return {}

    try:
        return dict(train_crew(jobs, dataset, on_epoch=hear, shelf=shelf)), trained
    except Crash:
        return None, trained


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_crew_that_was_cut_off_goes_on_where_it_was(dataset: Dataset, shelf: Shelf, dropout: float) -> None:
    jobs = jobs_of(dropout=dropout)
    whole, _ = run(jobs, dataset, None)
    run(jobs, dataset, shelf, crash=6)
    assert set(shelf.epochs(jobs).values()) == {5}
    again, trained = run(jobs, dataset, shelf)
    assert len(trained) == 3 * len(jobs)
    for position, fitted in again.items():
        assert fitted.history == whole[position].history
        assert all(np.array_equal(fitted.weights[name], array) for name, array in whole[position].weights.items())


def test_those_that_were_not_under_way_begin_beside_them(dataset: Dataset, shelf: Shelf) -> None:
    jobs = jobs_of()
    run({position: job for position, job in jobs.items() if position < 12}, dataset, shelf, crash=4)
    again, trained = run(jobs, dataset, shelf)
    assert len(again) == 4
    assert len(trained) == 2 * 5 + 2 * 8


def test_a_training_alone_goes_on_too(dataset: Dataset, shelf: Shelf) -> None:
    jobs = jobs_of(1)
    run(jobs, dataset, shelf, crash=5)
    ((_, fitted),) = run(jobs, dataset, shelf)[0].items()
    assert isinstance(fitted, Fit)
    assert fitted.history == run(jobs, dataset, None)[0][10].history


def test_other_data_another_seed_or_another_spec_have_snapshots_of_their_own(dataset: Dataset, shelf: Shelf) -> None:
    (job, other), seeded = jobs_of(2).values(), Job(jobs_of(1)[10].project, 9)
    files = {shelf.file(each) for each in (job, other, seeded, Job(job.project, 0, np.arange(9)))}
    files.add(Shelf(shelf.folder, "other data").file(job))
    assert len(files) == 5


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "figure", "weight"])
def test_a_damaged_snapshot_costs_time_but_no_result(dataset: Dataset, shelf: Shelf, damage: str) -> None:
    jobs = jobs_of(2)
    whole, _ = run(jobs, dataset, None)
    run(jobs, dataset, shelf, crash=6)
    for job in jobs.values():
        content = shelf.file(job).read_bytes()
        ways = {"cut": content[:-100], "garbage": b"x" * len(content), "empty": b"", "weight": content[:-1] + b"x"}
        ways["figure"] = content.replace(b'"updates', b'"uploads')
        shelf.file(job).write_bytes(ways[damage])
    again, trained = run(jobs, dataset, shelf)
    assert {position: fitted.history for position, fitted in again.items()} == {
        position: fitted.history for position, fitted in whole.items()
    }
    assert len(trained) == 16


def test_a_full_disk_costs_the_snapshots_but_no_result(dataset: Dataset, shelf: Shelf) -> None:
    jobs = jobs_of(2)
    with full_disk():
        found, trained = run(jobs, dataset, shelf)
    assert len(trained) == 16  # and none was tried again
    assert {position: fitted.history for position, fitted in found.items()} == {
        position: fitted.history for position, fitted in run(jobs, dataset, None)[0].items()
    }
    assert list(shelf.folder.iterdir()) == []


def test_snapshots_are_taken_every_thirty_seconds_unless_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLPROJ_SNAPSHOT_SECONDS", raising=False)
    assert Shelf(tmp_path, "").seconds == 30
    monkeypatch.setenv("MLPROJ_SNAPSHOT_SECONDS", "often")
    assert Shelf(tmp_path, "").seconds == 30


def test_an_edited_module_of_ones_own_has_snapshots_of_its_own(tmp_path: Path, shelf: Shelf) -> None:
    model, loss = {"kind": "python", "factory": "parts.nets:Net"}, "python:losses:focal"
    (tmp_path / "project.yaml").write_text(
        f'name: own\ndata: {{source: "sklearn:iris"}}\nmodel: {model}\ntraining: {{loss: "{loss}"}}\n'
    )
    (tmp_path / "parts").mkdir()
    job = Job(mlproj.load_project(tmp_path), 0)
    files = [shelf.file(job)]
    for written in ("parts/nets.py", "losses.py", "parts/layers.py", "helpers.py"):
        for text in ("first", "second"):
            (tmp_path / written).write_text(text)
            files.append(shelf.file(job))
    assert len(set(files)) == 9
    assert shelf.file(job) == files[-1]
    (tmp_path / "helpers.py").rename(tmp_path / "aides.py")
    assert shelf.file(job) != files[-1]


def test_another_version_has_snapshots_of_its_own(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    job = jobs_of(1)[10]
    before = shelf.file(job)
    monkeypatch.setattr("mlproj.fleet.shelf.__version__", "another")
    assert shelf.file(job) != before


def test_a_snapshot_of_another_architecture_is_not_used(dataset: Dataset, shelf: Shelf) -> None:
    (narrow,), (deep,) = jobs_of(1).values(), jobs_of(1, layers=3).values()
    run({0: narrow}, dataset, shelf, crash=6)
    shelf.file(narrow).rename(shelf.file(deep))
    again, _ = run({0: deep}, dataset, shelf)
    assert again[0].history == run({0: deep}, dataset, None)[0][0].history


def test_snapshots_go_with_their_jobs_or_after_a_month(dataset: Dataset, shelf: Shelf) -> None:
    jobs = jobs_of(3)
    run(jobs, dataset, shelf, crash=6)
    (shelf.folder / ".half.safetensors.1.partial").touch()
    shelf.drop(jobs[10])
    assert list(shelf.epochs(jobs)) == [11, 12]
    assert shelf.all_epochs() == [5, 5]
    for file in [shelf.file(jobs[11]), shelf.folder / ".half.safetensors.1.partial"]:
        os.utime(file, (0, time.time() - 31 * 86_400))
    shelf.clear_old()
    assert list(shelf.folder.iterdir()) == [shelf.file(jobs[12])]
