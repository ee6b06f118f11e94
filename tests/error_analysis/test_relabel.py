"""What reviewers agree that a label should be: everybody who said something of it."""

from typing import Literal

import pytest

from mlproj.error_analysis import Example, Manifest, Row, Sheet, Stratum
from mlproj.error_analysis.relabel import Relabel, relabels

Said = tuple[str, str, Literal["ok", "wrong", "ambiguous", ""], str]


def sheet(*said: Said, y_true: str = "rose") -> Sheet:
    """A sheet of rows (id, reviewer, label_ok, corrected_label)."""
    rows = tuple(
        Row(
            Example(name, y_true, "lily", 1.0, "error"), 1.0, label_ok=word, corrected_label=label, reviewer=who,
            reviewed=True, file=f"{who or 'sheet'}.csv", line=line,
        )
        for line, (name, who, word, label) in enumerate(said, start=2)
    )  # fmt: skip
    manifest = Manifest(
        "sheet-x", "r", "first", "dev", "errors", "all", "classification", "", ("lily", "rose", "iris"), 9, 0.5,
        {"error": Stratum(5, 5)},
    )  # fmt: skip
    return Sheet(manifest, rows, ())


AGREED: dict[str, list[Said]] = {
    "one reviewer": [("a", "anna", "wrong", "lily")],
    "two who agree": [("a", "anna", "wrong", "lily"), ("a", "ben", "wrong", "lily")],
    "one who says what, one who only says wrong": [("a", "ben", "wrong", ""), ("a", "anna", "wrong", "lily")],
    "one who says nothing of the label": [("a", "anna", "wrong", "lily"), ("a", "ben", "", "")],
    "a corrected label without a word": [("a", "anna", "", "lily")],
}
DISPUTED: dict[str, list[Said]] = {
    "wrong and ok": [("a", "anna", "wrong", "lily"), ("a", "ben", "ok", "")],
    "wrong and ambiguous": [("a", "anna", "wrong", "lily"), ("a", "ben", "ambiguous", "")],
    "two labels": [("a", "anna", "wrong", "lily"), ("a", "ben", "wrong", "iris")],
    "two against one": [("a", w, "wrong", "lily") for w in ("anna", "cem")] + [("a", "ben", "ok", "")],
    "ok and ambiguous": [("a", "anna", "ok", ""), ("a", "ben", "ambiguous", "")],
}


@pytest.mark.parametrize("case", AGREED)
def test_a_label_is_corrected_where_all_who_said_something_agree(case: str) -> None:
    found = relabels(sheet(*AGREED[case]))
    assert [(row.id, row.label, row.was) for row in found.agreed] == [("a", "lily", "rose")]
    assert not found.conflicts


@pytest.mark.parametrize("case", DISPUTED)
def test_a_label_in_dispute_is_listed_and_left(case: str) -> None:
    found = relabels(sheet(*DISPUTED[case]))
    assert (found.agreed, found.ambiguous, found.unnamed) == ((), 0, 0)
    assert [who for who, _, _ in found.conflicts[0].said] == [who for _, who, _, _ in DISPUTED[case]]


def test_a_correction_names_all_who_say_so_and_the_line_that_says_what() -> None:
    rows: list[Said] = [("a", "ben", "wrong", ""), ("a", "anna", "wrong", "lily"), ("a", "cem", "wrong", "lily")]
    assert relabels(sheet(*rows)).agreed == (Relabel("a", "lily", "rose", "ben, anna, cem", "anna.csv", 3),)


def test_what_cannot_be_corrected_is_counted() -> None:
    found = relabels(
        sheet(("a", "", "ambiguous", "lily"), ("b", "", "wrong", ""), ("c", "", "ok", ""), ("d", "", "", ""))
    )
    assert (found.ambiguous, found.unnamed, found.agreed) == (1, 1, ())
    assert found.confirmed == (("c", "rose"),)


def test_a_label_that_is_corrected_to_itself_corrects_nothing() -> None:
    found = relabels(sheet(("a", "anna", "wrong", "5.0"), y_true="5.0"))
    assert (found.agreed, found.unnamed) == ((), 1)
