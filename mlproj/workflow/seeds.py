"""What other seeds of the same spec, where the store holds any, say about a difference of two models."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

from mlproj.records import ENSEMBLE, Run

if TYPE_CHECKING:
    from mlproj.metrics import Paired

ENOUGH = 3
"""Seeds from which the spread between them is said; fewer speak of their own trainings only."""
UNFINISHED = ("pruned", "interrupted")
"""Outcomes of trainings that were cut off: another end of the same seed could differ."""
_CUT_OFF = (*UNFINISHED, "diverged")
_OF_A_MODEL = ("task", "data.", "splits.", "metric.", "model.", "augment.", "training.")
_OF_THE_MACHINE = ("training.device",)


@dataclass(frozen=True)
class SeedNoise:
    """Values of two specs over the seeds that the store holds.

    Attributes:
        a: Values of the first spec, one per seed, that of the run compared among them.
        b: Values of the second.
        spread: Standard deviation between seeds, pooled over the specs with enough of them.
        difference: b minus a over seeds and examples, where both have enough seeds.
        reach: By how much one training each of equally good specs differs in 19 of 20 cases.
        exceeds: Whether the difference exceeds what seeds explain.
    """

    a: tuple[float, ...]
    b: tuple[float, ...]
    spread: float
    difference: "Paired | None"
    reach: float
    exceeds: bool

    def document(self) -> dict[str, Any]:
        """As JSON."""
        d = self.difference
        return {
            "a": list(self.a), "b": list(self.b), "spread": self.spread, "reach": self.reach,
            "difference": None if d is None else {"value": d.value, "low": d.low, "high": d.high},
            "exceeds": self.exceeds,
        }  # fmt: skip


def seed_noise(
    runs: Sequence[Run], a: Run | None, b: Run | None, figure: str, difference: "Paired"
) -> SeedNoise | None:
    """What the seeds in the store say about a difference.

    Args:
        runs: Finished trainings and trials.
        a: The first run; None for a file.
        b: The second.
        figure: The metric as the store has it, such as ``dev/error``.
        difference: b minus a on the same examples.

    Returns:
        None where neither spec was trained with at least three seeds, or both are one spec.
    """
    if a is not None and b is not None and is_same_spec(a, b):
        return None
    values = [() if run is None else values_by_seed(runs, run, figure) for run in (a, b)]
    if max(map(len, values)) < ENOUGH:
        return None
    from mlproj.metrics.intervals import t_quantile
    from mlproj.metrics.seeds import over_seeds

    enough = [side for side in values if len(side) >= ENOUGH]
    degrees = sum(len(side) - 1 for side in enough)
    spread = sqrt(sum(_squares(side) for side in enough) / degrees)
    reach = t_quantile(degrees, 0.95) * spread * sqrt(2)
    over = over_seeds(values[1], values[0], difference) if len(enough) == 2 else None
    exceeds = abs(difference.value) > reach if over is None else over.low > 0 or over.high < 0
    return SeedNoise(values[0], values[1], spread, over, reach, exceeds)


def values_by_seed(runs: Sequence[Run], run: Run, figure: str) -> tuple[float, ...]:
    """A figure of all trainings of a run's spec on its data, the newest of each seed."""
    found: dict[str, float] = {}
    for other in sorted(runs, key=lambda each: each.started):
        value = other.metrics.get(figure)
        if value is not None and isfinite(value) and other.outcome not in _CUT_OFF and is_same_spec(other, run):
            found[other.params.get("seed", "")] = value
    if figure in run.metrics:  # of several trainings with its seed the one that is compared
        found[run.params.get("seed", "")] = run.metrics[figure]
    return tuple(found.values())


def is_same_spec(a: Run, b: Run) -> bool:
    """Whether two runs trained the same thing on the same data, whatever their seeds.

    Of a record nobody knows, and an ensemble is no training of the spec of its first model.
    """
    if "record" in (a.kind, b.kind) or ENSEMBLE in a.tags or ENSEMBLE in b.tags:
        return False
    return makings(a) == makings(b)


def makings(run: Run) -> dict[str, str]:
    """What makes a run's model, without the seed."""
    spec = {
        name: value
        for name, value in run.params.items()
        if name.startswith(_OF_A_MODEL) and name not in _OF_THE_MACHINE
    }
    return spec | {"data": run.tags.get("mlproj.data_hash", "")}


def _squares(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)
