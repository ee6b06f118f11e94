"""The arithmetic of dealing: hashing, apportioning and exact cuts."""

import os
import subprocess
import sys
from itertools import chain, combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from mlproj.data.cut import apportion, draw, hash_units, take, uniform

SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=10)


def test_the_hash_does_not_depend_on_process_or_order() -> None:
    code = "from mlproj.data.cut import hash_units; print(hash_units('s', ['a', 'ü', 'c']).tolist())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert found == {str(hash_units("s", ["a", "ü", "c"]).tolist())}


def test_hashes_are_uniform_and_salts_are_independent() -> None:
    names = [f"user{i}" for i in range(20_000)]
    a, b = uniform(hash_units("a", names)), uniform(hash_units("b", names))
    assert kstest(a, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03  # four standard errors of 20,000 pairs


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12), st.floats(0, 1))
def test_shares_add_up_and_stay_within_one_of_the_exact_share(counts: list[int], share: float) -> None:
    array = np.array(counts)
    total = int(share * array.sum())
    shares = apportion(total, array)
    assert shares.sum() == total
    assert (shares <= array).all()
    if total:
        assert (np.abs(shares - total * array / array.sum()) < 1).all()


@settings(max_examples=200)
@given(SIZES, st.integers(0, 40))
def test_units_are_taken_to_the_nearest_possible_sum(sizes: list[int], want: int) -> None:
    taken = int(np.array(sizes)[take(np.array(sizes), want)].sum())
    subsets = chain.from_iterable(combinations(sizes, k) for k in range(len(sizes) + 1))
    nearest = min(abs(sum(subset) - want) for subset in subsets)
    assert abs(taken - want) == nearest


def test_single_rows_are_taken_in_the_order_of_their_hash() -> None:
    assert take(np.ones(5, dtype=np.int64), 3).tolist() == [True, True, True, False, False]


def test_large_groups_cost_neither_memory_nor_exactness() -> None:
    sizes = np.random.default_rng(0).integers(1, 100_000, 5000)
    assert sizes[take(sizes, 50_000_000)].sum() == 50_000_000


@settings(max_examples=100)
@given(SIZES, st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_draw_of_groups_is_the_nearest_that_any_choice_allows(sizes: list[int], want: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order, strata = rng.integers(0, 2**63, len(sizes)).astype(np.uint64), rng.integers(0, 3, len(sizes))
    want = min(want, sum(sizes))
    drawn = int(np.array(sizes)[draw(order, strata, np.array(sizes), want)].sum())
    subsets = chain.from_iterable(combinations(sizes, k) for k in range(len(sizes) + 1))
    assert abs(drawn - want) == min(abs(sum(subset) - want) for subset in subsets)


@given(st.integers(0, 2**32 - 1), st.integers(20, 300), st.integers(1, 6), st.floats(0.05, 0.9))
def test_a_draw_is_exact_and_stratified(seed: int, n: int, n_strata: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    order, strata = rng.integers(0, 2**63, n).astype(np.uint64), rng.integers(0, n_strata, n)
    want = int(share * n)
    drawn = draw(order, strata, np.ones(n, dtype=np.int64), want)
    assert drawn.sum() == want
    for stratum in np.unique(strata):
        members = strata == stratum
        assert abs(drawn[members].sum() - want * members.sum() / n) < 1
        if drawn[members].any() and not drawn[members].all():
            assert order[members & drawn].max() <= order[members & ~drawn].min()
