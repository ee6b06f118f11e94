"""The JSON Schema: complete, closed and clean."""

import json
from collections.abc import Iterator
from typing import Any

from mlproj.spec.fields import reference_rows
from mlproj.spec.goal import CLASSIFICATION_METRICS
from mlproj.spec.project import Project
from mlproj.spec.schema import json_schema


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def test_it_is_titled_dialected_and_plain_json() -> None:
    schema = json_schema()
    assert schema["title"] == "project.yaml"
    assert schema["$schema"].endswith("2020-12/schema")
    assert json.loads(json.dumps(schema)) == schema
    assert schema["required"] == ["name", "data"]


def test_every_mapping_is_closed() -> None:
    objects = [node for node in nodes(json_schema()) if "properties" in node]
    assert len(objects) > 15
    assert all(node["additionalProperties"] is False for node in objects)


def test_every_key_is_described_in_one_line() -> None:
    schema = json_schema()
    for definition in [node for node in nodes(schema) if "properties" in node]:
        for name, field in definition["properties"].items():
            described = field if "description" in field else schema["$defs"][field["$ref"].removeprefix("#/$defs/")]
            assert described["description"], name
            assert "\n" not in described["description"], name


def test_choices_are_enums() -> None:
    schema = json_schema()
    assert schema["properties"]["task"]["enum"] == ["classification", "regression"]
    assert set(CLASSIFICATION_METRICS) < set(schema["$defs"]["MetricSpec"]["properties"]["optimize"]["enum"])


def test_only_the_default_kind_may_go_unnamed() -> None:
    definitions = json_schema()["$defs"]
    assert "kind" not in definitions["MLP"].get("required", [])
    assert "kind" not in definitions["Constant"].get("required", [])
    for name in ("Linear", "InverseTime", "Exponential", "InverseSqrt", "Staircase", "Cosine", "OneCycle"):
        assert "kind" in definitions[name]["required"]


def test_generated_noise_is_gone() -> None:
    for node in nodes(json_schema()):
        assert "discriminator" not in node
        assert node.get("default", 0) is not None
        assert {"type": "null"} not in node.get("anyOf", []) or "EarlyStopping" in str(node)


def test_every_reference_still_leads_somewhere() -> None:
    schema = json_schema()
    for node in nodes(schema):
        if "$ref" in node:
            assert node["$ref"].removeprefix("#/$defs/") in schema["$defs"]


def test_the_reference_has_a_row_for_every_key() -> None:
    rows = {row.path: row for row in reference_rows()}
    assert set(Project.model_fields) <= set(rows)
    assert all(row.type and row.description for row in rows.values())
    assert rows["data.source"].default == "required"
    assert rows["training.learning_rate"] == (
        "training.learning_rate", "a number above 0", "0.001", "Step size α₀, the first thing to tune.",
    )  # fmt: skip
    assert rows["model.kind"].type == "mlp, linear or python"
    assert rows["training.schedule.warmup"].description.startswith("cosine, one_cycle: ")
    assert rows["data.source.where"].type == "a condition such as kind == 'adult'"
