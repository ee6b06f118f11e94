"""Where there is no room for temporary files, a command says so and what to do."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fulldisk import full_disk
from safetensors.numpy import save_file

import mlproj
from mlproj.errors import TrackingError
from mlproj.workflow.record import staging_folder

MakeFlowers = Callable[..., Path]


def test_a_full_disk_is_named_whoever_met_it_and_nothing_is_left(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        pytest.raises(TrackingError, match=r"(?s)in .*Make room there, or .* TMPDIR"),
        full_disk(),
        staging_folder() as at,
    ):
        save_file({"a": np.zeros(10_000)}, at / "a.safetensors")
    with pytest.raises(TrackingError, match="TMPDIR"), full_disk(), staging_folder() as at:
        (at / "a.txt").write_text("a" * 10_000)
    assert list(tmp_path.iterdir()) == []


def test_a_search_says_how_to_go_on(make_flowers: MakeFlowers, monkeypatch: Any) -> None:
    home, before = make_flowers(), tempfile.gettempdir()
    monkeypatch.setattr(tempfile, "tempdir", before)  # which brings it back after the test, whatever happens in it
    options = ["training.epochs=2", "search={trials: 2, space: {training.learning_rate: {log: [0.001, 0.1]}}}"]
    with pytest.raises(TrackingError, match=r"(?s)TMPDIR.*--resume"):
        mlproj.search(home, set=options, workers=1, on_start=lambda _: setattr(tempfile, "tempdir", str(home / "no")))
    tempfile.tempdir = before
    assert mlproj.search(home, resume=True, workers=1).found.best
