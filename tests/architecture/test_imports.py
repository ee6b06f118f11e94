"""Heavy packages are imported only where they pay: looked at in fresh processes."""

from collections.abc import Callable
from pathlib import Path

import pytest

Probe = Callable[[str], set[str]]

HEAVY = {"torch", "mlflow", "optuna", "pandas", "sklearn"}
TORCH_FREE_ROOMS = ("records", "metrics", "diagnose", "error_analysis", "advise")
COMMAND = "import sys; sys.argv = {arguments!r}; from mlproj.cli import main; main()"
IMPORT_ALL = """
import importlib, pkgutil
package = importlib.import_module({name!r})
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(found.name)
"""


def command(*arguments: str) -> str:
    """Code that runs the program with these arguments."""
    return COMMAND.format(arguments=["mlproj", *arguments])


def test_the_spec_imports_pydantic_and_yaml_and_nothing_heavier(modules_after: Probe) -> None:
    forbidden = HEAVY | {"numpy", "scipy", "pyarrow", "matplotlib", "jaxtyping", "typer", "rich"}
    assert not modules_after(IMPORT_ALL.format(name="mlproj.spec")) & forbidden


@pytest.mark.parametrize("room", TORCH_FREE_ROOMS)
def test_a_room_that_computes_from_records_imports_numpy_at_most(modules_after: Probe, room: str) -> None:
    forbidden = HEAVY | {"jaxtyping", "scipy.stats", "matplotlib"}
    assert not modules_after(IMPORT_ALL.format(name=f"mlproj.{room}")) & forbidden


def test_importing_mlproj_costs_nothing(modules_after: Probe) -> None:
    assert not modules_after("import mlproj") & (HEAVY | {"numpy", "pydantic", "typer", "yaml"})


def test_help_imports_nothing_heavy(modules_after: Probe) -> None:
    for arguments in (("--help",), ("train", "--help"), ("search", "--help"), ("diagnose", "bias-variance", "--help")):
        assert not modules_after(command(*arguments)) & (HEAVY | {"numpy", "rich"}), arguments


def test_the_schema_imports_nothing_heavy(modules_after: Probe) -> None:
    assert not modules_after(command("schema")) & (HEAVY | {"numpy"})


def test_a_broken_spec_is_refused_before_anything_heavy_is_imported(modules_after: Probe, tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text("name: broken\ndata: {source: a.csv}\ntraining: {optimiser: adam}\n")
    for name in ("check", "train", "search"):
        assert not modules_after(command("--project", str(tmp_path), name)) & HEAVY, name


def test_a_ladder_from_rungs_imports_nothing_heavy(modules_after: Probe) -> None:
    rungs = ("--rung", "human=0.01", "--rung", "train=0.02:5000", "--rung", "dev=0.1:500")
    assert not modules_after(command("diagnose", "bias-variance", *rungs)) & HEAVY


def test_a_ladder_from_a_csv_file_imports_no_framework(modules_after: Probe, tmp_path: Path) -> None:
    rows = [f"{at},{'train' if at < 60 else 'dev'},{at % 2},{at % 2 if at % 7 else 1 - at % 2}" for at in range(100)]
    (tmp_path / "answers.csv").write_text("\n".join(["id,split,y_true,y_pred", *rows]) + "\n")
    imported = modules_after(command("diagnose", "bias-variance", str(tmp_path / "answers.csv"), "--human", "0.01:100"))
    assert "mlproj.diagnose" in imported
    assert not imported & (HEAVY - {"pandas"})  # pyarrow looks for pandas itself where it is installed


def test_files_are_compared_and_held_to_limits_without_a_framework(modules_after: Probe, tmp_path: Path) -> None:
    for name, wrong in (("a.csv", 7), ("b.csv", 9)):
        rows = [f"{at},{at % 2},{at % 2 if at % wrong else 1 - at % 2}" for at in range(100)]
        (tmp_path / name).write_text("\n".join(["id,y_true,y_pred", *rows]) + "\n")
    a, b = str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    for arguments in (("compare", a, b), ("check-metric", a, "--satisfy", "recall>=0.1")):
        imported = modules_after(command(*arguments))
        assert "mlproj.metrics" in imported
        assert not imported & (HEAVY - {"pandas"}), arguments


def test_the_process_that_trains_never_imports_mlflow(modules_after: Probe, tmp_path: Path) -> None:
    text = "name: iris\ndata: {source: 'sklearn:iris'}\nmodel: {kind: linear}\ntraining: {epochs: 2}\n"
    (tmp_path / "project.yaml").write_text(text)
    imported = modules_after(command("--project", str(tmp_path), "train", "--quiet"))
    assert "mlproj.training" in imported
    assert not imported & {"mlflow", "optuna", "torch._dynamo", "sympy"}


def test_the_process_that_searches_never_imports_mlflow(modules_after: Probe, tmp_path: Path) -> None:
    text = "name: iris\ndata: {source: 'sklearn:iris'}\nmodel: {kind: linear}\ntraining: {epochs: 2}\n"
    (tmp_path / "project.yaml").write_text(text)
    imported = modules_after(command("--project", str(tmp_path), "search", "--trials", "3", "--quiet"))
    assert {"mlproj.searching", "mlproj.engine", "optuna"} <= imported
    assert not imported & {"mlflow", "torch._dynamo", "sympy"}
