"""What a data file looks like before there is a project: what `mlproj init` writes is inferred here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mlproj.data.columns import Column
from mlproj.data.guess import infer_columns
from mlproj.data.people import find_annotators
from mlproj.data.sources import Reading, read_source
from mlproj.data.task import Task, infer_task, read_known
from mlproj.data.words import some_of, suggest
from mlproj.errors import InvalidInput, Problem
from mlproj.spec.data import Data
from mlproj.spec.project import Project

USUAL_LABELS: Final = ("label", "target", "y", "class")
"""Names that a column to predict often has, in the order of preference."""
_ID_ENDINGS: Final = ("id", "key", "uuid")
_GROUP_STARTS: Final = ("user", "patient", "customer", "subject", "device", "session")


@dataclass(frozen=True)
class Described:
    """A data source as it looks.

    Attributes:
        label: Column to predict; None where the source brings its own.
        task: What the label asks for.
        features: The other columns.
        suggestions: Columns that look like `id`, `group` or `time`.
        notes: What was guessed, for the user.
        annotators: Columns that look like the labels of several people.
    """

    label: str | None
    task: Task
    features: tuple[Column, ...]
    suggestions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()


def describe_source(source: str, root: Path, *, label: str | None = None) -> Described:
    """Guesses label, task, column types and roles of a data source.

    Args:
        source: A file or ``sklearn:NAME``, as project.yaml would write it.
        root: Folder that relative paths start from.
        label: Column to predict; guessed by its name when left out.

    Raises:
        InvalidInput: When the source cannot be read, or has no such label.

    Example:
        >>> described = describe_source("sklearn:wine", Path("."))
        >>> described.task, len(described.features)
        ('classification', 13)
    """
    reading = read_source(source, root)
    name = _find_label(reading, source, label)
    cells = reading.frame[name]
    known = read_known(cells)
    if not known.any():
        raise InvalidInput([Problem("--label", f"column {name!r} of {source} is empty in every row", "Name another.")])
    task, reason = infer_task(cells[known])
    project = Project(name="x", data=Data(source=source, label=name))
    columns = tuple(c for c in infer_columns(reading.frame, project, labels=[name]) if c.name != name)
    notes = [f"Label {name!r} {reason}: {task}.", *reading.notes]
    if label is None and reading.label is None:
        notes.insert(0, f"No --label given: took column {name!r}.")
    annotators = find_annotators(reading.frame, columns, name)
    if annotators:
        notes.append(f"Taken for labels of people, so no features: {some_of(annotators, 6)}.")
    roles = _suggest_roles(columns, len(cells))
    return Described(None if reading.label else name, task, columns, roles, tuple(notes), annotators)


def _find_label(reading: Reading, source: str, label: str | None) -> str:
    names = [str(name) for name in reading.frame.columns]
    wanted = label or reading.label
    if wanted in names:
        return str(wanted)
    if wanted is not None:
        raise InvalidInput([Problem("--label", f"{source} has no column {wanted!r}", suggest(wanted, names))])
    lowered = {name.lower(): name for name in reversed(names)}
    usual = [lowered[name] for name in USUAL_LABELS if name in lowered]
    if usual:
        return usual[0]
    hint = f"{source} has the columns {some_of(names, 12, f', … ({len(names)} in all)')}."
    raise InvalidInput([Problem("--label", "is needed: which column is to be predicted?", hint)])


def _suggest_roles(columns: tuple[Column, ...], n: int) -> dict[str, str]:
    """The first column that looks like an id, a group and a time."""
    roles: dict[str, str] = {}
    for column in columns:
        name = column.name.lower()
        if column.type != "text" and column.unique == n and not column.missing and name.endswith(_ID_ENDINGS):
            roles.setdefault("id", column.name)
        elif name.startswith(_GROUP_STARTS) and name.endswith(_ID_ENDINGS) and 1 < column.unique < n:
            roles.setdefault("group", column.name)
        elif column.type == "date":
            roles.setdefault("time", column.name)
    return roles
