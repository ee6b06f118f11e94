"""Parts of the data on which a model does worse: found on one half of dev, confirmed on the other. N examples.

A part that was found by looking at the errors looks worse than it is. So candidates are made from the features of the
eyeball half alone, and of the blackbox half nothing is used but two error rates per candidate, the part's and the
rest's. Claims hold Holm's (1979) line: with nothing to find, anything is claimed in at most 5 % of such searches.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.metrics.intervals import gather_units, mover, unit_mean, weighted_rate

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
LEAST = 20
"""Examples that a part has to have in each half."""
CARRIED = 5
"""Candidates that are carried over to the other half."""
_PAIRED = 8
"""Single conditions that are tried in pairs."""
_MOST_VALUES = 20
LEVEL = 0.05


@dataclass(frozen=True)
class Part:
    """A part of the data against the rest.

    Attributes:
        name: Its name or condition.
        n: Examples in it.
        value: Its error, or mean loss.
        low: Lower 95 % limit.
        high: Upper limit.
        rest: Error of all other examples.
        gap: Its error minus the rest's.
        gap_low: Lower 95 % limit of the gap (MOVER).
        gap_high: Upper limit.
        p: Two-sided p-value of the gap.
    """

    name: str
    n: int
    value: float
    low: float
    high: float
    rest: float
    gap: float
    gap_low: float
    gap_high: float
    p: float

    def document(self) -> dict[str, Any]:
        """As JSON; what is not finite becomes null."""
        plain = {
            "slice": self.name, "n": self.n, "error": self.value, "low": self.low, "high": self.high, "rest": self.rest,
            "gap": self.gap, "gap_low": self.gap_low, "gap_high": self.gap_high, "p": self.p,
        }  # fmt: skip
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in plain.items()}


def measure_part(
    name: str,
    mask: Mask,
    loss: Floats,
    *,
    is_rate: bool,
    weight: Floats | None = None,
    group: NDArray[Any] | None = None,
) -> Part | None:
    """The error of a part against the rest; None when either is empty.

    Args:
        name: What it is called.
        mask: Its examples (N,).
        loss: 1 for a wrong answer, else 0; or any other loss (N,).
        is_rate: Whether the losses are 0 and 1.
        weight: Weights in the metric (N,).
        group: Groups (N,).
    """
    sides = []
    for rows in (mask, ~mask):
        w = None if weight is None else weight[rows]
        if not rows.any() or (w is not None and not w.any()):
            return None
        g = None if group is None else group[rows]
        found = weighted_rate(loss[rows], w, g) if is_rate else unit_mean(gather_units(loss[rows], w, g))
        sides.append(found)
    inside, rest = sides
    gap = inside.value - rest.value
    low, high = mover((inside.value, inside.low, inside.high), (rest.value, rest.low, rest.high))
    p = _p_value(mask, loss, inside.value, rest.value, weight, group, is_rate=is_rate)
    limits = (float(low), float(high))
    return Part(name, int(mask.sum()), inside.value, inside.low, inside.high, rest.value, gap, *limits, p)


def _p_value(
    mask: Mask,
    loss: Floats,
    inside: float,
    rest: float,
    weight: Floats | None,
    group: NDArray[Any] | None,
    *,
    is_rate: bool,
) -> float:
    """Fisher's exact test in its mid-p form for plain counts; elsewhere Welch's z from linearised variances."""
    if is_rate and weight is None and group is None:
        return _fisher_mid_p(int(loss[mask].sum()), int(mask.sum()), int(loss.sum()), len(loss))
    variance = 0.0
    for rows in (mask, ~mask):
        units = gather_units(
            loss[rows], None if weight is None else weight[rows], None if group is None else group[rows]
        )
        variance += units.variance
    if not 0 < variance < math.inf:
        return 1.0
    return 2 * NormalDist().cdf(-abs(inside - rest) / math.sqrt(variance))


def _fisher_mid_p(x: int, n: int, total: int, everyone: int) -> float:
    """Twice the smaller tail of the hypergeometric distribution, the observed count taken half (Lancaster 1961)."""
    from scipy.special import gammaln

    counts = np.arange(max(0, total - (everyone - n)), min(n, total) + 1)

    def log_choose(a: Any, b: Any) -> Any:
        return gammaln(a + 1) - gammaln(b + 1) - gammaln(a - b + 1)

    p = np.exp(log_choose(n, counts) + log_choose(everyone - n, total - counts) - log_choose(everyone, total))
    here = p[counts == x].sum()
    tails = (p[counts < x].sum() + here / 2, p[counts > x].sum() + here / 2)
    return float(min(1.0, 2 * min(tails)))


def conditions(columns: Mapping[str, NDArray[Any]], seen: Mask) -> Iterator[tuple[str, Mask]]:
    """Single conditions on the features, with cut points from the rows in `seen` (N,).

    Args:
        columns: Features by name: float64 with NaN where missing, or text with "" where missing (N,).
        seen: The eyeball half.
    """
    for name, values in columns.items():
        spoken = name if name.isidentifier() else f"`{name}`"
        if values.dtype.kind == "f":
            known = values[seen & np.isfinite(values)]
            if len(np.unique(known)) > 1:
                cuts = np.unique(np.quantile(known, [0.2, 0.4, 0.6, 0.8]).round(12))
                for cut in cuts.tolist():
                    yield f"{spoken} <= {cut:.6g}", values <= cut
                    yield f"{spoken} > {cut:.6g}", values > cut
            yield f"{spoken} is missing", np.isnan(values)
            continue
        texts, counts = np.unique(values[seen], return_counts=True)
        for text in texts[np.argsort(-counts, kind="stable")][:_MOST_VALUES].tolist():
            yield f"{spoken} == {text!r}" if text else f"{spoken} is missing", values == text


def discover(
    columns: Mapping[str, NDArray[Any]],
    loss: Floats,
    seen: Mask,
    *,
    is_rate: bool,
    weight: Floats | None = None,
    group: NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Parts with more errors: candidates from the eyeball half, confirmed on the blackbox half by two rates each.

    Args:
        columns: Features by name (N,).
        loss: 1 for a wrong answer, else 0; or any other loss (N,).
        seen: The eyeball half (N,).
        is_rate: Whether the losses are 0 and 1.
        weight: Weights in the metric (N,).
        group: Groups (N,).

    Returns:
        JSON-ready: `tried` (conditions on the eyeball half), `carried` (candidates judged on the other half), `found`:
        per candidate its measures on the blackbox half with `p_holm` and `confirmed`.
    """
    single = [(name, mask) for name, mask in conditions(columns, seen) if _is_large(mask, seen)]
    scored = sorted(((_excess(mask, loss, seen), name, mask) for name, mask in single), key=lambda e: -e[0])
    best = scored[:_PAIRED]
    pairs = [
        (f"{a} and {b}", first & second)
        for i, (_, a, first) in enumerate(best)
        for _, b, second in best[i + 1 :]
        if a.split(" ")[0] != b.split(" ")[0] and _is_large(first & second, seen)
    ]
    both = [*scored, *((_excess(mask, loss, seen), name, mask) for name, mask in pairs)]
    carried = _distinct(sorted(both, key=lambda e: (-e[0], len(e[1]))))
    rest = ~seen
    w, g = (None if values is None else values[rest] for values in (weight, group))
    parts = [
        measure_part(name, mask[rest], loss[rest], is_rate=is_rate, weight=w, group=g) for _, name, mask in carried
    ]
    known = [part for part in parts if part is not None]
    adjusted = holm([part.p for part in known])
    found = [
        part.document() | {"p_holm": p, "confirmed": bool(p < LEVEL and part.gap > 0)}
        for part, p in zip(known, adjusted, strict=True)
    ]
    return {"tried": len(single) + len(pairs), "carried": len(found), "found": found}


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values that hold jointly (Holm 1979): sorted, the k-th of m is multiplied by m − k + 1, made monotone.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted


def _is_large(mask: Mask, seen: Mask) -> bool:
    """Whether part and rest have enough examples in both halves; sizes give nothing of the labels away."""
    sizes = [int((mask & half).sum()) for half in (seen, ~seen)] + [int((~mask & half).sum()) for half in (seen, ~seen)]
    return min(sizes) >= LEAST


def _excess(mask: Mask, loss: Floats, seen: Mask) -> float:
    """By how many standard errors a part is worse than the rest, on the eyeball half."""
    inside, rest = loss[mask & seen], loss[~mask & seen]
    spread = math.sqrt(float(loss[seen].var()) * (1 / len(inside) + 1 / len(rest)))
    return float(inside.mean() - rest.mean()) / spread if spread > 0 else 0.0


def _distinct(scored: Sequence[tuple[float, str, Mask]]) -> list[tuple[float, str, Mask]]:
    """The best few that are worse at all and not nearly the same examples as a better one."""
    kept: list[tuple[float, str, Mask]] = []
    for entry in scored:
        if entry[0] <= 1 or len(kept) == CARRIED:
            break
        alike = any((entry[2] & other[2]).sum() > 0.8 * min(entry[2].sum(), other[2].sum()) for other in kept)
        if not alike:
            kept.append(entry)
    return kept
