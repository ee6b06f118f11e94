"""What the repository promises: one version, generated pages that are current, no trace of anyone's machine."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import mlproj


def tracked(root: Path) -> list[Path]:
    """The files of the repository: tracked ones, and new ones that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git work tree")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := root / name).is_file()]


def test_the_changelog_speaks_of_this_version(root: Path) -> None:
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(mlproj.__version__)}\]", text, re.MULTILINE)


def test_no_file_holds_a_path_or_host_of_a_developers_machine(root: Path) -> None:
    home = re.compile(
        r"(?<![\w.])/(?:home|Users|root|opt|mnt|srv)/\w+|https?://[\w.-]*(?:pypi|artifactory|nexus)[\w.-]*/simple"
    )
    here = re.compile(rf"{re.escape(str(root))}\b")
    found = []
    for path in tracked(root):
        if path == Path(__file__) or path.suffix in {".png", ".parquet", ".gz"}:
            continue
        text = path.read_text(encoding="utf-8")
        found += [
            f"{path.relative_to(root)}: {hit.group()}" for pattern in (home, here) for hit in pattern.finditer(text)
        ]
    assert not found


def test_no_generated_table_is_kept_in_the_repository(root: Path) -> None:
    assert not [path for path in tracked(root) if path.suffix in {".csv", ".parquet", ".db", ".safetensors"}]


def test_every_dependency_is_pinned(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    names = {re.split(r"[^\w.-]", entry)[0].lower() for entry in wanted}
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))
    assert not names - pins.keys()
    assert pins["torch"] == "2.13.0"


def test_built_in_plug_ins_are_entry_points_too(root: Path) -> None:
    from mlproj.data.sources.registry import BUILT_IN as SOURCES
    from mlproj.zoo.build import BUILT_IN as MODELS

    groups = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert groups["mlproj.sources"] == {point.name: point.value for point in SOURCES}
    assert {value.partition(":")[0] for value in groups["mlproj.models"].values()} == set(MODELS)


def test_the_pages_generated_from_code_are_current(root: Path) -> None:
    command = [sys.executable, "docs/generate.py", "--check"]
    found = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=found, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_in_the_navigation(root: Path) -> None:
    text = (root / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w/-]+\.md", text))
    pages = {str(path.relative_to(root / "docs")) for path in (root / "docs").rglob("*.md")}
    # Dated reports are reached from the index of the benchmarks, which lists them.
    assert {page for page in pages if not page.startswith("benchmarks/20")} == named
    assert yaml.safe_load(text)["theme"]["font"] is False


def test_the_built_site_loads_nothing_from_elsewhere(root: Path) -> None:
    config = (root / "mkdocs.yml").read_text(encoding="utf-8")
    assert not re.search(r"extra_(javascript|css)|analytics|https?://", config)


def test_the_program_runs_as_a_module(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlproj", "--version"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.strip() == f"mlproj {mlproj.__version__}"
