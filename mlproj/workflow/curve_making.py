"""Making the trainings of a learning curve: each is kept as it ends, and Ctrl-C leaves what is finished."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlproj.records import CurveFit, Failure, Fit, Job
from mlproj.workflow.curve_plan import Aim, Plan, Training
from mlproj.workflow.curve_store import Shelf

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.fleet import Shelf as Snapshots
    from mlproj.fleet.alone import OneByOne
    from mlproj.track import AbstractTracker


@dataclass(frozen=True)
class CurveProgress:
    """How far it is: trainings made and to make, the last result, seconds that are probably left."""

    done: int
    total: int
    last: str
    left: float


class Making:
    """Makes what is still to be made, and keeps each training as it ends.

    Args:
        plan: All trainings of the curve.
        known: Those that were made before, by key.
        aim: What is measured.
        under_way: Trainings that were cut off, and where those of now are kept.
        on_fit: Called after each training.

    Attributes:
        fits: What is there.
        todo: What is still to be made.
        goes_on: After how many epochs trainings that were cut off go on, by position in `todo`.
        failures: Why trainings could not be made.
        run_id: The diagnosis that they are kept in.
        one_by_one: Which trainings ran alone, and why; None where none was made.
    """

    def __init__(
        self,
        plan: Plan,
        known: Mapping[str, CurveFit],
        aim: Aim,
        under_way: "Snapshots",
        on_fit: Callable[[CurveProgress], None] | None,
    ) -> None:
        self._aim, self._on_fit = aim, on_fit
        # a size or repeat may have had another number when it was asked for before
        self.fits = [
            replace(known[each.key], size=each.size, repeat=each.repeat) for each in plan.trainings if each.key in known
        ]
        self.todo = [each for each in plan.trainings if each.key not in known]
        self.failures: list[str] = []
        self.run_id = ""
        self.one_by_one: OneByOne | None = None
        self._under_way = under_way
        self.goes_on = under_way.epochs(dict(enumerate(self._jobs())))

    def train(self, tracker: "AbstractTracker", shelf: Shelf, dataset: "Dataset", workers: int | None) -> bool:
        """Trains; returns whether Ctrl-C ended it.

        Raises:
            KeyboardInterrupt: When it was interrupted before there was anything to judge.
        """
        if not self.todo:
            return False
        from mlproj.engine import make_engine
        from mlproj.searching.shield import shielded

        began = time.monotonic()
        try:
            with (
                make_engine("auto", dataset, workers, shelf=self._under_way.folder) as engine,
                closing(engine.evaluate(self._jobs())) as results,
            ):
                for position, result in results:
                    with shielded():
                        self._take(shelf, position, result)
                        self._under_way.drop(self._job(self.todo[position]))
                    self._report(time.monotonic() - began)
                    self.one_by_one = engine.one_by_one
        except KeyboardInterrupt:
            if not self.fits:
                tracker.finish(self.run_id, status="KILLED", tags={"mlproj.outcome": "interrupted"})
                raise
            return True
        return False

    def _jobs(self) -> Iterator[Job]:
        yield from map(self._job, self.todo)

    @staticmethod
    def _job(each: Training) -> Job:
        return Job(each.project, each.seed, rows=each.rows)

    def _take(self, shelf: Shelf, position: int, result: Fit | Failure) -> None:
        each = self.todo[position]
        if isinstance(result, Failure):
            self.failures.append(result.reason)
            return
        if result.outcome.kind == "diverged":
            self.failures.append(f"diverged on {each.n:,} examples: {result.outcome.text}")
            return
        from mlproj.diagnose.curve.measured import measure_answers

        values, moves = measure_answers(result.predictions, self._aim.metrics, self._aim.scales)
        fit = CurveFit(
            each.size,
            each.n,
            each.repeat,
            each.seed,
            each.key,
            values,
            moves,
            result.outcome.kind,
            result.seconds,
            True,
        )
        self.fits.append(fit)
        shelf.keep(self.run_id, fit)

    def _report(self, seconds: float) -> None:
        if self._on_fit is None:
            return
        total = len(self.todo)
        made = sum(fit.is_new for fit in self.fits)
        done = made + len(self.failures)
        last = self.fits[-1] if made else None
        words = (
            "no result yet" if last is None else f"dev {last.values[self._aim.asked.metric]['dev']:.3g} on {last.n:,}"
        )
        self._on_fit(CurveProgress(done, total, words, seconds / done * (total - done)))
