"""Strata: classes, combinations of labels and bins of quantities."""

import numpy as np
import pandas as pd
import pytest

from mlproj.data.units import label_strata


def test_classes_are_strata_whatever_they_are_stored_as() -> None:
    text, number = pd.DataFrame({"y": ["1", "0", "1.0", None]}), pd.DataFrame({"y": [1.0, 0.0, 1.0, np.nan]})
    expected = [1, 0, 1, -1]
    assert label_strata(text, ["y"], regression=False).tolist() == expected
    assert label_strata(number, ["y"], regression=False).tolist() == expected


def test_combinations_of_several_labels_are_strata_and_rare_ones_are_pooled() -> None:
    frame = pd.DataFrame({"a": ["1"] * 20 + ["0"] * 20 + ["", "1", None], "b": ["0"] * 20 + ["1"] * 20 + ["1", "", ""]})
    strata = label_strata(frame, ["a", "b"], regression=False)
    assert len(set(strata[:40].tolist())) == 2
    assert strata[40] == strata[41] not in strata[:40]
    assert strata[42] == -1


@pytest.mark.parametrize(("n", "n_bins"), [(1000, 10), (50, 5), (15, 1)])
def test_quantities_are_dealt_in_bins_of_equal_counts(n: int, n_bins: int) -> None:
    values = np.random.default_rng(0).lognormal(size=n)
    strata = label_strata(pd.DataFrame({"y": values}), ["y"], regression=True)
    counts = np.bincount(strata)
    assert len(counts) == n_bins
    assert counts.max() - counts.min() <= 1
    assert (np.diff(strata[np.argsort(values)]) >= 0).all()


def test_a_quantity_that_is_mostly_zero_makes_fewer_bins() -> None:
    strata = label_strata(pd.DataFrame({"y": [0.0] * 80 + list(range(20))}), ["y"], regression=True)
    assert set(strata[:80].tolist()) == {strata[0]}


def test_thousands_of_classes_are_pooled() -> None:
    strata = label_strata(pd.DataFrame({"y": [f"c{i}" for i in range(3000)]}), ["y"], regression=False)
    assert len(set(strata.tolist())) == 501


def test_without_stratification_labelled_rows_are_alike() -> None:
    strata = label_strata(pd.DataFrame({"y": ["a", None, "b"]}), ["y"], regression=False, stratify=False)
    assert strata.tolist() == [0, -1, 0]
