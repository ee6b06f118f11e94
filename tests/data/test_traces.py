"""Traces of the answer in a table: each sign found where it is planted, and none in an honest one."""

import numpy as np
import pandas as pd
import pytest

from mlproj.data.columns import Column, Type
from mlproj.data.leaks import explain_alone
from mlproj.data.traces import find_traces

N = 400


def kinds(
    frame: pd.DataFrame,
    y: np.ndarray,
    types: dict[str, Type],
    *,
    classes: tuple[str, ...] = ("no", "yes"),
    label: str = "churned",
) -> dict[str, list[str]]:
    gone = {name: int((frame[name].isna() | (frame[name] == "")).sum()) for name in frame.columns}
    columns = tuple(
        Column(name, types.get(name, "number"), gone[name], frame[name].nunique(), guessed=True) for name in gone
    )
    found: dict[str, list[str]] = {}
    for suspect in find_traces(frame, columns, label, y.astype(float), classes=classes):
        found.setdefault(suspect.column, []).append(suspect.kind)
        assert suspect.n == len(y) or suspect.kind == "id"
        assert suspect.method
        assert suspect.evidence
    return found


@pytest.fixture
def y(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, N)


def test_an_honest_table_has_no_suspects(y: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed + 1)
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=N) + y,
            "colour": rng.choice(["r", "b"], N),
            "hole": np.where(rng.random(N) < 0.3, np.nan, 1.0 * y + rng.normal(size=N)),
        }
    )
    assert kinds(frame, y, {"colour": "category"}) == {}


def test_each_sign_is_found(y: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed + 1)
    frame = pd.DataFrame(
        {
            "reason": np.where(y == 1, rng.choice(["price", "moved"], N), ""),
            "called": np.where(rng.random(N) < np.where(y == 1, 0.9, 0.1), 1.0 * rng.integers(0, 50, N), np.nan),
            "churned_flag": np.where(rng.random(N) < 0.9, y, 1 - y),
            "number": rng.permutation(N) + 1000,
        }
    )
    found = kinds(frame, y, {"reason": "category"})
    assert found == {
        "reason": ["determines", "missing"],
        "called": ["missing"],
        "churned_flag": ["name"],
        "number": ["id"],
    }


def test_rows_sorted_by_the_label_make_their_number_a_suspect(y: np.ndarray) -> None:
    ordered = np.sort(y)
    frame = pd.DataFrame({"row": np.arange(N) + np.where(np.arange(N) % 2, 0.25, 0.0)})
    assert "order" in kinds(frame, ordered, {})["row"]
    assert "order" not in kinds(frame, y, {}).get("row", [])


def test_a_date_that_tells_the_label_asks_for_a_cut_in_time(y: np.ndarray) -> None:
    frame = pd.DataFrame({"day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N), "D")})
    late = (np.arange(N) > N / 2) ^ (np.random.default_rng(0).random(N) < 0.1)
    assert "time" in kinds(frame, late.astype(int), {"day": "date"})["day"]


def test_quantities_are_told_by_missing_cells_and_by_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    price = np.sort(rng.normal(size=N))
    frame = pd.DataFrame({"row": np.arange(float(N)), "sold": np.where(price > 0, "x", "")})
    found = kinds(frame, price, {"sold": "category"}, classes=(), label="price")
    assert "order" in found["row"]
    assert found["sold"] == ["missing"]


def test_what_a_column_explains_alone_is_honest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=4000)
    y = x + rng.normal(size=4000)
    frame = pd.DataFrame({"x": x, "noise": rng.normal(size=4000), "id": np.arange(4000).astype(str)})
    columns = (
        Column("x", "number", 0, 4000, True),
        Column("noise", "number", 0, 4000, True),
        Column("id", "category", 0, 4000, True),
    )
    alone, n = explain_alone(frame, columns, y, regression=True)
    assert n == 4000
    assert alone["x"] == pytest.approx(0.5, abs=0.05)
    assert alone["noise"] == alone["id"] == 0.0
    classes, _ = explain_alone(frame, columns, (x > 0).astype(float), regression=False)
    assert classes["x"] > 0.95


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_rows_prove_nothing(n: int) -> None:
    assert kinds(pd.DataFrame({"a": np.arange(float(n))}), np.arange(n) % 2, {}) == {}
