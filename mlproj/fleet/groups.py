"""Which jobs can train side by side, and how they are dealt out to workers."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from mlproj.records import Job
from mlproj.spec.model import MLP, Python
from mlproj.spec.project import Project

_PER_MEMBER = (
    "learning_rate", "momentum", "beta1", "beta2", "eps", "schedule", "l2", "l1", "label_smoothing", "clip_norm",
    "early_stopping",
)  # fmt: skip
"""Keys of `training:` of which each member of a stack has its own."""
_NO_MATTER = ("name", "about", "seed", "search", "human", "slices", "error_analysis")
_BINS = (8, 16, 32, 48, 64, 96, 128, 192, 256, 384)
"""Widths to which layers are padded: a member then computes at most four times what it would alone, mostly far less."""
Item = TypeVar("Item")


def shape_of(job: Job) -> str | None:
    """What jobs must have in common to train side by side.

    Members have learning rate, momentum, betas, penalties, dropout, label smoothing, schedule, patience, seed,
    initialisation and examples of their own; widths are padded to the next of a few sizes.

    Args:
        job: The job.

    Returns:
        A key; None for what trains alone: a module or estimator of the user's own, and layers so wide that a stack of
        them is no faster.

    Example:
        >>> base = {"name": "cats", "data": {"source": "sklearn:iris"}}
        >>> models = [{"kind": "mlp", "width": width} for width in (50, 60, 70)]
        >>> shapes = [shape_of(Job(Project.model_validate(base | {"model": model}), 0)) for model in models]
        >>> shapes[0] == shapes[1], shapes[1] == shapes[2]
        (True, False)
    """
    project = job.project
    model = _shape_of_model(project)
    if model is None:
        return None
    training = project.training.model_dump(mode="json", exclude=set(_PER_MEMBER))
    rest = project.model_dump(mode="json", exclude={"model", "training", *_NO_MATTER})
    n_rows = None if job.rows is None else len(job.rows)
    return json.dumps([model, training, rest, n_rows], sort_keys=True, default=str)


def _shape_of_model(project: Project) -> Any:
    spec = project.model
    if isinstance(spec, Python):
        return None
    if not isinstance(spec, MLP):
        return spec.model_dump(mode="json")
    if max(spec.sizes, default=0) > _BINS[-1]:
        return None
    widths = [next(size for size in _BINS if size >= width) for width in spec.sizes]
    return ["mlp", widths, spec.activation, spec.batch_norm]


def deal(items: Sequence[tuple[Item, Job]], n: int) -> list[list[Item]]:
    """Deals jobs out so that those of one shape stay together and all workers have about as much to do.

    Args:
        items: Things with their jobs.
        n: Workers.

    Returns:
        One list per worker; fewer lists where there are fewer items.

    Example:
        >>> base = {"name": "cats", "data": {"source": "sklearn:iris"}}
        >>> models = [{"kind": "mlp", "width": width} for width in (16, 64, 16, 64)]
        >>> jobs = [Job(Project.model_validate(base | {"model": model}), 0) for model in models]
        >>> deal(list(zip("abcd", jobs)), 2)
        [['a', 'c'], ['b', 'd']]
    """
    shaped = [(shape_of(job) or f"alone-{at}", at, item, job) for at, (item, job) in enumerate(items)]
    shaped.sort(key=lambda entry: entry[:2])
    costs = [_cost(job) for *_, job in shaped]
    hands: list[list[Item]] = [[] for _ in range(n)]
    share, held = sum(costs) / n, 0.0
    for (_, _, item, _), cost in zip(shaped, costs, strict=True):
        hands[min(int((held + cost / 2) / share), n - 1)].append(item)
        held += cost
    return [hand for hand in hands if hand]


def _cost(job: Job) -> float:
    """A measure of the work: a stack pays per update for each layer, and for the products in it."""
    spec = job.project.model
    sizes = spec.sizes if isinstance(spec, MLP) else ()
    widths = [next((size for size in _BINS if size >= width), width) for width in sizes]
    return 1.0 + sum(width * width for width in widths) / 64**2 + len(widths)
