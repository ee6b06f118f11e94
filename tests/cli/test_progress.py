"""Progress off a terminal: a line a minute, on standard error only."""

import pytest

from mlproj.cli import progress
from mlproj.cli.progress import TrainingProgress
from mlproj.cli.shell import Shell
from mlproj.workflow.train import Started

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
    assert capsys.readouterr().err == "epoch 2 of 8, train/loss 0.5, dev/error 0.25, at most 0.0 s left\n"


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
