"""Progress of a training: a bar with time left on a terminal, a line a minute off it."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from mlproj.cli.shell import Shell, is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mlproj.workflow.train import Started

SECONDS_BETWEEN_LINES = 60.0


class TrainingProgress:
    """Says what is trained, then how far it is; everything goes to standard error except the first line."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._began = time.monotonic()
        self._last_line = self._began
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, started: "Started") -> None:
        """Prints the first line, and opens the bar on a terminal."""
        self._shell.say(started.head)
        for warning in started.warnings:
            self._shell.say(f"warning: {warning}")
        self._began = self._last_line = time.monotonic()
        if is_terminal() and not self._shell.quiet:
            self._open(started.epochs)

    def epoch(self, epoch: int, epochs: int, values: Mapping[str, float]) -> None:
        """Moves the bar, or prints a line when a minute has passed since the last."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=epoch, values=_brief(values))
            return
        now = time.monotonic()
        if not self._shell.quiet and now - self._last_line >= SECONDS_BETWEEN_LINES:
            left = (now - self._began) / epoch * (epochs - epoch)
            typer.echo(f"epoch {epoch} of {epochs}, {_brief(values)}, at most {_duration(left)} left", err=True)
            self._last_line = now

    def _open(self, epochs: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[values]}"),
            TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("epoch", total=epochs, values="")
        self._bar.start()


def _brief(values: Mapping[str, float]) -> str:
    """The figures worth watching: the loss and the metrics on dev, or what there is.

    Example:
        >>> _brief({"train/loss": 0.25, "dev/error": 0.031, "train/error": 0.0})
        'train/loss 0.25, dev/error 0.031'
    """
    chosen = [name for name in values if name == "train/loss" or (name.startswith("dev/") and name != "dev/loss")]
    return ", ".join(f"{name} {values[name]:.3g}" for name in (chosen or list(values))[:3])


def _duration(seconds: float) -> str:
    """A duration in words.

    Example:
        >>> _duration(75)
        '1 min 15 s'
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
