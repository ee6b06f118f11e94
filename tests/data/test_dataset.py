"""The whole way from files to what training sees, with the test set sealed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.data import load_dataset
from mlproj.data.prepare import prepare
from mlproj.errors import InvalidInput
from mlproj.spec.load import make_project


def test_a_dataset_holds_train_and_dev_and_counts_test(build: Any, flowers: pd.DataFrame) -> None:
    dataset = load_dataset(build({"a.csv": flowers}, id="uid"))
    assert list(dataset.parts) == ["train", "dev"]
    assert dataset.deal.sizes == {"train": 72, "dev": 24, "test": 24}
    assert (dataset.project.task, dataset.target.kind) == ("classification", "binary")
    assert dataset.encoder.names == ("size", "colour=blue", "colour=red", "colour=white")
    for part in dataset.parts.values():
        assert (part.x.shape, part.y.shape) == ((len(part.ids), 4), (len(part.ids), 1))
        assert list(part.frame.columns) == ["uid", "size", "colour"]
        assert (part.weight, part.group) == (None, None)


def test_parts_are_the_rows_of_the_file_in_its_order(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers
    dataset = load_dataset(build({"a.csv": frame}, id="uid"))
    for part in dataset.parts.values():
        own = frame[frame["uid"].isin(part.ids)]
        assert part.ids.tolist() == part.frame["uid"].tolist() == own["uid"].tolist()
        np.testing.assert_array_equal(part.x, dataset.encoder.encode(own))
        assert (part.y[:, 0] == (own["y"] == "rose")).all()


def test_inputs_are_standardised_on_train_alone(build: Any, flowers: pd.DataFrame) -> None:
    dataset = load_dataset(build({"a.csv": flowers}, id="uid"))
    size = dataset.parts["train"].x[:, 0]
    assert size.mean() == pytest.approx(0, abs=1e-6)
    assert size.std() == pytest.approx(1)


def test_columns_that_are_ignored_are_nowhere_and_excluded_ones_are_shown(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers.assign(email="a@b.c", why="because")
    dataset = load_dataset(build({"a.csv": frame}, id="uid", exclude=("why",), columns={"email": "ignore"}))
    assert list(dataset.parts["train"].frame.columns) == ["uid", "size", "colour", "why"]
    assert [column.name for column in dataset.encoder.columns] == ["size", "colour"]


def test_id_group_time_weight_and_split_columns_are_no_features(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers.assign(
        user=[f"v{i // 2}" for i in range(120)],
        day=pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d"),
        w=1.5,
        fold="",
    )
    keys = {"id": "uid", "group": "user", "time": "day", "weight": {"column": "w"}}
    dataset = load_dataset(build({"a.csv": frame}, **keys))
    assert [column.name for column in dataset.encoder.columns] == ["size", "colour"]
    train = dataset.parts["train"]
    assert train.weight is not None
    assert train.group is not None
    assert set(train.weight) == {1.5}
    assert train.group.tolist() == train.frame["user"].tolist()


def test_weights_by_rule_stand_where_the_rule_holds(build: Any, flowers: pd.DataFrame) -> None:
    rule = {"where": "colour == 'red'", "value": 10.0}
    part = load_dataset(build({"a.csv": flowers}, id="uid", weight=rule)).parts["dev"]
    assert part.weight is not None
    np.testing.assert_array_equal(part.weight, np.where(part.frame["colour"] == "red", 10, 1))


def test_rows_without_a_label_are_left_out_and_counted(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers
    frame.loc[:9, "y"] = None
    frame.loc[10:12, "y"] = "NA"
    dataset = load_dataset(build({"a.csv": frame}, id="uid"))
    assert sum(dataset.deal.sizes.values()) == 107
    assert any("13 of 120 rows have no label" in warning for warning in dataset.warnings)
    assert not set(frame["uid"][:13]) & {name for part in dataset.parts.values() for name in part.ids}


def test_several_labels_keep_rows_that_have_one_of_them(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers.drop(columns="y").assign(cat=["1", "0", "", ""] * 30, dog=["yes", "", "no", ""] * 30)
    dataset = load_dataset(build({"a.csv": frame}, id="uid", label=("cat", "dog")))
    assert sum(dataset.deal.sizes.values()) == 90
    y = dataset.parts["train"].y
    assert (dataset.target.kind, y.dtype.name, dataset.target.n_outputs) == ("binary", "float32", 2)
    assert np.isnan(y).any()
    assert not np.isnan(y).all(axis=1).any()


def test_the_task_is_found_out_and_said(build: Any, flowers: pd.DataFrame) -> None:
    dataset = load_dataset(build({"a.csv": flowers.assign(y=np.arange(120) / 7)}, id="uid"))
    assert dataset.project.task == "regression"
    assert dataset.notes == ("Task: regression, because label 'y' holds 120 different numbers.",)
    assert load_dataset(build({"a.csv": flowers}, id="uid", task="classification")).notes == ()


def test_regression_standardises_the_label_on_train(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers.assign(y=np.random.default_rng(0).lognormal(2, 1, 120))
    dataset = load_dataset(build({"a.csv": frame}, id="uid", label_scale="log"))
    learned = dataset.target.to_learn(dataset.parts["train"].y)
    assert (learned.mean(), learned.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1))


def test_classes_that_differ_in_case_only_and_rare_ones_are_pointed_out(build: Any, flowers: pd.DataFrame) -> None:
    flowers.loc[:39, "y"] = "Rose"
    flowers.loc[40, "y"] = "iris"
    dataset = load_dataset(build({"a.csv": flowers}, id="uid", splits={"test": 0}))
    assert "Some classes are too rare for train, dev and test alike: 'iris' has 1." in dataset.warnings
    assert "Some classes differ in upper and lower case only: 'Rose' and 'rose'." in dataset.warnings


def test_digits_load_in_a_fraction_of_a_second_and_all_their_pixels_are_inputs(build: Any) -> None:
    dataset = load_dataset(build({}, label=None))
    assert dataset.parts["train"].x.shape == (90, 4)
    dataset = load_dataset(build({}, source="sklearn:digits", label=None))
    assert (dataset.target.kind, dataset.target.classes) == ("multiclass", (tuple(map(str, range(10))),))
    assert {name: part.x.shape for name, part in dataset.parts.items()} == {"train": (1079, 64), "dev": (359, 64)}


# Hashes say when data are the same.


def test_the_data_hash_changes_with_any_cell_that_training_sees(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers
    first = load_dataset(build({"a.csv": frame}, id="uid"))
    assert load_dataset(build({"a.csv": frame}, id="uid")).data_hash == first.data_hash
    row = frame.index[frame["uid"] == first.parts["train"].ids[0]]
    cell, label = frame.copy(), frame.copy()
    cell.loc[row, "size"] += 1
    label.loc[row, "y"] = "rose" if label.loc[row[0], "y"] == "lily" else "lily"
    hashes = {load_dataset(build({"a.csv": changed}, id="uid")).data_hash for changed in (frame, cell, label)}
    assert len(hashes) == 3


def test_the_dev_hash_depends_on_the_ids_and_labels_of_dev_alone(build: Any, flowers: pd.DataFrame) -> None:
    frame = flowers
    first = load_dataset(build({"a.csv": frame}, id="uid"))
    shuffled = frame.sample(frac=1, random_state=1).assign(size=0.5)
    assert load_dataset(build({"a.csv": shuffled}, id="uid")).dev_hash == first.dev_hash
    row = frame["uid"] == first.parts["dev"].ids[0]
    relabelled = frame.assign(y=frame["y"].where(~row, "rose" if (frame["y"][row] == "lily").all() else "lily"))
    stored = load_dataset(build({"a.csv": frame}, id="uid"), store=Path("splits"))
    again = load_dataset(build({"a.csv": relabelled}, id="uid"), store=Path("splits"))
    assert stored.dev_hash != again.dev_hash


# The deal is kept.


def test_a_stored_deal_holds_while_the_data_grow_and_move(build: Any, tmp_path: Path, make_flowers: Any) -> None:
    store = tmp_path / "splits"
    first = load_dataset(build({"a.csv": make_flowers(100)}, id="uid"), store=store)
    files = sorted(path.name for path in store.iterdir())
    grown = pd.concat([make_flowers(100), make_flowers(200)[100:]]).sample(frac=1, random_state=0)
    second = load_dataset(build({"a.csv": grown}, id="uid"), store=store)
    before = dict(zip(first.deal.ids.tolist(), first.deal.split.tolist(), strict=True))
    after = dict(zip(second.deal.ids.tolist(), second.deal.split.tolist(), strict=True))
    assert all(after[name] == split for name, split in before.items())
    assert sorted(path.name for path in store.iterdir()) == files


def test_loading_again_writes_nothing(build: Any, tmp_path: Path, flowers: pd.DataFrame) -> None:
    store = tmp_path / "splits"
    project = build({"a.csv": flowers}, id="uid")
    load_dataset(project, store=store)
    before = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
    load_dataset(project, store=store)
    assert {path.name: path.stat().st_mtime_ns for path in store.iterdir()} == before


def test_a_redraw_deals_anew_and_is_kept(build: Any, tmp_path: Path, flowers: pd.DataFrame) -> None:
    project = build({"a.csv": flowers}, id="uid")
    first = load_dataset(project, store=tmp_path / "splits")
    second = load_dataset(project, store=tmp_path / "splits", redraw=True)
    third = load_dataset(project, store=tmp_path / "splits")
    assert [one.deal.redraws for one in (first, second, third)] == [0, 1, 1]
    assert first.deal.digest != second.deal.digest == third.deal.digest


def test_wrong_data_leave_nothing_behind(build: Any, tmp_path: Path, flowers: pd.DataFrame, refusal: Any) -> None:
    frame = flowers.assign(size="tall")
    refusal(build({"a.csv": frame}, id="uid", columns={"size": "number"}), store=tmp_path / "splits")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]


def test_preparing_writes_nothing(build: Any, tmp_path: Path, flowers: pd.DataFrame) -> None:
    prepare(build({"a.csv": flowers}, id="uid"), store=tmp_path / "splits")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]


# Small and strange data.


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_tiny_tables_train_or_are_refused_in_words(build: Any, n: int, make_flowers: Any, refusal: Any) -> None:
    project = build({"a.csv": make_flowers(n)}, id="uid")
    if prepare(project).problems:
        assert "data." in refusal(project)
    else:
        assert sum(load_dataset(project).deal.sizes.values()) == n


_CELL = st.one_of(st.none(), st.text("ab 1.,-0é\"'\n", max_size=4), st.floats(), st.sampled_from(["yes", "no", "NA"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(st.lists(_CELL, min_size=12, max_size=12), min_size=1, max_size=3),
    label=st.lists(_CELL, min_size=12, max_size=12),
)
def test_no_table_ends_in_anything_but_a_dataset_or_a_refusal(
    build: Any, columns: Any, label: Any, refusal: Any
) -> None:
    frame = pd.DataFrame({f"x{i}": cells for i, cells in enumerate(columns)} | {"y": label}, dtype=object)
    project = build({"a.csv": frame})
    if prepare(project).problems:
        assert "project.yaml" in refusal(project)
        return
    for part in load_dataset(project).parts.values():
        assert np.isfinite(part.x).all()
        assert len(part.x) == len(part.y) == len(part.frame) == len(part.ids)


def test_without_any_feature_that_alone_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{'uv'[i % 2]}\n" for i in range(60)), encoding="utf-8")
    project = make_project(
        {"name": "p", "data": {"source": "t.csv", "label": "y", "columns": {"a": "ignore"}}}, tmp_path / "project.yaml"
    )
    with pytest.raises(InvalidInput, match="no column is left as a feature") as caught:
        load_dataset(project)
    assert len(caught.value.problems) == 1


def test_an_unknown_column_in_a_weight_rule_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{'uv'[i % 2]}\n" for i in range(60)), encoding="utf-8")
    weight = {"where": "zz == 3", "value": 2}
    project = make_project(
        {"name": "p", "data": {"source": "t.csv", "label": "y", "weight": weight}}, tmp_path / "project.yaml"
    )
    with pytest.raises(InvalidInput, match="no column 'zz'") as caught:
        load_dataset(project)
    assert len(caught.value.problems) == 1
