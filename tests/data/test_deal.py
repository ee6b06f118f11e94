"""The deal: exact and stratified at first, and stable for ever after."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest, hypergeom

from mlproj.data import units
from mlproj.data.dates import Timeline
from mlproj.data.deal import Deal, deal_splits
from mlproj.data.sizes import automatic_share
from mlproj.data.store import StoredDeal
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project

Array = NDArray[Any]


@dataclass
class Rows:
    """Rows to deal; everything but the ids may be left out."""

    ids: Array
    units: Array | None = None
    strata: Array | None = None
    extra: Array | None = None
    time: Array | None = None
    given: Array | None = None

    def select(self, rows: Array) -> "Rows":
        parts: dict[str, Any] = {name: None if cells is None else cells[rows] for name, cells in vars(self).items()}
        return Rows(**parts)


def names(n: int, prefix: str = "u") -> Array:
    return np.array([f"{prefix}{i}" for i in range(n)])


def project_of(seed: int = 0, data: dict[str, Any] | None = None, **splits: Any) -> Project:
    sections = {"data": {"source": "a.csv", "label": "y"} | (data or {}), "splits": splits}
    return Project.model_validate({"name": "p", "seed": seed} | sections)


def deal(
    rows: Rows,
    stored: StoredDeal | None = None,
    redraws: int = 0,
    project: Project | None = None,
    is_date: bool = False,
    **splits: Any,
) -> Deal:
    n = len(rows.ids)
    extra = np.zeros(n, dtype=np.bool_) if rows.extra is None else rows.extra
    table = units.Rows(
        rows.ids,
        rows.ids if rows.units is None else rows.units,
        np.zeros(n, dtype=np.int64) if rows.strata is None else rows.strata,
        ~extra,
        None if rows.time is None else Timeline(rows.time, is_date=is_date),
        rows.given,
        extra.astype(np.int64),
        ("app", "web"),
    )
    return deal_splits(project or project_of(**splits), table, stored=stored, redraws=redraws)


def by_id(dealt: Deal) -> dict[str, str]:
    return dict(zip(dealt.ids.tolist(), dealt.split.tolist(), strict=True))


# --- the first deal


def test_dev_and_test_come_from_the_target_distribution_only() -> None:
    rows = Rows(names(210_000), extra=np.arange(210_000) >= 10_000)
    dealt = deal(rows, dev=2500.0, test=2500.0, train_dev=0.0)
    assert dealt.sizes == {"train": 205_000, "dev": 2500, "test": 2500}
    assert dealt.sources["train"] == {"app": 5000, "web": 200_000}
    assert dealt.sources["dev"] == {"app": 2500}
    assert dealt.sources["test"] == {"app": 2500}


def test_pooled_pictures_put_mostly_web_pictures_into_dev() -> None:
    web = np.arange(210_000) >= 10_000
    dealt = deal(Rows(names(210_000)), dev=2500.0, test=2500.0)
    in_dev = int(web[dealt.split == "dev"].sum())
    expected = hypergeom(210_000, 200_000, 2500)
    assert round(expected.mean()) == 2381
    assert abs(in_dev - expected.mean()) < 4 * expected.std()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 200), st.integers(1, 5), st.floats(0.05, 0.45), st.floats(0.05, 0.45))
def test_splits_are_exact_disjoint_and_complete(seed: int, n: int, n_strata: int, dev: float, test: float) -> None:
    strata = np.random.default_rng(seed).integers(0, n_strata, n)
    wanted = {name: int(share * n + 0.5) for name, share in (("dev", dev), ("test", test))}
    if min(wanted.values()) < 1 or sum(wanted.values()) >= n:
        return
    dealt = deal(Rows(names(n), strata=strata), seed=seed, dev=dev, test=test)
    assert dealt.sizes == {"train": n - sum(wanted.values()), **wanted}
    for name, want in wanted.items():
        for stratum in np.unique(strata):
            members = strata == stratum
            share = want * members.sum() / n
            assert abs((dealt.split[members] == name).sum() - share) < 2  # dev is cut from what test leaves


def test_rows_without_a_label_are_left_out() -> None:
    dealt = deal(Rows(names(10), strata=np.array([-1, 0, 0, 1, 1, 0, 1, 0, 1, -1])), dev=2.0, test=2.0)
    assert dealt.split[[0, 9]].tolist() == ["", ""]
    assert sum(dealt.sizes.values()) == 8
    assert "u0" not in dealt.stored.units


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(30, 200), st.integers(5, 40))
def test_groups_are_never_torn(seed: int, n: int, n_groups: int) -> None:
    rng = np.random.default_rng(seed)
    units, extra = names(n_groups, "g")[rng.integers(0, n_groups, n)], rng.random(n) < 0.3
    rows = Rows(names(n), units, rng.integers(0, 3, n), extra)
    try:
        dealt = deal(rows, data={"group": "g"}, dev=0.2, test=0.2, train_dev=0.0)
    except InvalidInput:  # a handful of large groups may leave nothing near a fifth
        return
    for unit in np.unique(units):
        assert len(set(dealt.split[units == unit].tolist()) - {""}) <= 1
    assert not np.isin(dealt.split[extra], ["dev", "test"]).any()
    claimed = np.isin(units, units[np.isin(dealt.split, ["dev", "test"])])
    assert ((dealt.split == "") == (extra & claimed)).all()
    assert any("left out of train: " in note for note in dealt.notes) == bool((extra & claimed).any())


def test_sizes_are_exact_where_groups_allow_it_and_the_nearest_else() -> None:
    rng = np.random.default_rng(3)
    units = np.repeat(names(300, "g"), rng.integers(1, 12, 300))
    dealt = deal(Rows(names(len(units)), units), data={"group": "g"}, dev=333.0, test=0.25)
    assert (dealt.sizes["dev"], dealt.sizes["test"]) == (333, int(0.25 * len(units) + 0.5))
    assert not dealt.notes
    pairs = Rows(names(100), np.repeat(names(50, "g"), 2))
    dealt = deal(pairs, data={"group": "g"}, dev=21.0, test=20.0)
    assert dealt.sizes == {"train": 60, "dev": 20, "test": 20}
    assert dealt.notes == ("dev holds 20 examples instead of 21: groups stay together.",)


def test_equal_rows_that_stay_together_are_explained() -> None:
    rows = Rows(names(100), np.repeat(names(4), 25))
    assert deal(rows, dev=20.0, test=0.0).notes == (
        "dev holds 25 examples instead of 20: equal rows (unless `data.id` names them) stay together.",
    )


def test_a_column_that_leaves_nothing_to_deal_cannot_meet_a_wish() -> None:
    with pytest.raises(
        InvalidInput, match=r"splits\.dev: dev 2 examples .* but 0 target examples with a label are there to deal"
    ):
        deal(Rows(names(9), given=np.array(["train"] * 9)), column="fold", dev=2.0, test=0.0)


def test_a_split_that_groups_leave_empty_is_an_error() -> None:
    rows = Rows(names(20), np.array(["a"] * 20))
    with pytest.raises(
        InvalidInput, match=r"splits\.(dev|test): .* would hold no examples\n.*Groups of g stay together"
    ):
        deal(rows, data={"group": "g"}, dev=2.0, test=2.0)


def test_train_dev_is_a_random_part_of_the_whole_training_distribution() -> None:
    n = 20_000
    rng = np.random.default_rng(0)
    extra, strata = np.arange(n) >= 6000, rng.integers(0, 4, n)
    dealt = deal(Rows(names(n), strata=strata, extra=extra), dev=1000.0, test=1000.0, train_dev=900.0)
    held, training = dealt.split == "train_dev", np.isin(dealt.split, ["train", "train_dev"])
    assert dealt.sources["train_dev"] == {"app": 200, "web": 700}  # 4,000 target and 14,000 other examples
    for stratum in range(4):
        assert (strata[held] == stratum).mean() == pytest.approx((strata[training] == stratum).mean(), abs=2 / 900)


def test_train_dev_appears_by_itself_only_where_the_distributions_differ() -> None:
    rows = Rows(names(1000), extra=np.arange(1000) >= 500)
    assert deal(rows).sizes == {"train": 720, "train_dev": 80, "dev": 100, "test": 100}
    assert deal(rows).distributions_differ
    assert "train_dev" not in deal(Rows(names(1000))).sizes


def test_the_order_of_the_rows_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = Rows(names(500), names(120, "g")[rng.integers(0, 120, 500)], rng.integers(0, 3, 500), rng.random(500) < 0.4)
    order = rng.permutation(500)
    project = project_of(data={"group": "g"}, dev=60.0, test=60.0, train_dev=30.0)
    first, second = deal(rows, project=project), deal(rows.select(order), project=project)
    assert by_id(first) == by_id(second)
    assert first.digest == second.digest


def test_another_seed_and_another_redraw_deal_otherwise() -> None:
    rows = Rows(names(200))
    deals = [deal(rows), deal(rows, seed=1), deal(rows, redraws=1), deal(rows, redraws=2)]
    assert len({dealt.digest for dealt in deals}) == 4
    assert deals[3].redraws == 2
    assert any("dealt anew 2 times" in note for note in deals[3].notes)


# --- ever after

WISHES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"dev": 0.2, "test": 0.2}, {"dev": 10.0, "test": 0.0}, {}, {"dev": 5.0, "train_dev": 8.0}]
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 120), WISHES, st.booleans(), st.booleans())
@example(seed=2092, n=40, wishes={"dev": 0.2, "test": 0.2}, grouped=True, mixed=True)
def test_growth_shuffling_and_deletion_move_nobody(
    seed: int, n: int, wishes: dict[str, Any], grouped: bool, mixed: bool
) -> None:
    rng = np.random.default_rng(seed)
    total = 2 * n
    all_rows = Rows(
        names(total),
        names(40, "g")[rng.integers(0, 40, total)] if grouped else None,
        rng.integers(0, 3, total),
        rng.random(total) < 0.3 if mixed else None,
    )
    project = project_of(data={"group": "g"} if grouped else {}, **wishes)
    before = deal(all_rows.select(np.arange(n)), project=project)
    kept = np.flatnonzero(rng.random(total) < 0.9)
    try:
        later = deal(all_rows.select(rng.permutation(kept)), before.stored, project=project.changed(seed=seed + 1))
    except InvalidInput:
        assume(set(before.split[kept[kept < n]]) >= set(before.split))  # refused where a whole split was deleted
        raise
    was, now = by_id(before), by_id(later)
    units = before.units if grouped else before.ids
    home = {unit: split for unit, split in zip(units.tolist(), before.split.tolist(), strict=True) if split}
    for name in set(was) & set(now):
        assert now[name] == was[name] or "" in (now[name], was[name])
    for unit, split in zip(later.units.tolist(), later.split.tolist(), strict=True):
        assert split in (home.get(unit, split), "")
    whole = deal(all_rows, later.stored, project=project)
    assert all(by_id(whole)[name] == split for name, split in now.items() if split)
    assert set(before.stored.units.tolist()) <= set(later.stored.units.tolist())


def test_a_deal_that_met_nothing_new_is_the_same_object_and_says_nothing() -> None:
    first = deal(Rows(names(100)))
    again = deal(Rows(names(100)), first.stored)
    assert again.stored is first.stored
    assert again.digest == first.digest
    assert again.notes == ()


def test_new_units_enter_with_the_shares_of_the_first_deal(seed: int) -> None:
    n, new = 400, 20_000
    extra = np.arange(n + new) % 2 == 1
    first = deal(Rows(names(n), extra=extra[:n]), seed=seed, dev=30.0, test=50.0, train_dev=64.0)
    grown = deal(Rows(names(n + new), extra=extra), first.stored, dev=30.0, test=50.0, train_dev=64.0)
    split, target = grown.split[n:], ~extra[n:]
    for name, share in (("dev", 0.15), ("test", 0.25), ("train_dev", 0.6 * 64 / 320)):
        k = int((split[target] == name).sum())
        assert binomtest(k, int(target.sum()), share).pvalue > 1e-4
    assert set(split[~target].tolist()) == {"train", "train_dev"}
    assert binomtest(int((split[~target] == "train_dev").sum()), int((~target).sum()), 0.2).pvalue > 1e-4
    assert any(note.startswith("New since the splits were dealt: ") for note in grown.notes)


def test_a_new_row_of_a_known_group_joins_its_group() -> None:
    rows = Rows(names(100), np.repeat(names(25, "g"), 4))
    project = project_of(data={"group": "g"}, dev=20.0, test=20.0)
    first = deal(rows, project=project)
    more = Rows(names(125), np.concatenate([rows.units, names(25, "g")]) if rows.units is not None else None)
    grown = deal(more, first.stored, project=project)
    assert grown.split[100:].tolist() == first.split[::4].tolist()


def test_a_row_that_is_labelled_later_is_new_then() -> None:
    strata = np.where(np.arange(100) < 30, -1, 0)
    first = deal(Rows(names(100), strata=strata))
    later = deal(Rows(names(100)), first.stored)
    assert (later.split[30:] == first.split[30:]).all()
    assert (later.split[:30] != "").all()


def test_a_dev_row_that_moves_to_extra_is_not_trained_on() -> None:
    first = deal(Rows(names(50)), dev=10.0, test=10.0)
    moved = first.split == "dev"
    moved[np.flatnonzero(moved)[5:]] = False
    later = deal(Rows(names(50), extra=moved), first.stored, dev=10.0, test=10.0)
    assert (later.split[moved] == "").all()
    assert any("5 rows of `data.extra` are left out of train" in note for note in later.notes)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ({"dev": 20.0}, {"dev": 30.0}, r"splits\.dev: is 30 now, but 20 when the stored splits were dealt\n.*--redraw"),
        ({}, {"test": 0.0}, r"splits\.test: is 0 now, but not given when"),
        ({"stratify": False}, {}, r"splits\.stratify: is true now, but false when"),
        ({}, {"data": {"group": "g"}}, r"data\.group: is 'g' now, but not given when"),
    ],
)
def test_changed_wishes_are_refused_with_the_way_to_deal_anew(
    before: dict[str, Any], after: dict[str, Any], message: str
) -> None:
    first = deal(Rows(names(100)), **before)
    with pytest.raises(InvalidInput, match=message):
        deal(Rows(names(100)), first.stored, **after)


def test_an_automatic_size_may_be_written_out() -> None:
    first = deal(Rows(names(100)))
    assert deal(Rows(names(110)), first.stored, dev=20.0, test=20.0, train_dev=0.0).sizes["dev"] >= 20


def test_a_split_whose_rows_are_gone_is_an_error() -> None:
    first = deal(Rows(names(100)))
    rows = np.flatnonzero(first.split != "dev")
    with pytest.raises(InvalidInput, match=r"splits\.dev: dev holds no examples any more.*\n.*Restore the rows"):
        deal(Rows(names(100)).select(rows), first.stored)


def test_other_data_under_the_same_name_are_noticed() -> None:
    first = deal(Rows(names(100)))
    other = deal(Rows(names(100, "other")), first.stored)
    assert any("None of the 100 units of the stored splits is in the data" in note for note in other.notes)


# --- predefined


def test_a_column_decides_and_empty_cells_are_dealt() -> None:
    given = np.array(["train", "dev", "test", "train_dev", ""] * 20)
    dealt = deal(Rows(names(100), given=given), column="fold")
    assert (dealt.split[given != ""] == given[given != ""]).all()
    assert (dealt.split[given == ""] == "train").all()  # each split has its rows from the column
    dealt = deal(Rows(names(100), given=given), column="fold", dev=25.0)
    assert dealt.sizes["dev"] == 25


def test_rows_follow_their_column_even_after_the_deal() -> None:
    given = np.array(["train", "dev", "test", ""] * 10)
    first = deal(Rows(names(40), given=given), column="fold")
    changed = given.copy()
    changed[[0, 2]] = ["dev", ""]
    later = deal(Rows(names(40), given=changed), first.stored, column="fold")
    assert later.split[[0, 2]].tolist() == ["dev", "test"]


def test_a_column_must_not_tear_a_group_or_test_on_extra() -> None:
    given = np.array(["train", "dev"] * 10)
    rows = Rows(names(20), np.repeat(names(10, "g"), 2), extra=np.arange(20) == 1, given=given)
    with pytest.raises(InvalidInput) as caught:
        deal(rows, project=project_of(data={"group": "user"}, column="fold"))
    assert len(caught.value.problems) == 2
    assert "puts 1 rows of `data.extra` into dev or test, first row 2" in str(caught.value)
    assert "puts user 'g0' into train and dev (10 such groups)" in str(caught.value)


def test_nothing_labelled_in_the_source_is_an_error() -> None:
    with pytest.raises(InvalidInput, match=r"data\.source: none of its rows has a label"):
        deal(Rows(names(10), strata=np.full(10, -1)))


def test_many_rows_are_dealt_exactly_and_found_again() -> None:
    rows = Rows(names(200_000), strata=np.arange(200_000) % 10)
    dealt = deal(rows)
    share = int(automatic_share(200_000) * 200_000 + 0.5)
    assert dealt.sizes == {"train": 200_000 - 2 * share, "dev": share, "test": share}
    assert deal(rows, dealt.stored).stored is dealt.stored
