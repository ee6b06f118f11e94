"""The examples of docs/extend.md do what the page says."""

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pandas as pd
import pytest

from mlproj.data import load_dataset
from mlproj.data.sources import registry
from mlproj.spec.data import Data
from mlproj.spec.load import load_project
from mlproj.spec.project import Project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extend.md"


def test_a_source_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = re.search(r"<!-- example: source -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert example
    (tmp_path / "my_package.py").write_text(example[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("orc", "my_package:OrcSource", registry.GROUP)
    monkeypatch.setattr(registry, "_installed", lambda: (point,))
    table = pd.DataFrame({"size": range(60), "kind": ["small", "big"] * 30})
    table.to_orc(tmp_path / "things.orc")
    project = Project(name="things", data=Data(source=str(tmp_path / "things.orc"), label="kind"))
    assert load_dataset(project).deal.sizes == {"train": 36, "dev": 12, "test": 12}


def test_the_example_project_of_the_reference_is_valid(tmp_path: Path) -> None:
    text = (PAGE.parent / "example.yaml").read_text(encoding="utf-8")
    (tmp_path / "project.yaml").write_text(text, encoding="utf-8")
    project = load_project(tmp_path)
    assert project.name == "churn"
    assert set(text.split()) >= {"data:", "splits:", "human_level:", "metric:", "model:", "training:"}
