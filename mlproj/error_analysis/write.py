"""Writing sheets: CSV for every tool, Excel files with drop-downs."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlproj.error_analysis.layout import AFTER, column_names, guard
from mlproj.error_analysis.sheet import LABEL_OK, TAG, Example, Manifest
from mlproj.errors import InvalidInput, Problem
from mlproj.records.whole import whole_file

SUFFIXES = (".csv", ".xlsx")
_NUMBERS = frozenset({"p_pred", "loss", "weight"})
_UNKNOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML cannot hold."""
_LONGEST_CELL = 32_000
"""Excel refuses cells of more than 32,767 characters."""
_WIDEST = 48
_FILLED_IN = "FFF7DC"
"""Colour of the columns that reviewers fill in."""


@dataclass(frozen=True)
class Page:
    """The cells of a sheet as text.

    Attributes:
        header: Column names.
        rows: Cells, as many per row as there are names.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def make_page(
    manifest: Manifest,
    examples: Sequence[Example],
    *,
    p_pred: Mapping[str, str],
    originals: Mapping[str, Mapping[str, str]],
    tags: Sequence[str],
    reviewer: str = "",
) -> Page:
    """The cells of a sheet.

    Args:
        manifest: How it was drawn.
        examples: The rows to write, in order.
        p_pred: Probability of the given answer by id; empty where there is none.
        originals: The data's own cells by column and id.
        tags: The tags that get a column.
        reviewer: Who gets the sheet.
    """
    renamed, header = column_names(originals, tags)
    rows = []
    for row in examples:
        known = {
            "id": row.id, "y_true": row.y_true, "y_pred": row.y_pred, "p_pred": p_pred.get(row.id, ""),
            "loss": "" if row.loss != row.loss else f"{row.loss:.4g}", "stratum": row.stratum,
            "weight": f"{manifest.strata[row.stratum].weight:.6g}", "reviewer": reviewer, "sheet": manifest.sheet,
        }  # fmt: skip
        known |= {renamed[name]: cells.get(row.id, "") for name, cells in originals.items()}
        rows.append(tuple(known.get(name, "") for name in header))
    return Page(tuple(header), tuple(rows))


def write_page(page: Page, path: Path, *, classes: Sequence[str] = ()) -> None:
    """Writes a sheet: first under another name, so that a half-written one is never found.

    Args:
        page: Its cells.
        path: A .csv or .xlsx file.
        classes: Class names, for the drop-down of `corrected_label`.

    Raises:
        InvalidInput: When the suffix is another one.
    """
    if path.suffix.lower() not in SUFFIXES:
        message = f"{path} ends in {path.suffix!r}" if path.suffix else f"{path} has no suffix"
        raise InvalidInput([Problem("--out", message, "Sheets are written as .csv or .xlsx.")])
    with whole_file(path) as place:
        if path.suffix.lower() == ".csv":
            _write_csv(page, place)
        else:
            _write_xlsx(page, place, classes)


def _write_csv(page: Page, path: Path) -> None:
    """UTF-8 with a byte order mark: without it Excel reads umlauts as something else."""
    with path.open("w", newline="", encoding="utf-8-sig", errors="surrogatepass") as file:
        writer = csv.writer(file)
        writer.writerows([[guard(text).replace("\0", "\ufffd") for text in row] for row in (page.header, *page.rows)])


def _write_xlsx(page: Page, path: Path, classes: Sequence[str]) -> None:
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.active
    sheet.title = "errors"
    sheet.freeze_panes = "B2"
    colour = PatternFill("solid", start_color=_FILLED_IN)
    for i, row in enumerate((page.header, *page.rows), start=1):
        for j, text in enumerate(row, start=1):
            if not text and i > 1 and not _is_filled_in(page.header[j - 1]):
                continue
            cell = sheet.cell(i, j)
            if i > 1 and text and page.header[j - 1] in _NUMBERS:
                cell.value = float(text)  # so that the column can be sorted
            else:
                cell.value = _UNKNOWN.sub("\ufffd", guard(text))[:_LONGEST_CELL] or None
                cell.data_type = "s" if text else "n"  # an id such as 007 stays a text
                cell.number_format = "@"
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if _is_filled_in(page.header[j - 1]):
                cell.fill = colour
            if i == 1:
                cell.font = Font(bold=True)
    for j, name in enumerate(page.header, start=1):
        longest = max([len(name), *(len(row[j - 1]) for row in page.rows)])
        sheet.column_dimensions[get_column_letter(j)].width = min(max(longest + 2, 8), _WIDEST)
        _offer(sheet, get_column_letter(j), name, len(page.rows), classes)
    sheet.auto_filter.ref = sheet.dimensions
    _explain(book)
    book.save(path)


def _is_filled_in(name: str) -> bool:
    return name in {*AFTER, "reviewer"} or name.startswith(TAG)


def _offer(sheet: object, letter: str, name: str, n_rows: int, classes: Sequence[str]) -> None:
    """A drop-down for the cells of a column that take one of a few words."""
    from openpyxl.worksheet.datavalidation import DataValidation

    words: tuple[str, ...] = LABEL_OK if name == "label_ok" else ("1", "0") if name.startswith(TAG) else ()
    if name == "corrected_label" and all("," not in word and '"' not in word for word in classes):
        words = tuple(classes)
    if not words or len(",".join(words)) > 250:  # the file format's limit is 255
        return
    offer = DataValidation("list", formula1=f'"{",".join(words)}"', allow_blank=True, showErrorMessage=False)
    offer.add(f"{letter}2:{letter}{n_rows + 1}")
    sheet.add_data_validation(offer)  # type: ignore[attr-defined]  # openpyxl ships no types


_HELP = (
    "How to fill in this sheet",
    "One row is one example. Fill in the coloured columns; leave the others as they are.",
    "note: what you see, in your own words. Begin with this column.",
    "label_ok: ok, wrong or ambiguous. corrected_label: what the label should be, where it is wrong.",
    "tag:NAME: 1 where the reason holds, several may; 0 or empty where it does not. New tag: columns are welcome.",
    "A row in which nothing is filled in counts as not looked at: write ok or a note where there is nothing to tag.",
    "Sorting, filtering, moving columns and renaming the file do no harm.",
)


def _explain(book: object) -> None:
    page = book.create_sheet("how to")  # type: ignore[attr-defined]  # openpyxl ships no types
    page.column_dimensions["A"].width = 110
    for i, line in enumerate(_HELP, start=1):
        page.cell(i, 1).value = line
