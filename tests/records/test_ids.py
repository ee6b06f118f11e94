"""Ids of a foreign file: what tools and spreadsheets do to them."""

import re

import numpy as np
import pytest

from mlproj.records.ids import explain_strangers, match_ids


def test_seven_point_zero_is_seven_and_leading_zeros_count() -> None:
    known = np.array(["7", "007", "b"])
    assert match_ids(np.array(["007", "7.0", "b", "07", "7.5"]), known).tolist() == [1, 0, 2, -1, -1]


@pytest.mark.parametrize(
    ("strangers", "known", "words"),
    [
        (["7", "12"], ["007", "012"], "Leading zeros were lost: the data say '007'"),
        (["7.0"], ["007"], "Leading zeros were lost: the data say '007'"),
        (["1.23457E+17"], ["123456789012345678"], "'1.23457E\\+17' is a long number that a spreadsheet rounded"),
        (["1,2E+17"], ["a"], "a spreadsheet rounded"),
        (["123456789012345000"], ["123456789012345678"], "Digits after the 15th were lost: the data say '123456789012"),
        (["AB1"], ["ab1"], "Capital letters differ: the data say 'ab1'"),
        (["0", "1", "2"], ["k1", "k2"], "They look like row numbers; write the ids"),
        (["x"], ["y"], "^$"),
    ],
)
def test_what_became_of_an_id_is_said(strangers: list[str], known: list[str], words: str) -> None:
    assert re.search(words, explain_strangers(strangers, known))
