"""`--set path=value` on top of a file or of a run's resolved spec."""

from pathlib import Path
from typing import Any

import pytest

from mlproj.errors import InvalidInput
from mlproj.spec.load import load_project
from mlproj.spec.model import MLP, Linear
from mlproj.spec.project import Project
from mlproj.spec.render import to_yaml
from mlproj.spec.training import Cosine, EarlyStopping
from mlproj.spec.yaml import read_yaml

SPEC: dict[str, Any] = {"name": "cats", "data": {"source": "app.csv", "label": "y"}}


def load(*overrides: str, **more: Any) -> Project:
    return load_project(Path(), base=SPEC | more, overrides=overrides, base_name="cats-1")


def resolved(**more: Any) -> dict[str, Any]:
    """What `--like` starts from: every default written out."""
    return read_yaml(to_yaml(load(**more))).data


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("training.learning_rate=1e-5", "training.learning_rate", 1e-5),
        ("training.epochs = 20", "training.epochs", 20),
        ("training.early_stopping=null", "training.early_stopping", None),
        ("training.early_stopping=", "training.early_stopping", None),
        ("training.early_stopping.patience=3", "training.early_stopping", EarlyStopping(patience=3)),
        ("training.schedule.kind=cosine", "training.schedule", Cosine(kind="cosine")),
        ("training.schedule={kind: cosine, warmup: 0.1}", "training.schedule", Cosine(kind="cosine", warmup=0.1)),
        ("model.kind=linear", "model", Linear()),
        ("model.width=32", "model", MLP(width=32)),
        ("model.hidden=64,32", "model", MLP(hidden=(64, 32))),
        ("model.hidden=[64, 32]", "model", MLP(hidden=(64, 32))),
        ("model.hidden=64", "model", MLP(hidden=(64,))),
        ("data.exclude=a,b c", "data.exclude", ("a", "b c")),
        ("data.exclude='a,b'", "data.exclude", ("a,b",)),
        ("data.label=a,b", "data.label", ("a", "b")),
        ("data.label=a", "data.label", "a"),
        ("data.label='a,b'", "data.label", "a,b"),
        ("about=Cats, not dogs", "about", "Cats, not dogs"),
        ("about=a=b", "about", "a=b"),
        ("data.columns.zip=category", "data.columns", {"zip": "category"}),
        ("metric.satisfy.recall=>= 0.9", "metric.satisfy", {"recall": ">= 0.9"}),
        ("data.positive=yes", "data.positive", "yes"),
        ("data.positive=1", "data.positive", 1),
    ],
)
def test_a_value_is_read_as_in_the_file(override: str, path: str, value: object) -> None:
    found: Any = load(override)
    for key in path.split("."):
        found = getattr(found, key)
    assert found == value


def test_hidden_and_layers_replace_each_other_in_a_resolved_spec() -> None:
    assert load("model.hidden=8,4", **resolved()).model == MLP(hidden=(8, 4))
    assert load("model.layers=3", **resolved(model={"hidden": [8, 4]})).model == MLP(layers=3)


def test_hidden_and_layers_both_set_contradict_each_other() -> None:
    with pytest.raises(InvalidInput, match=r"--set: model: give either `hidden` or"):
        load("model.hidden=8", "model.layers=2")


def test_another_kind_drops_the_keys_of_the_former_kind_only() -> None:
    base = resolved(training={"schedule": {"kind": "one_cycle", "warmup": 0.2}})
    assert load("training.schedule.kind=cosine", **base).training.schedule == Cosine(kind="cosine", warmup=0.2)
    assert load("model.kind=linear", **resolved()).model == Linear()


def test_keys_set_by_hand_are_not_dropped_with_the_kind() -> None:
    with pytest.raises(InvalidInput, match=r"--set: model.width: is no key of kind linear"):
        load("model.width=3", "model.kind=linear")


def test_short_forms_grow_where_a_key_is_set_in_them() -> None:
    human = load("human_level.n=500", human_level=0.01).human
    assert human is not None
    assert (human.error, human.n) == (0.01, 500)
    assert load("data.source.where=a > 1").data.sources[0].where == "a > 1"


def test_another_human_figure_replaces_the_former() -> None:
    human = load("human_level.metric=f1", "human_level.value=0.9", human_level={"error": 0.1, "half_width": 0.01}).human
    assert human is not None
    assert (human.error, human.value) == (None, 0.9)
    human = load("human_level.n=50", human_level={"error": 0.1, "half_width": 0.01}).human
    assert human is not None
    assert (human.n, human.half_width) == (50, None)


def test_the_last_of_two_settings_wins_and_the_base_stays_as_it_was() -> None:
    assert load("seed=1", "seed=2").seed == 2
    assert "seed" not in SPEC


def test_entries_of_lists_can_be_replaced() -> None:
    base = {"source": ["a.csv", "b.csv"], "label": "y"}
    assert load("data.source.1=c.csv", data=base).data.source == ("a.csv", "c.csv")
    with pytest.raises(InvalidInput, match=r"--set: data.source.2: `data.source` is a list of 2"):
        load("data.source.2=c.csv", data=base)


@pytest.mark.parametrize(
    ("override", "fragments"),
    [
        ("modle.width=3", ["--set: modle: is no known key", "Did you mean `model`?"]),
        ("training.lr=0.1", ["--set: training.lr", "Did you mean `learning_rate`?"]),
        ("epochs=3", ["--set: epochs: is no known key", "`training.epochs`"]),
        ("training.epochs=many", ["--set: training.epochs: 'many'", "auto or a whole number from 1"]),
        ("training.epochs=[1", ["--set: training.epochs", "not closed"]),
        ("seed", ["--set: 'seed' is no setting", "--set path=value"]),
        ("=3", ["--set: '=3' is no setting"]),
        ("a..b=3", ["--set: 'a..b=3' is no setting"]),
        ("seed.x=3", ["--set: seed: a mapping is not allowed"]),
        ("data.label=null", ["--set: data.label: is missing"]),
        ("task=regression\n---\n", ["second document"]),
    ],
)
def test_a_wrong_setting_is_blamed_on_the_command_line(override: str, fragments: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(override)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_settings_and_file_are_blamed_apart(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text("name: x\ndata: {source: a.csv, label: y}\nsede: 1\n")
    with pytest.raises(InvalidInput) as caught:
        load_project(tmp_path, overrides=["seed=x"])
    assert [(wrong.file, wrong.line, wrong.where) for wrong in caught.value.problems] == [
        ("project.yaml", 3, "sede"), ("--set", None, "seed"),
    ]  # fmt: skip


def test_lines_mark_what_was_set(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text("name: x\ndata: {source: a.csv, label: y}\nseed: 1\n")
    project = load_project(tmp_path, overrides=["seed=2"])
    assert project.problem("seed", "odd").file == "--set"
    assert project.problem("data.label", "odd").line == 2
