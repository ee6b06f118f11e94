"""`vary`: a project with the values of one trial, under the rules of `--set`."""

import time
from pathlib import Path
from typing import Any

import pytest

from mlproj.errors import InvalidInput
from mlproj.spec.load import load_project, make_project
from mlproj.spec.model import MLP, Linear
from mlproj.spec.project import Project
from mlproj.spec.training import Constant, Cosine, EarlyStopping, InverseTime
from mlproj.spec.vary import vary

BASE: dict[str, Any] = {"name": "cats", "data": {"source": "app.csv", "label": "y", "positive": 2.0}}


def make(**more: Any) -> Project:
    return make_project(BASE | more)


def reach(project: Project, path: str) -> Any:
    found: Any = project
    for key in path.split("."):
        found = getattr(found, key)
    return found


@pytest.mark.parametrize(
    ("values", "path", "value"),
    [
        ({"training.learning_rate": 1e-5}, "training.learning_rate", 1e-5),
        ({"model.width": 32, "model.layers": 3}, "model", MLP(layers=3, width=32)),
        ({"model.hidden": [64, 32]}, "model", MLP(hidden=(64, 32))),
        ({"model.kind": "linear"}, "model", Linear()),
        ({"training.schedule.kind": "cosine", "training.schedule.warmup": 0.1}, "training.schedule.warmup", 0.1),
        ({"training.schedule.decay": 0.5, "training.schedule.kind": "inverse_time"}, "training.schedule.decay", 0.5),
        ({"training.schedule": {"kind": "cosine"}}, "training.schedule", Cosine(kind="cosine")),
        ({"training.schedule": {}}, "training.schedule", Constant()),
        ({"training.early_stopping": None}, "training.early_stopping", None),
        ({"training.early_stopping.patience": 3}, "training.early_stopping", EarlyStopping(patience=3)),
        ({"training.class_weight.yes": 3.0}, "training.class_weight", {"yes": 3.0}),
        ({"training.batch_size": "full"}, "training.batch_size", "full"),
        ({"seed": 3}, "seed", 3),
        ({}, "model", MLP()),
    ],
)
def test_values_are_set_as_on_the_command_line(values: dict[str, Any], path: str, value: object) -> None:
    assert reach(vary(make(), values), path) == value


def test_either_or_keys_and_keys_of_another_kind_are_dropped() -> None:
    project = make(model={"hidden": [8, 4]}, training={"schedule": {"kind": "inverse_time", "decay": 0.1}})
    assert vary(project, {"model.layers": 3}).model == MLP(layers=3)
    assert vary(project, {"model.hidden.1": 16}).model == MLP(hidden=(8, 16))
    assert vary(project, {"training.schedule.kind": "cosine"}).training.schedule == Cosine(kind="cosine")
    assert vary(project, {"training.schedule.decay": 2}).training.schedule == InverseTime(kind="inverse_time", decay=2)


def test_it_equals_what_set_does() -> None:
    values = {"training.learning_rate": 0.1, "model.width": 8, "training.l2": 2, "training.optimizer": "sgd"}
    overrides = [f"{path}={value}" for path, value in values.items()]
    assert vary(make(), values) == load_project(base=BASE, overrides=overrides)


def test_all_else_stays_as_it_was() -> None:
    project = make(search={"trials": 3, "space": {"training.l2": {"log": [1e-6, 1]}}}, metric={"threshold": 0.25})
    varied = vary(project, {"training.l2": 0.1})
    assert varied.changed(training=project.training) == project
    assert varied.data == project.data  # a copy: each project owns the data that it can be asked for
    assert varied.splits is project.splits
    assert varied.search is project.search
    assert project.training.l2 == 0
    assert vary(varied, {"training.l2": 0.0}) == project


def test_the_values_stay_as_they_were() -> None:
    kind = {"kind": "cosin"}
    with pytest.raises(InvalidInput, match=r"search.space.training.schedule: `training.schedule.kind` 'cosin'"):
        vary(make(), {"training.schedule": kind})
    assert kind == {"kind": "cosin"}


def test_what_cannot_be_is_blamed_on_the_space_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(
        "name: cats\ndata: {source: app.csv, label: y}\nsearch:\n  space:\n"
        "    training.l2: {log: [1e-4, 1]}\n    model.dropout: {uniform: [0, 0.5]}\n"
    )
    project = load_project(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        vary(project, {"training.l2": -1, "model.dropout": 1.5, "model.hidden": [4], "model.width": 3})
    assert [(wrong.file, wrong.line, wrong.where) for wrong in caught.value.problems][:2] == [
        ("project.yaml", 6, "search.space.model.dropout"),
        ("project.yaml", 5, "search.space.training.l2"),
    ]
    assert "model` give either `hidden` or `layers` and `width`, not both" in str(caught.value)
    with pytest.raises(InvalidInput, match=r"search.space.training.lr: is no known key"):
        vary(project, {"training.lr": 0.1})


def test_file_and_lines_stay_known(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text("name: cats\ndata: {source: app.csv, label: y}\nmodel: {width: 4}\n")
    project = load_project(tmp_path, overrides=["training.l2=0.5"])
    varied = vary(project, {"model.width": 8, "training.l2": 0.1})
    assert varied.root == tmp_path
    assert varied.problem("model.width", "odd").line == 3
    assert varied.problem("training.l2", "odd").file == "--set"


def test_what_is_wrong_elsewhere_is_blamed_there() -> None:
    project = make(metric={"optimize": "f1"}, data={"source": "app.csv", "label": "y"}).changed(task="regression")
    with pytest.raises(InvalidInput) as caught:
        vary(project, {"training.l2": -1})
    assert [wrong.where for wrong in caught.value.problems] == ["search.space.training.l2", "metric.optimize"]


def test_a_thousand_trials_cost_less_than_two_seconds() -> None:
    project = make(search={"space": {"training.l2": {"log": [1e-6, 1]}}})
    start = time.process_time()
    for i in range(100):
        vary(project, {"training.learning_rate": 0.1, "model.width": 8 + i, "training.schedule": {"kind": "cosine"}})
    assert time.process_time() - start < 0.2 * 5  # with room for a loaded machine and for beartype
