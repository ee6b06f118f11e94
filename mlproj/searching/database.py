"""Studies in a database: what `search.storage` names."""

import random
import re
import time

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from mlproj.errors import InvalidInput, Problem

EXAMPLES = "`postgresql+psycopg://user:password@host/database` or `sqlite:////path/studies.db`"
ATTEMPTS = 6
CONNECT_SECONDS = 10
_PACKAGES = {"MySQLdb": "mysqlclient", "psycopg": "'psycopg[binary]'", "psycopg2": "psycopg2-binary"}
"""What to install where the package is called otherwise than the module."""


def open_database(url: str) -> BaseStorage:
    """Opens the studies in a database; its tables are created at first.

    Args:
        url: As SQLAlchemy writes it, such as ``postgresql+psycopg://user:password@host/database``.

    Raises:
        InvalidInput: When it leads to no database that could be used.
    """
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except NoSuchModuleError:
        raise _invalid(f"{_shown(url)} names no kind of database that is known", f"Write {EXAMPLES}.") from None
    except (ArgumentError, ValueError):
        raise _invalid(f"{_shown(url)} is no database URL", f"Write {EXAMPLES}.") from None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return get_storage(_connect(parsed))
        except ImportError as error:
            raise _without_driver(parsed, error) from error
        except RuntimeError as error:
            raise _invalid(
                f"{_shown(parsed)} was written by another version of Optuna: {_line(error)}",
                "`optuna storage upgrade --storage URL` brings it up to date.",
            ) from error
        except (SQLAlchemyError, StorageInternalError) as error:
            # searches that open an empty database at once get into each other's way while its tables are created
            if attempt == ATTEMPTS or not re.search(r"exist|unique", _reason(error), re.IGNORECASE):
                raise _invalid(
                    f"{_shown(parsed)} cannot be used: {_hidden(_reason(error), parsed)}",
                    "Is the server running, are name and password right, and does the database exist?",
                ) from None
            time.sleep(random.uniform(0.05, 0.3))
    raise AssertionError("the last attempt returns or raises")


def _connect(url: URL) -> RDBStorage:
    # a connection may rest for as long as a training takes; some servers close it meanwhile
    options: dict[str, object] = {"pool_pre_ping": True}
    if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
        options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
    text = url.render_as_string(hide_password=False)
    # Optuna fills in what stands in braces; a password may hold some
    return RDBStorage(text.replace("{", "{{").replace("}", "}}"), engine_kwargs=options)


def _without_driver(url: URL, error: ImportError) -> InvalidInput:
    missing = error.name or getattr(error.__cause__, "name", None) or url.get_driver_name()
    package = _PACKAGES.get(missing, missing)
    return _invalid(
        f"{_shown(url)} needs the Python package {missing}, which is not installed", f"pip install {package}"
    )


def _invalid(message: str, hint: str) -> InvalidInput:
    return InvalidInput([Problem("search.storage", message, hint)])


def _shown(url: URL | str) -> str:
    """A URL without its password, also where it cannot be taken apart."""
    text = url.render_as_string() if isinstance(url, URL) else re.sub(r"://[^/]*@", "://***@", url)
    return repr(text)


def _hidden(text: str, url: URL) -> str:
    return text.replace(url.password, "***") if url.password else text


def _reason(error: Exception) -> str:
    """The first line of what the database itself said."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    return _line(getattr(cause, "orig", None) or cause)


def _line(error: object) -> str:
    return (str(error).strip().splitlines() or [""])[0]
