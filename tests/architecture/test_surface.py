"""The outside of the house: the commands, and the pages that speak of them, of project.yaml and of the public names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import mlproj
from mlproj.cli.app import app
from mlproj.spec.fields import reference_rows


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the program with its words."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, child in inner.items():
        yield from walk(child, (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app)))


def test_the_commands_are_these() -> None:
    assert [" ".join(words) for words in COMMANDS] == [
        "init", "check", "schema", "model", "split", "demo", "train", "search", "runs", "record", "ui",
        "compare", "check-metric", "evaluate", "predict", "diagnose bias-variance", "diagnose learning-curve",
        "diagnose doctor",
        "diagnose features", "diagnose mismatch",
        "errors export", "errors summarize", "errors apply",
    ]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_of_a_command_is_described(words: tuple[str, ...]) -> None:
    assert not [option.name for option in COMMANDS[words].params if not option.help and option.name != "help"]


def test_the_docs_speak_of_every_command_and_option(root: Path) -> None:
    page = (root / "docs" / "commands.md").read_text(encoding="utf-8")
    for words, command in COMMANDS.items():
        assert f"## mlproj {' '.join(words)}" in page
        for option in command.params:
            assert all(text in page for text in option.opts if text.startswith("--")), option.opts


def test_the_docs_speak_of_every_key_of_project_yaml(root: Path) -> None:
    page = (root / "docs" / "project-file.md").read_text(encoding="utf-8")
    assert not [row.path for row in reference_rows() if f"`{row.path}`" not in page]


def test_the_docs_speak_of_every_exported_name(root: Path) -> None:
    page = (root / "docs" / "python.md").read_text(encoding="utf-8")
    assert not [name for name in mlproj.__all__ if f"`mlproj.{name}`" not in page and not name.startswith("_")]
