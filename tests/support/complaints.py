"""Messages with a planted property: whether the sender is angry depends on one of eight words."""

import numpy as np
import pandas as pd

SUBJECTS = ["parcel", "invoice", "router", "contract", "refund", "driver", "app", "password"]
FILLERS = ["today", "again", "please", "since monday", "as always", "in the morning", "without a word", "by phone"]


def complaints(n: int, seed: int = 0) -> pd.DataFrame:
    """Messages whose label depends on one of many words, and in one of twenty on chance."""
    rng = np.random.default_rng(seed)
    tone = rng.integers(0, 2, n)
    words = np.array([["works", "arrived", "thanks", "quick"], ["broken", "late", "missing", "slow"]])
    said = words[tone, rng.integers(0, 4, n)]
    subject, first, second = (rng.choice(part, n) for part in (SUBJECTS, FILLERS, FILLERS))
    parts = zip(subject, first, said, second, strict=True)
    notes = [f"The {a} {b} {c}, {d} ({i})" for i, (a, b, c, d) in enumerate(parts)]
    flipped = np.where(rng.random(n) < 0.05, 1 - tone, tone)
    return pd.DataFrame({"note": notes, "age": rng.integers(18, 90, n), "angry": np.where(flipped == 1, "yes", "no")})
