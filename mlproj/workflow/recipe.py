"""One recipe for training sets of different sizes: as many updates at every size, everything else as it is."""

from math import ceil
from typing import Any

from mlproj.spec.base import Spec
from mlproj.spec.model import Python
from mlproj.spec.project import Project
from mlproj.spec.training import EarlyStopping, Exponential, InverseSqrt, InverseTime, Staircase

MOST_EPOCHS = 20
"""How many times the run's epochs a small set is seen at most: beyond, looking at dev after each takes all the time."""
WORDS = (
    "As many updates at every size as the run may make on all (at most {most}× its epochs), patience and schedule "
    "stretched alike, so that small sets are not trained less. Nothing is tuned again."
)


def same_updates(project: Project, n: int, n_full: int) -> Project:
    """The project for a training on n of its examples, with as many updates as on all of them.

    With constant epochs a set of an eighth would get an eighth of the updates: the curve would mix "less data" with
    "less training", fall too steeply, and promise too much. What counts epochs (patience, and schedules that fall per
    epoch) is stretched alike, so that it acts after as many updates.

    Args:
        project: A run's resolved spec.
        n: Examples to train on.
        n_full: Examples that the run was trained on.

    Example:
        >>> from mlproj.spec.data import Data
        >>> run = Project(name="x", data=Data(source="a.csv", label="y"), training={"epochs": 100, "batch_size": 50})
        >>> same_updates(run, 250, 1000).training.epochs, same_updates(run, 1000, 1000).training.epochs
        (400, 100)
    """
    training = project.training
    epochs, batch = training.epochs, training.batch_size
    if not isinstance(epochs, int) or not isinstance(batch, int) or n == n_full:
        return project
    per_epoch = ceil(n_full / batch), ceil(n / batch)
    stretch = min(per_epoch[0] / per_epoch[1], MOST_EPOCHS)
    changes: dict[str, Any] = {"epochs": ceil(epochs * stretch), "schedule": _stretched(training.schedule, stretch)}
    if training.early_stopping is not None:
        changes["early_stopping"] = EarlyStopping(patience=ceil(training.early_stopping.patience * stretch))
    return project.changed(training=training.model_copy(update=changes))


def _stretched(schedule: Spec, stretch: float) -> Spec:
    """A schedule that falls per epoch, falling as much per update; those that know the whole length stay."""
    match schedule:
        case InverseTime():
            return schedule.model_copy(update={"decay": schedule.decay / stretch})
        case Exponential():
            return schedule.model_copy(update={"rate": schedule.rate ** (1 / stretch)})
        case InverseSqrt(per="epoch"):
            return schedule.model_copy(update={"k": schedule.k * stretch**0.5})
        case Staircase():
            return schedule.model_copy(update={"every": max(1, round(schedule.every * stretch))})
        case _:
            return schedule


def recipe_words(project: Project) -> str:
    """What is kept the same at every size."""
    training = project.training
    if isinstance(training.epochs, int) and isinstance(training.batch_size, int):
        own = " (An estimator with `fit` is fitted as it is.)" if isinstance(project.model, Python) else ""
        return WORDS.format(most=MOST_EPOCHS) + own
    return "Same epochs at every size, one update each (batch_size full). Nothing is tuned again."
