"""Projects on small files, written where they are needed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data import load_dataset
from mlproj.errors import InvalidInput
from mlproj.spec.data import Data, Splits
from mlproj.spec.project import Origin, Project

Build = Callable[..., Project]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Makes a project in a new folder: files by name, then keys of `data:`, then `task` and `splits`.

    A file is text, bytes or a frame; `files={"a.csv": …}` is the source unless `source` says otherwise.
    """

    def make(
        files: Mapping[str, Any],
        *,
        task: Any = None,
        splits: Mapping[str, Any] | None = None,
        name: str = "demo",
        **data: Any,
    ) -> Project:
        for file, content in files.items():
            write(tmp_path / file, content)
        data = {"source": next(iter(files), "sklearn:iris"), "label": "y"} | data
        lines = {f"data.{key}": row for row, key in enumerate(data, start=3)}
        project = Project(name=name, task=task, data=Data(**data), splits=Splits(**(splits or {})))
        return project.located(Origin(tmp_path / "project.yaml", {"data": 2} | lines))

    return make


def write(path: Path, content: Any) -> None:
    """Text, bytes or a frame into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    match content:
        case pd.DataFrame():
            content.to_parquet(path, index=False) if path.suffix == ".parquet" else content.to_csv(path, index=False)
        case bytes():
            path.write_bytes(content)
        case _:
            path.write_text(content, encoding="utf-8")


@pytest.fixture
def make_flowers() -> Callable[..., pd.DataFrame]:
    """Flowers that can be told apart by size, for any number of rows; the first n rows are always the same."""

    def make(n: int = 120) -> pd.DataFrame:
        rng = np.random.default_rng(0)
        kind = rng.integers(0, 2, 400)
        columns = {
            "uid": [f"u{i}" for i in range(400)],
            "size": rng.normal(size=400).round(3) + kind,
            "colour": rng.choice(["red", "blue", "white"], 400),
            "y": np.array(["lily", "rose"])[kind],
        }
        return pd.DataFrame(columns)[:n]

    return make


@pytest.fixture
def flowers(make_flowers: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """120 flowers."""
    return make_flowers()


@pytest.fixture
def refusal() -> Callable[..., str]:
    """What loading a project's data is refused with."""

    def load(project: Project, **options: Any) -> str:
        with pytest.raises(InvalidInput) as caught:
            load_dataset(project, **options)
        return str(caught.value)

    return load
