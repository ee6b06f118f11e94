"""What project.yaml can hold, read from the models: the forms of each field, in words and as rows for the docs.

A *form* is one way to write a field: `training.batch_size` has two, a word (auto, full) and a whole number. Messages,
``--set``, the reference and the JSON Schema all ask here, so a new key is described once, beside its type.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from mlproj.spec.base import Spec, Words
from mlproj.spec.project import Project


class Form(NamedTuple):
    """One way to write a field: its type (without `Annotated` and unions) and the rules that bind it."""

    type: Any
    rules: tuple[Any, ...] = ()

    @property
    def is_spec(self) -> bool:
        """Whether it is a mapping with keys of its own."""
        return isinstance(self.type, type) and issubclass(self.type, Spec)

    @property
    def is_container(self) -> bool:
        """Whether it is a mapping or a list."""
        return self.is_spec or get_origin(self.type) in (dict, tuple)


class Row(NamedTuple):
    """One key of project.yaml, for the reference."""

    path: str
    type: str
    default: str
    description: str


ROOT = (Form(Project),)


def forms_of(annotation: Any, rules: Sequence[Any] = ()) -> tuple[Form, ...]:
    """The forms of an annotation.

    Example:
        >>> [form.type for form in forms_of(int | None)]
        [<class 'int'>, <class 'NoneType'>]
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extra = get_args(annotation)
        return forms_of(inner, (*rules, *extra))
    if origin in (Union, UnionType):
        return tuple(form for part in get_args(annotation) for form in forms_of(part, rules))
    flat = [part for rule in rules for part in (rule.metadata if isinstance(rule, FieldInfo) else (rule,))]
    return (Form(NoneType if annotation is None else annotation, tuple(flat)),)


def forms_of_field(field: FieldInfo) -> tuple[Form, ...]:
    """The forms of a model's field; null is none of them where leaving the key out says the same."""
    forms = forms_of(field.annotation, field.metadata)
    return tuple(form for form in forms if form.type is not NoneType) if field.default is None else forms


def specs_of(forms: Sequence[Form], data: Any = None) -> tuple[type[Spec], ...]:
    """The models among forms; where `data` names a known `kind`, only that one.

    Example:
        >>> [spec.__name__ for spec in specs_of(forms_at(("model",)), {"kind": "linear"})]
        ['Linear']
    """
    specs = tuple(form.type for form in forms if form.is_spec)
    kind = data.get("kind") if isinstance(data, Mapping) else None
    chosen = tuple(spec for spec in specs if isinstance(kind, str) and kind in kinds_of((Form(spec),)))
    return chosen or specs


def kinds_of(forms: Sequence[Form]) -> dict[str, type[Spec]]:
    """The models among forms that are told apart by `kind`."""
    specs = [form.type for form in forms if form.is_spec and "kind" in form.type.model_fields]
    return {get_args(spec.model_fields["kind"].annotation)[0]: spec for spec in specs}


def step(forms: Sequence[Form], key: str, data: Any = None) -> tuple[Form, ...]:
    """The forms one key further in; empty where there is no such key.

    Args:
        forms: The forms of a place.
        key: A key, or an index as text.
        data: What is written at that place; its `kind` chooses among models.
    """
    further: list[Form] = []
    for spec in specs_of(forms, data):
        if key in spec.model_fields:
            further += forms_of_field(spec.model_fields[key])
    for form in forms:
        origin = get_origin(form.type)
        if origin is dict:
            further += forms_of(get_args(form.type)[1])
        elif origin is tuple and key.isdecimal():
            further += forms_of(get_args(form.type)[0])
        elif form.type is Any:
            further.append(form)
    return tuple(further)


def forms_at(path: Sequence[str], data: Any = None) -> tuple[Form, ...]:
    """The forms of a path, given what the project says so far.

    Example:
        >>> say(forms_at(("training", "batch_size")))
        'auto, full or a whole number from 1 to 1,000,000,000'
    """
    forms: tuple[Form, ...] = ROOT
    for key in path:
        forms = step(forms, key, data)
        data = child(data, key)
    return forms


def child(data: Any, key: str) -> Any:
    """What stands under a key or index; None when nothing does."""
    if isinstance(data, Mapping):
        return data.get(key)
    if isinstance(data, list | tuple) and key.isdecimal() and int(key) < len(data):
        return data[int(key)]
    return None


def reach(data: Any, path: Sequence[str]) -> Any:
    """What stands at a path; None when nothing does.

    Example:
        >>> reach({"data": {"extra": ["a.csv"]}}, ("data", "extra", "0"))
        'a.csv'
    """
    for key in path:
        data = child(data, key)
    return data


def say(forms: Sequence[Form]) -> str:
    """What is allowed, in words.

    Example:
        >>> say(forms_at(("training", "early_stopping")))
        'a mapping {patience} or null'
    """
    kinds = kinds_of(forms)
    of_kind = f"a mapping with `kind` {either(list(kinds))}"
    phrases = [[of_kind] if form.type in kinds.values() else _phrases(form) for form in forms]
    return either(list(dict.fromkeys(phrase for some in phrases for phrase in some)))


def either(words: Sequence[str]) -> str:
    """Words as a choice.

    Example:
        >>> either(["linear", "mlp", "cnn"])
        'linear, mlp or cnn'
    """
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def options_of(forms: Sequence[Form]) -> tuple[str, ...]:
    """The single words that are allowed."""
    phrases = [phrase for form in forms for phrase in _phrases(form) if get_origin(form.type) is Literal or form.rules]
    return tuple(phrase for phrase in phrases if " " not in phrase)


def _phrases(form: Form) -> list[str]:
    words = [phrase for rule in form.rules if isinstance(rule, Words) for phrase in rule.phrases]
    if words:
        return words
    origin, inner = get_origin(form.type), get_args(form.type)
    if origin is Literal:
        return [str(word) for word in inner]
    if form.is_spec:
        keys = list(form.type.model_fields)
        return [f"a mapping {{{', '.join(keys if len(keys) <= 7 else [*keys[:4], '…'])}}}"]
    if origin is dict:
        return [f"a mapping of names to {say(forms_of(inner[1]))}"]
    if origin is tuple:
        return [f"a list, each {say(forms_of(inner[0]))}"]
    plain = {str: "text", bool: "true or false", NoneType: "null"}
    return [plain[form.type] if form.type in plain else _number(form)]


def _number(form: Form) -> str:
    bounds = {
        name: getattr(rule, name) for rule in form.rules for name in ("ge", "gt", "le", "lt") if hasattr(rule, name)
    }
    low = f" from {bounds['ge']:,}" if "ge" in bounds else f" above {bounds['gt']:,}" if "gt" in bounds else ""
    high = f" to {bounds['le']:,}" if "le" in bounds else f" to below {bounds['lt']:,}" if "lt" in bounds else ""
    return f"a {'whole ' if form.type is int else ''}number{low}{high}"


@cache
def reference_rows() -> tuple[Row, ...]:
    """Every key of project.yaml with its type in words, its default and its description, in the order of the models.

    Example:
        >>> next(row for row in reference_rows() if row.path == "training.epochs")
        Row(path='training.epochs', type='auto or a whole number from 1 to 1,000,000,000', default='auto', ...)
    """
    return tuple(_rows(ROOT, ""))


def describe(path: str) -> str:
    """The description of a key.

    Example:
        >>> describe("data.id")
        "Column that names each example once; without it a hash of the row's features serves."
    """
    return next((row.description for row in reference_rows() if row.path == path), "")


def _rows(forms: Sequence[Form], path: str) -> Iterator[Row]:
    seen: set[str] = set()
    kinds = kinds_of(forms)
    if len(kinds) > 1:
        yield _kind_row(kinds, f"{path}kind")
        seen.add("kind")
    for spec in specs_of(forms):
        for name, field in spec.model_fields.items():
            if name in seen:
                continue
            owners = [kind for kind, other in kinds.items() if name in other.model_fields]
            yield _field_row(field, f"{path}{name}", owners if len(kinds) > 1 else [])
            yield from _rows(_inside(forms_of_field(field)), f"{path}{name}.")
            seen.add(name)


def _inside(forms: Sequence[Form]) -> tuple[Form, ...]:
    """The models that a field can hold, also as the entries of a list; those of a mapping say themselves in words."""
    entries = [item for form in forms if get_origin(form.type) is tuple for item in forms_of(get_args(form.type)[0])]
    return tuple({form.type: Form(form.type) for form in (*forms, *entries) if form.is_spec}.values())


def _kind_row(kinds: Mapping[str, type[Spec]], path: str) -> Row:
    meanings = [f"{kind}: {_clean(spec.model_fields['kind'].description)}" for kind, spec in kinds.items()]
    return Row(path, either(list(kinds)), next(iter(kinds)), " ".join(meanings))


def _field_row(field: FieldInfo, path: str, kinds: Sequence[str]) -> Row:
    default = "required" if field.is_required() else show_default(field.get_default(call_default_factory=True))
    prefix = f"{', '.join(kinds)}: " if kinds else ""
    return Row(path, say(forms_of_field(field)), default, prefix + _clean(field.description))


def show_default(value: Any) -> str:
    """A default value as it would be written; empty for none and for whole sections."""
    if isinstance(value, Spec):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or value in ((), {}) else str(value)


def _clean(text: str | None) -> str:
    return " ".join((text or "").split())
