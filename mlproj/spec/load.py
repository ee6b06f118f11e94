r"""From project.yaml to `Project`: read, apply ``--set``, validate, and report every problem in one go.

Example:
    >>> parse_project("name: flowers\ndata: {source: 'sklearn:iris'}\n").data.source
    'sklearn:iris'
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlproj.errors import InvalidInput, Problem
from mlproj.spec.base import Spec
from mlproj.spec.checks import check
from mlproj.spec.fields import ROOT, Form, forms_at, kinds_of, reach, specs_of, step
from mlproj.spec.guess import meant
from mlproj.spec.messages import Flaw, explain, show
from mlproj.spec.messages import Path as Place
from mlproj.spec.overrides import apply_overrides
from mlproj.spec.project import Origin, Project
from mlproj.spec.yaml import Document, read_yaml, read_yaml_file

FILE = "project.yaml"
_INIT = "`mlproj init` writes one; `mlproj --project PATH` names another."
_MINIMAL: dict[Place, Any] = {
    ("name",): "x",
    ("data",): {"source": "sklearn:x"},
    ("data", "source"): "sklearn:x",
}
"""What stands in for required keys, so that the rest can be checked although they are wrong or missing."""


def load_project(
    path: str | Path = ".",
    *,
    overrides: Sequence[str] = (),
    base: Mapping[str, Any] | None = None,
    base_name: str = "",
    name: str | None = None,
) -> Project:
    """Read a project.yaml.

    Args:
        path: The file, or a folder that holds a project.yaml.
        overrides: Changes such as ``training.epochs=20``, as ``--set`` takes them.
        base: A run's resolved spec that replaces what the file says, as ``--like`` does.
        base_name: That run, for messages.
        name: Another name for the project.

    Returns:
        The project; it knows its file and lines.

    Raises:
        InvalidInput: With every problem of the file, its values and their contradictions.
    """
    file = find_file(Path(path), is_needed=base is None)
    document = read_yaml_file(file) if base is None else Document(dict(base), {}, ())
    calls_itself = "" if base is None else f"run {base_name}" if base_name else ""
    return _build(document, Origin(file, document.lines, calls_itself), overrides, name)


def parse_project(text: str, path: Path | None = None) -> Project:
    """Reads the text of a project.yaml.

    Args:
        text: YAML.
        path: The file that it stands for; relative paths start from its folder.

    Raises:
        InvalidInput: With every problem.
    """
    document = read_yaml(text)
    return _build(document, Origin(path, document.lines))


def make_project(content: Mapping[str, Any], path: Path | None = None) -> Project:
    """Makes a project from plain Python values, under the same rules as a project.yaml.

    Args:
        content: What project.yaml would say; lists and tuples, paths and NumPy numbers are welcome.
        path: The file that it stands for; relative paths start from its folder, else from the current one.

    Raises:
        InvalidInput: With every problem.

    Example:
        >>> make_project({"name": "flowers", "data": {"source": ["a.csv", "b.csv"], "label": "kind"}}).data.source
        ('a.csv', 'b.csv')
    """
    try:
        plain = json.loads(json.dumps(dict(content), default=_plain))
    except (TypeError, ValueError) as error:
        raise InvalidInput([Problem("", f"the project cannot be written down: {error}", "Use plain values.")]) from None
    return _build(Document(plain, {}, ()), Origin(path))


def find_file(path: Path, *, is_needed: bool = True) -> Path:
    """The project.yaml that a path means, as an absolute path.

    Args:
        path: A file, or a folder that holds a project.yaml.
        is_needed: Whether it must exist.

    Raises:
        InvalidInput: When there is none; it says what to do.
    """
    file = path / FILE if path.is_dir() or (not path.suffix and not path.exists()) else path
    if file.is_file() or not is_needed:
        return file.absolute()
    misspelled = file.with_suffix(".yml")
    hint = f"Rename {misspelled.name} to {FILE}." if path.is_dir() and misspelled.is_file() else _INIT
    where = f"folder {path} holds no {FILE}" if path.is_dir() else f"{path} does not exist"
    where = f"this folder holds no {FILE}" if path == Path() else where
    raise InvalidInput([Problem("", where, hint)])


def _plain(value: Any) -> Any:
    """A Python object as JSON would hold it."""
    if isinstance(value, Spec):
        return value.model_dump(mode="json")
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _build(document: Document, origin: Origin, overrides: Sequence[str] = (), name: str | None = None) -> Project:
    """The project, or all its problems."""
    problems = [Problem(wrong.where, wrong.message, wrong.hint, origin.file, wrong.line) for wrong in document.problems]
    if not isinstance(document.data, dict):
        fault = "is empty" if document.data is None else f"holds {show(document.data)}, no keys"
        hint = "Write at least `name: …` and `data: …`, or let `mlproj init` write it."
        raise InvalidInput(problems or [Problem("", fault, hint, origin.file)])
    data, lines, wrong = apply_overrides(document.data, document.lines, overrides)
    origin = Origin(origin.path, lines, origin.name)
    data = _complete(data | ({} if name is None else {"name": name}), ROOT)
    project, flaws = _validate(data)
    problems += wrong
    for flaw in flaws:
        problem = origin.problem(".".join(flaw.path), flaw.message, flaw.hint)
        is_name = name is not None and flaw.path == ("name",)
        problems.append(Problem("", flaw.message, flaw.hint, "--name") if is_name else problem)
    if problems or project is None:
        raise InvalidInput(sorted(problems, key=lambda problem: (problem.file.startswith("--"), problem.line or 0)))
    return project.located(origin)


def _complete(data: Any, forms: Sequence[Form]) -> Any:
    """Takes sections that are left empty as left out, and a missing `kind` as the default one."""
    if isinstance(data, list):
        return [_complete(entry, step(forms, str(index), data)) for index, entry in enumerate(data)]
    if not isinstance(data, dict):
        return data
    defaults = {name: field.default for spec in specs_of(forms, data) for name, field in spec.model_fields.items()}
    done: dict[str, Any] = {}
    for key, value in data.items():
        inner = step(forms, key, data)
        takes_null = any(form.type is type(None) for form in inner)
        if value is None and not takes_null and any(form.is_container for form in inner):
            continue
        is_of_kinds = isinstance(value, dict) and len(kinds_of(inner)) > 1
        done[key] = _complete({"kind": defaults[key].kind} | value if is_of_kinds else value, inner)
    return done


def _validate(data: dict[str, Any]) -> tuple[Project | None, list[Flaw]]:
    """The project, or all flaws: those of single fields, and what the sound fields say to each other.

    Pydantic stops before the checks of a section when one of its keys is wrong, so wrong keys are taken away and the
    rest is looked at again.
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
        return (None if flaws else project), flaws
    return None, flaws


def _mend(data: dict[str, Any], path: Place) -> None:
    """Takes a wrong value away; where it is required, an innocent one stands in for it."""
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
