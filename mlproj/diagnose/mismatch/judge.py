"""From two sets of examples to everything that is known of how they differ. N examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.mismatch.conclude import conclude
from mlproj.diagnose.mismatch.effects import Effect, measure_effects
from mlproj.diagnose.mismatch.gap import GapView
from mlproj.diagnose.mismatch.losses import measure_losses, parts_of_label
from mlproj.diagnose.mismatch.parts import split_gap
from mlproj.diagnose.mismatch.pools import find_pools
from mlproj.diagnose.mismatch.report import AnswerRow, By, Mismatch, Shown, SourceView
from mlproj.diagnose.mismatch.separation import N_SPLITS, Separation, separate
from mlproj.diagnose.mismatch.shift import SplitShift, calibrate, split_shift
from mlproj.diagnose.mismatch.table import Feature, design, join
from mlproj.diagnose.several import of_label
from mlproj.metrics.intervals import mover, wilson
from mlproj.records import Predictions, Texts

N_SHOWN = 8
MOST_ROWS, LEAST_ROWS = 10_000, 1_000
MOST_CELLS = 1_500_000
"""Rows of a set whose inputs are compared: so many at most, of wide tables fewer, as many as have so many cells."""
_SHOWN_FEATURES = 4
_SPLITS_OF_SOURCES = 3


@dataclass(frozen=True)
class Side:
    """One of two sets.

    Attributes:
        name: What it is called.
        ids: Ids of its examples (N,).
        features: What they are made of; empty where that is not known.
        group: Group of each example (N,), or None.
        predictions: Truth and answers of the same examples in the same order; None where there are none.
        slices: Which examples lie in each slice, by its name.
        may_show: Which examples may be shown (N,); all of them when None.
    """

    name: str
    ids: Texts
    features: Sequence[Feature] = ()
    group: NDArray[Any] | None = None
    predictions: Predictions | None = None
    slices: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    may_show: NDArray[np.bool_] | None = None

    def select(self, rows: NDArray[Any]) -> "Side":
        """The set at some positions."""
        return replace(
            self,
            ids=self.ids[rows],
            features=[feature.select(rows) for feature in self.features],
            group=None if self.group is None else self.group[rows],
            predictions=None if self.predictions is None else self.predictions.select(rows),
            slices={name: mask[rows] for name, mask in self.slices.items()},
            may_show=None if self.may_show is None else self.may_show[rows],
        )


def judge_mismatch(
    first: Side,
    second: Side,
    *,
    gap: GapView | None = None,
    metric: str = "error",
    sources: Sequence[Side] = (),
    seed: int = 0,
    notes: Sequence[str] = (),
) -> Mismatch:
    """Compares two sets: their errors, the mix of their parts, their inputs, and what shifted.

    Args:
        first: The set that stands for what the model learned from; train-dev, say.
        second: The set that it is meant for, or new data.
        gap: The gap between them, where both have labels.
        metric: Metric of that gap.
        sources: Sources of training data, each to be held against the second set.
        seed: Seed of splits and samples.
        notes: What else should be said.
    """
    said = list(notes)
    parts = () if gap is None else split_by(first, second, metric)
    inputs = compare_inputs(first, second, seed=seed) if first.features and second.features else None
    shift = None
    if inputs is not None:
        said += inputs.notes
        shift = None if gap is None else _shift(inputs, metric)
    found = Mismatch(
        names=(first.name, second.name),
        gap=gap,
        parts=parts,
        separation=None if inputs is None else inputs.separation,
        effects=() if inputs is None else tuple(inputs.effects),
        first_like_second=() if inputs is None else inputs.show(first=True),
        only_second=() if inputs is None else inputs.show(first=False),
        shift=shift,
        sources=tuple(_judge_source(source, second, seed) for source in sources) if inputs is not None else (),
        notes=tuple(said),
    )
    return replace(found, action=conclude(found))


def split_by(first: Side, second: Side, metric: str) -> tuple[By, ...]:
    """The gap split by every label, then by every slice."""
    assert first.predictions is not None
    assert second.predictions is not None
    a, b = first.predictions, second.predictions
    found = []
    for label in a.labels:
        one, two = of_label(a, label), of_label(b, label)
        if one.answers.known.any() and two.answers.known.any():
            names, part_a, part_b = parts_of_label(one.answers, two.answers)
            found.append(_by(label or "class" if one.answers.is_classification else label or "value", one, two, metric,
                             (names, part_a, part_b)))  # fmt: skip
    for name in first.slices:
        if name in second.slices:
            masks = [side.slices[name] for side in (first, second)]
            found.append(_by(f"slice {name}", a, b, metric, ([f"not {name}", name], *masks)))
    return tuple(found)


def _by(name: str, a: Predictions, b: Predictions, metric: str, cut: tuple[Any, ...]) -> By:
    names, *codes = cut
    losses = [measure_losses(part, metric) for part in (a, b)]
    at = [c[found.known] if len(c) == len(found.known) else c for c, found in zip(codes, losses, strict=True)]
    split = split_gap(
        names, at[0].astype(np.int64), losses[0].loss, at[1].astype(np.int64), losses[1].loss,
        weights=(_at(a.weight, losses[0].known), _at(b.weight, losses[1].known)),
        groups=(_at(a.group, losses[0].known), _at(b.group, losses[1].known)),
    )  # fmt: skip
    return By(name, losses[0].metric, split)


def _at(values: NDArray[Any] | None, rows: NDArray[Any]) -> Any:
    return None if values is None else values[rows]


@dataclass(frozen=True)
class Inputs:
    """The inputs of two sets held against each other.

    Attributes:
        first: The rows of the first set that were compared.
        second: Those of the second.
        separation: How well they are told apart.
        effects: What differs.
        notes: What was left out.
    """

    first: Side
    second: Side
    separation: Separation
    effects: list[Effect]
    notes: list[str]

    def show(self, *, first: bool) -> tuple[Shown, ...]:
        """The examples of the first set most like the second, or those of the second least like the first."""
        n = len(self.first.ids)
        side = self.first if first else self.second
        score = self.separation.score[:n] if first else self.separation.score[n:]
        if self.separation.p is None or not len(score):
            return ()
        allowed = np.isfinite(score) & (True if side.may_show is None else side.may_show)
        order = [int(i) for i in np.argsort(-np.nan_to_num(score, nan=-1.0), kind="stable") if allowed[i]]
        told = list(dict.fromkeys(effect.feature.removesuffix(" is missing") for effect in self.effects))
        by_name = {feature.name: feature for feature in side.features}
        shown = [by_name[name] for name in told if name in by_name][:_SHOWN_FEATURES]
        return tuple(Shown(str(side.ids[i]), float(score[i]), _cells(side, shown, i)) for i in order[:N_SHOWN])


def _cells(side: Side, features: Sequence[Feature], row: int) -> dict[str, str]:
    cells = {feature.name: feature.show(feature.values[row]) for feature in features}
    for label, answers in (side.predictions.labels if side.predictions is not None else {}).items():
        suffix = f":{label}" if label else ""
        for what, values in (("y_true", answers.y_true), ("y_pred", answers.y_pred)):
            known = what == "y_pred" or bool(answers.known[row])
            value = values[row]
            word = answers.classes[int(value)] if answers.is_classification and known else f"{float(value):.4g}"
            cells[f"{what}{suffix}"] = word if known else ""
    return cells


def compare_inputs(
    first: Side, second: Side, *, seed: int = 0, n_splits: int = N_SPLITS, explain: bool = True
) -> Inputs:
    """Holds the inputs of two sets against each other, on a sample of each where they are large.

    Args:
        first: The first set.
        second: The second set.
        seed: Seed of the sample and of the splits.
        n_splits: Splits of the classifier test.
        explain: Whether to say what differs.
    """
    a, b, notes = *(_sample(side, seed) for side in (first, second)), []
    for small, whole in ((a, first), (b, second)):
        if len(small.ids) < len(whole.ids):
            n, of = f"{len(small.ids):,}", f"{len(whole.ids):,} examples of {whole.name}"
            notes.append(f"Inputs: {n} of the {of} are compared, drawn at random.")
    features = join(a.features, b.features)
    is_b = np.repeat([False, True], [len(a.ids), len(b.ids)])
    group = None
    if a.group is not None and b.group is not None:
        group = np.concatenate([a.group, b.group])
    made = design(features)
    from threadpoolctl import threadpool_limits

    # at these sizes threads cost more than they bring, and many times as much where others use the cores too
    with threadpool_limits(limits=1):
        separation = separate(made, is_b, group, seed=seed, explain=explain, n_splits=n_splits)
    effects = (
        measure_effects(features, is_b, group, separation.importance) if explain and separation.p is not None else []
    )
    return Inputs(a, b, separation, effects, notes)


def _sample(side: Side, seed: int) -> Side:
    width = sum(1 if f.inputs is None else f.inputs.shape[1] for f in side.features)
    most = int(np.clip(MOST_CELLS // max(width, 1), LEAST_ROWS, MOST_ROWS))
    if len(side.ids) <= most:
        return side
    return side.select(np.sort(np.random.default_rng([seed, most]).choice(len(side.ids), most, replace=False)))


def _shift(inputs: Inputs, metric: str) -> SplitShift | None:
    """The gap by what shifted, on the rows whose inputs were compared and whose label is known."""
    a, b = inputs.first.predictions, inputs.second.predictions
    score = inputs.separation.score
    if a is None or b is None or inputs.separation.p is None:
        return None
    n, scored = len(a), np.isfinite(score)
    is_b = np.repeat([False, True], [len(a), len(b)])
    q = np.full(len(score), 0.5)
    q[scored] = calibrate(score[scored], is_b[scored])
    losses = [measure_losses(part, metric) for part in (a, b)]
    rows = [losses[0].known & scored[:n], losses[1].known & scored[n:]]
    if not all(r.any() for r in rows):
        return None
    own = [found.loss[r[found.known]] for found, r in zip(losses, rows, strict=True)]
    return split_shift(
        own[0], q[:n][rows[0]], own[1], q[n:][rows[1]],
        weights=(_at(a.weight, rows[0]), _at(b.weight, rows[1])),
        groups=(_at(a.group, rows[0]), _at(b.group, rows[1])),
    )  # fmt: skip


def _judge_source(source: Side, dev: Side, seed: int) -> SourceView:
    """A source of training data against dev: how well it is told apart, and whether it repeats itself."""
    inputs = compare_inputs(source, dev, seed=seed, n_splits=_SPLITS_OF_SOURCES, explain=False)
    both = join(inputs.first.features, inputs.second.features)
    made = design(both)
    n = len(inputs.first.ids)
    halves = [replace(made, x=made.x[:n]), replace(made, x=made.x[n:])]
    pools = find_pools(inputs.first.features, halves[0], inputs.second.features, halves[1])
    return SourceView(source.name, replace(inputs.separation, score=np.zeros(0)), tuple(pools))


def compare_answers(first: Predictions, second: Predictions, level: float = 0.95) -> tuple[AnswerRow, ...]:
    """How often a model gives each answer on two sets, with the difference of the shares; for classes only.

    Args:
        first: Answers on the first set.
        second: Answers on the second; truth is not needed.
        level: Confidence level of the interval (Newcombe 1998, method 10).
    """
    found = []
    n = (len(first), len(second))
    for label, answers in first.labels.items():
        if not answers.is_classification or label not in second.labels or not all(n):
            continue
        for k, name in enumerate(answers.classes):
            a, b = (float(np.mean(part.labels[label].y_pred == k)) for part in (first, second))
            low, high = mover((b, *wilson(b, n[1], level)), (a, *wilson(a, n[0], level)))
            found.append(AnswerRow(f"{label} = {name}" if label else name, a, b, b - a, low, high, n))
    return tuple(sorted(found, key=lambda row: -abs(row.difference)))
