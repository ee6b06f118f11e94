"""`vary`: a project with some of its keys set, as a search tries it."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any

from mlproj.errors import InvalidInput
from mlproj.spec.fields import ROOT
from mlproj.spec.messages import Flaw
from mlproj.spec.overrides import set_key, split_path
from mlproj.spec.project import Project
from mlproj.spec.render import resolved
from mlproj.spec.validation import complete, validate

SPACE = ("search", "space")


def vary(project: Project, values: Mapping[str, Any]) -> Project:
    """A project with the values of one trial.

    Args:
        project: The project.
        values: Dotted paths and their values, under the same rules as `--set`: `model.hidden` takes the place of
            `model.layers` and `model.width`, another kind drops the keys of the former.

    Returns:
        The project; what is not varied stays as it was, and so do its file and lines.

    Raises:
        InvalidInput: With every problem that the values make, at `search.space.PATH`.

    Example:
        >>> project = Project(name="x", data={"source": "sklearn:iris"})
        >>> vary(project, {"training.beta1": 0.99, "model.hidden": [8]}).model.sizes
        (8,)
    """
    varied, flaws = try_values(project, values)
    if flaws or varied is None:
        blamed = [blame(values, flaw) for flaw in flaws]
        raise InvalidInput(project.problem(".".join(flaw.path), flaw.message, flaw.hint) for flaw in blamed)
    return varied


def try_values(project: Project, values: Mapping[str, Any]) -> tuple[Project | None, list[Flaw]]:
    """A project with some values set, and what is wrong with it.

    Args:
        project: The project.
        values: Dotted paths and their values.
    """
    data, lines, faults = resolved(project), dict[str, int](), list[Flaw]()
    data.pop("search", None)  # a space is looked at once, when the project is read
    for path, value in values.items():
        fault = set_key(data, lines, split_path(path), deepcopy(value))  # later values may lie in it
        faults += [Flaw(split_path(path), fault)] if fault else []
    if any(isinstance(value, dict | list) for value in values.values()):
        data = complete(data, ROOT)
    varied, flaws = validate(data)
    if varied is None:
        return None, faults + flaws
    sections = {split_path(path)[0] for path in values} & set(Project.model_fields)
    return project.changed(**{section: getattr(varied, section) for section in sections}), faults + flaws


def blame(paths: Collection[str], flaw: Flaw) -> Flaw:
    """A flaw of a varied project as a flaw of the search space, where that made it.

    Args:
        paths: What is varied.
        flaw: What is wrong.

    Example:
        >>> blame(["training.l2"], Flaw(("training", "l2"), "-1 is not allowed"))
        Flaw(path=('search', 'space', 'training.l2'), message='-1 is not allowed', hint='')
    """
    where = ".".join(flaw.path)
    above = [path for path in paths if f"{where}.".startswith(f"{path}.")]
    blamed = above or [path for path in paths if path.startswith(f"{where}.")]
    if not blamed:
        return flaw
    return Flaw((*SPACE, blamed[0]), flaw.message if where in above else f"`{where}` {flaw.message}", flaw.hint)
