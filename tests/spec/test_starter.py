"""The project.yaml that `mlproj init` writes loads as it stands and reads well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.spec.load import parse_project
from mlproj.spec.starter import clean_name, starter_yaml

COLUMNS = [
    ("image_id", "category", "unique"),
    ("age", "number", ""),
    ("zip", "number", "5 digits"),
    ("premium", "boolean", ""),
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def test_it_opens_with_the_editors_line() -> None:
    text = starter_yaml(name="cats", source="app.csv", label="is_cat", task="classification")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=./project.schema.json"


def test_it_says_what_was_inferred() -> None:
    text = starter_yaml(
        name="cats",
        source="app.csv",
        label="is_cat",
        task="classification",
        columns=COLUMNS,
        suggestions={"id": "image_id", "group": "user"},
        about="Which photos show a cat.",
    )
    project = parse_project(text)
    assert (project.name, project.task, project.about) == ("cats", "classification", "Which photos show a cat.")
    assert (project.data.source, project.data.label, project.data.id) == ("app.csv", "is_cat", "image_id")
    assert project.data.group is None
    assert "# group: user " in text
    assert "number: age" in text
    assert "number: zip (5 digits)" in text
    assert "boolean: premium" in text


@pytest.mark.parametrize("task", [None, "classification", "regression"])
@pytest.mark.parametrize("label", [None, "y"])
@pytest.mark.parametrize("source", ["", "app.csv", "sklearn:iris"])
def test_it_loads_as_it_stands(task: str | None, label: str | None, source: str) -> None:
    text = starter_yaml(name="x", source=source, label=label, task=task, columns=COLUMNS)
    project = parse_project(text)
    assert project.data.source == (source or "data.csv")
    assert len(text.splitlines()) <= 60
    assert max(map(len, text.splitlines())) <= 130
    assert not any(line.endswith(" ") for line in text.splitlines())


@pytest.mark.parametrize("task", [None, "classification", "regression"])
def test_it_loads_with_every_suggestion_taken(task: str | None) -> None:
    text = starter_yaml(name="x", source="app.csv", label="y", task=task, columns=COLUMNS, suggestions={"time": "t"})
    sections = ("# about", "# task", "# splits", "# human_level", "# metric", "#   optimize", "#   satisfy")
    keys = ("  # extra", "  # id", "  # group", "  # time", "  # columns:", "  # satisfy", *sections)
    lines = [line.replace("# ", "", 1) if line.startswith(keys) else line for line in text.splitlines()]
    project = parse_project("\n".join(lines) + "\n")
    assert project.metric.satisfy
    assert project.human_level is not None
    assert project.data.columns
    assert project.data.time == "t"


def test_a_wide_table_stays_short() -> None:
    columns = [(f"measurement number {i}", "number", "") for i in range(2000)]
    text = starter_yaml(name="wide", source="app.csv", label="y", task="regression", columns=columns)
    assert len(text.splitlines()) <= 60
    assert "lists them all" in text


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_odd_names_are_quoted(name: str, source: str, label: str, column: str) -> None:
    text = starter_yaml(
        name=name,
        source=source,
        label=label,
        task=None,
        columns=[(column, "number", ""), (column, "category", column)],
        suggestions={"id": f"{label}!", "group": column},
        about=name,
    )
    project = parse_project(text)
    assert (project.data.source, project.data.label, project.data.id) == (source, label, f"{label}!")
    assert project.about == name


@given(st.text())
def test_any_text_makes_a_name(text: str) -> None:
    name = clean_name(text)
    assert (
        parse_project(f"name: '{name.replace(chr(39), chr(39) * 2)}'\ndata: {{source: 'sklearn:iris'}}\n").name == name
    )
