"""Columns of dates as people write them: formats, mixtures, time zones, typed columns, and what a wrong one is told."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data import load_dataset
from mlproj.data.cells import read_days
from mlproj.data.columns import Column
from mlproj.data.encoder import Encoder
from mlproj.errors import InvalidInput

DAY = pd.Timestamp("2024-03-05")
DAYS = pd.Series(pd.date_range("2024-01-01", periods=120, freq="D"))


def days(cells: list[Any], form: str | None = None, dtype: Any = "str") -> list[str | None]:
    """The moments that were read, as ISO texts; None where missing, `?` where unreadable."""
    values, bad = read_days(pd.Series(cells, dtype=dtype), form)
    moments = [None if np.isnan(v) else str(pd.Timestamp(round(v * 86_400e6), unit="us")) for v in values]
    return ["?" if b else moment for moment, b in zip(moments, bad, strict=True)]


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("05/03/2024", "%d/%m/%Y"),
        ("5/3/2024", "%d/%m/%Y"),
        (" 03/05/2024 ", "%m/%d/%Y"),
        ("05.03.24", "%d.%m.%y"),
        ("5 Mar 2024", "%d %b %Y"),
        ("5 march 2024", "%d %B %Y"),
        ("Tue Mar 05 2024", "%a %b %d %Y"),
        ("20240305", "%Y%m%d"),
        ("2024 065", "%Y %j"),
        ("05/03/2024 02:00 +0200", "%d/%m/%Y %H:%M %z"),
        ("2024-03-05T01:00+01:00", None),
        ("2024-03-04 19:00:00-05:00", None),
    ],
)
def test_a_date_is_read_in_the_format_that_is_declared(cell: str, form: str | None) -> None:
    assert days([cell], form) == [str(DAY)]


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("2024-03-05", "%d/%m/%Y"),
        ("05/03/24", "%d/%m/%Y"),
        ("05/03/2024 10:00", "%d/%m/%Y"),
        ("05/03/2024", "%d/%m/%Y %H:%M"),
        ("05/13/2024", "%d/%m/%Y"),
        ("30/02/2024", "%d/%m/%Y"),
        ("5 März 2024", "%d %B %Y"),
        ("05/03/2024", None),
        ("1700000000", None),
    ],
)
def test_what_is_not_of_the_format_is_never_guessed(cell: str, form: str | None) -> None:
    assert days([cell], form) == ["?"]


def test_years_of_two_digits_turn_at_69_as_in_python() -> None:
    assert days(["01/01/68", "01/01/69"], "%d/%m/%y") == ["2068-01-01 00:00:00", "1969-01-01 00:00:00"]


def test_time_zones_may_be_mixed_and_without_one_it_is_utc() -> None:
    cells = ["2024-03-05T01:00+01:00", "2024-03-05", "2024-03-05T00:00Z"]
    assert days(cells) == [str(DAY)] * 3


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([DAY, None], "datetime64[us]"),
        ([DAY, None], "datetime64[s]"),
        ([DAY.tz_localize("UTC"), None], "datetime64[us, UTC]"),
        ([DAY.date(), None], object),
        ([DAY, pd.NaT], object),
        ([datetime.datetime(2024, 3, 5), "NA"], object),
        ([DAY.date(), "05/03/2024"], object),
        ([20240305, None], "Int64"),
    ],
)
def test_a_typed_moment_needs_no_format_and_one_does_not_harm_it(cells: list[Any], dtype: Any) -> None:
    form = "%Y%m%d" if dtype == "Int64" else "%d/%m/%Y"
    assert set(days(cells, form, dtype)) <= {str(DAY), None}
    assert days(cells, form, dtype)[0] == str(DAY)


def test_a_model_of_written_dates_answers_for_typed_ones_and_for_later_ones() -> None:
    written = pd.DataFrame({"d": DAYS.dt.strftime("%d/%m/%Y")})
    encoder = Encoder.fit(written, [Column("d", "date", 0, 120, False, "%d/%m/%Y")])
    expected = encoder.encode(written)
    for typed in (DAYS, DAYS.dt.tz_localize("UTC"), DAYS.dt.date.astype(object)):
        np.testing.assert_array_equal(encoder.encode(pd.DataFrame({"d": typed})), expected)
    later = encoder.encode(pd.DataFrame({"d": ["01/05/2024", "31/12/9999", ""]}))
    assert later[0, 0] > expected[:, 0].max()
    assert np.isfinite(later).all()
    with pytest.raises(InvalidInput, match="row 1 holds '2024-05-01', which is no date of the form '%d/%m/%Y'"):
        encoder.encode(pd.DataFrame({"d": ["2024-05-01"]}))


def test_dates_in_parquet_are_dates_without_a_word(build: Any, flowers: pd.DataFrame) -> None:
    for cells in (DAYS, DAYS.dt.tz_localize("Europe/Berlin"), DAYS.dt.date):
        dataset = load_dataset(build({"a.parquet": flowers.assign(day=cells)}, id="uid"))
        assert {c.name: c.type for c in dataset.columns}["day"] == "date"
        assert "day" in dataset.encoder.names


def written(flowers: pd.DataFrame, form: str) -> pd.DataFrame:
    return flowers.assign(day=DAYS.dt.strftime(form))


@pytest.mark.parametrize(
    ("form", "declared", "fragments"),
    [
        ("%d/%m/%Y", "%m/%d/%Y", ["a.csv row 14 holds '13/01/2024'", '`columns: {day: {date: "%d/%m/%Y"}}`']),
        ("%d/%m/%y", "%d/%m/%Y", ["'%d/%m/%Y'", 'Declare `columns: {day: {date: "%d/%m/%y"}}`']),
        ("%d %B %Y", "%d/%m/%Y", ["'01 January 2024'", '{date: "%d %B %Y"}']),
        ("%d.%m.%Y %H:%M", "%d.%m.%Y", ["'01.01.2024 00:00'", '{date: "%d.%m.%Y %H:%M"}']),
        (
            "%Y-%m-%d",
            "%d/%m/%Y",
            ["'2024-01-01'", "All its cells are dates in ISO 8601 form", "`columns: {day: date}`"],
        ),
        ("%d|%m|%Y", "%d/%m/%Y", ["'01|01|2024'", "Correct or empty such cells"]),
        ("%d/%m/%Y", None, ["'01/01/2024', which is no date in ISO 8601 form", '{date: "%d/%m/%Y"}']),
    ],
)
def test_a_wrong_format_is_answered_with_the_one_that_reads_every_cell(
    build: Any, refusal: Any, flowers: pd.DataFrame, form: str, declared: str | None, fragments: list[str]
) -> None:
    kind: Any = {"date": declared} if declared else "date"
    said = refusal(build({"a.csv": written(flowers, form)}, id="uid", columns={"day": kind}))
    assert all(fragment in said for fragment in ["data.columns.day", *fragments]), said


def test_a_mixture_of_formats_names_the_cells_that_differ(build: Any, refusal: Any, flowers: pd.DataFrame) -> None:
    frame = written(flowers, "%Y-%m-%d")
    frame.loc[[4, 9], "day"] = ["05/01/2024", "10/01/2024"]
    said = refusal(build({"a.csv": frame}, id="uid"))
    assert "a.csv row 6 holds '05/01/2024', which is no date in ISO 8601 form; also a.csv row 11" in said
    assert "nearly all its cells are dates" in said


def test_the_time_column_is_refused_with_the_format_that_fits(build: Any, refusal: Any, flowers: pd.DataFrame) -> None:
    frame = written(flowers, "%d/%m/%Y")
    said = refusal(build({"a.csv": frame}, id="uid", time="day", columns={"day": {"date": "%m/%d/%Y"}}))
    assert "data.time" in said
    assert "are no date of the form '%m/%d/%Y', first '13/01/2024' in a.csv row 14" in said
    assert 'Declare `columns: {day: {date: "%d/%m/%Y"}}`' in said


@pytest.mark.parametrize("keys", [{}, {"time": "day"}])
def test_directives_that_do_not_go_together_are_refused(
    build: Any, refusal: Any, flowers: pd.DataFrame, keys: dict[str, Any]
) -> None:
    frame = flowers.assign(day="2024 05")
    said = refusal(build({"a.csv": frame}, id="uid", columns={"day": {"date": "%Y %U"}}, **keys))
    assert "data.columns.day: '%Y %U' is no date format: Cannot use" in said


def test_a_cut_off_is_written_in_iso_form_whatever_the_format_of_the_column(build: Any, flowers: pd.DataFrame) -> None:
    frame = written(flowers, "%d/%m/%Y")
    keys: dict[str, Any] = {"time": "day", "columns": {"day": {"date": "%d/%m/%Y"}}}
    splits = {"dev": "2024-03-01", "test": "2024-04-01", "train_dev": 0.0}
    dataset = load_dataset(build({"a.csv": frame}, id="uid", splits=splits, **keys))
    assert dataset.deal.sizes == {"train": 60, "dev": 31, "test": 29}
