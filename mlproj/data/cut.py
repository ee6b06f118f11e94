"""The arithmetic of dealing: units in the order of their hash, cut to exactly the requested sizes. U units.

A unit is one example, or all examples of a group; its size is its number of rows. Nothing here depends on the order of
the units in memory: the order is that of ``hash(seed, unit)``.
"""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlproj.records import Texts

_BLOCK = 1 << 16
_WINDOW = 512  # most units around a cut among which an exact sum is sought
_BITS = 500_000_000  # bound on that search's memory


def hash_units(salt: str, units: Sequence[str] | Texts) -> NDArray[np.uint64]:
    """A number for each unit (U,) that depends on its name and the salt only: 64 bits of keyed BLAKE2b.

    Example:
        >>> hash_units("0", ["anna", "ben"]).tolist() == hash_units("0", ["ben", "anna"]).tolist()[::-1]
        True
    """
    key = hashlib.blake2b(salt.encode(), digest_size=16).digest()
    blake, names = hashlib.blake2b, np.asarray(units, dtype=np.str_)
    digests = []
    for start in range(0, len(names), _BLOCK):  # a million names as objects of Python would take much memory
        block = names[start : start + _BLOCK].tolist()
        found = [blake(unit.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest() for unit in block]
        digests.append(b"".join(found))
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def uniform(hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The hashes as numbers in [0, 1)."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def apportion(total: int, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Divides a total over strata in proportion to their counts, by largest remainder (Hamilton's method).

    The shares are whole, add up to `total`, which is at most the sum of the counts, and none is above its count.

    Example:
        >>> apportion(10, np.array([50, 30, 21])).tolist()
        [5, 3, 2]
    """
    whole = int(counts.sum())
    if whole == 0 or total == 0:
        return np.zeros_like(counts)
    exact = [total * int(count) for count in counts]  # Python integers: no rounding, no overflow
    shares = np.array([value // whole for value in exact], dtype=np.int64)
    remainders = np.array([value % whole for value in exact], dtype=np.int64)
    order = np.argsort(-remainders, kind="stable")
    shares[order[: total - int(shares.sum())]] += 1
    return shares


def take(sizes: NDArray[np.int64], want: int) -> NDArray[np.bool_]:
    """The first units that hold `want` rows together; near the cut others are chosen so that the sum is exact.

    Args:
        sizes: Rows of each unit (U,), in the order of their hash; all positive.
        want: Rows wanted.

    Returns:
        Which units are taken (U,): exactly `want` rows where some choice near the cut allows it, else the nearest.

    Example:
        >>> take(np.array([3, 3, 3, 2]), 8).tolist()
        [True, True, False, True]
    """
    taken = np.zeros(len(sizes), dtype=np.bool_)
    total = np.cumsum(sizes)
    n_whole = int(np.searchsorted(total, want, side="right"))
    taken[:n_whole] = True
    held = int(total[n_whole - 1]) if n_whole else 0
    if held == want or n_whole == len(sizes):
        return taken
    largest = int(sizes[max(0, n_whole - _WINDOW) : n_whole + _WINDOW].max())
    window = int(
        min(_WINDOW, max(8, (8 * _BITS / largest) ** 0.5))
    )  # each of `window` bit sets has window/8 · largest bits
    start = max(0, n_whole - window // 8)
    stop = min(len(sizes), n_whole + window - window // 8)
    need = want - (int(total[start - 1]) if start else 0)
    taken[start:stop] = _nearest_sum(sizes[start:stop].tolist(), need)
    return taken


def draw(
    order: NDArray[np.uint64], strata: NDArray[np.int64], sizes: NDArray[np.int64], want: int
) -> NDArray[np.bool_]:
    """Which units (U,) to draw: `want` rows (or the nearest number that sizes allow), from every stratum its share.

    Args:
        order: Hash of each unit (U,); low ones come first.
        strata: Stratum of each unit (U,).
        sizes: Rows of each unit (U,), positive.
        want: Rows wanted, at most the sum of `sizes`.
    """
    drawn = np.zeros(len(order), dtype=np.bool_)
    if want <= 0 or not len(order):
        return drawn
    _, codes = np.unique(strata, return_inverse=True)
    by_stratum = np.lexsort((order, codes))
    n_units = np.bincount(codes)
    quotas = apportion(want, np.bincount(codes, weights=sizes).astype(np.int64))
    bounds = np.concatenate([[0], np.cumsum(n_units)])
    spans = list(pairwise(bounds.tolist()))
    carry = 0
    for stratum in np.argsort(
        n_units, kind="stable"
    ).tolist():  # the largest stratum last: it can make good what is left
        members = by_stratum[slice(*spans[stratum])]
        chosen = members[take(sizes[members], max(0, int(quotas[stratum]) + carry))]
        drawn[chosen] = True
        carry += int(quotas[stratum]) - int(sizes[chosen].sum())
    if carry:  # large groups: the strata give way to the size
        by_choice = np.lexsort((order, ~drawn))
        drawn[by_choice] = take(sizes[by_choice], want)
    return drawn


def _nearest_sum(sizes: Sequence[int], need: int) -> list[bool]:
    """A choice of sizes whose sum is nearest to `need` (the smaller of two), by dynamic programming over bit sets."""
    if need <= 0:
        return [False] * len(sizes)
    mask = (1 << (need + max(sizes) + 1)) - 1
    reachable = [1]  # bit s of entry i: some of the first i sizes sum to s
    for size in sizes:
        reachable.append((reachable[-1] | (reachable[-1] << size)) & mask)
    final = reachable[-1]
    below = (final & ((1 << (need + 1)) - 1)).bit_length() - 1
    above = final >> (need + 1)
    over = (above & -above).bit_length() if above else 0
    left = below if not over or need - below <= over else need + over
    chosen = [False] * len(sizes)
    for index in range(len(sizes) - 1, -1, -1):
        if not reachable[index] >> left & 1:  # unreachable without it
            chosen[index] = True
            left -= sizes[index]
    return chosen
