"""Parts of the data that are worse: found on one half, confirmed on the other, and no false alarms."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from mlproj.error_analysis.slices import LEAST, conditions, discover, holm, measure_part
from mlproj.metrics.intervals import mover, wilson

N = 1200


def columns(rng: np.random.Generator) -> dict[str, Any]:
    return {f"x{i}": rng.standard_normal(N) for i in range(3)} | {"phone": rng.choice(["ax", "by", "cz"], N)}


def search(rng: np.random.Generator, error: Any, table: dict[str, Any], *, is_rate: bool = True) -> dict[str, Any]:
    seen = rng.random(N) < 0.5
    loss = (rng.random(N) < error).astype(float) if is_rate else rng.exponential(error, N)
    return discover(table, loss, seen, is_rate=is_rate)


@pytest.mark.parametrize("is_rate", [True, False])
def test_with_nothing_to_find_hardly_ever_anything_is_claimed(is_rate: bool, seed: int) -> None:
    """At most 5 % of searches, and .05 for so few of them."""
    rng = np.random.default_rng(seed)
    alarms = [
        any(part["confirmed"] for part in search(rng, 0.12, columns(rng), is_rate=is_rate)["found"])
        for _ in range(100 if is_rate else 30)
    ]
    assert np.mean(alarms) <= 0.05 + 0.05


def test_a_planted_part_is_found_by_its_pair_of_conditions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = columns(rng)
    planted = (table["phone"] == "by") & (table["x1"] > 0.2)
    found = search(rng, np.where(planted, 0.45, 0.08), table)
    (part,) = [part for part in found["found"] if part["confirmed"]][:1]
    assert "phone == 'by'" in part["slice"]
    assert "x1 >" in part["slice"]
    assert part["gap_low"] > 0.1


def test_nothing_of_the_other_half_but_two_rates_decides(seed: int) -> None:
    """Candidates are the same whatever the answers of the blackbox half are."""
    rng = np.random.default_rng(seed)
    table, seen, loss = columns(rng), rng.random(N) < 0.5, (rng.random(N) < 0.2).astype(float)
    other = np.where(seen, loss, rng.permutation(loss))
    names = [[part["slice"] for part in discover(table, y, seen, is_rate=True)["found"]] for y in (loss, other)]
    assert names[0] == names[1] != []


def test_cut_points_come_from_the_half_that_may_be_looked_at() -> None:
    x, seen = np.arange(200.0), np.arange(200) < 100
    cuts = [float(name.split(" ")[-1]) for name, _ in conditions({"x": x}, seen) if "missing" not in name]
    assert max(cuts) < 100


def test_missing_and_infinite_cells_are_no_trouble() -> None:
    x = np.array([math.inf] * 200 + [-math.inf] * 200 + [math.nan] * 100 + [float(i) for i in range(200)])
    names = {name: int(mask.sum()) for name, mask in conditions({"my x": x}, np.ones(700, np.bool_))}
    assert names["`my x` is missing"] == 100
    assert not any("nan" in name or "inf" in name for name in names)


def test_a_column_of_one_value_or_of_names_gives_no_part() -> None:
    rng = np.random.default_rng(0)
    table = {"one": np.ones(N), "name": np.arange(N).astype(np.str_), "empty": np.full(N, math.nan)}
    assert search(rng, 0.3, table) == {"tried": 0, "carried": 0, "found": []}


def test_parts_are_large_enough_in_both_halves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rare = np.where(np.arange(N) < LEAST, "rare", "common")
    assert search(rng, np.where(rare == "rare", 1.0, 0.0), {"kind": rare})["tried"] == 0


def test_a_part_has_the_limits_of_wilson_and_its_gap_those_of_mover() -> None:
    mask = np.arange(300) < 100
    loss = np.where(mask, np.arange(300) < 20, np.arange(300) < 120).astype(float)
    part = measure_part("dark", mask, loss, is_rate=True)
    assert part is not None
    assert (part.n, part.value, part.low, part.high) == (100, 0.2, *wilson(0.2, 100))
    assert part.gap == pytest.approx(0.1)
    assert (part.gap_low, part.gap_high) == mover((0.2, *wilson(0.2, 100)), (0.1, *wilson(0.1, 200)))


def test_its_p_value_is_fishers_in_the_mid_p_form() -> None:
    mask, loss = np.arange(60) < 20, np.array([1.0] * 9 + [0.0] * 11 + [1.0] * 5 + [0.0] * 35)
    part = measure_part("dark", mask, loss, is_rate=True)
    assert part is not None
    exact = fisher_exact(np.array([[9, 11], [5, 35]]), alternative="greater").pvalue
    above = fisher_exact(np.array([[10, 10], [4, 36]]), alternative="greater").pvalue
    assert part.p == pytest.approx(exact + above)


@pytest.mark.parametrize("mask", [np.zeros(9, np.bool_), np.ones(9, np.bool_)])
def test_nothing_is_measured_of_a_part_without_examples_or_without_a_rest(mask: np.ndarray) -> None:
    assert measure_part("none", mask, np.zeros(9), is_rate=True) is None


def test_a_part_that_counts_nothing_is_not_measured() -> None:
    weight = np.array([0.0] * 5 + [1.0] * 5)
    assert measure_part("free", weight == 0, np.zeros(10), is_rate=True, weight=weight) is None


def test_examples_of_one_group_are_no_independent_evidence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(20), 30)
    loss, mask = np.repeat(rng.random(20) < 0.4, 30).astype(float), np.repeat(np.arange(20) < 6, 30)
    alone, grouped = (measure_part("p", mask, loss, is_rate=True, group=g) for g in (None, group))
    assert alone is not None
    assert grouped is not None
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_holm_is_the_published_procedure() -> None:
    assert holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_lies_between_no_correction_and_bonferronis(p: list[float]) -> None:
    for adjusted, raw in zip(holm(p), p, strict=True):
        assert raw <= adjusted <= min(1.0, raw * len(p)) + 1e-12
