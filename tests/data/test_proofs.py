"""What proves a promise: counts checked against Wilson's interval itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.data.sizes import plan_proof
from mlproj.metrics.intervals import wilson


def test_a_recall_of_95_percent_takes_73_positives_all_found() -> None:
    assert plan_proof(0.95, 73).misses == 0
    assert plan_proof(0.95, 72).misses == -1
    assert plan_proof(0.95, 10).least == 73


@given(st.floats(0.01, 0.999), st.integers(1, 5000))
def test_one_more_miss_would_not_prove_it(limit: float, n: int) -> None:
    proof = plan_proof(limit, n)
    assert proof.least is not None
    assert (proof.misses >= 0) == (wilson(1.0, n)[0] >= limit)
    if proof.misses >= 0:
        assert wilson((n - proof.misses) / n, n)[0] >= limit
    if proof.misses < n:
        assert wilson((n - proof.misses - 1) / n, n)[0] < limit
    assert wilson(1.0, proof.least)[0] >= limit - 1e-9
    assert proof.least == 1 or wilson(1.0, proof.least - 1)[0] < limit


@pytest.mark.parametrize("limit", [1.0, 1.5])
def test_certainty_is_proved_by_no_number(limit: float) -> None:
    assert plan_proof(limit, 10**6).least is None
