"""A file of arrays with a document beside them, read by mapping it into memory.

Layout: a magic line, the length of the head (8 bytes), its SHA-256 (32 bytes), the head as JSON, then the arrays, each
at a multiple of 64 bytes. The head names dtype, shape, place and CRC-32 of every array, so that a file that was cut
short or damaged is told from a whole one. No pickle: a file from elsewhere cannot run anything.
"""

import hashlib
import json
import mmap
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.records.whole import whole_file

Array = NDArray[Any]
_MAGIC = b"mlproj-arrays-1\n"
_ALIGNMENT = 64
_CHUNK = 1 << 20
_FIXED = len(_MAGIC) + 8 + 32


class DamagedFile(Exception):
    """A file that is not what was written."""


def write_arrays(file: Path, arrays: Mapping[str, Array], document: Mapping[str, Any]) -> None:
    """Writes a file, whole or not at all; an array that occurs twice is stored once.

    Args:
        file: Where to; its folder must exist.
        arrays: Arrays of numbers, truths or fixed-width texts by name.
        document: What else to keep, as plain JSON data.

    Raises:
        OSError: When it cannot be written.
        TypeError: When an array holds Python objects, or the document is no JSON.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "a.bin"
        >>> write_arrays(file, {"x": np.arange(3)}, {"name": "demo"})
        >>> arrays, document = read_arrays(file)
        >>> arrays["x"].tolist(), document
        ([0, 1, 2], {'name': 'demo'})
    """
    if any(array.dtype.hasobject for array in arrays.values()):
        raise TypeError("an array of Python objects cannot be mapped")
    head, placed = _plan(arrays, document)
    with whole_file(file) as place, place.open("wb") as sink:
        sink.write(_MAGIC + len(head).to_bytes(8, "little") + hashlib.sha256(head).digest() + head)
        for array in placed:
            sink.write(b"\0" * (-sink.tell() % _ALIGNMENT))
            sink.write(_bytes_of(array))


def read_arrays(file: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the document of a file.

    The arrays are mapped copy-on-write: nothing is read before it is used, several processes share the memory, and
    whoever writes into one changes neither the file nor what others see.

    Raises:
        OSError: When it cannot be read.
        DamagedFile: When it is not what `write_arrays` wrote.
    """
    with file.open("rb") as source:
        fixed = source.read(_FIXED)
        length = int.from_bytes(fixed[len(_MAGIC) : len(_MAGIC) + 8], "little")
        head = source.read(length) if fixed.startswith(_MAGIC) and length <= file.stat().st_size else b""
        if not head or hashlib.sha256(head).digest() != fixed[-32:]:
            raise DamagedFile(file)
        known = json.loads(head)
        base = _align(_FIXED + length)
        for entry in known["arrays"].values():
            source.seek(base + entry["at"])
            if _crc_of(source, entry["bytes"]) != entry["crc"]:
                raise DamagedFile(file)
        view = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_COPY)
    return {name: _map(view, base, known["arrays"][at]) for name, at in known["names"].items()}, known["document"]


def _plan(arrays: Mapping[str, Array], document: Mapping[str, Any]) -> tuple[bytes, list[Array]]:
    """The head, and the distinct arrays in the order of their places (counted from the end of the head)."""
    placed: dict[int, Array] = {}
    for array in arrays.values():
        placed.setdefault(id(array), array)
    entries, at = {}, 0
    for key, array in placed.items():
        entries[str(key)] = {
            "dtype": array.dtype.str,
            "shape": array.shape,
            "at": at,
            "bytes": array.nbytes,
            "crc": zlib.crc32(_bytes_of(array)),
        }
        at = _align(at + array.nbytes)
    names = {name: str(id(array)) for name, array in arrays.items()}
    return json.dumps({"arrays": entries, "names": names, "document": document}).encode(), list(placed.values())


def _bytes_of(array: Array) -> memoryview:
    """The bytes of an array in C order; of texts too, which have no buffer of their own."""
    flat: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8) if array.nbytes else b""
    return memoryview(flat)


def _crc_of(source: Any, size: int) -> int:
    """CRC-32 of the next bytes, read rather than mapped, so that they do not count as memory of the process."""
    crc, buffer = 0, bytearray(_CHUNK)
    while size > 0:
        n = source.readinto(memoryview(buffer)[: min(size, _CHUNK)])
        if not n:
            return -1
        crc = zlib.crc32(memoryview(buffer)[:n], crc)
        size -= n
    return crc


def _map(view: mmap.mmap, base: int, entry: Mapping[str, Any]) -> Array:
    dtype = np.dtype(entry["dtype"])
    if not entry["bytes"]:
        return np.empty(entry["shape"], dtype)
    count = entry["bytes"] // dtype.itemsize
    return np.frombuffer(view, dtype, count, base + entry["at"]).reshape(entry["shape"])


def _align(place: int) -> int:
    return -(-place // _ALIGNMENT) * _ALIGNMENT
