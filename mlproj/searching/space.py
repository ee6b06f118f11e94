"""The space that is searched when project.yaml names none: the keys that usually matter, in ranges that usually do."""

from mlproj.spec.project import Project
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Uniform

_BETA = OneMinusLog(one_minus_log=(0.9, 0.999))
_MEMORY = {"momentum": "momentum", "nesterov": "momentum", "adam": "beta1", "adamw": "beta1"}
"""The key by which an optimizer remembers past gradients."""


def default_space(project: Project) -> dict[str, Dimension]:
    """What to try without a `search.space`, the most important key first; only keys that mean something here.

    Learning rate, then momentum, hidden units and mini-batch size, then layers, decay and regularisation. What the
    project sets does not matter: it is what the search is to improve on.

    Args:
        project: The project; its model, optimizer and schedule say which keys there are.

    Example:
        >>> project = Project(name="x", data={"source": "sklearn:iris"}, model={"kind": "linear"})
        >>> list(default_space(project))
        ['training.learning_rate', 'training.beta1', 'training.batch_size', 'training.l2']
    """
    training, model = project.training, project.model
    memory = _MEMORY.get(training.optimizer)
    hidden = getattr(model, "hidden", None)
    has = type(model).model_fields.keys() - ({"width", "layers"} if hidden is not None else set())
    space: dict[str, Dimension | None] = {
        "training.learning_rate": Log(log=(1e-4, 1e-1)),
        f"training.{memory}": _BETA if memory else None,
        "model.width": Int(int=(16, 256)) if "width" in has else None,
        "training.batch_size": Choice(choice=(32, 64, 128, 256)),
        "model.layers": Int(int=(1, 4)) if "layers" in has else None,
        "training.schedule.decay": Log(log=(1e-3, 1.0)) if training.schedule.kind == "inverse_time" else None,
        "training.l2": Log(log=(1e-6, 1e-1)),
        "model.dropout": Uniform(uniform=(0.0, 0.5)) if "dropout" in has and hidden != () else None,
    }
    return {path: dimension for path, dimension in space.items() if dimension is not None}
