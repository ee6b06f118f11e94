"""Where trainings under way are kept, so that a crash costs seconds of work, not the trainings.

The process that hands out the jobs asks here too, and needs no torch for that.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from mlproj import __version__
from mlproj.records import Job
from mlproj.spec.model import Python
from mlproj.spec.project import Project
from mlproj.spec.render import spec_hash
from mlproj.training.snapshot_head import epochs_of

SECONDS = 30.0
"""A training loses at most that much, and the epoch that it was in."""
SECONDS_VARIABLE = "MLPROJ_SNAPSHOT_SECONDS"
"""Environment variable that says otherwise."""
_DAYS = 30.0
"""Nobody goes on with what is older."""
_SECONDS_PER_DAY = 86_400.0
_ENDING = ".safetensors"


class Shelf:
    """A folder of snapshots, one file per training, named by everything that its numbers depend on.

    Args:
        folder: Where they lie; it is made with the first of them.
        data_hash: Hash of what is trained on.

    Attributes:
        seconds: Seconds between two snapshots of a training.
    """

    def __init__(self, folder: Path, data_hash: str) -> None:
        self.folder, self._data_hash = folder, data_hash
        try:
            self.seconds = float(os.environ.get(SECONDS_VARIABLE, SECONDS))
        except ValueError:
            self.seconds = SECONDS

    def file(self, job: Job) -> Path:
        """Where the snapshot of a job lies, if there is one."""
        told = hashlib.sha256("/".join([__version__, self._data_hash, spec_hash(job.project), str(job.seed)]).encode())
        told.update(b"" if job.rows is None else job.rows.tobytes())
        for code in _own_code(job.project):
            told.update(hashlib.sha256(code).digest())
        return self.folder / f"{told.hexdigest()[:32]}{_ENDING}"

    def epochs(self, jobs: Mapping[int, Job]) -> dict[int, int]:
        """After how many epochs each job can be gone on with; jobs that begin are left out."""
        if not self.folder.is_dir():
            return {}
        found = {position: epochs_of(self.file(job)) for position, job in jobs.items()}
        return {position: epochs for position, epochs in found.items() if epochs}

    def all_epochs(self) -> list[int]:
        """After how many epochs each training that lies here can be gone on with, ascending."""
        return sorted(filter(None, map(epochs_of, self.folder.glob(f"[!.]*{_ENDING}"))))

    def drop(self, *jobs: Job) -> None:
        """Removes the snapshots of jobs that need none any more."""
        if self.folder.is_dir():
            for job in jobs:
                with suppress(OSError):
                    self.file(job).unlink(missing_ok=True)

    def clear_old(self) -> None:
        """Removes what nobody has gone on with for a month."""
        for file in self.folder.glob(f"*{_ENDING}*"):  # those that a kill left half written among them
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > _DAYS * _SECONDS_PER_DAY:
                    file.unlink()


def _own_code(project: Project) -> Iterator[bytes]:
    """The user's own files behind model and loss, and what they may import: edited, they train something else."""
    names = [project.model.factory] if isinstance(project.model, Python) else []
    loss = str(project.training.loss)
    names += [loss.removeprefix("python:")] if loss.startswith("python:") else []
    packages = {name.partition(":")[0].partition(".")[0] for name in names}
    files = {file for package in packages for file in project.root.glob(f"{package}/**/*.py")}
    files |= set(project.root.glob("*.py")) if names else set()
    for file in sorted(files):
        with suppress(OSError):
            yield str(file.relative_to(project.root)).encode()
            yield file.read_bytes()
