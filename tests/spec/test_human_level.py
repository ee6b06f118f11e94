"""The forms of `human_level`: figures, two distributions, annotators, experts, and what cannot be meant."""

import pytest

from mlproj.errors import InvalidInput
from mlproj.spec.goal import Expert, HumanLevel
from mlproj.spec.load import make_project, parse_project
from mlproj.spec.overrides import apply_overrides
from mlproj.spec.render import to_yaml

HEAD = "name: x\ndata: {source: a.csv, label: y, id: uid, group: who}\n"


@pytest.mark.parametrize(
    "level",
    [
        "0.01",
        "{error: 0.01, n: 500, on: target, by: anna}",
        "{metric: f1, value: 0.95, n: 100}",
        "{error: 21500, half_width: 1400}",
        "{annotators: [a, b]}",
        "{annotators: labels.csv, label_is: gold, metric: f1, on: training}",
        "{experts: [{by: anna, n: 200, errors: 3}, {by: ben, n: 100, error: 0.02}]}",
        "[{error: 0.01, n: 5, on: training}, {annotators: [a], on: target}]",
    ],
)
def test_every_form_is_read_and_written_back(level: str) -> None:
    project = parse_project(f"{HEAD}human_level: {level}\n")
    assert parse_project(to_yaml(project)).human_level == project.human_level


def test_of_two_levels_that_of_training_is_the_human_level() -> None:
    project = parse_project(HEAD + "human_level: [{error: 0.02, on: target}, {error: 0.01, on: training}]\n")
    assert [level.error for level in project.humans] == [0.01, 0.02]
    assert project.human == HumanLevel(error=0.01, on="training")
    assert make_project({"name": "x", "data": {"source": "a.csv", "label": "y"}}).humans == ()


def test_a_single_column_may_be_written_as_a_list_only() -> None:
    with pytest.raises(InvalidInput, match=r"'anna' is neither a list of columns nor a file\n.*Write \[anna\]"):
        parse_project(HEAD + "human_level: {annotators: anna}\n")


@pytest.mark.parametrize(
    ("level", "where", "fragment"),
    [
        ("{annotators: [y]}", "human_level.annotators", "'y' is the label"),
        ("{annotators: [uid]}", "human_level.annotators", "'uid' is `data.id`"),
        ("{annotators: [who]}", "human_level.annotators", "'who' is `data.group`"),
        ("{annotators: [a, b, a]}", "human_level.annotators", "'a' is named twice"),
        ("{annotators: []}", "human_level.annotators", "names nobody"),
        ("{experts: []}", "human_level.experts", "names nobody"),
        (
            "{experts: [{by: a, n: 9, errors: 1}, {by: a, n: 8, errors: 1}]}",
            "human_level.experts",
            "'a' is named twice",
        ),
        ("[{error: 0.1, on: training}]", "human_level", "one with `on: training` and one with `on: target`"),
        ("[{error: 0.1}, {error: 0.1, on: target}]", "human_level", "one for each distribution"),
        ("[{error: 0.1, on: training}, {metric: f1, value: 0.9, on: target}]", "human_level", "two different metrics"),
    ],
)
def test_what_cannot_be_meant_is_named(level: str, where: str, fragment: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_project(f"{HEAD}human_level: {level}\n")
    [problem] = caught.value.problems
    assert (problem.where, problem.line) == (where, 3)
    assert fragment in f"{problem.message} {problem.hint}"


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("name: x\ndata: {source: a.csv, label: y, include: [a, b]}\n", "'a' is in `data.include`"),
        ("name: x\ndata: {source: a.csv, label: y, columns: {a: ignore}}\n", "'a' is `data.columns.a`: ignore"),
    ],
)
def test_an_annotator_is_no_feature_and_has_to_be_read(text: str, fragment: str) -> None:
    with pytest.raises(InvalidInput, match=r"human_level\.annotators") as caught:
        parse_project(text + "human_level: {annotators: [a]}\n")
    assert fragment in str(caught.value)


def test_counts_of_errors_do_not_suit_numbers() -> None:
    with pytest.raises(InvalidInput, match="counts errors, but the task is regression"):
        parse_project(HEAD + "task: regression\nhuman_level: {experts: [{by: a, n: 9, errors: 1}]}\n")


def test_setting_a_figure_drops_the_annotators() -> None:
    data = {"human_level": {"annotators": ["a"], "label_is": "gold"}}
    assert apply_overrides(data, {}, ["human_level.error=0.02"])[0] == {"human_level": {"error": 0.02}}
    back = apply_overrides({"human_level": {"error": 0.02}}, {}, ["human_level.annotators=a,b"])[0]
    assert back == {"human_level": {"annotators": ["a", "b"]}}


def test_a_share_is_rounded_to_a_count() -> None:
    assert Expert(by="a", n=150, error=0.02).wrong == 3
    assert Expert(by="a", n=150, errors=4).wrong == 4
