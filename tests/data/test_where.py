"""`where` expressions keep the rows for which they are true, whatever form the cells have."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.data.where import evaluate_where

TABLE = pd.DataFrame(
    {
        "age": ["31", "7", "", "40.0"],
        "kind": ["adult", "child", None, "senior "],
        "vip": ["yes", "No", "", "TRUE"],
        "zip": ["01234", "1234", "99999", None],
        "day": ["2024-01-01", "2024-06-30T12:00", None, "2023-12-31"],
        "n": [1, 2, 3, 4],
        "mixed": ["1", "many", "3", None],
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("age > 30", [0, 3]),
        ("30 < age", [0, 3]),
        ("age == 40", [3]),
        ("age != 7", [0, 3]),
        ("not age == 7", [0, 3]),
        ("0 <= age < 35", [0, 1]),
        ("kind == 'senior'", [3]),
        ("kind in ['adult', 'child']", [0, 1]),
        ("kind not in ('adult',)", [1, 3]),
        ("kind < 'child'", [0]),
        ("kind >= 'child'", [1, 3]),
        ("kind in []", []),
        ("kind == None", [2]),
        ("kind != None", [0, 1, 3]),
        ("kind == ''", [2]),
        ("kind in ['adult', None]", [0, 2]),
        ("vip", [0, 3]),
        ("not vip", [1]),
        ("vip == True", [0, 3]),
        ("vip == False", [1]),
        ("zip == '01234'", [0]),
        ("zip == 1234", [0, 1]),
        ("zip < '2000'", [0, 1]),
        ("day >= '2024-01-01'", [0, 1]),
        ("day == '2024-01-01'", [0]),
        ("n >= 3", [2, 3]),
        ("n == '2'", [1]),
        ("n > '2'", [2, 3]),
        ("n == 'two'", []),
        ("mixed > 1", [2]),
        ("mixed == 1", [0]),
        ("mixed != 1", [1, 2]),
        ("age > 30 and vip", [0, 3]),
        ("age > 30 or kind == 'child'", [0, 1, 3]),
        ("age > 100 or n == 3", [2]),
        ("not (age > 30 and vip)", [1]),
        ("kind > 'b'", [1, 3]),
    ],
)
def test_an_expression_keeps_these_rows(text: str, rows: list[int]) -> None:
    assert np.flatnonzero(evaluate_where(text, TABLE)).tolist() == rows


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("ag > 30", ["no column 'ag'", "Did you mean `age`?"]),
        ("kind > 3", ["'kind'", "holds no numbers", "'adult'"]),
        ("kind", ["'kind'", "'adult'", "compare it with a value"]),
        ("age == True", ["'age'", "holds no truths", "'31'"]),
    ],
)
def test_what_cannot_be_compared_says_why(text: str, fragments: list[str]) -> None:
    with pytest.raises(ValueError, match="column") as caught:
        evaluate_where(text, TABLE)
    assert all(fragment in str(caught.value) for fragment in fragments)


@given(
    values=st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=30),
    sign=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    limit=st.integers(-5, 5),
    as_text=st.booleans(),
)
def test_a_comparison_of_numbers_is_pythons_where_cells_are_present(
    values: list[Any], sign: str, limit: int, as_text: bool
) -> None:
    cells = [None if value is None else str(value) for value in values] if as_text else values
    frame = pd.DataFrame({"x": pd.Series(cells, dtype="str" if as_text else "Int64")})
    compare = {"==": int.__eq__, "!=": int.__ne__, "<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__}
    wanted = [value is not None and compare[sign](value, limit) for value in values]
    assert evaluate_where(f"x {sign} {limit}", frame).tolist() == wanted


@given(values=st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=20))
def test_a_row_is_kept_by_an_expression_or_its_contrary_or_is_missing(values: list[Any]) -> None:
    frame = pd.DataFrame({"x": pd.Series(values, dtype="str")})
    kept, dropped = evaluate_where("x == 'a'", frame), evaluate_where("not x == 'a'", frame)
    assert not (kept & dropped).any()
    assert (kept | dropped | frame["x"].isna().to_numpy()).all()
