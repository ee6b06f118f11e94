"""What the head of a snapshot tells: whether it can be gone on with, and from where. Nothing here needs torch.

A file of safetensors begins with the length of its header [8 bytes], then come the header as JSON, and the tensors. Its
header holds a checksum of the whole file, computed while zeros stand in the checksum's place.
"""

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Final

FORM = "2"
"""Changes whenever files of another mlproj could no longer be gone on with."""
CHECKSUM: Final = "0" * 32
"""What stands for the checksum until it is known."""
_IN_HEADER = re.compile(rb'(?<="checksum":")[0-9a-f]{32}(?=")')
_LENGTH = 8
_LONGEST = 100_000_000  # bytes of a header; safetensors allows no more


def seal(path: Path) -> None:
    """Writes its checksum into a file that was saved with ``checksum=CHECKSUM`` in its header."""
    with path.open("rb+") as file:
        place, told = _checksum(file)
        file.seek(place)
        file.write(told)


def epochs_of(path: Path) -> int:
    """After how many epochs a snapshot was taken; 0 where there is none that can be gone on from, or it is damaged."""
    try:
        with path.open("rb") as file:
            place, told = _checksum(file)
            file.seek(place)
            if file.read(len(told)) != told:
                return 0
            file.seek(0)
            header = json.loads(_head(file)[_LENGTH:])["__metadata__"]
        return int(header["epochs"]) if header["form"] == FORM else 0
    except (OSError, KeyError, TypeError, ValueError):
        return 0


def _head(file: io.BufferedIOBase) -> bytes:
    length = file.read(_LENGTH)
    return length + file.read(min(int.from_bytes(length, "little"), _LONGEST))


def _checksum(file: io.BufferedIOBase) -> tuple[int, bytes]:
    """Where the checksum stands, and what it should be.

    Raises:
        ValueError: When there is no place for one.
    """
    head = _head(file)
    found = _IN_HEADER.search(head)
    if not found:
        raise ValueError("no checksum in the header")
    told = hashlib.blake2b(head[: found.start()] + CHECKSUM.encode() + head[found.end() :], digest_size=16)
    hashlib.file_digest(file, lambda: told)
    return found.start(), told.hexdigest().encode()
