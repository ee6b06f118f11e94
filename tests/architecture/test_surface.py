"""The outside of the house: exported names, commands and their twins in Python, and the pages that speak of them."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import mlproj
from mlproj.cli.app import app
from mlproj.spec.fields import reference_rows

SHELL_ONLY = {"project", "json", "quiet", "help"}
"""Options of every command that have no twin: where the project is, and how to print."""


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the program with its words."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, child in inner.items():
        yield from walk(child, (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app)))


def twin(words: tuple[str, ...]) -> Callable[..., Any]:
    """The function of the same name in Python."""
    return getattr(mlproj, "_".join(words).replace("-", "_"))


def test_the_commands_are_these() -> None:
    assert [" ".join(words) for words in COMMANDS] == [
        "init", "check", "schema", "model", "split", "demo", "train", "runs", "ui", "diagnose bias-variance",
    ]  # fmt: skip


def test_every_exported_name_exists_and_is_listed() -> None:
    assert sorted(mlproj.__all__) == sorted(set(mlproj.__all__))
    assert set(mlproj.__all__) <= set(dir(mlproj))
    for name in mlproj.__all__:
        assert getattr(mlproj, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = mlproj.no_such_thing


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_a_twin_with_the_same_options(words: tuple[str, ...]) -> None:
    options = {option.name for option in COMMANDS[words].params if option.name} - SHELL_ONLY
    parameters = set(inspect.signature(twin(words)).parameters)
    assert options <= parameters, f"{' '.join(words)}: {options - parameters} only on the command line"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_and_its_twin_begin_with_the_same_sentence(words: tuple[str, ...]) -> None:
    said = (COMMANDS[words].help or "").strip().splitlines()[0]
    assert said == (twin(words).__doc__ or "").strip().splitlines()[0]


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
    assert not [name for name in mlproj.__all__ if name not in page]
