"""What shifted: three terms that add up to the gap, and point at what was planted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shifted import Kind, plant

from mlproj.diagnose.mismatch.separation import separate
from mlproj.diagnose.mismatch.shift import SplitShift, calibrate, split_shift
from mlproj.diagnose.mismatch.table import Feature, design


def decompose(kind: Kind, seed: int, n: int = 1500) -> SplitShift:
    first, second = plant(kind, n, seed)
    x = np.vstack([first.x, second.x])
    is_b = np.repeat([False, True], n)
    made = design([Feature(f"x{i}", x[:, i]) for i in range(3)])
    seen = separate(made, is_b, seed=seed, n_splits=2, n_permutations=19, kinds=("logistic",), explain=False)
    q = calibrate(seen.score, is_b)
    return split_shift(first.wrong.astype(np.float64), q[:n], second.wrong.astype(np.float64), q[n:])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_the_terms_add_up_to_the_gap(seed: int, weighted: bool, grouped: bool) -> None:
    rng = np.random.default_rng(seed)
    n = (300, 350)
    losses, q = [rng.exponential(size=k) for k in n], [rng.uniform(0.3, 0.7, k) for k in n]
    weights = [rng.uniform(0.5, 1.5, k) for k in n] if weighted else [None, None]
    groups = [rng.integers(0, 200, k) for k in n] if grouped else [None, None]
    found = split_shift(
        losses[0], q[0], losses[1], q[1], weights=(weights[0], weights[1]), groups=(groups[0], groups[1])
    )
    gap = np.average(losses[1], weights=weights[1]) - np.average(losses[0], weights=weights[0])
    assert found.gap == pytest.approx(gap, abs=1e-12)
    assert found.harder is not None
    assert found.answers is not None
    assert found.unseen is not None
    assert found.harder.value + found.answers.value + found.unseen.value == pytest.approx(gap, abs=1e-12)


def test_other_answers_to_the_same_inputs_are_told_from_other_inputs() -> None:
    answers, inputs = decompose("answers", 1), decompose("inputs", 1)
    assert answers.answers is not None
    assert inputs.answers is not None
    assert inputs.harder is not None
    assert inputs.unseen is not None
    assert answers.answers.value == pytest.approx(answers.gap, abs=0.02)
    assert answers.answers.low > 0
    assert inputs.answers.low < 0 < inputs.answers.high
    assert inputs.harder.low > 0
    assert inputs.unseen.low > 0


def test_the_truth_on_shared_inputs_is_found() -> None:
    """Discrete inputs, so that every term is known: shares p and q of three kinds, losses r in the first set, s in the
    second; shared kinds come with p·q/(p + q), normed. 95 % intervals cover within three standard errors."""
    p, q = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
    r, s = np.array([0.1, 0.2, 0.4]), np.array([0.15, 0.2, 0.5])
    both = p * q / (p + q) / (p * q / (p + q)).sum()
    truth = (both @ r - p @ r, both @ (s - r), q @ s - both @ s)
    second, means, covered = q / (p + q), np.zeros(3), np.zeros(3)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        kinds = [rng.choice(3, 1500, p=share) for share in (p, q)]
        losses = [(rng.random(1500) < rate[kind]).astype(np.float64) for rate, kind in zip((r, s), kinds, strict=True)]
        found = split_shift(losses[0], second[kinds[0]], losses[1], second[kinds[1]])
        terms = [term for term in (found.harder, found.answers, found.unseen) if term is not None]
        means += np.array([term.value for term in terms]) / 100
        covered += [term.low <= true <= term.high for term, true in zip(terms, truth, strict=True)]
    assert means == pytest.approx(np.array(truth), abs=0.006)
    assert covered.min() >= 95 - 3 * np.sqrt(100 * 0.95 * 0.05), covered


def test_without_overlap_nothing_is_split() -> None:
    found = decompose("apart", 0)
    assert not found.is_split
    assert max(found.overlap) < 50
    few = split_shift(np.ones(30), np.full(30, 0.5), np.zeros(30), np.full(30, 0.5))
    assert (few.is_split, few.overlap) == (False, (30.0, 30.0))


def test_a_score_that_says_nothing_is_calibrated_to_a_half() -> None:
    rng = np.random.default_rng(0)
    is_b = np.arange(4000) % 4 == 0  # the sets need not be of one size
    assert calibrate(rng.random(4000), is_b) == pytest.approx(np.full(4000, 0.5), abs=0.1)
    known = rng.random(4000)
    drawn = rng.random(4000) < known
    assert calibrate(known, drawn) == pytest.approx(known, abs=0.06)
