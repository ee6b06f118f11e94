"""The default space: the keys that mean something for the project at hand, in valid ranges."""

from typing import Any, get_args

import pytest

from mlproj.searching.space import default_space
from mlproj.spec.load import make_project
from mlproj.spec.search import Choice, Int, Log, OneMinusLog, Uniform
from mlproj.spec.space import space_problems
from mlproj.spec.training import Optimizer

BASE: dict[str, Any] = {"name": "cats", "data": {"source": "app.csv", "label": "y"}}


def space_of(**more: Any) -> dict[str, Any]:
    return default_space(make_project(BASE | more))


def test_the_default_is_that_of_the_method() -> None:
    assert space_of() == {
        "training.learning_rate": Log(log=(1e-4, 1e-1)),
        "training.beta1": OneMinusLog(one_minus_log=(0.9, 0.999)),
        "model.width": Int(int=(16, 256)),
        "training.batch_size": Choice(choice=(32, 64, 128, 256)),
        "model.layers": Int(int=(1, 4)),
        "training.l2": Log(log=(1e-6, 1e-1)),
        "model.dropout": Uniform(uniform=(0.0, 0.5)),
    }
    assert next(iter(space_of())) == "training.learning_rate"


@pytest.mark.parametrize(
    ("optimizer", "key"),
    [
        ("sgd", ""),
        ("rmsprop", ""),
        ("momentum", "momentum"),
        ("nesterov", "momentum"),
        ("adam", "beta1"),
        ("adamw", "beta1"),
    ],
)
def test_each_optimizer_has_its_own_memory(optimizer: str, key: str) -> None:
    keys = {"training.momentum", "training.beta1"} & set(space_of(training={"optimizer": optimizer}))
    assert keys == ({f"training.{key}"} if key else set())


def test_every_optimizer_is_known() -> None:
    assert set(get_args(Optimizer)) == {"sgd", "rmsprop", "momentum", "nesterov", "adam", "adamw"}


def test_a_linear_model_has_no_layers_and_given_ones_are_kept() -> None:
    assert not [path for path in space_of(model={"kind": "linear"}) if path.startswith("model.")]
    assert [path for path in space_of(model={"hidden": [8]}) if path.startswith("model.")] == ["model.dropout"]
    assert not [path for path in space_of(model={"hidden": []}) if path.startswith("model.")]


def test_a_decay_is_searched_under_inverse_time_only() -> None:
    space = space_of(training={"schedule": {"kind": "inverse_time"}})
    assert space["training.schedule.decay"] == Log(log=(1e-3, 1.0))
    assert "training.schedule.decay" not in space_of(training={"schedule": {"kind": "cosine"}})


def test_what_the_project_sets_does_not_matter() -> None:
    fixed = {"learning_rate": 0.3, "beta1": 0.5, "batch_size": 8, "l2": 1.0}
    assert space_of(training=fixed, model={"width": 7, "layers": 9, "dropout": 0.9}) == space_of()


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
@pytest.mark.parametrize("model", [{"kind": "linear"}, {"kind": "mlp"}, {"hidden": [4]}, {"hidden": []}])
@pytest.mark.parametrize("schedule", ["constant", "inverse_time", "one_cycle"])
def test_the_default_can_always_be_tried(optimizer: str, model: dict[str, Any], schedule: str) -> None:
    project = make_project(
        BASE | {"model": model, "training": {"optimizer": optimizer, "schedule": {"kind": schedule}}}
    )
    assert space_problems(project, default_space(project)) == []
