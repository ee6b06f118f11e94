"""What a reason can win: known answers, limits that hold what they promise, and verdicts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews import make_sheet, row, tagged

from mlproj.error_analysis import Manifest, Sheet, Stratum
from mlproj.error_analysis.ceilings import (
    Evidence,
    ceilings,
    difference,
    gather_errors,
    p_first,
    product,
    unions,
    unseen,
)
from mlproj.error_analysis.merge import merge
from mlproj.metrics.intervals import wilson
from mlproj.metrics.paired import mid_p


def evidence_of(sheet: Sheet) -> Evidence:
    return gather_errors(sheet.manifest, merge(sheet)[0], sheet.tags)


@pytest.mark.parametrize(("dogs", "at_best"), [(5, 0.095), (50, 0.05)])
def test_curing_the_dogs_wins_their_share_of_the_error(dogs: int, at_best: float) -> None:
    (dog,) = ceilings(evidence_of(make_sheet(tagged(100, {"dog": dogs}), error=0.10, tags=("dog",))))
    assert (dog["count"], dog["share"]) == (dogs, dogs / 100)
    assert dog["error_if_fixed"] == pytest.approx(at_best)
    assert dog["ceiling"] == pytest.approx(0.10 - at_best)


def test_where_every_error_was_looked_at_a_ceiling_is_a_count_of_dev() -> None:
    sheet = make_sheet(tagged(100, {"dog": 8}), tags=("dog",), strata={"error": 100})
    (dog,) = ceilings(evidence_of(sheet))
    assert (dog["low"], dog["high"]) == wilson(8 / 1000, 1000)
    assert (dog["share_low"], dog["share_high"]) == (0.08, 0.08)


def test_shares_are_known_better_the_more_of_the_errors_were_looked_at() -> None:
    widths = []
    for population in (10_000, 200, 110):
        (dog,) = ceilings(evidence_of(make_sheet(tagged(100, {"dog": 8}), tags=("dog",), strata={"error": population})))
        widths.append(dog["share_high"] - dog["share_low"])
    assert widths[0] > widths[1] > widths[2] > 0
    assert widths[0] == pytest.approx(wilson(0.08, 100)[1] - wilson(0.08, 100)[0], rel=0.01)


def test_all_errors_of_the_eyeball_half_are_a_sample_of_those_of_dev() -> None:
    sheet = make_sheet(tagged(50, {"dog": 5}), tags=("dog",), strata={"error": 50}, half="eyeball", error=0.1)
    (dog,) = ceilings(evidence_of(sheet))
    assert evidence_of(sheet).n_errors == 100
    assert dog["share_low"] < 0.1 < dog["share_high"]
    assert dog["method"].startswith("Wilson for share and error")


def test_suspects_do_not_say_how_many_errors_there_are() -> None:
    rows = [row(i, "dog", stratum="suspect") for i in range(9)]
    sheet = make_sheet(rows, design="suspects", tags=("dog",), strata={"suspect": 9})
    assert math.isnan(evidence_of(sheet).n_errors)
    assert not evidence_of(sheet).is_complete


def test_an_example_that_counts_ten_times_counts_ten_times_in_a_ceiling() -> None:
    sheet = make_sheet([row(0, "film", weight=10), *(row(i) for i in range(1, 11))], tags=("film",), error=0.2)
    (film,) = ceilings(evidence_of(sheet))
    assert film["share"] == pytest.approx(0.5)
    assert film["error_if_fixed"] == pytest.approx(0.1)


def test_losses_of_strata_are_weighed_by_how_they_were_drawn() -> None:
    rows = [row(i, "far", stratum="largest", loss=9.0) for i in range(2)]
    rows += [row(i + 2, *(["far"] if i == 0 else []), stratum="other") for i in range(4)]
    sheet = make_sheet(rows, tags=("far",), strata={"largest": 2, "other": 40}, metric="mse", error=4.0)
    (far,) = ceilings(evidence_of(sheet))
    assert far["share"] == pytest.approx((2 * 9 + 10) / (2 * 9 + 40))
    assert far["error_if_fixed"] == pytest.approx(math.sqrt(4.0 * (1 - far["share"])))


def test_tags_that_overlap_are_never_added() -> None:
    rows = [row(i, "dog", "blurry") for i in range(30)] + [row(i, "dark") for i in range(30, 40)]
    rows += [row(i) for i in range(40, 100)]
    found = unions(evidence_of(make_sheet(rows, tags=("dog", "blurry", "dark"))))
    assert [step["tags"] for step in found] == [["dog"], ["dog", "dark"]]
    assert [step["share"] for step in found] == pytest.approx([0.3, 0.4])


@given(st.lists(st.frozensets(st.sampled_from("abc")), min_size=1, max_size=30))
def test_a_union_is_worth_at_least_its_largest_tag_and_at_most_the_error(patterns: list[frozenset[str]]) -> None:
    sheet = make_sheet([row(i, *tags) for i, tags in enumerate(patterns)], tags=("a", "b", "c"))
    evidence = evidence_of(sheet)
    tags, together = ceilings(evidence), unions(evidence)
    if together:
        assert together[0]["ceiling"] == pytest.approx(tags[0]["ceiling"])
        assert together[-1]["share"] == pytest.approx(sum(bool(tags) for tags in patterns) / len(patterns))


def test_the_tag_with_most_errors_is_probably_first_and_ties_are_shared() -> None:
    clear = p_first(evidence_of(make_sheet(tagged(100, {"dog": 43, "blurry": 8}), tags=("dog", "blurry"))))
    tie = p_first(evidence_of(make_sheet(tagged(100, {"dog": 20, "cat": 20}), tags=("dog", "cat", "none"))))
    assert clear[0] > 0.999
    assert tie == pytest.approx([0.5, 0.5, 0.0], abs=0.03)  # 4,000 draws: three standard errors are 0.024


def test_a_single_error_makes_no_tag_certain() -> None:
    first, second = p_first(evidence_of(make_sheet(tagged(1, {"dog": 1}), tags=("dog", "cat"))))
    assert 0.7 < first < 0.9
    assert first + second == pytest.approx(1)


def test_one_tag_is_larger_by_the_errors_that_have_only_one_of_them() -> None:
    rows = [row(i, "dog", "blurry") for i in range(20)] + [row(i, "dog") for i in range(20, 28)]
    rows += [row(i, "blurry") for i in range(28, 30)] + [row(i) for i in range(30, 100)]
    found = difference(evidence_of(make_sheet(rows, tags=("dog", "blurry"))), "dog", "blurry")
    assert (found["only_first"], found["only_second"]) == (8, 2)
    assert found["p"] == pytest.approx(mid_p(8, 2)) == pytest.approx(2 * (11 + 45 / 2) / 1024)
    assert found["more"] == pytest.approx(114, abs=5)


def test_as_many_more_errors_as_it_says_tell_two_tags_apart_four_times_of_five(seed: int) -> None:
    rng, share, n = np.random.default_rng(seed), (0.20, 0.12), 100
    rows = [row(i, *(["a"] if i < 20 else ["b"] if i < 32 else [])) for i in range(n)]
    more = difference(evidence_of(make_sheet(rows, tags=("a", "b"))), "a", "b")["more"]
    draws = rng.multinomial(n + more, [*share, 1 - sum(share)], size=2000)
    seen = np.mean([mid_p(int(a), int(b)) < 0.05 and a > b for a, b, _ in draws])
    assert seen == pytest.approx(0.8, abs=0.05)


def test_errors_that_count_more_decide_which_tag_is_larger() -> None:
    rows = [row(i, "old", weight=30) for i in range(10)] + [row(i, "new") for i in range(10, 30)]
    found = difference(evidence_of(make_sheet(rows, tags=("old", "new"))), "old", "new")
    assert (found["only_first"], found["only_second"]) == (10, 20)
    assert found["p"] < 0.01


def test_few_tags_are_missing_when_hardly_any_was_seen_once_only() -> None:
    once = unseen(evidence_of(make_sheet(tagged(20, {"a": 1, "b": 1, "c": 9}), tags=("a", "b", "c"))))
    assert (once["mass"], once["enough"], once["more"]) == (0.1, False, 21)
    assert once["untagged"] == pytest.approx(11 / 20)
    assert unseen(evidence_of(make_sheet(tagged(100, {"a": 1, "b": 30}), tags=("a", "b"))))["enough"]


def test_nothing_is_said_of_a_sheet_without_errors() -> None:
    evidence = evidence_of(make_sheet([row(0, stratum="correct")], tags=("dog",)))
    assert ceilings(evidence) == []
    assert unions(evidence) == []
    assert p_first(evidence) == [0.0]
    assert unseen(evidence)["mass"] is None


@pytest.mark.parametrize("reviewed", [30, 100, None])
@pytest.mark.parametrize("error", [0.05, 0.3])
@pytest.mark.parametrize("share", [0.03, 0.2, 0.9])
def test_the_limits_of_a_ceiling_hold_the_truth(share: float, error: float, reviewed: int | None, seed: int) -> None:
    """At least .93 of the time from 1,000 examples of dev and 50 errors on; .01 for 4,000 draws."""
    rng, n = np.random.default_rng(seed), 1000
    errors = rng.binomial(n, error, 4000)
    looked_at = errors if reviewed is None else np.minimum(errors, reviewed)
    held = rng.binomial(looked_at, share)
    low, high = _limits(held, looked_at, errors, n, complete=reviewed is None)
    covered = float(np.mean((low <= share * error) & (share * error <= high)))
    assert covered >= 0.93 - 0.01


def _limits(held: np.ndarray, looked_at: np.ndarray, errors: np.ndarray, n: int, *, complete: bool) -> np.ndarray:
    """What `ceilings` says, once per different count."""
    cases, place = np.unique(np.stack([held, looked_at, errors]), axis=1, return_inverse=True)
    known = []
    for x, m, k in cases.T.tolist():
        if complete or m == k:
            known.append(wilson(x / n, n))
        else:
            known.append(product(x / m, wilson(x / m, m), k / n, wilson(k / n, n)))
    return np.array(known).T[:, place.ravel()]


def test_the_simulated_limits_are_those_of_ceilings() -> None:
    (dog,) = ceilings(evidence_of(make_sheet(tagged(30, {"dog": 4}), tags=("dog",), strata={"error": 80}, error=0.08)))
    low, high = _limits(np.array([4]), np.array([30]), np.array([80]), 1000, complete=False)
    assert (dog["low"], dog["high"]) == (pytest.approx(low[0]), pytest.approx(high[0]))


def test_the_limits_of_a_weighted_share_of_losses_hold_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    manifest = Manifest(
        "s", "", "", "dev", "errors", "all", "regression", "", (), 1000, 2.0, {"other": Stratum(1000, 100)},
        metric="mse",
    )  # fmt: skip
    covered = []
    for _ in range(150):
        tag = rng.random(1000) < 0.3
        loss = rng.standard_normal(1000) ** 2 * np.where(tag, 2, 1)
        at_top = np.argsort(-loss)
        drawn = np.concatenate([at_top[:50], rng.permutation(at_top[50:])[:50]])
        mass = loss[drawn] * np.repeat([1, 19], 50)
        (found,) = ceilings(Evidence(("t",), tag[drawn, None].astype(float), mass, math.nan, manifest))
        covered.append(found["share_low"] <= loss[tag].sum() / loss.sum() <= found["share_high"])
    assert np.mean(covered) >= 0.90
