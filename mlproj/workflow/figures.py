"""Figures of one split with their intervals, as people read them, and the test rung that an evaluation left behind."""

import json
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from mlproj.errors import TrackingError
from mlproj.records import Predictions, Run

if TYPE_CHECKING:
    from mlproj.diagnose import GivenRung
    from mlproj.track import AbstractTracker

KIND = "evaluation"
OF, SPLIT, DEAL, LOOKS, REASON = "mlproj.of", "mlproj.split", "mlproj.deal", "mlproj.looks", "mlproj.reason"
"""Tags of an evaluation: whose it is, its split, the digest of the deal, which look it was, and why it was taken."""
FILE = "evaluation.json"
"""Artifact of an evaluation: its figures."""


@dataclass(frozen=True)
class Figure:
    """A metric on one split, as people read it: in the metric's own direction.

    Attributes:
        metric: Its name.
        value: Its value; NaN where it is undefined.
        low: Lower 95 % limit; None where nothing bounds it.
        high: Upper limit.
        n: Examples behind it.
        n_effective: For rates, equally weighted and independent examples that would tell as much.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    n_effective: float | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        value = self.value if isfinite(self.value) else None
        return {
            "metric": self.metric, "value": value, "low": self.low, "high": self.high, "n": self.n,
            "n_effective": self.n_effective,
        }  # fmt: skip


def measure_figure(part: Predictions, metric: str, split: str) -> Figure:
    """A metric as the ladder measures it, in its own direction.

    Args:
        part: Predictions of one split.
        metric: The metric.
        split: Which split it is.
    """
    from mlproj.diagnose.samples import measure
    from mlproj.metrics import as_loss
    from mlproj.metrics import measure as values
    from mlproj.spec.goal import LOSSES

    n = int(_labelled(part).sum())
    if not isfinite(values([metric], part.labels, part.weight)[metric]):
        return Figure(metric, float("nan"), None, None, n)
    sample = measure(split, part, metric)
    low, high = sample.rung.low, sample.rung.high
    if metric not in LOSSES:
        low, high = (None if high is None else 1 - high), (None if low is None else 1 - low)
    kept = [None if limit is None or not isfinite(limit) else limit for limit in (low, high)]
    return Figure(metric, as_loss(metric, sample.value), kept[0], kept[1], n, sample.n_effective)


def _labelled(part: Predictions) -> Any:
    import numpy as np

    return np.logical_or.reduce([answers.known for answers in part.labels.values()])


def opened_test(tracker: "AbstractTracker", run: Run) -> "dict[str, GivenRung]":
    """Test rungs of a run, by metric, from its newest evaluation; none while its test set is sealed."""
    from mlproj.diagnose import GivenRung
    from mlproj.metrics import as_loss
    from mlproj.spec.goal import LOSSES

    looks = [
        other
        for other in tracker.runs(kinds=(KIND,), statuses=("FINISHED",))
        if other.tags.get(OF) == run.id and other.tags.get(SPLIT) == "test"
    ]
    if not looks:
        return {}
    try:
        document = json.loads(tracker.fetch(looks[0].id, FILE).read_text(encoding="utf-8"))
    except (TrackingError, OSError, ValueError):
        return {}
    found = {}
    for row in document["figures"]:
        metric, value, low, high = (row[key] for key in ("metric", "value", "low", "high"))
        if value is None:
            continue
        limits = (float("-inf") if low is None else low, float("inf") if high is None else high)
        if metric not in LOSSES:
            limits = 1 - limits[1], 1 - limits[0]
        text = f"look {looks[0].tags.get(LOOKS, '?')} at this test set"
        found[metric] = GivenRung(
            "test", as_loss(metric, value), row["n"], text=text, limits=limits, n_effective=row.get("n_effective")
        )
    return found
