"""What wrong labels do to the error: known answers, the trap of the right answers, and limits that hold."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reviews import make_sheet, row

from mlproj.error_analysis import Sheet
from mlproj.error_analysis.audit import add, audit, upper_limit
from mlproj.error_analysis.merge import merge


def audit_of(sheet: Sheet) -> dict[str, Any]:
    return audit(sheet.manifest, merge(sheet)[0])


def errors(n: int, wrong: int) -> list[Any]:
    return [row(i, label="wrong" if i < wrong else "ok", corrected="yes" if i < wrong else "") for i in range(n)]


def right(n: int, wrong: int) -> list[Any]:
    return [row(f"c{i}", label="wrong" if i < wrong else "ok", stratum="correct") for i in range(n)]


@pytest.mark.parametrize(
    ("error", "wrong", "labels", "other", "fix"),
    [(0.10, 6, 0.006, 0.094, False), (0.02, 30, 0.006, 0.014, True)],
)
def test_six_of_a_hundred_wrong_labels_are_left_and_thirty_are_mended(
    error: float, wrong: int, labels: float, other: float, fix: bool
) -> None:
    found = audit_of(make_sheet(errors(100, wrong), error=error))
    assert (found["wrong"], found["n"], found["fix"]) == (wrong, 100, fix)
    assert found["error_due_to_labels"] == pytest.approx(labels)
    assert found["error_due_to_other_causes"] == pytest.approx(other)


@pytest.mark.parametrize(("wrong", "fix"), [(14, False), (15, False), (16, True)])
def test_labels_are_mended_once_their_share_is_surely_above_a_tenth(wrong: int, fix: bool) -> None:
    found = audit_of(make_sheet(errors(100, wrong)))
    assert found["fix"] is fix is (found["low"] > 0.1)


@pytest.mark.parametrize(("n", "points"), [(100, 2.9), (300, 0.97), (1000, 0.29)])
def test_none_wrong_among_a_hundred_right_answers_still_allows_more_than_the_error(n: int, points: float) -> None:
    hidden = audit_of(make_sheet(errors(20, 0) + right(n, 0), error=0.02))["hidden"]
    assert 100 * hidden["at_most"] == pytest.approx(points, rel=0.02)
    assert hidden["more"] == max(293 - n, 0)


def test_the_error_against_true_labels_counts_both_kinds() -> None:
    hidden = audit_of(make_sheet(errors(100, 30) + right(200, 4), error=0.1))["hidden"]
    assert hidden["error"] == pytest.approx(0.1 * 0.7 + 0.9 * 0.02)
    assert hidden["low"] < hidden["error"] < hidden["high"]


def test_a_wrong_label_does_not_make_a_wrong_answer_right() -> None:
    rows = [row(i, label="wrong", corrected="maybe") for i in range(10)] + right(10, 0)
    assert audit_of(make_sheet(rows, error=0.1))["hidden"]["error"] == pytest.approx(0.1)


def test_limits_of_the_true_error_hold_the_truth(seed: int) -> None:
    """Two phases: 2,000 examples, of which 100 errors and 300 right answers are looked at; 600 repetitions, .02."""
    rng, covered = np.random.default_rng(seed), []
    sheet = make_sheet(errors(2, 1) + right(2, 1))
    bad, good, hid, plain = merge(sheet)[0]
    for wrong, a, b in zip(
        rng.binomial(2000, 0.1, 600), rng.binomial(100, 0.2, 600), rng.binomial(300, 0.01, 600), strict=True
    ):
        manifest = replace(sheet.manifest, n=2000, error=wrong / 2000)
        hidden = audit(manifest, [bad] * a + [good] * (100 - a) + [hid] * b + [plain] * (300 - b))["hidden"]
        covered.append(hidden["low"] <= 0.1 * 0.8 + 0.9 * 0.01 <= hidden["high"])
    assert np.mean(covered) >= 0.92


def test_a_divided_label_counts_half() -> None:
    rows = [row(1, label="wrong", who="anna"), row(1, label="ok", who="ben"), row(2, label="ok"), row(3, label="wrong")]
    assert audit_of(make_sheet(rows))["wrong"] == 1.5


def test_nothing_is_said_of_labels_that_nobody_looked_at() -> None:
    found = audit_of(make_sheet([row(1, "dog"), row(2)], tags=("dog",)))
    assert (found["n"], found["share"], found["fix"], found["rate"]) == (0, None, False, None)


def test_an_audit_of_labels_says_how_many_are_wrong() -> None:
    rows = [row(i, label="wrong" if i < 3 else "ok", stratum="label") for i in range(100)]
    found = audit_of(make_sheet(rows, design="labels", strata={"label": 5000}))
    assert found["rate"]["value"] == pytest.approx(0.03)
    assert (found["rate"]["n"], found["rate"]["of"], found["share"]) == (100, 5000, None)


def test_where_all_labels_were_looked_at_their_rate_is_known() -> None:
    rows = [row(i, label="wrong" if i < 3 else "ok", stratum="label") for i in range(100)]
    rate = audit_of(make_sheet(rows, design="labels", strata={"label": 100}))["rate"]
    assert (rate["value"], rate["low"], rate["high"]) == (0.03, 0.03, 0.03)


def test_suspects_are_weighed_by_how_they_were_drawn() -> None:
    rows = [row(i, label="wrong" if i < 20 else "ok", stratum="suspect") for i in range(40)]
    rows += [row(i, label="wrong" if i == 40 else "ok", stratum="other") for i in range(40, 50)]
    found = audit_of(make_sheet(rows, design="suspects", strata={"suspect": 40, "other": 960}))
    assert found["rate"]["value"] == pytest.approx((20 + 96) / 1000)
    assert found["share"] == pytest.approx((20 + 96) / 1000)
    assert found["hidden"] is None


def test_a_stratum_that_nobody_looked_into_leaves_the_rate_unknown() -> None:
    rows = [row(i, label="ok", stratum="suspect") for i in range(40)]
    assert audit_of(make_sheet(rows, design="suspects", strata={"suspect": 40, "other": 960}))["rate"] is None


def test_one_part_alone_keeps_its_limits() -> None:
    assert add([(0.2, 0.1, 0.35)]) == pytest.approx((0.2, 0.1, 0.35))
    assert upper_limit(5, 5) == 1.0
