"""A ladder's numbers and verdict in plain words.

Rates are shown in percent and their differences in points; other losses with four significant digits.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlproj.diagnose.gaps import Judgement, reaches
from mlproj.records import Gap, Rung

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
_NO_HUMAN = "Without a human level nobody knows how much of the training error can be avoided."


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
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


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
        >>> show_chance(0.614), show_chance(0.9996), show_chance(0.0)
        ('0.61', '>0.99', '<0.01')
    """
    if p >= 0.995:
        return ">0.99"
    return "<0.01" if p < 0.005 else f"{p:.2f}"


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
    errors: Mapping[str, float],
) -> str:
    """The verdict in one to three sentences.

    Args:
        judgement: What the naming rule says.
        numbers: How numbers are written.
        worth: Smallest gap worth closing.
        resolve: What would settle it, if anything.
        errors: The rungs' errors by name.
    """
    gaps = {gap.name: gap for gap in judgement.gaps}
    if judgement.state == "named":
        return _named(judgement, gaps, numbers, worth)
    if judgement.state == "nothing_to_close":
        small = numbers.difference(worth)
        return (
            f"No gap is worth closing: each is surely smaller than {small}. If the model still disappoints in use, "
            "change the dev set or the metric."
        )
    if judgement.state == "past_human":
        return _past_human(judgement, gaps, numbers, errors)
    return f"{_unresolved(judgement, gaps, numbers, worth)} {resolve_text(resolve, errors)}"


def _named(judgement: Judgement, gaps: Mapping[str, Gap], numbers: Numbers, worth: float) -> str:
    name = judgement.candidates[0]
    gap = gaps[name]
    limits = f"{numbers.bare(gap.low)} to {numbers.difference(gap.high)}"
    text = (
        f"{TITLES[name].capitalize()} is the gap to work on: {numbers.difference(gap.size)} ({limits}), "
        f"the largest with probability {show_chance(gap.p_largest)}; {_MEANINGS[name]}."
    )
    others = [
        other.name
        for other in gaps.values()
        if other.name not in (name, "training_error") and reaches(other.low, worth)  # nobody knows what can be avoided
    ]
    if others:
        sizes = ", ".join(f"{TITLES[other]} ({numbers.difference(gaps[other].size)})" for other in others)
        text += f" Worth closing next: {sizes}."
    return text


def _past_human(judgement: Judgement, gaps: Mapping[str, Gap], numbers: Numbers, errors: Mapping[str, float]) -> str:
    dev, human = numbers.value(errors["dev"]), numbers.value(errors["human"])
    text = (
        f"Past human level: the dev error of {dev} is below the {human} of people. "
        "Human level no longer bounds what is possible, so avoidable bias cannot be told, and people's labels and eyes "
        "help less from here on."
    )
    if judgement.candidates:
        sizes = ", ".join(f"{TITLES[name]} ({numbers.difference(gaps[name].size)})" for name in judgement.candidates)
        text += f" What can still be closed: {sizes}."
    return text


def _unresolved(judgement: Judgement, gaps: Mapping[str, Gap], numbers: Numbers, worth: float) -> str:
    names = judgement.candidates
    if any(name not in gaps for name in names):
        return "Unresolved: without a training rung avoidable bias and variance cannot be told apart."
    if names == ("training_error",):
        size = numbers.value(gaps["training_error"].size)
        return f"Unresolved: the training error, {size}, outweighs the other gaps. {_NO_HUMAN}"
    if len(names) == 1:
        gap = gaps[names[0]]
        least = numbers.difference(max(gap.low, 0.0))
        size = f"its {numbers.difference(gap.size)} may be as little as {least}"
        if gap.other_end is not None:
            size = f"it may be anything from {least} to {numbers.difference(gap.high)}"
        return (
            f"Unresolved: {TITLES[gap.name]} is probably the largest gap ({show_chance(gap.p_largest)}), but {size}; "
            f"{numbers.difference(worth)} would be worth closing."
        )
    shown = [f"{TITLES[name]} ({show_chance(gaps[name].p_largest)})" for name in names]
    text = f"Unresolved between {', '.join(shown[:-1])} and {shown[-1]}."
    if "training_error" in names:
        return f"{text} {_NO_HUMAN}"
    return f"{text} Working on {TITLES[names[0]]} now would forgo {numbers.difference(judgement.regret)} on average."


def resolve_text(resolve: Mapping[str, Any] | None, present: Container[str]) -> str:
    """What would settle an unresolved ladder, as a sentence.

    Args:
        resolve: Which rung to grow, and by how many examples.
        present: Names of the rungs that are there.

    Example:
        >>> resolve_text({"grow": "train_dev", "by": 1500}, {"train_dev", "dev"})
        'About 1,500 more train-dev examples would settle it with an even chance.'
    """
    if resolve is None:
        return "The rungs are constants: say how many examples are behind each (name=error:n)."
    grow, by = resolve["grow"], resolve["by"]
    if grow not in present:
        sample = f" on about {by:,} examples" if by else ""
        return (
            f"Measure human_level{sample} and declare it." if grow == "human" else f"Measure the {grow} error{sample}."
        )
    if by is None:
        return f"Most of the doubt comes from {TITLES[grow]}, but no growth of the sets within reach would end it."
    others = resolve.get("with", [])
    more = f", with {list_titles(others)} grown by the same factor," if others else ""
    return f"About {by:,} more {TITLES[grow]} examples{more} would settle it with an even chance."


def idle_note(dev: Rung, constant: Mapping[str, Any] | None, numbers: Numbers) -> tuple[str, ...]:
    """Says when a model does no better on dev than an answer that looks at nothing.

    Args:
        dev: The dev rung.
        constant: The best constant answer and its value, where it is known.
        numbers: How numbers are written.
    """
    value = None if constant is None else constant["value"]
    if value is None or dev.error is None or (dev.high is not None and dev.high < value) or value <= 0:
        return ()
    surely = "" if dev.error >= value else "surely "
    return (
        f"On dev the model is not {surely}better than the constant answer ({numbers.value(dev.error)} against "
        f"{numbers.value(value)}): see first whether it learns anything at all (`mlproj diagnose doctor`).",
    )


def setting_notes(judgement: Judgement, numbers: Numbers, worth: float, *, bracket: bool) -> tuple[str, ...]:
    """What the numbers mean and rest on.

    Args:
        judgement: What the naming rule says.
        numbers: How numbers are written.
        worth: Smallest gap worth closing.
        bracket: Whether human level was measured on the other distribution.
    """
    together = f" (all {len(judgement.gaps)} together: `band` in --json)" if len(judgement.gaps) > 1 else ""
    notes = [
        f"Intervals are 95 % each{together}, for this model as trained. "
        f"A gap is worth closing from {numbers.difference(worth)}."
    ]
    if len(judgement.gaps) > 1:
        notes.append(f"90 % confidence set for the largest gap: {list_titles(judgement.audit) or 'empty'}.")
    if bracket:
        notes.append(
            "Human level was measured on the target distribution, so avoidable bias mixes the distributions: its "
            "interval reaches up to the whole training error, and a name must hold at both ends."
        )
    if judgement.state != "past_human" and not bracket:
        notes += [_below_human(gap, numbers) for gap in judgement.gaps if gap.name == "avoidable_bias" and gap.size < 0]
    return tuple(notes)


def _below_human(gap: Gap, numbers: Numbers) -> str:
    """What a training error below human level means while dev is not surely below it."""
    if gap.other_end is not None and gap.other_end > 0:
        return (
            "The training error is below what one person gets wrong, yet not below what the best possible model would: "
            f"up to {numbers.difference(gap.high)} of bias may be left to avoid."
        )
    return (
        "The training error is below human level: there is no avoidable bias to close. With dev above it, that is "
        "overfitting; or human level is not the best figure that people can reach."
    )
