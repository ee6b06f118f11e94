"""Code of the user's own, named in project.yaml as `package.module:name`, and messages that point at it.

Nothing is run unless project.yaml names it. The project's folder is on the import path while it is, and what it prints
goes to standard error.
"""

import difflib
import hashlib
import importlib
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from mlproj.errors import InvalidInput, Problem

_FORM = "Write it as package.module:name, for example `my_data:load`."
_LONGEST = 300  # characters of an exception that are shown
_lock = threading.RLock()  # there is one import path, and one module of a name
_imported: dict[str, tuple[Path, bytes]] = {}
"""Modules of users' own by name, with file and digest as they were imported."""


def load_object(text: str, root: Path, *, where: str = "") -> Any:
    """What `package.module:name` names.

    Args:
        text: Module and name, parted by a colon; the name may have dots.
        root: The project's folder.
        where: Place that messages name.

    Raises:
        InvalidInput: When there is no such module or name, or importing it fails; a failure names the user's own line.
    """
    module_name, colon, name = text.partition(":")
    if not colon or not module_name or not name:
        raise InvalidInput([Problem(where, f"{text!r} names no function", _FORM)])
    if not all(part.isidentifier() for part in module_name.split(".")) or module_name.endswith(".py"):
        plain = module_name.strip().removesuffix(".py").strip("./").replace("/", ".")
        hint = f"Write it as {plain}:{name}." if plain else _FORM
        raise InvalidInput([Problem(where, f"{module_name!r} is no name of a module", hint)])
    with _lock, on_path(root), _without_bytecode():
        importlib.invalidate_caches()
        package = module_name.partition(".")[0]
        _forget_namesakes({package, *(name.partition(".")[0] for name in _imported)}, root)
        before = frozenset(sys.modules)
        try:
            module = importlib.import_module(module_name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever the user's module raises)
            absent = error.name if isinstance(error, ModuleNotFoundError) else None
            if absent is None or not f"{module_name}.".startswith(f"{absent}."):
                said = f"importing {module_name} fails: {describe(error, root)}"
                raise InvalidInput([Problem(where, said, "Import it in Python to see more.")]) from None
            near = difflib.get_close_matches(module_name, [path.stem for path in sorted(root.glob("*.py"))], n=1)
            hint = f"It is looked for in {root.resolve()} and in the environment."
            hint = f"Did you mean `{near[0]}:{name}`?" if near else hint
            raise InvalidInput([Problem(where, f"there is no module {absent!r}", hint)]) from None
        finally:
            _note({package, module_name} | (sys.modules.keys() - before), root)
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [entry for entry in dir(found) if not entry.startswith("_")]
            near = difflib.get_close_matches(part, names, n=1)
            so_far = name[: name.index(part)]
            hint = f"It has {', '.join(names[:8]) or 'no names'}."
            hint = f"Did you mean `{module_name}:{so_far}{near[0]}`?" if near else hint
            whose = f"{module_name}:{so_far.rstrip('.')}" if so_far else f"module {module_name}"
            raise InvalidInput([Problem(where, f"{whose} has no {part!r}", hint)])
        found = getattr(found, part)
    return found


def forget_edited(root: Path) -> None:
    """Lets go of a project's own modules where one of their files was changed since, so that they are imported anew.

    Called where a command begins, not during one: all trainings of a command are of one code.

    Args:
        root: The project's folder.
    """
    with _lock:
        own = {name: read for name, read in _imported.items() if read[0].is_relative_to(root.resolve())}
        if any(_digest(file) != digest for file, digest in own.values()):
            _forget(own)


def _note(names: Iterable[str], root: Path) -> None:
    """Notes which modules came from a project's folder; those installed in an environment there are not its own."""
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        place = Path(file).resolve() if file else None
        if place and place.is_relative_to(root.resolve()) and "site-packages" not in place.parts:
            _imported.setdefault(name, (place, _digest(place)))


def _digest(file: Path) -> bytes:
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return b""


def _forget(names: Iterable[str]) -> None:
    for name in list(names):
        sys.modules.pop(name, None)
        _imported.pop(name, None)


def _forget_namesakes(packages: Iterable[str], root: Path) -> None:
    """Lets go of modules of these names that came from another folder, such as that of another project's."""
    for package in packages:
        own = [root.resolve() / f"{package}.py", root.resolve() / package / "__init__.py"]
        cached = getattr(sys.modules.get(package), "__file__", None)
        if cached is not None and Path(cached).resolve() not in own and any(file.is_file() for file in own):
            _forget(name for name in sys.modules if name == package or name.startswith(f"{package}."))


@contextmanager
def _without_bytecode() -> Iterator[None]:
    """Python takes its compiled file for up to date when size and second are: it would miss a quick edit."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def describe(error: BaseException, root: Path) -> str:
    """An exception of the user's code in one line: what it says, and the last line of theirs that led to it.

    Args:
        error: The exception.
        root: The project's folder.
    """
    said = " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename, root)} line {error.lineno}: {type(error).__name__}: {error.msg}"
    here = str(root.resolve())
    ours = str(Path(__file__).resolve().parent.parent)
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(here) and not f.filename.startswith(ours)]
    foreign = [f for f in frames if not f.filename.startswith((ours, "<frozen"))]
    last = own[-1] if own else foreign[-1] if foreign else None
    return f"{_short(last.filename, root)} line {last.lineno}: {said}" if last else said


def _short(filename: str, root: Path) -> str:
    path = Path(filename)
    return str(path.relative_to(root.resolve())) if path.is_relative_to(root.resolve()) else path.name


@contextmanager
def on_path(root: Path) -> Iterator[None]:
    """Puts the project's folder first on the import path for a while, and what is printed meanwhile aside."""
    place = str(root.resolve())
    sys.path.insert(0, place)
    try:
        with aside():
            yield
    finally:
        sys.path.remove(place)


def aside() -> AbstractContextManager[Any]:
    """Sends what the user's code prints to standard error: standard output is for the command's own document.

    Example:
        >>> with aside():
        ...     print("loading")
    """
    return redirect_stdout(sys.stderr)
