"""Names that a spreadsheet changed: found where one can be meant, never guessed where two can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.error_analysis.recover import Names

NAMES = Names(
    ["007", "1-2", "12345678901234567890", "1e5", "MARCH1", "2024-05", "True", "1.50", "1234", "SEPT2", "a.csv"]
)
FOUND = {
    "7": "007", "7.0": "007", "+7": "007", "2-Jan": "1-2", "01.02.2026": "1-2", "1.23457E+19": "12345678901234567890",
    "1.23456789012346E+019": "12345678901234567890", "12345678901234500000": "12345678901234567890",
    "12345678901234567168": "12345678901234567890", "100000": "1e5", "1.00E+05": "1e5", "1-Mar": "MARCH1",
    "2026-03-01": "MARCH1", "Mar 1": "MARCH1", "May-24": "2024-05", "TRUE": "True", "WAHR": "True", "1.5": "1.50",
    "1,5": "1.50", "1,234": "1234", "1.234": "1234", "2. Sep": "SEPT2", " A.CSV ": "a.csv",
}  # fmt: skip


@pytest.mark.parametrize("text", FOUND)
def test_what_spreadsheets_make_of_names_is_undone(text: str) -> None:
    assert NAMES.find(text) == [FOUND[text]]


@pytest.mark.parametrize("text", ["", "8", "nan", "1e9999", "3-Jan", "1.3E+19", "2025-05", "--", "1-2-3-4"])
def test_other_texts_are_not_taken_for_a_name(text: str) -> None:
    assert NAMES.find(text) == []


def test_where_two_can_be_meant_both_are_named() -> None:
    assert Names(["1-2", "2-1"]).find("2026-02-01") == ["1-2", "2-1"]
    assert Names(["12345678901234567", "12345678901234568"]).find("1.2E+16") == [
        "12345678901234567",
        "12345678901234568",
    ]


def test_a_name_that_stands_there_as_it_is_wins() -> None:
    assert Names(["7", "007"]).find("7") == ["7"]


@given(st.sets(st.text(), max_size=20))
def test_every_name_finds_itself(names: set[str]) -> None:
    assert all(Names(names).find(name) == [name] for name in names)


@given(st.integers(0, 10**25))
def test_a_number_is_found_by_what_excel_shows_of_it(number: int) -> None:
    shown = f"{number:.5E}" if number >= 10**11 else str(number)
    assert Names([f"00{number}"]).find(shown) == [f"00{number}"]


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    assert set(NAMES.find(text)) <= set(FOUND.values())
