"""The ladder for people and for programs, and as a picture."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlproj.diagnose import ladder_of, parse_rungs, render_text, to_document
from mlproj.diagnose.picture import draw_ladder
from mlproj.records import Answers, Ladder, Predictions, Remedy

CLEAR = ("human=1%:500", "train=3.1%:100000", "train-dev=9%:1000", "dev=10.4%:1000")


def clear() -> Ladder:
    return ladder_of(None, given=parse_rungs(CLEAR), sealed_test_n=1000)


def test_the_table_shows_rungs_gaps_verdict_and_next() -> None:
    text = render_text(clear(), [Remedy("Add dropout", "variance", "it helps", "mlproj train")], "mlproj train")
    lines = text.splitlines()
    assert lines[0].split() == ["rung", "error", "%", "95", "%", "interval", "n", "distribution"]
    assert any(line.split() == ["train-dev", "9.0", "[7.4,", "10.9]", "1,000", "training"] for line in lines)
    assert any(line.split() == ["test", "sealed", "1,000", "target"] for line in lines)
    (named,) = [line for line in lines if line.endswith("<- named")]
    assert named.split()[:4] == ["variance", "+5.9", "[+4.3,", "+7.8]"]
    assert "    mlproj train" in lines
    assert lines[-1] == "Next: mlproj train"
    assert max(len(line) for line in lines) <= 100


def test_the_brief_text_fits_a_screen_twice() -> None:
    assert len(render_text(clear(), [], "mlproj train", brief=True).splitlines()) <= 16


def test_small_errors_get_a_second_digit() -> None:
    text = render_text(ladder_of(None, given=parse_rungs(["human=0.5%", "train=0.6%:20000", "dev=0.8%:20000"])))
    assert "0.60" in text
    assert "+0.20" in text


def test_a_negative_bias_is_not_printed() -> None:
    text = render_text(ladder_of(None, given=parse_rungs(["human=5%", "train=1%:20000", "dev=2%:20000"])))
    (line,) = [line for line in text.splitlines() if line.startswith("avoidable bias")]
    assert "none" in line
    assert "-4" not in text


def test_the_document_has_the_keys_of_the_interface() -> None:
    run = {"id": "1", "name": "n", "chosen": "latest"}
    document = to_document(clear(), [Remedy("a", "variance", "w", None)], "mlproj check", run=run)
    assert list(document)[:9] == ["run", "metric", "scale", "rungs", "gaps", "verdict", "constant", "remedies", "next"]
    assert set(document["rungs"][0]) >= {"name", "error", "low", "high", "n", "distribution", "sealed"}
    assert list(document["gaps"][0])[:5] == ["name", "size", "low", "high", "p_largest"]
    assert set(document["gaps"][0]) >= {"p_above_min_gap", "regret", "band", "n", "method"}
    assert list(document["verdict"])[:5] == ["state", "named", "candidates", "text", "resolve"]
    assert document["remedies"] == [{"action": "a", "gap": "variance", "why": "w", "command": None}]
    test = document["rungs"][-1]
    assert (test["error"], test["sealed"], test["n"]) == (None, True, 1000)


def test_numbers_that_are_not_finite_become_null() -> None:
    single = Predictions(np.array(["1"]), np.array(["dev"]), {"": Answers(np.zeros(1), np.ones(1))})
    text = json.dumps(to_document(ladder_of(single)), allow_nan=False)
    assert json.loads(text)["rungs"][0]["high"] is None
    assert "inf" in render_text(ladder_of(single))


@pytest.mark.parametrize(
    "texts",
    [
        CLEAR,
        ("train=3%:1000", "dev=5%:100"),
        ("human=5%", "train=1%", "dev=2%"),
        ("dev=0",),
        ("human=0", "train=1%:900", "train_dev=2%:90", "dev=3%:90", "test=4%:90"),
    ],
)
def test_every_ladder_can_be_drawn(texts: tuple[str, ...]) -> None:
    found = ladder_of(None, given=parse_rungs(texts), sealed_test_n=50)
    draw_ladder(found, "ladder.png")
    content = Path("ladder.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 8000


def test_a_dollar_in_a_verdict_is_no_formula() -> None:
    found = ladder_of(
        None, given=parse_rungs(["human=2±1", "train=3±1", "dev=9±1"]), metric="mae", metric_is_asked=True
    )
    draw_ladder(found, Path("ladder.png"))
    assert Path("ladder.png").exists()


def test_a_ladder_needs_no_heavy_library() -> None:
    code = """
import sys
import mlproj.advise
from mlproj.diagnose import ladder_of, parse_rungs, render_text
render_text(ladder_of(None, given=parse_rungs(["human=0", "train=1%:900", "dev=9%:900"])))
heavy = {"torch", "pandas", "sklearn", "mlflow", "optuna", "matplotlib", "scipy", "pyarrow"}
print(sorted(heavy & set(sys.modules)))
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_figures_that_nobody_measured_are_called_examples() -> None:
    lone = ladder_of(None, given=parse_rungs(["dev=9%:500"]))
    assert "the figure after train= is an example" in render_text(lone, (), "mlproj … --rung train=0.04:4000")
    small = ladder_of(None, given=parse_rungs(["human=0", "train=5%:200", "dev=9%:200"]))
    grow = (small.verdict.resolve or {})["grow"]
    assert "as if so many examples" in render_text(small, (), f"mlproj … --rung {grow}=0.05:900")
    assert "(" not in render_text(small, (), "mlproj train").partition("Next: ")[2]
