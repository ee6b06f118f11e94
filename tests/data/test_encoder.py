"""Raw rows become inputs by what was learned on train: N examples, F inputs."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlproj.data.columns import Column
from mlproj.data.encoder import MAX_CATEGORIES, MAX_STANDARD, Encoder, warn_encoder
from mlproj.data.guess import infer_columns
from mlproj.errors import InvalidInput
from mlproj.spec.data import Data
from mlproj.spec.project import Project

PROJECT = Project(name="p", data=Data(source="a.csv", label="y"))


def texts(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in columns.items()})


def fit(frame: pd.DataFrame) -> Encoder:
    return Encoder.fit(frame, infer_columns(frame, PROJECT))


MIXED = texts(
    age=["31", "", "7", "12", "90", "45"],
    colour=["red", "blue", "red", "", "blue", "green"],
    vip=["yes", "no", "", "yes", "no", "no"],
    day=["2024-01-31", "2024-06-30", "", "2023-12-24", "2024-03-01", "2024-02-29"],
    zip=["007", "007", "120", "120", "042", "042"],
)


def test_numbers_are_standardised_as_by_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, new = (pd.DataFrame(rng.lognormal(3, 2, (50, 4)), columns=list("abcd")) for _ in range(2))
    train["constant"], new["constant"] = 0.1, 3.0
    scaler = StandardScaler().fit(train)
    encoder = fit(train)
    np.testing.assert_allclose(encoder.encode(train), scaler.transform(train), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(encoder.encode(new), scaler.transform(new), rtol=1e-5, atol=1e-6)


def test_mean_and_deviation_are_those_of_train_and_of_nothing_else() -> None:
    encoder = fit(texts(x=["1", "3"]))
    assert encoder.encode(texts(x=["2", "1", "1000"])).ravel().tolist() == [0.0, -1.0, 998.0]


def test_categories_get_an_input_each_as_by_scikit_learn() -> None:
    cells = ["red", "blue", "red", "blue", "green", "green"]
    oracle = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(np.array(cells)[:, None])
    new = ["green", "violet", "red"]
    encoder = fit(texts(colour=cells))
    assert encoder.names == ("colour=blue", "colour=green", "colour=red")
    np.testing.assert_array_equal(encoder.encode(texts(colour=new)), oracle.transform(np.array(new)[:, None]))


def test_a_category_seen_once_and_an_unseen_one_share_a_bucket() -> None:
    encoder = fit(texts(c=["a", "a", "b", "b", "once"]))
    assert encoder.names == ("c=a", "c=b", "c=(other)")
    assert encoder.encode(texts(c=["once", "new", "b"])).tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0]]


def test_many_categories_keep_the_most_frequent_ones() -> None:
    cells = [f"c{i}" for i in range(150) for _ in range(2)] + [f"c{i}" for i in range(50, 150)]
    frame = texts(c=cells)
    columns = infer_columns(frame, PROJECT)
    encoder = Encoder.fit(frame, columns)
    assert encoder.columns[0].categories == tuple(sorted(f"c{i}" for i in range(50, 150)))
    assert len(encoder.names) == MAX_CATEGORIES + 1
    assert warn_encoder(encoder, columns) == [
        "Column 'c' has 150 categories: the 100 most frequent get an input each, the others one together."
    ]


def test_missing_and_infinite_numbers_become_the_mean_and_are_marked_if_train_had_some() -> None:
    with_gap, without = fit(texts(x=["1", "3", "", "inf"])), fit(texts(x=["1", "3"]))
    assert with_gap.names == ("x", "x=(missing)")
    assert with_gap.encode(texts(x=["", "-inf", "3"])).tolist() == [[0, 1], [0, 1], [1, 0]]
    assert without.encode(texts(x=["", "inf", "3"])).tolist() == [[0], [0], [1]]


def test_booleans_are_zero_and_one() -> None:
    encoder = fit(texts(b=["yes", "no", "yes", "yes"]))
    assert encoder.encode(texts(b=["No", "TRUE", "1", ""])).ravel().tolist() == [0.0, 1.0, 1.0, 0.75]


def test_dates_are_days_and_places_on_circles_where_they_vary() -> None:
    encoder = fit(texts(d=["2024-01-01", "2024-01-08", "2024-01-15"]))
    assert encoder.names == ("d",)
    encoder = fit(texts(d=["2024-01-01T06:00", "2024-03-05T18:00", "2024-09-30T00:00"]))
    waves = [f"d {cycle} {wave}" for cycle in ("year", "week", "day") for wave in ("sine", "cosine")]
    assert encoder.names == ("d", *waves)
    row = dict(zip(encoder.names, encoder.encode(texts(d=["2024-05-01T06:00"]))[0], strict=True))
    assert row["d day sine"] == pytest.approx(1)
    assert row["d day cosine"] == pytest.approx(0, abs=1e-6)


def test_a_date_format_is_stored_with_the_encoder() -> None:
    frame = texts(d=["31/01/2024", "01/03/2024"])
    encoder = Encoder.fit(frame, [Column("d", "date", 0, 2, False, "%d/%m/%Y")])
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    np.testing.assert_array_equal(again.encode(frame), encoder.encode(frame))


def test_an_encoder_comes_back_from_json_equal() -> None:
    encoder = fit(MIXED)
    assert Encoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder


def test_a_later_version_of_the_stored_form_is_refused() -> None:
    with pytest.raises(InvalidInput, match="version 99"):
        Encoder.from_json({"version": 99, "columns": []})


def test_a_table_is_taken_in_whatever_form_it_comes() -> None:
    encoder = fit(MIXED)
    typed = pd.DataFrame(
        {
            "zip": MIXED["zip"].astype("category"),
            "extra": 1,
            "day": pd.to_datetime(MIXED["day"]),
            "vip": pd.Series([True, False, None, True, False, False], dtype=object),
            "colour": MIXED["colour"].astype(object).where(MIXED["colour"] != "", None),
            "age": pd.Series([31, None, 7, 12, 90, 45], dtype="Int64"),
        }
    ).set_axis(range(100, 106))
    np.testing.assert_array_equal(encoder.encode(typed), encoder.encode(MIXED))


@given(rows=st.lists(st.integers(0, len(MIXED) - 1), max_size=12))
def test_encoding_some_rows_equals_some_rows_of_the_encoding(rows: list[int]) -> None:
    encoder = fit(MIXED)
    x = encoder.encode(MIXED.iloc[rows])
    assert x.shape == (len(rows), len(encoder.names))
    np.testing.assert_array_equal(x, encoder.encode(MIXED)[rows])


@given(
    values=st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=20),
    new=st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=20),
)
def test_inputs_are_finite_whatever_the_numbers_are(values: list[Any], new: list[Any]) -> None:
    encoder = Encoder.fit(pd.DataFrame({"x": pd.Series(values, dtype=float)}), [Column("x", "number", 0, 1, True)])
    x = encoder.encode(pd.DataFrame({"x": pd.Series(new, dtype=float)}))
    assert np.isfinite(x).all()
    assert np.abs(x).max() <= MAX_STANDARD


def test_train_rows_have_mean_zero_and_deviation_one_even_near_the_ends_of_float64() -> None:
    for scale in (1e-300, 1.0, 1e300):
        frame = pd.DataFrame({"x": np.array([1.0, 2.0, 6.0]) * scale})
        x = fit(frame).encode(frame)
        assert x.mean() == pytest.approx(0, abs=1e-6)
        assert x.std() == pytest.approx(1)


@pytest.mark.parametrize(
    ("frame", "fragments"),
    [
        (texts(colour=["red"], vip=["yes"], day=["2024-01-01"], zip=["007"]), ["column 'age'", "is missing"]),
        (texts(ages=["1"]), ["column 'age'", "Did you mean `ages`?", "column 'colour'", "column 'zip'"]),
        (MIXED.assign(age="old"), ["column 'age'", "row 1 holds 'old'", "no number", "6 such rows"]),
        (MIXED.assign(vip="perhaps", day="soon"), ["column 'vip'", "'perhaps'", "column 'day'", "'soon'"]),
        (pd.concat([MIXED, MIXED[["age"]]], axis=1), ["column 'age'", "more than once"]),
    ],
)
def test_a_table_that_cannot_be_encoded_names_every_column(frame: pd.DataFrame, fragments: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        fit(MIXED).encode(frame)
    assert all(fragment in str(caught.value) for fragment in fragments), str(caught.value)


def test_an_empty_table_has_no_rows_of_inputs() -> None:
    encoder = fit(MIXED)
    assert encoder.encode(MIXED.iloc[:0]).shape == (0, len(encoder.names))


def test_only_features_that_say_something_are_encoded() -> None:
    frame = texts(a=["1", "2"], empty=["", ""], y=["yes", "no"], note=["x", "z"])
    project = Project(name="p", data=Data(source="a.csv", label="y", columns={"note": "ignore"}))
    assert Encoder.fit(frame, infer_columns(frame, project)).names == ("a",)
