"""`where` expressions: a comparison of columns with literals, joined by and, or, not. Parsed here, never evaluated as code.

``age > 30 and kind in ['adult', 'senior']`` becomes a small tree of `Compare`, `And`, `Or` and `Not`;
the data room evaluates it on a table.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator

Literal_: TypeAlias = str | int | float | bool | None
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
ALLOWED = "comparisons (== != < <= > >= in) of columns with literals, joined by and, or, not"


@dataclass(frozen=True)
class Compare:
    """One column against one literal, or against several with `in` and `not in`."""

    column: str
    operator: str
    value: Literal_ | tuple[Literal_, ...]


@dataclass(frozen=True)
class Column:
    """A column that is true or false by itself, as in `not premium`."""

    name: str


@dataclass(frozen=True)
class Not:
    """True where its part is false."""

    part: "Expression"


@dataclass(frozen=True)
class And:
    """True where all parts are true."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True)
class Or:
    """True where any part is true."""

    parts: tuple["Expression", ...]


Expression: TypeAlias = Compare | Column | Not | And | Or


def parse_where(text: str) -> Expression:
    """Reads a `where` expression.

    Args:
        text: The expression as written, for example ``origin == 'phone'``.

    Returns:
        Its tree.

    Raises:
        ValueError: When the text is anything else than comparisons of columns with literals.

    Example:
        >>> parse_where("age > 30")
        Compare(column='age', operator='>', value=30)
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
        raise ValueError(f"{text!r} cannot be read ({reason}); allowed are {ALLOWED}") from None
    return _read(tree, text)


def columns_of(expression: Expression) -> Iterator[str]:
    """The names of the columns that an expression reads, in order."""
    match expression:
        case Compare(column=name) | Column(name=name):
            yield name
        case Not(part=part):
            yield from columns_of(part)
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from columns_of(part)


def _read(node: ast.expr, text: str) -> Expression:
    match node:
        case ast.BoolOp(op=operator, values=values):
            parts = tuple(_read(value, text) for value in values)
            return And(parts) if isinstance(operator, ast.And) else Or(parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return Not(_read(operand, text))
        case ast.Name(id=name):
            return Column(name)
        case ast.Compare(left=left, ops=operators, comparators=comparators):
            sides = [left, *comparators]
            parts = tuple(_compare(a, op, b, text) for a, op, b in zip(sides, operators, sides[1:], strict=False))
            return parts[0] if len(parts) == 1 else And(parts)
    raise _refuse(text, ast.unparse(node))


def _compare(left: ast.expr, operator: ast.cmpop, right: ast.expr, text: str) -> Compare:
    sign = _OPERATORS.get(type(operator))
    if sign is None:
        raise _refuse(text, ast.unparse(left))
    if isinstance(left, ast.Name):
        value = _literal(right, text)
        if isinstance(value, tuple) != (sign in ("in", "not in")):
            raise _refuse(text, f"{left.id} {sign} {ast.unparse(right)}")
        return Compare(left.id, sign, value)
    if isinstance(right, ast.Name) and sign in _MIRRORED:
        return Compare(right.id, _MIRRORED[sign], _literal(left, text))
    raise _refuse(text, f"{ast.unparse(left)} {sign} {ast.unparse(right)}")


def _literal(node: ast.expr, text: str) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        raise _refuse(text, ast.unparse(node)) from None
    items = tuple(value) if isinstance(value, list | tuple | set) else (value,)
    if not all(item is None or isinstance(item, str | int | float | bool) for item in items):
        raise _refuse(text, ast.unparse(node))
    return items if isinstance(value, list | tuple | set) else value


def _refuse(text: str, part: str) -> ValueError:
    return ValueError(f"{part!r} in {text!r} is not allowed; allowed are {ALLOWED}")


def _check(text: str) -> str:
    parse_where(text)
    return text


Where = Annotated[str, AfterValidator(_check)]
