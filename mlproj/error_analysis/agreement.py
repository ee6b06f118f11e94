"""How far reviewers agree beyond chance: Krippendorff's α and, for two, Cohen's κ. I items, R reviewers.

Agreement describes the labels and tags; it is no error rate. The interval resamples items, as Zapf, Castell, Morawietz
& Karch 2016 recommend for nominal data.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np

from mlproj.error_analysis.merge import LABEL, word_of
from mlproj.error_analysis.sheet import Sheet

SUGGESTED = 30
"""Common rows from which agreement says something."""
_DRAWS = 1000
Items = Sequence[Sequence[str]]
"""What was said of each item, one word per reviewer who said something."""


def krippendorff(items: Items) -> float:
    """α of nominal words, for any number of reviewers and with gaps; NaN when nothing varies or nothing overlaps.

    1 − observed/expected disagreement over pairable words (Krippendorff 2004, Content Analysis, eq. 11.1–11.4).

    Example:
        >>> krippendorff([["1", "1"], ["0", "0"], ["1", "0"], ["0", "0"]])
        0.533...
    """
    pairable = [words for words in items if len(words) > 1]
    total = Counter(word for words in pairable for word in words)
    n = sum(total.values())
    observed = sum(
        (len(words) ** 2 - sum(c * c for c in Counter(words).values())) / (len(words) - 1) for words in pairable
    )
    expected = (n * n - sum(count * count for count in total.values())) / (n - 1) if n > 1 else 0.0
    return 1 - observed / expected if expected > 0 else float("nan")


def cohen(items: Items) -> float:
    """κ of two reviewers over the items that both judged; NaN when chance alone would make them agree.

    (p_o − p_e)/(1 − p_e), Cohen 1960, eq. 1.

    Example:
        >>> cohen([["1", "1"], ["0", "0"], ["1", "0"], ["0", "0"]])
        0.5
    """
    pairs = [words for words in items if len(words) == 2]
    n = len(pairs)
    if not n:
        return float("nan")
    observed = sum(a == b for a, b in pairs) / n
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(first[word] * second[word] for word in first) / n**2
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")


def agreement(sheet: Sheet, *, seed: int = 0) -> dict[str, Any] | None:
    """Agreement per tag and on the labels; None when no example was looked at twice.

    Returns:
        JSON-ready: `overlap` (items), `reviewers`, and per tag and for label_ok: `agree` (share of items on which all
        say the same), `alpha` with `low` and `high`, `kappa` for two reviewers, null where undefined.
    """
    by_id: dict[str, list[Any]] = {}
    for row in sheet.reviewed:
        by_id.setdefault(row.id, []).append(row)
    shared = [sorted(rows, key=lambda row: row.reviewer) for rows in by_id.values() if len(rows) > 1]
    if not shared:
        return None
    words = {tag: [["1" if tag in row.tags else "0" for row in rows] for rows in shared] for tag in sheet.tags}
    words[LABEL] = [[word for row in rows if (word := word_of(row))] for rows in shared]
    names = sorted({row.reviewer for rows in shared for row in rows})
    per = {what: _measure(items, len(names), seed) for what, items in words.items() if any(len(i) > 1 for i in items)}
    return {"overlap": len(shared), "suggested": SUGGESTED, "reviewers": names, "on": per}


def _measure(items: Items, n_reviewers: int, seed: int) -> Mapping[str, Any]:
    pairable = [words for words in items if len(words) > 1]
    rng = np.random.default_rng(seed)
    draws = [krippendorff([pairable[i] for i in rng.integers(0, len(pairable), len(pairable))]) for _ in range(_DRAWS)]
    known = [value for value in draws if not isnan(value)]
    low, high = np.quantile(known, [0.025, 0.975]).tolist() if known else (None, None)
    alpha = krippendorff(items)
    kappa = cohen(items) if n_reviewers == 2 else float("nan")
    return {
        "n": len(pairable),
        "agree": sum(len(set(words)) == 1 for words in pairable) / len(pairable),
        "alpha": _known(alpha),
        "low": low if _known(alpha) is not None else None,
        "high": high if _known(alpha) is not None else None,
        "kappa": _known(kappa),
    }


def _known(value: float) -> float | None:
    return None if isnan(value) else value
