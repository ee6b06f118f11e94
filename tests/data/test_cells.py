"""A cell means the same as text, as a number, as a Python object: N cells in, N values out."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.data.cells import is_missing, read_days, read_numbers, read_texts, read_truths, to_text


def series(*cells: Any, dtype: Any = "str") -> "pd.Series[Any]":
    return pd.Series(list(cells), dtype=dtype)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-1.5", -1.5), ("+2", 2), (" 3 ", 3), (".5", 0.5), ("5.", 5), ("1e-5", 1e-5), ("1E+3", 1000),
     ("007", 7), ("inf", np.inf), ("-Infinity", -np.inf), ("1e400", np.inf)],
)  # fmt: skip
def test_a_number_is_read_wherever_other_cells_are_not(text: str, value: float) -> None:
    clean, _ = read_numbers(series(text))
    mixed, bad = read_numbers(series(text, "abc"))
    assert clean[0] == mixed[0] == value
    assert bad.tolist() == [False, True]


@pytest.mark.parametrize("text", ["abc", "1,5", "1 2", "0x1f", "1_000", "5%", "٣", "1e", "--1", "1.2.3", "True"])
def test_what_is_no_number_is_marked_as_such(text: str) -> None:
    values, bad = read_numbers(series(text, "1"))
    assert np.isnan(values[0])
    assert bad.tolist() == [True, False]


@pytest.mark.parametrize("text", ["", "NA", "nan", "NaN", "null", "NULL", "N/A", "<NA>", "None", "?", " NA "])
def test_words_for_a_missing_number_are_missing(text: str) -> None:
    values, bad = read_numbers(series(text, "1", "x"))
    assert np.isnan(values[0])
    assert not bad[0]


def test_none_and_question_marks_are_words_where_text_is_asked_for() -> None:
    assert read_texts(series("None", "?", "NA", "", "nan")).to_pylist() == ["None", "?", None, None, None]


@pytest.mark.parametrize(
    "column",
    [
        series("7", "7.0", None),
        series(7, 7, None, dtype="Int64"),
        series(7.0, 7.0, None, dtype="float64"),
        series(7, "7.0", None, dtype=object),
        series(decimal.Decimal(7), np.float32(7), pd.NA, dtype=object),
        series("7", "7", None, dtype="category"),
        series(7, 7, None, dtype="category"),
        series("7", "7", None, dtype="string"),
    ],
)
def test_seven_is_seven_in_every_form(column: "pd.Series[Any]") -> None:
    assert read_texts(column).to_pylist() == ["7", "7", None]
    np.testing.assert_array_equal(read_numbers(column)[0], [7, 7, np.nan])
    assert is_missing(column).tolist() == [False, False, True]


def test_truths_are_read_from_words_numbers_and_booleans() -> None:
    words = ["Yes", "NO", "true", "False", "1", "0", "1.0", "t", "n", "", "NA", "maybe", "2"]
    values, bad = read_truths(series(*words))
    np.testing.assert_array_equal(values, [1, 0, 1, 0, 1, 0, 1, 1, 0] + [np.nan] * 4)
    assert bad.tolist() == [False] * 11 + [True, True]
    np.testing.assert_array_equal(read_truths(series(True, None, dtype="boolean"))[0], [1, np.nan])
    np.testing.assert_array_equal(read_truths(series(True, False, dtype=object))[0], [1, 0])


def test_days_count_from_1970_in_utc() -> None:
    values, bad = read_days(series("1970-01-02", "1970-01-01T12:00", "1970-01-01T01:00+01:00", "2024-02-30", "", "x"))
    np.testing.assert_array_equal(values, [1, 0.5, 0, np.nan, np.nan, np.nan])
    assert bad.tolist() == [False, False, False, True, False, True]


def test_a_day_is_the_same_as_text_date_and_timestamp() -> None:
    day = datetime.date(2024, 1, 31)
    columns = [series("2024-01-31"), series(day, dtype=object), series(pd.Timestamp(day), dtype="datetime64[ns]")]
    assert {float(read_days(column)[0][0]) for column in columns} == {19753.0}


def test_a_date_format_of_its_own_is_followed() -> None:
    assert read_days(series("31/01/2024"), "%d/%m/%Y")[0].tolist() == [19753.0]
    assert read_days(series(20240131, dtype="int64"), "%Y%m%d")[0].tolist() == [19753.0]
    with pytest.raises(ValueError, match="bad directive"):
        read_days(series("31/01/2024"), "%Q")


def test_dates_far_away_are_read_exactly() -> None:
    assert read_days(series("0001-01-01", "9999-12-31"))[0].tolist() == [-719162, 2932896]


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_a_number_written_as_text_comes_back_exactly(values: list[float]) -> None:
    np.testing.assert_array_equal(read_numbers(pd.Series([repr(value) for value in values], dtype="str"))[0], values)


@given(st.lists(st.one_of(st.none(), st.text(max_size=5), st.integers(), st.floats(), st.booleans(), st.dates())))
def test_no_mixture_of_cells_breaks_a_reader(cells: list[Any]) -> None:
    column = pd.Series(cells, dtype=object)
    for values, bad in (read_numbers(column), read_truths(column), read_days(column)):
        assert values.shape == bad.shape == (len(cells),)
        assert np.isnan(values[bad]).all()
    assert len(read_texts(column)) == len(cells)


def test_to_text_agrees_with_read_texts() -> None:
    cells = [1, 1.0, 0.1, True, "x", None, float("nan"), np.int64(3), 1e300, pd.NA, pd.NaT]
    assert [to_text(cell) for cell in cells] == read_texts(pd.Series(cells, dtype=object)).to_pylist()
