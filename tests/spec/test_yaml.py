"""YAML 1.2 as people mean it, positions, and hostile documents."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.spec.yaml import MAX_BYTES, plain_value, read_yaml, read_yaml_file


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("-1.5e+3", -1500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("012", 12),
        ("-7", -7),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("1:20:30", "1:20:30"),
        ("2024-03-01", "2024-03-01"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1e", "1e"),
        (".", "."),
        ("e5", "e5"),
        ("tRuE", "tRuE"),
        ("=", "="),
    ],
)
def test_plain_words_follow_the_core_schema(word: str, value: object) -> None:
    found = read_yaml(f"key: {word}").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_float() -> None:
    found = plain_value(".nan")
    assert found != found  # noqa: PLR0124 - the definition of NaN


@pytest.mark.parametrize("text", ['"12"', "'12'", "!!str 12", "! 12", "|-\n  12", ">-\n  12"])
def test_quoted_and_tagged_words_are_text(text: str) -> None:
    assert read_yaml(f"key: {text}").data == {"key": "12"}


def test_keys_are_text_as_written() -> None:
    assert read_yaml("1: a\ntrue: b\n0.50: c\nnull: d\n").data == {"1": "a", "true": "b", "0.50": "c", "null": "d"}


def test_every_key_and_entry_knows_its_line() -> None:
    lines = read_yaml("a: 1\nb:\n  c: x\n  d:\n    - e\n    - f: 2\ng: {h: 1,\n  i: 2}\n").lines
    assert lines == {
        "a": 1, "b": 2, "b.c": 3, "b.d": 4, "b.d.0": 5, "b.d.1": 6, "b.d.1.f": 6, "g": 7, "g.h": 7, "g.i": 8,
    }  # fmt: skip


def test_aliases_repeat_what_they_name() -> None:
    assert read_yaml("a: &x [1, 2]\nb: *x\n").data == {"a": [1, 2], "b": [1, 2]}


def test_duplicate_keys_name_both_lines_and_reading_goes_on() -> None:
    document = read_yaml("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n")
    assert [(wrong.where, wrong.line) for wrong in document.problems] == [("a", 3), ("c.d", 4)]
    assert "first in line 1" in document.problems[0].message
    assert document.data == {"a": 1, "b": 2, "c": {"d": 1}}


def test_numbers_and_strings_that_are_the_same_key_are_duplicates() -> None:
    assert read_yaml("1: a\n'1': b").problems[0].line == 2


@pytest.mark.parametrize(
    ("text", "line", "fragment"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 2, "`[` is not closed"),
        ("a: {x: 1\nb: 2\n", 1, "`{` is not closed"),
        ("a: b: c", 1, "a colon where none can stand"),
        ("a: 1\n b: 2\n", 2, "each with its own colon"),
        ("a:\n\tb: 1", 2, "tab"),
        ("a: 1\nb: 'x\nc: 1\n", 2, "a quote is not closed"),
        ('a: "\\d"', 1, "single quotes"),
        ("a: 1\nkey\n", 2, "without a colon"),
        ("a: @x", 1, "cannot begin with '@'"),
        ("a: {b: >= 3}", 1, "quotes"),
        ("a: >= 3", 1, "quotes"),
        ("a: 1\nb: *nothing", 2, "refers to nothing"),
        ("a: &x [1, *x]", 1, "contains itself"),
        ("a: &x {b: *x}", 1, "contains itself"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: !!python/object/apply:os.system ['true']", 1, "tag !!python/object/apply:os.system is not allowed"),
        ("a: !!binary aGk=", 1, "tag !!binary is not allowed"),
        ("a: !!int x", 1, "tag !!int is not allowed"),
        ("a: !mine x", 1, "tag !mine is not allowed"),
        ("? [1, 2]\n: 3", 1, "a key must be plain text"),
        ("a: - b", 1, "a list cannot begin here"),
        ("- a\nb: 1", 2, "`- `"),
        ("a: [1,,2]", 1, "a value is missing"),
        ("a: 1]\nb: [1]]", 2, "no key where one is expected"),
        ("a: 1\nb: \x01", 2, "control characters"),
        ("a: \ud800", 1, "UTF-8"),
        (f"a: {'9' * 5000}", 1, "a number of 5,000 digits"),
        (f"a: {'[' * 5000}", 1, "more than 32 levels"),
        (f"{'- ' * 200}x", 1, "more than 32 levels"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, line: int, fragment: str) -> None:
    problem = read_yaml(text).problems[0]
    assert problem.line == line
    assert fragment in str(problem)


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "aliases written out" in read_yaml("\n".join(rows)).problems[0].message


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n", "null"])
def test_an_empty_document_is_none(text: str) -> None:
    assert read_yaml(text) == (None, {}, ())


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: \xc3\xa9\r\n")
    document = read_yaml_file(tmp_path / "x.yaml")
    assert document.data == {"a": 1, "b": "é"}
    assert document.lines["b"] == 2


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"a: \xff\xfe", "no UTF-8 text (byte 0xff at position 3)"),
        ("a: 1".encode("utf-16"), "UTF-8"),
        (bytes(range(256)), "UTF-8"),
        (b"a: \x00", "control characters"),
        (b"x" * (MAX_BYTES + 1), "at most 1 MB"),
    ],
)
def test_files_that_are_no_text_are_refused(tmp_path: Path, content: bytes, fragment: str) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    assert fragment in str(read_yaml_file(tmp_path / "x.yaml").problems[0])


def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    assert "cannot be opened" in str(read_yaml_file(tmp_path / "missing.yaml").problems[0])


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), max_size=20).filter(str.isprintable)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PRINTABLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_json_is_read_as_json(value: Any) -> None:
    assert read_yaml(json.dumps({"key": value}, ensure_ascii=False)).data == {"key": value}


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    document = read_yaml(text)
    assert document.problems or document.data is None or isinstance(document.data, str | int | float | list | dict)
