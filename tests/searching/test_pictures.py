"""Pictures of a search: what they show is right, and every kind of search can be drawn."""

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from mlproj.searching import pictures
from mlproj.searching.panels import NAMED, PALE, dress, gather_points, marks, names, near_one, place
from mlproj.searching.pictures import draw_importance, draw_parallel, draw_search
from mlproj.searching.scales import value_at
from mlproj.searching.trials import Trial, TrialState
from mlproj.spec.search import Choice, Int, Log, OneMinusLog, Space, Uniform

SPACE: Space = {
    "training.learning_rate": Log(log=(1e-4, 1.0)),
    "training.beta1": OneMinusLog(one_minus_log=(0.9, 0.999)),
    "model.width": Int(int=(16, 128)),
    "model.layers": Int(int=(1, 4)),
    "model.dropout": Uniform(uniform=(0.0, 0.5)),
    "model.hidden": Choice(choice=([64, 32], None, True, "a word that is much too long $for$ an axis", 0.5)),
}


def trial(number: int, *, study: str = "round-1", state: TrialState = "complete", **metrics: float) -> Trial:
    rng = np.random.default_rng(number)
    params = {path: value_at(dimension, rng.random()) for path, dimension in SPACE.items()}
    kept = metrics if state == "complete" else {}
    return Trial(number, study, number, params, state, kept, f"run{number}", "", 2.0)


def test_every_picture_of_a_search_is_written(tmp_path: Path) -> None:
    trials = [trial(n, error=0.1 + 0.01 * (n % 7), recall=0.9 + 0.02 * (n % 4)) for n in range(20)]
    trials += [
        trial(20, state="failed"),
        trial(21, state="running"),
        trial(22, study="round-2", error=0.05, recall=1.0),
    ]
    files = draw_search(
        tmp_path / "search",
        trials,
        SPACE,
        optimize="error",
        satisfy={"recall": ">= 0.95"},
        importance={"a": 0.7},
        mattered=["a"],
    )
    assert has(tmp_path / "search" / "importance.png", NAMED)
    assert {file.name for file in files} == {
        "parameters.png", "parallel.png", "best_so_far.png", "importance.png", "trials.csv"
    }  # fmt: skip
    assert all(file.stat().st_size > 1000 for file in files)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files if file.suffix == ".png")


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [trial(0, state="failed")],
        [trial(0, state="running")],
        [trial(0, error=0.0)],
        [trial(0, error=float("nan")), trial(1, error=float("inf"))],
        [trial(n, error=0.25) for n in range(4)],
        [trial(0, error=0.1), trial(1, error=1e300)],
    ],
)
def test_a_search_that_found_little_is_drawn_as_well(tmp_path: Path, trials: list[Trial]) -> None:
    files = draw_search(tmp_path, trials, SPACE, optimize="error", satisfy={"recall": ">= 0.95"})
    assert "importance.png" not in {file.name for file in files}
    assert all(file.exists() for file in files)


@pytest.mark.parametrize("path", list(SPACE))
def test_a_search_of_one_key_is_drawn(tmp_path: Path, path: str) -> None:
    trials = [trial(n, mcc=0.1 * n) for n in range(5)]
    assert draw_search(tmp_path, trials, {path: SPACE[path]}, optimize="mcc", satisfy={})


def has(path: Path, colour: str) -> bool:
    """Whether a picture has pixels of a colour."""
    pixels = (255 * imread(path)[..., :3]).round().astype(int)
    return bool((pixels == (255 * np.array(to_rgb(colour))).round().astype(int)).all(axis=-1).any())


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Titles and legends of the pictures that a test draws."""
    said: list[str] = []

    def finish(figure: Any, path: Path, title: str, legend: str, **margins: float) -> None:
        said.extend((title, legend))
        real(figure, path, title, legend, **margins)

    real = pictures._finish
    monkeypatch.setattr(pictures, "_finish", finish)
    return said


def test_importance_of_nothing_is_drawn(tmp_path: Path) -> None:
    draw_importance(tmp_path / "i.png", {"a": 0.0, "b": 0.0}, "error", mattered=(), n=10)
    assert (tmp_path / "i.png").exists()


def test_no_bar_stands_out_where_what_mattered_cannot_be_told(tmp_path: Path, titles: list[str]) -> None:
    draw_importance(tmp_path / "i.png", {"a": 0.7, "b": 0.3}, "error", mattered=(), n=40)
    assert titles == ["What mattered: cannot be told apart from chance with 40 trials", ""]
    assert has(tmp_path / "i.png", PALE)
    assert not has(tmp_path / "i.png", NAMED)


def test_bars_beyond_chance_stand_out(tmp_path: Path, titles: list[str]) -> None:
    draw_importance(tmp_path / "i.png", {"a": 0.7, "b": 0.3}, "error", mattered=("a",), n=40)
    assert titles == ["What mattered", "orange: beyond chance"]
    assert has(tmp_path / "i.png", PALE)
    assert has(tmp_path / "i.png", NAMED)


def test_trials_that_were_ended_early_cross_the_picture_up_to_the_metric(tmp_path: Path, titles: list[str]) -> None:
    finished = [trial(n, error=0.1 + 0.01 * n) for n in range(3)]
    early = [replace(trial(n, error=0.9), state="pruned") for n in range(3, 33)]
    few, all_ = (gather_points(trials, "error", {}) for trials in (finished, finished + early))
    draw_parallel(tmp_path / "few.png", few, SPACE)
    draw_parallel(tmp_path / "all.png", all_, SPACE)
    assert titles[1::2] == ["orange: the best", "orange: the best; pale, without a value: 30 that were ended early"]
    left, right = (imread(tmp_path / name)[..., :3].min(axis=-1) < 1 for name in ("few.png", "all.png"))
    end = int(left.shape[1] * 0.8)  # the last hyperparameter, and beyond it the metric
    assert right[:-60, :end].sum() > 2 * left[:-60, :end].sum()
    assert (right[:-60, end:] == left[:-60, end:]).all()


def test_colours_spread_over_the_finished_trials(tmp_path: Path) -> None:
    finished = [trial(n, f1=0.9 + 0.001 * n) for n in range(5)]
    early = [replace(trial(n, f1=0.2), state="pruned") for n in range(5, 25)]
    points = gather_points(finished + early, "f1", {})
    assert points.low < 20
    assert points.finished_axis == gather_points(finished, "f1", {}).finished_axis
    assert points.finished_axis[0] > 89


def test_trials_are_a_table(tmp_path: Path) -> None:
    trials = [trial(1, state="failed"), trial(0, f1=0.9, loss=0.3, recall=0.97)]
    draw_search(tmp_path, trials, SPACE, optimize="f1", satisfy={"recall": ">= 0.95"})
    with (tmp_path / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "number", "study", "state", "feasible", *SPACE, "f1", "recall", "loss", "epochs", "seconds", "run_id", "reason"
    ]  # fmt: skip
    assert [(row["number"], row["state"], row["feasible"], row["f1"]) for row in rows] == [
        ("0", "complete", "true", "0.9"),
        ("1", "failed", "", ""),
    ]
    assert float(rows[0]["training.learning_rate"]) == trials[1].params["training.learning_rate"]


def test_points_know_rounds_and_the_best() -> None:
    trials = [trial(2, study="round-2", error=0.1, recall=0.5), trial(0, error=0.3, recall=1.0), trial(1, error=0.2)]
    points = gather_points(trials, "error", {"recall": ">= 0.95"})
    assert [each.number for each in points.trials] == [0, 1, 2]
    assert points.rounds.tolist() == [0, 0, 1]
    assert points.feasible.tolist() == [True, False, False]
    assert points.best == 0
    assert points.values.tolist() == pytest.approx([30, 20, 10])
    assert points.low < 10
    assert points.high > 30


def test_a_few_trials_that_went_astray_do_not_squeeze_the_others() -> None:
    trials = [trial(n, rmse=1 + 0.01 * n) for n in range(30)] + [trial(30, rmse=1e6)]
    points = gather_points(trials, "rmse", {})
    assert points.high < 2
    assert points.beyond.tolist() == [False] * 30 + [True]
    scores = gather_points([trial(n, r2=0.9 - 0.001 * n) for n in range(30)] + [trial(30, r2=-50.0)], "r2", {})
    assert scores.low > 0
    assert scores.beyond.tolist() == [False] * 30 + [True]


def test_the_best_by_contract_is_always_on_the_axis() -> None:
    trials = [trial(n, error=0.01 * n, recall=0.1) for n in range(1, 30)] + [trial(30, error=0.9, recall=1.0)]
    points = gather_points(trials, "error", {"recall": ">= 0.95"})
    assert points.best == 29
    assert not points.beyond[29]


def test_choices_and_small_whole_numbers_are_spread_around_their_place() -> None:
    layers = [place(SPACE["model.layers"], 3, n) for n in range(50)]
    assert len(set(layers)) == 50
    assert all(abs(x - 3) <= 0.25 for x in layers)
    hidden = [place(SPACE["model.hidden"], True, n) for n in range(50)]
    assert all(abs(x - 2) <= 0.25 for x in hidden)
    assert place(SPACE["model.width"], 64, 5) == 64


def test_sections_are_called_by_their_kind_where_it_tells_them_apart() -> None:
    constant, cosine, step = {"kind": "constant"}, {"kind": "cosine", "warmup": 0.1}, {"kind": "step", "rate": 0.5}
    assert names([constant, cosine, step]) == ["constant", "cosine", "step"]
    assert names([step, constant, step | {"rate": 0.1}]) == ["step rate=0.5", "constant", "step rate=0.1"]
    assert [text for _, text in marks(Choice(choice=(constant, cosine)))] == ["constant", "cosine"]


def test_labels_of_choices_do_not_touch() -> None:
    from matplotlib.figure import Figure

    optimizers = Choice(choice=("adam", "adamw", "momentum", "rmsprop", "sgd"))
    figure = Figure(figsize=(2.6, 2.6))
    axes = figure.add_axes((0, 0.3, 1, 0.7))
    dress(axes, optimizers, 2.6)
    axes.tick_params(labelsize=8)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert not any(a.overlaps(b) for a, b in pairwise(boxes) if a.height == b.height)
    assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[2:], strict=False))
    assert [label.get_text()[0] == "\n" for label in axes.get_xticklabels()] == [False, True, False, True, False]


def test_ticks_near_one_are_round() -> None:
    assert near_one(OneMinusLog(one_minus_log=(0.9, 0.9999))) == [0.9, 0.99, 0.999, 0.9999]
    assert near_one(OneMinusLog(one_minus_log=(0.9, 0.99))) == [0.9, 0.95, 0.99]
    assert near_one(OneMinusLog(one_minus_log=(0.97, 0.98))) == [0.97, 0.98]
    assert near_one(OneMinusLog(one_minus_log=(0.0, 0.5))) == [0.0, 0.5]


def test_the_best_so_far_counts_feasible_trials_only() -> None:
    values = [0.5, 0.3, 0.4, 0.1, 0.2]
    trials = [trial(n, error=value, recall=float(n != 3)) for n, value in enumerate(values)]
    rows, climb = gather_points(trials, "error", {"recall": "> 0"}).climb
    assert rows.tolist() == [0, 1, 2, 4]
    assert climb.tolist() == pytest.approx([50, 30, 30, 20])
    rows, climb = gather_points(trials, "recall", {}).climb
    assert climb.tolist() == [100] * 5
