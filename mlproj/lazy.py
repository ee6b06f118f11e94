"""What is imported when it is first used: the names of a package, and heavy packages of others."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def names_of(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that loads each of its names when it is first asked for (PEP 562).

    Args:
        package: The package, its `__name__`.
        homes: Full name of the module that holds each name, or one that begins with a dot, from the package.

    Example:
        >>> names_of("mlproj", {"Problem": ".errors"})("Problem").__module__
        'mlproj.errors'
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name], package), name)

    return load


class Later:
    """Stands for a module, and imports it at the first use of one of its names.

    Args:
        name: Full name of the module.

    Example:
        >>> Later("json").loads("[1]")
        [1]
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        """What the module calls so; kept, so that it is looked up once."""
        found = self.__dict__[attribute] = getattr(import_module(self._name), attribute)
        return found
