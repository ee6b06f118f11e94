"""The deal by time: dev and test begin on a day, and whatever is as late is not trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlproj.data.dates import Timeline
from mlproj.data.deal import Deal, deal_splits
from mlproj.data.store import StoredDeal
from mlproj.data.units import Rows
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project

Array = NDArray[Any]


def project_of(group: str | None = None, **splits: Any) -> Project:
    data = {"source": "a.csv", "label": "y", "time": "t", "group": group}
    return Project.model_validate({"name": "p", "data": data, "splits": splits})


def deal(
    project: Project,
    time: Array,
    *,
    units: Array | None = None,
    extra: Array | None = None,
    stored: StoredDeal | None = None,
    is_date: bool = False,
) -> Deal:
    n = len(time)
    names = np.array([f"u{i}" for i in range(n)])
    target = np.ones(n, dtype=np.bool_) if extra is None else ~extra
    timeline = Timeline(time.astype(float), is_date)
    strata = np.zeros(n, dtype=np.int64)
    rows = Rows(names, names if units is None else units, strata, target, timeline)
    return deal_splits(project, rows, stored=stored)


def test_dev_and_test_are_later_than_train() -> None:
    time = np.random.default_rng(0).permutation(1000)
    dealt = deal(project_of(dev=0.2, test=100.0, train_dev=50.0), time)
    assert dealt.sizes == {"train": 650, "train_dev": 50, "dev": 200, "test": 100}
    assert time[np.isin(dealt.split, ["train", "train_dev"])].max() < time[dealt.split == "dev"].min()
    assert time[dealt.split == "dev"].max() < time[dealt.split == "test"].min()
    assert dealt.cuts == {"dev": "700", "test": "900"}
    assert dealt.distributions_differ


def test_rows_of_one_moment_stay_together() -> None:
    dealt = deal(project_of(dev=14.0, test=16.0, train_dev=0.0), np.repeat(np.arange(10), 10))
    assert dealt.sizes == {"train": 70, "dev": 10, "test": 20}
    assert "test holds 20 examples instead of 16: rows with the same t stay together." in dealt.notes


def test_one_single_moment_cannot_be_cut() -> None:
    with pytest.raises(InvalidInput, match=r"splits\.test: 4 later examples cannot be cut off: all 20 rows .* time 5"):
        deal(project_of(), np.full(20, 5))


def test_new_rows_follow_the_stored_cuts_and_old_ones_stay() -> None:
    project, time = project_of(dev=40.0, test=40.0, train_dev=0.0), np.arange(200)
    first = deal(project, time)
    later = deal(project, np.concatenate([time, [10, 130, 170, 999]]), stored=first.stored)
    assert (later.split[:200] == first.split).all()
    assert later.split[200:].tolist() == ["train", "dev", "test", "test"]


def test_new_train_rows_enter_train_dev_with_its_share() -> None:
    project, time = project_of(dev=40.0, test=40.0, train_dev=30.0), np.arange(200)
    first = deal(project, time)
    later = deal(project, np.concatenate([time, np.zeros(5000)]), stored=first.stored)
    assert (later.split[200:] == "train_dev").mean() == pytest.approx(30 / 120, abs=4 * 0.0062)  # 4 standard errors


def test_dates_cut_from_that_day_on() -> None:
    dealt = deal(project_of(dev="1970-02-20", test="1970-03-12", train_dev=0.0), np.arange(100), is_date=True)
    assert dealt.sizes == {"train": 50, "dev": 20, "test": 30}
    assert dealt.cuts == {"dev": "1970-02-20", "test": "1970-03-12"}


def test_a_date_beyond_the_data_leaves_an_empty_split() -> None:
    with pytest.raises(InvalidInput, match=r"splits\.dev: dev would hold no examples\n.*another date or size"):
        deal(project_of(dev="2030-01-01", test=0.0), np.arange(100), is_date=True)
    with pytest.raises(
        InvalidInput, match=r"splits\.dev: '2030-01-01' leaves no example from then on\n  The last one is of 1970-04-10"
    ):
        deal(project_of(dev="2030-01-01"), np.arange(100), is_date=True)


def test_a_date_cannot_cut_a_column_of_numbers() -> None:
    with pytest.raises(
        InvalidInput, match=r"splits\.dev: '2024-03-01' is a date, but `data\.time` \(t\) holds numbers"
    ):
        deal(project_of(dev="2024-03-01"), np.arange(100))


def test_an_automatic_test_set_takes_at_most_half_of_what_the_date_of_dev_leaves() -> None:
    dealt = deal(project_of(dev="1990", train_dev=0.0), 1900 + np.arange(100))
    assert dealt.sizes == {"train": 90, "dev": 5, "test": 5}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 1))
def test_with_group_and_time_the_date_decides_and_no_group_is_torn(seed: int, mixed: int) -> None:
    rng = np.random.default_rng(seed)
    units = np.array([f"g{i}" for i in rng.integers(0, 80, 300)])
    extra, time = rng.random(300) < 0.2 * mixed, rng.permutation(300)
    project = project_of("g", dev=30.0, test=30.0, train_dev=0.0)
    for dealt, n in _first_and_grown(project, time, units, extra):
        kept = dealt.split != ""
        for unit in np.unique(units[:n]):
            assert len(set(dealt.split[(units[:n] == unit) & kept].tolist())) <= 1
        of = {name: time[:n][dealt.split == name] for name in ("train", "dev", "test")}
        assert of["train"].max() < of["dev"].min()
        assert of["dev"].max() < of["test"].min()
        assert kept.all() or any("left out" in note for note in dealt.notes)


def _first_and_grown(project: Project, time: Array, units: Array, extra: Array) -> Sequence[tuple[Deal, int]]:
    first = deal(project, time[:200], units=units[:200], extra=extra[:200])
    return [(first, 200), (deal(project, time, units=units, extra=extra, stored=first.stored), 300)]


def test_train_rows_of_a_later_group_are_dropped_and_counted() -> None:
    units = np.array([f"g{i % 50}" for i in range(100)])
    units[95] = "g0"  # at 0, 50 and 95; nine other groups of test have one early row each
    dealt = deal(project_of("user", dev=0.0, test=10.0, train_dev=0.0), np.arange(100), units=units)
    assert (dealt.split[[0, 50]] == "").all()
    assert dealt.sizes["test"] == 10
    assert dealt.notes[-1].startswith("11 rows are left out: they are earlier or later than the split that their user")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"dev": 0.0}, r"each of the 90 rows from before dev and test belongs to a user .* and train would be empty"),
        ({"dev": 10.0}, r"each of the 90 rows from before test belongs to a user .* train and dev would be empty"),
    ],
)
def test_groups_that_all_appear_later_leave_nothing_to_train_on(sizes: dict[str, float], message: str) -> None:
    units = np.array([f"g{i % 5}" for i in range(100)])
    with pytest.raises(InvalidInput, match=r"data\.group: " + message + r"\n.*leave out `data\.group` or `data\.time`"):
        deal(project_of("user", test=10.0, train_dev=0.0, **sizes), np.arange(100), units=units)


def test_late_rows_of_extra_are_left_out() -> None:
    project = project_of(dev=10.0, test=10.0, train_dev=0.0)
    dealt = deal(project, np.arange(100), extra=np.arange(100) % 2 == 1)
    assert dealt.sizes == {"train": 60, "dev": 10, "test": 10}
    assert any("20 rows of `data.extra` are left out: they are as late as dev or test." in note for note in dealt.notes)


def test_a_stored_unit_stays_although_its_date_is_corrected() -> None:
    first = deal(project_of(train_dev=0.0), np.arange(100))
    later = deal(project_of(train_dev=0.0), np.arange(100)[::-1], stored=first.stored)
    assert (later.split == first.split).all()
