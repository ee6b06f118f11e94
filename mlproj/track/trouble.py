"""What went wrong with the store, in words that a person can act on."""

import re
import shutil
from pathlib import Path
from typing import Final

from mlproj.track.store import Store, without_password

_FULL: Final = "The disk is full. Free some space and run it again."
_SCARCE: Final = 256 * 1024
_ADVICE: Final = (
    ("database or disk is full|disk I/O error|No space left", _FULL),
    (
        "database is locked",
        "Another process has held the database for too long. End it (an open SQL shell?), try again.",
    ),
    ("readonly database|Permission denied|Read-only file", "It cannot be written. Check who owns it and its rights."),
    ("unable to open database file", "The database cannot be opened. Check its folder and rights."),
    ("not a database|malformed", "The file is damaged or no database. Restore it, or move it away to begin anew."),
    ("out-of-date database schema", "Another version of MLflow made it. Back it up, then run: mlflow db upgrade {uri}"),
    ("Can't locate revision", "A newer version of MLflow made it. Upgrade mlflow."),
    ("Max retries|Connection|NameResolution|timed out", "The server does not answer. Is it running?"),
    (r"\b40[13]\b|PERMISSION_DENIED", "The server refuses. Check MLFLOW_TRACKING_USERNAME, _PASSWORD or _TOKEN."),
)
_SQL: Final = re.compile(r"\s*(\[SQL:|\(Background on this error)")
_LONGEST: Final = 600


class StoreError(Exception):
    """A problem with the store whose message already says everything."""


def explain(error: BaseException, store: Store) -> str:
    """The message for an error that MLflow, SQLite or the system raised.

    Args:
        error: What was raised.
        store: The store that was in use.

    Returns:
        Which store, what happened, and the next step where one is known.

    Example:
        >>> from pathlib import Path
        >>> print(explain(OSError(28, "No space left on device"), Store(Path("/p/mlruns"), "sqlite:////p/mlruns/m.db")))
        The run store mlruns/ failed: [Errno 28] No space left on device
        The disk is full. Free some space and run it again.
    """
    if isinstance(error, StoreError):
        return str(error)
    text = _essence(error)
    if is_full(store.root):  # SQLite and MLflow say many things then, few of them that
        return f"The run store {store.label} failed, as the disk is full ({text}).\n{_FULL}"
    advice = next((advice for pattern, advice in _ADVICE if re.search(pattern, text)), "")
    head = f"The run store {store.label} failed: {text}"
    return "\n".join(filter(None, (head, advice.format(uri=without_password(store.uri)))))


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder, or of the nearest one above it that exists, has no room left to speak of."""
    place = next((each for each in (folder, *folder.parents) if each.is_dir()), None)
    try:
        return place is not None and shutil.disk_usage(place).free < _SCARCE
    except OSError:
        return False


def _essence(error: BaseException) -> str:
    """The reason without SQL statements and their parameters; the type where it would say nothing by itself."""
    text = _SQL.split(str(error))[0].strip()
    if isinstance(error, KeyError | AssertionError | AttributeError | TypeError | IndexError) or not text:
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
