"""Successive halving: trials that do badly after a part of their epochs are ended there.

Each training has *rungs*, epochs at which it is held against the others of its round: after a ninth of its epochs and
after a third of them, say. Whoever reaches a rung goes on if it is among the best third of all that have reached it so
far, and ends there if not. Nobody waits for a rung to be full: that is the asynchronous rule (ASHA) of Li et al. 2020,
"A System for Massively Parallel Hyperparameter Tuning", section 3.1, in the form that stops trainings rather than
pausing them. It is the same for one training at a time and for a fleet, whose members reach a rung together and are
judged together.

Who survives trains exactly as without halving: learning-rate schedules, early stopping and all else depend on the full
number of epochs.

>>> rungs_of(20)
(2, 7)
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from mlproj.metrics import rank_key
from mlproj.metrics.contract import RankKey
from mlproj.metrics.evidence import RESOURCES
from mlproj.metrics.limits import Limits
from mlproj.records import Fit
from mlproj.searching.found import dev_metrics
from mlproj.searching.trials import Judgement, Trial

ETA = 3
"""Of so many that reach a rung one goes on. Three is what the theory prefers (Jamieson & Talwalkar 2016: the bound is
smallest at e) and forgives a bad start more often than four."""
MOST_RUNGS = 3
"""Nobody is judged before a 27th of its epochs: the first few say little about the last."""
FEWEST_EPOCHS = 4
"""Trainings of fewer epochs just run: there is nothing to save."""
_DEV = "dev/"


def rungs_of(epochs: int) -> tuple[int, ...]:
    """Epochs after which a training is judged, ascending: 1/27, 1/9 and 1/3 of all, where those are whole epochs.

    Args:
        epochs: All its epochs.

    Example:
        >>> rungs_of(100), rungs_of(4), rungs_of(3)
        ((4, 11, 33), (1,), ())
    """
    if epochs < FEWEST_EPOCHS:
        return ()
    shares = [epochs / ETA**k for k in range(MOST_RUNGS, 0, -1)]
    return tuple(int(share + 0.5) for share in shares if share >= 1)


def n_to_keep(n: int) -> int:
    """How many of `n` that have reached a rung go on; below three nobody is judged.

    Example:
        >>> [n_to_keep(n) for n in (1, 2, 3, 4, 6, 32)]
        [1, 2, 1, 1, 2, 10]
    """
    return n if n < ETA else n // ETA


def levels_of(epochs: int) -> dict[int, int]:
    """Rungs by level: 0 lies at 1/27 of all epochs, 1 at 1/9, 2 at 1/3, so that equal levels are equal shares.

    Args:
        epochs: All epochs of a training.

    Example:
        >>> levels_of(20)
        {1: 2, 2: 7}
    """
    rungs = rungs_of(epochs)
    return dict(enumerate(rungs, start=MOST_RUNGS - len(rungs)))


class Rung:
    """What was seen at one rung, and who was ended there.

    Args:
        optimize: The metric to optimise.
        satisfy: Limits by metric; those on what only a finished model shows, latency and size, are left out.
    """

    def __init__(self, optimize: str, satisfy: Limits) -> None:
        self._optimize, self._satisfy = optimize, limits_at_rungs(satisfy)
        self._keys: dict[int, RankKey] = {}
        self._dropped: set[int] = set()

    def count_in(self, number: int, values: Mapping[str, float]) -> None:
        """Counts a trial in that is not judged any more; one that was keeps the values that it was judged by."""
        if number not in self._keys:
            self._keys[number] = self._key(values)

    def take_in(self, judgement: Judgement) -> None:
        """Takes over what was decided here before a cut."""
        self.count_in(judgement.number, judgement.values)
        if judgement.is_dropped:
            self._dropped.add(judgement.number)

    def knows(self, number: int) -> bool:
        """Whether a trial counts here already, so that nothing more is decided of it."""
        return number in self._keys

    def _key(self, values: Mapping[str, float]) -> RankKey:
        return rank_key(values, self._optimize, self._satisfy, values.get("loss"))

    def judge(self, arrived: Mapping[int, Mapping[str, float]]) -> set[int]:
        """Which of those that have arrived end here; who was judged before stays judged.

        Args:
            arrived: Values on dev by metric, of each trial by number. They are judged together.
        """
        new = arrived.keys() - self._keys.keys()
        for number in new:
            self._keys[number] = self._key(arrived[number])
        order = sorted(self._keys, key=lambda number: (self._keys[number], -number), reverse=True)
        kept = set(order[: n_to_keep(len(order))])
        if any(map(self._is_sound, order)):  # what is no number outlives nothing that is one, however few they are
            kept = set(filter(self._is_sound, kept)) if len(order) >= ETA else kept
        self._dropped |= new - kept
        return self._dropped & arrived.keys()

    def _is_sound(self, number: int) -> bool:
        return math.isfinite(self._keys[number][2])


class Referee:
    """Decides in one round who ends at which rung.

    Trials of earlier rounds do not compete: the second round looks where the best of the first were, and would seldom
    have anybody to drop.

    Args:
        optimize: The metric to optimise.
        satisfy: Limits by metric.
        known: Trials of the round that have ended before, so that what is decided after a cut rests on the same rivals.
        judged: What was decided before a cut. It stands: a trial that comes to a rung again, perhaps in another order,
            meets no second judgement there.
        write: Writes down what is decided, before anybody acts on it: all of those that arrive together at once.
    """

    def __init__(
        self,
        optimize: str,
        satisfy: Limits,
        known: Iterable[Trial] = (),
        *,
        judged: Iterable[Judgement] = (),
        write: Callable[[Sequence[Judgement]], None] = lambda _: None,
    ) -> None:
        self._write = write
        self._names = (optimize, *limits_at_rungs(satisfy), "loss")
        self._rungs = [Rung(optimize, satisfy) for _ in range(MOST_RUNGS)]
        self._numbers: list[int] = []
        self._plans: dict[int, dict[int, int]] = {}
        for judgement in judged:  # before the known: early stoppers among those were judged by what they had then
            self._rungs[judgement.level].take_in(judgement)
        for trial in known:
            for level, values in trial.rungs.items():
                self._rungs[level].count_in(trial.number, values)

    def enter(self, number: int, epochs: int) -> tuple[int, ...]:
        """Takes in the next training, by its trial's number, and returns its rungs.

        Args:
            number: Number of the trial.
            epochs: All its epochs; trials of unequal length are compared after equal shares of them.
        """
        self._numbers.append(number)
        self._plans[number] = levels_of(epochs)
        return rungs_of(epochs)

    def on_rung(self, epoch: int, seen: Mapping[int, Mapping[str, float]]) -> set[int]:
        """What engines ask: which trainings to drop, by position, of those that have shown something at an epoch.

        Args:
            epoch: The epoch.
            seen: Values by ``SPLIT/METRIC`` of each training that has reached it, by position.
        """
        dropped: set[int] = set()
        fresh: list[Judgement] = []
        at = {self._numbers[place]: place for place in seen}
        for level, rung in enumerate(self._rungs):
            here = [number for number in at if self._plans[number].get(level) == epoch]
            arrived = {number: self._on_dev(seen[at[number]]) for number in here}
            new = [number for number in here if not rung.knows(number)]
            ends = rung.judge(arrived) if arrived else set()
            fresh += [Judgement(number, level, arrived[number], number in ends) for number in new]
            dropped |= {at[number] for number in ends}
        if fresh:
            self._write(fresh)
        return dropped

    def end(self, trial: Trial, fit: Fit) -> Trial:
        """A trial with what came of its training, and with what it has shown at its rungs.

        One that ended well before a rung, because dev no longer improved, counts there with what it had: it is a rival.

        Args:
            trial: A trial that was taken in.
            fit: Its training.
        """
        done = ended(trial, fit)
        if fit.outcome.kind == "interrupted":
            return done
        done = replace(done, rungs=seen_at(self._plans[trial.number], fit.history.metrics, done))
        for level, values in done.rungs.items():  # what it stopped before, or had passed before a cut
            self._rungs[level].count_in(trial.number, values)
        return done

    def _on_dev(self, values: Mapping[str, float]) -> dict[str, float]:
        return {name: values[_DEV + name] for name in self._names if _DEV + name in values}


def ended(trial: Trial, fit: Fit) -> Trial:
    """A trial with what came of its training.

    Args:
        trial: The trial.
        fit: Its training.
    """
    return replace(
        trial,
        state="pruned" if fit.outcome.kind == "pruned" else "complete",
        metrics=dev_metrics(fit),
        seconds=fit.seconds,
        epochs=fit.history.epochs,
    )


def seen_at(
    plan: Mapping[int, int], history: Mapping[str, Sequence[float]], trial: Trial
) -> dict[int, dict[str, float]]:
    """Values on dev of a trial at each rung that it has reached, by level.

    Where it stopped by itself before a rung, they are what it ended with.

    Args:
        plan: Its rungs by level.
        history: Values by ``SPLIT/METRIC``, one per epoch.
        trial: The trial, with its state, its epochs and its metrics.
    """
    course = {name.removeprefix(_DEV): values for name, values in history.items() if name.startswith(_DEV)}
    seen = {}
    for level, rung in plan.items():
        if rung <= trial.epochs:
            seen[level] = {name: values[rung - 1] for name, values in course.items() if len(values) >= trial.epochs}
        elif trial.state != "pruned":
            seen[level] = {name: trial.metrics[name] for name in course if name in trial.metrics}
    return seen


def limits_at_rungs(satisfy: Limits) -> dict[str, str]:
    """The limits that can be judged while a model trains: all but those on latency and size.

    Example:
        >>> limits_at_rungs({"recall": ">= 0.9", "latency_ms": "<= 20"})
        {'recall': '>= 0.9'}
    """
    return {str(name): limit for name, limit in satisfy.items() if name not in RESOURCES}


def standing(trials: Iterable[Trial], optimize: str, satisfy: Limits) -> list[Trial]:
    """Trials that were ended early, best first.

    Who came further is better: it has won against the others at the rung where they ended. Values are compared only
    between those that ended at the same rung, after equal shares of their epochs; none is ever compared with that of a
    finished training, which had all of its epochs to become good.

    Args:
        trials: Trials of any state.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
    """
    limits = limits_at_rungs(satisfy)

    def key(trial: Trial) -> tuple[int, RankKey, int]:
        last = trial.last_seen
        return trial.level, rank_key(last, optimize, limits, last.get("loss")), -trial.number

    return sorted((trial for trial in trials if trial.state == "pruned"), key=key, reverse=True)
