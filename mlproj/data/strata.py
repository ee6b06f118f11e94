"""Strata: which examples count as alike when the splits are dealt, so that every split gets its share of each class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlproj.data.ids import canonical_text

UNLABELLED = -1
"""Stratum of a row without a label; it is left out of every split."""
_MOST = 500  # strata kept apart; the rarest beyond them are pooled
_RARE = 5  # a combination of several labels with fewer examples is pooled with the other rare ones
_BINS, _PER_BIN = 10, 10


def label_strata(
    frame: pd.DataFrame, labels: Sequence[str], *, regression: bool, stratify: bool = True
) -> NDArray[np.int64]:
    """The stratum of each row, by its label.

    One label: its class. Several: the combination, rare ones pooled. Regression: ten bins of equal counts.

    Args:
        frame: The table with its label columns.
        labels: Label columns; with several a row is left out only when all of them are empty.
        regression: Whether the label is a quantity.
        stratify: False puts all labelled rows into one stratum.

    Returns:
        Numbers from 0 (N,), −1 where there is no label.

    Example:
        >>> label_strata(pd.DataFrame({"cat": ["yes", None, "no", "yes"]}), ["cat"], regression=False).tolist()
        [1, -1, 0, 1]
    """
    if not labels:
        return np.zeros(len(frame), dtype=np.int64)
    texts = [np.array(canonical_text(frame[name]).to_pylist(), dtype=object) for name in labels]
    labelled = np.any([text != "" for text in texts], axis=0)
    strata = np.full(len(frame), UNLABELLED, dtype=np.int64)
    if not labelled.any():
        return strata
    if not stratify:
        strata[labelled] = 0
    elif regression:
        values = pd.to_numeric(pd.Series(texts[0][labelled]), errors="coerce").to_numpy(np.float64)
        strata[labelled] = _bins(values)
        strata[np.flatnonzero(labelled)[np.isnan(values)]] = UNLABELLED
    else:
        whole = texts[0] if len(texts) == 1 else np.array(["\x1f".join(cells) for cells in zip(*texts, strict=True)])
        codes, _ = pd.factorize(whole[labelled], sort=True)
        strata[labelled] = _pool(codes.astype(np.int64), _RARE if len(texts) > 1 else 1)
    return strata


def _pool(codes: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """The codes with all strata of fewer than `least` rows, and those beyond the largest 500, put into one."""
    counts = np.bincount(codes)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    pooled = (counts < least) | (rank >= _MOST)
    return np.where(pooled[codes], len(counts), codes)


def _bins(values: NDArray[np.float64]) -> NDArray[np.int64]:
    known = values[np.isfinite(values)]
    n_bins = min(_BINS, len(known) // _PER_BIN)
    if n_bins < 2:
        return np.zeros(len(values), dtype=np.int64)
    edges = np.unique(np.quantile(known, np.arange(1, n_bins) / n_bins))
    return np.searchsorted(edges, values, side="right").astype(np.int64)
