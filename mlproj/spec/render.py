"""From `Project` back to text: resolved YAML, tracking parameters, a hash.

Example:
    >>> project = Project(name="flowers", data={"source": "sklearn:iris"})
    >>> print(to_yaml(project).splitlines()[0], flatten(project)["training.optimizer"])
    name: flowers adam
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, get_args

from mlproj.spec.base import Spec
from mlproj.spec.model import Value
from mlproj.spec.project import Project
from mlproj.spec.yaml import plain_value

_PLAIN = re.compile(r"[^\W_0-9](?:(?:[\w ./=~()%+;-]|:(?=[\w/]))*[\w./=~()%+;-])?")
_WORDS_OF_OLD = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Quoted although YAML 1.2 reads them as text, because other tools still read them as true and false."""
_WHOLE = 10.0**15
"""From here on a whole number is no longer written digit by digit."""
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]")


def to_yaml(project: Project) -> str:
    """The whole spec as YAML, defaults written out; `load_project` reads it back to an equal project.

    Example:
        >>> print(to_yaml(Project(name="flowers", data={"source": "sklearn:iris"}))[:51])
        name: flowers
        seed: 0
        data:
          source: sklearn:iris
    """
    return "".join(f"{line}\n" for line in _block(resolved(project), ""))


def flatten(project: Project) -> dict[str, str]:
    """The spec as dotted paths and text, as a tracker stores it; what is not set is left out, lists are JSON.

    Example:
        >>> flatten(Project(name="x", data={"source": "a.csv", "label": ["cat", "dog"]}))["data.label"]
        '["cat", "dog"]'
    """
    return dict(_leaves(resolved(project), ""))


def spec_hash(project: Project) -> str:
    """SHA-256 of the spec: equal for equal projects, wherever they were read from.

    Example:
        >>> len(spec_hash(Project(name="x", data={"source": "a.csv", "label": "y"})))
        64
    """
    text = json.dumps(resolved(project), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def resolved(part: Spec) -> dict[str, Any]:
    """A spec as plain data, defaults written out, without what is empty by default; null stays where it says something.

    Example:
        >>> resolved(Project(name="x", data={"source": "sklearn:iris"}))["model"]["width"]
        64
    """
    dump: dict[str, Any] = {}
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if not (value == field.default and value in (None, (), {})):
            dump[name] = deepcopy(value) if Value in get_args(field.annotation) else _plain(value)
    return dump


def quote(text: str) -> str:
    r"""A text as a YAML 1.2 scalar, in quotes where it needs them.

    Example:
        >>> print(quote("app.csv"), quote("1e-5"), quote("yes"), quote("a: b"), quote("tab\t"))
        app.csv "1e-5" "yes" "a: b" "tab\t"
    """
    is_plain = _PLAIN.fullmatch(text) and plain_value(text) == text and text.lower() not in _WORDS_OF_OLD
    return text if is_plain else _UNPRINTABLE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return resolved(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, float) and value.is_integer() and 2 <= abs(value) < _WHOLE:
        return int(value)  # a count was asked for as `dev: 600`, and a rate below 2 reads better as 1.0
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def _block(section: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{quote(key)}:"
            yield from _block(value, f"{indent}  ")
        else:
            yield f"{indent}{quote(key)}: {_flow(value)}"


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quote(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return quote(value) if isinstance(value, str) else json.dumps(value)


def _leaves(section: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        elif isinstance(value, str):
            yield f"{path}{key}", value
        else:
            yield f"{path}{key}", json.dumps(value, ensure_ascii=False)
