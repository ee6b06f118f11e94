"""The whole way from files to what training sees, with the test set sealed."""

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.data import Dataset, load_dataset
from mlproj.data.prepare import prepare
from mlproj.errors import InvalidInput


def flowers(n: int = 120, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, n)
    return pd.DataFrame(
        {
            "uid": [f"u{i}" for i in range(n)],
            "size": rng.normal(size=n).round(3) + kind,
            "colour": rng.choice(["red", "blue", "white"], n),
            "y": np.array(["lily", "rose"])[kind],
        }
    )


def refusal(project: Any, **options: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        load_dataset(project, **options)
    return str(caught.value)


def test_a_dataset_holds_train_and_dev_and_counts_test(build: Any) -> None:
    dataset = load_dataset(build({"a.csv": flowers()}, id="uid"))
    assert list(dataset.parts) == ["train", "dev"]
    assert dataset.deal.sizes == {"train": 72, "dev": 24, "test": 24}
    assert (dataset.project.task, dataset.target.kind) == ("classification", "binary")
    assert dataset.encoder.names == ("size", "colour=blue", "colour=red", "colour=white")
    for part in dataset.parts.values():
        assert (part.x.shape, part.y.shape) == ((len(part.ids), 4), (len(part.ids), 1))
        assert list(part.frame.columns) == ["uid", "size", "colour"]
        assert (part.weight, part.group) == (None, None)


def test_parts_are_the_rows_of_the_file_in_its_order(build: Any) -> None:
    frame = flowers()
    dataset = load_dataset(build({"a.csv": frame}, id="uid"))
    for part in dataset.parts.values():
        own = frame[frame["uid"].isin(part.ids)]
        assert part.ids.tolist() == part.frame["uid"].tolist() == own["uid"].tolist()
        np.testing.assert_array_equal(part.x, dataset.encoder.encode(own))
        assert (part.y[:, 0] == (own["y"] == "rose")).all()


def test_inputs_are_standardised_on_train_alone(build: Any) -> None:
    dataset = load_dataset(build({"a.csv": flowers()}, id="uid"))
    size = dataset.parts["train"].x[:, 0]
    assert size.mean() == pytest.approx(0, abs=1e-6)
    assert size.std() == pytest.approx(1)


def test_columns_that_are_ignored_are_nowhere_and_excluded_ones_are_shown(build: Any) -> None:
    frame = flowers().assign(email="a@b.c", why="because")
    dataset = load_dataset(build({"a.csv": frame}, id="uid", exclude=("why",), columns={"email": "ignore"}))
    assert list(dataset.parts["train"].frame.columns) == ["uid", "size", "colour", "why"]
    assert [column.name for column in dataset.encoder.columns] == ["size", "colour"]


def test_id_group_time_weight_and_split_columns_are_no_features(build: Any) -> None:
    frame = flowers().assign(
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


def test_weights_by_rule_stand_where_the_rule_holds(build: Any) -> None:
    rule = {"where": "colour == 'red'", "value": 10.0}
    part = load_dataset(build({"a.csv": flowers()}, id="uid", weight=rule)).parts["dev"]
    assert part.weight is not None
    np.testing.assert_array_equal(part.weight, np.where(part.frame["colour"] == "red", 10, 1))


def test_rows_without_a_label_are_left_out_and_counted(build: Any) -> None:
    frame = flowers()
    frame.loc[:9, "y"] = None
    frame.loc[10:12, "y"] = "NA"
    dataset = load_dataset(build({"a.csv": frame}, id="uid"))
    assert sum(dataset.deal.sizes.values()) == 107
    assert any("13 of 120 rows have no label" in warning for warning in dataset.warnings)
    assert not set(frame["uid"][:13]) & {name for part in dataset.parts.values() for name in part.ids}


def test_several_labels_keep_rows_that_have_one_of_them(build: Any) -> None:
    frame = flowers().drop(columns="y").assign(cat=["1", "0", "", ""] * 30, dog=["yes", "", "no", ""] * 30)
    dataset = load_dataset(build({"a.csv": frame}, id="uid", label=("cat", "dog")))
    assert sum(dataset.deal.sizes.values()) == 90
    y = dataset.parts["train"].y
    assert (dataset.target.kind, y.dtype, dataset.target.n_outputs) == ("binary", np.float32, 2)
    assert np.isnan(y).any()
    assert not np.isnan(y).all(axis=1).any()


def test_the_task_is_found_out_and_said(build: Any) -> None:
    dataset = load_dataset(build({"a.csv": flowers().assign(y=np.arange(120) / 7)}, id="uid"))
    assert dataset.project.task == "regression"
    assert dataset.notes == ("Task: regression, because label 'y' holds 120 different numbers.",)
    assert load_dataset(build({"a.csv": flowers()}, id="uid", task="classification")).notes == ()


def test_regression_standardises_the_label_on_train(build: Any) -> None:
    frame = flowers().assign(y=np.random.default_rng(0).lognormal(2, 1, 120))
    dataset = load_dataset(build({"a.csv": frame}, id="uid", label_scale="log"))
    learned = dataset.target.to_learn(dataset.parts["train"].y)
    assert (learned.mean(), learned.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1))


def test_digits_load_in_a_fraction_of_a_second_and_all_their_pixels_are_inputs(build: Any) -> None:
    dataset = load_dataset(build({}, label=None))
    assert dataset.parts["train"].x.shape == (90, 4)
    dataset = load_dataset(build({}, source="sklearn:digits", label=None))
    assert (dataset.target.kind, dataset.target.classes) == ("multiclass", (tuple(map(str, range(10))),))
    assert {name: part.x.shape for name, part in dataset.parts.items()} == {"train": (1079, 64), "dev": (359, 64)}


# The test set is sealed.

MARK = "s3cret"


def poisoned(dataset: Dataset, frame: pd.DataFrame) -> pd.DataFrame:
    """The data with every feature and label cell of its test rows replaced by a mark or a telling number."""
    test = frame["uid"].isin(dataset.deal.ids[dataset.deal.split == "test"])
    assert test.sum() == dataset.deal.sizes["test"]
    return frame.assign(
        size=frame["size"].where(~test, 987654321.0), colour=frame["colour"].where(~test, f"{MARK} colour")
    )


def reachable(root: Any) -> list[Any]:
    """All objects that can be reached from one, modules and types aside."""
    seen: dict[int, Any] = {}
    todo = [root]
    while todo:
        one = todo.pop()
        if id(one) in seen or type(one).__name__ in (
            "module",
            "type",
            "function",
            "method",
            "builtin_function_or_method",
        ):
            continue
        seen[id(one)] = one
        todo += gc.get_referents(one)
        if isinstance(one, np.ndarray) and one.base is not None:
            todo.append(one.base)
        if hasattr(one, "__arrow_array__"):
            chunks = one.__arrow_array__()
            todo += [
                bytes(b) for chunk in getattr(chunks, "chunks", [chunks]) for b in chunk.buffers() if b is not None
            ]
    return list(seen.values())


def test_nothing_of_the_test_rows_can_be_reached_from_a_dataset(build: Any) -> None:
    frame = flowers()
    first = load_dataset(build({"a.csv": frame}, id="uid"))
    marked = poisoned(first, frame)
    dataset = load_dataset(build({"a.csv": marked}, id="uid"))
    assert dataset.deal.digest == first.deal.digest
    found = reachable(dataset)
    assert len(found) > 1000
    for one in found:
        if isinstance(one, str | bytes):
            assert MARK not in (one if isinstance(one, str) else one.decode("utf-8", "replace"))
            assert "987654321" not in (one if isinstance(one, str) else one.decode("utf-8", "replace"))
        elif isinstance(one, np.ndarray) and one.dtype.kind in "fiu":
            assert not (one == 987654321.0).any()
        elif isinstance(one, float):
            assert one != 987654321.0


def test_a_class_that_only_test_has_is_counted_and_not_named(build: Any) -> None:
    frame = flowers()
    project = build({"a.csv": frame}, id="uid", splits={"column": "fold"})
    frame["fold"] = ["test" if i % 5 == 0 else "dev" if i % 5 == 1 else "train" for i in range(120)]
    frame.loc[0, "y"] = MARK
    project = build({"a.csv": frame}, id="uid", splits={"column": "fold"})
    dataset = load_dataset(project)
    assert "1 class occurs in the test set only." in dataset.warnings
    assert not any(MARK in one for one in reachable(dataset) if isinstance(one, str))


def test_poisoned_test_rows_change_nothing_that_training_sees(build: Any) -> None:
    frame = flowers()
    first = load_dataset(build({"a.csv": frame}, id="uid"))
    second = load_dataset(build({"a.csv": poisoned(first, frame)}, id="uid"))
    assert first.encoder == second.encoder
    assert first.target == second.target
    assert first.columns == second.columns
    assert first.warnings == second.warnings
    assert (first.data_hash, first.dev_hash) == (second.data_hash, second.dev_hash)
    for name, part in first.parts.items():
        np.testing.assert_array_equal(part.x, second.parts[name].x)
        np.testing.assert_array_equal(part.y, second.parts[name].y)


# Hashes say when data are the same.


def test_the_data_hash_changes_with_any_cell_that_training_sees(build: Any) -> None:
    frame = flowers()
    first = load_dataset(build({"a.csv": frame}, id="uid"))
    assert load_dataset(build({"a.csv": frame}, id="uid")).data_hash == first.data_hash
    row = frame.index[frame["uid"] == first.parts["train"].ids[0]]
    cell, label = frame.copy(), frame.copy()
    cell.loc[row, "size"] += 1
    label.loc[row, "y"] = "rose" if label.loc[row[0], "y"] == "lily" else "lily"
    hashes = {load_dataset(build({"a.csv": changed}, id="uid")).data_hash for changed in (frame, cell, label)}
    assert len(hashes) == 3


def test_the_dev_hash_depends_on_the_ids_and_labels_of_dev_alone(build: Any) -> None:
    frame = flowers()
    first = load_dataset(build({"a.csv": frame}, id="uid"))
    shuffled = frame.sample(frac=1, random_state=1).assign(size=0.5)
    assert load_dataset(build({"a.csv": shuffled}, id="uid")).dev_hash == first.dev_hash
    row = frame["uid"] == first.parts["dev"].ids[0]
    relabelled = frame.assign(y=frame["y"].where(~row, "rose" if (frame["y"][row] == "lily").all() else "lily"))
    stored = load_dataset(build({"a.csv": frame}, id="uid"), store=Path("splits"))
    again = load_dataset(build({"a.csv": relabelled}, id="uid"), store=Path("splits"))
    assert stored.dev_hash != again.dev_hash


# The deal is kept.


def test_a_stored_deal_holds_while_the_data_grow_and_move(build: Any, tmp_path: Path) -> None:
    store = tmp_path / "splits"
    first = load_dataset(build({"a.csv": flowers(100)}, id="uid"), store=store)
    files = sorted(path.name for path in store.iterdir())
    grown = pd.concat([flowers(100), flowers(200)[100:]]).sample(frac=1, random_state=0)
    second = load_dataset(build({"a.csv": grown}, id="uid"), store=store)
    before = dict(zip(first.deal.ids.tolist(), first.deal.split.tolist(), strict=True))
    after = dict(zip(second.deal.ids.tolist(), second.deal.split.tolist(), strict=True))
    assert all(after[name] == split for name, split in before.items())
    assert sorted(path.name for path in store.iterdir()) == files


def test_loading_again_writes_nothing(build: Any, tmp_path: Path) -> None:
    store = tmp_path / "splits"
    project = build({"a.csv": flowers()}, id="uid")
    load_dataset(project, store=store)
    before = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
    load_dataset(project, store=store)
    assert {path.name: path.stat().st_mtime_ns for path in store.iterdir()} == before


def test_a_redraw_deals_anew_and_is_kept(build: Any, tmp_path: Path) -> None:
    project = build({"a.csv": flowers()}, id="uid")
    first = load_dataset(project, store=tmp_path / "splits")
    second = load_dataset(project, store=tmp_path / "splits", redraw=True)
    third = load_dataset(project, store=tmp_path / "splits")
    assert [one.deal.redraws for one in (first, second, third)] == [0, 1, 1]
    assert first.deal.digest != second.deal.digest == third.deal.digest


def test_wrong_data_leave_nothing_behind(build: Any, tmp_path: Path) -> None:
    frame = flowers().assign(size="tall")
    refusal(build({"a.csv": frame}, id="uid", columns={"size": "number"}), store=tmp_path / "splits")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]


def test_preparing_writes_nothing(build: Any, tmp_path: Path) -> None:
    prepare(build({"a.csv": flowers()}, id="uid"), store=tmp_path / "splits")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]


# Everything that is wrong is said at once.


def spoilt(**columns: Any) -> pd.DataFrame:
    """The flowers with cells replaced: {column: {row: value}}."""
    frame = flowers().astype(object)
    for name, cells in columns.items():
        for row, value in cells.items():
            frame.loc[row, name] = value
    return frame


QUANTITY = np.arange(120) / 7
PROBLEMS: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "unknown label": (flowers(), {"label": "kind"}, ["project.yaml:4: data.label", "no column 'kind'", "are: uid"]),
    "mistyped label": (flowers(), {"label": "Y"}, ["data.label", "'Y'", "Did you mean `y`?"]),
    "no header": ("5.1,rose\n4.9,lily\n" * 20, {}, ["no column 'y'"]),
    "numbers for a header": ("1,2,3,rose\n4,5,6,lily\n" * 20, {}, ["no column 'y'", "header row?"]),
    "empty label": (flowers().assign(y=""), {}, ["data.label", "'y'", "empty in every row"]),
    "one class": (flowers().assign(y="rose"), {}, ["data.label", "'rose' in every labelled row", "two classes"]),
    "label like an id": (flowers().assign(y=[f"n{i}" for i in range(120)]), {}, ["120 different values", "no classes"]),
    "regression on text": (flowers(), {"task": "regression"}, ["task", "contradicts", "'y'", "a.csv row 2: '"]),
    "regression on truths": (
        flowers().assign(y=[True, False] * 60), {"task": "regression"}, ["task: regression contradicts", "text"],
    ),
    "classification of a quantity": (
        flowers().assign(y=QUANTITY), {"task": "classification"}, ["task", "120 different numbers", "task: regression"],
    ),
    "a word among numbers to predict": (
        spoilt(y=dict(enumerate(QUANTITY)) | {7: "tall"}), {}, ["data.label", "a.csv row 9 holds 'tall'", "no number"],
    ),
    "an infinite quantity": (spoilt(y=dict(enumerate(QUANTITY)) | {7: np.inf}), {}, ["a.csv row 9", "infinite"]),
    "a quantity below 0 on a log scale": (
        flowers().assign(y=QUANTITY - 1), {"label_scale": "log"},
        ["data.label_scale", "a.csv row 2 holds '-1.0'", "and 5 more"],
    ),
    "a constant quantity": (flowers().assign(y=2.5), {"task": "regression"}, ["2.5 in every row", "nothing to learn"]),
    "a log scale for classes": (flowers(), {"label_scale": "log"}, ["data.label_scale", "classification"]),
    "a positive class that is none": (flowers(), {"positive": "tulip"}, ["data.positive", "'lily' and 'rose'"]),
    "a positive class of three": (
        spoilt(y={0: "iris", 1: "iris", 2: "iris"}), {"positive": "rose"}, ["data.positive", "two classes", "has 3"],
    ),
    "a positive quantity": (flowers().assign(y=QUANTITY), {"positive": "1"}, ["data.positive", "regression"]),
    "a yes/no label that says maybe": (
        flowers().assign(a="yes", b=["maybe", *["no"] * 119]), {"label": ("a", "b")},
        ["data.label.1", "'b'", "a.csv row 2 holds 'maybe'", "neither yes nor no"],
    ),
    "an empty one of several labels": (
        flowers().assign(a=["yes", "no"] * 60, b=""), {"label": ("a", "b")}, ["data.label.1", "'b'", "empty in every"],
    ),
    "regression on several labels": (
        flowers().assign(a=["1", "0"] * 60), {"label": ("a",), "task": "regression"}, ["task", "several yes/no labels"],
    ),
    "the same label twice": (flowers(), {"label": ("y", "y")}, ["data.label", "'y' is named more than once"]),
    "unknown id": (flowers(), {"id": "uuid"}, ["data.id", "no column 'uuid'", "Did you mean `uid`?"]),
    "repeated ids": (spoilt(uid={5: "u0"}), {}, ["data.id", "'u0'", "a.csv row 2", "a.csv row 7"]),
    "missing ids": (spoilt(uid={5: ""}), {}, ["data.id", "a.csv row 7"]),
    "unknown group": (flowers(), {"group": "usr"}, ["data.group", "no column 'usr'"]),
    "unknown excluded column": (flowers(), {"exclude": ("sise",)}, ["data.exclude.0", "Did you mean `size`?"]),
    "unknown included column": (flowers(), {"include": ("sise",)}, ["data.include.0", "Did you mean `size`?"]),
    "unknown typed column": (flowers(), {"columns": {"sise": "number"}}, ["data.columns.sise", "Did you mean `size`?"]),
    "unknown weight": (flowers(), {"weight": {"column": "w"}}, ["data.weight.column", "no column 'w'"]),
    "unknown column in a weight rule": (
        flowers(), {"weight": {"where": "sise > 1", "value": 2.0}}, ["data.weight.where", "Did you mean `size`?"],
    ),
    "a negative weight": (
        flowers().assign(w=[-1, *[1] * 119]), {"weight": {"column": "w"}}, ["a.csv row 2 holds '-1'", "below 0"],
    ),
    "a missing weight": (
        flowers().assign(w=[np.nan, *[1] * 119]), {"weight": {"column": "w"}}, ["a.csv row 2", "no weight"],
    ),
    "weights of 0": (flowers().assign(w=0), {"weight": {"column": "w"}}, ["data.weight.column", "0 in every row"]),
    "label included": (flowers(), {"include": ("y", "size")}, ["data.include.0", "'y' is the label"]),
    "included and excluded": (flowers(), {"include": ("size",), "exclude": ("size",)}, ["'size'", "Choose one"]),
    "included though constant": (flowers().assign(size=1), {"include": ("size",)}, ["data.include.0", "constant"]),
    "included though empty": (flowers().assign(size=""), {"include": ("size",)}, ["data.include.0", "empty in every"]),
    "no feature": (flowers(), {"exclude": ("size", "colour")}, ["no column is left as a feature"]),
    "a word in a declared number": (
        spoilt(size={3: "big", 9: "tall"}), {"columns": {"size": "number"}},
        ["data.columns.size", "a.csv row 5 holds 'big'", "no number", "also a.csv row 11"],
    ),
    "a word in a guessed number": (
        spoilt(size={3: "big"}), {}, ["data.columns.size", "a.csv row 5 holds 'big'", "{size: category}"],
    ),
    "a word in a declared truth": (flowers(), {"columns": {"colour": "boolean"}}, ["neither true nor false", "row 2"]),
    "a day that does not exist": (
        flowers().assign(day="2024-02-30"), {"columns": {"day": "date"}}, ["'2024-02-30'", "ISO 8601"],
    ),
    "a day in another form": (
        flowers().assign(day="2024-02-03"), {"columns": {"day": {"date": "%d/%m/%Y"}}}, ["'%d/%m/%Y'", "'2024-02-03'"],
    ),
    "a date format that is none": (
        flowers().assign(day="2024-02-03"), {"columns": {"day": {"date": "%Q"}}}, ["'%Q' is no date format"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("frame", "keys", "fragments"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_data_that_cannot_mean_what_was_written_are_refused(
    build: Any, frame: Any, keys: dict[str, Any], fragments: list[str]
) -> None:
    named = {} if isinstance(frame, str) else {"id": "uid"}
    text = refusal(build({"a.csv": frame}, **(named | keys)))
    assert all(fragment in text for fragment in fragments), text


def test_a_wrong_cell_is_found_in_every_split(build: Any) -> None:
    for row in range(0, 120, 7):
        assert f"a.csv row {row + 2} holds 'big'" in refusal(build({"a.csv": spoilt(size={row: "big"})}, id="uid"))


def test_all_problems_come_in_one_answer(build: Any) -> None:
    frame = spoilt(size={3: "big"}, uid={5: "u0"}).assign(w=[-1, *[1] * 119])
    keys = {
        "id": "uid",
        "columns": {"size": "number", "sise": "number"},
        "positive": "tulip",
        "weight": {"column": "w"},
    }
    text = refusal(build({"a.csv": frame}, **keys))
    for key in ("data.columns.size", "data.columns.sise", "data.positive", "data.weight.column", "data.id"):
        assert f"{key}: " in text, text
    assert text.count("data.id: ") == 1


def test_every_broken_file_is_named_at_once(build: Any) -> None:
    text = refusal(build({"a.csv": "a,y\n1\n", "b.csv": ""}, source=("a.csv", "b.csv"), extra=("c.csv",)))
    assert all(name in text for name in ("a.csv row 2", "b.csv", "c.csv"))


# Small and strange data.


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_tiny_tables_train_or_are_refused_in_words(build: Any, n: int) -> None:
    project = build({"a.csv": flowers(n)}, id="uid")
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
def test_no_table_ends_in_anything_but_a_dataset_or_a_refusal(build: Any, columns: Any, label: Any) -> None:
    frame = pd.DataFrame({f"x{i}": cells for i, cells in enumerate(columns)} | {"y": label}, dtype=object)
    project = build({"a.csv": frame})
    if prepare(project).problems:
        assert "project.yaml" in refusal(project)
        return
    for part in load_dataset(project).parts.values():
        assert np.isfinite(part.x).all()
        assert len(part.x) == len(part.y) == len(part.frame) == len(part.ids)
