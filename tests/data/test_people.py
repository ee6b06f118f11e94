"""Columns that look like the labels of several people."""

from pathlib import Path

import pandas as pd
import pytest

from mlproj.data.columns import Column, assign_roles
from mlproj.data.describe import describe_source
from mlproj.data.examine import examine
from mlproj.data.people import find_annotators
from mlproj.spec.load import make_project, parse_project


def column(name: str, role: str = "feature") -> Column:
    return Column(name, "category", 0, 2, True, role=role)  # type: ignore[arg-type]  # as written


@pytest.mark.parametrize(
    "name", ["rater_1", "annotator2", "Labeller A", "kind_2", "kind_by_anna", "kind by anna", "reader-b"]
)
def test_they_are_known_by_their_names(name: str) -> None:
    frame = pd.DataFrame({name: ["cat", "dog", ""], "kind": ["cat", "dog", "cat"]})
    assert find_annotators(frame, [column(name)], "kind") == (name,)


@pytest.mark.parametrize(
    "name", ["expert_mode", "worker", "blue_collar_worker", "reader", "kindness", "kind_of_animal"]
)
def test_other_columns_of_the_same_values_are_features(name: str) -> None:
    frame = pd.DataFrame({name: ["1", "0"], "kind": ["0", "1"]})
    assert find_annotators(frame, [column(name)], "kind") == ()


def test_a_column_with_other_values_or_another_role_is_none() -> None:
    frame = pd.DataFrame({"rater_1": ["cat", "cow"], "rater_2": ["cat", "dog"], "kind": ["cat", "dog"]})
    assert find_annotators(frame, [column("rater_1"), column("rater_2", "excluded")], "kind") == ()


def test_declared_annotators_are_no_features() -> None:
    project = make_project(
        {"name": "p", "data": {"source": "a.csv", "label": "y"}, "human_level": {"annotators": ["a"]}}
    )
    assert assign_roles(project, ["a", "b", "y"], ["y"]) == {"a": "annotator", "b": "feature", "y": "label"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame = pd.DataFrame({"x": range(60), "rater_1": ["cat", "dog"] * 30, "rater_2": ["dog", "cat"] * 30})
    frame.assign(kind=["cat", "cat", "dog"] * 20).to_csv(tmp_path / "pets.csv", index=False)
    return tmp_path / "pets.csv"


def test_check_warns_while_they_are_features(table: Path) -> None:
    text = "name: pets\ndata: {source: pets.csv, label: kind}\n"
    found = examine(parse_project(text, table.parent / "project.yaml"))
    assert [finding.code for finding in found.findings if finding.code == "annotators_are_features"]
    assert any("human_level: {annotators: [rater_1, rater_2]}" in warning for warning in found.warnings)
    declared = examine(
        parse_project(text + "human_level: {annotators: [rater_1, rater_2]}\n", table.parent / "project.yaml")
    )
    assert not [finding for finding in declared.findings if finding.code == "annotators_are_features"]
    assert [c.role for c in declared.columns if c.name.startswith("rater")] == ["annotator", "annotator"]


def test_a_new_project_takes_them_over(table: Path) -> None:
    assert describe_source("pets.csv", table.parent, label="kind").annotators == ("rater_1", "rater_2")


def test_a_column_that_is_not_there_is_named(table: Path) -> None:
    text = "name: pets\ndata: {source: pets.csv, label: kind}\nhuman_level: {annotators: [rater_1, rater_3]}\n"
    found = examine(parse_project(text, table.parent / "project.yaml"))
    assert [(p.where, p.line) for p in found.problems] == [("human_level.annotators.1", 3)]
    assert "Did you mean `rater_" in found.problems[0].hint
