"""The settings that made a stored deal, held against those of project.yaml today.

A deal is only kept if the wishes behind it are: a changed size or group column is refused with the way to deal anew,
because silently keeping the old splits, or silently mixing test into train, would both be wrong.
"""

from typing import Any

from mlproj.data.store import StoredDeal
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project

_KEYS = (
    "splits.column", "splits.dev", "splits.test", "splits.train_dev", "splits.stratify",
    "data.id", "data.group", "data.time",
)  # fmt: skip
_SIZES = ("dev", "test", "train_dev")


def requested_of(project: Project) -> dict[str, Any]:
    """What a project asks of its deal, by dotted path; None for automatic.

    Example:
        >>> from mlproj.spec.data import Data, Splits
        >>> project = Project(name="cats", data=Data(source="a.csv", label="cat"), splits=Splits(dev=0.25))
        >>> requested_of(project)["splits.dev"], requested_of(project)["splits.train_dev"]
        (0.25, None)
    """
    found = {key: getattr(getattr(project, section), name) for key in _KEYS for section, name in [key.split(".")]}
    return {key: None if value == "auto" else value for key, value in found.items()}


def check_settings(project: Project, stored: StoredDeal) -> None:
    """Makes sure that the stored deal is the one that project.yaml asks for.

    Raises:
        InvalidInput: Naming each changed key with its old and new value.
    """
    hint = "Put it back, or deal anew with `mlproj split --redraw`: dev and test then change, and reports say so."
    problems = [
        project.problem(key, f"is {_say(new)} now, but the stored splits were dealt with {_say(old)}", hint)
        for key, new in requested_of(project).items()
        for old in [stored.requested.get(key)]
        if not _is_same(key, old, new, stored)
    ]
    if problems:
        raise InvalidInput(problems)


def _is_same(key: str, old: Any, new: Any, stored: StoredDeal) -> bool:
    """Whether two settings mean the same; an automatic size may be written out as what it came to."""
    if old == new:
        return True
    name = key.removeprefix("splits.")
    return name in _SIZES and old is None and isinstance(new, int | float) and new == stored.sizes.get(name, 0)


def _say(value: Any) -> str:
    if value is None:
        return "left out"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else repr(value)
