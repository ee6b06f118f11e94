"""One more line in the project.yaml that somebody wrote: which file holds the corrected labels."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mlproj.errors import MlprojError
from mlproj.records.whole import whole_file

if TYPE_CHECKING:
    from mlproj.spec.project import Project


def declare_corrections(project: "Project", name: str, *, dry_run: bool) -> list[str]:
    """Names the file of corrections in project.yaml where it is not named yet; everything else stays as it was written.

    Args:
        project: Whose file it is.
        name: The file of corrections, as project.yaml is to name it.
        dry_run: Whether nothing is written.

    Returns:
        What was done, or which line to add where it cannot be added without changing something else.
    """
    from mlproj.spec.edit import add_key
    from mlproj.spec.yaml import read_yaml

    if project.data.corrections is not None:
        return []
    line, path = f"corrections: {name}", project.root / project.file
    by_hand = f"Add `{line}` under `data:` in {project.file}; until then the labels stay as they are."
    try:
        old = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return [by_hand]
    now = read_yaml(old).data
    if isinstance(now, dict) and isinstance(now.get("data"), dict) and now["data"].get("corrections") == name:
        return []  # somebody else added it meanwhile
    new = add_key(old, "data", "corrections", name)
    if new is None or not _says(new, path, project, name):
        return [by_hand]
    if dry_run:
        return [f"`{line}` would be added to {project.file}, under `data:`."]
    _overwrite(path.resolve(), new.encode("utf-8"))
    return [f"Added `{line}` to {project.file}, under `data:`."]


def _says(text: str, path: Path, project: "Project", name: str) -> bool:
    """Whether a text is the project as its file says it, with corrections."""
    from mlproj.spec.load import load_project, parse_project

    try:
        now, new = load_project(path), parse_project(text.removeprefix("\ufeff"), path)
    except MlprojError:
        return False
    return new == now.changed(data=now.data.model_copy(update={"corrections": name})) and now.name == project.name


def _overwrite(path: Path, content: bytes) -> None:
    """Replaces a file in one step; its rights stay."""
    with whole_file(path) as place:
        place.write_bytes(content)
        shutil.copymode(path, place)
