r"""YAML as people mean it: the 1.2 core rules, the line of every key, and no surprises.

PyYAML parses (in C); what plain words mean is decided here, because its YAML 1.1 rules read ``1e-5`` as text, ``on``
as true, ``012`` as ten and ``12:30`` as 750. Duplicate keys, tags, endless aliases and second documents are refused.

Example:
    >>> read_yaml("rate: 1e-5\nswitch: on\n").data
    {'rate': 1e-05, 'switch': 'on'}
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml import events

from mlproj.errors import Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_VALUES = 100_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((f"{sign}{word}" for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_TAGS = {"str": str, "int": int, "float": float, "bool": bool, "null": type(None), "seq": list, "map": dict}
_SYNTAX = {
    "mapping values are not allowed": (
        "a colon where none can stand",
        'Put text that holds ": " in quotes; keys of one section start in the same column, each with its own colon.',
    ),
    "could not find expected ':'": ("a key without a colon", "Write `key: value`, with a space after the colon."),
    "did not find expected ',' or ']'": ("a `[` is not closed", "Close it with `]`; commas separate the entries."),
    "did not find expected ',' or '}'": ("a `{` is not closed", "Close it with `}`; commas separate the entries."),
    "found unexpected end of stream": ("a quote is not closed", "Close it, or leave the quotes out."),
    "found unknown escape character": ("a backslash in double quotes", "Use single quotes for text with backslashes."),
    "block sequence entries are not allowed": ("a list cannot begin here", "Start it on a new line, or write [a, b]."),
    "did not find expected comment or line break": (
        "`>` and `|` begin a block of text",
        'Put a limit in quotes: ">= 0.95".',
    ),
    "found a tab character": ("a tab indents the line", "Indent with spaces."),
    "control characters are not allowed": ("control characters are not allowed", "Is this a text file?"),
    "did not find expected '-' indicator": ("a list goes on without `- `", "Start each entry of the list with `- `."),
    "did not find expected key": (
        "no key where one is expected",
        "Keys of one section start in the same column; brackets and quotes come in pairs.",
    ),
    "did not find expected node content": ("a value is missing", "Commas and brackets stand between values."),
}
_BEGUN_EARLIER = ("unexpected end of stream", "or ']'", "or '}'", "expected ':'")


class Document(NamedTuple):
    """What a YAML text says.

    Attributes:
        data: Its content; None when it cannot be read.
        lines: Line of each dotted path (of the key, or of the list entry), counted from 1.
        problems: What is wrong with it, without file names.
    """

    data: Any
    lines: dict[str, int]
    problems: tuple[Problem, ...]


class _UnreadableError(Exception):
    """The text cannot be read on from here."""

    def __init__(self, line: int | None, message: str, hint: str = "", where: str = "") -> None:
        self.problem = Problem(where, message, hint, line=line)
        super().__init__(message)


def read_yaml(text: str) -> Document:
    r"""Reads one YAML document by the 1.2 core rules.

    Args:
        text: The document. Keys are always text, as written.

    Returns:
        Its data, the line of each dotted path, and all problems.

    Example:
        >>> document = read_yaml("a: 1\nb: {c: [x, y]}\na: 2\n")
        >>> document.data, document.lines["b.c.1"]
        ({'a': 1, 'b': {'c': ['x', 'y']}}, 2)
        >>> print(document.problems[0])
        3: a: is written twice, first in line 1
          Keep one of the two.
    """
    builder = _Builder()
    try:
        data = builder.document(yaml.parse(text, Loader=_LOADER))
    except _UnreadableError as refused:
        return Document(None, builder.lines, (*builder.problems, refused.problem))
    except yaml.YAMLError as error:
        return Document(None, builder.lines, (*builder.problems, _syntax_problem(error, text)))
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        problem = Problem("", "holds half a character (a lone surrogate)", "Save it as UTF-8.", line=line)
        return Document(None, builder.lines, (*builder.problems, problem))
    return Document(data, builder.lines, tuple(builder.problems))


def read_yaml_file(path: Path) -> Document:
    """Reads a YAML file; a file that cannot be read or is no text is a problem like any other.

    Args:
        path: The file.

    Returns:
        As `read_yaml`; the problems name no file.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            message = f"holds {size / 1e6:,.1f} MB; a project file holds at most {MAX_BYTES / 1e6:.0f} MB"
            return Document(None, {}, (Problem("", message, "Is this a data file? Name it under `data.source`."),))
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return Document(None, {}, (Problem("", f"cannot be opened: {error.strerror}"),))
    except UnicodeDecodeError as error:
        message = f"is no UTF-8 text (byte 0x{error.object[error.start]:02x} at position {error.start:,})"
        return Document(None, {}, (Problem("", message, "Save it as plain text in UTF-8."),))
    return read_yaml(text)


def plain_value(text: str) -> Any:
    """What an unquoted YAML word means.

    Raises:
        ValueError: For a whole number of more digits than any computer needs.

    Example:
        >>> [plain_value(word) for word in ("1e-5", "012", "0x1f", "yes", "12:30", "~", "True")]
        [1e-05, 12, 31, 'yes', '12:30', None, True]
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


@dataclass
class _Anchor:
    """What an alias can refer to; without `done` it still encloses the place of reading."""

    data: Any = None
    values: int = 0
    done: bool = False


@dataclass
class _Builder:
    """Turns parser events into data, depth first, counting what aliases multiply."""

    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, _Anchor] = field(default_factory=dict)
    values: int = 0

    def document(self, stream: Iterator[Any]) -> Any:
        """The only document of the stream; None for an empty one."""
        data, n_documents = None, 0
        for event in stream:
            if isinstance(event, events.DocumentStartEvent):
                n_documents += 1
                if n_documents > 1:
                    line = _line(event)
                    raise _UnreadableError(line, "a second document begins (`---`)", "Keep one project per file.")
            elif isinstance(event, events.NodeEvent):
                data = self.node(event, stream, (), 0)
        return data

    def node(self, event: Any, stream: Iterator[Any], path: tuple[str, ...], depth: int) -> Any:
        """The value that begins with `event`."""
        line, where = _line(event), ".".join(path)
        if isinstance(event, events.AliasEvent):
            return self.alias(str(event.anchor), line, where)
        self.count(1, line, where)
        if depth > MAX_DEPTH:
            raise _UnreadableError(line, f"is nested more than {MAX_DEPTH} levels deep", where=_short(where))
        anchor, before = _Anchor(), self.values - 1
        if event.anchor:
            self.anchors[event.anchor] = anchor
        if isinstance(event, events.ScalarEvent):
            data = self.scalar(event, line, where)
        elif isinstance(event, events.SequenceStartEvent):
            data = self.sequence(stream, path, depth)
        else:
            data = self.mapping(stream, path, depth)
        if not isinstance(event, events.ScalarEvent):
            self.check_tag(event.tag, data, line, where)
        anchor.data, anchor.values, anchor.done = data, self.values - before, True
        return data

    def sequence(self, stream: Iterator[Any], path: tuple[str, ...], depth: int) -> list[Any]:
        """The entries up to the end of the list."""
        entries: list[Any] = []
        for event in stream:
            if isinstance(event, events.SequenceEndEvent):
                break
            inner = (*path, str(len(entries)))
            self.lines[".".join(inner)] = _line(event)
            entries.append(self.node(event, stream, inner, depth + 1))
        return entries

    def mapping(self, stream: Iterator[Any], path: tuple[str, ...], depth: int) -> dict[str, Any]:
        """The keys and values up to the end of the mapping; the first of two equal keys stays."""
        entries: dict[str, Any] = {}
        for event in stream:
            if isinstance(event, events.MappingEndEvent):
                break
            line = _line(event)
            if not isinstance(event, events.ScalarEvent):
                raise _UnreadableError(line, "a key must be plain text", "Write `key: value`.", ".".join(path))
            inner = (*path, event.value)
            where, is_new = ".".join(inner), event.value not in entries
            if is_new:
                self.lines[where] = line
            else:
                message = f"is written twice, first in line {self.lines[where]}"
                self.problems.append(Problem(where, message, "Keep one of the two.", line=line))
            value = self.node(next(stream), stream, inner if is_new else (*inner, "(again)"), depth + 1)
            entries.setdefault(event.value, value)
        return entries

    def scalar(self, event: Any, line: int, where: str) -> Any:
        """The value of a word, quoted or plain."""
        if event.tag not in (None, "!"):
            return self.check_tag(event.tag, event.value, line, where)
        if event.tag == "!" or not event.implicit[0]:
            return event.value
        try:
            return plain_value(event.value)
        except ValueError:
            self.problems.append(Problem(where, f"a number of {len(event.value):,} digits", line=line))
            return 0

    def check_tag(self, tag: str | None, data: Any, line: int, where: str) -> Any:
        """The value under an explicit tag such as ``!!str``; tags that name anything but plain data are refused."""
        if tag in (None, "!"):
            return data
        kind = _TAGS.get(str(tag).removeprefix("tag:yaml.org,2002:"))
        value = plain_value(data) if isinstance(data, str) and kind not in (None, str) else data
        value = float(value) if kind is float and type(value) is int else value
        if kind is None or type(value) is not kind:
            written = str(tag).replace("tag:yaml.org,2002:", "!!")
            self.problems.append(
                Problem(where, f"the tag {_short(written)} is not allowed", "Leave it out.", line=line)
            )
        return value

    def alias(self, name: str, line: int, where: str) -> Any:
        """What ``*name`` stands for."""
        anchor = self.anchors.get(name)
        if anchor is None:
            raise _UnreadableError(
                line, f"`*{name}` refers to nothing", f"Put text that begins with * in quotes: '*{name}'.", where
            )
        if not anchor.done:
            raise _UnreadableError(line, f"`*{name}` contains itself", "Write the value out.", where)
        self.count(anchor.values, line, where)
        return anchor.data

    def count(self, n: int, line: int, where: str) -> None:
        """Stops documents that grow without end, as through aliases of aliases."""
        self.values += n
        if self.values > MAX_VALUES:
            message = f"holds more than {MAX_VALUES:,} values, aliases written out"
            raise _UnreadableError(line, message, "Write a smaller file.", _short(where))


def _syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    """A parser's complaint in plain words, with the line that it speaks of."""
    lines = text.splitlines()
    reason = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    mark = getattr(error, "problem_mark", None)
    if any(words in reason for words in _BEGUN_EARLIER):
        mark = getattr(error, "context_mark", None) or mark
    index = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0) or 0)
    found = lines[index] if index < len(lines) else ""
    if mark and "cannot start any token" in reason:
        message, hint = _odd_character(found[mark.column : mark.column + 1])
    else:
        message, hint = next((words for start, words in _SYNTAX.items() if start in reason), (reason, ""))
    shown = f": {_short(found.strip())!r}" if found.strip() else ""
    return Problem("", f"cannot be read as YAML: {message}{shown}", hint, line=index + 1)


def _odd_character(character: str) -> tuple[str, str]:
    if character == "\t":
        return "a tab indents the line", "Indent with spaces."
    return f"a value cannot begin with {character!r}", "Put it in quotes."


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _short(text: str, limit: int = 60) -> str:
    """The beginning of a long text."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
