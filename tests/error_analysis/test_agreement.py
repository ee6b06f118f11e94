"""Agreement beyond chance against closed forms and published examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews import make_sheet, row
from sklearn.metrics import cohen_kappa_score

from mlproj.error_analysis.agreement import agreement, cohen, krippendorff

A = list("0100000010")
B = list("1110010000")
FOUR = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."]
"""Krippendorff 2011, Computing Krippendorff's alpha-reliability, sections B and C."""
PAIRS = st.lists(st.tuples(st.sampled_from("01"), st.sampled_from("01")), min_size=1, max_size=40)


def test_alpha_of_two_reviewers_is_the_published_one() -> None:
    assert krippendorff(list(zip(A, B, strict=True))) == pytest.approx(0.095, abs=5e-4)


def test_alpha_of_four_reviewers_with_gaps_is_the_published_one() -> None:
    items = [[word for word in words if word != "."] for words in zip(*(line.split() for line in FOUR), strict=True)]
    assert krippendorff(items) == pytest.approx(0.743, abs=5e-4)


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=3, max_size=3), min_size=2, max_size=30))
def test_alpha_of_complete_answers_is_fleiss_kappa_but_for_small_numbers(items: list[list[str]]) -> None:
    counts = np.array([[words.count(word) for word in "abc"] for words in items])
    n = counts.sum()
    by_chance = ((counts.sum(axis=0) / n) ** 2).sum()
    if by_chance < 1:
        fleiss = (((counts**2).sum(axis=1) - 3) / 6).mean()
        kappa = (fleiss - by_chance) / (1 - by_chance)
        assert krippendorff(items) == pytest.approx(1 - (1 - kappa) * (n - 1) / n)


@given(PAIRS)
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    if len({word for pair in pairs for word in pair}) == 2:
        first, second = zip(*pairs, strict=True)
        assert cohen(pairs) == pytest.approx(cohen_kappa_score(first, second))


def test_nothing_is_said_where_nothing_varies_or_overlaps() -> None:
    assert np.isnan([krippendorff([["1", "1"]]), krippendorff([["1"], ["0"]]), krippendorff([])]).all()
    assert np.isnan([cohen([["1", "1"]]), cohen([])]).all()
    assert agreement(make_sheet([row(1, "dog"), row(2)], tags=("dog",))) is None


def test_a_sheet_of_two_reviewers_says_how_far_they_agree() -> None:
    said = list(zip(A, B, strict=True))
    rows = [row(i, *(["dog"] if word == "1" else []), who=who) for i, words in enumerate(said)
            for who, word in zip(("anna", "ben"), words, strict=True)]  # fmt: skip
    found = agreement(make_sheet(rows, tags=("dog",)))
    assert found is not None
    assert (found["overlap"], found["reviewers"], list(found["on"])) == (10, ["anna", "ben"], ["dog"])
    assert found["on"]["dog"]["agree"] == 0.6
    assert found["on"]["dog"]["low"] < found["on"]["dog"]["alpha"] < found["on"]["dog"]["high"]


def test_a_corrected_label_alone_counts_as_a_word_on_the_label() -> None:
    rows = [row(1, who="anna", corrected="yes"), row(1, who="ben", label="ok"), row(2, who="ben", label="ok")]
    found = agreement(make_sheet(rows))
    assert found is not None
    assert found["on"]["label_ok"]["agree"] == 0.0
