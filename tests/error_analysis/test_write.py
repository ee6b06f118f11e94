"""Sheets that go out: nothing runs, nothing is lost, nothing half-written, and real spreadsheets give it back."""

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sheets import IDS, make_manifest, write

from mlproj.error_analysis import Sheet
from mlproj.error_analysis.layout import column_names, guard, unguard
from mlproj.error_analysis.open import open_sheet
from mlproj.error_analysis.read import read_sheets
from mlproj.error_analysis.write import Page, make_page, write_page
from mlproj.errors import InvalidInput

SOFFICE = shutil.which("soffice")
SAID = {
    "007": {"note": "=1+1 öäü, “x”;\nline two", "tag:dark": "1", "label_ok": "ambiguous"},
    "1-2": {"note": "-vague", "tag:blurry": "x", "reviewer": "Ægir"},
    "plain": {"label_ok": "wrong", "corrected_label": "True"},
}
FAST = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
ANY = st.text(st.characters(exclude_characters="\0"))
IN_XML = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


def there_and_back(text: str, name: str) -> str:
    write_page(Page(("id", "note"), (("1", text),)), Path(name))
    return open_sheet(Path(name)).rows[0][1]


@FAST
@given(ANY)
def test_any_text_survives_a_csv_file(text: str) -> None:
    assert there_and_back(text, "a.csv") == text


@FAST
@given(IN_XML)
def test_any_text_that_xml_can_hold_survives_an_excel_file(text: str) -> None:
    assert there_and_back(text, "a.xlsx") == text


@FAST
@given(ANY)
def test_no_cell_can_be_run_and_the_guard_comes_off(text: str) -> None:
    assert unguard(guard(text)) == text
    assert guard(text)[:1] not in ("=", "@", "\t", "\r")


@pytest.mark.parametrize("text", ["-3.5", "+7", "-1e-5", "-0,25"])
def test_numbers_stay_numbers(text: str) -> None:
    assert guard(text) == text


@pytest.mark.parametrize("text", ["-2+3", "+1;cmd", "-x", "--1", "=1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert guard(text) == f"'{text}"


def test_the_file_begins_with_a_byte_order_mark_and_ends_lines_as_rfc_4180_does() -> None:
    data = write(make_manifest(), Path("a.csv"), {}).read_bytes()
    assert data.startswith(b"\xef\xbb\xbfid,")
    assert data.count(b"\r\n") == data.count(b"\n") == 5


def test_zero_bytes_and_what_xml_cannot_hold_are_replaced() -> None:
    assert there_and_back("a\0b", "a.csv") == "a\ufffdb"
    assert there_and_back("a\0\x0b\ud800b", "a.xlsx") == "a\ufffd\ufffd\ufffdb"


def test_names_that_collide_get_a_prefix() -> None:
    originals = {"note": {"007": "mine"}, "tag:dark": {"007": "5"}, "age": {"007": "30"}}
    made = make_manifest(["007"])
    page = make_page(made, list(made.examples.values()), p_pred={}, originals=originals, tags=made.tags)
    row = dict(zip(page.header, page.rows[0], strict=True))
    assert (row["data:note"], row["data:tag:dark"], row["age"], row["note"]) == ("mine", "5", "30", "")


@FAST
@given(st.sets(ANY, max_size=6))
def test_data_may_have_columns_of_any_name(names: set[str]) -> None:
    made = make_manifest()
    page = make_page(
        made,
        list(made.examples.values()),
        p_pred={},
        originals={name: {"007": "cell"} for name in names},
        tags=made.tags,
    )
    write_page(page, Path("a.csv"))
    assert [row.id for row in read_sheets([Path("a.csv")], lambda *_: made).rows] == list(IDS)


@pytest.mark.parametrize("name", ["note", " id ", "Tag:x", "tag:dark", "sheet\n", "data:note", "loss"])
def test_a_column_that_would_be_taken_for_one_of_the_sheets_is_renamed(name: str) -> None:
    renamed, header = column_names([name], ["dark"])
    assert renamed[name] == f"data:{name.strip()}"
    assert len(set(header)) == len(header)


def test_a_sheet_that_cannot_be_finished_leaves_the_old_one_as_it_was() -> None:
    path = write(make_manifest(), Path("a.csv"), {})
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        write_page(Page(("id",), (("1",), (None,))), path)  # type: ignore[arg-type]  # that is what goes wrong
    assert path.read_bytes() == before
    assert [file.name for file in Path().iterdir()] == ["a.csv"]


@pytest.mark.parametrize("name", ["a.ods", "a"])
def test_other_kinds_of_files_are_not_written(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"(?s)--out: .*Sheets are written as .csv or .xlsx."):
        write_page(Page(("id",), ()), Path(name))


def test_an_excel_sheet_is_made_for_people() -> None:
    from openpyxl import load_workbook

    book = load_workbook(write(make_manifest(), Path("a.xlsx"), SAID))
    sheet = book["errors"]
    assert book.sheetnames == ["errors", "how to"]
    assert sheet.freeze_panes == "B2"
    assert [cell.data_type for cell in sheet["A"]] == ["s"] * 5
    offers = {str(o.sqref): o.formula1 for o in sheet.data_validations.dataValidation}
    assert offers == {"I2:I5": '"ok,wrong,ambiguous"', "J2:J5": '"cat,dog,True"', "K2:K5": '"1,0"', "L2:L5": '"1,0"'}
    coloured = {c.column_letter for c in sheet[2] if c.fill.fgColor.rgb.endswith("FFF7DC")}
    assert coloured == set("HIJKLM")
    assert sheet["H2"].alignment.wrap_text


def test_losses_can_be_sorted_in_excel() -> None:
    from openpyxl import load_workbook

    assert load_workbook(write(make_manifest(), Path("a.xlsx"), {}))["errors"]["E2"].value == 1.25


def understood(sheet: Sheet) -> None:
    rows = {row.id: row for row in sheet.rows}
    assert set(rows) == set(IDS)
    assert rows["007"].note.replace("\r\n", "\n") == SAID["007"]["note"]
    assert (rows["007"].tags, rows["007"].label_ok) == (frozenset({"dark"}), "ambiguous")
    assert (rows["1-2"].tags, rows["1-2"].note, rows["1-2"].reviewer) == (frozenset({"blurry"}), "-vague", "Ægir")
    assert (rows["plain"].label_ok, rows["plain"].corrected_label) == ("wrong", "True")
    assert len(sheet.reviewed) == 3


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_what_was_written_is_read(name: str) -> None:
    understood(read_sheets([write(make_manifest(), Path(name), SAID)], lambda *_: make_manifest()))


@pytest.fixture(scope="module")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Path]:
    """Opens a file in LibreOffice and saves it as another kind."""
    if SOFFICE is None:
        pytest.skip("LibreOffice is not installed")
    profile = f"-env:UserInstallation=file://{tmp_path_factory.mktemp('soffice')}"

    def convert_to(path: Path, suffix: str) -> Path:
        how = [profile, "--headless", "--convert-to", suffix, "--outdir", "out", str(path)]
        subprocess.run([SOFFICE, *how], check=True, capture_output=True, timeout=120)
        return Path("out", f"{path.stem}.{suffix}")

    return convert_to


@pytest.mark.parametrize(("first", "then"), [("csv", "xlsx"), ("xlsx", "csv"), ("xlsx", "xlsx")])
def test_libreoffice_gives_it_back(first: str, then: str, convert: Callable[[Path, str], Path]) -> None:
    path = convert(write(make_manifest(), Path(f"a.{first}"), SAID), then)
    understood(read_sheets([path], lambda *_: make_manifest()))


def test_a_sheet_that_was_opened_in_the_wrong_encoding_is_put_right() -> None:
    scrambled = write(make_manifest(), Path("a.csv"), SAID).read_bytes().decode("cp1252", errors="replace")
    Path("b.csv").write_text(scrambled.replace("\ufffd", "\x9d"), encoding="utf-8")
    sheet = read_sheets([Path("b.csv")], lambda *_: make_manifest())
    understood(sheet)
    assert "b.csv was opened as Windows-1252, but is UTF-8; its letters were put right" in sheet.notes


def test_openpyxl_gives_it_back() -> None:
    from openpyxl import load_workbook

    path = write(make_manifest(), Path("a.xlsx"), SAID)
    book = load_workbook(path)
    book["errors"]["K5"] = True
    book["errors"]["L5"] = 1.0
    book.save("b.xlsx")
    row = read_sheets([Path("b.xlsx")], lambda *_: make_manifest()).rows[3]
    assert row.tags == {"dark", "blurry"}


def test_numbers_dates_and_truths_in_excel_cells_are_read_as_people_see_them() -> None:
    import datetime

    from openpyxl import Workbook

    book = Workbook()
    for cells in (["id", "note", "tag:dark"], [7.0, "a", True], [datetime.datetime(2026, 2, 1), "b", 0],
                  [12345678901234567890, None, None], ["plain", None, " "]):  # fmt: skip
        book.active.append(cells)
    book.save("a.xlsx")
    sheet = read_sheets([Path("a.xlsx")], lambda *_: make_manifest())
    assert [row.id for row in sheet.rows] == list(IDS)
    assert [row.reviewed for row in sheet.rows] == [True, True, False, False]


def test_formatted_empty_rows_cost_nothing() -> None:
    from openpyxl import load_workbook

    path = write(make_manifest(), Path("a.xlsx"), SAID)
    book = load_workbook(path)
    book["errors"].cell(200_000, 3).number_format = "0.00"
    book.save(path)
    understood(read_sheets([path], lambda *_: make_manifest()))


def test_a_sheet_as_pandas_saves_it_is_read() -> None:
    import pandas as pd

    write(make_manifest(), Path("a.csv"), SAID)
    frame = pd.read_csv("a.csv", dtype=str, encoding="utf-8-sig", keep_default_na=False)
    frame.to_csv("b.csv", index=False, quoting=csv.QUOTE_ALL, sep=";")
    understood(read_sheets([Path("b.csv")], lambda *_: make_manifest()))
