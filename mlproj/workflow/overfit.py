"""How often dev was asked and test was opened, as the store has it, and what the trials' answers say of the choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlproj.errors import InvalidInput, MlprojError
from mlproj.records import Ladder, Run
from mlproj.workflow.figures import DEAL, KIND, OF, REASON, SPLIT
from mlproj.workflow.subject import Subject

if TYPE_CHECKING:
    from mlproj.diagnose import GivenRung
    from mlproj.diagnose.above_dev import AboveDev
    from mlproj.diagnose.overfitting import Optimism
    from mlproj.diagnose.overfitting_text import Look, Overfitting
    from mlproj.diagnose.resampled import Figure, Units
    from mlproj.searching import Matrix
    from mlproj.track import AbstractTracker

MATRIX = "dev_predictions.npz"
MANY = 10
"""Configurations from which the block is shown for a training too; with fewer there is little to say."""
_KINDS = {"trial": "trials", "train": "trainings", "record": "records"}


@dataclass(frozen=True)
class DevUse:
    """What is known of overfitting to a run's dev set, and the command against it."""

    found: "Overfitting"
    command: str
    is_shown: bool

    def text(self, ladder: Ladder) -> str:
        """A short block; empty where there is little to say."""
        from mlproj.diagnose.overfitting_text import overfitting_text

        return overfitting_text(self.found, ladder, self.command) if self.is_shown else ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return self.found.document() | {"command": self.command if self.found.concern == "likely" else None}


def dev_use(
    tracker: "AbstractTracker", subject: Subject, ladder: Ladder, opened: "Mapping[str, GivenRung]"
) -> DevUse | None:
    """How far choices may have been tuned to a run's dev set.

    Args:
        tracker: The store.
        subject: The run.
        ladder: Its ladder.
        opened: Its test rung by metric, where the test set was opened for it.

    Returns:
        None for what is no run, or has no dev set.
    """
    from mlproj.diagnose.overfitting_text import Overfitting

    run, dev = subject.run, ladder.rung("dev")
    if run is None or dev is None or "mlproj.dev_hash" not in run.tags:
        return None
    every = tracker.runs(kinds=(*_KINDS, KIND), statuses=("FINISHED",))
    counted = _configurations(every, run)
    parent = run.tags.get("mlflow.parentRunId") if run.kind == "trial" else None
    optimism, notes = _optimism(tracker, subject, ladder, every, parent) if parent else (None, ())
    name = next((each.name for each in tracker.runs(kinds=("search",)) if each.id == parent), "")
    above = None if ladder.label else _above(subject, ladder, opened)
    found = Overfitting(
        counted, _error_sheets(subject, every, run), _looks(every, subject), _bound(ladder, sum(counted.values())),
        optimism, name, above, ladder.verdict.min_gap, notes,
    )  # fmt: skip
    is_shown = run.kind == "trial" or above is not None or found.configurations >= MANY
    return DevUse(found, _command(subject, dev.n), is_shown)


def _configurations(every: Sequence[Run], run: Run) -> dict[str, int]:
    """Finished models that were measured on the run's dev set; the finalists' further seeds chose no configuration."""
    same = [
        other
        for other in every
        if other.tags.get("mlproj.dev_hash") == run.tags["mlproj.dev_hash"] and "mlproj.seed" not in other.tags
    ]
    return {word: sum(other.kind == kind for other in same) for kind, word in _KINDS.items()}


def _error_sheets(subject: Subject, every: Sequence[Run], run: Run) -> int:
    """Sheets of wrong answers to this dev set."""
    from mlproj.workflow.sheets import shelf_of

    ours = {other.id for other in every if other.tags.get("mlproj.dev_hash") == run.tags["mlproj.dev_hash"]}
    sheets = shelf_of(subject.project).all()
    return sum(sheet.run in ours and sheet.split == "dev" and sheet.design != "labels" for sheet in sheets)


def _looks(every: Sequence[Run], subject: Subject) -> "tuple[Look, ...]":
    """Openings of this deal's test set, newest first."""
    from mlproj.diagnose.overfitting_text import Look

    digest, names = (subject.splits or {}).get("digest"), {run.id: run.name for run in every}
    looks = [r for r in every if r.kind == KIND and r.tags.get(SPLIT) == "test" and r.tags.get(DEAL) == digest]
    return tuple(
        Look(names.get(look.tags.get(OF, ""), look.tags.get(OF, "")), look.tags.get(REASON, ""), look.started)
        for look in looks
    )


def _bound(ladder: Ladder, configurations: int) -> float | None:
    from mlproj.metrics.intervals import Estimate
    from mlproj.metrics.planning import optimism

    dev = ladder.rung("dev")
    if dev is None or dev.error is None or dev.low is None or dev.high is None or not configurations:
        return None
    is_share = dev.method == "Wilson" and dev.n is not None
    return optimism(configurations, Estimate(dev.error, dev.low, dev.high, float(dev.n or 0), ""), is_share=is_share)


def _command(subject: Subject, n_dev: int | None) -> str:
    from mlproj.advise.commands import redraw

    return redraw(subject.project, dev=2 * n_dev) if subject.project is not None and n_dev else ""


def _above(subject: Subject, ladder: Ladder, opened: "Mapping[str, GivenRung]") -> "AboveDev | None":
    """Whether the opened test error exceeds the dev error."""
    from mlproj.diagnose.above_dev import above_dev
    from mlproj.diagnose.samples import measure
    from mlproj.metrics.intervals import Estimate

    test, rung = opened.get(ladder.metric), ladder.rung("dev")
    if test is None or test.limits is None or subject.predictions is None or rung is None:
        return None
    try:
        dev = measure("dev", subject.predictions.part("dev"), ladder.metric)
    except InvalidInput:
        return None
    value, low, high = dev.limits
    is_share = test.n_effective is not None and dev.n_effective is not None
    return above_dev(
        Estimate(test.value, *test.limits, test.n_effective or 0.0, ""),
        Estimate(value, low, high, dev.n_effective or 0.0, ""),
        {"test": test.n or 0, "dev": rung.n or 0},
        is_share=is_share,
    )


def _optimism(
    tracker: "AbstractTracker", subject: Subject, ladder: Ladder, every: Sequence[Run], parent: str
) -> "tuple[Optimism | None, tuple[str, ...]]":
    """What the choice among the trials of a search flatters, from their stored answers."""
    from mlproj.diagnose.overfitting import optimism
    from mlproj.diagnose.resampled import units_of
    from mlproj.diagnose.rungs import RELATIVE_LOSS
    from mlproj.searching.matrix import load_matrix

    assert subject.project is not None
    assert subject.run is not None
    try:
        matrix = load_matrix(tracker.fetch(parent, MATRIX))
    except (MlprojError, OSError, ValueError, KeyError):
        return None, ()
    numbers = _usable(matrix)
    if not numbers or ladder.metric == RELATIVE_LOSS:
        return None, ()
    metric, units = subject.project.metric, units_of(len(matrix.arrays["id"]), matrix.arrays.get("group"))
    optimize = str(metric.optimize)
    figures = {
        name: figure
        for name in dict.fromkeys([optimize, *map(str, metric.satisfy)])
        if (figure := _figure(matrix, numbers, units, name, matrix.labels)) is not None
    }
    asked = _figure(matrix, numbers, units, ladder.metric, (ladder.label,) if ladder.label else matrix.labels)
    if asked is None or optimize not in figures:
        return None, ()
    tie = _figure(matrix, numbers, units, "log_loss", matrix.labels)
    scored = f"{ladder.metric} of {ladder.label}" if ladder.label else ladder.metric
    found = optimism(
        figures | {scored: asked} | ({} if tie is None else {"log_loss": tie}),
        units,
        optimize,
        {str(name): limit for name, limit in metric.satisfy.items()},
        score=scored,
        tie=None if tie is None else "log_loss",
        resources=_resources(every, matrix, numbers),
    )
    return found, (*_halved(matrix), *_notes(matrix, numbers[found.chosen], subject.run))


def _notes(matrix: "Matrix", chosen: int, run: Run) -> tuple[str, ...]:
    number = run.tags.get("mlproj.number", "")
    if matrix.run_ids[chosen] == run.id:
        return ()
    return (f"That is said of trial {chosen}, the best on dev; this ladder is that of trial {number}.",)


def _halved(matrix: "Matrix") -> tuple[str, ...]:
    """That halving chose on dev as well, which no replay of the last choice shows."""
    n = len(matrix.pruned)
    few = f"{n:,} trials were ended early by their dev values; what that choice flatters comes on top of the estimate."
    return (few,) if n else ()


def _usable(matrix: "Matrix") -> list[int]:
    """Trials that the choice was among: those that finished, and whose answers are numbers.

    One that diverged would never be chosen, and what halving had ended could not be: its answers are those of a
    half-trained model, and may be better by chance.
    """
    found = []
    for row, number in enumerate(matrix.numbers):
        if number in matrix.pruned:
            continue
        stacks = [values[row] for name, values in matrix.arrays.items() if name.split(":")[0] in ("y_pred", "p")]
        if all(np.isfinite(values).all() for values in stacks):
            found.append(number)
    return found


def _figure(
    matrix: "Matrix", numbers: Sequence[int], units: "Units", metric: str, labels: Sequence[str]
) -> "Figure | None":
    """A metric of all trials, averaged over labels; None where the stored answers do not tell it."""
    from mlproj.diagnose.resampled import average, figure_of
    from mlproj.metrics.evidence import metric_problem
    from mlproj.metrics.scores import gather_for

    figures, weight = [], matrix.arrays.get("weight")
    for label in labels:
        first = matrix.answers(numbers[0], label)
        if metric_problem(metric, first.classes, has_p=first.p is not None) is not None:
            return None
        if first.known.any():
            trials = (gather_for(metric, matrix.answers(number, label), weight) for number in numbers)
            figures.append(figure_of(metric, trials, units))
    return average(figures) if figures else None


def _resources(every: Sequence[Run], matrix: "Matrix", numbers: Sequence[int]) -> dict[str, Any]:
    """Measured latency and size by trial; NaN where a run has none."""
    runs = {run.id: run.metrics for run in every if run.kind == "trial"}
    return {
        name: np.array([runs.get(matrix.run_ids[n], {}).get(f"dev/{name}", np.nan) for n in numbers])
        for name in ("latency_ms", "size_mb")
    }
