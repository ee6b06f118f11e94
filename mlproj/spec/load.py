r"""From project.yaml to `Project`: read, apply ``--set``, validate, and report every problem in one go.

Example:
    >>> parse_project("name: flowers\ndata: {source: 'sklearn:iris'}\n").data.source
    'sklearn:iris'
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlproj.errors import InvalidInput, Problem
from mlproj.spec.base import Spec
from mlproj.spec.fields import ROOT
from mlproj.spec.messages import show
from mlproj.spec.overrides import apply_overrides
from mlproj.spec.project import Origin, Project
from mlproj.spec.space import space_flaws
from mlproj.spec.validation import complete, validate
from mlproj.spec.yaml import Document, read_yaml, read_yaml_file

FILE = "project.yaml"
_INIT = "`mlproj init` writes one; `mlproj --project PATH` names another."


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
    data = complete(data | ({} if name is None else {"name": name}), ROOT)
    project, flaws = validate(data)
    flaws += space_flaws(project, frozenset(flaw.path for flaw in flaws)) if project else []
    problems += wrong
    for flaw in flaws:
        problem = origin.problem(".".join(flaw.path), flaw.message, flaw.hint)
        is_name = name is not None and flaw.path == ("name",)
        problems.append(Problem("", flaw.message, flaw.hint, "--name") if is_name else problem)
    if problems or project is None:
        raise InvalidInput(sorted(problems, key=lambda problem: (problem.file.startswith("--"), problem.line or 0)))
    return project.located(origin)
