"""The JSON Schema of project.yaml, for editors and other tools."""

from typing import Any

from mlproj.spec.fields import forms_at, kinds_of
from mlproj.spec.project import Project


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of project.yaml, descriptions included.

    Example:
        >>> json_schema()["properties"]["task"]["enum"]
        ['classification', 'regression']
    """
    schema = _clean(Project.model_json_schema(by_alias=True))
    for section in (("model",), ("training", "schedule")):
        _, *others = kinds_of(forms_at(section)).values()
        for spec in others:
            _require(schema["$defs"][spec.__name__], "kind")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "project.yaml",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _require(definition: dict[str, Any], key: str) -> None:
    """Makes a key required: only one member of a union can be chosen by saying nothing."""
    definition["required"] = list(dict.fromkeys([key, *definition.get("required", [])]))
    definition["properties"][key].pop("default", None)


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """An optional field without its null: leaving the key out says the same."""
    options = [option for option in node["anyOf"] if option != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**options[0], **rest} if len(options) == 1 else {"anyOf": options, **rest}


def _clean(node: Any, *, is_properties: bool = False) -> Any:
    """Takes away what says nothing: generated titles, null, section defaults, line breaks in descriptions."""
    if isinstance(node, list):
        return [_clean(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    if is_properties:
        return {key: _clean(value) for key, value in node.items()}
    if "anyOf" in node and node.get("default", 0) is None:
        node = _without_null(node)
    kept: dict[str, Any] = {}
    for key, value in node.items():
        if key == "description":
            kept[key] = " ".join(value.split())
        elif key in ("title", "discriminator") or (key == "default" and (value is None or isinstance(value, dict))):
            continue
        elif key in ("default", "enum", "const", "required"):
            kept[key] = value
        else:
            kept[key] = _clean(value, is_properties=key in ("properties", "$defs"))
    return kept
