"""The binary cache: a second loading gives the same data set without reading the files."""

import mmap
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from same_data import assert_same, load_plainly

from mlproj.data import cache, cache_key, load_dataset
from mlproj.data.dataset import Dataset
from mlproj.data.sources.sklearn import BUNDLED
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project


@pytest.fixture(autouse=True)
def _new_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_key, "SETTLED_NS", 0)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "mlruns" / "splits"


def entries(store: Path) -> list[Path]:
    return sorted((store.parent / "cache" / "data").glob("*"))


def is_cached(dataset: Dataset) -> bool:
    """Whether the inputs are mapped from a file rather than made."""
    return all(isinstance(_origin(part.x), mmap.mmap) for part in dataset.parts.values())


def _origin(array: Any) -> Any:
    """What an array, or a view of one, takes its memory from."""
    while isinstance(array, np.ndarray | memoryview):
        array = array.base if isinstance(array, np.ndarray) else array.obj
    return array


def table(n: int = 160) -> pd.DataFrame:
    """Every kind of column, some cells missing."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(size=n), "n": random.integers(0, 9, n)})
    frame["kind"] = random.choice(["oak", "elm", "ash"], n)
    frame["text"] = random.choice(["the leaf is long and green", "a short thorn was found here"], n)
    frame["day"] = pd.date_range("2024-01-01", periods=n).astype(str)
    frame["who"] = random.choice([f"p{i}" for i in range(30)], n)
    frame["w"], frame["uid"] = random.uniform(0.5, 2, n), [f"u{i}" for i in range(n)]
    frame["y"] = np.where(frame["size"] > 0, "yes", "no")
    frame["z"], frame["price"] = np.where(frame["n"] > 4, "1", "0"), frame["size"] * 3 + 10
    frame.loc[::7, "size"], frame.loc[::9, "kind"], frame.loc[::11, "z"] = np.nan, None, None
    return frame


CASES: dict[str, dict[str, Any]] = {
    "classes": {},
    "three classes": {"label": "kind", "id": "uid"},
    "regression": {"label": "price", "exclude": ["w"]},
    "log regression": {"label": "w", "label_scale": "log"},
    "several labels": {"label": ["y", "z"]},
    "groups": {"group": "who"},
    "time": {"time": "day"},
    "weights": {"weight": {"column": "w"}, "id": "uid"},
    "ignored": {"columns": {"text": "ignore", "n": "category"}},
}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.feather", "a.jsonl"])
@pytest.mark.parametrize("case", CASES)
def test_a_cached_data_set_equals_the_one_that_was_read(
    build: Any, store: Path, tmp_path: Path, case: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = {"csv": "to_csv", "gz": "to_csv", "parquet": "to_parquet", "feather": "to_feather", "jsonl": "to_json"}
    project = build({}, source=name, **CASES[case])
    keys: dict[str, Any] = {"index": False} if name.startswith("a.csv") else {}
    keys = {"orient": "records", "lines": True} if name == "a.jsonl" else keys
    getattr(table(), save[name.rpartition(".")[2]])(tmp_path / name, **keys)
    first = load_dataset(project, store=store)
    wanted = load_plainly(project, store, monkeypatch)
    found = load_dataset(project, store=store)
    assert is_cached(found)
    assert not is_cached(first)
    assert not is_cached(wanted)
    assert_same(found, wanted)
    assert found.deal.digest == wanted.deal.digest


def test_parts_extra_files_and_corrections_come_out_of_the_cache_as_they_went_in(
    build: Any, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = table()
    fix = f"id,label,was,by,date\nu3,{'no' if frame['y'][3] == 'yes' else 'yes'},{frame['y'][3]},me,2026-01-01\n"
    files = {"d/1.csv": frame[:90], "d/2.csv": frame[90:], "more.csv": table(60).assign(uid=lambda f: "x" + f["uid"])}
    keys = {"source": {"path": "d", "where": "n < 8"}, "extra": ["more.csv"], "id": "uid"}
    project = build(files | {"fix.csv": fix}, corrections="fix.csv", **keys)
    load_dataset(project, store=store)
    found = load_dataset(project, store=store)
    assert is_cached(found)
    assert_same(found, load_plainly(project, store, monkeypatch))
    (tmp_path / "fix.csv").write_text(fix.replace("u3", "u4").replace(",yes,no,", ",no,yes,"))
    assert not is_cached(_or_refused(project, store))


def _or_refused(project: Project, store: Path) -> Dataset:
    try:
        return load_dataset(project, store=store)
    except InvalidInput:
        return Dataset(project, {"train": None}, *[None] * 7)  # type: ignore[arg-type, dict-item]


def test_arrays_of_numpy_come_out_of_the_cache_as_they_went_in(
    build: Any, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", X=random.normal(size=(90, 3)).astype(np.float32), y=random.integers(0, 2, 90))
    project = build({}, source="a.npz", label=None)
    load_dataset(project, store=store)
    found = load_dataset(project, store=store)
    assert is_cached(found)
    assert_same(found, load_plainly(project, store, monkeypatch))


def rewritten(project: Project, root: Path) -> Project:
    rewrite(root / "a.csv")
    return project


def rewrite(path: Path) -> None:
    """The same size and the same date, another content."""
    state, text = path.stat(), path.read_text()
    path.write_text(text.replace("oak", "kao"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


CHANGES: dict[str, Callable[[Project, Path], Project]] = {
    "a cell": rewritten,
    "a column that is left out": lambda project, _: project.changed(
        data=project.data.model_copy(update={"exclude": ("n",)})
    ),
    "a slice": lambda project, _: project.changed(slices={"none": "n > 99"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(build: Any, store: Path, tmp_path: Path, change: str) -> None:
    project = build({"a.csv": table()}, id="uid")
    load_dataset(project, store=store)
    changed = CHANGES[change](project, tmp_path)
    assert not is_cached(load_dataset(changed, store=store))
    assert is_cached(load_dataset(changed, store=store))


def test_a_file_that_changed_a_moment_ago_is_not_cached(
    build: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_key, "SETTLED_NS", 2_000_000_000)
    load_dataset(build({"a.csv": table()}), store=store)
    assert not entries(store)


def test_a_file_that_changes_while_it_is_read_is_not_cached(
    build: Any, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = build({"a.csv": table()})
    load_dataset(project, store=store, before_saving=lambda _: rewrite(tmp_path / "a.csv"))
    assert not entries(store)


def test_new_rows_are_said_to_be_new_once_and_not_out_of_the_cache(
    build: Any, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = build({"a.csv": table(150)}, id="uid")
    load_dataset(project, store=store)
    table().to_csv(tmp_path / "a.csv", index=False)
    grown = load_dataset(project, store=store)
    assert any("New since" in warning for warning in grown.warnings)
    assert_same(load_dataset(project, store=store), load_plainly(project, store, monkeypatch))


def test_a_redraw_is_no_matter_of_the_cache(build: Any, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = build({"a.csv": table()}, id="uid")
    before = load_dataset(project, store=store)
    again = load_dataset(project, store=store, redraw=True)
    found = load_dataset(project, store=store)
    assert again.dev_hash != before.dev_hash
    assert is_cached(found)
    assert_same(found, load_plainly(project, store, monkeypatch))


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def _flip(place: float) -> Callable[[Path], None]:
    def flip(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[int(place * (len(content) - 1))] ^= 1
        file.write_bytes(content)

    return flip


@pytest.mark.parametrize("damage", [_cut, _flip(0), _flip(0.001), _flip(1), lambda file: file.write_bytes(b"")])
def test_a_damaged_entry_is_read_over_and_written_anew(
    build: Any, store: Path, damage: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = build({"a.csv": table()})
    load_dataset(project, store=store)
    damage(entries(store)[0])
    again = load_dataset(project, store=store)
    assert not is_cached(again)
    assert_same(again, load_plainly(project, store, monkeypatch))
    assert is_cached(load_dataset(project, store=store))
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def locked(store: Path) -> None:
    folder = store.parent / "cache"
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")


@pytest.mark.usefixtures("locked")
def test_a_cache_that_cannot_be_written_is_done_without(build: Any, store: Path) -> None:
    project = build({"a.csv": table()})
    assert load_dataset(project, store=store).data_hash == load_dataset(project, store=store).data_hash


def test_loading_that_may_not_write_writes_no_cache_and_finds_one(build: Any, store: Path) -> None:
    project = build({"a.csv": table()})
    load_dataset(project, store=store, save=False)
    assert not store.parent.exists()
    load_dataset(project, store=store)
    assert is_cached(load_dataset(project, store=store, save=False))


def test_only_the_entries_used_last_are_kept(build: Any, store: Path) -> None:
    project = build({"a.csv": table()}, id="uid")
    variants = [project.changed(slices={f"s{i}": "n > 1"}) for i in range(cache.MAX_FILES + 1)]
    for variant in variants:
        load_dataset(variant, store=store)
        load_dataset(variants[0], store=store)  # used all the time, so it stays
    assert len(entries(store)) == cache.MAX_FILES
    assert is_cached(load_dataset(variants[0], store=store))
    assert not is_cached(load_dataset(variants[1], store=store))


def test_what_a_killed_process_left_goes_with_time(build: Any, store: Path) -> None:
    folder = store.parent / "cache" / "data"
    folder.mkdir(parents=True)
    old, fresh = folder / ".a.bin.1.partial", folder / ".b.bin.2.partial"
    for file in (old, fresh):
        file.write_text("half")
    os.utime(old, (0, 0))
    load_dataset(build({"a.csv": table()}), store=store)
    assert fresh.exists()
    assert not old.exists()


def test_raw_cells_are_read_when_asked_for_and_only_then(build: Any, store: Path, tmp_path: Path) -> None:
    project = build({"a.csv": table()}, id="uid")
    load_dataset(project, store=store)
    part = load_dataset(project, store=store).parts["train"]
    assert "frame" not in part.__dict__
    assert len(part.without_cells().frame.columns) == 0
    assert "frame" not in part.__dict__
    assert "frame" not in pickle.loads(pickle.dumps(part)).__dict__
    rewrite(tmp_path / "a.csv")
    with pytest.raises(InvalidInput, match="changed while it was in use"):
        _ = part.frame


def test_some_rows_of_a_cached_part_are_those_of_the_part_that_was_read(build: Any, store: Path) -> None:
    project = build({"a.csv": table()}, id="uid", group="who")
    read = load_dataset(project, store=store).parts["train"]
    found = load_dataset(project, store=store).parts["train"]
    first, again = np.array([5, 1, 9]), np.array([2, 0])
    taken = found.take(first).take(again)
    assert "frame" not in found.__dict__
    assert_same(taken, read.take(first).take(again))
    assert_same(taken.frame, read.frame.iloc[first].iloc[again])


def test_the_test_set_is_not_in_the_cache(build: Any, store: Path) -> None:
    frame = table().assign(secret="plain")
    project = build({"a.csv": frame}, id="uid", columns={"text": "ignore"})
    deal = load_dataset(project, store=store).deal
    from mlproj.data.arrays_file import read_arrays

    arrays, document = read_arrays(entries(store)[0])
    n_seen = int(deal.seen.sum())
    assert "test" not in document["parts"]
    assert sum(len(arrays[f"{n}.x"]) for n in document["parts"]) == n_seen
    assert {name.partition(".")[0] for name in arrays} <= {"split", "ids", "units", "stored", *document["parts"]}


def test_writing_into_a_cached_array_changes_nothing_for_others(build: Any, store: Path) -> None:
    project = build({"a.csv": table()})
    load_dataset(project, store=store)
    x = load_dataset(project, store=store).parts["train"].x
    x[:] = 0
    assert load_dataset(project, store=store).parts["train"].x.any()


def test_what_is_no_matter_of_files_is_not_cached(build: Any, store: Path, tmp_path: Path) -> None:
    (tmp_path / "cached_rows.py").write_text(
        "import pandas as pd\ndef read():\n    return pd.DataFrame(dict(a=range(60), b=range(60)))\n"
    )
    load_dataset(build({}, source="python:cached_rows:read", label="a"), store=store)
    assert not entries(store)


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_what_scikit_learn_ships_is_cached(build: Any, store: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = build({}, source=f"sklearn:{name}", label=None)
    load_dataset(project, store=store)
    found = load_dataset(project, store=store)
    assert is_cached(found)
    assert_same(found, load_plainly(project, store, monkeypatch))
