"""Malformed project files: each is answered with the culprit's line, what is allowed and what was probably meant."""

import pytest

from mlproj.errors import InvalidInput
from mlproj.spec.load import parse_project

DATA = "data: {source: app.csv, label: kind}\n"
HEAD = "name: cats\n" + DATA

CASES: list[tuple[str, list[str]]] = [
    # The whole file
    ("", ["project.yaml: is empty", "mlproj init"]),
    ("- a\n- b\n", ['holds ["a", "b"], no keys', "`name: …`"]),
    ("name:cats", ["holds 'name:cats', no keys"]),
    ("name: cats\n---\nname: dogs\n", ["project.yaml:2", "second document"]),
    ("name: cats\n\tdata: x\n", ["project.yaml:2", "tab", "spaces"]),
    (HEAD + "name: dogs\n", ["project.yaml:3: name: is written twice, first in line 1"]),
    (HEAD + "seed: *one\n", ["project.yaml:3: seed: `*one` refers to nothing"]),
    # Unknown keys
    (HEAD + "modell: {}\n", ["project.yaml:3: modell: is no known key", "Did you mean `model`?"]),
    (HEAD + "learning_rate: 0.1\n", ["project.yaml:3: learning_rate", "under `training`: `training.learning_rate`"]),
    (HEAD + "lr: 0.1\n", [":3: lr: is no known key", "`training.learning_rate`"]),
    (HEAD + "training: {epoch: 3}\n", ["project.yaml:3: training.epoch", "Did you mean `epochs`?"]),
    (HEAD + "training:\n  batchSize: 3\n", ["project.yaml:4: training.batchSize", "Did you mean `batch_size`?"]),
    (HEAD + "training: {learning-rate: 3}\n", ["training.learning-rate", "Did you mean `learning_rate`?"]),
    (HEAD + "training: {optimiser: adam}\n", ["Did you mean `optimizer`?"]),
    (HEAD + "metric: {optimise: f1}\n", ["Did you mean `optimize`?"]),
    (HEAD + "training: {weight_decay: 0.1}\n", ["Did you mean `l2`?"]),
    (HEAD + "training: {dropout: 0.1}\n", ["under `model`: `model.dropout`"]),
    (HEAD + "test_size: 0.1\n", ["under `splits`: `splits.test`"]),
    (HEAD + "random_state: 1\n", ["Did you mean `seed`?"]),
    (HEAD + "training: {seed: 1}\n", ["the top level: `seed`"]),
    (HEAD + "frobnicate: 1\n", ["Known keys here: name, about, task, seed, data, splits"]),
    (HEAD + "<<: {seed: 1}\n", ["Merge keys do not exist"]),
    (
        "name: cats\ndata: {source: a.csv, lable: y}\n",
        ["data.lable", "Did you mean `label`?", "data.label: is missing"],
    ),
    ("name: cats\ndata: {file: a.csv, target: y}\n", ["mean `source`?", "mean `label`?", "data.source: is missing"]),
    (HEAD + "augment: {mirror: true}\n", ["project.yaml:3: augment: is no known key"]),
    # Missing keys
    (DATA, ["name: is missing", "`name: flowers`"]),
    ("name: cats\n", ["data: is missing", "source: flowers.csv"]),
    ("name: cats\ndata:\n", ["project.yaml:2: data: is missing"]),
    ("name: cats\ndata:\n  label: y\n", ["project.yaml:2: data.source: is missing"]),
    ("name: cats\ndata: {source: a.csv}\n", ["project.yaml:2: data.label: is missing", "column to predict"]),
    ("name: cats\ndata: {source: {where: a > 1}, label: y}\n", ["data.source.path: is missing"]),
    (HEAD + "human_level: {n: 500}\n", ["project.yaml:3: human_level", "give one of `error`, `metric` with `value`"]),
    # Names and single values
    ("name: a/b\n" + DATA, ["project.yaml:1: name: 'a/b' is not allowed", "without @ , / \\ :"]),
    ("name: ''\n" + DATA, ["name: '' is not allowed"]),
    ("name: 3\n" + DATA, ["name: 3 is not allowed", 'in quotes: "3"']),
    (
        HEAD + "task: clasification\n",
        [":3: task: 'clasification'", "classification or regression", "mean `classification`?"],
    ),
    (HEAD + "task: binary\n", ["Did you mean `classification`?"]),
    (HEAD + "seed: -1\n", ["seed: -1 is not allowed", "a whole number from 0 to 2,147,483,647"]),
    (HEAD + "seed: 1.5\n", ["seed: 1.5 is not allowed", "a whole number"]),
    (HEAD + "seed: .nan\n", ["seed: .nan is not allowed"]),
    (HEAD + "seed: null\n", ["seed: null is not allowed", "Leave the key out"]),
    (
        HEAD + "search: {space: {training.schedule: {choice: [null, {kind: cosine}]}}}\n",
        ["search.space.training.schedule: null is not allowed", "\n  Write {kind: constant}."],
    ),
    (HEAD + "training: {learning_rate: 0}\n", ["training.learning_rate: 0 is not allowed", "a number above 0"]),
    (HEAD + "training: {learning_rate: .inf}\n", ["training.learning_rate: .inf is not allowed"]),
    (HEAD + 'training: {learning_rate: "0.1"}\n', ["'0.1' is not allowed", "Leave the quotes out: 0.1."]),
    (HEAD + "training: {learning_rate: '0,1'}\n", ["Write 0.1."]),
    (HEAD + "training: {learning_rate: [0.1]}\n", ["[0.1] is not allowed", "a number above 0"]),
    (HEAD + "training: {momentum: 1}\n", ["training.momentum: 1", "a number from 0 to below 1"]),
    (HEAD + "training: {batch_size: 0}\n", ["batch_size: 0 is not allowed; write auto, full or a whole number from 1"]),
    (HEAD + "training: {batch_size: 1_000}\n", ["'1_000'", "Write 1000."]),
    (HEAD + "training: {epochs: 20.0}\n", ["epochs: 20.0 is not allowed", "Write 20."]),
    (HEAD + "training: {epochs: forever}\n", ["'forever' is not allowed; write auto or a whole number from 1"]),
    (HEAD + "training: {optimizer: Adam}\n", ["'Adam'", "Did you mean `adam`?"]),
    (HEAD + "training: {weighted_loss: yes}\n", ["'yes' is not allowed; write true or false", "Write true"]),
    (HEAD + "training: {early_stopping: 10}\n", ["early_stopping: 10", "a mapping {patience} or null"]),
    (HEAD + "training: {early_stopping: {patience: 0}}\n", ["early_stopping.patience: 0", "from 1"]),
    (HEAD + "training: {device: gpu}\n", ["'gpu'", "Did you mean `cuda`?"]),
    (HEAD + "training: {class_weight: {yes: 0}}\n", ["class_weight.yes: 0", "a number above 0"]),
    (HEAD + "training: {class_weight: balance}\n", ["Did you mean `balanced`?"]),
    (HEAD + "training: fast\n", ["training: 'fast' is not allowed; write a mapping"]),
    (HEAD + "about: 3\n", ['Put it in quotes: "3"']),
    # Kinds
    (HEAD + "model: {kind: python}\n", ["project.yaml:3: model.factory: is missing; write package.module:Name"]),
    (HEAD + "model: {kind: python, factory: nets.Net}\n", ["model.factory: 'nets.Net' names no", "write nets:Net"]),
    (HEAD + "model: {kind: python, factory: 'sub/nets.py'}\n", ["model.factory", "write sub.nets:name"]),
    (HEAD + "model: {kind: python, factory: 'nets.py:Net'}\n", ["model.factory", "write nets:Net"]),
    (HEAD + "model: {kind: python, factory: 3}\n", ["model.factory: 3 is not", 'Put it in quotes: "3".']),
    (HEAD + "model: {kind: python, factory: 'a:b', args: [1]}\n", ["model.args: [1] is not allowed; write a mapping"]),
    (HEAD + "model: {kind: python, factory: 'a:b', args: {'my width': 3}}\n", ["'my width'", "name of an argument"]),
    (HEAD + "model: {kind: python, factory: 'a:b', args: {n_inputs: 3}}\n", ["`args.n_inputs`", "leave it out"]),
    (HEAD + "model: {kind: python, factory: 'a:b', width: 3}\n", ["model.width: is no key of kind python"]),
    (HEAD + "model: {factory: 'a:b'}\n", ["model.factory: is no key of kind mlp", "kind python"]),
    (HEAD + "training: {loss: 'losses:focal'}\n", ["training.loss: 'losses:focal' is not", "python:module:function"]),
    (HEAD + "training: {loss: 'python:losses'}\n", ["training.loss: 'losses' names no", "write losses:name"]),
    (HEAD + "training: {loss: 'python:a:b', label_smoothing: 0.1}\n", ["`label_smoothing` is for cross_entropy"]),
    (HEAD + "model: {kind: cnn}\n", ["project.yaml:3: model.kind: 'cnn' is not allowed; write mlp, linear or python"]),
    (HEAD + "model: {kind: logistic, widht: 3}\n", ["Did you mean `linear`?", "model.widht"]),
    (HEAD + "model: {kind: linear, width: 3}\n", ["model.width: is no key of kind linear", "belongs to kind mlp"]),
    (
        HEAD + "model: mlp\n",
        ["model: 'mlp' is not allowed", "a mapping with `kind` mlp, linear or python", "Write {kind: mlp}."],
    ),
    (HEAD + "training: {schedule: cosine}\n", ["training.schedule: 'cosine'", "Write {kind: cosine}."]),
    (HEAD + "model: {layers: 2, hidden: [3]}\n", ["model: give either `hidden` or `layers` and `width`, not both"]),
    (HEAD + "model: {hidden: 64}\n", ["model.hidden: 64", "Write it as a list: [64]"]),
    (HEAD + "model: {hidden: [64, 0]}\n", ["model.hidden.1: 0", "a whole number from 1 to 65,536"]),
    (HEAD + "model: {dropout: 1}\n", ["model.dropout: 1", "from 0 to below 1"]),
    (HEAD + "model: {activation: ReLu6}\n", ["model.activation: 'ReLu6'", "relu, leaky_relu, tanh or sigmoid"]),
    (HEAD + "training: {schedule: {kind: cosin}}\n", ["schedule.kind: 'cosin'", "Did you mean `cosine`?"]),
    (HEAD + "training: {schedule: {decay: 1}}\n", ["schedule.decay: is no key of kind constant", "kind inverse_time"]),
    (HEAD + "training: {schedule: {kind: staircase, every: 0}}\n", ["training.schedule.every: 0"]),
    # Data
    ("name: x\ndata: {source: [], label: y}\n", ["data.source: [] is not allowed"]),
    (HEAD + "splits: {dev: -0.1}\n", ["splits.dev: -0.1 is not allowed; write a share below 1"]),
    (
        "name: x\ndata: {source: a.csv, label: y, weight: {column: w, value: 2}}\n",
        ["data.weight.value: does not go with its other keys", "a mapping {column} or a mapping {where, value}"],
    ),
    ("name: x\ndata: {source: 3, label: y}\n", ["data.source: 3 is not allowed", 'Put it in quotes: "3"']),
    ("name: x\ndata: {source: a.csv, label: 3}\n", ["data.label: 3 is not allowed", 'Put it in quotes: "3"']),
    ("name: x\ndata: {source: a.csv, label: []}\n", ["data.label: [] is not allowed"]),
    (
        "name: x\ndata: {source: a.csv, label: y, extra: b.csv}\n",
        ["data.extra: 'b.csv'", "Write it as a list: [b.csv]"],
    ),
    ("name: x\ndata: {source: a.csv, label: y, extra: [b.csv, 3]}\n", ["data.extra.1: 3 is not allowed"]),
    ("name: x\ndata: {source: {path: a.csv, where: f(x)}, label: y}\n", ["data.source.where: 'f(x)' is not allowed"]),
    (
        "name: x\ndata: {source: a.csv, label: y, columns: {zip: string}}\n",
        ["columns.zip: 'string'", "mean `category`?"],
    ),
    ("name: x\ndata: {source: a.csv, label: y, columns: {d: {dat: x}}}\n", ["columns.d.dat", "Did you mean `date`?"]),
    ("name: x\ndata: {source: a.csv, label: y, columns: [zip]}\n", ['data.columns: ["zip"]', "a mapping of names"]),
    (
        "name: x\ndata: {source: a.csv, label: y, weight: 3}\n",
        ["data.weight: 3", "{column} or a mapping {where, value}"],
    ),
    ("name: x\ndata: {source: a.csv, label: y, weight: {where: a > 1}}\n", ["data.weight.value: is missing"]),
    ("name: x\ndata: {source: a.csv, label: y, weight: {where: a > 1, value: 0}}\n", ["data.weight.value: 0"]),
    (
        "name: x\ndata: {source: a.csv, label: y, weight: {column: w, extra: 1}}\n",
        ["data.weight.extra: is no known key"],
    ),
    ("name: x\ndata: {source: a.csv, label: y, positive: [1]}\n", ["data.positive: [1]", "a class as it stands"]),
    ("name: x\ndata: {source: a.csv, label: y, label_scale: Log}\n", ["'Log'", "Did you mean `log`?"]),
    # Metric and human level
    (HEAD + "metric: {optimize: acc}\n", ["metric.optimize: 'acc'", "Did you mean `accuracy`?"]),
    (
        HEAD + "metric: {satisfy: {recal: '>= 0.9'}}\n",
        ["satisfy.recal: 'recal' is not allowed as a name", "mean `recall`?"],
    ),
    (HEAD + "metric: {satisfy: {recall: 0.95}}\n", ["metric.satisfy.recall: 0.95", 'Write ">= 0.95".']),
    (HEAD + "metric: {satisfy: {size_mb: 5}}\n", ['Write "<= 5".']),
    (HEAD + "metric: {satisfy: {recall: at least 3}}\n", ["'at least 3' is no limit", ">= 0.95"]),
    (HEAD + "metric:\n  satisfy:\n    recall: >= 0.95\n", ["project.yaml:5", "in quotes"]),
    (HEAD + "metric: {threshold: 2}\n", ["metric.threshold: 2", "auto or a number from 0 to 1"]),
    (HEAD + "human_level: 8%\n", ["human_level: '8%' is not allowed", "Write 8% as 0.08."]),
    (HEAD + "human_level: -1\n", ["human_level: -1 is not allowed", "a number from 0"]),
    (HEAD + "human_level: {error: 0.1, on: both}\n", ["human_level.on: 'both'", "training or target"]),
    (HEAD + "human_level: {error: 0.1, n: 9, half_width: 1}\n", ["give either `n` or `half_width`, not both"]),
    (HEAD + "human_level: {error: 0.1, annotators: [a]}\n", ["give one of `error`, ", "`annotators` or `experts`"]),
    (
        HEAD + "human_level: {anotators: [a]}\n",
        ["human_level.anotators: is no known key", "Did you mean `annotators`?"],
    ),
    (HEAD + "human_level: {annotators: [a], n: 9}\n", ["of `annotators` and `experts` they are counted"]),
    (HEAD + "human_level: {error: 0.1, label_is: gold}\n", ["`label_is` goes with `annotators`"]),
    (
        HEAD + "human_level: {annotators: [a], label_is: golden}\n",
        ["gold, single or consensus", "Did you mean `gold`?"],
    ),
    (HEAD + "human_level: {experts: [{by: anna, n: 5, errors: 6}]}\n", ["6 errors in 5 examples are more than"]),
    (HEAD + "human_level: {experts: [{by: anna, n: 5}]}\n", ["give either `errors`"]),
    (HEAD + "human_level: {value: 0.9}\n", ["`value` needs its `metric`"]),
    (HEAD + "human_level: {error: 0.1, metric: f1}\n", ["`metric` goes with `value` or `annotators`"]),
    # Splits
    (HEAD + "splits: {dev: 1.5}\n", ["splits.dev: 1.5 could mean", "a share below 1"]),
    (HEAD + "splits: {test: 1}\n", ["splits.test: 1 could mean everything or one example"]),
    (HEAD + "splits: {dev: 20.5}\n", ["splits.dev: 20.5 is no whole number", "Write 20"]),
    (HEAD + "splits: {dev: -0.1}\n", ["splits.dev: -0.1 is not allowed"]),
    (HEAD + "splits: {dev: 20%}\n", ["splits.dev: '20%'", "0.2"]),
    (HEAD + "splits: {train_dev: 1.2}\n", ["splits.train_dev: 1.2 could mean"]),
    (HEAD + "splits: {train_dev: later}\n", ["splits.train_dev: 'later' is not allowed; write auto"]),
    (HEAD + "splits: {stratify: 1}\n", ["splits.stratify: 1 is not allowed; write true or false"]),
    (HEAD + "splits: {valid: 0.1}\n", ["splits.valid: is no known key", "Did you mean `dev`?"]),
]


@pytest.mark.parametrize(("text", "fragments"), CASES, ids=[fragments[0][:40] for _, fragments in CASES])
def test_a_malformed_project_is_answered_with_what_is_allowed(text: str, fragments: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_project(text)
    message = str(caught.value)
    for fragment in fragments:
        assert fragment in message
    assert message.startswith("project.yaml")
    for jargon in ("Input should", "pydantic", "constrained", "tagged", "(mapping)", "valid string", "Value error"):
        assert jargon not in message


def test_a_negative_share_is_not_told_to_become_text() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_project(HEAD + "splits: {dev: -0.1}\n")
    assert "quotes" not in str(caught.value)


def test_all_problems_are_reported_in_one_go_and_in_order() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_project(
            "name: x\ntask: clasification\nmodell: {}\ndata: {source: missing.csv, label: y}\nsplits: {dev: 1}\n"
        )
    assert [(wrong.where, wrong.line) for wrong in caught.value.problems] == [
        ("task", 2), ("modell", 3), ("splits.dev", 5),
    ]  # fmt: skip
    assert "Did you mean `classification`?" in str(caught.value)
    assert "Did you mean `model`?" in str(caught.value)


def test_contradictions_are_found_beside_typos_in_the_same_section() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_project(
            HEAD + "model: {layers: 1, hidden: [3], widht: 3}\ntraining: {lss: mae, loss: mae}\ntask: classification\n"
        )
    assert {wrong.where for wrong in caught.value.problems} == {"model", "model.widht", "training.lss", "training.loss"}


def test_a_wrong_value_is_named_once_although_several_forms_were_tried() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_project(HEAD + "splits: {dev: [1]}\nhuman_level: []\n")
    assert [wrong.where for wrong in caught.value.problems] == ["splits.dev", "human_level"]
