"""Problems in plain words: place, value found, what is allowed, *did you mean*, next step.

Pydantic finds the problems; the sentences are made here, from the forms that a field allows.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mlproj.spec.fields import (
    ROOT,
    Form,
    child,
    describe,
    either,
    forms_at,
    forms_of,
    kinds_of,
    options_of,
    reach,
    reference_rows,
    say,
    specs_of,
    step,
)
from mlproj.spec.goal import LOSSES
from mlproj.spec.guess import KEYS_ELSEWHERE, closest, meant, same, snake

Path = tuple[str, ...]
_EXAMPLES = {
    "name": "name: flowers",
    "data": "data: {source: flowers.csv, label: kind}",
    "data.source": "source: flowers.csv",
}
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class Flaw(NamedTuple):
    """A problem before it knows its file and line."""

    path: Path
    message: str
    hint: str = ""


def explain(error: ValidationError, data: Any) -> list[Flaw]:
    """All that pydantic found, one flaw per place.

    Args:
        error: What validation raised.
        data: What was validated, as plain dicts and lists.
    """
    flaws: dict[Path, Flaw] = {}
    for detail in error.errors(include_url=False):
        path = place(detail["loc"], data, is_unknown=detail["type"] == "extra_forbidden")
        flaws.setdefault(path, _flaw(detail, path, data))
    return list(flaws.values())


def place(loc: Sequence[str | int], data: Any, *, is_unknown: bool = False) -> Path:
    """Where an error lies in the document: pydantic's location without the names of the forms it tried.

    Args:
        loc: The location.
        data: The document.
        is_unknown: Whether the last part is a key that no form knows.

    Example:
        >>> place(("model", "mlp", "widht"), {"model": {"kind": "mlp", "widht": 3}}, is_unknown=True)
        ('model', 'widht')
    """
    path: list[str] = []
    forms: tuple[Form, ...] = ROOT
    is_tag_due = False
    for depth, part in enumerate(map(str, loc), 1):
        known, is_tag, is_tag_due = step(forms, part, data), is_tag_due, False
        is_written = isinstance(data, list) or (isinstance(data, Mapping) and part in data)
        is_form = part.startswith(("(", "[")) and not is_written
        if is_tag or is_form or not (known or (is_unknown and depth == len(loc))):
            continue
        path.append(part)
        forms, data = known, child(data, part)
        is_tag_due = len(kinds_of(forms)) > 1
    return tuple(path)


def show(value: Any) -> str:
    """A value as its author would recognise it.

    Example:
        >>> show("adm"), show(None), show([1, 2]), show({"a": 1})
        ("'adm'", 'null', '[1, 2]', 'a mapping')
    """
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:59]}…")
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        text = json.dumps(value, ensure_ascii=False, default=str)
        return text if len(text) <= 40 else f"a list of {len(value)}"
    if isinstance(value, float) and value - value != 0:
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def unknown_key(path: Path, data: Any) -> Flaw:
    """A key that project.yaml does not know, with what was probably meant.

    Example:
        >>> unknown_key(("learning_rate",), {"learning_rate": 0.1}).hint
        'It belongs under `training`: `training.learning_rate`.'
    """
    *above, key = path
    parent, forms = reach(data, above), forms_at(above, data)
    siblings = [name for spec in specs_of(forms, parent) for name in spec.model_fields]
    kind, kinds = child(parent, "kind"), kinds_of(forms)
    owners = [other for other, spec in kinds.items() if key in spec.model_fields]
    if owners:
        hint = f"It belongs to kind {either(owners)}: change `kind`, or leave the key out."
        return Flaw(path, f"is no key of kind {kind}", hint)
    if key in siblings:  # of another form than the one that the other keys speak of
        return Flaw(path, "does not go with its other keys", f"Write {say(forms)}.")
    near = same(key, siblings) or _key_elsewhere(key, siblings) or closest(key, siblings)
    if near:
        return Flaw(path, "is no known key", f"Did you mean `{near}`?")
    return Flaw(path, "is no known key", _elsewhere(key) or f"Known keys here: {', '.join(dict.fromkeys(siblings))}.")


def _flaw(detail: ErrorDetails, path: Path, data: Any) -> Flaw:
    match detail["type"]:
        case "extra_forbidden":
            return unknown_key(path, data)
        case "missing":
            key = ".".join(path)
            hint = f"For example `{_EXAMPLES[key]}`." if key in _EXAMPLES else describe(key)
            return Flaw(path, f"is missing; write {say(forms_at(path, data))}", hint)
        case "value_error":
            return Flaw(path, str(detail["msg"]).removeprefix("Value error, "))
        case "union_tag_invalid":
            path = (*path, "kind") if len(kinds_of(forms_at(path, data))) > 1 else path
    value = reach(data, path)
    names = [get_args(form.type)[0] for form in forms_at(path[:-1], data) if get_origin(form.type) is dict]
    if detail["loc"][-1:] == ("[key]",) and names:
        return _unknown_name(path, forms_of(names[0]))
    forms = forms_at(path, data)
    return Flaw(path, f"{show(value)} is not allowed; write {say(forms)}", _hint(path, value, forms))


def _unknown_name(path: Path, forms: Sequence[Form]) -> Flaw:
    """A name in a mapping that only takes certain names, as `metric.satisfy` does."""
    message = f"{show(path[-1])} is not allowed as a name; write {say(forms)}"
    return Flaw(path, message, _meant(path[-1], options_of(forms)))


def _key_elsewhere(key: str, siblings: Sequence[str]) -> str:
    """The sibling that other tools call by this key."""
    name = KEYS_ELSEWHERE.get(snake(key), "").rpartition(".")[2]
    return name if name in siblings else ""


def _elsewhere(key: str) -> str:
    """Where in the whole file a key belongs."""
    if key == "<<":
        return "Merge keys do not exist in YAML 1.2: write the keys out."
    paths = [row.path for row in reference_rows() if "." in row.path and not row.path.endswith(".kind")]
    top = [row.path for row in reference_rows() if "." not in row.path]
    names = {path.rpartition(".")[2]: path for path in reversed(paths)} | {name: name for name in top}
    found = names.get(same(key, names)) or KEYS_ELSEWHERE.get(snake(key)) or names.get(closest(key, names))
    if not found:
        return ""
    section = found.rpartition(".")[0]
    return f"It belongs under `{section}`: `{found}`." if section else f"It belongs to the top level: `{found}`."


def _hint(path: Path, value: Any, forms: Sequence[Form]) -> str:
    """The next step for a value of the wrong kind."""
    types = {form.type for form in forms}
    if "satisfy" in path and isinstance(value, int | float):
        return f'Write "{"<=" if path[-1] in LOSSES else ">="} {value}".'
    if value is None:
        kind = next(iter(kinds_of(forms)), "")
        return f"Write {{kind: {kind}}}." if kind else "Leave the key out for its default."
    if isinstance(value, Mapping | list):
        return ""
    if isinstance(value, str) and value in kinds_of(forms):
        return f"Write {{kind: {value}}}."
    if isinstance(value, str) and _meant(value, options_of(forms)):
        return _meant(value, options_of(forms))
    return _hint_for_type(value, types)


def _hint_for_type(value: str | bool | float, types: set[Any]) -> str:
    is_text = isinstance(value, str)
    if any(get_origin(kind) is tuple for kind in types) and not types & {str, int, float}:
        return f"Write it as a list: [{value if is_text else show(value)}]."
    if isinstance(value, str):
        return _hint_for_text(value, types)
    if str in types and (isinstance(value, bool) or not types & {int, float}):
        return f'Put it in quotes: "{show(value)}".'
    return f"Write {value:.0f}." if int in types and isinstance(value, float) and value.is_integer() else ""


def _hint_for_text(value: str, types: set[Any]) -> str:
    text = value.strip()
    if bool in types and text.lower() in ("yes", "on", "no", "off", "true", "false"):
        return f"Write {'true' if text.lower() in ('yes', 'on', 'true') else 'false'}, without quotes."
    if not types & {int, float}:
        return ""
    if _NUMBER.fullmatch(text):
        return f"Leave the quotes out: {text}."
    if text.endswith("%") and _NUMBER.fullmatch(text[:-1].strip()):
        return f"Write {text} as {float(text[:-1]) / 100:g}."
    joined = re.sub(r"[_ ]|,(?=[0-9]{3}(?:,|$))", "", text).replace(",", ".")
    return f"Write {joined}." if _NUMBER.fullmatch(joined) else ""


def _meant(word: str, options: Sequence[str]) -> str:
    found = meant(word, options)
    return f"Did you mean `{found}`?" if found else ""
