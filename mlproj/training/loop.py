"""The loop: epochs of updates, an examination after each, the best weights kept, and a reason for each member's end.

M models of one shape train side by side; a model trained alone is M = 1. Members that have ended leave the stack, so
that the others go on faster.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlproj.metrics.contract import RankKey
from mlproj.records import OutcomeKind
from mlproj.spec.project import Project
from mlproj.training.batches import Examples, batch_ends, batches, make_orders, shuffle
from mlproj.training.examine import Examination, Examiner
from mlproj.training.outcome import has_risen, non_finite_loss
from mlproj.training.schedules import factors
from mlproj.training.step import Learner, keep_members, step
from mlproj.zoo import StackedModel

OnEpoch = Callable[[int, int, Mapping[str, float]], OutcomeKind | None]
"""Called after each epoch with (epoch, epochs, values by ``SPLIT/METRIC``); an answer ends the training: `pruned` where
others do better, `interrupted` when its time is up."""
OnEpochs = Callable[[int, int, Mapping[int, Mapping[str, float]]], Mapping[int, OutcomeKind]]
"""The same for a stack, with the values of the members that still train by number; answers which of them end."""


@dataclass(frozen=True)
class Member:
    """One of the models of a stack.

    Attributes:
        project: Its resolved project.
        seed: Seed of its weights, batches and dropout.
        rows: Positions in the training set that it trains on; None for all.
    """

    project: Project
    seed: int
    rows: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Best:
    """The weights to keep, by how they did.

    Attributes:
        epoch: Epoch after which they were seen; 0 for the initial weights.
        examination: What was seen then.
    """

    epoch: int
    examination: Examination

    @property
    def key(self) -> RankKey | None:
        """Rank by the contract; None for weights that nothing held out has judged."""
        return self.examination.key if self.epoch else None


@dataclass
class Course:
    """How far the training of one member is.

    Attributes:
        best: The weights to keep.
        untrained: The initial weights.
        history: Values by ``SPLIT/METRIC``, one per finished epoch.
        end: Why it ended; None while it goes on.
        seen: For a divergence: what was seen; for an interruption: what stopped it.
        epochs: Finished epochs.
        updates: Updates made.
        train_loss: Training loss in evaluation mode after the last finished epoch.
        seconds: Its share of the time that the stack took.
    """

    best: Best
    untrained: Best
    history: dict[str, list[float]] = field(default_factory=dict)
    end: OutcomeKind | None = None
    seen: str = ""
    epochs: int = 0
    updates: int = 0
    train_loss: float = float("nan")
    seconds: float = 0.0

    def diverge(self, seen: str) -> None:
        """Ends it because the numbers explode."""
        self.end, self.seen = "diverged", seen

    def note(self, values: Mapping[str, float]) -> None:
        """Writes down what an epoch brought."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    def settle(self) -> None:
        """Decides in the end which weights are kept."""
        before = self.untrained.examination
        if self.end not in ("interrupted", "pruned") and has_risen(self.train_loss, before.train_loss):
            self.diverge(f"the training loss rose from {before.train_loss:.4g} to {self.train_loss:.4g}")
        if self.end == "diverged" and before.key and self.best.key and before.key > self.best.key:
            self.best = self.untrained  # worse than no training at all is not worth keeping


State = dict[str, Tensor]
"""Parameters and buffers of some members by name, each [G, …]."""


@dataclass(frozen=True)
class Ended:
    """Members that end after the same epoch.

    Attributes:
        members: Their numbers.
        courses: How their trainings went.
        state: The weights that were kept.
        model: A stack of them, to load these weights into.
    """

    members: tuple[int, ...]
    courses: tuple[Course, ...]
    state: State
    model: StackedModel


class Loop:
    """Trains the members of a stack.

    Args:
        members: The models, with resolved projects that agree in epochs, batch size and data; one per model.
        learner: The stack with its optimiser.
        examples: The training set; with leading axis M where members train on examples of their own.
        examiner: What looks at the models after each epoch.
    """

    def __init__(self, members: Sequence[Member], learner: Learner, examples: Examples, examiner: Examiner) -> None:
        self.members = tuple(members)
        self.learner = learner
        self.examples = examples
        self.examiner = examiner
        self.orders = make_orders([member.seed for member in members])
        training = members[0].project.training
        self.n_examples = examples.x.shape[-2]
        size = training.batch_size if isinstance(training.batch_size, int) else self.n_examples
        self.ends = batch_ends(self.n_examples, size)
        assert training.epochs != "auto"
        self.n_epochs = training.epochs
        self.rates = torch.stack([self._rates(member) for member in members], dim=1).to(learner.weights.theta)
        self.initial, self.kept = _copy(learner.model), _copy(learner.model)
        self.courses = [
            Course(best, best, train_loss=best.examination.train_loss)
            for best in (Best(0, seen) for seen in examiner.examine(learner.model))
        ]
        self.active = list(range(len(members)))
        self.updates = 0

    def run(
        self, on_epoch: OnEpochs | None = None, after_epoch: Callable[["Loop"], None] | None = None
    ) -> Iterator[Ended]:
        """Trains each member until its epochs are done, dev no longer improves or its numbers explode.

        `on_epoch` may end members earlier, and Ctrl-C ends them all. Where it goes on from snapshots, `on_epoch` first
        hears of the epochs that are done.

        Args:
            on_epoch: Called after each epoch; may end members.
            after_epoch: Called where the members that go on are between two epochs.

        Yields:
            Members as they end.
        """
        try:
            for epoch in range(1, self.courses[0].epochs + 1):
                self._ask(on_epoch, epoch)
            yield from self._let_go()
            while self.active:
                self._epoch()
                self._ask(on_epoch, max(self.courses[m].epochs for m in self.active))
                yield from self._let_go()
                if after_epoch and self.active:
                    after_epoch(self)
        except KeyboardInterrupt:
            self._interrupt()
            yield from self._let_go()

    def _ask(self, on_epoch: OnEpochs | None, epoch: int) -> None:
        """Tells what an epoch brought, and ends members as is wished."""
        going = {m: self.courses[m] for m in self.active if self.courses[m].end != "diverged"}
        if on_epoch is None or not going:
            return
        values = {m: {name: v[epoch - 1] for name, v in each.history.items()} for m, each in going.items()}
        for m, kind in on_epoch(epoch, self.n_epochs, values).items():
            self._end_early(self.courses[m], kind)

    def _rates(self, member: Member) -> Tensor:
        training = member.project.training
        steps = factors(training.schedule, n_epochs=self.n_epochs, steps_per_epoch=len(self.ends))
        return training.learning_rate * steps

    def _let_go(self) -> Iterator[Ended]:
        """Hands out the members that have ended; the others go on in a smaller stack."""
        ended = [at for at, m in enumerate(self.active) if self.courses[m].end is not None]
        if not ended:
            return
        for at in ended:
            course = self.courses[self.active[at]]
            course.updates = self.updates
            course.settle()
            if course.best is course.untrained:
                _overwrite(self.kept, self.initial, [at])
        going = [at for at in range(len(self.active)) if at not in set(ended)]
        members = tuple(self.active[at] for at in ended)
        model = self.learner.model.part(ended) if going else self.learner.model
        courses = tuple(self.courses[m] for m in members)
        found = Ended(members, courses, {name: value[ended] for name, value in self.kept.items()}, model)
        if going:
            self._shrink(going)
        self.active = [self.active[at] for at in going]
        yield found

    def _shrink(self, going: list[int]) -> None:
        """Goes on with some members, by position."""
        self.learner = keep_members(self.learner, going)
        self.examiner.keep(going)
        if self.examples.x.ndim == 3:
            self.examples = self.examples.members(going)
        self.rates = self.rates[:, going]
        self.orders = [self.orders[at] for at in going]
        self.initial = {name: value[going] for name, value in self.initial.items()}
        self.kept = {name: value[going] for name, value in self.kept.items()}

    def _interrupt(self) -> None:
        for m in self.active:
            course = self.courses[m]
            course.end, course.seen = "interrupted", "Ctrl-C"
        if self.updates and any(self.courses[m].epochs == 0 for m in self.active):
            self._examine(1)  # a part of an epoch is better than no training

    def _epoch(self) -> None:
        """One pass through the training set, and a look at what it brought."""
        epoch, began = self.courses[self.active[0]].epochs + 1, time.perf_counter()
        losses = self._train(epoch)
        sizes = torch.diff(torch.tensor([0, *self.ends])).to(losses)
        means = (losses * sizes.unsqueeze(1)).sum(0) / self.ends[-1]
        bad = ~torch.isfinite(losses)
        for at, m in enumerate(self.active):
            if bad[:, at].any():
                first = int(torch.nonzero(bad[:, at])[0])
                update = self.updates - len(self.ends) + first
                self.courses[m].diverge(non_finite_loss(update + 1, epoch, float(self.rates[update, at])))
        examinations = self._examine(epoch)
        seconds = (time.perf_counter() - began) / len(self.active)
        for at, m in enumerate(self.active):
            course = self.courses[m]
            course.seconds += seconds
            if course.end == "diverged":
                continue
            course.epochs = epoch
            course.note({"train/loss": float(means[at])} | dict(examinations[at].values))
            self._stop(m, epoch)

    def _train(self, epoch: int) -> Tensor:
        """All updates of an epoch; the losses before each [T, M]."""
        self.learner.model.train()
        start = (epoch - 1) * len(self.ends)
        rates = self.rates[start : start + len(self.ends)].unbind()
        order = shuffle(self.n_examples, self.orders)
        losses = []
        for batch, rate in zip(batches(self.examples, order, self.ends, len(self.active)), rates, strict=True):
            losses.append(step(self.learner, batch, rate))
            self.updates += 1
        return torch.stack(losses).cpu()

    def _examine(self, epoch: int) -> tuple[Examination, ...]:
        """Looks at the members, and keeps the weights of those that are the best so far."""
        examinations = self.examiner.examine(self.learner.model)
        sound = torch.isfinite(self.learner.weights.theta.sum(dim=1, dtype=torch.float64)).tolist()
        better = []
        for at, m in enumerate(self.active):
            course, seen = self.courses[m], examinations[at]
            if course.end == "diverged":
                continue
            if not (seen.is_finite and sound[at]):
                course.diverge(f"the model's answers became non-finite in epoch {epoch:,}")
                continue
            course.train_loss = seen.train_loss
            key, best = seen.key, course.best.key
            if key is None or best is None or key > best:
                course.best = Best(epoch, seen)
                better.append(at)
        if better:
            _overwrite(self.kept, self.learner.model.state_dict(), better)
        return examinations

    def _stop(self, m: int, epoch: int) -> None:
        """Ends a training when its epochs are done, or when dev has not improved for long enough."""
        course, stopping = self.courses[m], self.members[m].project.training.early_stopping
        is_judged = course.best.key is not None
        if epoch == self.n_epochs:
            course.end = "completed"
        elif stopping and is_judged and epoch - course.best.epoch >= stopping.patience:
            course.end = "early_stopped"

    @staticmethod
    def _end_early(course: Course, kind: OutcomeKind) -> None:
        """Ends the training as `on_epoch` wishes, unless it is over anyway."""
        if course.end is None:
            course.end, course.seen = kind, "its time budget"


def _copy(model: StackedModel) -> State:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _overwrite(state: State, other: Mapping[str, Tensor], members: Sequence[int]) -> None:
    """Takes over some members, by position, from another state."""
    rows = torch.tensor(list(members), device=next(iter(state.values())).device)
    for name, value in state.items():
        value[rows] = other[name].detach()[rows]
