"""Ladders and series as Markdown."""

import re

import numpy as np
import pytest
from markdown_cells import cells

from mlproj.diagnose import ladder_of, parse_rungs
from mlproj.diagnose.markdown import code, ladder_markdown, series_markdown
from mlproj.records import Entry, GapChange, Remedy, Series

LADDER = ladder_of(None, given=parse_rungs(["human=0.01:500", "train=1%:20000", "train_dev=9%:20000", "dev=10%:20000"]))


def test_a_ladder_has_its_tables_verdict_remedies_and_next_command() -> None:
    remedy = Remedy("More data | now", "variance", "it <helps>", "mlproj train --set 'x=1'")
    text = ladder_markdown(LADDER, [remedy], "mlproj next", about="run a_b *1*")
    rungs, gaps = cells(text)
    assert [row[0] for row in rungs[1:]] == ["human", "train", "train-dev", "dev"]
    assert rungs[-1][1:4] == ["10.0", "9.6 to 10.4", "20,000"]
    assert next(row for row in gaps if row[0] == "variance")[-1] == "named"
    for part in (r"run a\_b \*1\*", "**Verdict:** Variance", r"More data \| now", "&lt;helps&gt;", "`mlproj next`"):
        assert part in text
    assert text.startswith("## ")
    assert "### What helps" in text


def test_a_sealed_rung_shows_no_figure() -> None:
    ladder = ladder_of(None, given=parse_rungs(["train=1%:200", "dev=10%:200"]), sealed_test_n=77)
    assert next(row for row in cells(ladder_markdown(ladder, [], "", about="x"))[0] if row[0] == "test")[1] == "sealed"


def test_a_series_has_a_row_per_run_and_marks_the_change() -> None:
    entries = (
        Entry("1", "a|b", "train", 0.0, LADDER),
        Entry("2", "new", "train", 9.0, LADDER, (("model.width", "1", "2"),)),
    )
    change = GapChange("variance", 0, 1, -0.05, -0.06, -0.04, 0.001, 500, "m", 0.002, 1)
    text = series_markdown(Series(entries, ((), ()), (change,), 1), lambda started: f"t{started:.0f}")
    table = cells(text)[0]
    assert [row[1] for row in table[1:]] == [r"a\|b", "new"]
    column = table[0].index("variance")
    assert table[2][column].endswith("▼")
    assert not table[1][column].endswith("▼")
    assert table[2][-1] == "model.width 1 → 2"
    assert r"Since new (against a\|b): variance shrank" in text


@pytest.mark.parametrize("command", ["mlproj runs", "a `b` c", "``", "`"])
def test_code_survives_backticks(command: str) -> None:
    shown = code(command)
    fence = re.match("`+", shown)
    assert fence is not None
    inner = shown[len(fence[0]) : -len(fence[0])]
    assert inner.strip() == command.strip()
    assert fence[0] not in inner.split()
    assert np.char.count(inner, fence[0]) == 0
