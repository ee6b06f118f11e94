"""The state of the code behind a run: commit and uncommitted changes."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COMMIT_TAG: Final = "mlflow.source.git.commit"
LARGEST_FILE: Final = 256 * 1024
"""Bytes from which a changed file is taken for data and left out of the patch."""
LARGEST_PATCH: Final = 4 * 1024 * 1024
_PATIENCE_SECONDS: Final = 10


@dataclass(frozen=True)
class GitState:
    """Commit and uncommitted changes of a git work tree.

    Attributes:
        commit: Hash of the checked-out commit; empty outside git or before the first commit.
        patch: Changes to tracked files, for `git apply`, with what was left out as comments on top; None when clean.
    """

    commit: str = ""
    patch: str | None = None

    @property
    def tags(self) -> Mapping[str, str]:
        """The MLflow tag that names the commit."""
        return {COMMIT_TAG: self.commit} if self.commit else {}


def capture_git(root: Path) -> GitState:
    """The commit and the uncommitted changes of the work tree that holds a folder.

    Untracked files are named, not copied: nobody has said yet that they may leave the folder. Binary files and files
    from 256 KB are taken for data and named too.

    Args:
        root: Folder of the project.

    Returns:
        What git says; an empty state where there is no git, no repository or no commit.
    """
    top = _git(root, "rev-parse", "--show-toplevel", "HEAD")
    if top is None:
        return GitState()
    folder, commit = top.decode("utf-8", "replace").splitlines()[:2]
    return GitState(commit, _patch(Path(folder), root))


def _patch(top: Path, root: Path) -> str | None:
    changed = _git(top, "diff", "HEAD", "--no-renames", "--numstat", "-z")
    others = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    sizes = dict(_read_numstat(top, entry) for entry in _entries(changed))
    large = [name for name, is_data in sizes.items() if is_data]
    notes = [f"# left out (large or binary): {name}" for name in large]
    notes += [f"# not tracked by git: {entry.decode('utf-8', 'replace')}" for entry in _entries(others)]
    text = ""
    if len(large) < len(sizes):
        leave = [f":(exclude,top,literal){name}" for name in large]
        body = _git(
            top, "diff", "HEAD", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--", ".", *leave
        )
        text = (body or b"").decode("utf-8", "surrogateescape")
        if len(text) > LARGEST_PATCH:
            notes.append(f"# left out: {len(text):,} characters of changes in {len(sizes)} files")
            text = ""
    return "\n".join([*notes, text]).encode("utf-8", "replace").decode() if notes or text else None


def _read_numstat(top: Path, entry: bytes) -> tuple[str, bool]:
    """A changed file and whether it looks like data: binary, or large now or by its change."""
    added, removed, name = entry.decode("utf-8", "surrogateescape").split("\t", 2)
    path = top / name
    size = path.lstat().st_size if path.is_symlink() or path.exists() else 0
    return name, added == "-" or size >= LARGEST_FILE or int(removed) > LARGEST_FILE // 40


def _entries(output: bytes | None) -> list[bytes]:
    return [entry for entry in (output or b"").split(b"\0") if entry]


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git prints; None when it is missing, refuses or takes too long."""
    command = ["git", "--no-optional-locks", "-c", "core.quotePath=false", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=_PATIENCE_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
