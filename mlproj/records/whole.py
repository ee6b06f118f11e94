"""Files that are whole or not there: written under another name, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; the file takes the place of `path` when the block ends well, else it goes.

    What was written reaches the disk before it is renamed, so that a power cut leaves the old file or the new one.

    Args:
        path: The file that is to appear; its folder must exist.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with whole_file(folder / "a.txt") as place:
        ...     _ = place.write_text("done")
        >>> [file.name for file in folder.iterdir()]
        ['a.txt']
    """
    place = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.partial")  # threads share the pid
    try:
        yield place
        with place.open("rb+") as file:
            os.fsync(file.fileno())
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)
