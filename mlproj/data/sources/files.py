"""Folders and globs: every data file in them, in the order of their names, as one table."""

import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlproj.data.sources.base import DATA_SUFFIXES, AbstractSource, Reading, refuse, suggest_file
from mlproj.data.words import some_of

_PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_GLOB = frozenset("*?[")


class FilesSource(AbstractSource):
    """A folder of data files, or a glob such as `logs/2024-*.csv`; `**` stands for folders at any depth."""

    forms = "folders and globs of these"

    def claims(self, path: str) -> bool:
        """Whether the path is a glob, or has no ending that a file would have."""
        return (
            bool(_GLOB & set(path)) or (":" not in path and "." not in Path(path).name.strip(".")) or path.endswith("/")
        )

    def read(self, path: str, root: Path) -> Reading:
        """The rows of all files; each row knows the file that it stands in."""
        files = self._find(path, root)
        readings = [self._read(file, root) for file in files]
        names = [str(name) for name in readings[0].frame.columns]
        for file, reading in zip(files, readings, strict=True):
            _check_alike(file, [str(name) for name in reading.frame.columns], files[0], names)
        frames = _alike([reading.frame[names] for reading in readings])
        return Reading(
            pd.concat(frames, ignore_index=True),
            np.concatenate([reading.rows for reading in readings]),
            readings[0].label,
            tuple(files),
            np.repeat(np.arange(len(files)), [len(frame) for frame in frames]),
        )

    def batches(self, path: str, root: Path, *, columns: Sequence[str] | None = None) -> Iterator[Reading]:
        """The batches of one file after the other."""
        from mlproj.data.sources.registry import find_source

        files = self._find(path, root)
        names: list[str] | None = None
        for place, file in enumerate(files):
            for reading in find_source(file).batches(file, root, columns=columns):
                found = [str(name) for name in reading.frame.columns]
                names = found if names is None else names
                _check_alike(file, found, files[0], names)
                where = np.full(len(reading.rows), place)
                yield Reading(reading.frame[names], reading.rows, reading.label, tuple(files), where)

    def _read(self, file: str, root: Path) -> Reading:
        from mlproj.data.sources.registry import find_source

        return find_source(file).read(file, root)

    def _find(self, path: str, root: Path) -> list[str]:
        """The data files, as project.yaml would write them, in the order of their names."""
        place = root / Path(path).expanduser()
        if _GLOB & set(path) and not place.exists():
            found = sorted(_expand(place))
            kept = [file for file in found if file.is_file() and not _is_hidden(file, place)]
            if not kept:
                raise refuse(path, "matches no file", suggest_file(_fixed_part(place) / "x.csv", "That folder holds"))
        else:
            if not place.exists():
                raise refuse(path, "there is no such file or folder", suggest_file(place))
            if place.is_file():
                raise refuse(
                    path, "is a file of a kind that cannot be told by its name", "Give it an ending such as .csv."
                )
            kept = sorted(file for file in place.iterdir() if file.is_file() and not file.name.startswith("."))
        files = [file for file in kept if file.name.lower().endswith(DATA_SUFFIXES)]
        if not files and any(file.suffix.lower() in _PICTURES for file in _look_deeper(place, kept)):
            raise refuse(path, "holds pictures, which are not read yet", "Tables of features are: .csv, .parquet, …")
        if not files:
            held = some_of(file.name for file in kept)
            raise refuse(
                path,
                f"holds no data file ({held})" if held else "holds no file",
                f"Read are {', '.join(DATA_SUFFIXES)}.",
            )
        return [str(file.relative_to(root)) if file.is_relative_to(root) else str(file) for file in files]


def _expand(place: Path) -> Iterator[Path]:
    fixed = _fixed_part(place)
    return fixed.glob(str(place.relative_to(fixed)))


def _fixed_part(place: Path) -> Path:
    """The folder before the first part that has a wildcard."""
    fixed = Path(place.anchor)
    for part in place.parts[1 if place.anchor else 0 :]:
        if _GLOB & set(part):
            break
        fixed /= part
    return fixed


def _is_hidden(file: Path, place: Path) -> bool:
    wanted = any(part.startswith(".") for part in place.parts[-1:])
    return file.name.startswith(".") and not wanted and not fnmatch.fnmatch(file.name, place.name if wanted else "\0")


def _look_deeper(place: Path, kept: Sequence[Path]) -> Iterator[Path]:
    yield from kept
    if place.is_dir():
        for folder in sorted(entry for entry in place.iterdir() if entry.is_dir())[:20]:
            yield from list(folder.iterdir())[:5]


def _check_alike(file: str, found: Sequence[str], first: str, names: Sequence[str]) -> None:
    if set(found) == set(names):
        return
    absent = [name for name in names if name not in found]
    more = [name for name in found if name not in names]
    said = (
        f"has no column {some_of(map(repr, absent))}"
        if absent
        else f"has the column {some_of(map(repr, more))} besides"
    )
    raise refuse(file, f"{said}, unlike {first}", "Files of one folder or glob need the same columns.")


def _alike(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Columns that are text in one file and typed in another become text in all."""
    from mlproj.data.cells import kind_of, to_strings

    for name in frames[0].columns:
        kinds = {kind_of(frame[name]) for frame in frames if frame[name].notna().any()}
        if len(kinds) > 1:
            for place, frame in enumerate(frames):
                frames[place] = frame.assign(**{str(name): to_strings(frame[name])})
    return frames
