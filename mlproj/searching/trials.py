"""What a search knows of each of its trials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TrialState = Literal["running", "complete", "failed", "lost"]


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Attributes:
        number: Its number over all rounds, from 0; a trial that is made again after a crash keeps it.
        study: Name of the Optuna study of its round.
        index: Its number in that study.
        params: Dotted paths of project.yaml and the values tried.
        state: complete; failed, for a reason that would come again; lost, when the search was cut off; or running.
        metrics: Values on dev by metric: the optimised and the satisficed ones, and `loss` to break ties.
        run_id: Id of its run, once it has one.
        reason: Why it failed.
        seconds: Seconds that the training took.
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

    @property
    def key(self) -> str:
        """What the tag `mlproj.trial` of its run says: study/number in the study.

        Example:
            >>> Trial(7, "cats/search-1/round-1", 7, {}, "running").key
            'cats/search-1/round-1/7'
        """
        return f"{self.study}/{self.index}"
