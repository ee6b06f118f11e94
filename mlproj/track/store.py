"""Where runs are kept: `mlruns/` beside project.yaml, or the server or database that MLFLOW_TRACKING_URI names.

Asking for a `Store` creates nothing; its folder appears when the first run starts.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from mlproj.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from mlproj.spec.project import Project

VARIABLE = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class Store:
    """Where the runs of a project are kept.

    Attributes:
        root: The folder `mlruns/` beside project.yaml; splits lie here, artifacts too unless a server keeps them.
        uri: MLflow tracking URI.
        is_default: Whether `uri` is the database in `root` (and not what MLFLOW_TRACKING_URI says).
    """

    root: Path
    uri: str
    is_default: bool = True

    @property
    def artifacts(self) -> Path:
        """Folder of the runs' files."""
        return self.root / "artifacts"

    @property
    def splits(self) -> Path:
        """Folder of the stored deal."""
        return self.root / "splits"

    @property
    def database(self) -> Path | None:
        """The SQLite file behind `uri`; None for a server or another database."""
        return sqlite_file(self.uri)

    @property
    def is_server(self) -> bool:
        """Whether the runs lie behind an HTTP address, which keeps the artifacts too."""
        return urlsplit(self.uri).scheme in ("http", "https")

    def exists(self) -> bool:
        """Whether there can be runs in it: a server is taken to be there, a file is looked for."""
        return self.database is None or (self.database.is_file() and self.database.stat().st_size > 0)

    @property
    def label(self) -> str:
        """What a command calls the store when it says where runs are kept.

        Example:
            >>> Store(Path("/p/mlruns"), "http://me:secret@host:5000", is_default=False).label
            'http://host:5000 (MLFLOW_TRACKING_URI)'
        """
        return f"{self.root.name}/" if self.is_default else f"{without_password(self.uri)} ({VARIABLE})"


def store_for(project: "Project", environment: Mapping[str, str] = os.environ) -> Store:
    """The store of a project: MLFLOW_TRACKING_URI where it is set, `mlruns/` beside project.yaml otherwise.

    Args:
        project: The project; only its folder is looked at.
        environment: The environment to read.

    Raises:
        InvalidInput: When MLFLOW_TRACKING_URI names a plain folder, which MLflow no longer writes to, or the project's
            folder cannot hold a database.
    """
    root = project.root.resolve() / "mlruns"
    default = sqlite_uri(root / "mlflow.db")
    uri = environment.get(VARIABLE, "").strip()
    if not uri:
        if "?" in str(root):
            hint = "Rename the folder, or set MLFLOW_TRACKING_URI."
            raise InvalidInput([Problem(str(root.parent), "no database can be addressed in a folder with a '?'", hint)])
        return Store(root, default)
    if sqlite_file(uri):
        uri = sqlite_uri(sqlite_file(uri))
    elif urlsplit(uri).scheme in ("", "file") and not _may_use_folders(environment):
        message = f"'{uri}' is a folder; MLflow keeps runs in a database or on a server"
        hint = f"Unset {VARIABLE} to use {root.name}/, or set it to an http:// address or to sqlite:///PATH/mlflow.db."
        raise InvalidInput([Problem(VARIABLE, message, hint)])
    return Store(root, uri, is_default=uri == default)


def sqlite_uri(path: Path | None) -> str:
    """The tracking URI of a SQLite file.

    Example:
        >>> sqlite_uri(Path("/p/mlflow.db"))
        'sqlite:////p/mlflow.db'
    """
    return f"sqlite:///{path}"


def sqlite_file(uri: str) -> Path | None:
    """The absolute path of the SQLite file that a tracking URI names; None when it names something else.

    Example:
        >>> sqlite_file("sqlite:////p/mlflow.db")
        PosixPath('/p/mlflow.db')
        >>> sqlite_file("http://host:5000") is None
        True
    """
    scheme, separator, path = uri.partition(":///")
    if not separator or scheme.partition("+")[0] != "sqlite" or not path:
        return None
    return Path(path.partition("?")[0]).resolve()


def without_password(uri: str) -> str:
    """A URI as it may be shown: without user and password."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)) if host != parts.netloc else uri


def file_path(uri: str) -> Path | None:
    """The local path behind a `file:` URI or a plain path; None when it lies elsewhere.

    Example:
        >>> file_path("file:///p/my%20runs")
        PosixPath('/p/my runs')
        >>> file_path("mlflow-artifacts:/1/ab") is None
        True
    """
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    return Path(uri) if uri.startswith("/") else None


def _may_use_folders(environment: Mapping[str, str]) -> bool:
    return environment.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
