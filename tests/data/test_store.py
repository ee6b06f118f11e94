"""The stored deal: whole or not at all, the same for all who deal at once, and honest about damage."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlproj.data.store import StoredDeal, deal_file, find_units, lock_deal, read_deal, sort_units, write_deal
from mlproj.errors import InvalidInput, TrackingError
from mlproj.spec.project import Origin, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.model_validate({"name": "cats", "data": {"source": "a.csv", "label": "y"}})
    return project.located(Origin(tmp_path / "project.yaml"))


@pytest.fixture
def stored() -> StoredDeal:
    return StoredDeal(
        np.array(["a", "b\n,ü", "c"]),
        np.array(["train", "dev", "test"]),
        seed=7,
        redraws=1,
        id_columns=("x", "y"),
        requested={"splits.dev": 0.2, "splits.column": None, "splits.stratify": True},
        sizes={"train": 1, "dev": 1},
        shares={"dev": 0.1, "test": 1 / 3, "train_dev": 0.0},
        cuts={"dev": 19_000.5},
        dealt="2024-01-31",
    )


def test_a_deal_comes_back_as_it_was(tmp_path: Path, project: Project, stored: StoredDeal) -> None:
    file = deal_file(tmp_path / "mlruns" / "splits", "cats")
    assert read_deal(file, project) is None
    write_deal(file, stored)
    found = read_deal(file, project)
    assert found is not None
    assert found.digest == stored.digest
    for name, value in vars(stored).items():
        assert (
            np.array_equal(value, getattr(found, name)) if name in ("units", "split") else value == getattr(found, name)
        )
    assert [path.name for path in file.parent.iterdir()] == ["cats.parquet"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all", None])
def test_a_damaged_deal_names_the_file_and_the_next_step(
    tmp_path: Path, project: Project, content: bytes | None
) -> None:
    file = tmp_path / "mlruns" / "splits" / "cats.parquet"
    file.parent.mkdir(parents=True)
    if content is None:
        pq.write_table(pa.table({"unit": ["a"], "split": ["dev"]}), file)
    else:
        file.write_bytes(content)
    with pytest.raises(
        InvalidInput, match=r"^mlruns/splits/cats\.parquet: the stored splits cannot be read .*\n.*--redraw"
    ):
        read_deal(file, project)


def test_a_deal_that_was_edited_by_hand_is_refused(tmp_path: Path, project: Project, stored: StoredDeal) -> None:
    file = tmp_path / "cats.parquet"
    write_deal(file, stored)
    table = pq.read_table(file)
    moved = table.set_column(1, "split", pa.array(["train", "train", "test"]))
    pq.write_table(moved.replace_schema_metadata(table.schema.metadata), file)
    with pytest.raises(InvalidInput, match="does not match its own digest"):
        read_deal(file, project)


def test_a_deal_of_a_later_version_is_refused(tmp_path: Path, project: Project, stored: StoredDeal) -> None:
    file = tmp_path / "cats.parquet"
    write_deal(file, stored)
    table = pq.read_table(file)
    facts: dict[str, Any] = json.loads(table.schema.metadata[b"mlproj.splits"]) | {"version": 99}
    pq.write_table(table.replace_schema_metadata({b"mlproj.splits": json.dumps(facts).encode()}), file)
    with pytest.raises(InvalidInput, match="version 99 is newer than this mlproj knows"):
        read_deal(file, project)


def test_a_write_that_fails_leaves_the_old_deal(tmp_path: Path, project: Project, stored: StoredDeal) -> None:
    file = tmp_path / "cats.parquet"
    write_deal(file, stored)
    with pytest.raises(TypeError):
        write_deal(file, StoredDeal(stored.units, stored.split, requested={"splits.dev": object()}))
    found = read_deal(file, project)
    assert found is not None
    assert found.digest == stored.digest
    assert [path.name for path in tmp_path.iterdir()] == ["cats.parquet"]


def test_names_that_are_no_file_names_get_a_file_of_their_own() -> None:
    store = Path("splits")
    files = {
        deal_file(store, name).name for name in ("cats", "Größe", "Gr__e", "..", ".hidden", "a b", "a_b", "x" * 200)
    }
    assert len(files) == 8
    assert all(len(name) < 130 and not name.startswith(".") for name in files)


def test_units_are_found_wherever_they_stand(stored: StoredDeal) -> None:
    assert find_units(stored, np.array(["c", "nobody", "a"])).tolist() == [2, -1, 0]
    assert sort_units(np.array(["b", "a", "B"])).tolist() == [2, 1, 0]


DEAL_AT_ONCE = """
import sys
from pathlib import Path
from mlproj.data import load_dataset
from mlproj.spec.project import Project
seed, file, store = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
project = Project.model_validate({"name": "cats", "seed": seed, "data": {"source": file, "label": "y"}})
print(load_dataset(project, store=store).deal.digest)
"""


def test_processes_that_deal_at_once_agree(tmp_path: Path) -> None:
    """Each has a seed of its own, so they agree only if one waited for the other and took its deal."""
    file = tmp_path / "a.csv"
    file.write_text("x,y\n" + "".join(f"{i},{'abc'[i % 3]}\n" for i in range(300)))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", DEAL_AT_ONCE, str(seed), str(file), str(tmp_path / "splits")],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for seed in range(3)
    ]
    digests = {process.communicate(timeout=60)[0].strip() for process in running}
    assert len(digests) == 1
    assert "" not in digests


def test_the_lock_makes_its_folder_and_can_be_taken_again(tmp_path: Path) -> None:
    file = deal_file(tmp_path / "deep" / "splits", "cats")
    for _ in range(2):
        with lock_deal(file):
            assert file.with_suffix(".lock").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, stored: StoredDeal) -> None:
    (tmp_path / "mlruns").write_text("a file where a folder should be")
    file = deal_file(tmp_path / "mlruns" / "splits", "cats")
    with pytest.raises(TrackingError, match=r"splits cannot be stored in .*splits: .*\. Free or unlock"):
        write_deal(file, stored)
    with pytest.raises(TrackingError, match="cannot be stored"), lock_deal(file):
        pass
