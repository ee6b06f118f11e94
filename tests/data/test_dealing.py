"""From a raw table to its deal: everything gathered, stored, found again, and every problem named at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data.deal import Deal
from mlproj.data.dealing import deal_table, keep_deal
from mlproj.data.store import deal_file, read_deal
from mlproj.data.table import PartOrigin, Table
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project


def table(n: int = 200, start: int = 0) -> pd.DataFrame:
    at = np.arange(start, start + n)
    return pd.DataFrame({"uid": [f"p{i}" for i in at], "x": at * 7 % 23, "z": at, "y": np.where(at % 3, "no", "yes")})


def project_of(splits: dict[str, Any] | None = None, seed: int = 0, **data: Any) -> Project:
    sections = {"data": {"source": "a.csv", "label": "y"} | data, "splits": splits or {}}
    return Project.model_validate({"name": "cats", "seed": seed} | sections)


def deal(
    project: Project,
    frame: pd.DataFrame,
    roles: tuple[Any, ...] = ("target",),
    source: Any = None,
    *,
    store: Path | None = None,
    save: bool = True,
    **options: Any,
) -> Deal:
    where = np.zeros(len(frame), dtype=np.int64) if source is None else np.asarray(source)
    origins = tuple(PartOrigin(f"{role}.csv", role, "data.source") for role in roles)
    rows = Table(frame, where, np.arange(1, len(frame) + 1), origins, ("y",))
    dealt = deal_table(project, rows, store=store, **options)
    assert store is None or not save or keep_deal(project, dealt, store)
    return dealt


def test_the_stored_deal_is_found_again_after_growth_and_a_new_seed(tmp_path: Path) -> None:
    first = deal(project_of(), table(), store=tmp_path)
    grown = pd.concat([table(60, start=200), table().sample(frac=1, random_state=1)])
    later = deal(project_of(seed=9), grown, store=tmp_path)
    was = dict(zip(first.ids.tolist(), first.split.tolist(), strict=True))
    now = dict(zip(later.ids.tolist(), later.split.tolist(), strict=True))
    assert {name: now[name] for name in was} == was
    assert set(now) > set(was)


def test_a_new_column_renames_nobody(tmp_path: Path) -> None:
    first = deal(project_of(), table(), store=tmp_path)
    later = deal(project_of(), table().assign(more=1.5), store=tmp_path)
    assert (first.ids == later.ids).all()
    assert later.stored.digest == first.digest


def test_a_column_that_is_gone_is_named_with_the_way_out(tmp_path: Path) -> None:
    deal(project_of(), table(), store=tmp_path)
    with pytest.raises(InvalidInput, match=r"data\.id: the ids .* columns that the data no longer have: z\n.*--redraw"):
        deal(project_of(), table().drop(columns="z"), store=tmp_path)


def test_looking_does_not_write(tmp_path: Path) -> None:
    looked = deal(project_of(), table(), store=tmp_path / "splits", save=False)
    assert not (tmp_path / "splits").exists()
    assert deal(project_of(), table(), store=tmp_path / "splits").digest == looked.digest


def test_a_redraw_deals_anew_with_new_wishes_and_is_counted(tmp_path: Path) -> None:
    first = deal(project_of(), table(), store=tmp_path)
    second = deal(project_of({"dev": 30.0}), table(), store=tmp_path, redraw=True)
    assert second.sizes["dev"] == 30
    assert (second.split != first.split).any()
    assert second.redraws == 1
    assert deal(project_of({"dev": 30.0}), table(), store=tmp_path).redraws == 1
    assert deal(project_of({"dev": 30.0}), table(), store=tmp_path, redraw=True).redraws == 2


def test_a_damaged_deal_is_mended_by_a_redraw(tmp_path: Path) -> None:
    deal(project_of(), table(), store=tmp_path)
    file = deal_file(tmp_path, "cats")
    file.write_bytes(b"broken")
    with pytest.raises(InvalidInput, match="cannot be read"):
        deal(project_of(), table(), store=tmp_path)
    assert deal(project_of(), table(), store=tmp_path, redraw=True).redraws == 1
    assert read_deal(file, project_of()) is not None


def test_a_file_is_a_split(tmp_path: Path) -> None:
    source = np.repeat([0, 1], [150, 50])
    dealt = deal(project_of({"dev": "dev.csv", "test": 0.1}), table(), ("target", "dev"), source, store=tmp_path)
    assert dealt.sources == {"train": {"target.csv": 130}, "dev": {"dev.csv": 50}, "test": {"target.csv": 20}}


def test_classes_keep_their_shares_in_every_split() -> None:
    frame = table(600)
    dealt = deal(project_of(), frame)
    for name in ("train", "dev", "test"):
        assert (frame["y"][dealt.split == name] == "yes").mean() == pytest.approx(1 / 3, abs=0.01)


def test_a_column_may_write_its_names_loosely_but_only_names_of_splits() -> None:
    fold = pd.Series(["Train", "DEV ", "train-dev", "test", None, "", "train", "dev"])
    frame = table(8).assign(fold=fold)
    dealt = deal(project_of({"column": "fold"}), frame)
    assert dealt.split[:4].tolist() == ["train", "dev", "train_dev", "test"]
    with pytest.raises(
        InvalidInput,
        match=r"splits\.column: 'fold' holds 'valid' in target\.csv row 2 \(4 such rows\), which is no split\n"
        r".*train_dev",
    ):
        deal(project_of({"column": "fold"}), frame.assign(fold=["train", "valid"] * 4))


def test_all_problems_are_named_at_once() -> None:
    frame = table(20).assign(uid="same", fold="valid", at="soon")
    project = project_of({"column": "fold", "dev": "2024-01-01"}, id="uid", time="at")
    with pytest.raises(InvalidInput) as caught:
        deal(project, frame)
    assert [problem.where for problem in caught.value.problems] == ["data.id", "data.time", "splits.column"]
    with pytest.raises(InvalidInput) as caught:
        deal(project_of({"column": "fald"}, id="uld", group="nope"), frame)
    assert [problem.where for problem in caught.value.problems] == ["data.id", "data.group", "splits.column"]


def test_a_date_needs_a_time_column() -> None:
    with pytest.raises(
        InvalidInput, match=r"splits\.dev: '2024-01-01' is a date, but there is no `data\.time`.*\n.*time: COLUMN"
    ):
        deal(project_of({"dev": "2024-01-01"}), table())


def test_dates_in_text_are_cut() -> None:
    days = pd.date_range("2024-01-01", periods=100).strftime("%d/%m/%Y")
    project = project_of(
        {"dev": "2024-03-01", "test": 10.0, "train_dev": 0.0}, time="at", columns={"at": {"date": "%d/%m/%Y"}}
    )
    dealt = deal(project, table(100).assign(at=days))
    assert dealt.sizes == {"train": 60, "dev": 30, "test": 10}
    assert dealt.cuts == {"dev": "2024-03-01", "test": "2024-03-31"}


def test_equal_rows_of_source_and_extra_never_lie_on_both_sides() -> None:
    frame = pd.concat([table(100), table(100)])
    project = project_of({"train_dev": 0.0}, extra=["web.csv"], columns={"uid": "ignore"})
    dealt = deal(project, frame, ("target", "training"), np.repeat([0, 1], 100))
    held = np.isin(dealt.split[:100], ["dev", "test"])
    assert (dealt.split[100:][held] == "").all()
    assert any(
        f"{held.sum()} rows of `data.extra` are left out of train: they equal a row in dev or test" in note
        for note in dealt.notes
    )


def test_a_regression_label_is_stratified_by_size() -> None:
    frame = table(400).assign(y=np.random.default_rng(0).lognormal(size=400))
    dealt = deal(project_of(), frame, regression=True)
    ranks = frame["y"].rank().to_numpy() / 400
    assert ranks[dealt.split == "dev"].mean() == pytest.approx(0.5, abs=0.03)


def test_rows_without_a_group_are_counted() -> None:
    users = pd.Series([f"u{i // 3}" for i in range(90)]).where(np.arange(90) % 3 > 0)
    frame = table(90).assign(user=users)
    dealt = deal(project_of(group="user"), frame)
    assert "30 rows have no user: each is dealt as a group of its own." in dealt.notes


def test_one_row_per_split_is_enough_and_two_rows_are_not() -> None:
    assert deal(project_of(), table(3)).sizes == {"train": 1, "dev": 1, "test": 1}
    with pytest.raises(InvalidInput, match="2 target examples"):
        deal(project_of(), table(2))


def test_names_in_other_scripts_are_dealt_like_others(tmp_path: Path) -> None:
    frame = table(30).assign(uid=[f"größe-{i}-猫\n" for i in range(30)])
    project = project_of(id="uid")
    first = deal(project, frame, store=tmp_path)
    assert (deal(project, frame, store=tmp_path).split == first.split).all()
