"""Modules of users' own are imported as their files are, whatever else this process has imported."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.spec.code import forget_edited, load_object


@pytest.fixture(autouse=True)
def _quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def write(root: Path, value: int) -> None:
    root.mkdir(exist_ok=True)
    (root / "own_parts.py").write_text(f"value = {value}\n")
    (root / "own_nets.py").write_text("from own_parts import value\n")


def test_an_edited_module_is_read_again_when_the_next_command_begins(tmp_path: Path) -> None:
    root = tmp_path / "a"
    found = []
    for value in (1, 2, 2):  # within a second and of one size, and what is edited is what it imports
        write(root, value)
        forget_edited(root)
        found.append(load_object("own_nets:value", root))
    module = sys.modules["own_nets"]
    write(root, 3)
    found.append(load_object("own_nets:value", root))
    assert found == [1, 2, 2, 2]
    forget_edited(tmp_path / "b")
    assert sys.modules["own_nets"] is module


def test_modules_of_one_name_do_not_meet(tmp_path: Path) -> None:
    for value in (1, 2):
        write(tmp_path / str(value), value)
    wrong: list[object] = []

    def read(value: int) -> None:
        for _ in range(60):
            try:
                found = load_object("own_nets:value", tmp_path / str(value))
            except Exception as error:  # noqa: BLE001  # whatever it is
                found = error
            if found != value:
                wrong.append(found)

    threads = [threading.Thread(target=read, args=(value,)) for value in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
