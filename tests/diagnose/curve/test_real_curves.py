"""Real curves with their tails hidden: measured once by benchmarks/real_curves.py on data that scikit-learn ships."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlproj.diagnose.curve.brackets import halving_probe
from mlproj.diagnose.curve.curve import Curve, make_curve
from mlproj.diagnose.curve.forecast import Forecast, forecast
from mlproj.diagnose.curve.shape import find_shape

CURVES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("real_curves.json").read_text(encoding="utf-8")
)["curves"]  # fmt: skip


def as_curve(row: dict[str, Any]) -> Curve:
    return make_curve(row["sizes"], row["dev"], n=row["n_dev"], is_rate=row["data"] != "diabetes")


@pytest.fixture(scope="module")
def told() -> list[tuple[dict[str, Any], Forecast]]:
    """The curves that are extrapolated, with their forecasts."""
    falling = [row for row in CURVES if find_shape(as_curve(row)).kind == "falling"]
    found = [(row, forecast(as_curve(row), 200)) for row in falling]
    return [(row, each) for row, each in found if each.is_better_than_last]


@pytest.mark.parametrize(("ratio", "least"), [(2.0, 0.85), (4.0, 0.8)])
def test_intervals_cover_what_came_later(told: Any, ratio: float, least: float) -> None:
    inside, n, by_set = 0, 0, Counter[str]()
    for row, each in told:
        if (truth := row["later"].get(f"{ratio:g}")) is not None:
            _, low, high = each.at(ratio)
            inside += low <= truth <= high
            by_set[row["data"]] += not low <= truth <= high
            n += 1
    assert n >= 25
    assert inside >= least * n, (inside, n, by_set)


def test_forecasts_beat_the_last_error(told: Any) -> None:
    gains = []
    for row, each in told:
        truth, curve = row["later"]["2"], as_curve(row)
        unit = float(curve.mean[0])  # so that numbers and shares count alike
        gains.append((abs(each.at(2.0)[0] - truth) / unit, abs(curve.mean[-1] - truth) / unit))
    ours, lasts = np.mean(gains, axis=0)
    assert ours < 0.8 * lasts


def test_most_real_curves_fall_or_are_flat_and_enough_are_extrapolated(told: Any) -> None:
    kinds = Counter(find_shape(as_curve(row)).kind for row in CURVES)
    assert kinds["falling"] + kinds["flat"] >= 0.9 * len(CURVES), kinds
    assert len(told) >= 0.5 * len(CURVES)


def test_the_next_doubling_gains_no_more_than_the_halving_probe_says() -> None:
    probed = [(row, halving_probe(as_curve(row))) for row in CURVES if find_shape(as_curve(row)).kind == "falling"]
    within = [
        probe.next_gain[0] <= float(as_curve(row).mean[-1]) - row["later"]["2"] <= probe.next_gain[1]
        for row, probe in probed
        if probe is not None
    ]
    assert np.mean(within) >= 0.85
