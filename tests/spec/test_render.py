"""Project → YAML → Project is the identity; parameters and hashes follow from the same text."""

import json
from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.spec.base import Spec, Words
from mlproj.spec.fields import ROOT, Form, forms_of, forms_of_field, say
from mlproj.spec.goal import Expert, HumanLevel
from mlproj.spec.load import make_project, parse_project
from mlproj.spec.model import MLP
from mlproj.spec.project import Project
from mlproj.spec.render import flatten, quote, spec_hash, to_yaml
from mlproj.spec.training import Training
from mlproj.spec.yaml import read_yaml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
PLAIN = {str: TEXTS, bool: st.booleans(), type(None): st.none(), Any: TEXTS | st.integers() | st.lists(st.booleans())}
RULED = {
    "a condition such as kind == 'adult'": st.sampled_from(["a > 1", "`b c` == 'x: y'", "not d", "e in [1, 'f']"]),
    'a limit such as ">= 0.95" or "<= 20"': st.sampled_from([">= 0.95", "<= 20", "> 1e-3", "< 5 %"]),
    "auto": st.sampled_from(["auto", "cpu", "cuda:1", "mps"]),
    "package.module:Name": st.sampled_from(["nets:Net", "a.b_c:D.make", "größe:Netz"]),
    "python:module:function": st.sampled_from(["python:losses:focal", "python:a.b:c"]),
    "text of at most": TEXTS.map(lambda text: "n" + "".join(c for c in text if c.isalnum() or c in " -_(é€)") + "."),
}
"""Texts that obey more than their type says, by the beginning of what their rule says in words."""


def _values(form: Form) -> st.SearchStrategy[Any]:
    """Values of one form, drawn from its type and rules."""
    origin, inner = get_origin(form.type), get_args(form.type)
    ruled = [values for words, values in RULED.items() if say([form]).startswith(words) and form.type is str]
    if ruled:
        return ruled[0]
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is dict:
        is_open = not any(isinstance(rule, Words) for key in forms_of(inner[0]) for rule in key.rules)
        names = ["a", "yes", *(["1", "b: c"] if is_open else ["größe"])]
        known = [word for key in forms_of(inner[0]) for word in get_args(key.type)]
        return st.dictionaries(st.sampled_from(known or names), _any(forms_of(inner[1])), max_size=3)
    if origin is tuple:
        n = len(inner) if inner[-1] is not Ellipsis else None  # a pair, or as many as one likes
        return st.lists(_any(forms_of(inner[0])), min_size=n or 1, max_size=n or 3)
    if form.is_spec:
        return _sections(form.type)
    return PLAIN[form.type] if form.type in PLAIN else _numbers(form)


def _numbers(form: Form) -> st.SearchStrategy[float]:
    bounds = {
        name: getattr(rule, name) for rule in form.rules for name in ("ge", "gt", "le", "lt") if hasattr(rule, name)
    }
    low, high = bounds.get("ge", bounds.get("gt", -(2**70))), bounds.get("le", bounds.get("lt", 2**70))
    if form.type is int:
        return st.integers(low, high)
    floats = st.floats(low, high, exclude_min="gt" in bounds, exclude_max="lt" in bounds)
    return floats | st.integers(2, 1000) if high > 1000 else floats


def _any(forms: tuple[Form, ...]) -> st.SearchStrategy[Any]:
    return st.one_of([_values(form) for form in forms])


def _sections(spec: Any) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: _any(forms_of_field(field)) for name, field in spec.model_fields.items()}
    needed = {name for name, field in spec.model_fields.items() if field.is_required() or name == "kind"}
    drawn = st.fixed_dictionaries(
        {name: value for name, value in fields.items() if name in needed},
        optional={name: value for name, value in fields.items() if name not in needed},
    )
    return drawn.map(lambda section: _consistent(spec, section))


def _consistent(spec: type[Spec], section: dict[str, Any]) -> dict[str, Any]:
    """A section without the few pairs of keys that exclude each other."""
    dropped: dict[type[Spec], tuple[str, ...]] = {
        MLP: ("layers", "width") if "hidden" in section else (),
        HumanLevel: ("metric", "value", "half_width", "annotators", "label_is", "experts"),
        Expert: ("error", "errors"),
    }
    if str(section.get("loss")).startswith("python:"):
        dropped[Training] = ("label_smoothing",)
    kept = {name: value for name, value in section.items() if name not in dropped.get(spec, ())}
    defaults: dict[type[Spec], dict[str, Any]] = {HumanLevel: {"error": 0.1}, Expert: {"errors": 0}}
    return defaults.get(spec, {}) | kept


PROJECTS = _values(ROOT[0])


@given(PROJECTS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
def test_project_to_yaml_to_project_is_the_identity(content: dict[str, Any]) -> None:
    project = Project.model_validate_json(json.dumps(content))
    document = read_yaml(to_yaml(project))
    assert not document.problems
    again = Project.model_validate_json(json.dumps(document.data))
    assert again == project
    assert spec_hash(again) == spec_hash(project)
    assert flatten(again) == flatten(project)


FULL = """\
name: Größe (v1.2)
about: "Which: photos # show a cat?"
task: classification
seed: 7
data:
  source: [app.csv, {path: all.parquet, where: "origin == 'phone'"}]
  extra: [web.csv]
  label: is_cat
  positive: "yes"
  id: image_id
  group: user_id
  time: taken_at
  columns: {zip: category, signup: {date: "%d/%m/%Y"}, "on": boolean}
  exclude: [cancel_reason]
  weight: {where: "kind == 'adult'", value: 10}
splits: {dev: 2024-03-01, test: 2024-04-01, train_dev: 0.1}
human_level: {error: 0.01, n: 500, on: training, by: three radiologists}
metric: {optimize: f1, satisfy: {recall: ">= 0.95", latency_ms: "<= 20"}, threshold: 0.4}
model: {kind: mlp, hidden: [64, 32], activation: tanh, dropout: 0.1, batch_norm: true, init: glorot}
training:
  optimizer: adamw
  learning_rate: 1e-5
  batch_size: full
  schedule: {kind: cosine, warmup: 0.1}
  class_weight: {"yes": 8}
  early_stopping: null
"""


def test_a_full_project_reads_back_equal() -> None:
    project = parse_project(FULL)
    assert parse_project(to_yaml(project)) == project
    assert to_yaml(parse_project(to_yaml(project))) == to_yaml(project)


def test_the_resolved_text_spells_out_defaults_and_leaves_out_what_is_empty() -> None:
    text = to_yaml(make_project({"name": "x", "data": {"source": "sklearn:iris"}}))
    assert "  layers: 2\n  width: 64\n" in text
    assert "  early_stopping:\n    patience: 10\n" in text
    assert "extra" not in text
    assert "null" not in text


def test_parameters_are_dotted_paths() -> None:
    params = flatten(parse_project(FULL))
    assert params["training.learning_rate"] == "1e-05"
    assert params["model.hidden"] == "[64, 32]"
    assert params["data.columns.signup.date"] == "%d/%m/%Y"
    assert params["metric.satisfy.recall"] == ">= 0.95"
    assert params["model.batch_norm"] == "true"
    assert params["training.early_stopping"] == "null"
    assert json.loads(params["data.source"])[1] == {"path": "all.parquet", "where": "origin == 'phone'"}
    assert "human_level.half_width" not in params
    assert all(isinstance(value, str) for value in params.values())


def test_counts_and_round_figures_read_as_they_were_written() -> None:
    project = parse_project(
        "name: x\ndata: {source: a.csv, label: y}\nsplits: {dev: 600, test: 0.2}\nhuman_level: 21500\n"
    )
    params = flatten(project)
    assert (params["splits.dev"], params["splits.test"], params["human_level"]) == ("600", "0.2", "21500")
    assert (params["training.l2"], params["model.dropout"]) == ("0.0", "0.0")
    assert "  dev: 600\n" in to_yaml(project)


def test_the_hash_sees_every_value_but_not_how_it_was_written() -> None:
    short = parse_project("name: x\ndata: {source: a.csv, label: y}\n")
    long = parse_project("# a comment\ndata:\n  label: y\n  source: a.csv\nseed: 0\nname: 'x'\nmodel: {layers: 2}\n")
    assert spec_hash(short) == spec_hash(long)
    assert spec_hash(short) != spec_hash(short.changed(seed=1))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_quoting_as_value_key_and_entry(text: str) -> None:
    quoted = quote(text)
    assert read_yaml(f"key: {quoted}\n").data == {"key": text}
    assert read_yaml(f"{quoted}: [{quoted}, {{{quoted}: {quoted}}}]\n").data == {text: [text, {text: text}]}


@pytest.mark.parametrize(
    "text", ["1e-5", "yes", "null", "", " a", "a ", "12:30", "- a", "#a", "a #b", "0x1", "{a}", "a: b", "é\x85"]
)
def test_text_that_reads_as_something_else_is_quoted(text: str) -> None:
    assert quote(text).startswith('"')


@pytest.mark.parametrize("text", ["app.csv", "sklearn:iris", "three radiologists", "data/web.csv", "f1_macro", "Größe"])
def test_plain_text_stays_plain(text: str) -> None:
    assert quote(text) == text
