"""Whether two data sets are the same to the last bit, and how to load one with care and without a cache."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data import load_dataset
from mlproj.data.dataset import Dataset
from mlproj.spec.project import Project


def load_plainly(project: Project, store: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Dataset:
    with monkeypatch.context() as context:
        context.setenv("MLPROJ_CACHE", "0")
        return load_dataset(project, store=store, **options)


def assert_same(found: Any, wanted: Any, where: str = "") -> None:
    """Equal in every attribute at any depth, arrays bit for bit and frames with their types."""
    match wanted:
        case np.ndarray():
            assert wanted.dtype == found.dtype or wanted.dtype.kind == "U", where
            np.testing.assert_array_equal(found, wanted, where, strict=wanted.dtype.kind != "U")
        case pd.DataFrame():
            pd.testing.assert_frame_equal(found, wanted)
        case dict():
            assert list(found) == list(wanted), where
            for key in wanted:
                assert_same(found[key], wanted[key], f"{where}.{key}")
        case _ if is_dataclass(wanted):
            for field in fields(wanted):
                assert_same(getattr(found, field.name), getattr(wanted, field.name), f"{where}.{field.name}")
        case _:
            assert found == wanted, where
            assert type(found) is type(wanted), where
