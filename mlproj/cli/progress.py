"""Progress of a training, a search or a prediction: a bar with time left on a terminal, a line a minute off it."""

import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from mlproj.cli.shell import Shell, is_terminal
from mlproj.cli.text import figure
from mlproj.spec.duration import spoken

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from mlproj.searching import Progress
    from mlproj.workflow.curve_making import CurveProgress
    from mlproj.workflow.desk import Begun
    from mlproj.workflow.learning_curve import CurveBegun
    from mlproj.workflow.predict import Predicting
    from mlproj.workflow.train import Started
    from mlproj.workflow.trained_seeds import SeedsBegun

SECONDS_BETWEEN_LINES = 60.0


class _Progress:
    """A bar on a terminal, a line a minute off it; everything goes to standard error except the first lines."""

    unit: str

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._began = self._last_line = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._line = ""
        self._over = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._bar is not None:
            self._bar.stop()

    def _open(self, lines: tuple[str, ...], warnings: tuple[str, ...], total: int | None) -> None:
        for line in (*lines, *(f"warning: {warning}" for warning in warnings)):
            self._shell.say(line)
        self._began = self._last_line = time.monotonic()
        if self._shell.quiet:
            return
        if not is_terminal():
            self._line = f"{self.unit} 0{'' if total is None else f' of {total:,}'}, no result yet"
            threading.Thread(target=self._tick, daemon=True).start()
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn(self.unit), MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[values]}"),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(self.unit, total=total, values="")
        self._bar.start()

    def _move(self, done: int, total: int, values: str, left: float, *, most: str) -> None:
        """Moves the bar, or prints a line when a minute has passed since the last."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, values=f"{values}  {spoken(left)} left")
            return
        self._line = f"{self.unit} {done:,} of {total:,}, {values}, {most} {spoken(left)} left"
        self._print()

    def _tick(self) -> None:
        """Says where it is when nothing has been said for a minute, however long the single trainings take."""
        while not self._over.wait(1.0):
            self._print()

    def _print(self) -> None:
        now = time.monotonic()
        if not self._shell.quiet and now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            typer.echo(self._line, err=True)


class TrainingProgress(_Progress):
    """Says what is trained, then how far it is."""

    unit = "epoch"

    def start(self, started: "Started") -> None:
        """Prints the first line, and opens the bar on a terminal."""
        self._open((started.head, *_noted(started.notes)), started.warnings, started.epochs)

    def epoch(self, epoch: int, epochs: int, values: Mapping[str, float]) -> None:
        """Shows how far the training is."""
        left = (time.monotonic() - self._began) / epoch * (epochs - epoch)
        self._move(epoch, epochs, _brief(values), left, most="at most")


class SearchProgress(_Progress):
    """Says what is searched, then how many trials are done, the best so far and the time left."""

    unit = "trial"

    def start(self, begun: "Begun") -> None:
        """Prints the first lines, and opens the bar on a terminal."""
        self._metric = begun.metric
        self._open((begun.head, begun.plan, *_noted(begun.notes)), begun.warnings, begun.trials)

    def trial(self, progress: "Progress") -> None:
        """Shows how far the search is."""
        best = progress.best
        value = best.metrics.get(self._metric) if best else None
        values = f"best {self._metric} {figure(self._metric, value)}" if best else "no result yet"
        failed = f", {progress.failed:,} failed" if progress.failed else ""
        self._move(progress.done, progress.total, values + failed, progress.left, most="about")


class CurveProgressBar(_Progress):
    """Says what a learning curve trains, then how many trainings are done and the time left."""

    unit = "training"

    def start(self, begun: "CurveBegun") -> None:
        """Prints the first lines, and opens the bar on a terminal where there is something to train."""
        if begun.total:
            self._open((begun.head, begun.plan, *_noted(begun.notes)), begun.warnings, begun.total)
        else:
            self._shell.say(begun.head)
            self._shell.say(begun.plan)

    def fit(self, progress: "CurveProgress") -> None:
        """Shows how far it is."""
        self._move(progress.done, progress.total, progress.last, progress.left, most="about")


class DoctorProgress(_Progress):
    """Says what is looked at, then which check is running."""

    unit = "check"

    def start(self, head: str, checks: int) -> None:
        """Prints the first line, and opens the bar on a terminal."""
        self._open((head,), (), checks)

    def check(self, number: int, checks: int, code: str) -> None:
        """Shows which check is running."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=number - 1, total=checks, values=code)
            return
        self._line = f"{self.unit} {number:,} of {checks:,}, {code}"
        self._print()


class SeedsProgress(_Progress):
    """Says which seeds are trained, then how many are done and what the last one reached."""

    unit = "seed"

    def start(self, begun: "SeedsBegun") -> None:
        """Prints the first lines, and opens the bar on a terminal."""
        self._open((begun.head, begun.plan, *_noted(begun.notes)), begun.warnings, begun.todo)

    def seed(self, done: int, total: int, values: Mapping[str, float]) -> None:
        """Shows how many seeds are done."""
        left = (time.monotonic() - self._began) / done * (total - done)
        shown = ", ".join(f"dev {name} {figure(name, value)}" for name, value in list(values.items())[:2])
        self._move(done, total, shown or "no dev set", left, most="about")


class EnsembleProgress(SeedsProgress):
    """Says which models are trained, then how many are done and what the last one reached."""

    unit = "model"


class PredictProgress(_Progress):
    """Says whose model answers for what, then how many rows are done; how many there are is known at the end."""

    unit = "row"

    def start(self, begun: "Predicting") -> None:
        """Prints the first lines, and opens the bar on a terminal."""
        self._open((begun.head, *_noted(begun.notes)), (), None)

    def rows(self, done: int) -> None:
        """Shows how many rows are done."""
        speed = f"{done / max(time.monotonic() - self._began, 1e-9):,.0f} a second"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, values=speed)
            return
        self._line = f"{self.unit} {done:,}, {speed}"
        self._print()


def _noted(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"note: {note}" for note in notes)


def _brief(values: Mapping[str, float]) -> str:
    """The figures worth watching: the loss and the metrics on dev, or what there is.

    Example:
        >>> _brief({"train/loss": 0.25, "dev/error": 0.031, "train/error": 0.0})
        'train/loss 0.25, dev/error 0.031'
    """
    chosen = [name for name in values if name == "train/loss" or (name.startswith("dev/") and name != "dev/loss")]
    return ", ".join(f"{name} {values[name]:.3g}" for name in (chosen or list(values))[:3])
