"""Plain data against the models: the project that it declares, or everything that is wrong with it."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from mlproj.spec.checks import check
from mlproj.spec.fields import Form, forms_at, kinds_of, reach, specs_of, step
from mlproj.spec.guess import meant
from mlproj.spec.messages import Flaw, Path, explain
from mlproj.spec.project import Project

_MINIMAL: dict[Path, Any] = {
    ("name",): "x",
    ("data",): {"source": "sklearn:x"},
    ("data", "source"): "sklearn:x",
}
"""What stands in for required keys, so that the rest can be checked although they are wrong or missing."""


def complete(data: Any, forms: Sequence[Form]) -> Any:
    """Takes sections that are left empty as left out, and a missing `kind` as the default one.

    Args:
        data: What stands at a place.
        forms: The forms of that place.
    """
    if isinstance(data, list):
        return [complete(entry, step(forms, str(index), data)) for index, entry in enumerate(data)]
    if not isinstance(data, dict):
        return data
    defaults = {name: field.default for spec in specs_of(forms, data) for name, field in spec.model_fields.items()}
    done: dict[str, Any] = {}
    for key, value in data.items():
        inner = step(forms, key, data)
        takes_null = any(form.type is type(None) for form in inner)
        if value is None and key in defaults and not takes_null and any(form.is_container for form in inner):
            continue
        is_of_kinds = isinstance(value, dict) and len(kinds_of(inner)) > 1
        done[key] = complete({"kind": defaults[key].kind} | value if is_of_kinds else value, inner)
    return done


def validate(data: dict[str, Any]) -> tuple[Project | None, list[Flaw]]:
    """The project and all its flaws: those of single fields, and what the sound fields say to each other.

    Pydantic stops before the checks of a section when one of its keys is wrong, so wrong keys are taken away and the
    rest is looked at again.

    Args:
        data: What project.yaml says; wrong keys are mended in place.

    Returns:
        The project, flawed fields at their default (None when nothing could be made of it), and the flaws.
    """
    flaws: list[Flaw] = []
    for _ in range(10):
        try:
            project = Project.model_validate_json(json.dumps(data))
        except ValidationError as error:
            known = frozenset(flaw.path for flaw in flaws)
            found = explain(error, data)
            flaws += [flaw for flaw in found if not any(flaw.path[: len(path)] == path for path in known)]
            for flaw in found:
                _mend(data, flaw.path)
            continue
        flaws += check(project, frozenset(flaw.path for flaw in flaws))
        return project, flaws
    return None, flaws


def _mend(data: dict[str, Any], path: Path) -> None:
    """Takes a wrong value away; where it is required, an innocent one stands in for it."""
    if path[:2] == ("search", "space"):
        path = path[:3]  # half a range would be wrong once more
    kinds = kinds_of(forms_at(path[:-1], data)) if path[-1:] == ("kind",) else {}
    if len(kinds) > 1:
        section = reach(data, path[:-1])
        section["kind"] = meant(str(section["kind"]), kinds)
        if section["kind"]:
            return
        path = path[:-1]
    while path and path not in _MINIMAL:
        parent = reach(data, path[:-1])
        if isinstance(parent, dict) and path[-1] in parent:
            del parent[path[-1]]
            return
        path = path[:-1]
    if path:
        parent = data if len(path) == 1 else data.setdefault(path[0], {})
        parent[path[-1]] = _MINIMAL[path]
