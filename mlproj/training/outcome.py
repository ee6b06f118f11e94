"""Why a training ended, in words that a person can act on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlproj.metrics import as_loss
from mlproj.records import Outcome
from mlproj.spec.project import Project

_RISE = 10.0
"""A training loss that many times the untrained model's means that training made things worse."""


@dataclass(frozen=True)
class Ending:
    """What is known when the last epoch is over.

    Attributes:
        project: The resolved project.
        epochs: Epochs finished.
        n_epochs: Epochs planned.
        best_epoch: Epoch whose weights are kept; 0 for the initial weights.
        judged_by: Split that chose them; None when there was none to judge by.
        value: Its value of the optimised metric at the best epoch.
        is_improving: Whether that value was still getting better in the last tenth of the epochs.
        updates: Updates made.
    """

    project: Project
    epochs: int
    n_epochs: int
    best_epoch: int
    judged_by: str | None
    value: float | None
    is_improving: bool
    updates: int

    @property
    def kept(self) -> str:
        """Which weights were kept."""
        if self.best_epoch == 0:
            return "the initial weights were kept"
        kept = f"the weights of epoch {self.best_epoch} were kept"
        if self.value is None or self.judged_by is None:
            return kept
        if math.isnan(self.value):
            return f"{kept} (by the loss: {self.metric} is undefined for the classes found there)"
        return f"{kept} ({self.metric} {self.value:.4g})"

    @property
    def metric(self) -> str:
        """The metric that chose, with its split, as in `dev error`."""
        return f"{(self.judged_by or '').replace('_', '-')} {self.project.metric.optimize}"


def completed(ending: Ending) -> Outcome:
    """All epochs were trained; says whether more would have helped.

    Args:
        ending: What is known at the end.
    """
    text = f"trained {_count(ending.epochs, 'epoch')}; {ending.kept}."
    if ending.judged_by is None:
        text += " Nothing was held out to judge by; set `splits.dev` to change that."
    elif ending.is_improving:
        text += f" The {ending.metric} was still improving: try more `training.epochs` (now {ending.n_epochs})."
    return Outcome("completed", text)


def early_stopped(ending: Ending, patience: int) -> Outcome:
    """The held-out metric stopped improving.

    Args:
        ending: What is known at the end.
        patience: Epochs without a better value that were waited for.
    """
    waited = f"no better {ending.metric} for {_count(patience, 'epoch')}"
    return Outcome(
        "early_stopped", f"{waited}: stopped after epoch {ending.epochs:,} of {ending.n_epochs:,}; {ending.kept}."
    )


def pruned(ending: Ending) -> Outcome:
    """The training was given up in favour of better ones.

    Args:
        ending: What is known at the end.
    """
    where = f"dropped after epoch {ending.epochs:,} of {ending.n_epochs:,}, where others did better"
    return Outcome("pruned", f"{where}; {ending.kept}.")


def interrupted(ending: Ending, by: str) -> Outcome:
    """The user pressed Ctrl-C, or the time was up.

    Args:
        ending: What is known at the end.
        by: What stopped it.
    """
    updates = _count(ending.updates, "update")
    where = f"stopped by {by} after {ending.epochs:,} of {_count(ending.n_epochs, 'epoch')} ({updates})"
    return Outcome("interrupted", f"{where}; {ending.kept}.")


def diverged(ending: Ending, what: str) -> Outcome:
    """Training left the numbers, or made things worse; says what to try.

    Args:
        ending: What is known at the end.
        what: What was seen, and where.
    """
    training = ending.project.training
    clip = "null" if training.clip_norm is None else training.clip_norm
    advice = f"`training.learning_rate` (now {training.learning_rate}) or `training.clip_norm` (now {clip})"
    return Outcome("diverged", f"{what}; {ending.kept}. Try a smaller {advice}.")


def non_finite_loss(step: int, epoch: int, learning_rate: float) -> str:
    """What a loss that is no number looks like.

    Args:
        step: Update, counted from 1.
        epoch: Epoch, counted from 1.
        learning_rate: Step size of that update.
    """
    return f"the loss became non-finite at step {step:,} (epoch {epoch:,}, learning rate {learning_rate:.4g})"


def is_improving(values: Sequence[float], optimize: str) -> bool:
    """Whether the last tenth of the epochs brought a better value than all before.

    Args:
        values: Values of the optimised metric, one per epoch.
        optimize: Its name.

    Example:
        >>> is_improving([0.3, 0.2, 0.1], "error"), is_improving([0.3, 0.1, 0.1], "error")
        (True, False)
    """
    losses = [as_loss(optimize, value) for value in values if not math.isnan(value)]
    cut = int(0.9 * len(losses))
    return cut > 0 and min(losses[cut:]) < min(losses[:cut])


def has_risen(loss: float, initial: float) -> bool:
    """Whether the training loss ended far above that of the untrained model.

    Example:
        >>> has_risen(40.0, 2.3), has_risen(3.0, 2.3)
        (True, False)
    """
    return loss > _RISE * max(initial, 1e-3)


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
