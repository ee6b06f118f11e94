"""`where` expressions: comparisons of columns with literals, joined by and, or, not.

They are parsed here and never evaluated as code. ``age > 30 and kind in ['adult', 'senior']`` becomes a small tree of
`Compare`, `And`, `Or` and `Not`; the data room evaluates it on a table. A column whose name is no plain word stands in
backticks, as in pandas: `` `first name` == 'Ada' ``.
"""

import ast
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from mlproj.spec.base import Words

Literal_: TypeAlias = str | int | float | bool | None
MAX_LENGTH = 10_000
MAX_DEPTH = 50
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`([^`]+)`|([^\W\d]\w*)", re.DOTALL)
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
    if len(text) > MAX_LENGTH:
        raise ValueError(f"{text[:40]!r}… has {len(text):,} characters; at most {MAX_LENGTH:,} are read")
    text = " ".join(text.split("\n")).strip()
    plain, names = _plain_names(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on odd literals, which are refused or harmless
            tree = ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _unreadable(text, error) from None
    try:
        return _Reader(text, names).read(tree)
    except RecursionError as error:
        raise _unreadable(text, error) from None


def _unreadable(text: str, error: Exception) -> ValueError:
    reason = error.msg.partition(":")[0] if isinstance(error, SyntaxError) else "it is nested too deeply"
    if isinstance(error, ValueError):
        reason = "it holds characters that are no text"
    elif re.search(r"(?<![=!<>])=(?!=)", text):
        reason = "`=` is written `==`"
    return ValueError(f"{_short(text)!r} cannot be read ({reason}); allowed are {ALLOWED}")


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


def _plain_names(text: str) -> tuple[str, dict[str, str]]:
    """The text with stand-ins for column names that Python would not read, or would read as another name.

    Python folds names such as ``µg`` to their compatibility form, in which no column is called so.
    """
    names: dict[str, str] = {}

    def replace(token: re.Match[str]) -> str:
        name = token[1] or token[2]
        if not name or (token[2] and name.isascii()):
            return token[0]
        stand_in = f"_mlproj_column_{len(names)}"
        names[stand_in] = name
        return stand_in

    return _TOKEN.sub(replace, text), names


@dataclass(frozen=True)
class _Reader:
    """Turns Python's tree into ours and refuses all that is no comparison."""

    text: str
    names: Mapping[str, str]

    def read(self, node: ast.expr, depth: int = 0) -> Expression:
        if depth > MAX_DEPTH:
            raise RecursionError
        match node:
            case ast.BoolOp(op=operator, values=values):
                parts = tuple(self.read(value, depth + 1) for value in values)
                return And(parts) if isinstance(operator, ast.And) else Or(parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.read(operand, depth + 1))
            case ast.Name(id=name):
                return Column(self.names.get(name, name))
            case ast.Compare(left=left, ops=operators, comparators=comparators):
                sides = [left, *comparators]
                parts = tuple(self.compare(sides[i], sides[i + 1], operator) for i, operator in enumerate(operators))
                return parts[0] if len(parts) == 1 else And(parts)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                raise self.refuse(node, "write and, or, not instead of &, |, ~")
        raise self.refuse(node)

    def compare(self, left: ast.expr, right: ast.expr, operator: ast.cmpop) -> Compare:
        sign = _OPERATORS.get(type(operator))
        if sign is None:
            raise self.refuse(left, "write == and !=")
        if isinstance(left, ast.Name):
            column, value = left.id, self.literal(right)
            if isinstance(value, tuple) != (sign in ("in", "not in")):
                raise self.refuse(right, "`in` takes a list such as ['a', 'b'], the other comparisons one value")
        elif isinstance(right, ast.Name) and sign in _MIRRORED:
            column, sign, value = right.id, _MIRRORED[sign], self.literal(left)
        else:
            raise self.refuse(left, "a column stands on one side")
        if value is None and sign not in ("==", "!="):
            raise self.refuse(right, "None is compared with == and != only")
        return Compare(self.names.get(column, column), sign, value)

    def literal(self, node: ast.expr) -> Literal_ | tuple[Literal_, ...]:
        if isinstance(node, ast.Name):
            raise self.refuse(node, "text stands in quotes, and a column is compared with a literal")
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError):
            raise self.refuse(node) from None
        is_several = isinstance(value, list | tuple | set)
        items = tuple(value) if is_several else (value,)
        for item in items:
            is_plain = item is None or isinstance(item, str | int | float)
            if not is_plain or (isinstance(item, float) and not math.isfinite(item)):
                raise self.refuse(node)
        return items if is_several else items[0]

    def refuse(self, node: ast.expr, reason: str = "") -> ValueError:
        part = ast.unparse(node)
        for stand_in, name in self.names.items():
            part = part.replace(stand_in, f"`{name}`")
        found = repr(_short(self.text)) if part == self.text else f"{_short(part)!r} in {_short(self.text)!r}"
        return ValueError(f"{found} is not allowed; {reason or f'allowed are {ALLOWED}'}")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _check(text: str) -> str:
    parse_where(text)
    return text


Where = Annotated[str, AfterValidator(_check), Words(("a condition such as kind == 'adult'",))]
