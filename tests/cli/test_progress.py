"""Progress off a terminal: a line a minute, on standard error only."""

import re
import time

import pytest

from mlproj.cli import progress
from mlproj.cli.progress import PredictProgress, SearchProgress, SeedsProgress, TrainingProgress
from mlproj.cli.shell import Shell
from mlproj.searching import Progress, Trial
from mlproj.workflow.desk import Begun
from mlproj.workflow.predict import Predicting
from mlproj.workflow.train import Started
from mlproj.workflow.trained_seeds import SeedsBegun

STARTED = Started("flowers · train 100 · dev 20", 8, ("a class is rare",))
VALUES = {"train/loss": 0.5, "dev/loss": 0.6, "dev/error": 0.25}


def test_the_first_line_and_warnings_come_before_the_first_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(Shell(None, json=False, quiet=False)) as shown:
        shown.start(STARTED)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("flowers · train 100 · dev 20\nwarning: a class is rare\n", "")


def test_a_line_says_how_far_it_is_and_what_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with TrainingProgress(Shell(None, json=False, quiet=False)) as shown:
        shown.start(STARTED)
        shown.epoch(2, 8, VALUES)
    said = capsys.readouterr().err
    assert re.fullmatch(r"epoch 2 of 8, train/loss 0\.5, dev/error 0\.25, at most 0\.\d s left\n", said)


def test_within_a_minute_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(Shell(None, json=False, quiet=False)) as shown:
        shown.start(STARTED)
        shown.epoch(2, 8, VALUES)
    assert capsys.readouterr().err == ""


def test_quiet_says_nothing_at_all(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with TrainingProgress(Shell(None, json=False, quiet=True)) as shown:
        shown.start(STARTED)
        shown.epoch(2, 8, VALUES)
    assert capsys.readouterr() == ("", "")


def test_with_json_the_first_line_leaves_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(Shell(None, json=True, quiet=False)) as shown:
        shown.start(STARTED)
    assert capsys.readouterr().out == ""


BEGUN = Begun("search-1 · dev 20", "64 trials in 2 rounds", ("going on after 3",), ("a class is rare",), "error", 64)
BEST = Trial(3, "s", 3, {}, "complete", {"error": 0.125})


def test_a_search_says_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    with SearchProgress(Shell(None, json=False, quiet=False)) as shown:
        shown.start(BEGUN)
    said = "search-1 · dev 20\n64 trials in 2 rounds\nnote: going on after 3\nwarning: a class is rare\n"
    assert capsys.readouterr() == (said, "")


def test_a_search_says_trials_done_best_so_far_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with SearchProgress(Shell(None, json=True, quiet=False)) as shown:
        shown.start(BEGUN)
        capsys.readouterr()
        shown.trial(Progress(10, 64, 2, BEST, 20.0, 108.0))
    assert capsys.readouterr() == ("", "trial 10 of 64, best error 12.5 %, 2 failed, about 1 min 48 s left\n")


def test_a_line_comes_also_while_no_trial_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.5)
    with SearchProgress(Shell(None, json=False, quiet=False)) as shown:
        shown.start(BEGUN)
        capsys.readouterr()
        time.sleep(1.3)
        assert capsys.readouterr().err == "trial 0 of 64, no result yet\n"
    time.sleep(1.2)
    assert capsys.readouterr().err == ""


def test_a_prediction_says_rows_done_and_how_fast(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with PredictProgress(Shell(None, json=False, quiet=False)) as shown:
        shown.start(Predicting("mine (01234567, just now) · new.csv", ("The file has no column 'uid'.",)))
        shown.rows(65_536)
    said = capsys.readouterr()
    assert said.out == "mine (01234567, just now) · new.csv\nnote: The file has no column 'uid'.\n"
    assert re.fullmatch(r"row 65,536, [\d,]+ a second\n", said.err)


def test_seeds_say_how_many_are_done(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    begun = SeedsBegun("wide · dev 20", "seeds 0 to 4 · 2 at the same time", ("1 of 5 seeds is there",), (), 4)
    with SeedsProgress(Shell(None, json=False, quiet=False)) as shown:
        shown.start(begun)
        shown.seed(2, 4, {"error": 0.125, "f1": 0.9, "recall": 0.8})
    said = capsys.readouterr()
    assert said.out == "wide · dev 20\nseeds 0 to 4 · 2 at the same time\nnote: 1 of 5 seeds is there\n"
    assert re.fullmatch(r"seed 2 of 4, dev error 12\.5 %, dev f1 90\.0 %, about 0\.\d s left\n", said.err)
