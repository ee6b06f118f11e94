"""A ladder's numbers and verdict in plain words.

Rates are shown in percent and their differences in points; other losses with four significant digits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlproj.diagnose.gaps import Judgement
from mlproj.diagnose.resolve import MOST
from mlproj.records import Gap

TITLES: Mapping[str, str] = {
    "avoidable_bias": "avoidable bias",
    "training_error": "training error",
    "variance": "variance",
    "data_mismatch": "data mismatch",
    "variance_or_data_mismatch": "variance or data mismatch",
    "overfitting_to_dev": "overfitting to dev",
    "human": "human",
    "train": "train",
    "train_dev": "train-dev",
    "dev": "dev",
    "test": "test",
}
"""Gaps and rungs as people write them."""
_MEANINGS = {
    "avoidable_bias": "the model does not yet do on its own training examples what people do",
    "variance": "what it learned does not carry over to new examples of the same kind",
    "data_mismatch": "it does worse on the target's examples than on unseen ones like those it was trained on",
    "variance_or_data_mismatch": "without a train-dev set nobody can tell which of the two",
    "overfitting_to_dev": "choices were tuned to the dev set; find fresh or more dev examples",
}


@dataclass(frozen=True)
class Numbers:
    """How numbers are written in one ladder.

    Attributes:
        is_rate: Whether values are shares, written in percent.
        digits: Digits after the point of percents.
    """

    is_rate: bool
    digits: int = 1

    def value(self, number: float) -> str:
        """An error.

        Example:
            >>> Numbers(is_rate=True).value(0.0896), Numbers(is_rate=False).value(28900.4)
            ('9.0 %', '28,900')
        """
        return f"{100 * number:.{self.digits}f} %" if self.is_rate else _plain(number)

    def bare(self, number: float | None, *, sign: bool = False) -> str:
        """An error or a difference without its unit, for tables.

        Example:
            >>> Numbers(is_rate=True).bare(0.052, sign=True)
            '+5.2'
        """
        if number is None:
            return "inf"
        if not self.is_rate:
            return ("+" if sign and number > 0 else "") + _plain(number)
        shown = f"{100 * number:{'+' if sign else ''}.{self.digits}f}"
        return shown.replace("-", "", 1) if float(shown) == 0 else shown

    def difference(self, number: float) -> str:
        """A difference of errors.

        Example:
            >>> Numbers(is_rate=True).difference(0.08)
            '8.0 points'
        """
        return f"{100 * number:.{self.digits}f} points" if self.is_rate else _plain(number)


def _plain(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 10_000 else f"{number:.4g}"


def choose_numbers(values: Sequence[float], *, is_rate: bool) -> Numbers:
    """Two digits after the point where all errors are below one percent, else one.

    Example:
        >>> choose_numbers([0.005, 0.006, 0.008], is_rate=True).value(0.005)
        '0.50 %'
    """
    return Numbers(is_rate, 2 if max(values, default=1.0) < 0.0105 else 1)


def show_chance(p: float) -> str:
    """A probability with two digits, never rounded to certainty.

    Example:
        >>> show_chance(0.614), show_chance(0.9996), show_chance(1.0)
        ('0.61', '>0.99', '1.00')
    """
    if 0.995 <= p < 1:
        return ">0.99"
    return "<0.01" if 0 < p < 0.005 else f"{p:.2f}"


def list_titles(names: Sequence[str]) -> str:
    """Names joined as people do.

    Example:
        >>> list_titles(["variance", "data_mismatch"])
        'variance and data mismatch'
    """
    titles = [TITLES[name] for name in names]
    return " and ".join([", ".join(titles[:-1]), titles[-1]]) if len(titles) > 1 else "".join(titles)


def verdict_text(
    judgement: Judgement,
    numbers: Numbers,
    worth: float,
    resolve: Mapping[str, Any] | None,
    human: float | None,
    dev: float,
) -> str:
    """The verdict in one to three sentences.

    Args:
        judgement: What the naming rule says.
        numbers: How numbers are written.
        worth: Smallest gap worth closing.
        resolve: What would settle it, if anything.
        human: Human error, if known.
        dev: Dev error.
    """
    gaps = {gap.name: gap for gap in judgement.gaps}
    if judgement.state == "named":
        return _named(judgement, gaps, numbers, worth)
    if judgement.state == "nothing_to_close":
        small = numbers.difference(worth)
        return f"No gap is worth closing: each is surely smaller than {small}. Aim at a better metric or a harder dev set."
    if judgement.state == "past_human":
        assert human is not None  # the state compares with it
        return _past_human(judgement, gaps, numbers, human, dev)
    return f"{_unresolved(judgement, gaps, numbers, worth)} {resolve_text(resolve)}".strip()


def _named(judgement: Judgement, gaps: Mapping[str, Gap], numbers: Numbers, worth: float) -> str:
    name = judgement.candidates[0]
    gap = gaps[name]
    limits = f"{numbers.bare(gap.low)} to {numbers.difference(gap.high)}"
    text = (
        f"{TITLES[name].capitalize()} is the gap to work on: {numbers.difference(gap.size)} ({limits}), "
        f"the largest with probability {show_chance(gap.p_largest)}; {_MEANINGS[name]}."
    )
    others = [other.name for other in gaps.values() if other.name != name and other.low > worth]
    if others:
        sizes = ", ".join(f"{TITLES[other]} ({numbers.difference(gaps[other].size)})" for other in others)
        text += f" Worth closing next: {sizes}."
    return text


def _past_human(
    judgement: Judgement, gaps: Mapping[str, Gap], numbers: Numbers, human: float, dev: float
) -> str:
    text = (
        f"Past human level: the dev error of {numbers.value(dev)} is below the {numbers.value(human)} of people. "
        "Human level no longer bounds what is possible, so avoidable bias cannot be told, and people's labels and eyes "
        "help less from here on."
    )
    if judgement.candidates:
        sizes = ", ".join(f"{TITLES[name]} ({numbers.difference(gaps[name].size)})" for name in judgement.candidates)
        text += f" What can still be closed: {sizes}."
    return text


def _unresolved(judgement: Judgement, gaps: Mapping[str, Gap], numbers: Numbers, worth: float) -> str:
    names = judgement.candidates
    if not gaps or not any(name in gaps for name in names):
        return "Unresolved: without a training rung avoidable bias and variance cannot be told apart."
    if len(names) == 1:
        gap = gaps[names[0]]
        return (
            f"Unresolved: {TITLES[gap.name]} is probably the largest gap ({show_chance(gap.p_largest)}), but its "
            f"{numbers.difference(gap.size)} may be as little as {numbers.difference(max(gap.low, 0.0))}; "
            f"{numbers.difference(worth)} would be worth closing."
        )
    shown = [f"{TITLES[n]} ({show_chance(gaps[n].p_largest)})" if n in gaps else TITLES[n] for n in names]
    text = f"Unresolved between {', '.join(shown[:-1])} and {shown[-1]}."
    if "training_error" in names:
        return f"{text} Without a human level nobody knows how much of the training error can be avoided."
    return f"{text} Working on {TITLES[names[0]]} now would forgo {numbers.difference(judgement.regret)} on average."


def resolve_text(resolve: Mapping[str, Any] | None) -> str:
    """What would settle an unresolved ladder, as a sentence.

    Example:
        >>> resolve_text({"grow": "train_dev", "by": 1500})
        'About 1,500 more train-dev examples would settle it with an even chance.'
    """
    if resolve is None:
        return "The rungs are constants: say how many examples are behind each (name=error:n)."
    grow, by = resolve["grow"], resolve["by"]
    if grow == "human":
        sample = f", on about {by:,} examples" if by else ""
        return f"Declare human_level: measure it{sample}, or give --human ERROR:N."
    if grow == "train" and resolve.get("missing"):
        return "Measure the error on training examples."
    if by is None:
        return f"Most of the doubt comes from {TITLES[grow]}, but up to {MOST:,} more examples of it alone would not end it."
    return f"About {by:,} more {TITLES[grow]} examples would settle it with an even chance."
