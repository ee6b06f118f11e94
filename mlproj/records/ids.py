"""Ids of a foreign file held against the ids that are known. N rows of the file.

Tools and spreadsheets change ids: `7` becomes `7.0`, `007` becomes `7`, and of 17 digits 15 remain. The first is put
right; the others are named for what they are, because several ids may have become one.
"""

import re
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mlproj.records.columns import canonical
from mlproj.records.predictions import Texts

_ROUNDED = re.compile(r"\d([.,]\d+)?[eE]\+?\d+")
_KEPT_DIGITS = 15
"""Digits of a number that a spreadsheet keeps."""
_LOOKED_AT = 1000


def match_ids(given: Texts, known: Texts) -> NDArray[np.int64]:
    """Position of each given id among the known ones (N,), −1 where it is none of them; `7.0` is `7`.

    Example:
        >>> match_ids(np.array(["b", "7.0", "x"]), np.array(["7", "b"])).tolist()
        [1, 0, -1]
    """
    place = {name: row for row, name in enumerate(known.tolist())}
    texts = given.tolist()
    return np.array([place.get(text, place.get(canonical(text), -1)) for text in texts], dtype=np.int64)


def explain_strangers(strangers: Sequence[str], known: Sequence[str]) -> str:
    """What a tool may have done to ids that are not known; "" when nothing is recognised.

    Args:
        strangers: Ids that were given and are not known.
        known: The ids that are.

    Example:
        >>> explain_strangers(["7"], ["007", "008"])
        "Leading zeros were lost: the data say '007'. Keep ids as text (in pandas `dtype=str`)."
    """
    looked_at = list(islice(strangers, _LOOKED_AT))
    if rounded := next((text for text in looked_at if _ROUNDED.fullmatch(text)), None):
        return f"{rounded!r} is a long number that a spreadsheet rounded. Write the ids anew, as text."
    if pair := _first_pair(looked_at, known, lambda text: canonical(text).lstrip("0")):
        return f"Leading zeros were lost: the data say {pair!r}. Keep ids as text (in pandas `dtype=str`)."
    if pair := _first_pair(looked_at, known, _first_digits):
        return f"Digits after the {_KEPT_DIGITS}th were lost: the data say {pair!r}. Write the ids anew, as text."
    if pair := _first_pair(looked_at, known, str.casefold):
        return f"Capital letters differ: the data say {pair!r}."
    if all(text.isdecimal() for text in looked_at) and not any(name.isdecimal() for name in islice(known, _LOOKED_AT)):
        return "They look like row numbers; write the ids (the index of `project.data(...)`) beside the answers."
    return ""


def _first_pair(strangers: Sequence[str], known: Sequence[str], key: Callable[[str], str]) -> str | None:
    """The known id that looks like the first stranger under `key`, if one does."""
    wanted = {key(text) for text in strangers} - {""}
    first = key(strangers[0])
    found = {name_key: name for name in known if (name_key := key(name)) in wanted}
    return found.get(first) or next(iter(found.values()), None)


def _first_digits(text: str) -> str:
    return text[:_KEPT_DIGITS] if text.isdecimal() and len(text) > _KEPT_DIGITS else ""
