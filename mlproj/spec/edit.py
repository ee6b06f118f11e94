r"""One more key in a project.yaml that people wrote: comments, order and layout stay as they are.

Example:
    >>> text = "name: x\ndata:   # where from\n  source: a.csv\n  label: y  # what\n  id: k\n"
    >>> print(add_key(text, "data", "corrections", "c.csv"), end="")
    name: x
    data:   # where from
      source: a.csv
      label: y  # what
      corrections: c.csv
      id: k
    >>> add_key("data: {source: a.csv, label: y}", "data", "corrections", "c.csv")
    'data: {source: a.csv, label: y, corrections: c.csv}'
"""

import json
import re
from collections.abc import Iterator

from mlproj.spec.yaml import plain_value, read_yaml

_PLAIN = re.compile(r"[\w./-]*[\w./]")


def add_key(text: str, section: str, key: str, value: str, *, after: str = "label") -> str | None:
    """A YAML text with one more key in a section of its top level.

    A place is guessed from the text, and kept only when what the text says is then what it said before, and the key.

    Args:
        text: The document.
        section: Key of the section.
        key: What to add; it must not be there yet.
        value: A text.
        after: The key behind which it stands where that is possible; else it stands first.

    Returns:
        The new text; None when no line can be added without changing something else.
    """
    document = read_yaml(text)
    if document.problems or not isinstance(document.data, dict) or not isinstance(document.data.get(section), dict):
        return None
    wanted = {**document.data, section: {**document.data[section], key: value}}
    entry = f"{key}: {value if _PLAIN.fullmatch(value) and plain_value(value) == value else json.dumps(value)}"
    for new in _candidates(text, section, entry, after):
        found = read_yaml(new)
        if not found.problems and found.data == wanted:
            return new
    return None


def _candidates(text: str, section: str, entry: str, after: str) -> Iterator[str]:
    """Texts with the entry at places where it may belong."""
    head = re.search(rf"(?m)^(\ufeff?)(['\"]?){re.escape(section)}\2[ \t]*:", text)
    if head is None:
        return
    start, rest = head.end(), text[head.end() :]
    flow = re.match(r"[ \t]*(?:#[^\n]*)?(?:\r?\n[ \t]*)?\{", rest)
    if flow is not None:
        for sibling in re.finditer(rf"\b{after}[ \t]*:[ \t]*[^,{{}}\[\]\n]*?(?=[ \t]*[,}}])", rest):
            yield f"{text[: start + sibling.end()]}, {entry}{rest[sibling.end() :]}"
        yield f"{text[: start + flow.end()]}{entry}, {rest[flow.end() :].lstrip(' ')}"
        return
    first = re.match(r"[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*([ \t]+)(?=[^\s#])", rest)
    if first is None:
        return
    indent, end = first[1], "\r\n" if "\r\n" in rest[: first.end()] else "\n"
    for sibling in re.finditer(rf"(?m)^{indent}{after}[ \t]*:[^\n]*(\n|\Z)", rest):
        line = f"{indent}{entry}{end}" if sibling[1] else f"{end}{indent}{entry}"
        yield f"{text[: start + sibling.end()]}{line}{rest[sibling.end() :]}"
    place = start + first.end() - len(indent)
    yield f"{text[:place]}{indent}{entry}{end}{text[place:]}"
