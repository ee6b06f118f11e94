"""The general table: which cells the ladder fills, which are missing, and when it says more than the ladder."""

from typing import Any

from mlproj.diagnose import ladder_of, parse_rungs, render_text
from mlproj.diagnose.table import general_table, missing_lines, table_rows
from mlproj.diagnose.words import Numbers
from mlproj.records import Ladder, Rung
from mlproj.spec.goal import HumanLevel

RUNGS = ("train=3%:5000", "train_dev=5%:1000", "dev=9%:1000")


def ladder(*rungs: str, on: Any = None) -> Ladder:
    return ladder_of(None, given=parse_rungs(rungs), human=HumanLevel(error=0.01, n=500, on=on))


def rung(error: float) -> Rung:
    return Rung("train", error, error - 0.01, error + 0.01, 300, "target")


def cells(table: dict[str, Any]) -> dict[str, list[float | None]]:
    places = ("training", "target")
    return {
        row["row"]: [None if row[place] is None else row[place]["error"] for place in places] for row in table["rows"]
    }


def test_the_ladder_fills_all_but_one_cell() -> None:
    table = general_table(ladder(*RUNGS))
    assert table is not None
    assert cells(table) == {"human": [0.01, 0.01], "trained_on": [0.03, None], "held_out": [0.05, 0.09]}
    assert [(gap["row"], gap["column"]) for gap in table["missing"]] == [("trained_on", "target")]
    assert not table["says_more"]


def test_one_distribution_has_no_table() -> None:
    assert general_table(ladder("train=3%:5000", "dev=9%:1000")) is None


def test_the_sixth_cell_and_a_second_human_level_make_it_worth_printing() -> None:
    with_train = general_table(ladder(*RUNGS), trained_on_target=rung(0.06))
    assert with_train is not None
    assert with_train["says_more"]
    assert not with_train["missing"]
    with_human = general_table(ladder(*RUNGS, on="training"), human_on_target=rung(0.02))
    assert with_human is not None
    assert cells(with_human)["human"] == [0.01, 0.02]
    assert with_human["says_more"]


def test_a_human_level_of_one_distribution_leaves_the_other_open() -> None:
    table = general_table(ladder(*RUNGS, on="target"))
    assert table is not None
    assert cells(table)["human"] == [None, 0.01]
    assert any("on: training" in line for line in missing_lines(table, 90))


def test_it_is_printed_with_differences_and_what_would_fill_the_gap() -> None:
    table = general_table(ladder(*RUNGS, on="training"), human_on_target=rung(0.02))
    assert table is not None
    rows = table_rows(table, Numbers(is_rate=True))
    assert rows[1] == ["human", "1.0", "[0.4, 2.3]", "2.0", "[1.0, 3.0]", "+1.0"]
    assert rows[2][3:] == ["?", "", ""]
    from dataclasses import replace

    known = ladder(*RUNGS, on="training")
    assert "target − training" not in render_text(known)
    text = render_text(replace(known, table=table))
    assert "target − training" in text
    assert "? trained on, target: train on some examples of the target" in text
