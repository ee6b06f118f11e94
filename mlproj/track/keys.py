"""Names and values as MLflow accepts them: letters, digits and ``_ - . / :`` and space, of limited length.

Without this a column called ``price, net`` or a list of 500 categories would make a finished training impossible to
store.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

LONGEST_KEY: Final = 250
LONGEST_PARAM: Final = 6000
LONGEST_TAG: Final = 8000
_REFUSED = re.compile(r"[^/\w.\- :]")


@lru_cache(maxsize=4096)
def clean_key(key: str) -> str:
    """A parameter, metric or tag name as MLflow accepts it; different names stay different.

    Args:
        key: The name as it should be.

    Returns:
        The same name where MLflow takes it; otherwise with `_` for what it refuses and a short hash at the end.

    Example:
        >>> clean_key("dev/recall")
        'dev/recall'
        >>> clean_key("data.columns.price, net")
        'data.columns.price_ net-c9ccb1bd'
    """
    cleaned = posixpath.normpath(_REFUSED.sub("_", key)).lstrip("./") or "_"
    if cleaned == key and len(key) <= LONGEST_KEY:
        return key
    mark = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{cleaned[: LONGEST_KEY - 9]}-{mark}"


def clip(value: str, longest: int) -> str:
    """A value that fits, saying how long it was.

    Example:
        >>> clip("a" * 40, 30)
        'aaaaaaaaaaaaa… (40 characters)'
    """
    if len(value) <= longest:
        return value
    note = f"… ({len(value):,} characters)"
    return value[: max(0, longest - len(note))] + note


def clean_params(params: Mapping[str, object]) -> dict[str, str]:
    """Parameters as MLflow accepts them, as text."""
    return {clean_key(key): clip(str(value), LONGEST_PARAM) for key, value in params.items()}


def clean_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Tags as MLflow accepts them, as text."""
    return {clean_key(key): clip(str(value), LONGEST_TAG) for key, value in tags.items()}
