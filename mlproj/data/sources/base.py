"""What a source promises: to say which paths are its own, and to read one into a table of raw cells."""

from __future__ import annotations

import gzip
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from mlproj.data.late import pd
from mlproj.data.words import some_of, suggest
from mlproj.errors import InvalidInput, Problem

DATA_SUFFIXES = (
    ".csv", ".csv.gz", ".parquet", ".pq", ".feather", ".arrow", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".npz",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One source as read.

    Attributes:
        frame: Raw cells, one column per column of the source; text or standard pandas types.
        rows: Row number of each example in the source as a user would count it (N,): in a CSV file the header is row 1.
        label: Column to predict, where the source brings its own.
        files: The files that were read, where there are several.
        file: Position among `files` of each example's file (N,); None for a single file.
        notes: What was left out, for the user.
        plain: Columns of the frame that are numbers of Arrow, whatever a careful reading would have made of them.
    """

    frame: pd.DataFrame
    rows: NDArray[np.int64]
    label: str | None = None
    files: tuple[str, ...] = ()
    file: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    plain: frozenset[str] = frozenset()

    def select(self, rows: NDArray[Any]) -> Reading:
        """The reading at some positions."""
        file = None if self.file is None else self.file[rows]
        return replace(self, frame=self.frame.take(rows), rows=self.rows[rows], file=file)


class AbstractSource(ABC):
    """A kind of data source. A new one is a new file with a subclass, and an entry point in group `mlproj.sources`."""

    forms: ClassVar[str]
    """The paths it reads, for messages: for example "`.csv` and `.csv.gz` files"."""
    suffixes: ClassVar[tuple[str, ...]] = ()
    """Endings of the files it reads, in lower case; a source of something else than files has none."""

    def claims(self, path: str) -> bool:
        """Whether it reads this path, judged by the path alone."""
        return path.lower().endswith(self.suffixes) if self.suffixes else False

    @abstractmethod
    def read(self, path: str, root: Path) -> Reading:
        """The table behind a path.

        Args:
            path: As written in project.yaml.
            root: Folder that relative paths start from.

        Raises:
            InvalidInput: When it cannot be read; each problem's `where` names the path, and the row if there is one.
        """

    def read_quickly(
        self,
        path: str,  # noqa: ARG002 (whoever knows a quick way needs all three)
        root: Path,  # noqa: ARG002
        may_be_plain: Callable[[str], bool],  # noqa: ARG002
    ) -> Reading | None:
        """The table behind a path with its columns of plain numbers as such; None where only `read` will do.

        What is wrong with a file is for `read` to say. This default knows no quick way.

        Args:
            path: As written in project.yaml.
            root: Folder that relative paths start from.
            may_be_plain: Whether a column of this name may be given as numbers, where all its cells are some.
        """
        return None

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """The table behind a path, some rows at a time, for tables that are larger than memory.

        Every batch has the same columns of the same types. This default reads the whole table as one batch.

        Args:
            path: As written in project.yaml.
            root: Folder that relative paths start from.
            columns: The columns that are needed; all of them when left out.

        Raises:
            InvalidInput: As `read` does, at the latest when the batch with the mistake is asked for.
        """
        reading = self.read(path, root)
        names = need_columns(path, [str(name) for name in reading.frame.columns], columns)
        yield replace(reading, frame=reading.frame[names])


def refuse(where: str, message: str, hint: str = "") -> InvalidInput:
    """The error of one unreadable source, to be raised by its reader."""
    return InvalidInput([Problem(where, message, hint)])


@contextmanager
def open_file(path: str, file: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where its name ends in .gz.

    Raises:
        InvalidInput: When it cannot be read, or is packed and does not say so, or the other way round.
    """
    try:
        with file.open("rb") as stream:
            is_packed, named_so = stream.peek(2)[:2] == b"\x1f\x8b", path.lower().endswith(".gz")  # gzip's own mark
            if is_packed and not named_so:
                raise refuse(path, "is compressed with gzip", f"Call it {Path(path).name}.gz, or unpack it.")
            if named_so and not is_packed:
                hint = f"Call it {Path(path).name[:-3]} if it is not compressed."
                raise refuse(path, "cannot be read: it is no gzip file", hint)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=stream) if named_so else stream)
    except OSError as error:
        raise refuse(path, f"cannot be read ({error.strerror or error})") from None
    except (EOFError, zlib.error) as error:
        raise refuse(path, f"is no complete gzip file ({error})", "Copy or make it again.") from None


def find_file(path: str, root: Path) -> Path:
    """The file behind a path, known to exist.

    Raises:
        InvalidInput: When there is no such file, with the closest names beside it.
    """
    file = root / Path(path).expanduser()
    if file.is_dir():
        raise refuse(path, "is a folder; a file is needed", suggest_file(file / "x.csv", "It holds"))
    if not file.exists():
        raise refuse(path, "there is no such file", suggest_file(file))
    return file


def suggest_file(file: Path, lead: str = "That folder holds") -> str:
    """The closest data file beside a missing one, or what lies there.

    Args:
        file: The file that is missing.
        lead: How the list of files begins when none of them is close.
    """
    if not file.parent.is_dir():
        return f"There is no folder `{file.parent.name}` either; relative paths start from the project's folder."
    entries = [entry for entry in file.parent.iterdir() if entry.name != file.name]
    names = sorted(entry.name for entry in entries if entry.name.lower().endswith(DATA_SUFFIXES))
    by_stem = {name.partition(".")[0].lower(): name for name in reversed(names)}  # a common suffix is no likeness
    close = get_close_matches(file.name.partition(".")[0].lower(), list(by_stem), n=1, cutoff=0.6)
    if close:
        return f"Did you mean `{by_stem[close[0]]}`?"
    return f"{lead}: {some_of(names)}." if names else "Relative paths start from the project's folder."


def need_columns(path: str, names: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """The columns to read.

    Raises:
        InvalidInput: When one that is wanted is not there.
    """
    absent = [name for name in wanted or () if name not in names]
    if absent:
        raise refuse(path, f"has no column {', '.join(map(repr, absent[:5]))}", suggest(absent[0], names))
    return list(names) if wanted is None else [name for name in names if name in set(wanted)]


def count_rows(n: int, first: int = 1) -> NDArray[Any]:
    """Row numbers first, first + 1, … of n examples."""
    return np.arange(first, first + n, dtype=np.int64)
