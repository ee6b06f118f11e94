"""What of a data set is looked at, and by which metrics: what needs no torch. N examples of a split."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.data import Part
from mlproj.metrics import measure
from mlproj.metrics.evidence import RESOURCES
from mlproj.records import Answers
from mlproj.spec.project import Project

EPOCH_SAMPLE = 20_000
"""Training examples that are looked at after each epoch at most."""
STORED_SAMPLE = 1_000_000
"""Training examples whose predictions are stored."""
_LEAST_SAMPLE = 256


def metric_names(project: Project) -> tuple[str, ...]:
    """The metrics of a project: error or rmse, what is optimised, and every limit that answers can tell.

    Args:
        project: A resolved project.
    """
    plain = "rmse" if project.task == "regression" else "error"
    limits = [name for name in project.metric.satisfy if name not in RESOURCES]
    return tuple(dict.fromkeys([plain, project.metric.optimize or plain, *limits]))


def measure_part(names: Sequence[str], labels: Mapping[str, Answers], part: Part) -> dict[str, float]:
    """Values of metrics on a split.

    Args:
        names: Metrics.
        labels: Answers by label.
        part: The split, with its weights.
    """
    with np.errstate(over="ignore"):  # the square of a diverged model's answer may be infinite: so be it
        return measure(names, labels, part.weight)


def judging_split(parts: Mapping[Any, Part]) -> str | None:
    """The held-out split that chooses among epochs; None without one."""
    return next((name for name in ("dev", "train_dev") if name in parts and len(parts[name])), None)


def epoch_sample(parts: Mapping[Any, Part]) -> int:
    """Training examples that are looked at after each epoch: as many as judge, for more would make no gap surer.

    Args:
        parts: The splits.
    """
    judge = judging_split(parts)
    return EPOCH_SAMPLE if judge is None else min(max(len(parts[judge]), _LEAST_SAMPLE), EPOCH_SAMPLE)


def sample_parts(parts: Mapping[Any, Part], limit: int) -> dict[str, Part]:
    """The splits that hold examples, train cut down to a fixed random sample where it is larger than the limit.

    Args:
        parts: The splits.
        limit: Most training examples to keep.
    """
    kept = {name: part for name, part in parts.items() if len(part)}
    train = kept["train"]
    if len(train) > limit:
        kept["train"] = take_rows(train, sample_rows(len(train), limit))
    return kept


def sample_rows(n: int, limit: int) -> NDArray[np.int64]:
    """Positions of a fixed random sample of n examples, ascending; all of them up to the limit.

    The same whatever the seed of a training: what several are compared by is then the same, too.
    """
    if n <= limit:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).permutation(n)[:limit])


def take_rows(part: Part, rows: NDArray[Any]) -> Part:
    """Some examples of a split.

    Args:
        part: The split.
        rows: Their positions.
    """
    return part.take(rows)
