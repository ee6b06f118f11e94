"""Which examples go into a sheet: halves of dev, strata, and a draw that anybody can repeat. N examples.

Half of dev is for looking at (the eyeball half), the other is never looked at (the blackbox half), so that a model that
was mended by looking can still be judged (Ng, Machine Learning Yearning, ch. 17 and 18). Every draw is made in strata
with known probabilities, so that what is seen in a sheet can be said of all examples behind it::

    pool = draw_errors(wrong, eyeball(ids), n=100, order=hash_order(ids, seed))
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlproj.error_analysis.sheet import Stratum
from mlproj.records import Texts

Mask = NDArray[np.bool_]
Half = Literal["eyeball", "all"]
SEEN_FIRST = 0.8
"""Share of a sheet of suspects that goes to the most suspicious; the rest is drawn at random from all others."""


@dataclass(frozen=True)
class Draw:
    """What was drawn.

    Attributes:
        rows: Positions of the drawn examples, in random order (n,).
        stratum: Name of each one's stratum (n,).
        strata: Populations and draws by stratum.
        half: Where they come from: the eyeball half, or all of dev because the half held too few.
    """

    rows: NDArray[np.int64]
    stratum: tuple[str, ...]
    strata: Mapping[str, Stratum]
    half: Half


def eyeball(ids: Texts, group: Texts | None = None, *, seed: int = 0) -> Mask:
    """The half of the examples that may be looked at (N,): by hash, so that it stays the same as data are added.

    Args:
        ids: Ids of the examples (N,).
        group: Group of each example (N,); a group is never cut in two.
        seed: Another seed is another half.

    Example:
        >>> half = eyeball(np.array([str(i) for i in range(1000)]))
        >>> bool(450 < half.sum() < 550)
        True
    """
    return hash_order(ids if group is None else group, f"eyeball {seed}") < 2**63


def hash_order(names: Texts, seed: int | str) -> NDArray[np.uint64]:
    """A random number for each name (N,), the same on every machine and in every order of the data."""
    found = {name: _hash(name, seed) for name in set(names.tolist())}
    return np.array([found[name] for name in names.tolist()], dtype=np.uint64)


def _hash(name: str, seed: int | str) -> int:
    digest = hashlib.blake2b(f"{seed}\0{name}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def draw_errors(wrong: Mask, half: Mask, *, n: int, n_correct: int, order: NDArray[np.uint64]) -> Draw:
    """Wrong answers at random, and right ones beside them where asked for.

    Args:
        wrong: Which answers are wrong (N,).
        half: Which examples lie in the eyeball half (N,).
        n: How many wrong ones.
        n_correct: How many right ones.
        order: A random number for each example (N,).

    Returns:
        Rows of the eyeball half, unless it holds fewer than `n` wrong answers: then of all examples.
    """
    pool, name = _pool(half, wrong, n)
    kinds = {"error": (pool & wrong, n)} | ({"correct": (pool & ~wrong, n_correct)} if n_correct else {})
    return _draw(kinds, order, name)


def draw_largest(loss: NDArray[np.float64], half: Mask, *, n: int, order: NDArray[np.uint64]) -> Draw:
    """Examples of a regression: half of the sheet the largest losses, half drawn at random from the others."""
    pool, name = _pool(half, np.ones_like(half), n)
    at_top = _top(np.where(pool, loss, -np.inf), pool, (n + 1) // 2)
    return _draw({"largest": (at_top, n), "other": (pool & ~at_top, n - int(at_top.sum()))}, order, name)


def draw_suspects(suspicion: NDArray[np.float64], half: Mask, *, n: int, order: NDArray[np.uint64]) -> Draw:
    """Labels that look wrong, most suspicious first, and some of all others, so that the rate can be estimated."""
    pool, name = _pool(half, np.ones_like(half), n)
    at_top = _top(np.where(pool, suspicion, -np.inf), pool, round(n * SEEN_FIRST))
    return _draw({"suspect": (at_top, n), "other": (pool & ~at_top, n - int(at_top.sum()))}, order, name)


def draw_labels(n_examples: int, *, n: int, order: NDArray[np.uint64]) -> Draw:
    """Examples at random, for an audit of their labels."""
    return _draw({"label": (np.ones(n_examples, np.bool_), n)}, order, "all")


def share_out(n_rows: int, n_reviewers: int, overlap: int) -> list[list[int]]:
    """Positions of the rows that each reviewer gets: `overlap` go to all, the others are dealt in turn.

    Those of all are spread over the whole sheet, so that they are looked at neither all fresh nor all tired.

    Example:
        >>> share_out(6, 2, 2)
        [[0, 1, 3, 4], [0, 2, 3, 5]]
    """
    n_common = min(overlap, n_rows)
    common = [place * n_rows // n_common for place in range(n_common)]
    rest = [row for row in range(n_rows) if row not in set(common)]
    return [sorted(common + rest[reviewer::n_reviewers]) for reviewer in range(n_reviewers)]


def _pool(half: Mask, wanted: Mask, n: int) -> tuple[Mask, Half]:
    if int((half & wanted).sum()) >= min(n, int(wanted.sum())):
        return half, "eyeball"
    return np.ones_like(half), "all"


def _top(score: NDArray[np.float64], pool: Mask, n: int) -> Mask:
    at_top = np.zeros_like(pool)
    at_top[np.argsort(-score, kind="stable")[: min(n, int(pool.sum()))]] = True
    return at_top & pool


def _draw(kinds: Mapping[str, tuple[Mask, int]], order: NDArray[np.uint64], half: Half) -> Draw:
    rows: list[NDArray[Any]] = []
    names: list[str] = []
    strata = {}
    for name, (mask, n) in kinds.items():
        found = np.flatnonzero(mask)
        drawn = found[np.argsort(order[found], kind="stable")][: max(n, 0)]
        strata[name] = Stratum(len(found), len(drawn))
        rows.append(drawn)
        names += [name] * len(drawn)
    every = np.concatenate(rows)
    shuffled = np.argsort(np.array([_hash(str(value), "row") for value in order[every].tolist()], np.uint64))
    return Draw(every[shuffled], tuple(names[place] for place in shuffled), strata, half)
