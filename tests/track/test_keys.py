"""Names and values that MLflow accepts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils import validation

from mlproj.track.keys import LONGEST_PARAM, clean_key, clean_params, clip


@given(st.text(max_size=400))
def test_every_name_becomes_one_that_mlflow_accepts(name: str) -> None:
    rules: Any = validation
    rules._validate_metric_name(clean_key(name))
    rules._validate_param(clean_key(name), "1")


@given(st.lists(st.text(alphabet="a,@._/ é", max_size=8), unique=True, max_size=20))
def test_different_names_stay_different(names: list[str]) -> None:
    assert len({clean_key(name) for name in names}) == len(names)


@given(st.from_regex(r"[a-z]{1,8}(\.[a-z_]{1,8}){0,3}", fullmatch=True))
def test_dotted_paths_stay_as_they_are(path: str) -> None:
    assert clean_key(path) == path


def test_a_long_value_is_cut_and_says_so() -> None:
    kept = clean_params({"data.columns": "x" * 7000})["data.columns"]
    assert len(kept) <= LONGEST_PARAM
    assert kept.endswith("… (7,000 characters)")
    assert clip("short", 10) == "short"
