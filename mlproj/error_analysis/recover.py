"""What a spreadsheet made of a name: leading zeros lost, long numbers rounded, dates made of ids, words translated.

names = Names(["007", "1-2", "12345678901234567890"])
names.find("7"), names.find("2-Jan"), names.find("1.23457E+19")
"""

import re
from collections.abc import Iterable
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,4})?")
_GROUPED = re.compile(r"\d{1,3}([,.' \u00a0\u202f])\d{3}(\1\d{3})*")
_PRECISE = 15
"""Digits of a number that a spreadsheet keeps."""
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
TRUTHS = {
    "wahr": "true", "vrai": "true", "verdadero": "true", "vero": "true", "waar": "true",
    "falsch": "false", "faux": "false", "falso": "false", "onwaar": "false",
}  # fmt: skip
"""TRUE and FALSE as spreadsheets of other languages write them, whoever typed them."""
Day = tuple[int | None, int, int]


class Names:
    """Names that were exported, found again by what a spreadsheet made of them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._folded: dict[str, list[str]] = {}
        self._exact: dict[Decimal, list[str]] = {}
        self._days: dict[tuple[int, int], list[tuple[Day, str]]] = {}
        for name in sorted(self._names):
            self._folded.setdefault(name.strip().casefold(), []).append(name)
            for value in _numbers(name):
                self._exact.setdefault(value, []).append(name)
            for day in _days(name):
                self._days.setdefault(day[1:], []).append((day, name))

    def find(self, text: str) -> list[str]:
        """The names that a cell may stand for: none, one, or several where only the reviewer can tell.

        Example:
            >>> Names(["1-2", "2-1", "007"]).find("2026-02-01"), Names(["007", "7"]).find("7.0")
            (['1-2', '2-1'], ['007', '7'])
        """
        if text in self._names:
            return [text]
        word = text.strip().casefold()
        found = self._folded.get(word) or self._folded.get(TRUTHS.get(word, word)) or self._by_number(text.strip())
        return found or self._by_day(text.strip())

    def _by_number(self, text: str) -> list[str]:
        values = _numbers(text)
        found = [name for value in values for name in self._exact.get(value, ())]
        if not found and values:
            kept = [(value, name) for value, names in self._exact.items() for name in names]
            found = [name for value, name in kept if any(_is_rounded(text, seen, value) for seen in values)]
        return sorted(set(found))

    def _by_day(self, text: str) -> list[str]:
        found = {
            name
            for year, *rest in _days(text)
            for (named, *_), name in self._days.get((rest[0], rest[1]), ())
            if year is None or named is None or year == named
        }
        return sorted(found)


def _numbers(text: str) -> list[Decimal]:
    """What a text is as a number: with a decimal point or comma, or with marks between thousands."""
    if not text.isascii() and not _GROUPED.fullmatch(text):
        return []
    found = []
    if _NUMBER.fullmatch(text):
        found.append(Decimal(text.replace(",", ".")))
    if grouped := _GROUPED.fullmatch(text):
        found.append(Decimal(text.replace(grouped[1], "")))
    return found


def _is_rounded(text: str, seen: Decimal, value: Decimal) -> bool:
    """Whether a spreadsheet that keeps 15 digits, or shows fewer as 1.23E+10, shows a value as it is seen."""
    digits = "".join(map(str, seen.as_tuple().digits))
    if "e" in text.lower():
        return f"{seen:.{len(digits) - 1}e}" == f"{value:.{len(digits) - 1}e}"
    whole = "".join(map(str, value.as_tuple().digits))
    if len(digits) <= _PRECISE or len(digits) != len(whole):
        return False
    is_cut = digits[:_PRECISE] == whole[:_PRECISE] and not digits[_PRECISE:].strip("0")
    return is_cut or float(seen) == float(value) or f"{seen:.{_PRECISE - 1}e}" == f"{value:.{_PRECISE - 1}e}"


def _days(text: str) -> set[Day]:
    """The days that a spreadsheet may take a text for: 1-2, MAR1, 3/4/2021, 2024-05; in any order where it is open.

    Example:
        >>> sorted(_days("2024-05")), sorted(_days("MARCH1")), _days("plain")
        ([(2024, 5, 1)], [(None, 3, 1)], set())
    """
    short = re.fullmatch(r"([A-Za-z]{3,9})[-/. ]?(\d{1,4})", text) or re.fullmatch(
        r"(\d{1,4})[-/. ]?([A-Za-z]{3,9})", text
    )
    parts = list(short.groups()) if short else re.split(r"[-/. ]+", text.removesuffix("."))
    if not 2 <= len(parts) <= 3 or len(text) > 20:
        return set()
    months = [_month(part) for part in parts]
    named = [i for i, part in enumerate(parts) if not part.isdecimal()]
    if any(not part.isdecimal() and months[i] is None for i, part in enumerate(parts)) or len(named) > 1:
        return set()
    found = {_day(parts, order) for order in _orders(len(parts), named)}
    return {day for day in found if day is not None}


def _orders(n: int, named: list[int]) -> list[str]:
    """Which part may be the year, the month and the day."""
    orders = ["md", "dm", "ym", "my"] if n == 2 else ["ymd", "dmy", "mdy"]
    return [order for order in orders if not named or order[named[0]] == "m"]


def _day(parts: list[str], order: str) -> Day | None:
    given = dict(zip(order, parts, strict=True))
    month, day = _month(given["m"]), int(given.get("d", "1"))
    if month is None or not 1 <= day <= 31:
        return None
    if "y" not in given:
        return (None, month, day)
    year = given["y"]
    if len(year) == 4:
        return (int(year), month, day)
    return (int(year) + (2000 if int(year) < 50 else 1900), month, day) if len(year) == 2 else None


def _month(part: str) -> int | None:
    if part.isdecimal():
        return int(part) if 1 <= int(part) <= 12 and len(part) < 3 else None
    word = part.lower()
    return next((i for i, month in enumerate(_MONTHS, start=1) if len(word) >= 3 and month.startswith(word)), None)
