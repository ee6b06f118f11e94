"""What a search knows of each of its trials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TrialState = Literal["running", "complete", "pruned", "failed", "lost"]
DONE: tuple[TrialState, ...] = ("complete", "pruned", "failed")
"""States of trials that are not made again."""


@dataclass(frozen=True)
class Judgement:
    """What was decided of a trial at a rung of the halving; it stands, also after a cut.

    Attributes:
        number: Number of the trial over all rounds.
        level: The rung, by level.
        values: Values on dev by metric that it was judged by.
        is_dropped: Whether it ends there.
    """

    number: int
    level: int
    values: Mapping[str, float]
    is_dropped: bool


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Attributes:
        number: Its number over all rounds, from 0; a trial that is made again after a crash keeps it.
        study: Name of the Optuna study of its round.
        index: Its number in that study.
        params: Dotted paths of project.yaml and the values tried.
        state: complete; pruned, where others did better after as many epochs; failed, for a reason that would come
            again; lost, when the search was cut off; or running.
        metrics: Values on dev by metric: the optimised and the satisficed ones, and `loss` to break ties. Those of a
            pruned trial are what it had reached, and compare with no finished one's.
        run_id: Id of its run, once it has one.
        reason: Why it failed.
        seconds: Seconds that the training took.
        epochs: Epochs that it made; 0 where that is not known.
        rungs: Values on dev by metric at each rung of the halving that it has reached, by level: the larger, the
            larger the share of its epochs.
    """

    number: int
    study: str
    index: int
    params: Mapping[str, Any]
    state: TrialState
    metrics: Mapping[str, float] = field(default_factory=dict)
    run_id: str | None = None
    reason: str = ""
    seconds: float = 0.0
    epochs: int = 0
    rungs: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    @property
    def level(self) -> int:
        """The last rung that it has reached; -1 without any."""
        return max(self.rungs, default=-1)

    @property
    def last_seen(self) -> Mapping[str, float]:
        """Its values at that rung; without any its metrics."""
        return self.rungs.get(self.level, self.metrics)

    @property
    def key(self) -> str:
        """What the tag `mlproj.trial` of its run says: study/number in the study.

        Example:
            >>> Trial(7, "cats/search-1/round-1", 7, {}, "running").key
            'cats/search-1/round-1/7'
        """
        return f"{self.study}/{self.index}"
