"""What `mlproj train --seeds N` returns: the seeds, their mean and spread, and how to go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from mlproj.records import Run
from mlproj.spec.project import Project
from mlproj.workflow.runs import finite

if TYPE_CHECKING:
    from mlproj.fleet.alone import OneByOne


@dataclass(frozen=True)
class SeedsBegun:
    """A fleet that is about to train.

    Attributes:
        head: First line: the group, the splits and the store.
        plan: Second line: which seeds, and how many at the same time.
        notes: What is there already.
        warnings: What the data made mlproj wonder about.
        todo: Trainings to be made.
    """

    head: str
    plan: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    todo: int


@dataclass(frozen=True)
class TrainedSeed:
    """One seed of a fleet.

    Attributes:
        seed: The seed.
        run: Its run.
        document: What `mlproj train --json` says of it; `seconds` is null for one that was found in the store.
        is_new: Whether it was trained now.
    """

    seed: int
    run: Run
    document: Mapping[str, Any]
    is_new: bool


@dataclass(frozen=True)
class TrainedSeeds:
    """A fleet of seeds that lies in the store.

    Attributes:
        name: Name of the group; its runs are called NAME-seed-S.
        run: The run that stands for the fleet: that of the first seed which did not diverge. Never of the best one: a
            seed that is picked for its dev score wins by luck.
        project: The resolved spec of that run.
        seeds: What was trained, by seed.
        failed: Why a seed could not be trained, by seed.
        asked: How many seeds the fleet is to have.
        is_interrupted: Whether Ctrl-C ended it.
        seconds: Wall time of the trainings.
        next: The command to run next.
        resume: The command that trains what is missing; None when nothing is.
        engine: Where it trained: fleet where trainings ran side by side, process where each ran alone.
        one_by_one: Which trainings ran alone, and why.
    """

    name: str
    run: Run
    project: Project
    seeds: tuple[TrainedSeed, ...]
    failed: Mapping[int, str]
    asked: int
    is_interrupted: bool
    seconds: float
    next: str
    resume: str | None
    engine: str
    one_by_one: "OneByOne"

    def summary(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Mean, spread and t-interval of every metric over the seeds, by split and metric, as JSON knows them.

        A seed that diverged counts nowhere.
        """
        rows = [each.document["metrics"] for each in self.seeds if each.document["outcome"] != "diverged"]
        first: Mapping[str, Mapping[str, Any]] = rows[0] if rows else {}
        return {
            split: {
                metric: summarize_values(metric, [row.get(split, {}).get(metric) for row in rows]) for metric in values
            }
            for split, values in first.items()
        }

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj train --seeds N`: that of the run which stands for the fleet, and `seeds`."""
        kept = ("run_id", "name", "outcome", "message", "metrics", "contract", "threshold", "seconds")
        stands = next(each.document for each in self.seeds if each.run.id == self.run.id)
        return {
            **stands,
            "group": self.name,
            "seeds": [
                {"seed": each.seed, "new": each.is_new, **{key: each.document[key] for key in kept}}
                for each in self.seeds
            ],
            "summary": self.summary(),
            "asked": self.asked,
            "failed": [{"seed": seed, "reason": reason} for seed, reason in self.failed.items()],
            "stopped": "interrupted" if self.is_interrupted else "seeds",
            "engine": self.engine,
            "one_by_one": self.one_by_one.document(),
            "seconds": round(self.seconds, 3),
            "next": self.next,
            "resume": self.resume,
        }


def summarize_values(metric: str, values: Sequence[float | None]) -> dict[str, Any]:
    """A metric over seeds as JSON knows it; values that are missing or not finite are left out and not counted."""
    from mlproj.diagnose.rungs import is_rate
    from mlproj.metrics.seeds import summarize

    known = [value for value in values if value is not None and isfinite(value)]
    if not known:
        return {"mean": None, "spread": None, "low": None, "high": None, "n": 0, "method": "none: undefined"}
    found = summarize(known)
    low, high = (max(found.low, 0.0), min(found.high, 1.0)) if is_rate(metric) else (found.low, found.high)
    if len(known) == 1:
        low, high = found.low, found.high
    numbers = {"mean": found.value, "spread": found.spread, "low": low, "high": high}
    return {**finite(numbers), "n": found.seeds, "method": found.method}
