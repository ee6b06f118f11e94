"""The verdict of a comparison in one honest sentence: the contract first, then the metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlproj.records import Promise
from mlproj.workflow.contract import status_of

if TYPE_CHECKING:
    from mlproj.diagnose.words import Numbers
    from mlproj.metrics import Paired
    from mlproj.records.matching import Matched

Side = Literal["a", "b"]
_SIDES: tuple[Side, Side] = ("a", "b")


@dataclass(frozen=True)
class Judged:
    """What a comparison comes to.

    Attributes:
        better: a or b where one can be preferred, else None.
        ahead: a or b by point value, whether or not that can be told from chance.
        text: One sentence, or two.
        p_b_better: Probability that b is the better one; None where the metric is undefined.
        only_right: Examples that only a and only b got right; None for numbers.
        resolve: The split to grow and by how many examples, where the two cannot be told apart.
    """

    better: Side | None
    ahead: Side
    text: str
    p_b_better: float | None
    only_right: tuple[int, int] | None
    resolve: Mapping[str, Any] | None


def judge(
    metric: str,
    values: tuple[float, float],
    found: "Paired",
    pair: "Matched",
    contract: Mapping[Side, Sequence[Promise]],
    names: tuple[str, str],
    split: str,
) -> Judged:
    """Which of two models to prefer.

    Args:
        metric: The metric that decides where the contract does not.
        values: Its values for a and b.
        found: b minus a, p and limits saying the same.
        pair: Their answers.
        contract: What each promises.
        names: What to call them.
        split: Where they were compared.
    """
    from mlproj.metrics.paired import p_second_better
    from mlproj.records.matching import only_one_right
    from mlproj.spec.goal import LOSSES

    only_right = only_one_right(pair.first.labels, pair.second.labels)
    if not isfinite(found.value):
        text = f"They cannot be compared: {metric} is undefined or infinite on these examples."
        kept = _by_contract(contract, names)
        return Judged(kept[0] if kept else None, "a", kept[1] if kept else text, None, only_right, None)
    p = 1 - p_second_better(found, lower_is_better=metric in LOSSES)  # b is the first of b minus a
    ahead: Side = "b" if p > 0.5 else "a"
    if kept := _by_contract(contract, names):
        return Judged(kept[0], kept[0] or ahead, kept[1], p, only_right, None)
    words = _Words(metric, values, found, names, split)
    told = found.low > 0 or found.high < 0
    unproven = _unproven(contract, names)
    if told:
        return Judged(ahead, ahead, words.better(ahead) + unproven, p, only_right, None)
    if _is_same(pair, metric):
        return Judged(None, ahead, words.same() + unproven, p, only_right, None)
    worth = words.worth
    if -worth <= found.low and found.high <= worth:
        return Judged(None, ahead, words.equal() + unproven, p, only_right, None)
    resolve = _resolve(metric, found, pair, only_right, split)
    text = words.unresolved(p, ahead, resolve)
    return Judged(None, ahead, text + unproven, p, only_right, resolve)


def signed(numbers: "Numbers", number: float, *, unit: bool = False) -> str:
    """A difference with its sign, as people write it.

    Example:
        >>> from mlproj.diagnose.words import Numbers
        >>> signed(Numbers(is_rate=True), -0.012, unit=True), signed(Numbers(is_rate=False), float("inf"))
        ('−1.2 points', '∞')
    """
    if not isfinite(number):
        return "−∞" if number < 0 else "∞"
    shown = numbers.bare(number, sign=True).replace("-", "−")
    return f"{shown} points" if unit and numbers.is_rate else shown


def limits_text(numbers: "Numbers", low: float, high: float) -> str:
    """Limits of a difference in words.

    Example:
        >>> from mlproj.diagnose.words import Numbers
        >>> limits_text(Numbers(is_rate=True), -0.019, 0.003)
        '−1.9 to +0.3'
    """
    return f"{signed(numbers, low)} to {signed(numbers, high)}"


def _by_contract(contract: Mapping[Side, Sequence[Promise]], names: tuple[str, str]) -> tuple[Side | None, str] | None:
    """Who wins by the contract alone, and the sentence; None where the metric decides."""
    from mlproj.metrics.limits import violation

    states = {side: status_of(contract[side]) for side in _SIDES}
    if "violated" not in states.values():
        return None
    if states["a"] == states["b"]:
        missed = {
            side: sum(violation(p.value, p.limit) for p in contract[side] if np.isfinite(p.value)) for side in _SIDES
        }
        said = "; ".join(f"{_title(side, names)}: {_missed(contract[side])}" for side in _SIDES)
        if missed["a"] == missed["b"]:
            return None, f"Neither meets the contract, and neither comes nearer: {said}."
        nearer: Side = "a" if missed["a"] < missed["b"] else "b"
        return nearer, f"Neither meets the contract; {_title(nearer, names)} comes nearer. {said}."
    loser: Side = "a" if states["a"] == "violated" else "b"
    winner: Side = "b" if loser == "a" else "a"
    meets = "meets every limit" if states[winner] == "met" else f"may meet it (not proved: {_open(contract[winner])})"
    text = f"{_title(winner, names)} is better by contract: {_title(loser, names)} violates it"
    return winner, f"{text} ({_missed(contract[loser])}), {_title(winner, names)} {meets}."


def _title(side: Side, names: tuple[str, str]) -> str:
    return f"{side} ({names[_SIDES.index(side)]})"


def _missed(contract: Sequence[Promise]) -> str:
    return ", ".join(_said(promise) for promise in contract if promise.status == "violated")


def _open(contract: Sequence[Promise]) -> str:
    return ", ".join(_said(promise) for promise in contract if promise.status == "unknown")


def _said(promise: Promise) -> str:
    if not np.isfinite(promise.value):
        return f"{promise.metric} was not measured, limit {promise.limit}"
    return f"{promise.metric} {promise.value:.4g}, limit {promise.limit}"


def _unproven(contract: Mapping[Side, Sequence[Promise]], names: tuple[str, str]) -> str:
    """What to add where a contract is neither met nor violated for sure."""
    parts = [
        f"{_title(side, names)} is not proved to meet its contract ({_open(contract[side])})"
        for side in _SIDES
        if status_of(contract[side]) == "unknown"
    ]
    return f" But {' and '.join(parts)}." if parts else ""


def _is_same(pair: "Matched", metric: str) -> bool:
    """Whether both give the same answers, as far as the metric looks."""
    from mlproj.metrics.evidence import PROBABILITY_METRICS

    def equal(name: str) -> bool:
        ours, theirs = pair.first.labels[name], pair.second.labels[name]
        if metric in PROBABILITY_METRICS:
            return ours.p is not None and theirs.p is not None and np.array_equal(ours.p, theirs.p)
        return np.array_equal(ours.y_pred, theirs.y_pred)

    return all(equal(name) for name in pair.first.labels)


def _resolve(
    metric: str, found: "Paired", pair: "Matched", only_right: tuple[int, int] | None, split: str
) -> Mapping[str, Any] | None:
    """How many more examples would tell, rounded; None where no number would."""
    from mlproj.diagnose.resolve import round_up
    from mlproj.metrics.planning import examples_to_tell

    plain = pair.first.weight is None and pair.first.group is None and len(pair.first.labels) == 1
    discordant = None
    if metric in ("error", "accuracy") and plain and only_right is not None and found.n:
        discordant = sum(only_right) / found.n
    total = examples_to_tell(found, discordant)
    return None if total is None else {"grow": split, "by": round_up(max(total - found.n, 1))}


class _Words:
    """The sentence, with numbers written alike."""

    def __init__(
        self, metric: str, values: tuple[float, float], found: "Paired", names: tuple[str, str], split: str
    ) -> None:
        from mlproj.diagnose.gaps import smallest_worth_closing
        from mlproj.diagnose.rungs import is_rate
        from mlproj.diagnose.words import choose_numbers
        from mlproj.metrics import as_loss

        rate = is_rate(metric)
        self.metric, self.values, self.found, self.names, self.split = metric, values, found, names, split
        sizes = [abs(x) for x in (found.value, found.low, found.high) if isfinite(x)]
        self.numbers: Numbers = choose_numbers([*sizes, *map(abs, values)], is_rate=rate)
        self.worth = smallest_worth_closing(as_loss(metric, values[0]), is_rate=rate)

    def better(self, side: Side) -> str:
        """One is better."""
        small = max(abs(self.found.low), abs(self.found.high)) < self.worth
        tail = f", though by less than the {self.numbers.difference(self.worth)} worth working for" if small else ""
        return f"{_title(side, self.names)} is better{tail}: {self._figures(side)}."

    def same(self) -> str:
        """Both give the same answers."""
        return f"They cannot be told apart: both give the same answers to these {self.found.n:,} examples."

    def equal(self) -> str:
        """The whole interval is smaller than what is worth working for."""
        return f"They are equal within {self.numbers.difference(self.worth)}: {self._figures('b')}."

    def unresolved(self, p_b: float, ahead: Side, resolve: Mapping[str, Any] | None) -> str:
        """The examples cannot tell."""
        from mlproj.diagnose.words import show_chance

        if self.found.value == 0:
            limits = limits_text(self.numbers, self.found.low, self.found.high)
            both = f"both have {self.metric} {self.numbers.value(self.values[0])}"
            return f"Cannot tell: {both}, a difference of 0 ({limits})."
        chance = show_chance(p_b if ahead == "b" else 1 - p_b)
        text = (
            f"Cannot tell yet: {self._figures(ahead)}; {_title(ahead, self.names)} is better with probability {chance}."
        )
        if resolve is None:
            return text
        split = str(resolve["grow"]).replace("_", "-")
        return f"{text} About {resolve['by']:,} more {split} examples would tell, if the difference stays."

    def _figures(self, side: Side) -> str:
        """The better one's value first, then the difference b − a."""
        own, other = self.values if side == "a" else self.values[::-1]
        figures = f"{self.metric} {self.numbers.value(own)} against {self.numbers.value(other)}"
        limits = limits_text(self.numbers, self.found.low, self.found.high)
        return f"{figures}, difference b − a {signed(self.numbers, self.found.value, unit=True)} ({limits})"
