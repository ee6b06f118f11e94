"""``--set path=value``: single keys changed on top of project.yaml or of a run's spec."""

from collections.abc import Mapping, Sequence
from typing import Any, get_origin

from mlproj.errors import Problem
from mlproj.spec.fields import Form, child, forms_at, kinds_of
from mlproj.spec.yaml import Document, read_yaml

SET = "--set"
_LONG_FORM = {"human_level": "error", "data.source": "path"}
"""Sections with a short form: the key that the short form stands for."""
_EITHER_OR: dict[str, tuple[frozenset[str], ...]] = {
    "model": (frozenset({"hidden"}), frozenset({"layers", "width"})),
    "human_level": (
        frozenset({"error"}),
        frozenset({"metric", "value"}),
        frozenset({"annotators", "metric", "label_is"}),
        frozenset({"experts"}),
    ),
    "data.weight": (frozenset({"column"}), frozenset({"where", "value"})),
}
"""Keys that exclude each other: setting one drops the others, which a resolved spec spells out."""
_SPACE = ("search", "space")
_INTERVAL = (frozenset({"n"}), frozenset({"half_width"}))


def apply_overrides(
    data: Any, lines: Mapping[str, int], overrides: Sequence[str]
) -> tuple[Any, dict[str, int], list[Problem]]:
    """Data with some keys set.

    Args:
        data: What the file or the run says; it is not changed.
        lines: Line of each dotted path in it.
        overrides: Texts such as ``training.epochs=20``; the value is read as in project.yaml, a list also as ``64,64``.

    Returns:
        The new data, the lines (0 for what was set here), and the problems.

    Example:
        >>> apply_overrides({"seed": 1}, {"seed": 1}, ["seed=2", "model.hidden=64,32"])[:2]
        ({'seed': 2, 'model': {'kind': 'mlp', 'hidden': [64, 32]}}, {'seed': 0, 'model': 0, 'model.hidden': 0})
    """
    data, lines, problems = _copy(data), dict(lines), list[Problem]()
    for text in overrides:
        path, equals, value = text.partition("=")
        keys = split_path(path)
        document = _read(value, forms_at(keys, data))
        if not equals or not all(keys):
            hint = "Write --set path=value, for example --set training.epochs=20."
            problems.append(Problem("", f"{text!r} is no setting", hint, SET))
        elif document.problems:
            for wrong in document.problems:
                problems.append(Problem(path.strip(), wrong.message, wrong.hint, SET))
        else:
            fault = set_key(data, lines, keys, _as_list(document.data, value, forms_at(keys, data)))
            problems += [Problem(path.strip(), fault, "", SET)] if fault else []
    return data, lines, problems


def split_path(path: str) -> tuple[str, ...]:
    """The keys of a dotted path; below `search.space` the rest is one key, which is itself a dotted path.

    Example:
        >>> split_path("search.space.training.learning_rate"), split_path("model.width")
        (('search', 'space', 'training.learning_rate'), ('model', 'width'))
    """
    keys = tuple(key.strip() for key in path.split("."))
    return (*_SPACE, ".".join(keys[2:])) if keys[:2] == _SPACE and len(keys) > 2 else keys


def set_key(root: Any, lines: dict[str, int], keys: tuple[str, ...], value: Any) -> str:
    """Sets one value in plain data, opening the sections above it and dropping what it contradicts.

    Args:
        root: The data, which is changed.
        lines: Line of each dotted path in it; what is set gets line 0 and is never dropped.
        keys: The path.
        value: The value.

    Returns:
        What is wrong, or nothing.

    Example:
        >>> data = {"model": {"kind": "mlp", "layers": 2, "width": 64}}
        >>> set_key(data, {}, ("model", "hidden"), [8, 4]), data
        ('', {'model': {'kind': 'mlp', 'hidden': [8, 4]}})
    """
    place: Any = root
    for depth, key in enumerate(keys[:-1], 1):
        inner = child(place, key)
        if not isinstance(inner, dict | list):
            inner = _opened(keys[:depth], inner, root)
            if not _put(place, key, inner):
                return _no_entry(place, keys[: depth - 1], key)
            lines.setdefault(".".join(keys[:depth]), 0)
        place = inner
    if isinstance(place, dict):
        _drop_rivals(place, lines, keys, value, root)
    _forget(lines, ".".join(keys))
    lines[".".join(keys)] = 0
    return "" if _put(place, keys[-1], value) else _no_entry(place, keys[:-1], keys[-1])


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list | tuple) else value


def _read(text: str, forms: Sequence[Form]) -> Document:
    """The value; what is no YAML is text where text is asked for, as in ``metric.satisfy.recall=>= 0.9``."""
    document = read_yaml(text)
    is_text = any(form.type in (str, Any) for form in forms)
    return Document(text.strip(), {}, ()) if document.problems and is_text else document


def _as_list(value: Any, text: str, forms: Sequence[Form]) -> Any:
    """``64,64`` as a list, and ``64`` too where the field takes nothing but lists; quotes keep a comma as it is."""
    lists = [form for form in forms if get_origin(form.type) is tuple]
    if not lists or not isinstance(value, str | int | float):
        return value
    if isinstance(value, str) and "," in value and not text.lstrip().startswith(("'", '"')):
        entries = read_yaml(f"[{value}]")
        return value if entries.problems else entries.data
    return [value] if len(lists) == len(forms) else value


def _put(place: Any, key: str, value: Any) -> bool:
    """Whether the place could take the value."""
    if isinstance(place, dict):
        place[key] = value
        return True
    if key.isdecimal() and int(key) < len(place):
        place[int(key)] = value
        return True
    return False


def _no_entry(place: list[Any], path: tuple[str, ...], key: str) -> str:
    return f"`{'.'.join(path)}` is a list of {len(place)}, counted from 0; it has no entry {key!r}"


def _opened(path: tuple[str, ...], value: Any, root: Any) -> dict[str, Any]:
    """A section that can be written into, in place of nothing or of its short form."""
    short = _LONG_FORM.get(".".join(path))
    if value is not None and short:
        return {short: value}
    default = _default_kind(path, root)
    return {"kind": default} if default else {}


def _default_kind(path: tuple[str, ...], root: Any) -> str | None:
    kinds = kinds_of(forms_at(path, root))
    return next(iter(kinds)) if len(kinds) > 1 else None


def _drop_rivals(place: dict[str, Any], lines: dict[str, int], keys: tuple[str, ...], value: Any, root: Any) -> None:
    """Takes away what the new value contradicts, unless it was set on the command line as well."""
    section, key = ".".join(keys[:-1]), keys[-1]
    rivals: set[str] = set()
    if key == "kind":
        kinds = kinds_of(forms_at(keys[:-1], root))
        if isinstance(value, str) and value in kinds:
            known = {name for spec in kinds.values() for name in spec.model_fields}
            rivals = known - set(kinds[value].model_fields)
    groups = [_EITHER_OR.get(section, ()), _INTERVAL if section == "human_level" else ()]
    for group in groups:
        if any(key in some for some in group) and value is not None:
            rivals |= {name for some in group if key not in some for name in some}
    for name in rivals & set(place):
        path = f"{section}.{name}"
        if lines.get(path) != 0:
            del place[name]
            _forget(lines, path)


def _forget(lines: dict[str, int], path: str) -> None:
    for known in [known for known in lines if known == path or known.startswith(f"{path}.")]:
        del lines[known]
