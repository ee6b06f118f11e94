"""A data set in one file without a name, which every worker maps into its memory instead of holding a copy.

The file goes when the last process that holds it ends, however that ends. Its pages are shared until a process writes
to one; what one writes, no other sees.
"""

import mmap
import pickle
import struct
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from typing import IO, TYPE_CHECKING

from mlproj.errors import MlprojError

if TYPE_CHECKING:
    from mlproj.data import Dataset

_ALIGNMENT = 64
_SIZE = struct.Struct("!q")


def write_shared(dataset: "Dataset") -> IO[bytes]:
    """Writes what training sees of a data set into a file without a name.

    Large arrays stand in it as they are, at aligned places (pickle protocol 5, out-of-band buffers); behind them the
    rest, and its size.

    Args:
        dataset: The data set; the raw cells and the lists of the deal are left out.

    Raises:
        MlprojError: When there is no room for it.
    """
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(_without_cells(dataset), protocol=5, buffer_callback=buffers.append)
    try:
        with ExitStack() as undo:
            file = undo.enter_context(tempfile.TemporaryFile(prefix="mlproj-data-"))
            spans = [_append(file, buffer.raw()) for buffer in buffers]
            tail = pickle.dumps((head, spans))
            file.write(tail + _SIZE.pack(len(tail)))
            file.flush()
            undo.pop_all()
    except OSError as error:
        raise MlprojError(
            f"The data could not be laid out for the workers in {tempfile.gettempdir()}: {error.strerror}.\n"
            "  Free some space there, point TMPDIR elsewhere, or try `--workers 1`, which needs none."
        ) from error
    return file


def read_shared(file: int) -> "Dataset":
    """The data set in such a file.

    Args:
        file: Its file descriptor.
    """
    view = memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_COPY))
    (size,) = _SIZE.unpack(view[-_SIZE.size :])
    head, spans = pickle.loads(view[-_SIZE.size - size : -_SIZE.size])  # noqa: S301  # written by our own driver
    return pickle.loads(head, buffers=[view[start:stop] for start, stop in spans])  # noqa: S301


def _append(file: IO[bytes], content: memoryview) -> tuple[int, int]:
    """Writes bytes at the next aligned place; where they begin and end."""
    file.write(b"\0" * (-file.tell() % _ALIGNMENT))
    start = file.tell()
    file.write(content)
    return start, file.tell()


def _without_cells(dataset: "Dataset") -> "Dataset":
    """The data set without what can be large and no training looks at."""
    parts = {name: part.without_cells() for name, part in dataset.parts.items()}
    none = dataset.deal.ids[:0]
    stored = replace(dataset.deal.stored, units=none, split=none)
    return replace(dataset, parts=parts, deal=replace(dataset.deal, split=none, ids=none, units=none, stored=stored))
