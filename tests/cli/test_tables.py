"""Tables fit the terminal where its width is known, and no figure is lost."""

import os
import pty
import subprocess
import sys
import termios
from typing import get_args

import pytest

from mlproj.cli.search_text import search_text
from mlproj.cli.tables import fitted
from mlproj.cli.text import RATES, runs_text
from mlproj.diagnose.rungs import is_rate
from mlproj.records import Run
from mlproj.spec.goal import Metric
from mlproj.workflow.runs import Listing

HEADER = ("trial", "dev f1", "learning_rate", "width", "schedule")
ROWS = [("4", "66.7 %", "0.000652", "71", "exponential rate=0.95"), ("1", "65.4 %", "0.0021", "128", "constant")]
ROWS_OF_FIGURES = [row[:4] for row in ROWS]
RIGHT = (1, 2, 3, 4)


def test_a_table_off_the_terminal_is_whole() -> None:
    text = fitted(HEADER, ROWS, right=RIGHT, words=(4,))
    assert text.splitlines()[1] == "4      66.7 %       0.000652     71  exponential rate=0.95"


def test_words_are_cut_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "52")
    assert fitted(HEADER, ROWS, right=RIGHT, words=(4,)).splitlines() == [
        "trial  dev f1  learning_rate  width        schedule",
        "4      66.7 %       0.000652     71  exponential r…",
        "1      65.4 %         0.0021    128        constant",
    ]


@pytest.mark.parametrize("width", [25, 30, 40, 50, 60, 200])
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_lost(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = fitted(HEADER, ROWS, right=RIGHT, words=(4,))
    assert max(map(len, text.splitlines())) <= width
    assert set(text.split()) >= {"66.7", "65.4", "0.000652", "0.0021", "71", "128", "constant"}


def test_columns_that_do_not_fit_stand_below_with_the_first_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    assert fitted(HEADER[:4], ROWS_OF_FIGURES, right=RIGHT).splitlines() == [
        "trial  dev f1  learning_rate",
        "4      66.7 %       0.000652",
        "1      65.4 %         0.0021",
        "",
        "trial  width",
        "4         71",
        "1        128",
    ]


def test_lesser_columns_go_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert fitted(HEADER[:4], ROWS_OF_FIGURES, right=RIGHT, lesser=(3, 2)).splitlines()[0].split() == [
        "trial", "dev", "f1", "learning_rate", "width"
    ]  # fmt: skip
    monkeypatch.setenv("COLUMNS", "34")
    assert "width" not in fitted(HEADER[:4], ROWS_OF_FIGURES, right=RIGHT, lesser=(3, 2))
    monkeypatch.setenv("COLUMNS", "20")
    assert fitted(HEADER[:4], ROWS_OF_FIGURES, right=RIGHT, lesser=(3, 2)).splitlines()[0] == "trial  dev f1"


def test_the_width_of_a_terminal_is_asked_for() -> None:
    code = "from mlproj.cli.tables import terminal_width as w; print(w())"
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    termios.tcsetwinsize(theirs, (24, 73))
    subprocess.run([sys.executable, "-c", code], stdout=theirs, env=environment, check=True)
    os.close(theirs)
    assert os.read(ours, 100).split() == [b"73"]
    os.close(ours)
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    assert piped.stdout.split() == [b"None"]


@pytest.mark.parametrize("metric", get_args(Metric))
def test_tables_and_verdicts_show_a_metric_alike(metric: str) -> None:
    assert (metric in RATES) == is_rate(metric)


def test_a_narrow_list_of_runs_keeps_names_and_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = {"dev/error": 0.123}
    run = Run("0123456789", "mlp-128-64-32", "train", "FINISHED", 0.0, "completed", metrics=metrics)
    listing = Listing("head", (run,), None, "error")
    assert "01234567" in runs_text(listing)
    monkeypatch.setenv("COLUMNS", "32")
    assert [line.split() for line in runs_text(listing).splitlines()] == [
        ["run", "dev"], ["mlp-128-64-32", "error", "12.3", "%"]
    ]  # fmt: skip


def test_the_best_five_fit_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    params = {f"model.key_{k}": 0.25 for k in range(9)} | {
        "training.schedule": {"kind": "step", "rate": 0.5, "every": 3}
    }
    row = {"number": 4, "params": params, "value": 0.02, "feasible": True, "metrics": {"error": 0.02}}
    document = {"metric": "error", "satisfy": {}, "complete": 1, "finalists": [row], "verdict": None, "mattered": [],
                "importance": {}, "edges": [], "failures": []}  # fmt: skip
    assert max(map(len, search_text(document).splitlines())) > 100
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, search_text(document).splitlines())) <= 60
