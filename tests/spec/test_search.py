"""The `search:` section: what a space may say, and that everything wrong with it is said before anything starts."""

import json
from typing import Any

import pytest

from mlproj.errors import InvalidInput
from mlproj.spec.load import load_project, make_project, parse_project
from mlproj.spec.project import Project
from mlproj.spec.render import to_yaml
from mlproj.spec.schema import json_schema
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Search, Uniform, choice_text
from mlproj.spec.space import space_problems

HEAD = "name: cats\ndata: {source: app.csv, label: kind}\n"
BASE: dict[str, Any] = {"name": "cats", "data": {"source": "app.csv", "label": "kind"}}


def parse(*entries: str, more: str = "") -> Project:
    return parse_project(f"{HEAD}{more}search:\n  space:\n" + "".join(f"    {entry}\n" for entry in entries))


def problems(*entries: str, more: str = "") -> str:
    with pytest.raises(InvalidInput) as caught:
        parse(*entries, more=more)
    for jargon in ("Input should", "pydantic", "tagged", "(mapping)", "Value error", "None", "True"):
        assert jargon not in str(caught.value)
    return str(caught.value)


def test_every_scale_is_read() -> None:
    search = parse(
        "training.learning_rate: {log: [0.0001, 1]}",
        "training.beta1: {one_minus_log: [0.9, 0.999]}",
        "model.width: {int: [16, 128]}",
        "model.dropout: {uniform: [0, 0.5]}",
        "training.early_stopping: {choice: [null, {patience: 5}]}",
    ).search
    assert search == Search(
        space={
            "training.learning_rate": Log(log=(1e-4, 1.0)),
            "training.beta1": OneMinusLog(one_minus_log=(0.9, 0.999)),
            "model.width": Int(int=(16, 128)),
            "model.dropout": Uniform(uniform=(0.0, 0.5)),
            "training.early_stopping": Choice(choice=(None, {"patience": 5})),
        }
    )


def test_a_space_survives_yaml_and_python() -> None:
    project = parse("training.learning_rate: {log: [1e-5, 2]}", "model.hidden: {choice: [[64], [32, 2]]}")
    assert parse_project(to_yaml(project)) == project
    assert make_project(project.model_dump(mode="json")) == project
    assert make_project(BASE | {"search": project.search}) == project


def test_without_a_space_the_defaults_stand() -> None:
    search = parse_project(f"{HEAD}search: {{trials: 8}}\n").search
    assert search == Search(trials=8)
    assert parse_project(f"{HEAD}search:\n").search is None
    assert parse_project(f"{HEAD}search:\n  space:\n").search == Search()


@pytest.mark.parametrize(
    ("entry", "fragments"),
    [
        ("training.l2: {logg: [1e-4, 1]}", ["5: search.space.training.l2: `logg` is no scale; did you mean `log`?"]),
        ("training.l2: {range: [1e-4, 1]}", ["`range` is no scale; write {log: [low, high]}, {one_minus_log: …}"]),
        ("training.l2: [1e-4, 1]", ["names no scale; write for example {log: [0.0001, 1]}"]),
        ("model.width: [16, 256]", ["names no scale; write for example {int: [16, 256]}"]),
        ("model.width: [16, 64, 256]", ["write for example {choice: [16, 64, 256]}"]),
        ("training.l2: 0.1", ["a search needs several values; write {log: [low, high]}"]),
        ("training.l2:", ["training.l2: a search needs several values"]),
        ("training.l2: {}", ["training.l2: names no scale; write {log: [low, high]}"]),
        ("training.l2: {log: [1e-4, 1], uniform: [0, 1]}", ["names several scales, log, uniform; keep one of them"]),
        ("training.l2: {log: [1e-4]}", ["l2.log: a list of 1 is no range", "the smallest and the largest value"]),
        ("training.l2: {log: [1, 2, 3]}", ["l2.log: a list of 3 is no range"]),
        ("training.l2: {log: 3}", ["l2.log: 3 is no range"]),
        ("training.l2: {log: [1e-4, '1']}", ["l2.log.1: '1' is not allowed; write a number", "Leave the quotes out"]),
        ("training.l2: {log: [.nan, 1]}", ["l2.log.0: .nan is not allowed"]),
        ("model.width: {int: [1.5, 64]}", ["width.int.0: 1.5 is not allowed; write a whole number"]),
        ("training.l2: {log: [1, 0.1]}", ["begins at 1 and ends at 0.1", "Write {log: [0.1, 1]}."]),
        ("training.l2: {log: [0, 1]}", ["0 has no logarithm", "Begin above 0, or write {uniform: [0, 1]}."]),
        ("training.l2: {uniform: [1, 1]}", ["holds the single value 1", "leave it out here"]),
        ("training.beta1: {one_minus_log: [0.9, 1]}", ["0.9 to 1 is not within 0 to below 1", "[0.9, 0.999]"]),
        ("training.beta1: {one_minus_log: [-1, 0.9]}", ["-1 to 0.9 is not within 0 to below 1"]),
        ("training.batch_size: {choice: []}", ["batch_size.choice: [] is not allowed; write a list of values"]),
        ("training.batch_size: {choice: 32}", ["choice: 32 is not allowed", "Write it as a list: [32]."]),
        ("training.batch_size: {choice: [32, 64, 32]}", ["lists 32 twice", "Keep one of the two."]),
        ("training.l2: {choice: [1, 1.0]}", ["lists 1 twice"]),
    ],
)
def test_a_range_that_cannot_be_read_is_answered_once(entry: str, fragments: list[str]) -> None:
    text = problems(entry)
    assert all(fragment in text for fragment in fragments), text
    assert text.count("project.yaml:5") == 1


@pytest.mark.parametrize(
    ("entry", "fragments"),
    [
        ("learning_rate: {log: [1e-4, 1]}", ["is no known key", "Did you mean `training.learning_rate`?"]),
        ("training.lr: {log: [1e-4, 1]}", ["Did you mean `training.learning_rate`?"]),
        ("training.learningRate: {log: [1e-4, 1]}", ["Did you mean `training.learning_rate`?"]),
        ("weight_decay: {log: [1e-4, 1]}", ["Did you mean `training.l2`?"]),
        ("training.decay: {log: [1e-4, 1]}", ["Did you mean `training.schedule.decay`?"]),
        ("model.dropuot: {uniform: [0, 0.5]}", ["Did you mean `model.dropout`?"]),
        ("model.quux: {int: [1, 5]}", ["is no known key", "Name keys of `model` and `training`."]),
        ("training: {choice: [1, 2]}", ["is a whole section", "`training.learning_rate`"]),
        ("seed: {int: [0, 9]}", ["cannot be searched: a seed that was picked", "`search.seeds`"]),
        ("data.source: {choice: [a.csv]}", ["cannot be searched: figures on different data do not compare"]),
        ("splits.dev: {uniform: [0.1, 0.2]}", ["figures on different data do not compare"]),
        ("metric.optimize: {choice: [f1]}", ["figures by different metrics do not compare"]),
        ("search.trials: {int: [1, 9]}", ["cannot be searched: it does not change what is trained"]),
    ],
)
def test_a_path_that_cannot_be_searched_is_named_with_what_was_meant(entry: str, fragments: list[str]) -> None:
    text = problems(entry)
    assert text.startswith(f"project.yaml:5: search.space.{entry.partition(':')[0]}: ")
    assert all(fragment in text for fragment in fragments), text
    assert text.count("project.yaml") == 1


@pytest.mark.parametrize(
    ("entry", "fragments"),
    [
        (
            "model.width: {log: [16, 256]}",
            ["takes whole numbers, but log draws", "{int: [16, 256]} or {choice:"],
        ),
        ("training.batch_size: {log: [32, 256]}", ["or {choice: [32, 64, 128, 256]}"]),
        ("training.epochs: {log: [1, 1000]}", ["{int: [1, 1000]} or {choice: [1, 2, 4, 1000]}"]),
        ("training.epochs: {uniform: [5, 20]}", ["takes whole numbers, but uniform draws fractions"]),
        ("model.activation: {uniform: [0, 1]}", ["takes relu, leaky_relu, tanh or sigmoid", "{choice: [relu, leaky"]),
        ("model.batch_norm: {int: [0, 1]}", ["takes true or false", "Write {choice: [false, true]}."]),
        ("model.hidden: {int: [16, 64]}", ["cannot be drawn from a range", "Write {choice: [[64], [64, 64]]}."]),
        ("model.layers: {int: [1, 70]}", ["70 is not allowed; write a whole number from 0 to 64"]),
        ("model.dropout: {uniform: [0, 1]}", ["is not allowed; write a number from 0 to below 1"]),
        ("training.beta1: {uniform: [-0.5, 0.5]}", ["-0.5 is not allowed; write a number from 0 to below 1"]),
        ("training.learning_rate: {uniform: [0, 1]}", ["0.0 is not allowed; write a number above 0"]),
        ("model.activation: {choice: [relu, rellu]}", ["'rellu' is not allowed", "Did you mean `relu`?"]),
        ("model.hidden: {choice: [[64], [0]]}", ["`model.hidden.0` 0 is not allowed; write a whole number from 1"]),
        ("training.loss: {choice: [cross_entropy, mse]}", ["mse does not fit: the task is classification"]),
        ("training.weighted_loss: {choice: [true, false]}", ["is true, but there are no weights"]),
        (
            "training.schedule: {choice: [{kind: cosin}]}",
            ["`training.schedule.kind` 'cosin' is not", "`cosine`?"],
        ),
        ("training.schedule.decay: {log: [0.1, 1]}", ["is no key of kind constant", "It belongs to kind inverse_time"]),
    ],
)
def test_both_ends_and_every_choice_obey_the_types_and_rules_of_the_spec(entry: str, fragments: list[str]) -> None:
    text = problems(entry, more="task: classification\n")
    assert text.startswith(f"project.yaml:6: search.space.{entry.partition(':')[0]}: ")
    assert all(fragment in text for fragment in fragments), text
    assert text.count("project.yaml") == 1


@pytest.mark.parametrize(
    ("entries", "more", "fragments"),
    [
        (
            ["model.hidden: {choice: [[64], [32, 32]]}", "model.width: {int: [4, 8]}"],
            "",
            ["space.model.width: says what `model.hidden` says, which is searched as well"],
        ),
        (
            ["model.width: {int: [4, 8]}", "model.dropout: {uniform: [0, 0.5]}"],
            "model: {hidden: [4]}\n",
            ["space.model.width: says nothing where `model.hidden` is given", "Take `hidden` out of `model`"],
        ),
        (
            ["training.schedule.kind: {choice: [inverse_time, cosine]}", "training.schedule.decay: {log: [0.1, 1]}"],
            "",
            ["space.training.schedule.decay: is no key of kind cosine"],
        ),
        (
            ["training.schedule: {choice: [{kind: cosine}]}", "training.schedule.warmup: {uniform: [0, 0.5]}"],
            "",
            ["space.training.schedule.warmup: lies inside `training.schedule`, which is searched as well"],
        ),
        (
            ["model.kind: {choice: [mlp, linear]}", "model.width: {int: [4, 8]}"],
            "",
            ["space.model.width: is no key of kind linear"],
        ),
    ],
)
def test_keys_that_contradict_each_other_are_named(entries: list[str], more: str, fragments: list[str]) -> None:
    text = problems(*entries, more=more)
    assert all(fragment in text for fragment in fragments), text
    assert text.count("project.yaml") == 1


@pytest.mark.parametrize(
    ("entries", "more"),
    [
        (["training.schedule.kind: {choice: [inverse_time]}", "training.schedule.decay: {log: [0.1, 1]}"], ""),
        (["training.schedule.decay: {log: [0.1, 1]}"], "training: {schedule: {kind: inverse_time}}\n"),
        (["training.schedule: {choice: [{kind: cosine, warmup: 0.1}, {kind: constant}]}"], ""),
        (["model.hidden: {choice: [[64], []]}"], "model: {layers: 3, width: 8}\n"),
        (["model.hidden.0: {int: [2, 4]}"], "model: {hidden: [8, 8]}\n"),
        (["training.early_stopping.patience: {int: [2, 20]}"], "training: {early_stopping: null}\n"),
        (["training.batch_size: {choice: [auto, full, 32]}"], ""),
        (["training.clip_norm: {choice: [null, 1]}"], ""),
        (["training.class_weight.yes: {uniform: [1, 10]}"], ""),
        (["model.kind: {choice: [linear, mlp]}"], "model: {width: 8}\n"),
        (["training.learning_rate: {log: [1e-4, 1]}"], "training: {learning_rate: 5}\n"),
    ],
)
def test_what_can_be_set_can_be_searched(entries: list[str], more: str) -> None:
    assert parse(*entries, more=more).search


def test_all_problems_come_in_one_go_each_with_its_line() -> None:
    text = HEAD + (
        "task: classification\nmodel: {width: many}\ntraining: {loss: mse}\nsearch:\n  trials: 0\n  space:\n"
        "    training.lr: {log: [1e-4, 1]}\n    training.l2: {log: [0, 1]}\n    model.layers: {int: [1, 70]}\n"
        "    model.dropout: {uniform: [0.5]}\n"
    )
    with pytest.raises(InvalidInput) as caught:
        parse_project(text)
    assert [(problem.line, problem.where) for problem in caught.value.problems] == [
        (4, "model.width"),
        (5, "training.loss"),
        (7, "search.trials"),
        (9, "search.space.training.lr"),
        (10, "search.space.training.l2"),
        (11, "search.space.model.layers"),
        (12, "search.space.model.dropout.uniform"),
    ]


def test_what_the_file_says_wrong_is_not_blamed_on_the_search() -> None:
    text = problems("training.learning_rate: {log: [1e-4, 1]}", more="task: regression\nmetric: {optimize: f1}\n")
    assert "search.space" not in text


def test_an_empty_space_is_no_space() -> None:
    with pytest.raises(InvalidInput, match=r"search.space: names no key\n  Name keys and their ranges"):
        parse_project(f"{HEAD}search: {{space: {{}}}}\n")


@pytest.mark.parametrize(
    ("override", "space"),
    [
        ("search.space.training.learning_rate={log: [1e-5, 1]}", {"training.learning_rate": Log(log=(1e-5, 1.0))}),
        ("search.space={model.width: {int: [2, 4]}}", {"model.width": Int(int=(2, 4))}),
        ("search.space=", None),
    ],
)
def test_a_space_can_be_set_for_one_command(override: str, space: object) -> None:
    search = load_project(base=BASE, overrides=[override]).search
    assert search is not None
    assert search.space == space


def test_one_key_of_a_space_can_be_replaced_and_is_blamed_on_the_command_line() -> None:
    space = {"training.l2": {"log": [1e-4, 1]}, "model.width": {"int": [2, 4]}}
    base = BASE | {"search": {"space": space}}
    search = load_project(base=base, overrides=["search.space.training.l2={uniform: [0, 1]}"]).search
    assert search is not None
    assert search.space == {"training.l2": Uniform(uniform=(0.0, 1.0)), "model.width": Int(int=(2, 4))}
    with pytest.raises(InvalidInput, match=r"^--set: search.space.training.l2: begins at 1 and ends at 0"):
        load_project(base=base, overrides=["search.space.training.l2={uniform: [1, 0]}"])


def test_a_space_made_in_python_is_judged_alike() -> None:
    project = make_project(BASE)
    assert space_problems(project, {"training.l2": Log(log=(1e-4, 1.0))}) == []
    assert [str(problem) for problem in space_problems(project, {"training.l2": Uniform(uniform=(-1.0, 1.0))})] == [
        "project.yaml: search.space.training.l2: -1.0 is not allowed; write a number from 0"
    ]


def test_choices_that_train_the_same_are_the_same() -> None:
    assert choice_text((64, 2.0)) == choice_text([64, 2])
    assert len({choice_text(value) for value in (1, True, "1", None, [1], {"a": 1})}) == 6


def test_the_json_schema_knows_the_scales() -> None:
    space = json_schema()["$defs"]["Search"]["properties"]["space"]
    refs = [option["$ref"] for option in space["additionalProperties"]["oneOf"]]
    assert [ref.rpartition("/")[2] for ref in refs] == ["Log", "OneMinusLog", "Uniform", "Int", "Choice"]
    ends = json_schema()["$defs"]["Log"]["properties"]["log"]
    assert (ends["minItems"], ends["maxItems"]) == (2, 2)
    assert json.dumps(space)


@pytest.mark.parametrize(
    ("optimizer", "path", "is_read"),
    [
        ("adam", "training.momentum", False),
        ("sgd", "training.beta1", False),
        ("rmsprop", "training.beta1", False),
        ("rmsprop", "training.beta2", True),
        ("nesterov", "training.momentum", True),
        ("adamw", "training.beta1", True),
    ],
)
def test_a_key_that_the_optimizer_does_not_read_is_refused(optimizer: str, path: str, is_read: bool) -> None:
    project = make_project(BASE | {"training": {"optimizer": optimizer}})
    range_ = OneMinusLog(one_minus_log=(0.9, 0.99))
    assert (space_problems(project, {path: range_}) == []) == is_read
    both: dict[str, Dimension] = {path: range_, "training.optimizer": Choice(choice=("adam", "momentum", "sgd"))}
    assert space_problems(project, both) == []
    neither: dict[str, Dimension] = {"training.beta1": range_, "training.optimizer": Choice(choice=("rmsprop", "sgd"))}
    (problem,) = space_problems(project, neither)
    assert "means nothing to rmsprop or sgd; adam or adamw read it" in str(problem)


def test_where_it_computes_is_not_searched() -> None:
    (problem,) = space_problems(make_project(BASE), {"training.device": Choice(choice=("cpu", "cuda:7"))})
    assert "not what comes of it" in str(problem)


def test_numbers_in_quotes_are_no_numbers() -> None:
    with pytest.raises(InvalidInput, match=r"search\.space\.training\.l2\.log\.0: '1e-4' is not allowed"):
        load_project(base=BASE, overrides=['search.space.training.l2={log: ["1e-4", 1]}'])
