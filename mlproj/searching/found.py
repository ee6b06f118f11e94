"""What a search says while it runs and at its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlproj.records import Fit
from mlproj.searching.trials import Trial
from mlproj.spec.search import Space

Stopped = Literal["trials", "budget", "interrupted"]
N_FINALISTS = 5
"""Trials that are shown at the end, and trained again with other seeds."""


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        done: Trainings that are done, failed ones counted in.
        total: Trainings that are planned, those of the finalists counted in.
        failed: Trials that failed.
        best: The best trial so far.
        seconds: Computing time so far.
        left: Seconds that are probably left.
    """

    done: int
    total: int
    failed: int
    best: Trial | None
    seconds: float
    left: float


@dataclass(frozen=True)
class Finalist:
    """One of the best trials, trained again with other seeds.

    Attributes:
        trial: The trial.
        metrics: Values on dev by metric, one mapping for each seed that all finalists were trained with.
    """

    trial: Trial
    metrics: tuple[Mapping[str, float], ...]

    def mean(self) -> dict[str, float]:
        """Mean of each metric over the seeds."""
        names = self.metrics[0] if self.metrics else {}
        return {name: sum(each[name] for each in self.metrics) / len(self.metrics) for name in names}


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        trials: All trials by number.
        spaces: The space of each round.
        best: The best by contract; after retraining with seeds the best by the mean. None when nothing finished.
        finalists: The best five trained again, best mean first; empty without `search.seeds`.
        stopped: Why it ended.
        made: Trainings that were made now, not before an interruption.
        seconds: Computing time of those.
        slept: Seconds that the machine slept meanwhile.
        study: Name of the Optuna study of the last round, which holds the best trial.
    """

    trials: tuple[Trial, ...]
    spaces: tuple[Space, ...]
    best: Trial | None
    finalists: tuple[Finalist, ...]
    stopped: Stopped
    made: int
    seconds: float
    slept: float
    study: str

    @property
    def complete(self) -> tuple[Trial, ...]:
        """The trials that finished."""
        return tuple(trial for trial in self.trials if trial.state == "complete")

    @property
    def pruned(self) -> tuple[Trial, ...]:
        """The trials that were ended early."""
        return tuple(trial for trial in self.trials if trial.state == "pruned")


def dev_metrics(fit: Fit) -> dict[str, float]:
    """What a trial is judged by: metrics on dev, measured resources, and the loss on dev, which breaks ties."""
    losses = fit.history.metrics.get("dev/loss", ())
    loss = {"loss": losses[fit.best_epoch - 1]} if 0 < fit.best_epoch <= len(losses) else {}
    return {**fit.metrics.get("dev", {}), **fit.resources, **loss}
