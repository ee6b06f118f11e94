"""Sheets that come back: what reviewers wrote is understood, and what cannot be is said by file and line."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sheets import IDS, header, make_manifest, write

from mlproj.error_analysis import Manifest, Sheet
from mlproj.error_analysis.read import read_sheets
from mlproj.errors import InvalidInput

Form = Callable[[str], bytes]
SAID = {"007": {"note": "dark, very", "tag:dark": "1"}, "plain": {"label_ok": "wrong", "corrected_label": "dog"}}


def read(*paths: Path, manifest: Manifest | None = None) -> Sheet:
    return read_sheets(list(paths), lambda *_: manifest or make_manifest())


def text_of(said: dict[str, dict[str, str]] | None = None) -> str:
    return write(make_manifest(), Path("whole.csv"), SAID if said is None else said).read_text("utf-8-sig")


def save(text: str, name: str = "sheet.csv", encoding: str = "utf-8") -> Path:
    Path(name).write_bytes(text.encode(encoding))
    return Path(name)


def grid_of(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))


def save_grid(rows: Sequence[Sequence[str]], name: str = "sheet.csv", **how: str) -> Path:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, **how).writerows(rows)  # type: ignore[arg-type]  # the options are all texts
    return Path(name)


def edit(column: str, value: str, line: int = 2, manifest: Manifest | None = None) -> Path:
    """A sheet in which one cell says something else."""
    made = manifest or make_manifest()
    grid = grid_of(write(made, Path("whole.csv"), {}).read_text("utf-8-sig"))
    grid[line - 1][grid[0].index(column)] = value
    return save_grid(grid)


def complaint(*paths: Path, manifest: Manifest | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(*paths, manifest=manifest)
    return str(caught.value)


def understood(sheet: Sheet) -> None:
    """It says what SAID says."""
    rows = {row.id: row for row in sheet.rows}
    assert set(rows) == set(IDS)
    assert [row.id for row in sheet.reviewed] == [row.id for row in sheet.rows if row.id in SAID]
    assert rows["007"].tags == {"dark"}
    assert rows["007"].note == "dark, very"
    assert (rows["plain"].label_ok, rows["plain"].corrected_label) == ("wrong", "dog")


FORMS: dict[str, Form] = {
    "as it was written": lambda text: text.encode("utf-8-sig"),
    "without a byte order mark": lambda text: text.encode(),
    "in UTF-16": lambda text: text.encode("utf-16"),
    "in UTF-16 of the other order": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "with the line ends of Unix": lambda text: text.replace("\r\n", "\n").encode(),
    "with the line ends of old Macs": lambda text: text.replace("\r\n", "\r").encode(),
    "with the first line of Excel": lambda text: ("sep=,\r\n" + text).encode("utf-8-sig"),
    "with empty rows at the end": lambda text: (text + ",,,\r\n\r\n,\r\n").encode(),
    "with empty columns at the end": lambda text: text.replace("\r\n", ",,\r\n").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_sheet_is_read_in_any_form_of_csv(form: str) -> None:
    Path("sheet.csv").write_bytes(FORMS[form](text_of()))
    understood(read(Path("sheet.csv")))


@pytest.mark.parametrize(
    "how", [{"delimiter": ";"}, {"delimiter": "\t"}, {"delimiter": "|"}, {"quoting": csv.QUOTE_ALL}]
)
def test_delimiters_and_quotation_marks_are_found(how: dict[str, str]) -> None:
    understood(read(save_grid(grid_of(text_of()), "renamed.txt", **how)))


def test_a_delimiter_is_not_mistaken_for_the_commas_in_a_columns_name() -> None:
    grid = [[*row, "1" if i else "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r"] for i, row in enumerate(grid_of(text_of()))]
    understood(read(save_grid(grid, delimiter=";")))


def test_columns_may_be_reordered_and_added_and_the_file_renamed() -> None:
    grid = [[*reversed(row), "mine"] for row in grid_of(text_of())]
    grid[0][-1] = "my own column"
    understood(read(save_grid(grid, "other name.tsv", delimiter="\t")))


def test_rows_may_be_sorted_and_left_out() -> None:
    first, *rows = grid_of(text_of())
    assert [row.id for row in read(save_grid([first, rows[3], rows[0]])).rows] == ["plain", "007"]


def test_windows_1252_is_read_and_said() -> None:
    sheet = read(save(text_of({"007": {"note": "größer"}}), encoding="cp1252"))
    assert sheet.rows[0].note == "größer"
    assert "sheet.csv is not UTF-8; it was read as Windows-1252" in sheet.notes


@pytest.mark.parametrize("word", ["1", "x", "X", "yes", "TRUE", "1.0", "1,0", "WAHR", " x "])
def test_words_that_say_yes(word: str) -> None:
    assert read(edit("tag:dark", word)).rows[0].tags == {"dark"}


@pytest.mark.parametrize("word", ["0", "0.0", "no", "FALSE"])
def test_a_row_with_a_no_was_looked_at(word: str) -> None:
    row = read(edit("tag:dark", word)).rows[0]
    assert row.reviewed
    assert not row.tags


def test_a_row_with_nothing_but_a_signature_was_not_looked_at() -> None:
    assert not read(edit("reviewer", "anna")).reviewed


def test_new_tags_are_welcome() -> None:
    grid = grid_of(text_of())
    sheet = read(save_grid([[*row, "tag:glare" if i == 0 else "x"] for i, row in enumerate(grid)]))
    assert sheet.tags == ("dark", "blurry", "glare")
    assert all("glare" in row.tags for row in sheet.rows)


SPOILED = {"7": "007", "7.0": "007", "2-Jan": "1-2", "2026-02-01": "1-2", "1.23457E+19": "12345678901234567890",
           "1,23457E+19": "12345678901234567890", "12345678901234500000": "12345678901234567890"}  # fmt: skip


@pytest.mark.parametrize("text", SPOILED)
def test_ids_that_a_spreadsheet_changed_are_found_again_and_said(text: str) -> None:
    sheet = read(edit("id", text, 2 + IDS.index(SPOILED[text])))
    assert [row.id for row in sheet.rows] == list(IDS)
    assert f"reads {text!r} for {SPOILED[text]!r}" in sheet.notes[0]


def test_an_id_that_may_be_either_of_two_is_refused() -> None:
    made = make_manifest(["12345678901234567", "12345678901234568"])
    text = complaint(edit("id", "1.23457E+16", manifest=made), manifest=made)
    assert "sheet.csv:2: column id: '1.23457E+16' was changed by a spreadsheet" in text
    assert "'12345678901234567' or '12345678901234568': paste the id anew, formatted as text" in text


WRONG = {
    "an unknown id": ("id", "plan", "'plan' is not in the export sheet-bcdfghjk", "Did you mean `plain`?"),
    "a strange id": ("id", "zzz", "'zzz' is not in the export", "Only rows that were exported can come back."),
    "no id": ("id", "", "column id: is empty", "Each row needs the id that was exported."),
    "another truth": (
        "y_true",
        "dog",
        "says 'dog', but 'cat' was exported for '007'",
        "belongs into the column correc",
    ),
    "another answer": ("y_pred", "cat", "column y_pred: says 'cat', but 'dog' was exported", "Restore it."),
    "a tag that is neither": ("tag:dark", "maybe", "column tag:dark: 'maybe' is neither", "Write 1, x, yes or true"),
    "a tag that is a number": ("tag:dark", "2", "column tag:dark: '2' is neither", "0 or nothing where it does not"),
    "a tag of another tongue": ("tag:dark", "ja", "column tag:dark: 'ja' is neither", "Write 1, x, yes or true"),
    "a misspelt verdict": ("label_ok", "wrogn", "column label_ok: 'wrogn' is no such word", "Did you mean `wrong`?"),
    "a strange verdict": ("label_ok", "7", "column label_ok: '7' is no such word", "Write ok, wrong or ambiguous"),
    "a misspelt class": ("corrected_label", "dgo", "column corrected_label: 'dgo' is no class", "Did you mean `dog`?"),
    "a strange class": ("corrected_label", "zebra", "'zebra' is no class", "Write one of cat, dog, True."),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_cell_that_cannot_be_understood_is_named_with_line_and_remedy(what: str) -> None:
    column, value, message, remedy = WRONG[what]
    text = complaint(edit(column, value))
    assert "sheet.csv:2: " in text
    assert message in text
    assert remedy in text


def test_a_correction_must_agree_with_the_verdict() -> None:
    save(
        text_of(
            {
                "007": {"label_ok": "ok", "corrected_label": "dog"},
                "plain": {"label_ok": "wrong", "corrected_label": "cat"},
            }
        )
    )
    text = complaint(Path("sheet.csv"))
    assert "sheet.csv:2: column corrected_label: says 'dog', but label_ok says that 'cat' is ok" in text
    assert "sheet.csv:5: column corrected_label: says 'cat', which is the label that label_ok calls wrong" in text
    assert "Write wrong in label_ok, or empty this cell." in text
    assert "or ok in label_ok." in text


def test_classes_are_read_in_any_case_and_as_spreadsheets_translate_them() -> None:
    for word in ("TRUE", "true", "WAHR"):
        assert read(edit("corrected_label", word)).rows[0].corrected_label == "True"


@pytest.mark.parametrize(("text", "value"), [("1.5", "1.5"), ("1,5", "1.5"), ("-3", "-3.0"), ("0,125", "0.125")])
def test_corrected_numbers_may_have_a_decimal_comma(text: str, value: str) -> None:
    made = make_manifest(classes=())
    assert read(edit("corrected_label", text, manifest=made), manifest=made).rows[0].corrected_label == value


@pytest.mark.parametrize("text", ["much", "nan", "inf", "1.2.3", "1,2,3"])
def test_what_is_no_number_is_no_corrected_number(text: str) -> None:
    made = make_manifest(classes=())
    assert f"{text!r} is no number\n  Write a number" in complaint(
        edit("corrected_label", text, manifest=made), manifest=made
    )


def test_a_comma_that_may_stand_between_thousands_is_asked_about() -> None:
    made = make_manifest(classes=())
    text = complaint(edit("corrected_label", "250,000", manifest=made), manifest=made)
    assert "'250,000' may be 250000 or 250.000" in text
    assert "Write it without a comma." in text


def test_a_rounded_truth_is_no_change() -> None:
    made = make_manifest(classes=(), y="0.123456789012")
    assert len(read(edit("y_true", "0,12345679", manifest=made), manifest=made).rows) == 4
    assert "says '0.1239'" in complaint(edit("y_true", "0.1239", manifest=made), manifest=made)


def test_a_row_twice_by_one_reviewer_names_both_lines() -> None:
    grid = grid_of(text_of())
    text = complaint(save_grid([*grid, grid[1]]))
    assert "sheet.csv:6: column id: '007' stands in sheet.csv line 2 already" in text
    assert "sign them with different names in `reviewer`" in text


def test_one_example_by_two_reviewers_is_two_rows() -> None:
    made = make_manifest()
    paths = [write(made, Path(f"{who}.csv"), {"007": {"note": who}}, reviewer=who) for who in ("anna", "ben")]
    assert [(row.id, row.reviewer) for row in read(*paths).reviewed] == [("007", "anna"), ("007", "ben")]


def test_unsigned_sheets_are_told_apart_by_their_files() -> None:
    for folder in ("anna", "ben"):
        Path(folder).mkdir()
        write(make_manifest(), Path(folder) / "s.csv", {"007": {"note": folder}})
    assert {row.reviewer for row in read(Path("anna/s.csv"), Path("ben/s.csv")).rows} == {"anna/s.csv", "ben/s.csv"}


def test_one_person_may_sign_in_two_spellings() -> None:
    grid = grid_of(text_of())
    for row, name in zip(grid[1:], ["Anna", "anna", "ANNA ", "ben"], strict=True):
        row[grid[0].index("reviewer")] = name
    assert [row.reviewer for row in read(save_grid(grid)).rows] == ["Anna", "Anna", "Anna", "ben"]


def test_a_formula_that_a_spreadsheet_made_of_a_note_is_said() -> None:
    assert "sheet.csv line 2: the note reads '#NAME?'" in read(edit("note", "#NAME?")).notes[0]


def without(column: str) -> Path:
    grid = grid_of(text_of())
    place = grid[0].index(column)
    return save_grid([[*row[:place], *row[place + 1 :]] for row in grid])


def test_a_sheet_without_ids_is_refused() -> None:
    text = complaint(without("id"))
    assert "sheet.csv:1: has no column id" in text
    assert "Keep the columns that `mlproj errors export` wrote." in text


def test_the_column_sheet_may_be_gone() -> None:
    understood(read(without("sheet")))


def test_a_tag_whose_column_is_gone_is_not_counted_as_never_seen() -> None:
    sheet = read(without("tag:blurry"))
    assert sheet.tags == ("dark",)
    assert "the column tag:blurry is gone: nothing is said of blurry" in sheet.notes


def test_a_tag_that_is_gone_from_one_of_two_sheets_is_asked_for() -> None:
    whole = write(make_manifest(), Path("ben.csv"), {}, reviewer="ben")
    text = complaint(without("tag:blurry"), whole)
    assert "sheet.csv:1: has no column tag:blurry" in text
    assert "put it back, or take it out of all" in text


def rename(column: str, name: str) -> Path:
    return save(text_of().replace(column, name, 1))


RENAMED = {
    "ID": ("id,", "ID,", "Did you mean `id`?"),
    "a tag without its prefix": ("tag:dark", "dark", "column dark: is not 'tag:dark'\n  Did you mean `tag:dark`?"),
    "a tag in capitals": ("tag:dark", "Tag:dark", "Write tag:NAME, for example tag:blurry."),
    "a tag without a name": ("tag:dark", "tag:", "column tag:: is no tag"),
    "a space for a dash": ("corrected_label", "Corrected label", "Did you mean `corrected_label`?"),
    "a column twice": ("tag:dark", "tag:blurry", "has the column 'tag:blurry' 2 times\n  Keep one of them."),
}


@pytest.mark.parametrize("what", RENAMED)
def test_renamed_columns_are_asked_about(what: str) -> None:
    column, name, words = RENAMED[what]
    text = complaint(rename(column, name))
    assert text.startswith("sheet.csv:1: ")
    assert words in text


FILES: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "is empty", "A sheet from `mlproj errors export` is needed."),
    "blank lines": (b"\r\n,,\r\n", "is empty", "errors export"),
    "a header alone": (b"id,note\r\n", "has a header but no rows", "errors export"),
    "nothing to fill in": (b"id,y_true\r\n007,cat\r\n", "has no column that a reviewer could", "note, label_ok"),
    "zero bytes": (b"id,note\r\n\0\0,1\r\n", "holds zero bytes: it is no text file", "Save it as CSV in UTF-8."),
    "an Excel file": (b"PK\x03\x04rest", "is an Excel file, not CSV", "Rename it to .xlsx"),
    "an old Excel file": (b"\xd0\xcf\x11\xe0rest", "is an Excel file, not CSV", "or save it as CSV."),
    "an open quotation mark": (b'id,note\r\n007,"open\r\nplain,x\r\n', "cannot be read as CSV", "A quotation mark"),
    "too many cells": (b"id,note\r\n007,a,b\r\n", "holds 3 cells, but the header names 2 columns", "quotation marks"),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_is_no_sheet_is_refused(what: str) -> None:
    data, message, remedy = FILES[what]
    Path("sheet.csv").write_bytes(data)
    text = complaint(Path("sheet.csv"))
    assert text.startswith("sheet.csv")
    assert message in text
    assert remedy in text


def test_half_of_utf_16_is_refused() -> None:
    Path("sheet.csv").write_bytes(b"\xff\xfei\x00d\x00,")
    assert "is neither UTF-8 nor UTF-16\n  Save it as CSV in UTF-8." in complaint(Path("sheet.csv"))


def test_a_file_of_another_kind_or_none_at_all_is_refused() -> None:
    Path("sheet.ods").touch()
    Path("near.csv").touch()
    text = complaint(Path("sheet.ods"), Path("missing.csv"), Path("folder"))
    assert "sheet.ods: ends in '.ods'\n  Sheets are .csv or .xlsx files" in text
    assert "missing.csv: does not exist\n  There are: near.csv." in text
    assert "folder: has no suffix" in text


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + bytes(300)])
def test_a_damaged_excel_file_is_refused(data: bytes) -> None:
    Path("sheet.xlsx").write_bytes(data)
    text = complaint(Path("sheet.xlsx"))
    assert text.startswith("sheet.xlsx: is no readable Excel file")
    assert "Save it anew as .xlsx" in text


def test_a_damaged_excel_file_never_ends_in_a_traceback(seed: int) -> None:
    import random

    chance, whole = random.Random(seed), write(make_manifest(), Path("whole.xlsx"), SAID).read_bytes()
    for _ in range(40):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 30)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        Path("sheet.xlsx").write_bytes(broken[: chance.randint(len(broken) // 2, len(broken))])
        try:
            read(Path("sheet.xlsx"))
        except InvalidInput as error:
            assert str(error).startswith("sheet.xlsx")  # noqa: PT017 - either it is read, or it is refused


def test_rows_of_two_exports_in_one_file_are_refused() -> None:
    text = complaint(edit("sheet", "sheet-other"))
    assert "mixes rows of several exports: sheet-bcdfghjk (line 3), sheet-other (line 2)" in text
    assert "Keep the rows of one export in a file." in text


def test_files_of_two_exports_are_refused() -> None:
    a, b = make_manifest(), replace(make_manifest(), sheet="sheet-other")
    paths = [write(a, Path("a.csv"), {}), write(b, Path("b.csv"), {})]
    known = {m.sheet: m for m in (a, b)}
    with pytest.raises(InvalidInput, match=r"a.csv is sheet-bcdfghjk, b.csv is sheet-other\n.*one export together"):
        read_sheets(paths, lambda token, _: known[token])


def test_a_sheet_of_which_nothing_is_known_says_what_to_give() -> None:
    path = write(make_manifest(), Path("a.csv"), {})
    with pytest.raises(InvalidInput, match=r"nothing is known of the export 'sheet-bcdfghjk'\n.*--predictions FILE"):
        read_sheets([path], lambda *_: None)


def test_a_file_named_twice_is_refused() -> None:
    path = write(make_manifest(), Path("a.csv"), {})
    assert "a.csv: is named 2 times\n  Name each sheet once." in complaint(path, path)


def test_everything_that_is_wrong_in_all_files_is_said_at_once() -> None:
    made = make_manifest()
    a = write(made, Path("a.csv"), {"007": {"tag:dark": "7", "label_ok": "bad"}}, reviewer="anna")
    b = write(made, Path("b.csv"), {"plain": {"corrected_label": "bird"}}, reviewer="ben")
    text = complaint(a, b)
    assert all(
        place in text for place in ("a.csv:2: column tag:dark", "a.csv:2: column label_ok", "b.csv:5: column corr")
    )


def test_very_many_problems_are_counted() -> None:
    made = make_manifest([f"id{i}" for i in range(60)])
    said = {name: {"label_ok": "bad"} for name in made.examples}
    assert "and 40 more problems" in complaint(write(made, Path("a.csv"), said), manifest=made)


def test_the_columns_stand_in_the_order_of_the_interface() -> None:
    first = "id y_true y_pred p_pred loss stratum weight note label_ok corrected_label"
    assert header(make_manifest()) == [*first.split(), "tag:dark", "tag:blurry", "reviewer", "sheet"]


def book(change: Callable[[Any, dict[str, int]], None]) -> Path:
    """An Excel file in which somebody did something to the cells."""
    from openpyxl import load_workbook

    path = write(make_manifest(), Path("sheet.xlsx"), SAID)
    made = load_workbook(path)
    page = made.worksheets[0]
    change(page, {cell.value: cell.column for cell in page[1]})
    made.save(path)
    return path


def test_merged_cells_are_refused_since_only_the_first_of_them_holds_anything() -> None:
    def merge(page: Any, at: dict[str, int]) -> None:
        column = at["tag:dark"]
        page.merge_cells(start_row=2, end_row=4, start_column=column, end_column=column)

    assert "sheet.xlsx: holds merged cells" in (said := complaint(book(merge)))
    assert "Unmerge them" in said


def test_a_formula_that_no_spreadsheet_has_computed_is_refused() -> None:
    def formula(page: Any, at: dict[str, int]) -> None:
        page.cell(3, at["tag:dark"]).value = "=1+0"
        page.cell(3, at["tag:dark"]).data_type = "f"

    assert "sheet.xlsx:3: holds a formula without a value: =1+0" in (said := complaint(book(formula)))
    assert "Open and save it once" in said


def test_lines_that_are_cut_short_are_read_and_said() -> None:
    grid = grid_of(text_of())
    sheet = read(save_grid([grid[0], *(cells[:-1] for cells in grid[1:])]))
    assert any("lines hold fewer cells than the header" in note for note in sheet.notes)


def test_without_the_column_sheet_it_is_said_which_export_was_meant() -> None:
    grid = grid_of(text_of())
    gone = grid[0].index("sheet")
    sheet = read(save_grid([[*cells[:gone], *cells[gone + 1 :]] for cells in grid]))
    assert any("no column sheet: by its ids it is taken for sheet-bcdfghjk" in note for note in sheet.notes)
