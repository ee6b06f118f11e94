"""How many examples each split gets, and what such a number buys.

Small data are dealt 60/20/20, a million or more 98/1/1, and in between dev and test shrink smoothly in share. Explicit
sizes are shares (below 1) or numbers (from 2) of target examples.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mlproj.errors import InvalidInput, Problem
from mlproj.metrics.intervals import wilson
from mlproj.spec.project import Project

_SMALL, _LARGE = 100_000, 1_000_000
_SMALL_SHARE, _LARGE_SHARE = 0.2, 0.01
_WITHOUT_OTHER = 1.5  # 70/30 instead of 60/20/20 where there is no separate test set
_TRAIN_DEV_SHARE = 0.1  # most of the training distribution that an automatic train-dev set takes
Z95 = 1.959963984540054


@dataclass(frozen=True)
class HeldOut:
    """Examples to deal into dev and test, besides those that a column or a file puts there."""

    dev: int
    test: int


@dataclass(frozen=True)
class Proof:
    """What proves a rate on n examples.

    Attributes:
        least: Fewest examples that prove it when all are answered right; None when none does (a limit of 100 %).
        misses: Most wrong answers among the n that still prove it; −1 when even none does.
    """

    least: int | None
    misses: int


def automatic_share(n: int, *, alone: bool = False) -> float:
    """Share of dev, and of test, in n target examples: 20 % up to 10⁵, 1 % from 10⁶, log-linear in between.

    Half as much again (70/30) when it is `alone`, the other of dev and test being absent.

    Example:
        >>> automatic_share(1000), automatic_share(1000, alone=True), automatic_share(2_000_000)
        (0.2, 0.3, 0.01)
    """
    place = min(1.0, max(0.0, math.log10(max(n, 1) / _SMALL) / math.log10(_LARGE / _SMALL)))
    share = _SMALL_SHARE * (_LARGE_SHARE / _SMALL_SHARE) ** place
    return round(share * (_WITHOUT_OTHER if alone else 1.0), 12)


def half_width(n: int, p: float) -> float:
    """Half the width of the 95 % interval of a rate p measured on n examples: 1.96·√(p(1−p)/n) (Wald).

    Example:
        >>> round(half_width(1000, 0.1), 4)
        0.0186
    """
    return Z95 * math.sqrt(max(p * (1 - p), 0.0) / n) if n else math.inf


def plan_proof(right: float, n: int, *, strict: bool = False) -> Proof:
    """How many examples, and how few wrong answers, prove that a rate of right answers reaches a limit.

    With all of n right, Wilson's lower limit is n/(n + z²) (Wilson 1927), so n ≥ z²·L/(1 − L) proves L.

    Args:
        right: The limit L on the rate of right answers, in [0, 1].
        n: Examples there are.
        strict: Whether the rate has to exceed the limit.

    Example:
        >>> plan_proof(0.95, 200)
        Proof(least=73, misses=3)
    """
    if right >= 1:
        return Proof(None, -1)
    least = max(1, math.ceil(Z95**2 * right / (1 - right) - 1e-9))
    if strict and least / (least + Z95**2) <= right:
        least += 1
    low, high = -1, n
    while low < high:  # the lower limit falls with every miss
        middle = (low + high + 1) // 2
        limit = wilson((n - middle) / n, n)[0] if n else 0.0
        if limit > right or (limit == right and not strict):
            low = middle
        else:
            high = middle - 1
    return Proof(least, low)


def plan_held_out(
    project: Project, *, n_target: int, n_free: int, given: Mapping[str, int], has_training: bool
) -> HeldOut:
    """How many target examples to deal into dev and test.

    Args:
        project: Its `splits` say the sizes; a file or a date there means 0 to deal by number.
        n_target: Labelled target examples, those that a column or file puts somewhere included.
        n_free: Those of them that are to be dealt.
        given: How many a column or file puts into each split; they count towards its size.
        has_training: Whether something is left to train on when all free examples are held out.

    Raises:
        InvalidInput: When the sizes are no sizes or exceed what is there.
    """
    problems: list[Problem] = []
    wants = {name: _requested(project, name, n_target, given, problems) for name in ("dev", "test")}
    if problems:
        raise InvalidInput(problems)
    least = 0 if has_training else 1
    fixed = sum(want for want in wants.values() if want is not None)
    automatic = [name for name, want in wants.items() if want is None]
    if fixed > n_free or (n_free > 0 and fixed + len(automatic) + least > n_free):
        raise InvalidInput([_too_much(project, wants, n_free, least)])
    alone = len(automatic) == 1 and 0 in (project.splits.dev, project.splits.test)
    for name in automatic:
        room = (n_free - fixed - least) // len(automatic)
        more = round(automatic_share(n_target, alone=alone) * n_target) - given.get(name, 0)
        wants[name] = max(0, min(max(0 if given.get(name) else 1, more), room)) if n_free else 0
    return HeldOut(wants["dev"] or 0, wants["test"] or 0)


def plan_train_dev(project: Project, *, n_training: int, n_free: int, given: int, n_dev: int, differ: bool) -> int:
    """How many examples of the training distribution to hold out as train-dev.

    Args:
        project: Its `splits.train_dev` says the size; auto is like dev, at most a tenth of the training distribution,
            and none where training and target distribution are the same.
        n_training: Examples of the training distribution.
        n_free: Those of them that are to be dealt.
        given: How many a column puts there.
        n_dev: Examples in dev.
        differ: Whether training and target distribution differ.

    Raises:
        InvalidInput: When the size is no size or exceeds what is there.
    """
    size = project.splits.train_dev
    if isinstance(size, str):
        if not differ or given or not n_free:
            return 0
        return min(n_dev, max(1, int(n_training * _TRAIN_DEV_SHARE)), n_free - 1)
    problems: list[Problem] = []
    want = max(0, _count(project, "train_dev", size, n_training, problems) - given)
    if not problems and want and want >= n_free:
        message = f"{want:,} examples asked for, but {n_free:,} are left outside dev and test, and train needs some"
        problems.append(project.problem("splits.train_dev", message, f"Ask for at most {max(n_free - 1, 0):,}."))
    if problems:
        raise InvalidInput(problems)
    return want


def _requested(
    project: Project, name: str, n_target: int, given: Mapping[str, int], problems: list[Problem]
) -> int | None:
    """Examples still to deal for an explicit size; None where it is automatic."""
    size = getattr(project.splits, name)
    if isinstance(size, str):
        return 0
    if size is None:
        return None
    return max(0, _count(project, name, size, n_target, problems) - given.get(name, 0))


def _count(project: Project, name: str, size: float, n: int, problems: list[Problem]) -> int:
    """A share or number as a number of examples."""
    if size >= 1 and (size < 2 or not float(size).is_integer()):
        hint = "Write a share below 1 or a whole number from 2."
        problems.append(
            project.problem(f"splits.{name}", f"{size:g} is neither a share nor a number of examples", hint)
        )
        return 0
    if size >= 2 or size == 0:
        return int(size)
    count = math.floor(size * n + 0.5)
    if not count:
        message = f"a share of {size:g} of {n:,} examples is less than one example"
        problems.append(project.problem(f"splits.{name}", message, "Ask for a number of examples (from 2), or 0."))
    return count


def _too_much(project: Project, wants: Mapping[str, int | None], n_free: int, least: int) -> Problem:
    """Dev, test and train ask for more than there is; the largest wish is named as the place."""
    asked = [f"{name} {want:,}" if want else f"{name} (automatic) 1" for name, want in wants.items() if want != 0]
    asked += ["train 1"] if least else []
    explicit = [name for name, want in wants.items() if want]
    where = f"splits.{max(explicit, key=lambda name: wants[name] or 0)}" if explicit else "data.source"
    there = f"{n_free:,} target examples with a label are there to deal"
    message = f"{', '.join(asked)} examples are needed at least, but {there}"
    hint = "Dev and test come from `data.source` alone: make them smaller, set one to 0, or add data."
    return project.problem(where, message, hint)
