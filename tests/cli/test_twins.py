"""The command line is the library: every command has a twin of the same name and options."""

import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import mlproj
from mlproj.cli.app import app

SHARED = {"context", "project", "json", "quiet"}
CLI_ONLY = {"runs": {"run", "yaml"}, "diagnose doctor": {"strict"}}
"""`runs RUN --yaml` shows one run; in Python a `Run` is at hand and shows itself. Exit codes are for shells."""


def commands(group: typer.Typer, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in group.registered_commands:
        yield f"{prefix}{entry.name}", entry.callback
    for part in group.registered_groups:
        assert part.typer_instance is not None
        yield from commands(part.typer_instance, f"{prefix}{part.name} ")


COMMANDS = dict(commands(app))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_twin_with_its_options_and_first_line(name: str) -> None:
    callback = COMMANDS[name]
    twin = getattr(mlproj, name.replace(" ", "_").replace("-", "_"))
    options = set(inspect.signature(callback).parameters) - SHARED - CLI_ONLY.get(name, set())
    assert options <= set(inspect.signature(twin).parameters)
    first_line = (inspect.getdoc(callback) or "").splitlines()[0]
    assert (inspect.getdoc(twin) or "").splitlines()[0] == first_line


@pytest.mark.parametrize("name", COMMANDS)
def test_options_left_out_mean_the_same_in_both(name: str) -> None:
    callback = COMMANDS[name]
    twin = inspect.signature(getattr(mlproj, name.replace(" ", "_").replace("-", "_"))).parameters
    for option, parameter in inspect.signature(callback).parameters.items():
        if option in twin and option not in SHARED:
            assert (parameter.default or None) == (twin[option].default or None), option


def test_every_public_name_can_be_had_and_nothing_else() -> None:
    assert all(getattr(mlproj, name) is not None for name in mlproj.__all__)
    with pytest.raises(AttributeError, match="no attribute 'traim'"):
        mlproj.traim  # noqa: B018  # the access is what is tested


def test_no_room_bears_the_name_of_a_command() -> None:
    rooms = {module.name for module in pkgutil.iter_modules(mlproj.__path__)}
    assert not rooms & {name.split()[0] for name in COMMANDS if " " not in name}
