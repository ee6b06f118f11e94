"""Everything that is known of how two sets differ: what `mlproj diagnose mismatch` shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlproj.diagnose.mismatch.effects import Effect
from mlproj.diagnose.mismatch.gap import GapView
from mlproj.diagnose.mismatch.parts import SplitGap
from mlproj.diagnose.mismatch.pools import Pool
from mlproj.diagnose.mismatch.separation import Separation
from mlproj.diagnose.mismatch.shift import SplitShift

ActionName = Literal["nothing", "grow", "reweight", "collect", "relabel", "synthesise", "look"]
LEAST_VARIATION = 0.05
"""Share of the second set that has to be unlike the first, surely, before different inputs are worth a word."""
FAR_APART = 0.9
"""Area from which a source of training data is too far from dev to stand in for it."""


@dataclass(frozen=True)
class By:
    """A gap split by what examples belong to.

    Attributes:
        name: What they were split by: the label, or a slice.
        metric: Metric of the losses.
        split: Mix and within.
    """

    name: str
    metric: str
    split: SplitGap


@dataclass(frozen=True)
class Shown:
    """An example to look at.

    Attributes:
        id: Its id.
        score: Probability to lie in the second set, by classifiers that did not learn from it.
        cells: A few of its features and its label, as text.
    """

    id: str
    score: float
    cells: Mapping[str, str]


@dataclass(frozen=True)
class SourceView:
    """A source of training data against dev.

    Attributes:
        name: Its path.
        separation: How well it is told apart from dev.
        pools: What it repeats.
    """

    name: str
    separation: Separation
    pools: tuple[Pool, ...]

    @property
    def is_far(self) -> bool:
        """Whether it is too far from dev to stand in for it."""
        return self.separation.auc is not None and self.separation.auc > FAR_APART


@dataclass(frozen=True)
class AnswerRow:
    """How often a model gives an answer on both sets, with the difference of the shares and its 95 % interval."""

    answer: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    n: tuple[int, int]


@dataclass(frozen=True)
class Action:
    """What to do, in a word and in a sentence."""

    name: ActionName
    text: str


@dataclass(frozen=True)
class Mismatch:
    """How two sets differ.

    Attributes:
        names: What the two sets are called.
        gap: The gap in the metric; None where the second set has no labels.
        parts: The gap split by label and slices.
        separation: How well the inputs are told apart; None where there are no features.
        effects: What differs, feature by feature.
        first_like_second: Examples of the first set that look most like the second.
        only_second: Examples of the second that look least like the first.
        shift: The gap by what shifted; None where there is no gap or no feature.
        sources: Sources of training data against dev.
        answers: How often the model gives each answer, where the second set has no labels.
        action: What to do.
        notes: What else should be said.
    """

    names: tuple[str, str]
    gap: GapView | None = None
    parts: tuple[By, ...] = ()
    separation: Separation | None = None
    effects: tuple[Effect, ...] = ()
    first_like_second: tuple[Shown, ...] = ()
    only_second: tuple[Shown, ...] = ()
    shift: SplitShift | None = None
    sources: tuple[SourceView, ...] = ()
    answers: tuple[AnswerRow, ...] = ()
    action: Action = field(default_factory=lambda: Action("nothing", ""))
    notes: tuple[str, ...] = ()

    @property
    def inputs_differ(self) -> bool:
        """Whether the second set is surely unlike the first to an extent worth a word."""
        found = self.separation
        return found is not None and found.variation is not None and found.variation >= LEAST_VARIATION

    @property
    def is_flagged(self) -> bool:
        """Whether different inputs go with a gap that matters."""
        return self.inputs_differ and self.gap is not None and self.gap.state == "matters"
