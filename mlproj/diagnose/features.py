"""What importances and suspects come to: leaks before all, then what hurts, then what the model lives on."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from mlproj.diagnose.gaps import smallest_worth_closing
from mlproj.diagnose.rungs import is_rate
from mlproj.diagnose.words import Numbers, choose_numbers
from mlproj.records import FeatureReport, Importance, LeakSuspect

_CARRIES = 0.8
"""Share of what the model wins over the constant answer that a suspicious column takes with it, at least."""
_LEARNED = 0.5
"""Share of the constant answer's error that a model closes from which one column may be said to carry it."""
_FEWEST = 3
"""Groups from which it is remarkable that one carries all."""
_OTHERS = 0.25
_KINDS = ("determines", "carries", "missing", "order", "time", "name", "id")
Step = Literal["exclude", "drop_hurting", "drop_idle", "constant", "ladder"]


@dataclass(frozen=True)
class Conclusion:
    """What follows.

    Attributes:
        text: In one to three sentences.
        step: What to do next: train without suspects, without what hurts, without what does nothing, look at why the
            model learned nothing, or go on with the ladder.
        columns: The columns that it is about.
    """

    text: str
    step: Step
    columns: tuple[str, ...] = ()


def find_carriers(found: Sequence[Importance], base: float, constant: float | None) -> list[LeakSuspect]:
    """A column that carries nearly all of what the model wins over the constant answer, while the others do not.

    Args:
        found: The importances of all groups.
        base: Loss of the model on dev.
        constant: Loss of the constant answer.
    """
    if constant is None or not constant > 0 or constant - base < _LEARNED * constant or len(found) < _FEWEST:
        return []
    first, second = sorted(found, key=lambda each: -each.value)[:2]
    won = constant - base
    if first.state != "matters" or first.low < _CARRIES * won or second.value > _OTHERS * first.value:
        return []
    share = first.value / won
    carried = "all" if share >= 1 else f"{100 * share:.0f} %"
    evidence = f"with it shuffled {carried} of what the model wins over the constant answer on dev is lost"
    others = f"; no other group takes more than {100 * max(second.value, 0) / won:.0f} %"
    method = "rise of the loss over what the model wins over the constant answer"
    return [LeakSuspect(name, "carries", evidence + others, share, first.n, method) for name in first.columns]


def order_suspects(suspects: Sequence[LeakSuspect]) -> tuple[LeakSuspect, ...]:
    """The strongest signs first, the signs of one column together."""
    best: dict[str, tuple[bool, int]] = {}
    for suspect in sorted(suspects, key=_key):
        best.setdefault(suspect.column, _key(suspect))
    return tuple(sorted(suspects, key=lambda each: (best[each.column], each.column, _key(each))))


def _key(suspect: LeakSuspect) -> tuple[bool, int]:
    return not suspect.strong, _KINDS.index(suspect.kind)


def conclude(report: FeatureReport) -> Conclusion:
    """What a report comes to."""
    numbers = numbers_of(report)
    strong = tuple(dict.fromkeys(suspect.column for suspect in report.suspects if suspect.strong))
    hurts, matters = report.of_state("hurts"), report.of_state("matters")
    if strong:
        does, they = ("looks", "it is") if len(strong) == 1 else ("look", "they are")
        text = (
            f"{_list(strong)} {does} like a leak: if {they} not known when the answer is needed, the figures of this "
            "model are worth nothing. Train without and see what remains."
        )
        return Conclusion(text, "exclude", strong)
    if report.constant is not None and report.base[0] >= report.constant:
        text = (
            f"The model is no better than the constant answer ({numbers.value(report.base[0])} against "
            f"{numbers.value(report.constant)}), so what it makes of its columns says nothing about them."
        )
        return Conclusion(text, "constant")
    if hurts:
        columns = tuple(name for each in hurts for name in each.columns)
        worst = hurts[-1]
        text = (
            f"{_list(columns)} {'hurts' if len(columns) == 1 else 'hurt'}: shuffled, the answers are better by "
            f"{numbers.difference(-worst.value)} ({numbers.bare(-worst.high)} to {numbers.bare(-worst.low)}). "
            "What the model learned from them does not hold on dev; train without."
        )
        return Conclusion(text, "drop_hurting", columns)
    worth = smallest_worth_closing(report.base[0], is_rate=is_rate(report.metric))
    idle = tuple(
        name for each in report.importances if each.high < worth and each.state != "matters" for name in each.columns
    )
    if not matters:
        text = "No group of columns is known to matter to this model: dev is too small, or it leans on many a little."
        return Conclusion(text, "ladder")
    first = matters[0]
    more = f", then {_list([group_name(each.columns) for each in matters[1:3]])}" if len(matters) > 1 else ""
    rise = f"{numbers.bare(first.value, sign=True)}, {numbers.bare(first.low)} to {numbers.difference(first.high)}"
    count = f"{len(matters):,} of {len(report.importances):,} groups matter"
    text = f"{count}, most of all {group_name(first.columns)} ({rise}){more}."
    if len(idle) > len(matters):
        least = numbers.difference(worth)
        rest = f"{len(idle):,} columns surely add less than {least} each: a model without them is simpler."
        return Conclusion(f"{text} {rest}", "drop_idle", idle)
    return Conclusion(text, "ladder")


def group_name(columns: Sequence[str], longest: int = 34) -> str:
    """What a group of columns is called: by its columns, or by the first and how many more.

    Example:
        >>> group_name(["age", "born"]), group_name(["a", "b", "c", "d"])
        ('age + born', 'a + 3 more')
    """
    name = " + ".join(columns)
    if len(columns) < 2 or (len(columns) < 4 and len(name) <= longest):
        return name
    return f"{columns[0]} + {len(columns) - 1} more"


def numbers_of(report: FeatureReport) -> Numbers:
    """How the numbers of a report are written."""
    known = [value for value in (report.base[0], report.constant) if value is not None and isfinite(value)]
    return choose_numbers(known, is_rate=is_rate(report.metric))


def _list(names: Sequence[str]) -> str:
    shown = [str(name) for name in names[:4]] + ([f"{len(names) - 4} more"] if len(names) > 4 else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
