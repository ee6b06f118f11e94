"""Corrected labels in place: for every split alike, without moving an example, and refused where they do not fit."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.data import Dataset, examine, load_dataset, open_test
from mlproj.data.corrections_file import Correction, write_corrections
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project

Build = Callable[..., Project]
SPLITS = ("train", "dev", "test")
HEAD = "id,label,was,by,date\n"


def labels(dataset: Dataset) -> dict[str, str]:
    """Class of every example that may be seen, by id."""
    classes = dataset.target.classes[0]
    return {
        str(name): classes[int(code)]
        for part in dataset.parts.values()
        for name, code in zip(part.ids, part.y[:, 0], strict=True)
    }


def flip(label: str) -> str:
    return "rose" if label == "lily" else "lily"


def some_of(project: Project, store: Path, split: str, n: int = 2) -> list[str]:
    deal = load_dataset(project, store=store).deal
    return [str(name) for name in deal.ids[deal.split == split][:n]]


def corrected(build: Build, frame: pd.DataFrame, text: str, **keys: Any) -> Project:
    return build({"a.csv": frame, "corrections.csv": text}, corrections="corrections.csv", **({"id": "uid"} | keys))


def test_each_split_gets_its_corrected_labels_and_test_stays_sealed(
    build: Build, flowers: pd.DataFrame, tmp_path: Path
) -> None:
    store, now = tmp_path / "splits", dict(zip(flowers.uid, flowers.y, strict=True))
    plain = build({"a.csv": flowers}, id="uid")
    chosen = {split: some_of(plain, store, split) for split in SPLITS}
    rows = [Correction(name, flip(now[name]), now[name]) for names in chosen.values() for name in names]
    project = corrected(build, flowers, "")
    write_corrections(tmp_path / "corrections.csv", rows)
    dataset, before = load_dataset(project, store=store), load_dataset(plain, store=store)
    assert dataset.corrections == {"train": 2, "dev": 2, "test": 2}
    found, sealed = labels(dataset), open_test(project, store=store)
    for split in ("train", "dev"):
        assert all(found[name] == flip(now[name]) for name in chosen[split])
    names = sealed.labels.y[np.isin(sealed.ids, chosen["test"])].tolist()
    assert sorted(names) == sorted(flip(now[name]) for name in chosen["test"])
    assert (dataset.dev_hash != before.dev_hash, dataset.data_hash != before.data_hash) == (True, True)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 79), min_size=1, max_size=30))
def test_everything_but_the_corrected_labels_stays_as_it_was(
    build: Build, make_flowers: Callable[..., pd.DataFrame], tmp_path: Path, rows: set[int]
) -> None:
    frame = make_flowers(80)
    before = load_dataset(build({"a.csv": frame}, id="uid"))
    project = corrected(build, frame, "")
    wanted = [Correction(frame.uid[row], flip(frame.y[row]), frame.y[row]) for row in rows]
    write_corrections(tmp_path / "corrections.csv", wanted)
    after = load_dataset(project)
    assert after.deal.digest == before.deal.digest
    assert {name: part.ids.tolist() for name, part in after.parts.items()} == {
        name: part.ids.tolist() for name, part in before.parts.items()
    }
    assert all(np.array_equal(after.parts[name].x, part.x) for name, part in before.parts.items())
    now = labels(before) | {row.id: row.label for row in wanted if row.id in labels(before)}
    assert labels(after) == now


def test_a_first_deal_with_corrections_is_the_deal_without_them(build: Build, flowers: pd.DataFrame) -> None:
    text = HEAD + "".join(f"{name},{flip(y)},{y},,\n" for name, y in zip(flowers.uid[:50], flowers.y[:50], strict=True))
    before, after = load_dataset(build({"a.csv": flowers}, id="uid")), load_dataset(corrected(build, flowers, text))
    assert np.array_equal(before.deal.split, after.deal.split)


def test_ids_made_of_the_content_outlive_a_correction(build: Build, flowers: pd.DataFrame) -> None:
    frame = flowers.drop(columns="uid")
    before = load_dataset(build({"a.csv": frame}))
    name = str(before.parts["dev"].ids[0])
    text = f"{HEAD}{name},{flip(labels(before)[name])},{labels(before)[name]},,\n"
    after = load_dataset(corrected(build, frame, text, id=None))
    assert labels(after)[name] != labels(before)[name]
    assert after.deal.ids.tolist() == before.deal.ids.tolist()


def test_corrections_of_train_alone_leave_dev_comparable(build: Build, flowers: pd.DataFrame, tmp_path: Path) -> None:
    plain = build({"a.csv": flowers}, id="uid")
    name = some_of(plain, tmp_path / "s", "train", 1)[0]
    y = flowers.y[flowers.uid == name].item()
    after, before = load_dataset(corrected(build, flowers, f"{HEAD}{name},{flip(y)},{y},,\n")), load_dataset(plain)
    assert after.dev_hash == before.dev_hash
    assert after.data_hash != before.data_hash


def test_corrections_of_test_alone_change_nothing_that_is_trained_or_compared(
    build: Build, flowers: pd.DataFrame, tmp_path: Path
) -> None:
    name = some_of(build({"a.csv": flowers}, id="uid"), tmp_path / "s", "test", 1)[0]
    y = flowers.y[flowers.uid == name].item()
    after = load_dataset(corrected(build, flowers, f"{HEAD}{name},{flip(y)},{y},,\n"))
    before = load_dataset(build({"a.csv": flowers}, id="uid"))
    assert (after.data_hash, after.corrections_digest) == (before.data_hash, "")
    assert after.corrections["test"] == 1


def test_weights_that_follow_the_label_follow_the_corrected_one(build: Build, flowers: pd.DataFrame) -> None:
    name, y = flowers.uid[0], flowers.y[0]
    rule = {"where": "y == 'rose'", "value": 10.0}
    after = load_dataset(corrected(build, flowers, f"{HEAD}{name},{flip(y)},{y},,\n", weight=rule))
    part = next((p for p in after.parts.values() if name in p.ids), None)
    assert part is None or part.weight is not None
    if part is not None and part.weight is not None:
        assert part.weight[part.ids == name].item() == (10.0 if flip(y) == "rose" else 1.0)


def numbers(dtype: str) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {"uid": [f"u{i}" for i in range(100)], "x": rng.normal(size=100), "y": rng.normal(size=100)}
    ).astype({"y": dtype})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_corrected_number_leaves_the_other_numbers_exactly_as_they_were(
    build: Build, tmp_path: Path, dtype: str
) -> None:
    frame = numbers(dtype)
    before = load_dataset(build({"a.parquet": frame}, id="uid"))
    name = str(before.parts["dev"].ids[0])
    was = frame.y[frame.uid == name].item()
    text = f"{HEAD}{name},12.5,{was:.12g},,\n"
    after = load_dataset(build({"a.parquet": frame, "c.csv": text}, id="uid", corrections="c.csv"))
    old, new = before.parts["dev"].y[:, 0], after.parts["dev"].y[:, 0]
    assert new[0] == 12.5
    assert np.array_equal(old[1:], new[1:])
    assert np.array_equal(before.parts["train"].y, after.parts["train"].y)


def test_several_labels_name_the_one_that_is_meant(build: Build) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"uid": [f"u{i}" for i in range(80)], "x": rng.normal(size=80)})
    frame["cat"], frame["dog"] = rng.choice(["yes", "no"], 80), rng.choice([0, 1], 80)
    first = frame.index < 3
    frame["cat"], frame["dog"] = frame.cat.where(~first, "no"), frame.dog.where(~first, 0)
    text = "id,label,was,by,date,of\nu0,true,no,,,cat\nu0,1,0,,,dog\n"
    keys: dict[str, Any] = {"id": "uid", "label": ("cat", "dog")}
    after = load_dataset(build({"a.csv": frame, "c.csv": text}, corrections="c.csv", **keys))
    truth = {str(n): y.tolist() for p in after.parts.values() for n, y in zip(p.ids, p.y, strict=True)}
    assert truth.get("u0", [1.0, 1.0]) == [1.0, 1.0]
    assert truth.get("u1", [0.0, 0.0]) == [0.0, 0.0]
    assert sum(after.corrections.values()) == 2


WRONG: Mapping[str, tuple[str, Mapping[str, Any], tuple[str, ...]]] = {
    "an unknown id": ("u999,rose,lily,,", {}, ("corrections.csv:2: id: 'u999' is not in", "Did you mean `u9")),
    "an id of nobody": ("???,rose,lily,,", {}, ("'???' is not in the data", "Delete the line if the example is gone")),
    "a class misspelt": ("u0,Rosé,{y},,", {}, (":2: label: 'Rosé' is none of the classes", "Did you mean `rose`?")),
    "no class at all": ("u0,42,{y},,", {}, ("'42' is none of the classes", "The classes are 'lily' and 'rose'.")),
    "a was of another day": ("u0,{z},{z}!,,", {}, ("the data say", "a.csv row")),
    "the label swapped with was": ("u0,{y},{z},,\nu1,lily,rose!,,", {}, ("u1", "They changed since")),
    "a label named for nothing": ("u0,{z},{y},,", {"of": "y2"}, (":2: of: 'y2' is no label", "Write one of y.")),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_corrections_that_do_not_fit_the_data_are_refused_by_line(
    build: Build, flowers: pd.DataFrame, refusal: Callable[..., str], what: str
) -> None:
    line, more, words = WRONG[what]
    y = flowers.y[0]
    filled = line.format(y=y, z=flip(y)).replace("\n", "".join(f",{v}" for v in more.values()) + "\n")
    head = ",".join([HEAD.strip(), *more])
    text = head + "\n" + filled + "".join(f",{v}" for v in more.values()) + "\n"
    said = refusal(corrected(build, flowers, text))
    assert all(word in said for word in words), said


def test_leading_zeros_and_rounded_ids_are_told(build: Build, refusal: Callable[..., str]) -> None:
    ids = [f"{i:05d}" for i in range(60)] + [f"12345678901234{i}" for i in range(100, 120)]
    frame = pd.DataFrame({"uid": ids, "x": np.arange(80.0), "y": ["a", "b"] * 40})
    keys: dict[str, Any] = {"columns": {"uid": "category"}}
    said = refusal(corrected(build, frame, f"{HEAD}7,a,b,,\n1.23457E+16,a,b,,\n", **keys))
    assert "Did you mean `00007`? Spreadsheets drop leading zeros" in said
    assert ":3: id: '1.23457E+16' is not in the data\n  A spreadsheet rounded it" in said


def test_a_number_must_be_one_that_can_be_learned(build: Build, refusal: Callable[..., str]) -> None:
    frame = numbers("float64").assign(y=lambda f: f.y.abs() + 1)
    was = frame.y[0]
    text = f"{HEAD}u0,many,{was},,\nu1,inf,1,,\nu2,-3,1,,\n"
    said = refusal(corrected(build, frame, text, label_scale="log"))
    assert ":2: label: 'many' is no number above 0 (label_scale is log)" in said
    assert ":3: label: 'inf' is no number" in said
    assert ":4: label: '-3' is no number above 0" in said


def test_an_example_without_a_label_has_none_to_correct(
    build: Build, flowers: pd.DataFrame, refusal: Callable[..., str]
) -> None:
    frame = flowers.assign(y=flowers.y.where(flowers.index > 0))
    said = refusal(corrected(build, frame, f"{HEAD}u0,rose,lily,,\n"))
    assert "'u0' has no label in the data" in said
    assert "Give it a label there, or delete the line." in said


def test_a_file_that_does_not_exist_is_told_with_its_key(build: Build, flowers: pd.DataFrame) -> None:
    project = build({"a.csv": flowers}, id="uid", corrections="gone.csv")
    with pytest.raises(InvalidInput, match=r"project\.yaml:\d+: data\.corrections: gone\.csv does not exist"):
        load_dataset(project)


def test_lines_that_cannot_be_read_and_corrections_that_do_not_fit_are_refused_together(
    build: Build, flowers: pd.DataFrame, refusal: Callable[..., str]
) -> None:
    said = refusal(corrected(build, flowers, f"{HEAD}u0,rose,lily,,soon\nzz,rose,lily,,\nu1,rose\n"))
    assert [line.split(": ")[0] for line in said.splitlines()[::2]] == [f"corrections.csv:{n}" for n in (2, 3, 4)]


def test_corrections_and_data_are_refused_together(
    build: Build, flowers: pd.DataFrame, refusal: Callable[..., str]
) -> None:
    said = refusal(corrected(build, flowers, f"{HEAD}u0,rose,lily,,soon\n", exclude=("nothing",)))
    assert "date: 'soon' is no date" in said
    assert "nothing" in said


def test_ten_thousand_unknown_ids_are_answered_at_once(
    build: Build, flowers: pd.DataFrame, refusal: Callable[..., str]
) -> None:
    said = refusal(corrected(build, flowers, HEAD + "".join(f"x{i},rose,lily,,\n" for i in range(10_000))))
    assert "and 9,980 more problems" in said


def test_a_correction_that_the_data_took_over_changes_nothing_and_is_told(build: Build, flowers: pd.DataFrame) -> None:
    y = flowers.y[0]
    dataset = load_dataset(corrected(build, flowers, f"{HEAD}u0,{y},{flip(y)},,\n"))
    assert sum(dataset.corrections.values()) == 0
    assert any("1 of the file change nothing" in note for note in dataset.notes)


def test_corrections_that_leave_one_class_are_refused(
    build: Build, flowers: pd.DataFrame, refusal: Callable[..., str]
) -> None:
    rows = [f"{n},rose,lily,," for n, y in zip(flowers.uid, flowers.y, strict=True) if y == "lily"]
    said = refusal(corrected(build, flowers, HEAD + "\n".join(rows) + "\n"))
    assert "'y' is 'rose' in every labelled row" in said


def test_check_counts_them_by_split(build: Build, flowers: pd.DataFrame) -> None:
    y = flowers.y[0]
    report = examine(corrected(build, flowers, f"{HEAD}u0,{flip(y)},{y},,\n"))
    assert sum(row["corrected"] for row in report.splits.values()) == 1
    assert any(note.startswith("Corrected labels: train ") for note in report.notes)
    assert "corrected" not in examine(build({"a.csv": flowers}, id="uid")).splits["dev"]
