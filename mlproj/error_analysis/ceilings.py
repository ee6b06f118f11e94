"""The most that curing a reason can win: its share among the errors times the error (Ng, ML Yearning, ch. 14).

An example that was looked at stands for `weight` errors of its stratum and counts with its weight in the metric; for
numbers it counts with its loss besides, so that shares are shares of the loss. Limits:

* of a share among the errors of this split: Wilson at the effective number of examples (with the finite-population
  correction where some of a known number of errors were looked at);
* of a ceiling: share and error are independent, so their logarithms' limits add in squares (MOVER, Zou & Donner 2008);
  where every error of dev was looked at the ceiling is a count of dev examples and Wilson's limits are its own.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.error_analysis.merge import Opinion
from mlproj.error_analysis.sheet import Manifest
from mlproj.metrics.intervals import weighted_rate, wilson
from mlproj.metrics.paired import mid_p

Floats = NDArray[np.float64]
_DRAWS = 4000
LEVEL = 0.05
"""Of the test that one tag is more frequent than another."""
ENOUGH = 0.05
"""Good–Turing's share of errors that would bring a new tag, below which reviewing more finds little that is new."""


@dataclass(frozen=True)
class Evidence:
    """The errors that were looked at. E of them, T tags.

    Attributes:
        tags: Names of the tags.
        held: Whether each tag holds (E, T): 1, 0, or ½ where reviewers disagree.
        mass: How much of the error each one stands for (E,).
        n_errors: Errors on the whole split; NaN where the sheet does not know (suspects, numbers).
        manifest: How they were drawn.
    """

    tags: tuple[str, ...]
    held: Floats
    mass: Floats
    n_errors: float
    manifest: Manifest

    def __len__(self) -> int:
        return len(self.mass)

    @property
    def is_complete(self) -> bool:
        """Whether every error of dev was looked at, and all count the same."""
        plain = self.manifest.task == "classification" and bool(np.all(self.mass == self.mass[0]))
        return plain and len(self) == self.n_errors

    @property
    def n_split(self) -> float:
        """Examples behind the error of the split; fewer than there are where some count more (Kish 1965).

        The weights of those that were not drawn are unknown: those of the errors stand for them.
        """
        return self.manifest.n * float(self.mass.sum() ** 2 / (len(self) * np.square(self.mass).sum()))


def gather_errors(manifest: Manifest, opinions: Sequence[Opinion], tags: Sequence[str]) -> Evidence:
    """The errors among what was looked at, each with the mass that it stands for."""
    is_class = manifest.task == "classification"
    errors = [o for o in opinions if not is_class or o.example.y_true != o.example.y_pred]
    stands = stands_for(manifest, opinions)
    mass = [stands[o.example.stratum] * o.example.metric_weight * (1.0 if is_class else o.example.loss) for o in errors]
    held = np.array([[o.tags.get(tag, 0.0) for tag in tags] for o in errors], dtype=np.float64)
    total = _count_errors(manifest, len(errors))
    return Evidence(tuple(tags), held.reshape(len(errors), len(tags)), np.array(mass, np.float64), total, manifest)


def stands_for(manifest: Manifest, opinions: Sequence[Opinion]) -> dict[str, float]:
    """For how many examples of its stratum each one that was looked at stands, by stratum (Horvitz & Thompson 1952)."""
    seen = Counter(opinion.example.stratum for opinion in opinions)
    return {name: manifest.strata[name].population / n for name, n in seen.items()}


def _count_errors(manifest: Manifest, n_seen: int) -> float:
    """Errors on the whole split; the eyeball half is a random one, and shares are said of all errors."""
    if manifest.task == "regression" or "error" not in manifest.strata:
        return math.nan
    pool = manifest.strata["error"].population
    if manifest.half == "all":
        return pool
    is_plain = len({example.metric_weight for example in manifest.examples.values()}) < 2
    return max(round(manifest.error * manifest.n) if is_plain else 2 * pool, pool, n_seen)


def ceilings(evidence: Evidence) -> list[dict[str, Any]]:
    """What each tag is worth, the largest first.

    Returns:
        JSON-ready: `tag`, `count` (reviewed errors that have it), `n`, `share` with `share_low` and `share_high`,
        `ceiling` with `low` and `high` and `error_if_fixed` in the unit of the error, `p_first` (that it is the
        largest), `method`.
    """
    if not len(evidence):
        return []
    first = p_first(evidence)
    rows = []
    for column, tag in enumerate(evidence.tags):
        held = evidence.held[:, column]
        share, low, high, n_effective = _share(evidence, held)
        ceiling = to_ceiling(evidence.manifest, share)
        ceiling_low, ceiling_high, method = _ceiling_limits(evidence, held, share, n_effective)
        rows.append(
            {
                "tag": tag, "count": _plain(held.sum()), "n": len(evidence),
                "share": share, "share_low": low, "share_high": high,
                "ceiling": ceiling, "low": ceiling_low, "high": ceiling_high,
                "error_if_fixed": shown_error(evidence.manifest) - ceiling,
                "p_first": first[column], "method": method,
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: (-row["share"], row["tag"]))


def shown_error(manifest: Manifest) -> float:
    """The error in the unit that people know: the root of a mean squared loss, any other as it is."""
    return math.sqrt(manifest.error) if manifest.metric == "mse" else manifest.error


def to_ceiling(manifest: Manifest, share: float) -> float:
    """What curing a share of the errors wins, in the unit of the error.

    Example (10 % dev error, 5 of 100 errors are dogs):
        >>> plain = Manifest("s", "", "", "dev", "errors", "all", "classification", "", ("a", "b"), 1000, 0.10, {})
        >>> round(to_ceiling(plain, 5 / 100), 4)
        0.005
    """
    if manifest.metric == "mse":
        return shown_error(manifest) - math.sqrt(manifest.error * max(1 - share, 0.0))
    return share * manifest.error


def unions(evidence: Evidence, most: int = 5) -> list[dict[str, Any]]:
    """What several tags are worth together: tags overlap, so their ceilings are never added.

    Greedy: each next tag is the one that covers most of what is left (Nemhauser, Wolsey & Fisher 1978 bound the loss).

    Returns:
        JSON-ready, growing by one tag each: `tags`, `share`, `ceiling`, `error_if_fixed`.
    """
    left = np.ones(len(evidence))
    chosen: list[int] = []
    found: list[dict[str, Any]] = []
    total = evidence.mass.sum()
    while len(chosen) < min(most, len(evidence.tags)):
        gains = [
            -1.0 if t in chosen else float((evidence.mass * left * evidence.held[:, t]).sum())
            for t in range(len(evidence.tags))
        ]
        best = int(np.argmax(gains))
        if gains[best] <= 0:
            break
        chosen.append(best)
        left = left * (1 - evidence.held[:, best])
        share = float(1 - (evidence.mass * left).sum() / total)
        ceiling = to_ceiling(evidence.manifest, share)
        found.append(
            {
                "tags": [evidence.tags[t] for t in chosen],
                "share": share,
                "ceiling": ceiling,
                "error_if_fixed": shown_error(evidence.manifest) - ceiling,
            }
        )
    return found


def p_first(evidence: Evidence, *, seed: int = 0) -> list[float]:
    """Probability that each tag has the largest share, ties shared (T,).

    A Dirichlet over the patterns of tags that occur, with their counts: drawn as Rubin's Bayesian bootstrap (1981) over
    the errors that were looked at. Half an error with each tag alone is added (Jeffreys' prior): without it a single
    error would make its tag the largest with certainty.
    """
    if not len(evidence) or not evidence.tags:
        return [0.0] * len(evidence.tags)
    rng = np.random.default_rng(seed)
    wins = np.zeros(len(evidence.tags))
    for draws in np.array_split(np.arange(_DRAWS), max(1, _DRAWS * len(evidence) // 2_000_000)):
        share = (rng.standard_exponential((len(draws), len(evidence))) * evidence.mass) @ evidence.held
        share += rng.standard_gamma(0.5, (len(draws), len(evidence.tags))) * evidence.mass.mean()
        at_top = share >= share.max(axis=1, keepdims=True) * (1 - 1e-12)
        wins += (at_top / np.maximum(at_top.sum(axis=1, keepdims=True), 1)).sum(axis=0)
    return (wins / _DRAWS).tolist()


def difference(evidence: Evidence, first: str, second: str) -> dict[str, Any]:
    """Whether one tag is more frequent than another, judged by the errors that have only one of them.

    McNemar's test in its mid-p form (Fagerland, Lydersen & Laake 2013), or, where errors count differently, the normal
    test of the difference of their masses; and how many errors would have to be looked at for a difference of this size
    to be seen in four of five such samples (Connor 1987, eq. 3).

    Returns:
        JSON-ready: `first`, `second`, `only_first`, `only_second`, `p`, `more` (errors to look at besides; null where
        the difference is seen already, or there is none).
    """
    a, b = (evidence.held[:, evidence.tags.index(tag)] >= 0.75 for tag in (first, second))
    only_a, only_b, n = int((a & ~b).sum()), int((b & ~a).sum()), len(evidence)
    mass = evidence.mass / evidence.mass.mean()
    gain = mass * (a.astype(np.float64) - b)
    q, delta = float(np.square(gain).sum()) / n, abs(float(gain.sum())) / n
    is_plain = bool(np.all(mass == mass[0]))
    p = mid_p(only_a, only_b) if is_plain else _sign_p(gain)
    more = None
    if p > LEVEL and delta > 0:
        wanted = (1.96 * math.sqrt(q) + 0.8416 * math.sqrt(max(q - delta**2, 0.0))) ** 2 / delta**2
        more = max(math.ceil(wanted) - n, 1)
    return {"first": first, "second": second, "only_first": only_a, "only_second": only_b, "p": p, "more": more}


def _sign_p(gain: Floats) -> float:
    spread = math.sqrt(float(np.square(gain).sum()))
    return 2 * NormalDist().cdf(-abs(float(gain.sum())) / spread) if spread > 0 else 1.0


def unseen(evidence: Evidence) -> dict[str, Any]:
    """How likely the next error brings a tag that no error had so far (Good 1953, eq. 9: f₁/m).

    Returns:
        JSON-ready: `mass` (tags seen once over errors looked at), `untagged` (share of errors without any tag),
        `enough` (mass below 5 %), `more` (errors to look at besides before it can be; null where it is enough).
    """
    m = len(evidence)
    if not m:
        return {"mass": None, "untagged": None, "enough": False, "more": None}
    once = int((np.count_nonzero(evidence.held >= 0.75, axis=0) == 1).sum())
    mass = once / m
    more = None if mass < ENOUGH else math.floor(once / ENOUGH) + 1 - m
    untagged = float((evidence.held.max(axis=1, initial=0.0) < 0.5).mean())
    return {"mass": mass, "untagged": untagged, "enough": mass < ENOUGH, "more": more}


def _share(evidence: Evidence, held: Floats) -> tuple[float, float, float, float]:
    """Share of a tag, its limits, and the effective number of errors behind it."""
    found = weighted_rate(held, None if np.all(evidence.mass == evidence.mass[0]) else evidence.mass)
    low, high = found.low, found.high
    m, population = len(evidence), evidence.n_errors
    if 1 < m <= population:
        spared = math.inf if m == population else (population - 1) / (population - m)
        low, high = (found.value, found.value) if m == population else wilson(found.value, found.n_effective * spared)
    return found.value, low, high, found.n_effective


def _ceiling_limits(evidence: Evidence, held: Floats, share: float, n_effective: float) -> tuple[float, float, str]:
    manifest = evidence.manifest
    low, high = wilson(share, n_effective)
    if manifest.task == "regression":
        return to_ceiling(manifest, low), to_ceiling(manifest, high), "Wilson at the effective n, of this dev set"
    if evidence.is_complete:
        found = wilson(float(held.sum()) / manifest.n, manifest.n)
        return found[0], found[1], "Wilson on the dev set"
    error_low, error_high = wilson(manifest.error, evidence.n_split)
    ends = product(share, (low, high), manifest.error, (error_low, error_high))
    return *ends, "Wilson for share and error, MOVER for their product"


def product(a: float, a_limits: tuple[float, float], b: float, b_limits: tuple[float, float]) -> tuple[float, float]:
    """Limits of the product of two independent rates: MOVER on the logarithms (Zou & Donner 2008, eq. 8).

    Where a rate is 0 its logarithm is not defined: then the product lies between 0 and its upper limit times the
    other's value.

    Example:
        >>> low, high = product(0.5, (0.4, 0.6), 0.1, (0.08, 0.12))
        >>> round(low, 4), round(high, 4)
        (0.0365, 0.0647)
    """
    if a <= 0 or b <= 0:
        return 0.0, a_limits[1] * (b if b > 0 else b_limits[1])
    known = min(a_limits[0], b_limits[0]) > 0
    down = math.hypot(math.log(a / a_limits[0]), math.log(b / b_limits[0])) if known else math.inf
    up = math.hypot(math.log(a_limits[1] / a), math.log(b_limits[1] / b))
    return a * b * math.exp(-down), a * b * math.exp(up)


def _plain(count: float) -> int | float:
    return int(count) if float(count).is_integer() else float(count)
