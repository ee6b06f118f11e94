"""The loop: epochs of updates, an examination after each, the best weights kept, and a reason for the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mlproj.metrics.contract import RankKey
from mlproj.records import OutcomeKind
from mlproj.spec.project import Project
from mlproj.training.batches import Examples, batch_ends, batches, make_orders, shuffle
from mlproj.training.examine import Examination, Examiner
from mlproj.training.outcome import has_risen, non_finite_loss
from mlproj.training.schedules import factors
from mlproj.training.step import Learner, step

OnEpoch = Callable[[int, int, Mapping[str, float]], OutcomeKind | None]
"""Called after each epoch with (epoch, epochs, values by ``SPLIT/METRIC``); an answer ends the training: `pruned` where
others do better, `interrupted` when its time is up."""


@dataclass
class Best:
    """The weights to keep, and how they did.

    Attributes:
        state: A copy of parameters and buffers.
        epoch: Epoch after which they were seen; 0 for the initial weights.
        examination: What was seen then.
    """

    state: dict[str, Tensor]
    epoch: int
    examination: Examination

    @property
    def key(self) -> RankKey | None:
        """Rank by the contract; None for weights that nothing held out has judged."""
        return self.examination.key if self.epoch else None


@dataclass
class Course:
    """How far a training is.

    Attributes:
        best: The weights to keep.
        history: Values by ``SPLIT/METRIC``, one per finished epoch.
        end: Why it ended; None while it goes on.
        seen: For a divergence: what was seen; for an interruption: what stopped it.
        epochs: Finished epochs.
        updates: Updates made.
        train_loss: Training loss in evaluation mode after the last finished epoch.
    """

    best: Best
    history: dict[str, list[float]] = field(default_factory=dict)
    end: OutcomeKind | None = None
    seen: str = ""
    epochs: int = 0
    updates: int = 0
    train_loss: float = float("nan")


class Loop:
    """Trains one model.

    Args:
        project: A resolved project.
        learner: The model, a stack of one, with its optimiser.
        examples: The training set.
        examiner: What looks at the model after each epoch.
        seed: Seed of the batches.
    """

    def __init__(self, project: Project, learner: Learner, examples: Examples, examiner: Examiner, seed: int) -> None:
        self.project = project
        self.learner = learner
        self.examples = examples
        self.examiner = examiner
        self.orders = make_orders([seed])
        training = project.training
        size = training.batch_size if isinstance(training.batch_size, int) else len(examples)
        self.ends = batch_ends(len(examples), size)
        assert training.epochs != "auto"
        self.n_epochs = training.epochs
        rates = factors(training.schedule, n_epochs=self.n_epochs, steps_per_epoch=len(self.ends))
        self.rates = (training.learning_rate * rates).to(learner.weights.theta)
        self.untrained = Best(self._copy(), 0, examiner.examine(learner.model))
        self.course = Course(self.untrained, train_loss=self.untrained.examination.train_loss)

    def run(self, on_epoch: OnEpoch | None = None) -> Course:
        """Trains until the epochs are done, dev no longer improves, the numbers explode, `on_epoch` says so, or Ctrl-C.

        Args:
            on_epoch: Called after each epoch; may end the training.
        """
        course = self.course
        try:
            while course.end is None:
                self._epoch()
                if on_epoch and course.end != "diverged":
                    values = {name: v[-1] for name, v in course.history.items()}
                    self._end_early(on_epoch(course.epochs, self.n_epochs, values))
        except KeyboardInterrupt:
            course.end, course.seen = "interrupted", "Ctrl-C"
            if course.epochs == 0 and course.updates:  # a part of an epoch is better than no training
                self._examine(1)
        before = self.untrained.examination
        if course.end not in ("interrupted", "pruned") and has_risen(course.train_loss, before.train_loss):
            self._diverge(f"the training loss rose from {before.train_loss:.4g} to {course.train_loss:.4g}")
        if course.end == "diverged" and before.key and course.best.key and before.key > course.best.key:
            course.best = self.untrained  # worse than no training at all is not worth keeping
        return course

    def _epoch(self) -> None:
        """One pass through the training set, and a look at what it brought."""
        epoch = self.course.epochs + 1
        losses = self._train(epoch)
        bad = torch.nonzero(~torch.isfinite(losses))
        if len(bad):
            first = int(bad[0])
            update = self.course.updates - len(self.ends) + first
            self._diverge(non_finite_loss(update + 1, epoch, float(self.rates[update])))
            return
        examination = self._examine(epoch)
        if self.course.end == "diverged":
            return
        self.course.epochs = epoch
        sizes = torch.diff(torch.tensor([0, *self.ends]))
        self._note({"train/loss": float((losses * sizes).sum() / self.ends[-1])} | dict(examination.values))
        self._stop(epoch)

    def _train(self, epoch: int) -> Tensor:
        """All updates of an epoch; the loss before each [T]."""
        self.learner.model.train()
        start = (epoch - 1) * len(self.ends)
        rates = self.rates[start : start + len(self.ends)].unsqueeze(1).unbind()
        order = shuffle(len(self.examples), self.orders)
        losses = []
        for batch, rate in zip(batches(self.examples, order, self.ends), rates, strict=True):
            losses.append(step(self.learner, batch, rate))
            self.course.updates += 1
        return torch.cat(losses).cpu()

    def _examine(self, epoch: int) -> Examination:
        """Looks at the model, and keeps its weights if they are the best so far."""
        course, examination = self.course, self.examiner.examine(self.learner.model)
        if not (examination.is_finite and torch.isfinite(self.learner.weights.theta).all()):
            self._diverge(f"the model's answers became non-finite in epoch {epoch:,}")
            return examination
        course.train_loss = examination.train_loss
        key, best = examination.key, course.best.key
        if key is None or best is None or key > best:
            course.best = Best(self._copy(), epoch, examination)
        return examination

    def _stop(self, epoch: int) -> None:
        """Ends the training when its epochs are done, or when dev has not improved for long enough."""
        stopping = self.project.training.early_stopping
        is_judged = self.course.best.key is not None
        if epoch == self.n_epochs:
            self.course.end = "completed"
        elif stopping and is_judged and epoch - self.course.best.epoch >= stopping.patience:
            self.course.end = "early_stopped"

    def _end_early(self, kind: OutcomeKind | None) -> None:
        """Ends the training as `on_epoch` wishes, unless it is over anyway."""
        if kind is not None and self.course.end is None:
            self.course.end, self.course.seen = kind, "its time budget"

    def _diverge(self, seen: str) -> None:
        self.course.end, self.course.seen = "diverged", seen

    def _note(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.course.history.setdefault(name, []).append(value)

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.learner.model.state_dict().items()}
