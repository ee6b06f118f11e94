"""Commands about the project itself: init, check, schema, model, split."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InvalidInput, Problem
from mlproj.spec.project import Project
from mlproj.workflow.runs import load

if TYPE_CHECKING:
    from mlproj.data import CheckReport


@dataclass(frozen=True)
class Made:
    """What `init` wrote."""

    path: Path
    schema: Path
    notes: tuple[str, ...]
    next: str


def init(folder: Path = Path(), *, data: str | None = None, label: str | None = None, name: str | None = None) -> Made:
    """Write a commented project.yaml, inferred from the data where given.

    Args:
        folder: Folder of the new project; made when it is not there.
        data: A .csv or .parquet file, or ``sklearn:NAME``.
        label: Column to predict.
        name: Name of the project; the folder's by default.

    Raises:
        InvalidInput: When a project.yaml is there already, or the data cannot be read.
    """
    from mlproj.spec.schema import json_schema

    path, schema_path = folder / "project.yaml", folder / "project.schema.json"
    if path.exists():
        raise InvalidInput([Problem(str(path), "is there already", "Edit it, or choose another folder: mlproj init DIR")])
    text, notes = _starter(folder, data, label, name or folder.resolve().name or "project")
    folder.mkdir(parents=True, exist_ok=True)
    schema_path.write_text(json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    at = "" if folder.resolve() == Path.cwd() else f" --project {folder}"
    return Made(path, schema_path, notes, f"mlproj{at} check")
