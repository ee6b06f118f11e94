"""The page for users of other frameworks: its commands run as they stand, on a file and nothing else."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from mlproj.cli.app import app

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "without-a-project.md").read_text(encoding="utf-8")


def words(name: str) -> list[str]:
    """A command of the page, without the program's name."""
    found = re.search(rf"<!-- example: {name} -->\n```\nmlproj (.*?)\n```", PAGE)
    assert found
    return shlex.split(found[1])


def run(name: str) -> str:
    done = CliRunner().invoke(app, words(name))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def keras() -> pd.DataFrame:
    """The file of the page, with 60 of 600 answers wrong and a column of the user's own."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600)
    p = np.full((600, 3), 0.1)
    p[np.arange(600), np.where(np.arange(600) % 10, y, (y + 1) % 3)] = 0.8
    names = np.array(["cat", "cow", "dog"])
    table = pd.DataFrame({"id": [f"{i:04d}" for i in range(600)], "y_true": names[y], "camera": "a7"})
    table = table.assign(**{f"p_{name}": p[:, k] for k, name in enumerate(names)})
    table.to_csv("keras.csv", index=False)
    return table


def test_a_ladder_an_error_sheet_and_its_ceilings_need_a_file_and_nothing_else(keras: pd.DataFrame) -> None:
    assert re.search(r"dev +10\.0 .* 600", run("ladder"))
    run("sheet")
    book = load_workbook("errors.xlsx")
    header = [cell.value for cell in book.worksheets[0][1]]
    assert {"camera", "tag:dark", "tag:blurry"} <= set(header)
    for row in range(2, 22):
        book.worksheets[0].cell(row, header.index("tag:dark") + 1).value = 1
    book.save("errors.xlsx")
    assert re.search(r"dark +20", run("ceilings"))


def test_no_training_framework_is_imported_and_nothing_else_is_written(keras: pd.DataFrame) -> None:
    code = (
        "import sys; from mlproj.cli.app import app\n"
        f"try: app({words('ladder')!r})\nexcept SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'mlflow', 'optuna'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert [path.name for path in Path().iterdir()] == ["keras.csv"]
