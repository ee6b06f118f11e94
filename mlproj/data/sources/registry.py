"""Which source reads a path: the built-in ones first, then those that other packages bring.

Both are entry points of the group `mlproj.sources`, loaded alike; the built-in ones are listed here as well, so that
they work from a source checkout and without a walk over all installed packages.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from mlproj.data.sources.base import AbstractSource, Reading, refuse

GROUP = "mlproj.sources"
BUILT_IN = tuple(
    EntryPoint(name, f"mlproj.data.sources.{name}:{kind}", GROUP)
    for name, kind in (
        ("files", "FilesSource"),
        ("csv", "CsvSource"),
        ("parquet", "ParquetSource"),
        ("feather", "FeatherSource"),
        ("jsonl", "JsonLinesSource"),
        ("npz", "NpzSource"),
        ("sklearn", "SklearnSource"),
        ("python", "PythonSource"),
    )
)
"""In the order in which they are asked: a glob of CSV files ends like a CSV file."""
BY_NAME = {point.name: point for point in BUILT_IN}


def read_source(path: str, root: Path) -> Reading:
    """The table behind a path of `data.source` or `data.extra`.

    Args:
        path: File or `sklearn:NAME`, as written.
        root: Folder that relative paths start from.

    Raises:
        InvalidInput: When no source reads such a path, or the one that does cannot.

    Example:
        >>> read_source("sklearn:iris", Path(".")).frame.shape
        (150, 5)
    """
    return find_source(path, root).read(path, root)


def find_source(path: str, root: Path | None = None) -> AbstractSource:
    """The source that claims a path.

    Args:
        path: As written in project.yaml.
        root: Folder that relative paths start from, where a folder may be called like a file: `part.parquet/`.

    Raises:
        InvalidInput: When none does; the hint lists what can be read.
    """
    if root is not None and (root / Path(path).expanduser()).is_dir():
        return _load(BY_NAME["files"])
    for point in BUILT_IN:
        if (source := _load(point)).claims(path):
            return source
    others = [_load(point) for point in _installed()]
    for source in others:
        if source.claims(path):
            return source
    forms = [source.forms for source in (*map(_load, BUILT_IN[1:]), _load(BUILT_IN[0]), *others)]
    raise refuse(path, "is no data source that mlproj reads", f"It reads {', '.join(forms[:-1])} and {forms[-1]}.")


@cache
def _load(point: EntryPoint) -> AbstractSource:
    source = point.load()()
    if not isinstance(source, AbstractSource):
        raise TypeError(f"entry point {point.name!r} of {GROUP!r} must name a subclass of AbstractSource")
    return source


@cache
def _installed() -> tuple[EntryPoint, ...]:
    return tuple(point for point in entry_points(group=GROUP) if point not in BUILT_IN)
