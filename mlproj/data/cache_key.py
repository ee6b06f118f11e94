"""By what a cached data set is known: everything that decides what loading the data gives.

The content of the files is stood for by what the file system says of them: size, inode and the times of the last change
of content and of the entry. The last one, ctime, cannot be set back by a program, so a file that was rewritten with its
old size and date is another file all the same; one that was touched or copied is merely read once more. Two changes
within one tick of the clock could look alike, so a file that changed less than two seconds ago has no key yet.
"""

import hashlib
import json
import sys
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from mlproj.data.sources.base import AbstractSource
from mlproj.data.sources.files import FilesSource, find_files
from mlproj.data.sources.registry import find_source
from mlproj.data.sources.sklearn import SklearnSource, find_bundled
from mlproj.data.store import deal_file
from mlproj.data.table import parts_of
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project

SETTLED_NS = 2_000_000_000
_NOT_DATA = {"model", "training", "search", "about"}
"""Sections that loading the data does not look at."""


@dataclass(frozen=True)
class Key:
    """What decides how data load.

    Attributes:
        spec: Digest of project.yaml's part in it, of the state of the files, and of the code that reads them.
        deal: SHA-256 of the file of the stored deal; "" where there is none.
    """

    spec: str
    deal: str

    @property
    def name(self) -> str:
        """Name of the entry in the cache; "" without a stored deal, because nobody knows yet who lies where."""
        return hashlib.sha256(f"{self.spec} {self.deal}".encode()).hexdigest()[:32] if self.deal else ""


def key_of(project: Project, store: Path) -> Key | None:
    """The key of a project's data as they lie there now; None when they cannot have one.

    Data of `python:` and of other packages' sources have none: what they give is not a matter of files.

    Args:
        project: As declared, before its task is filled in.
        store: Folder of the stored deal, which decides who lies where.
    """
    try:
        facts = [_state_of(file) for file in _files_of(project)]
    except (OSError, InvalidInput):  # whoever reads them says what is wrong
        return None
    newest = max((max(fact[2], fact[3]) for fact in facts), default=0)
    if not facts or time.time_ns() - newest < SETTLED_NS:
        return None
    spec = project.model_dump_json(exclude=_NOT_DATA)
    text = json.dumps([spec, str(project.root.resolve()), facts, _versions()])
    try:
        deal = hashlib.sha256(deal_file(store, project.name).read_bytes()).hexdigest()
    except OSError:
        deal = ""
    return Key(hashlib.sha256(text.encode()).hexdigest(), deal)


def _files_of(project: Project) -> list[Path]:
    """Every file that loading reads, in the order of project.yaml; none when some part is no matter of files."""
    root = project.root
    files: list[Path] = []
    for part, _ in parts_of(project):
        source = find_source(part.path, root)
        if isinstance(source, FilesSource):
            found = find_files(part.path, root)[0]
            if not all(_is_plain(find_source(name)) for name in found):
                return []
            files += [root / name for name in found]
        elif isinstance(source, SklearnSource):
            files += find_bundled(part.path)
        elif _is_plain(source):
            files.append(root / Path(part.path).expanduser())
        else:
            return []
    return files + ([root / project.data.corrections] if project.data.corrections else [])


def _is_plain(source: AbstractSource) -> bool:
    """Whether a source of our own reads one file and nothing else."""
    return bool(source.suffixes) and type(source).__module__.startswith("mlproj.data.sources.")


def _state_of(file: Path) -> tuple[int, int, int, int, str]:
    found = file.stat()
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, str(file)


@cache
def _versions() -> str:
    """Digest of this room's own code and of the versions of what it computes with."""
    room = Path(__file__).parent
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(room.rglob("*.py")):
        digest.update(file.relative_to(room).as_posix().encode() + b"\0" + file.read_bytes())
    digest.update(" ".join(version(name) for name in ("numpy", "pandas", "pyarrow", "scikit-learn")).encode())
    return digest.hexdigest()
