"""What comes out of a training (`Fit`) and what lies in the store (`Run`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from mlproj.records.predictions import Predictions

SEEDS = "mlproj.seeds"
"""Tag of a run that was trained as one of several seeds: the name of their group."""
ENSEMBLE = "mlproj.ensemble"
"""Tag of a run whose model is several, of which the answers are averaged: how many."""
OutcomeKind = Literal["completed", "early_stopped", "pruned", "diverged", "interrupted"]


@dataclass(frozen=True)
class History:
    """What was measured after each epoch.

    Attributes:
        metrics: Values by ``SPLIT/METRIC`` (for example ``dev/error``), one per epoch.
    """

    metrics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return max((len(values) for values in self.metrics.values()), default=0)


@dataclass(frozen=True)
class Outcome:
    """Why a training ended, in words that a person can act on."""

    kind: OutcomeKind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class Fit:
    """All that came out of a training.

    Attributes:
        weights: Parameters and buffers of the chosen checkpoint by name, without the model axis.
        history: What was measured after each epoch.
        outcome: Why training ended.
        predictions: Per-example predictions in eval mode, without augmentation, for the splits that may be seen.
        best_epoch: Epoch (from 1) whose weights were kept; 0 for the initial weights.
        threshold: Probability from which the answer is the positive class; None unless the label is binary.
        metrics: Values by split and metric name.
        resources: Measured `latency_ms` (per example, one at a time) and `size_mb`.
        seconds: Wall time of the training; of models trained side by side, its share of theirs.
    """

    weights: Mapping[str, NDArray[Any]]
    history: History
    outcome: Outcome
    predictions: Predictions
    best_epoch: int
    threshold: float | None
    metrics: Mapping[str, Mapping[str, float]]
    resources: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Promise:
    """One satisficing metric held against its limit, by point value and by interval.

    `status` is judged by the bad end of the interval: met, violated, or unknown where the interval straddles the limit.
    """

    metric: str
    limit: str
    value: float
    low: float | None
    high: float | None
    n: int | None
    status: Literal["met", "violated", "unknown"]


@dataclass(frozen=True)
class Run:
    """A run that lies in the store.

    Attributes:
        id: MLflow run id.
        name: Its name.
        kind: train, search, trial, diagnosis, evaluation, record or improve.
        status: MLflow status (RUNNING, FINISHED, FAILED, KILLED).
        started: Start in seconds since 1970.
        outcome: Why it ended; None while it runs.
        params: Dotted paths of project.yaml and their values as text.
        metrics: Last values by ``SPLIT/METRIC``.
        tags: MLflow tags.
        folder: Folder where its artifacts lie on this machine, once fetched.
    """

    id: str
    name: str
    kind: str
    status: str
    started: float
    outcome: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
