"""`where` expressions: what they say, and that nothing in them ever runs."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.spec.where import And, Column, Compare, Not, Or, columns_of, parse_where


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("age > 30", Compare("age", ">", 30)),
        ("30 <= age", Compare("age", ">=", 30)),
        ("kind == 'adult'", Compare("kind", "==", "adult")),
        ("kind != None", Compare("kind", "!=", None)),
        ("price < -1.5e3", Compare("price", "<", -1500.0)),
        ("kind in ['a', 'b']", Compare("kind", "in", ("a", "b"))),
        ("kind not in ('a', 2)", Compare("kind", "not in", ("a", 2))),
        ("premium", Column("premium")),
        ("age_days <= 7 and not premium", And((Compare("age_days", "<=", 7), Not(Column("premium"))))),
        ("a or b and c", Or((Column("a"), And((Column("b"), Column("c")))))),
        ("0 < x < 5", And((Compare("x", ">", 0), Compare("x", "<", 5)))),
        ("`first name` == 'Ada'", Compare("first name", "==", "Ada")),
        ("`class` == 'it`s'", Compare("class", "==", "it`s")),
        ("µg > 3", Compare("µg", ">", 3)),
        ("a\nand b", And((Column("a"), Column("b")))),
        ("x == '\\d'", Compare("x", "==", "\\d")),
    ],
)
def test_expressions_become_small_trees(text: str, tree: object) -> None:
    assert parse_where(text) == tree


def test_columns_are_listed_in_order() -> None:
    assert list(columns_of(parse_where("a > 1 and (not `b c` or 3 < a)"))) == ["a", "b c", "a"]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("__import__('os').system('true')", "not allowed"),
        ("open('x')", "not allowed"),
        ("x.__class__ == 1", "'x.__class__'"),
        ("x == y.z", "not allowed"),
        ("x[0] == 1", "not allowed"),
        ("lambda: 1", "not allowed"),
        ("(lambda: 1)() == x", "not allowed"),
        ("[a for a in b]", "not allowed"),
        ("x == f'{y}'", "not allowed"),
        ("x if y else z", "not allowed"),
        ("(y := 3) == x", "not allowed"),
        ("await x", "not allowed"),
        ("x == b'a'", "not allowed"),
        ("x == ...", "not allowed"),
        ("x == 1j", "not allowed"),
        ("x == 1e999", "not allowed"),
        ("x == {'a': 1}", "not allowed"),
        ("x in {}", "not allowed"),
        ("x == [[1]]", "not allowed"),
        ("x + 1 == 2", "a column stands on one side"),
        ("1 == 2", "a column stands on one side"),
        ("True", "not allowed"),
        ("x == y", "text stands in quotes"),
        ("x in 'abc'", "`in` takes a list"),
        ("x == ['a']", "`in` takes a list"),
        ("'a' in x", "a column stands on one side"),
        ("x > None", "== and != only"),
        ("x is None", "write == and !="),
        ("a & b", "write and, or, not"),
        ("x = 1", "`=` is written `==`"),
        ("", "cannot be read"),
        ("x ==", "cannot be read"),
        ("x == '\x00'", "cannot be read"),
        ("x == '\ud800'", "characters that are no text"),
        ("import os", "cannot be read"),
        ("x; y", "cannot be read"),
        ("x == 1)", "cannot be read"),
        ("not " * 60 + "x", "nested too deeply"),
        ("not " * 2000 + "x", "nested too deeply"),
        ("-" * 5000 + "1 == x", "nested too deeply"),
        ("(" * 3000 + "x" + ")" * 3000, "cannot be read"),
        ("x == '" + "a" * 20_000 + "'", "at most 10,000"),
        ("x > " + "9" * 5000, "cannot be read"),
    ],
)
def test_anything_else_is_refused_and_nothing_runs(text: str, fragment: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_where(text)
    assert fragment in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    try:
        tree = parse_where(text)
    except ValueError:
        return
    assert isinstance(tree, Compare | Column | Not | And | Or)


@given(st.text(min_size=1, max_size=12).filter(lambda name: "`" not in name and name.isprintable()), st.integers())
def test_any_column_can_be_named_in_backticks(name: str, value: int) -> None:
    assert parse_where(f"`{name}` == {value}") == Compare(name, "==", value)


@given(st.text(max_size=20), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_any_text_literal_survives(value: str, operator: str) -> None:
    assert parse_where(f"x {operator} {ast.unparse(ast.Constant(value))}") == Compare("x", operator, value)
