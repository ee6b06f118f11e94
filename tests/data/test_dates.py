"""The time axis: dates and numbers read from a column, and cut-offs written as people write them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data.dates import Timeline, is_date, read_timeline
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project


def read(cells: list[Any], needed: bool = True, **columns: Any) -> Timeline:
    data = {"source": "a.csv", "label": "y", "time": "at", "columns": columns}
    project = Project.model_validate({"name": "p", "data": data})
    frame = pd.DataFrame({"at": cells})
    timeline = read_timeline(project, frame, np.full(len(cells), needed), lambda row: f"a.csv row {row + 2}")
    assert timeline is not None
    return timeline


@pytest.mark.parametrize(
    "cells", [["2024-01-01", "2024-01-02T12:00"], ["2024/01/01", "2024/01/02"], ["01.01.2024", "02.01.2024"]]
)
def test_dates_are_read_in_their_usual_forms(cells: list[str]) -> None:
    timeline = read(cells)
    assert timeline.is_date
    assert timeline.times[0] == 19_723
    assert int(timeline.times[1]) == 19_724


def test_a_declared_format_is_used() -> None:
    assert read(["31/01/2024", "01/02/2024"], at={"date": "%d/%m/%Y"}).times.tolist() == [19_753, 19_754]


def test_numbers_are_times_too() -> None:
    timeline = read(["2019", "2020.5"])
    assert not timeline.is_date
    assert timeline.times.tolist() == [2019, 2020.5]
    assert timeline.text(timeline.read("2020")) == "2020"


def test_moments_of_parquet_files_keep_their_zone() -> None:
    cells = pd.to_datetime(["2024-01-01 01:00"]).tz_localize("Europe/Berlin")
    assert read(list(cells)).times.tolist() == [19_723]


@pytest.mark.parametrize("text", ["2024-01-31", "2024-01-31 12:30:00", "1969-12-31"])
def test_a_cut_off_is_written_as_it_was_read(text: str) -> None:
    timeline = read(["2024-01-01"])
    assert timeline.text(timeline.read(text)) == text


def test_unreadable_and_missing_times_are_reported_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        read(["2024-01-01", "soon", "", None])
    text = str(caught.value)
    assert "data.time: 1 cells of 'at' are no date or number, first 'soon' in a.csv row 3" in text
    assert "columns: {at: {date:" in text
    assert "2 rows have no 'at', so they are neither before nor after the others: a.csv row 4, a.csv row 5" in text


def test_rows_that_are_not_dealt_need_no_time() -> None:
    assert np.isnan(read(["2024-01-01", None], needed=False).times[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-1-1", False),
        ("2024-02-30", False),
        ("20240101", False),
        ("2024-01-01T10:00Z", True),
        ("d/2024.csv", False),
    ],
)
def test_a_file_is_no_date(text: str, expected: bool) -> None:
    assert is_date(text) is expected
