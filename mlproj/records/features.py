"""What a model makes of its columns: how much each one matters to it, and which look like traces of the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FeatureState = Literal["matters", "hurts", "unclear", "unused"]
SuspectKind = Literal["determines", "carries", "missing", "order", "time", "name", "id"]


@dataclass(frozen=True)
class Importance:
    """By how much the loss on dev rises when some columns are shuffled together.

    Attributes:
        columns: The raw columns that were shuffled.
        value: Rise of the loss; negative where shuffling makes the answers better.
        low: Lower 95 % limit.
        high: Upper 95 % limit.
        p: Two-sided p-value of no rise and no fall.
        n: Dev examples.
        repeats: Times that each example was given another's cells.
        method: How the limits were computed.
        p_holm: The p-value after Holm's correction for all groups that were tested; None where it is not tested.
        state: What may be claimed.
        members: Each column of a group shuffled by itself, for which nothing is claimed.
    """

    columns: tuple[str, ...]
    value: float
    low: float
    high: float
    p: float
    n: int
    repeats: int
    method: str
    p_holm: float | None = None
    state: FeatureState = "unclear"
    members: tuple["Importance", ...] = ()


@dataclass(frozen=True)
class LeakSuspect:
    """A column that may hold a trace of the answer, with what speaks for it.

    Attributes:
        column: Its name.
        kind: What is suspicious: it determines the label alone, carries the model, tells by its missing cells, follows
            the order of the rows or the time, bears the label's name, or is an id.
        evidence: What was seen, in a sentence.
        value: The figure behind it.
        n: Examples behind it.
        method: What the figure is and how it was computed.
        strong: Whether it should be dealt with before anything else.
        key: The key of project.yaml that deals with it: data.exclude, data.time or data.id.
    """

    column: str
    kind: SuspectKind
    evidence: str
    value: float
    n: int
    method: str
    strong: bool = False
    key: str = "data.exclude"


@dataclass(frozen=True)
class FeatureReport:
    """The answer of `diagnose features`.

    Attributes:
        metric: The metric; scores are turned into losses.
        base: Loss on dev with nothing shuffled: value, lower and upper limit.
        base_method: How these limits were computed.
        constant: Loss of the best constant answer; None where there is none.
        n: Dev examples.
        importances: By group of columns, the most important first.
        alone: Share of the label's variance that each column explains by itself on train, cross-fitted.
        alone_n: Train examples behind it.
        suspects: Leak suspects, the strongest first.
        correlation: Correlation from which columns are shuffled together; None where the groups were given.
        notes: What else a reader should know.
    """

    metric: str
    base: tuple[float, float, float]
    base_method: str
    constant: float | None
    n: int
    importances: tuple[Importance, ...]
    alone: Mapping[str, float] = field(default_factory=dict)
    alone_n: int = 0
    suspects: tuple[LeakSuspect, ...] = ()
    correlation: float | None = None
    notes: tuple[str, ...] = ()

    def of_state(self, state: FeatureState) -> tuple[Importance, ...]:
        """The groups of which that is claimed."""
        return tuple(found for found in self.importances if found.state == state)
