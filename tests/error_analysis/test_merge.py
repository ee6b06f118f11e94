"""Several reviewers of one example."""

import pytest
from reviews import Word, make_sheet, row

from mlproj.error_analysis.merge import merge


@pytest.mark.parametrize(
    ("votes", "counts"), [("11", 1), ("10", 0.5), ("00", 0), ("110", 1), ("100", 0), ("1100", 0.5)]
)
def test_the_majority_counts_and_a_tie_counts_half(votes: str, counts: float) -> None:
    rows = [row(1, *(["dog"] if vote == "1" else []), who=f"r{i}") for i, vote in enumerate(votes)]
    (opinion,), conflicts = merge(make_sheet(rows, tags=("dog",)))
    assert opinion.tags == {"dog": counts}
    assert bool(conflicts) == (len(set(votes)) > 1)


LABELS: list[tuple[list[Word], str, float]] = [
    (["wrong", "wrong"], "wrong", 1), (["wrong", "ok"], "", 0.5), (["wrong", "ok", "wrong"], "wrong", 1),
    (["wrong", ""], "wrong", 1), (["ambiguous", "wrong", "ok"], "", 0), (["", ""], "", 0),
]  # fmt: skip


@pytest.mark.parametrize(("words", "label", "wrong"), LABELS)
def test_of_a_label_those_speak_who_said_something(words: list[Word], label: str, wrong: float) -> None:
    (opinion,), _ = merge(make_sheet([row(1, label=word, who=f"r{i}") for i, word in enumerate(words)]))
    assert (opinion.label_ok, opinion.wrong) == (label, wrong)


def test_a_corrected_label_says_that_the_label_is_wrong() -> None:
    (first, second), _ = merge(make_sheet([row(1, corrected="yes"), row(2, corrected="no")]))
    assert (first.label_ok, first.wrong, first.corrected) == ("wrong", 1, "yes")
    assert (second.label_ok, second.wrong) == ("", 0)


def test_a_conflict_names_file_line_and_both_answers() -> None:
    _, (conflict,) = merge(make_sheet([row(7, "dog", who="anna"), row(7, who="ben")], tags=("dog",)))
    document = conflict.document()
    assert (document["id"], document["what"]) == ("7", "dog")
    said = [(one["reviewer"], one["value"], one["at"]) for one in document["said"]]
    assert said == [("anna", "1", "anna.csv:2"), ("ben", "0", "ben.csv:2")]


def test_two_corrections_of_one_label_are_a_conflict() -> None:
    rows = [row(1, label="wrong", corrected=label, who=who) for who, label in (("anna", "yes"), ("ben", "maybe"))]
    (opinion,), (conflict,) = merge(make_sheet(rows))
    assert (opinion.corrected, conflict.what) == ("", "corrected_label")
