"""Which trainings run alone where others run side by side, and why, for whoever wonders what a fleet is doing."""

from collections.abc import Mapping
from typing import Any, NamedTuple

OWN = "a model of your own"
NO_GAIN = "no gain from a stack"
TOO_LARGE = "no room for two in a stack"
NO_COMPANY = "no other like it at hand"


class Reason(NamedTuple):
    """Why a training runs alone.

    Attributes:
        text: In words.
        width: Units of its widest layer; 0 where that is not the reason.
        name: Name of the model; empty where that is not the reason.
    """

    text: str
    width: int = 0
    name: str = ""


class OneByOne(NamedTuple):
    """The trainings of an engine that ran alone.

    Attributes:
        trainings: All that it was handed.
        alone: Those that ran alone, by reason.
    """

    trainings: int
    alone: Mapping[Reason, int]

    def document(self) -> list[dict[str, Any]]:
        """Reasons as JSON knows them, the most frequent first; those that differ in nothing but a width are one.

        Example:
            >>> OneByOne(9, {Reason(NO_GAIN, 512): 2, Reason(NO_GAIN, 800): 1}).document()
            [{'reason': 'no gain from a stack (widths 512 to 800)', 'trainings': 3}]
        """
        rows = []
        for text in sorted({reason.text for reason in self.alone}):
            ours = [reason for reason in self.alone if reason.text == text]
            rows.append((text + _detail(ours), sum(self.alone[reason] for reason in ours)))
        rows.sort(key=lambda row: -row[1])
        return [{"reason": reason, "trainings": n} for reason, n in rows]

    def words(self) -> str:
        """One line; empty where none ran alone, or there was no other.

        Example:
            >>> OneByOne(64, {Reason(NO_GAIN, 512): 12}).words()
            '12 of 64 trainings ran one by one: no gain from a stack (width 512)'
            >>> OneByOne(64, {Reason(NO_GAIN, 512): 12, Reason(OWN, name="nets:Net"): 1}).words()
            '13 of 64 trainings ran one by one: 12 no gain from a stack (width 512), 1 a model of your own (nets:Net)'
            >>> OneByOne(2, {Reason(NO_GAIN, 512): 2}).words()
            'all 2 trainings ran one by one: no gain from a stack (width 512)'
        """
        rows = self.document()
        if self.trainings < 2 or not rows:
            return ""
        n = sum(row["trainings"] for row in rows)
        why = ", ".join(f"{row['trainings']:,} " * (len(rows) > 1) + row["reason"] for row in rows)
        which = f"all {n:,}" if n == self.trainings else f"{n:,} of {self.trainings:,}"
        return f"{which} trainings ran one by one: {why}"


def _detail(reasons: list[Reason]) -> str:
    """What the reasons of one kind are about."""
    names = sorted({reason.name for reason in reasons if reason.name})
    widths = sorted({reason.width for reason in reasons if reason.width})
    if widths:
        return f" (width {widths[0]})" if len(widths) == 1 else f" (widths {widths[0]} to {widths[-1]})"
    return f" ({', '.join(names)})" if names else ""
