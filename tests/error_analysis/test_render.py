"""The verdict says what is known, and no more."""

from typing import Any

import pytest
from reviews import make_sheet, row, tagged

from mlproj.error_analysis import Sheet
from mlproj.error_analysis.audit import audit
from mlproj.error_analysis.ceilings import ceilings, difference, gather_errors
from mlproj.error_analysis.merge import merge
from mlproj.error_analysis.render import label_verdict, table, verdict


def verdict_of(sheet: Sheet) -> tuple[str, str | None]:
    evidence = gather_errors(sheet.manifest, merge(sheet)[0], sheet.tags)
    rows = ceilings(evidence)
    held = [found["tag"] for found in rows if found["count"]]
    against = difference(evidence, *held[:2]) if len(held) > 1 else None
    return verdict(sheet.manifest, rows, against, len(evidence), evidence.n_errors - len(evidence))


def rows(**counts: int) -> list[Any]:
    """A hundred errors, each with one tag at most."""
    names = [name for name, count in counts.items() for _ in range(count)]
    return [row(i, *names[i : i + 1]) for i in range(100)]


def test_a_reason_is_called_the_largest_when_it_is() -> None:
    line, named = verdict_of(make_sheet(rows(dog=43, blurry=8), tags=("dog", "blurry")))
    assert named == "dog"
    assert line.startswith("dog is the largest reason (probability >0.99): curing it wins at most 4.30 points")


def test_it_says_how_many_more_errors_would_tell_two_reasons_apart() -> None:
    line, named = verdict_of(make_sheet(rows(dog=25, blurry=15), tags=("dog", "blurry"), strata={"error": 9000}))
    assert named is None
    assert line.startswith("Cannot tell yet which is larger, dog (0.9")
    assert "look at about 212 more errors" in line


def test_it_says_when_dev_does_not_hold_so_many() -> None:
    line, _ = verdict_of(make_sheet(rows(dog=25, blurry=15), tags=("dog", "blurry"), strata={"error": 150}))
    assert "takes about 212 more errors and dev has 50 more, so take them for equally large" in line


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        (make_sheet([row(0, stratum="correct")], tags=("dog",)), "No error was looked at yet"),
        (make_sheet(tagged(9, {"dog": 0}), tags=("dog",)), "None of the 9 errors that were looked at has a tag"),
        (make_sheet(tagged(9, {}), tags=()), "add a column tag:NAME for what they share"),
        (make_sheet(tagged(100, {"dog": 30}), tags=("dog", "cat")), "dog is the largest reason"),
    ],
)
def test_each_ending_has_its_words(sheet: Sheet, words: str) -> None:
    assert words in verdict_of(sheet)[0]


@pytest.mark.parametrize(
    ("looked_at", "words"),
    [
        (0, "No label was looked at yet"),
        (1, "fill in label_ok"),
        (2, "Between 1.03 and 8.45 % of the labels of dev are wrong."),
    ],
)
def test_a_sheet_of_labels_has_a_verdict_on_labels(looked_at: int, words: str) -> None:
    said = [
        [],
        [row(1, stratum="label")],
        [row(i, label="wrong" if i < 3 else "ok", stratum="label") for i in range(100)],
    ]
    sheet = make_sheet(said[looked_at], design="labels", strata={"label": 10**9})
    opinions = merge(sheet)[0]
    assert words in label_verdict(sheet.manifest, audit(sheet.manifest, opinions), len(opinions))


def test_numbers_stand_on_the_right() -> None:
    assert table(("tag", "n"), [("dog", "5"), ("blurry", "12")]) == "tag      n\ndog      5\nblurry  12"
