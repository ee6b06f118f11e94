"""What differs between two sets, feature by feature: the size of each difference and whether it is chance. N examples.

Numbers: the chance that a value of the second set exceeds one of the first (the area under the ROC curve, as Cliff's
δ = 2·area − 1), with the Kolmogorov-Smirnov test. Categories: the Jensen-Shannon divergence in bits, from 0 for equal
shares to 1 for no category in common, with the χ² test. Grouped examples: permutations of whole groups for both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.mismatch.permute import auc_of_ranks, benjamini_hochberg, find_blocks, judge_aucs, rank, shuffled
from mlproj.diagnose.mismatch.table import MISSING, Feature, cut_rare
from mlproj.metrics.intervals import Floats

_SHOWN_CATEGORIES = 2
_LEAST_EXPECTED = 5.0
_SEED = 19_510_911


@dataclass(frozen=True)
class Effect:
    """How one feature differs between two sets.

    Attributes:
        feature: Its name; "NAME is missing" speaks of the missing cells of a number.
        kind: number or category.
        size: Cliff's δ in [−1, 1] for a number, positive where the second set has larger values; the Jensen-Shannon
            divergence in [0, 1] for categories.
        auc: For a number the area, (1 + δ)/2.
        p: p-value of "no difference".
        q: The same, adjusted for all that was tested (Benjamini & Hochberg).
        test: Which test.
        importance: How much of the classifier's area goes when the feature is shuffled; None where it was not measured.
        first: What it is like in the first set: median, or the shares that differ most.
        second: Likewise in the second set.
        n: Examples of both sets with a value.
    """

    feature: str
    kind: str
    size: float
    auc: float | None
    p: float
    q: float
    test: str
    importance: float | None
    first: str
    second: str
    n: tuple[int, int]

    @property
    def strength(self) -> float:
        """Its size as a number from 0 to 1, whatever the kind: |δ|, or the square root of the divergence."""
        return abs(self.size) if self.kind == "number" else float(np.sqrt(max(self.size, 0.0)))


def measure_effects(
    features: Sequence[Feature],
    is_b: NDArray[np.bool_],
    group: NDArray[Any] | None = None,
    importance: Mapping[str, float] | None = None,
) -> list[Effect]:
    """How every feature differs, those that the classifier leans on first.

    Args:
        features: Features of both sets.
        is_b: Which examples lie in the second set (N,).
        group: Group of each example (N,).
        importance: What the classifier loses without a feature, by name.
    """
    found: list[dict[str, Any]] = []
    for feature in features:
        if feature.inputs is not None:
            found += _words(feature, is_b, group)
        elif feature.is_number:
            found += _numbers(feature, is_b, group)
        else:
            found += _categories(feature.name, cut_rare(feature.values), is_b, group)
    adjusted = benjamini_hochberg([row["p"] for row in found]) if found else []
    known = importance or {}
    effects = [Effect(**row, q=q, importance=known.get(row["feature"])) for row, q in zip(found, adjusted, strict=True)]
    # what the classifier leans on by less than a thousandth is noise, and sorted by size
    return sorted(effects, key=lambda e: (-round(max(e.importance or 0.0, 0.0), 3), -e.strength))


def _numbers(feature: Feature, is_b: NDArray[np.bool_], group: NDArray[Any] | None) -> list[dict[str, Any]]:
    values = feature.values.astype(np.float64)
    there = np.isfinite(values)
    rows = []
    a, b = values[there & ~is_b], values[there & is_b]
    if len(a) > 1 and len(b) > 1 and np.ptp(np.concatenate([a, b])) > 0:
        ranks = rank(values[there])
        auc = float(auc_of_ranks(ranks[is_b[there]].sum(), len(b), int(there.sum())))
        p, test = _test_numbers(values[there], is_b[there], None if group is None else group[there])
        rows.append({
            "feature": feature.name, "kind": "number", "size": 2 * auc - 1, "auc": auc, "p": p, "test": test,
            "first": f"median {feature.show(np.median(a))}", "second": f"median {feature.show(np.median(b))}",
            "n": (len(a), len(b)),
        })  # fmt: skip
    if not there.all():
        words = np.where(there, "present", MISSING)
        missing = _categories(f"{feature.name} is missing", words, is_b, group)
        shares = [f"{100 * np.mean(~there[side]):.3g} % missing" for side in (~is_b, is_b)]
        rows += [row | {"first": shares[0], "second": shares[1]} for row in missing]
    return rows


def _test_numbers(values: Floats, is_b: NDArray[np.bool_], group: NDArray[Any] | None) -> tuple[float, str]:
    if group is not None:
        rng = np.random.default_rng(_SEED)
        [(_, p)] = judge_aucs([values], is_b, group, rng, two_sided=True)
        return p, "rank sum by permuted groups"
    from scipy.stats import ks_2samp

    return float(ks_2samp(values[~is_b], values[is_b], method="asymp").pvalue), "Kolmogorov-Smirnov"


def _words(feature: Feature, is_b: NDArray[np.bool_], group: NDArray[Any] | None) -> list[dict[str, Any]]:
    """The word of a text that differs most; its p-value is that of all words together (Bonferroni)."""
    assert feature.inputs is not None
    there = feature.inputs > 0
    shares = np.stack([there[side].mean(axis=0) for side in (~is_b, is_b)])
    if not shares.size:
        return []
    word = int(np.argmax(np.abs(shares[1] - shares[0])))
    named = feature.input_names[word] if feature.input_names else str(word)
    found = _categories(feature.name, np.where(there[:, word], "yes", "no"), is_b, group)
    shown = [f"{named!r} in {100 * share:.3g} %" for share in shares[:, word]]
    return [row | {"p": min(1.0, row["p"] * there.shape[1]), "first": shown[0], "second": shown[1],
                   "test": f"{row['test']} for {there.shape[1]} words, Bonferroni"} for row in found]  # fmt: skip


def _categories(
    name: str, values: NDArray[Any], is_b: NDArray[np.bool_], group: NDArray[Any] | None
) -> list[dict[str, Any]]:
    names, codes = np.unique(values, return_inverse=True)
    counts = np.stack([np.bincount(codes[side], minlength=len(names)) for side in (~is_b, is_b)]).astype(np.float64)
    if len(names) < 2 or not counts.sum(axis=1).all():
        return []
    shares = counts / counts.sum(axis=1, keepdims=True)
    p, test = _test_categories(codes, counts, is_b, group)
    apart = np.argsort(-np.abs(shares[1] - shares[0]), kind="stable")[:_SHOWN_CATEGORIES]
    shown = [", ".join(f"{names[k]} {100 * side[k]:.3g} %" for k in apart) for side in shares]
    return [{
        "feature": name, "kind": "category", "size": jensen_shannon(shares[0], shares[1]), "auc": None, "p": p,
        "test": test, "first": shown[0], "second": shown[1], "n": (int(counts[0].sum()), int(counts[1].sum())),
    }]  # fmt: skip


def jensen_shannon(p: Floats, q: Floats) -> float:
    """Divergence of two distributions over the same categories in bits (Lin 1991): 0 to 1.

    Example:
        >>> jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
        1.0
    """
    middle = (p + q) / 2

    def to_middle(side: Floats) -> float:
        there = side > 0
        return float((side[there] * np.log2(side[there] / middle[there])).sum())

    return max(0.0, (to_middle(p) + to_middle(q)) / 2)


def _test_categories(
    codes: NDArray[Any], counts: Floats, is_b: NDArray[np.bool_], group: NDArray[Any] | None
) -> tuple[float, str]:
    """χ² where every cell expects enough; permutations where not, or where groups move as a whole."""
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    if group is None and expected.min() >= _LEAST_EXPECTED:
        from scipy.special import chdtrc

        return float(chdtrc(counts.shape[1] - 1, ((counts - expected) ** 2 / expected).sum())), "χ²"
    block, label = find_blocks(is_b, group)
    table = np.zeros((len(label), counts.shape[1]))
    np.add.at(table, (block, codes), 1.0)
    total = table.sum(axis=0)

    def distance(second: Floats) -> Floats:
        """χ² of the second set against the whole, for permuted labels (…, G) as counts (…, K)."""
        n = second.sum(axis=-1, keepdims=True)
        share = np.divide(n, total.sum())
        e = np.maximum(share * total, 1e-12)
        return np.asarray(((second - e) ** 2 / e / np.maximum(1 - share, 1e-12)).sum(axis=-1), dtype=np.float64)

    seen = float(distance(label.astype(np.float64) @ table))
    rng = np.random.default_rng(_SEED)
    drawn = np.concatenate([distance(rows @ table) for rows in shuffled(label, rng)])
    named = "χ² by permuted groups" if group is not None else "χ² by permutation"
    return float((1 + (drawn >= seen - 1e-9).sum()) / (1 + len(drawn))), named
