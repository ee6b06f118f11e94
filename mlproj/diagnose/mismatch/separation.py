"""Whether two sets can be told apart by their inputs: the classifier two-sample test. N examples, D columns.

A classifier learns on one half to tell the sets apart, and is tested on the other (Lopez-Paz & Oquab 2017). The p-value
comes from permuting which set the held-out examples lie in, with the classifier fixed: it is exact, whatever was
learned. Five splits are merged, because one alone would depend on its luck.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.mismatch.permute import N_PERMUTATIONS, auc_of_ranks, find_blocks, judge_auc, merge_p, rank
from mlproj.diagnose.mismatch.table import Design
from mlproj.diagnose.mismatch.variation import bound_variation, choose_cut
from mlproj.metrics.estimates import estimate
from mlproj.metrics.intervals import Floats
from mlproj.records import Answers

N_SPLITS = 5
FEW_UNITS, FEW_GROUPS = 50, 20
"""With fewer examples or groups in a set half of them cannot teach a classifier: out-of-bag forests serve instead."""
LEAST_UNITS = 8
"""With fewer in a set nothing is tested: no permutation could be rare enough."""
_FOREST_PERMUTATIONS, _FOREST_ROWS = 99, 200
_MOST_COLUMNS_OF_TREES = 300
_IMPORTANCE_ROWS, _IMPORTANCE_BLOCKS = 2000, 60
_SEED = 20_061_118
LEVEL = 0.95


@dataclass(frozen=True)
class Separation:
    """How well the inputs of two sets can be told apart.

    Attributes:
        n: Examples of the first and the second set.
        p: p-value of "both come from one distribution"; None where nothing could be tested.
        auc: Chance that the classifier ranks an example of the second set above one of the first; None likewise.
        low: Lower 95 % limit of it; None where nothing bounds it.
        high: Upper limit.
        variation: Lower 95 % bound on the total variation distance: at least this share of the second set is unlike
            the first; None where no bound was computed.
        classifier: What told them apart.
        method: How p came about.
        score: Probability to lie in the second set, of classifiers that did not learn from the example (N,); NaN where
            there was none.
        importance: How much of the area goes when a feature is shuffled, by name.
        n_permutations: Permutations behind each p-value.
    """

    n: tuple[int, int]
    p: float | None = None
    auc: float | None = None
    low: float | None = None
    high: float | None = None
    variation: float | None = None
    classifier: str = ""
    method: str = "not tested"
    score: Floats = field(default_factory=lambda: np.zeros(0))
    importance: Mapping[str, float] = field(default_factory=dict)
    n_permutations: int = 0


@dataclass(frozen=True)
class _Half:
    """What one split found on its held-out half."""

    kind: str
    auc: float
    p: float
    low: float
    high: float
    variation: float
    importance: Mapping[str, float]


def separate(
    made: Design,
    is_b: NDArray[np.bool_],
    group: NDArray[Any] | None = None,
    *,
    seed: int = 0,
    n_splits: int = N_SPLITS,
    n_permutations: int = N_PERMUTATIONS,
    kinds: Sequence[str] = ("logistic", "trees"),
    explain: bool = True,
) -> Separation:
    """Learns to tell two sets apart and tests whether that works on examples not learned from.

    Args:
        made: Inputs of both sets.
        is_b: Which examples lie in the second set (N,).
        group: Group of each example (N,): a group is learned from or tested on as a whole, and permuted as one.
        seed: Seed of splits and permutations.
        n_splits: Splits into a half that is learned from and one that is tested on.
        n_permutations: Permutations per split.
        kinds: Classifiers that may be chosen from; the better one within the half that is learned from is taken.
        explain: Whether to measure which features matter.
    """
    n = (int((~is_b).sum()), int(is_b.sum()))
    units = _count_units(is_b, group)
    if min(units) < LEAST_UNITS or not made.x.shape[1]:
        return Separation(n, score=np.full(len(is_b), np.nan))
    if min(units) < (FEW_UNITS if group is None else FEW_GROUPS):
        return _forest(made, is_b, group, seed)
    allowed = [kind for kind in kinds if kind != "trees" or made.x.shape[1] <= _MOST_COLUMNS_OF_TREES] or kinds[:1]
    halves, scores = [], np.zeros((2, len(is_b)))
    for k in range(n_splits):
        rng = np.random.default_rng([_SEED, seed, k])
        learn = split_halves(is_b, group, rng)
        learner, kind, threshold = _learn(made.x, is_b, group, learn, allowed, rng)
        held = ~learn
        score = learner(made.x[held])
        scores[:, held] += np.vstack([score, np.ones_like(score)])
        if k == 0:  # the mirror, so that every example is scored by a classifier that did not learn from it
            mirror, _, _ = _learn(made.x, is_b, group, held, allowed, rng)
            scores[:, learn] += np.vstack([mirror(made.x[learn]), np.ones(int(learn.sum()))])
        own = None if group is None else group[held]
        importance = _importance(made, learner, held, is_b, rng) if explain else {}
        halves.append(_judge(kind, score, is_b[held], own, threshold, importance, rng, n_permutations))
    return _merge(halves, n, scores[0] / scores[1], n_permutations)


def _count_units(is_b: NDArray[np.bool_], group: NDArray[Any] | None) -> tuple[int, int]:
    _, label = find_blocks(is_b, group)
    return int((~label).sum()), int(label.sum())


def split_halves(is_b: NDArray[np.bool_], group: NDArray[Any] | None, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Half of each set (N,), groups whole; which half has the odd one out is left to chance."""
    if group is None:
        chosen = np.zeros(len(is_b), dtype=np.bool_)
        for side in (False, True):
            rows = rng.permutation(np.flatnonzero(is_b == side))
            chosen[rows[: len(rows) // 2]] = True
        return chosen
    names, codes = np.unique(group, return_inverse=True)
    share = np.bincount(codes, is_b) / np.bincount(codes)
    order = rng.permutation(len(names))
    order = order[np.argsort(np.round(share[order]), kind="stable")]  # alternate within each set
    first = np.zeros(len(names), dtype=np.bool_)
    first[order[::2]] = True
    return np.asarray(first[codes])


def _learn(
    x: Floats,
    is_b: NDArray[np.bool_],
    group: NDArray[Any] | None,
    learn: NDArray[np.bool_],
    kinds: Sequence[str],
    rng: np.random.Generator,
) -> tuple[Any, str, float]:
    """The classifier that does better within the half, fitted on all of it; and the score to cut at."""
    x, y, group = x[learn], is_b[learn], None if group is None else group[learn]
    inner = split_halves(y, group, rng)
    held = ~inner
    scores = {kind: fit_classifier(kind, x[inner], y[inner])(x[held]) for kind in kinds}
    areas = {kind: _area(score, y[held]) for kind, score in scores.items()}
    kind = max(areas, key=lambda name: areas[name])
    return fit_classifier(kind, x, y), kind, choose_cut(scores[kind], y[held])


def _area(score: Floats, is_b: NDArray[np.bool_]) -> float:
    return float(auc_of_ranks(rank(score)[is_b].sum(), int(is_b.sum()), len(is_b)))


def fit_classifier(kind: str, x: Floats, is_b: NDArray[np.bool_]) -> Any:
    """A function from inputs (N, D) to the probability of the second set (N,), both sets weighing the same.

    Args:
        kind: logistic or trees.
        x: Inputs to learn from.
        is_b: Which of them lie in the second set.
    """
    if len(np.unique(is_b)) < 2:
        return lambda inputs: np.full(len(inputs), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one that has not converged is a classifier like any other
        model = _new_classifier(kind).fit(x, is_b)
    prior = (len(is_b) - is_b.sum()) / is_b.sum()  # weights in the fit would cost ten times as much for trees

    def probability(inputs: Floats) -> Floats:
        p = np.clip(np.asarray(model.predict_proba(inputs)[:, 1], dtype=np.float64), 1e-9, 1 - 1e-9)
        return np.asarray(p * prior / (p * prior + 1 - p), dtype=np.float64)

    return probability


def _new_classifier(kind: str) -> Any:
    if kind == "logistic":
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=0.1, max_iter=200)
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, max_bins=64, early_stopping=False, random_state=0
    )


def _judge(
    kind: str,
    score: Floats,
    is_b: NDArray[np.bool_],
    group: NDArray[Any] | None,
    threshold: float,
    importance: Mapping[str, float],
    rng: np.random.Generator,
    n_permutations: int,
) -> _Half:
    """What a fixed score says on examples that nothing was learned from; limits at 97.5 %, to be merged by medians."""
    level = (1 + LEVEL) / 2
    auc, p = judge_auc(score, is_b, group, rng, n=n_permutations)
    answers = Answers(
        is_b.astype(np.int64), (score >= 0.5).astype(np.int64), ("a", "b"), np.column_stack([1 - score, score])
    )
    found = estimate("roc_auc", answers, None, group, level=level)
    return _Half(
        kind, auc, p, found.low, found.high, bound_variation(score >= threshold, is_b, group, level), importance
    )


def _importance(
    made: Design, learner: Any, held: NDArray[np.bool_], is_b: NDArray[np.bool_], rng: np.random.Generator
) -> dict[str, float]:
    """Loss of area on held-out examples when the columns of a feature are shuffled together (Breiman 2001)."""
    rows = np.flatnonzero(held)
    rows = rng.choice(rows, _IMPORTANCE_ROWS, replace=False) if len(rows) > _IMPORTANCE_ROWS else rows
    x, y = made.x[rows].copy(), is_b[rows]
    if len(np.unique(y)) < 2:
        return {}
    whole = _area(learner(x), y)
    apart = np.abs(x[y].mean(axis=0) - x[~y].mean(axis=0))
    blocks = sorted(made.blocks.items(), key=lambda item: -float(apart[item[1]].max()))[:_IMPORTANCE_BLOCKS]
    found = {}
    for name, columns in blocks:
        kept = x[:, columns].copy()
        x[:, columns] = kept[rng.permutation(len(x))]
        found[name] = whole - _area(learner(x), y)
        x[:, columns] = kept
    return found


def _merge(halves: Sequence[_Half], n: tuple[int, int], score: Floats, n_permutations: int) -> Separation:
    """The splits together: medians, of p twice the median; 97.5 % limits of each make 95 % limits by the same rule."""
    names = dict.fromkeys(name for half in halves for name in half.importance)
    kinds = [half.kind for half in halves]
    kind = max(set(kinds), key=kinds.count)
    spoken = {"logistic": "logistic regression", "trees": "boosted trees"}[kind]

    def middle(values: Sequence[float]) -> float:
        return float(np.median(values))

    return Separation(
        n,
        merge_p([half.p for half in halves]),
        middle([half.auc for half in halves]),
        middle([half.low for half in halves]),
        middle([half.high for half in halves]),
        middle([half.variation for half in halves]),
        f"{spoken} ({kinds.count(kind)} of {len(kinds)} splits)",
        f"{len(halves)} half-splits, p from {n_permutations} permutations each, merged by twice the median",
        score,
        {name: float(np.mean([half.importance.get(name, 0.0) for half in halves])) for name in names},
        n_permutations,
    )


def _forest(made: Design, is_b: NDArray[np.bool_], group: NDArray[Any] | None, seed: int) -> Separation:
    """The test for few examples: out-of-bag area of a random forest, fitted anew for every permutation.

    Hediger, Michel & Naef (hypoRF, arXiv 1903.06287). No split is needed, so no example is lost. Of a group the mean
    inputs are taken, because a tree that saw some of its examples knows the others.
    """
    rng = np.random.default_rng([_SEED, seed])
    block, label = find_blocks(is_b, group)
    size = np.bincount(block)[:, None]
    x = made.x if group is None else np.column_stack([np.bincount(block, column) for column in made.x.T]) / size
    rows = np.concatenate([_some(np.flatnonzero(label == side), rng) for side in (False, True)])
    own, told = np.asarray(x[rows], dtype=np.float64), label[rows]
    seen_score = _out_of_bag(own, told, seed)
    seen = _area(seen_score, told)
    beaten = 0
    for _ in range(_FOREST_PERMUTATIONS):
        shuffled = rng.permutation(told)
        beaten += _area(_out_of_bag(own, shuffled, seed), shuffled) >= seen - 1e-12
    of_block = np.full(len(label), np.nan)
    of_block[rows] = seen_score
    score = of_block[block]
    return Separation(
        (int((~is_b).sum()), int(is_b.sum())),
        (1 + beaten) / (1 + _FOREST_PERMUTATIONS),
        seen,
        classifier="random forest, out of bag" + (" by group" if group is not None else ""),
        method=f"out-of-bag area, p from {_FOREST_PERMUTATIONS} permutations, each fitted anew",
        score=score,
        n_permutations=_FOREST_PERMUTATIONS,
    )


def _some(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.choice(rows, _FOREST_ROWS, replace=False) if len(rows) > _FOREST_ROWS else rows


def _out_of_bag(x: Floats, is_b: NDArray[np.bool_], seed: int) -> Floats:
    """Probability of the second set (N,) by the trees that did not see the example."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(n_estimators=20, min_samples_leaf=2, oob_score=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forest.fit(x, is_b)
    return np.nan_to_num(np.asarray(forest.oob_decision_function_[:, 1], dtype=np.float64), nan=0.5)
