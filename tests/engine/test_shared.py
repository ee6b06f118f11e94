"""A data set goes through a file without a name and comes out the same."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlproj.data import Dataset
from mlproj.engine.shared import read_shared, write_shared
from mlproj.errors import MlprojError


def test_training_finds_what_it_needs_and_no_raw_cells(dataset: Dataset) -> None:
    with write_shared(dataset) as file:
        shared = read_shared(file.fileno())
    assert shared.project == dataset.project
    assert (shared.encoder, shared.target, shared.data_hash) == (dataset.encoder, dataset.target, dataset.data_hash)
    for name, part in dataset.parts.items():
        other = shared.parts[name]
        assert all(np.array_equal(getattr(part, key), getattr(other, key)) for key in ("ids", "x", "y", "source"))
        assert other.frame.shape == (len(part), 0)


def test_what_one_worker_writes_no_other_sees(dataset: Dataset) -> None:
    with write_shared(dataset) as file:
        one, other = read_shared(file.fileno()), read_shared(file.fileno())
    x = one.parts["train"].x
    assert x.flags.writeable
    assert x.ctypes.data % 64 == 0
    assert not np.shares_memory(x, other.parts["train"].x)
    x[:] = 7
    assert np.array_equal(other.parts["train"].x, dataset.parts["train"].x)


def test_an_array_that_is_read_only_stays_so(dataset: Dataset) -> None:
    train = dataset.parts["train"]
    weight = np.ones(len(train))
    weight.flags.writeable = False
    parts = {**dataset.parts, "train": replace(train, weight=weight)}
    with write_shared(replace(dataset, parts=parts)) as file:
        shared = read_shared(file.fileno()).parts["train"].weight
    assert shared is not None
    assert not shared.flags.writeable


def test_no_file_lies_around(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with write_shared(dataset):
        assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(MlprojError, match=r"none: No such file.*\n.*TMPDIR.*--workers 1"):
        write_shared(dataset)
