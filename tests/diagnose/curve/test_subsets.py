"""Parts of a training split: nested, stratified, groups whole."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.diagnose.curve.subsets import choose_sizes, cut, nested_order


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    sizes=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5),
    draw=st.integers(0, 2**16),
)
def test_smaller_subsets_lie_in_larger_ones_and_hold_their_share_of_every_class(
    counts: list[int], sizes: list[float], draw: int
) -> None:
    strata = np.repeat(np.arange(len(counts)), counts)
    order = nested_order(strata, np.random.default_rng(draw))
    assert sorted(order.tolist()) == list(range(len(strata)))
    wanted = sorted({max(1, round(share * len(strata))) for share in sizes})
    parts = cut(order, wanted)
    for small, large in pairwise(parts):
        assert set(small.tolist()) <= set(large.tolist())
    for part in parts:
        held = np.bincount(strata[part], minlength=len(counts))
        assert np.abs(held - np.array(counts) * len(part) / len(strata)).max() <= len(counts) + 1
        assert len(counts) > 2 or np.abs(held - np.array(counts) * len(part) / len(strata)).max() <= 1


def test_another_draw_is_another_order() -> None:
    strata = np.zeros(50, dtype=int)
    first, second = (nested_order(strata, np.random.default_rng(draw)) for draw in (0, 1))
    assert set(first[:25].tolist()) != set(second[:25].tolist())


def test_groups_stay_whole_and_sizes_are_the_nearest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = np.repeat([f"patient {k}" for k in range(30)], rng.integers(1, 9, 30))
    strata = np.repeat(rng.integers(0, 2, 30), np.unique(group, return_counts=True)[1][np.argsort(np.argsort(
        [f"patient {k}" for k in range(30)]))])  # fmt: skip
    order = nested_order(strata, rng, group)
    sizes = [len(group) // 4, len(group) // 2, len(group)]
    parts = cut(order, sizes, group)
    for part, size in zip(parts, sizes, strict=True):
        inside = np.isin(group, group[part])
        assert inside.sum() == len(part)
        assert abs(len(part) - size) <= 4
    assert set(parts[0].tolist()) < set(parts[1].tolist()) < set(parts[2].tolist())


def test_a_group_lies_in_the_stratum_of_most_of_its_examples() -> None:
    group = np.repeat(np.arange(40), 5)
    strata = (group % 2) ^ (np.arange(200) % 5 == 0)
    order = nested_order(strata, np.random.default_rng(0), group)
    assert abs(float((group[order[:100]] % 2).mean()) - 0.5) <= 0.1


@pytest.mark.parametrize(("n", "sizes"), [(800, [100, 141, 200, 283, 400, 566, 800]), (20, [10, 14, 20]), (5, [5])])
def test_sizes_go_down_in_steps_of_root_two_as_far_as_is_sensible(n: int, sizes: list[int]) -> None:
    assert choose_sizes(n, least=8) == sizes
