"""Columns of Arrow made without pandas equal those that `pyarrow.array` makes."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.records.arrow import to_arrow

ARRAYS = {
    "texts": np.array(["oak", "", "Eiche ä", "木", "a\nb"]),
    "no texts": np.array([], dtype=np.str_),
    "float64": np.array([0.5, np.nan, -np.inf]),
    "float32": np.array([0.5, 1e-30], dtype=np.float32),
    "whole numbers": np.array([-3, 2**40]),
    "small numbers": np.array([1, 255], dtype=np.uint8),
    "every other one": np.arange(10.0)[::2],
    "truths": np.array([True, False]),
    "objects": np.array(["a", None], dtype=object),
    "days": np.array(["2026-01-01", "NaT"], dtype="datetime64[ns]"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_columns_equal_those_of_pyarrow(name: str) -> None:
    found = to_arrow(ARRAYS[name])
    found.validate(full=True)
    assert found.type == pa.array(ARRAYS[name]).type
    assert str(found.to_pylist()) == str(pa.array(ARRAYS[name]).to_pylist())


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.booleans())))
def test_missing_texts_are_those_that_were_named(cells: list[tuple[str, bool]]) -> None:
    texts = np.array([text for text, _ in cells], dtype=np.str_)
    found = to_arrow(texts, np.array([is_missing for _, is_missing in cells], dtype=bool))
    found.validate(full=True)
    assert found.to_pylist() == [None if is_missing else text for text, is_missing in cells]


def test_missing_numbers_are_those_that_were_named() -> None:
    values = np.arange(20.0)
    missing = values % 3 == 0
    assert to_arrow(values, missing).equals(pa.array(values, mask=missing))


def test_writing_predictions_imports_no_pandas() -> None:
    code = (
        "import sys, numpy as np; from mlproj.records.arrow import to_arrow; "
        "to_arrow(np.array(['a'])), to_arrow(np.ones(2), np.array([True, False])); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
