"""What fields say to each other."""

import pytest

from mlproj.errors import InvalidInput
from mlproj.spec.load import make_project, parse_project

HEAD = "name: x\ndata: {source: a.csv, label: y}\n"


def data(more: str, rest: str = "") -> str:
    return f"name: x\ndata: {{source: a.csv, label: y, {more}}}\n{rest}"


@pytest.mark.parametrize(
    ("text", "where", "fragment"),
    [
        ("name: x\ndata: {source: [a.csv, b.csv]}\n", "data.label", "is missing"),
        (HEAD + "task: classification\nmetric: {optimize: mae}\n", "metric.optimize", "the task is classification"),
        (HEAD + "task: regression\nmetric: {optimize: f1}\n", "metric.optimize", "mae, mse, rmse, mape or r2"),
        (HEAD + "metric: {optimize: mae, satisfy: {recall: '>= 0.9'}}\n", "metric.optimize", "the rest of the file"),
        (HEAD + "task: regression\nmetric: {satisfy: {f1: '>= 0.9'}}\n", "metric.satisfy.f1", "does not fit"),
        (HEAD + "task: regression\nmetric: {threshold: 0.4}\n", "metric.threshold", "two classes"),
        (HEAD + "metric: {satisfy: {recall: '>= 95'}}\n", "metric.satisfy.recall", "Write 95 % as 0.95."),
        (HEAD + "metric: {satisfy: {recall: '<= 0.95'}}\n", "metric.satisfy.recall", "better when higher"),
        (HEAD + "metric: {satisfy: {latency_ms: '>= 20'}}\n", "metric.satisfy.latency_ms", 'Write "<= 20".'),
        (HEAD + "task: classification\nhuman_level: 8\n", "human_level", "Write 8 % as 0.08."),
        (HEAD + "task: classification\nhuman_level: {error: 8}\n", "human_level.error", "Write 8 % as 0.08."),
        (HEAD + "human_level: {metric: f1, value: 95}\n", "human_level.value", "Write 95 % as 0.95."),
        (HEAD + "task: regression\nhuman_level: {metric: f1, value: 0.9}\n", "human_level.metric", "does not fit"),
        (HEAD + "task: classification\ntraining: {loss: mse}\n", "training.loss", "auto or cross_entropy"),
        (HEAD + "task: regression\ntraining: {loss: cross_entropy}\n", "training.loss", "auto, mse, mae or huber"),
        (HEAD + "task: regression\ntraining: {class_weight: balanced}\n", "training.class_weight", "is for classes"),
        (HEAD + "task: regression\ntraining: {label_smoothing: 0.1}\n", "training.label_smoothing", "is for classes"),
        (HEAD + "training: {weighted_loss: true}\n", "training.weighted_loss", "`data.weight`"),
        (data("label_scale: log", "task: classification\n"), "data.label_scale", "log is for regression"),
        (data("positive: yes", "task: regression\n"), "data.positive", "names a class"),
        ("name: x\ntask: regression\ndata: {source: a.csv, label: [a, b]}\n", "data.label", "yes/no questions"),
        ("name: x\ndata: {source: a.csv, label: [a, b, a]}\n", "data.label", "'a' is named twice"),
        (data("id: y"), "data.id", "'y' is the label"),
        (data("group: y"), "data.group", "'y' is the label"),
        (data("time: y"), "data.time", "'y' is the label"),
        (data("weight: {column: y}"), "data.weight.column", "'y' is the label"),
        (HEAD + "splits: {column: y}\n", "splits.column", "'y' is the label"),
        (data("exclude: [y]"), "data.exclude", "'y' is the label"),
        (data("include: [a, y]"), "data.include", "already `data.label`"),
        (data("group: g, include: [a, g]"), "data.include", "already `data.group`"),
        (data("include: [a, b], exclude: [b]"), "data.exclude", "'b' is in `include` as well"),
        (data("columns: {y: ignore}"), "data.columns.y", "cannot be ignored"),
        (data("columns: {a: {date: dd/mm/yyyy}}"), "data.columns.a.date", "'dd/mm/yyyy' is no date format"),
        (data("columns: {a: {date: mixed}}"), "data.columns.a.date", "it has no letter after a %"),
        (data("columns: {a: {date: ISO8601}}"), "data.columns.a.date", "dates such as 2024-01-31 need none: `date`"),
        (data('columns: {a: {date: "%d/%m/%"}}'), "data.columns.a.date", "stray %"),
        (data('columns: {a: {date: "%Q"}}'), "data.columns.a.date", 'for example "%d/%m/%Y"'),
        (data("include: [a], columns: {a: ignore}"), "data.columns.a", "`include` names it"),
        (HEAD + "splits: {dev: 0.5, test: 0.5}\n", "splits.test", "100%"),
        (HEAD + "splits: {dev: 2024-03-01}\n", "splits.dev", "no column of times is named"),
        (data("time: t", "splits: {dev: 2024-13-01}\n"), "splits.dev", "no date that exists"),
        (data("time: t", "splits: {dev: 2024-03-01, test: 2024-02-01}\n"), "splits.test", "later"),
        (HEAD + "splits: {dev: twenty}\n", "splits.dev", "neither a number, a date nor a file"),
    ],
)
def test_contradictions_are_named_where_they_stand(text: str, where: str, fragment: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_project(text)
    assert [wrong.where for wrong in caught.value.problems] == [where]
    assert fragment in str(caught.value)
    assert caught.value.problems[0].line


@pytest.mark.parametrize(
    "text",
    [
        "name: x\ndata: {source: 'sklearn:iris'}\n",
        "name: x\ndata: {source: 'sklearn:iris', label: target}\n",
        HEAD + "splits: {dev: 0, test: 0}\n",
        HEAD + "splits: {dev: 500, test: 0.2, train_dev: 0.1}\n",
        HEAD + "splits: {dev: dev_ids.csv, test: test_ids.csv}\n",
        data("time: t", "splits: {dev: 2024-02-01, test: 2024-03-01}\n"),
        data("time: t", "splits: {dev: '2024-02-01 12:00', test: 2024-03-01}\n"),
        data("group: g, exclude: [g]"),
        data("time: t", "splits: {dev: '2024-02-01T12:00Z', test: 2024-03-01}\n"),
        HEAD + "task: regression\nhuman_level: 21500\n",
        HEAD + "human_level: 3.5\n",
        HEAD + "task: regression\nhuman_level: {error: 21500, half_width: 1400}\n",
        HEAD + "human_level: {error: 0.02, n: 400, on: training, by: two botanists}\n",
        HEAD + "metric: {optimize: f1_macro, satisfy: {f1_macro: '>= 0.5', log_loss: '<= 2'}}\n",
        HEAD + "metric: {optimize: mae, satisfy: {size_mb: '<= 5', r2: '>= 0.5'}}\n",
        data("weight: {where: a > 1, value: 10}", "training: {weighted_loss: true}\n"),
        "name: Größe & Gewicht (v1.2)\ndata: {source: 'ä ö.csv', label: 'Preis in €'}\n",
    ],
)
def test_what_makes_sense_is_accepted(text: str) -> None:
    assert parse_project(text).name


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name: x\ndata: {source: [sklearn:iris, 5]}\n", "data.source.1"),
        (data("time: 3", "splits: {dev: 2024-03-01}\n"), "data.time"),
        (data("weight: 3", "training: {weighted_loss: true}\n"), "data.weight"),
        (HEAD + "task: regresion\nmetric: {threshold: 0.4}\n", "task"),
    ],
)
def test_a_field_that_is_wrong_by_itself_starts_no_second_complaint(text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_project(text)
    assert [wrong.where for wrong in caught.value.problems] == [where]


def test_projects_made_in_python_obey_the_same_rules() -> None:
    with pytest.raises(InvalidInput, match=r"project.yaml: data.label: is missing"):
        make_project({"name": "x", "data": {"source": "a.csv"}})
