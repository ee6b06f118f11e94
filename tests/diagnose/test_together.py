"""Columns that say the same: association against SciPy, and groups."""

import numpy as np
import pytest

from mlproj.diagnose.together import Cells, associate, group_columns, rank


def test_ranks_are_those_of_scipy(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(seed).integers(0, 9, 50).astype(float)
    assert rank(values).tolist() == (stats.rankdata(values) - 1).tolist()


def test_two_numbers_are_associated_by_spearman(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(seed)
    a = rng.normal(size=300)
    b = np.exp(-a) + rng.normal(size=300)
    assert associate([Cells(a), Cells(b)])[0, 1] == pytest.approx(abs(stats.spearmanr(a, b).statistic))


def test_chance_is_no_association_and_a_copy_is_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 30, 2000)
    other, number = rng.integers(0, 30, 2000), rng.normal(size=2000)
    found = associate(
        [Cells(codes, ordered=False), Cells(other, ordered=False), Cells(number), Cells(29 - codes, ordered=False)]
    )
    assert found[0, 1] < 0.1
    assert found[0, 2] < 0.1
    assert found[0, 3] == pytest.approx(1.0)
    assert associate([Cells(codes, ordered=False), Cells(codes.astype(float) % 3)])[0, 1] == pytest.approx(1.0)


def test_missing_cells_constant_columns_and_texts_do_no_harm() -> None:
    values = np.array([1.0, np.nan, 3.0, 4.0] * 20)
    columns = {
        "a": Cells(values),
        "flat": Cells(np.ones(80)),
        "empty": Cells(np.full(80, np.nan)),
        "note": None,
        "b": Cells(values * 2),
    }
    assert group_columns(columns, 0.8) == [("a", "b"), ("flat",), ("empty",), ("note",)]
    assert group_columns(columns, 1.0) == [("a",), ("flat",), ("empty",), ("note",), ("b",)]
