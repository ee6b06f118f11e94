"""The quick way through large files: whatever a file holds, it gives what the careful way gives, or leaves it to it."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from same_data import assert_same, load_plainly

from mlproj.data import cache_key, load_dataset, table
from mlproj.data.dataset import Dataset
from mlproj.data.part import LatePart
from mlproj.data.sources import csv, plain_csv
from mlproj.errors import InvalidInput
from mlproj.spec.project import Project

Row = list[str]
N = 60


@pytest.fixture(autouse=True)
def _small_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of some lines, whose first are the head and tell the types, in blocks of some lines more."""
    monkeypatch.setattr(table, "LEAST_BYTES", 0)
    monkeypatch.setattr(cache_key, "SETTLED_NS", 0)
    monkeypatch.setattr(csv, "_HEAD", 500)
    monkeypatch.setattr(plain_csv, "_BLOCK", 700)


def was_quick(dataset: Dataset) -> bool:
    return all(isinstance(part, LatePart) for part in dataset.parts.values())


def cells(n: int = N, seed: int = 0) -> list[Row]:
    """A header and n rows: numbers of all kinds with gaps, words, names of rows, a label."""
    draw = random.Random(seed)
    columns: dict[str, Callable[[int], str]] = {
        "a": lambda _: f"{draw.gauss(0, 1):.3f}",
        "b": lambda _: draw.choice(["", f"{draw.gauss(0, 1e-6):.3e}", "-0.0", "inf"]),
        "c": lambda _: str(draw.randint(-3, 900)),
        "d": lambda _: "" if draw.random() < 0.9 else repr(draw.random()),
        "word": lambda _: draw.choice(["oak", "elm", ""]),
        "uid": lambda i: f"{i:05}",
        "y": lambda _: draw.choice(["yes", "no"]),
    }
    return [list(columns), *([make(i) for make in columns.values()] for i in range(n))]


def text_of(rows: list[Row], end: str = "\n") -> str:
    return end.join(",".join(row) for row in rows) + end


def put(text: str, column: int = 0, row: int = 40) -> Callable[[list[Row]], str]:
    """A cell, far down in the file or in all rows from one on."""

    def change(rows: list[Row]) -> str:
        rows[row][column] = text
        return text_of(rows)

    return change


def fill(column: int, *texts: str) -> Callable[[list[Row]], str]:
    def change(rows: list[Row]) -> str:
        for i, row in enumerate(rows[1:]):
            row[column] = texts[i % len(texts)]
        return text_of(rows)

    return change


MESSES: dict[str, Callable[[list[Row]], str]] = {
    "nothing": text_of,
    "no end of the last line": lambda rows: text_of(rows)[:-1],
    "ends of Windows": lambda rows: text_of(rows, "\r\n"),
    "ends of old": lambda rows: text_of(rows, "\r"),
    "byte order mark": lambda rows: "\ufeff" + text_of(rows),
    "semicolons": lambda rows: text_of(rows).replace(",", ";"),
    "blank line at the top": lambda rows: "\n" + text_of(rows),
    "blank line": lambda rows: text_of([*rows[:20], [], *rows[20:]]),
    "blank line of Windows": lambda rows: text_of([*rows[:20], [], *rows[20:]], "\r\n"),
    "blank lines at the end": lambda rows: text_of(rows) + "\n\n",
    "equal rows": lambda rows: text_of([*rows, *rows[1:9]]),
    "equal features": lambda rows: text_of([*rows, *([*row[:5], f"x{i}", row[6]] for i, row in enumerate(rows[1:9]))]),
    "quoted header": lambda rows: text_of([[f'"{name}"' for name in rows[0]], *rows[1:]]),
    "all quoted": lambda rows: text_of([[f'"{cell}"' for cell in row] for row in rows]),
    "comma in quotes": put('"oak, green"', 4),
    "line break in quotes": put('"oak\ngreen"', 4),
    "lines in quotes and a blank line": put('"oak\n\ngreen"', 4),
    "doubled quotes": put('"the ""oak"""', 4),
    "open quote": put('"oak', 4),
    "quoted number": put('"1.5"'),
    "quoted code": put('"007"', 2),
    "long row": put("1,2"),
    "short row": lambda rows: text_of([*rows[:30], rows[30][:-1], *rows[31:]]),
    "word among numbers": put("many"),
    "word at the top": put("many", row=1),
    "missing in words": put("NA"),
    "missing as nan": put("nan"),
    "only nan": fill(0, "nan"),
    "only NAN": fill(0, "NAN"),
    "nothing in a column": fill(0, ""),
    "nothing but one": fill(0, *[""] * 39, "3", *[""] * 99),
    "code far down": put("007", 2),
    "signed code": put("-07", 2),
    "code with a blank": put(" 07", 2),
    "code in a column of fractions": put("00.5"),
    "code of nothing but zeros": put("00", 2),
    "codes that are fractions": fill(0, "01.5", "2.25"),
    "only codes": fill(2, "01", "02", "10"),
    "exponents": fill(0, "1e-05", "1E-07", "-2e+03", "0.5"),
    "zeros": fill(0, "0", "-0", "0.0", "0e0"),
    "blanks around numbers": fill(0, " 1.5", "2 ", "\t3"),
    "a blank cell": put(" "),
    "plus signs": fill(0, "+1.5", "+2"),
    "thousands": fill(0, '"1,234.5"', "3.5"),
    "decimal comma": fill(0, '"1,5"', '"2,5"'),
    "truths": fill(0, "true", "false"),
    "bits": fill(0, "1", "0"),
    "yes and no": fill(0, "yes", "no"),
    "dates": fill(0, "2024-01-05", "2024-02-11 07:00"),
    "one date": put("2024-01-05"),
    "huge": fill(0, "1e308", "-1e308", "1e400"),
    "many digits": fill(0, "0.1234567890123456789", "12345678901234567890"),
    "whole with a point": fill(2, "3.0", "4.0", "5"),
    "hexadecimal": put("0x1F"),
    "underscores": put("1_000"),
    "a constant": fill(0, "2.5"),
    "zero byte in a word": put("oak\0", 4),
    "not UTF-8": put("\udcff", 4),
    "umlauts": put("Ölbaum", 4),
    "no name": lambda rows: text_of([["", *rows[0][1:]], *rows[1:]]),
    "a name twice": lambda rows: text_of([["c", *rows[0][1:]], *rows[1:]]),
    "no rows": lambda rows: text_of(rows[:1]),
    "one row": lambda rows: text_of(rows[:2]),
    "no label in places": fill(6, "yes", "", "no"),
    "one class": fill(6, "yes"),
    "no header": lambda rows: text_of(rows[1:]),
}  # fmt: skip
SLOW = {
    "ends of old", "semicolons", "blank line at the top", "blank line", "blank line of Windows",
    "blank lines at the end", "comma in quotes", "line break in quotes", "lines in quotes and a blank line",
    "doubled quotes", "open quote", "quoted number", "quoted code", "long row", "short row", "word among numbers",
    "word at the top", "missing in words", "missing as nan", "code far down", "signed code", "code with a blank",
    "code of nothing but zeros", "a blank cell", "one date", "hexadecimal", "underscores", "zero byte in a word",
    "not UTF-8", "a name twice", "no rows", "one row", "one class", "no header",
}  # fmt: skip
"""What the quick way leaves to the careful one."""
KEYS: dict[str, dict[str, Any]] = {
    "hashed": {"exclude": ["uid"]},
    "named": {"id": "uid"},
    "regression": {"id": "uid", "label": "c"},
    "weights": {"weight": {"where": "c > 100", "value": 3}, "columns": {"b": "number"}},
    "wide": {"include": ["a", "c", "d"], "group": "word"},
}


def outcome(load: Callable[[], Dataset]) -> Dataset | list[Any]:
    try:
        return load()
    except InvalidInput as error:
        return list(error.problems)


def compare(project: Project, store: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset | list[Any]:
    """The outcome of the quick way, which must be that of the careful one."""
    found = outcome(lambda: load_dataset(project, store=store, save=False))
    wanted = outcome(lambda: load_plainly(project, store, monkeypatch, save=False))
    assert_same(found, wanted)
    return found


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("mess", MESSES)
def test_a_file_means_the_same_both_ways(
    build: Any, tmp_path: Path, mess: str, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = MESSES[mess](cells()).encode("utf-8", "surrogateescape")
    project = build({"a.csv": text}, **KEYS[keys]).changed(slices={"oaks": "word == 'oak'"})
    found = compare(project, tmp_path / "splits", monkeypatch)
    if keys == "hashed":
        assert (isinstance(found, Dataset) and was_quick(found)) == (mess not in SLOW)


def test_any_two_messes_together_mean_the_same_both_ways(
    build: Any, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, store = random.Random(seed), tmp_path / "splits"
    by_cell = [mess for mess in MESSES.values() if mess.__qualname__.startswith(("put", "fill"))]
    for _ in range(20):
        rows = cells(draw.randint(3, 80), draw.randint(0, 999))
        for mess in draw.sample(by_cell, 2) if len(rows) > 41 else []:
            mess(rows)
        text = draw.choice([text_of, MESSES["ends of Windows"], MESSES["quoted header"], MESSES["equal rows"]])(rows)
        compare(
            build({"a.csv": text.encode("utf-8", "surrogateescape")}, **draw.choice(list(KEYS.values()))),
            store,
            monkeypatch,
        )
