"""What is known of overfitting to dev, as a record, for people and for programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from mlproj.diagnose.above_dev import AboveDev
from mlproj.diagnose.overfitting import Optimism
from mlproj.diagnose.render import finite, wrap
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.words import Numbers, choose_numbers
from mlproj.records import Ladder

Concern = Literal["none", "possible", "likely"]


@dataclass(frozen=True)
class Look:
    """One opening of the test set.

    Attributes:
        of: Whose model was evaluated.
        reason: Why, as it was said then.
        when: Seconds since 1970.
    """

    of: str
    reason: str
    when: float


@dataclass(frozen=True)
class Overfitting:
    """How far choices may have been tuned to the dev set.

    Attributes:
        counted: Configurations that were compared on this dev set, by what they were: trials, trainings, records.
        error_sheets: Sheets of its wrong answers that were written for people to read.
        looks: Openings of the test set.
        expected_at_most: What choosing the best of so many may flatter at most on average, were they equally good; None
            where nothing bounds the dev error.
        optimism: What it flatters by the stored answers of a search's trials; None without any.
        search: Name of that search.
        above: Whether the test error exceeds the dev error; None while test is sealed.
        min_gap: Smallest gap worth closing.
        notes: What else should be said.
    """

    counted: Mapping[str, int]
    error_sheets: int
    looks: Sequence[Look]
    expected_at_most: float | None
    optimism: Optimism | None
    search: str
    above: AboveDev | None
    min_gap: float
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def configurations(self) -> int:
        """Configurations that were compared on this dev set."""
        return sum(self.counted.values())

    @property
    def concern(self) -> Concern:
        """How much there is to worry about: an opened test set decides, else the trials' own answers.

        `likely` takes a lower limit above what is worth closing; few dev sets are worn out by choosing (Roelofs et al.
        2019), so mere room for it is none.
        """
        if self.above is not None and self.above.is_sure and self.above.value > self.min_gap:
            return "likely"
        if self.optimism is None or self.optimism.value <= self.min_gap:
            return "none"
        return "likely" if self.optimism.low > self.min_gap else "possible"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        found = self.optimism
        return {
            "configurations": self.configurations,
            "counted": dict(self.counted),
            "error_sheets": self.error_sheets,
            "looks_at_test": len(self.looks),
            "looks": [{"of": look.of, "reason": look.reason, "when": look.when} for look in self.looks],
            "expected_at_most": finite(self.expected_at_most),
            "optimism": None if found is None else {
                "value": finite(found.value), "low": finite(found.low), "high": finite(found.high), "n": found.n,
                "trials": found.trials, "stays": finite(found.stays), "search": self.search, "method": found.method,
            },
            "test": None if self.above is None else {
                "value": finite(self.above.value), "low": finite(self.above.low), "p": finite(self.above.p),
                "n": dict(self.above.n), "method": self.above.method,
            },
            "concern": self.concern,
            "min_gap": finite(self.min_gap),
            "notes": list(self.notes),
        }  # fmt: skip


def overfitting_text(found: Overfitting, ladder: Ladder, command: str = "") -> str:
    """A short block: how often dev was asked, what that flatters, and whether to do anything.

    Args:
        found: What is known.
        ladder: The ladder.
        command: The command that deals a bigger dev set; empty where there is none.
    """
    errors = [rung.error for rung in ladder.rungs if rung.error is not None]
    numbers = choose_numbers(errors, is_rate=is_rate(ladder.metric))
    dev = ladder.rung("dev")
    is_of_chosen = dev is not None and not found.notes
    lines = [_counts(found), *_flattery(found, numbers, dev.error if dev and is_of_chosen else None), *found.notes]
    lines.append(_advice(found, numbers))
    shown = "\n".join(
        wrap(line, "  ") for line in (f"Choosing on dev: {lines[0]}", *(f"- {line}" for line in lines[1:]))
    )
    return shown + (f"\n    {command}" if command and found.concern == "likely" else "")


def _counts(found: Overfitting) -> str:
    kinds = [f"{n:,} {name[:-1] if n == 1 else name}" for name, n in (*found.counted.items(), ("error sheets", 0)) if n]
    n, looks = found.configurations, len(found.looks)
    text = f"{n:,} configuration{'s were' if n != 1 else ' was'} compared on this dev set ({', '.join(kinds)})"
    if found.error_sheets:
        text += f", and errors were read from {found.error_sheets:,} sheet{'s' * (found.error_sheets != 1)}"
    times = {0: "never opened", 1: "opened once", 2: "opened twice"}.get(looks, f"opened {looks:,} times")
    text += f"; the test set was {times}"
    if not looks:
        return text + "."
    last = found.looks[0]
    return f"{text}, last for {last.of} (“{last.reason}”)."


def _flattery(found: Overfitting, numbers: Numbers, dev: float | None) -> Iterator[str]:
    if found.expected_at_most is not None and found.configurations > 1:
        yield (
            f"Were all {found.configurations:,} equally good, the best would flatter by at most "
            f"{numbers.difference(found.expected_at_most)} on average: a bound, not a finding."
        )
    optimism = found.optimism
    if optimism is not None and optimism.trials > 1:
        limits = "nothing bounds it"
        if isfinite(optimism.high):
            limits = f"{numbers.bare(max(optimism.low, 0.0))} to {numbers.difference(max(optimism.high, 0.0))}"
        text = (
            f"By the answers of the {optimism.trials:,} trials of {found.search} choosing flatters by "
            f"{numbers.difference(max(optimism.value, 0.0))} ({limits})"
        )
        fresh = (
            "" if dev is None else f": expect about {numbers.value(dev + max(optimism.value, 0.0))} on fresh examples"
        )
        yield f"{text}{fresh}."
    if found.above is not None:
        above = found.above
        sure = "surely above" if above.is_sure else "not surely above"
        yield (
            f"The test error is {sure} the dev error: {numbers.bare(above.value, sign=True)}, at least "
            f"{numbers.bare(above.low, sign=True)} with 95 %, one-sided (p = {above.p:.2g})."
        )


def _advice(found: Overfitting, numbers: Numbers) -> str:
    worth = numbers.difference(found.min_gap)
    if found.concern == "likely":
        return (
            f"That is more than the {worth} worth closing: take a bigger or a fresh dev set before it decides anything "
            "else."
        )
    if found.concern == "possible":
        return f"That may exceed the {worth} worth closing: when you next gather data, let dev have some of it."
    if found.optimism is None and found.above is None:
        return "No sign that dev is worn out; dev sets seldom are."
    return f"No reason to worry: that is within the {worth} worth closing."
