"""From a sheet that came back to ceilings, on real files: with a run, and with a predictions file alone."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.errors import InputError

CASES = 1000


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, list(arguments))
    assert found.exit_code == 0, found.output
    return found.stdout


def fill(path: Path, say: Callable[[dict[str, str]], dict[str, str]]) -> Path:
    """Writes into each row what `say` makes of it."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0], *(name for name in say(rows[0]) if name not in rows[0])])
        writer.writeheader()
        writer.writerows(row | say(row) for row in rows)
    return path


@pytest.fixture
def keras(tmp_path: Path) -> Path:
    """A thousand answers of a foreign model, 100 of them wrong, half of those in the dark."""
    wrong = np.arange(CASES) % 10 == 0
    dark = np.where(wrong, np.arange(CASES) % 20 == 0, np.arange(CASES) % 7 == 0)
    pd.DataFrame(
        {"id": [f"e{i}" for i in range(CASES)], "y_true": "cat", "y_pred": np.where(wrong, "dog", "cat"),
         "light": np.where(dark, 0.1, 0.9)}
    ).to_csv(tmp_path / "keras.csv", index=False)  # fmt: skip
    run("errors", "export", "keras.csv", "--n", "100", "--tags", "dark", "--out", "sheet.csv")
    return fill(tmp_path / "sheet.csv", lambda row: {"tag:dark": "1" if row["light"] == "0.1" else "0"})


def test_fifty_of_a_hundred_errors_halve_the_error_at_best(keras: Path) -> None:
    found = mlproj.errors_summarize(keras).document()
    (dark,) = found["tags"]
    assert (found["reviewed"], found["dev_error"], dark["count"], dark["share"]) == (100, 0.1, 50, 0.5)
    assert (dark["ceiling"], dark["error_if_fixed"]) == (pytest.approx(0.05), pytest.approx(0.05))
    assert found["named"] == "dark"


def test_the_command_prints_the_same_document(keras: Path) -> None:
    assert json.loads(run("errors", "summarize", str(keras), "--json")) == mlproj.errors_summarize(keras).document()


def test_it_reads_at_a_glance(keras: Path) -> None:
    lines = run("errors", "summarize", str(keras)).splitlines()
    assert lines[0].endswith("of keras.csv · dev 1,000 · 100 of 100 rows looked at")
    assert lines[2].split()[:6] == ["dark", "50", "of", "100", "50", "5.00"]
    assert lines[-2].startswith("Verdict: dark is the largest reason (probability >0.99): curing it wins at most 5.00")
    assert lines[-1] == "next: mlproj diagnose bias-variance keras.csv"


def test_a_sheet_whose_manifest_is_lost_is_read_with_its_predictions(keras: Path) -> None:
    before = mlproj.errors_summarize(keras).document()
    for manifest in keras.parent.glob("*.sheet.json"):
        manifest.unlink()
    with pytest.raises(InputError, match="--predictions FILE"):
        mlproj.errors_summarize(keras)
    after = mlproj.errors_summarize(keras, predictions=Path("keras.csv")).document()
    assert after["tags"] == before["tags"]
    assert "How the rows were drawn is not known any more" in after["notes"][-1]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"y_true:car": 1, "y_pred:car": 1, "y_true:sign": 1, "y_pred:sign": 0}, r"holds 2 labels \(car, sign\)"),
        ({"split": "train", "y_true": 1, "y_pred": 0}, "no example of dev has a label"),
    ],
)
def test_predictions_that_do_not_say_what_the_sheet_was_about_are_refused(
    keras: Path, columns: dict[str, object], words: str
) -> None:
    for manifest in keras.parent.glob("*.sheet.json"):
        manifest.unlink()
    pd.DataFrame({"id": [f"e{i}" for i in range(CASES)], **columns}).to_csv("other.csv", index=False)
    with pytest.raises(InputError, match=words):
        mlproj.errors_summarize(keras, predictions=Path("other.csv"))


def test_a_sheet_that_nobody_filled_in_says_so(keras: Path) -> None:
    fill(keras, lambda _: {"tag:dark": ""})
    found = mlproj.errors_summarize(keras).document()
    assert (found["reviewed"], found["tags"], found["labels"]["share"]) == (0, [], None)
    assert found["verdict"].startswith("No error was looked at yet")


def test_rows_that_were_not_looked_at_are_no_rows_without_tags(keras: Path) -> None:
    fill(keras, lambda row: {"tag:dark": row["tag:dark"] if int(row["id"][1:]) < 500 else ""})
    found = mlproj.errors_summarize(keras).document()
    assert found["reviewed"] == 50
    assert found["notes"] == ["50 of 100 rows of error were looked at; they are taken for a random part of them."]


def test_a_tag_that_a_reviewer_added_counts(keras: Path) -> None:
    fill(keras, lambda row: {"tag:far": "x" if row["id"] == "e0" else ""})
    assert {row["tag"]: row["count"] for row in mlproj.errors_summarize(keras).document()["tags"]} == {
        "dark": 50,
        "far": 1,
    }


def test_labels_without_a_correction_are_told(keras: Path) -> None:
    fill(keras, lambda row: {"label_ok": "wrong" if int(row["id"][1:]) < 300 else "ok"})
    found = mlproj.errors_summarize(keras).document()
    assert (found["labels"]["wrong"], found["labels"]["fix"]) == (30, True)
    assert found["labels"]["error_due_to_labels"] == pytest.approx(0.03)
    assert any("30 rows say wrong without a corrected_label" in note for note in found["notes"])


SPEC = """\
name: flowers
task: classification
data: {source: app.csv, extra: [web.csv], label: kind, id: uid}
splits: {dev: 300, test: 50, train_dev: 50}
model: {kind: linear}
training: {epochs: 1}
slices: {red: "colour == 'red'", nowhere: "x0 > 999"}
"""


def test_slices_and_tags_are_told_by_later_runs(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers(SPEC)
    assert not mlproj.train(home, name="first").parts.get("tags")
    mlproj.errors_export("first", project=home, n=10, tags="odd", out=Path("sheet.csv"))
    fill(Path("sheet.csv"), lambda row: {"tag:odd": str(int(row["uid"]) % 2 if "uid" in row else int(row["id"]) % 2)})
    found = mlproj.errors_summarize("sheet.csv", project=home).document()
    assert [row["slice"] for row in found["slices"]["declared"]] == ["red", "nowhere"]
    assert found["still_wrong"] == []
    (odd,) = mlproj.train(home, name="second").parts["tags"]
    assert (odd["n"], odd["wrong"], odd["low"] < 1) == (found["tags"][0]["count"], odd["n"], True)
    shown = run("--project", str(home), "runs", "second")
    assert "slice of dev" in shown
    assert f"Still wrong of what was tagged: odd {odd['n']} of {odd['n']} (they were chosen because" in shown
    assert json.loads(run("--project", str(home), "runs", "second", "--json"))["parts"]["tags"] == [odd]
