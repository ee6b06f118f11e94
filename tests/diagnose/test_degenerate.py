"""Every metric on every degenerate set: intervals hold their value, and a handful of examples proves nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlproj.diagnose import ladder_of, render_text, to_document
from mlproj.errors import InvalidInput
from mlproj.records import Answers, Ladder, Predictions
from mlproj.spec.goal import CLASSIFICATION_METRICS, REGRESSION_METRICS

SIZES = ((60, 30), (20, 1), (2, 2), (1, 1))
CASES = (
    "plain",
    "all right",
    "all wrong on dev",
    "one class on dev",
    "one class",
    "one group",
    "one giant",
    "half known",
)


def predictions(case: str, n_train: int, n: int, *, numbers: bool) -> Predictions:
    rng = np.random.default_rng(5)
    split = np.repeat(["train", "train_dev", "dev"], [n_train, n, n])
    size, dev = len(split), split == "dev"
    y = np.zeros(size, dtype=int) if case == "one class" else rng.integers(0, 2, size)
    y = np.where(dev, 0, y) if case == "one class on dev" else y
    p: NDArray[Any] = np.clip(0.2 + 0.6 * y + rng.normal(0, 0.2, size), 0, 1)
    p = np.where(dev, 1.0 - y, p) if case == "all wrong on dev" else y * 1.0 if case == "all right" else p
    answers = Answers(y, (p > 0.5).astype(int), ("no", "yes"), np.stack([1 - p, p], axis=1))
    if numbers:
        answers = Answers(y * 1.0, p)
    if case == "half known":
        truth = answers.y_true.copy()
        truth[1::2] = np.nan if numbers else -1
        answers = replace(answers, y_true=truth)
    weight = np.where(np.arange(size) == size - 1, 1e6, 1.0) if case == "one giant" else None
    group = np.where(dev, "a", np.arange(size).astype(str)) if case == "one group" else None
    return Predictions(np.arange(size).astype(str), split, {"": answers}, weight, group)


def ladder_or_reason(content: Predictions, metric: str) -> Ladder | str:
    try:
        return ladder_of(content, metric=metric, metric_is_asked=True, distributions_differ=True)
    except InvalidInput as error:
        return str(error)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fraction of the draws, as hundreds of ladders are made."""
    for place in ("mlproj.diagnose.draws.N_DRAWS", "mlproj.diagnose.samples.N_DRAWS"):
        monkeypatch.setattr(place, 1000)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("metric", CLASSIFICATION_METRICS + REGRESSION_METRICS)
def test_a_ladder_of_any_degenerate_set_is_sound(metric: str, case: str) -> None:
    for n_train, n in SIZES:
        content = predictions(case, n_train, n, numbers=metric in REGRESSION_METRICS)
        found = ladder_or_reason(content, metric)
        if isinstance(found, str):
            assert "undefined" in found or "no y_true" in found
            continue
        for rung in found.rungs:
            assert rung.error is not None
            assert (rung.low or 0.0) <= rung.error + 1e-9
            assert rung.high is None or rung.high >= rung.error - 1e-9
        assert all(gap.low <= gap.size <= gap.high for gap in found.gaps)
        assert sum(gap.p_largest for gap in found.gaps) == pytest.approx(1.0)
        if n <= 2:
            assert found.verdict.state in ("unresolved", "past_human")
        assert render_text(found)
        assert to_document(found)
