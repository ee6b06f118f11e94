"""Which jobs can train side by side."""

import json
from typing import Any

from mlproj.records import Job
from mlproj.spec.model import MLP, Python
from mlproj.spec.project import Project

_PER_MEMBER = (
    "learning_rate", "momentum", "beta1", "beta2", "eps", "schedule", "l2", "l1", "label_smoothing", "clip_norm",
    "early_stopping",
)  # fmt: skip
"""Keys of `training:` of which each member of a stack has its own."""
_NO_MATTER = ("name", "about", "seed", "search", "human_level", "slices", "error_analysis")


def shape_of(job: Job) -> str | None:
    """What jobs must have in common to train side by side.

    Members have learning rate, momentum, betas, penalties, dropout, label smoothing, schedule, patience, seed,
    initialisation, widths and examples of their own; whether they should is for `Planner` to say.

    Args:
        job: The job.

    Returns:
        A key; None for what trains alone: a module or estimator of the user's own.

    Example:
        >>> base = {"name": "cats", "data": {"source": "sklearn:iris"}}
        >>> models = [{"kind": "mlp", "layers": n, "width": width} for n, width in [(2, 50), (2, 60), (3, 60)]]
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
    return ["mlp", len(spec.sizes), spec.activation, spec.batch_norm]
